/* talk.c -- what the Socket.IO modes have in common. */
#include "tests/conformance/echo/talk.h"

#include <stdlib.h>

#include "common/mem.h"

bool talker_resume(const struct talker *t, struct sio_socket *s, struct slice auth)
{
    return t->recovery != NULL && recovery_memory_resume(t->recovery, s, auth);
}

void talker_accept_new(const struct talker *t, struct sio_socket *s)
{
    if (t->recovery != NULL)
        recovery_memory_accept(t->recovery, s);
    else
        sio_accept(s, NULL);
}

bool talker_accept(const struct talker *t, struct sio_socket *s, struct slice auth)
{
    if (talker_resume(t, s, auth))
        return true;
    talker_accept_new(t, s);
    return false;
}

void talker_left(const struct talker *t, struct sio_socket *s, enum sio_reason reason)
{
    if (t->recovery != NULL)
        recovery_memory_left(t->recovery, s, reason);
}

void talker_emit(const struct talker *t, struct sio_socket *s, const struct js *js)
{
    const struct recovery_event event = { buf_peek(&js->text), js->attachments, js->count };

    if (t->recovery != NULL)
        recovery_memory_emit(t->recovery, s, &event);
    else
        sio_emit_binary(s, event.array, event.attachments, event.count);
}

void talker_say(const struct talker *t, struct sio_socket *s, const char *name,
                const char *arguments)
{
    struct js js;

    js_init(&js);
    buf_printf(&js.text, "[\"%s\"%s%s]", name, arguments[0] == '\0' ? "" : ",", arguments);
    talker_emit(t, s, &js);
    js_deinit(&js);
}

void talker_say_auth(const struct talker *t, struct sio_socket *s, struct slice auth)
{
    struct js js;

    js_init(&js);
    buf_append_text(&js.text, "[\"auth\",");
    js_value(&js, auth);
    buf_append_char(&js.text, ']');
    talker_emit(t, s, &js);
    js_deinit(&js);
}

/* --- echo --- */

struct relay {                                 /* an answer to pass on */
    struct sio_socket *socket;
    int64_t            ack;
};

static void on_answer(int err, struct slice array, const struct slice *attachments, size_t count,
                      void *arg)
{
    struct relay *relay = arg;

    if (err == 0)
        sio_ack_binary(relay->socket, relay->ack, array, attachments, count);
    free(relay);
}

static void emit_asking(struct sio_socket *s, const struct js *js, int64_t ack)
{
    struct relay *relay = mem_new(struct relay);

    relay->socket = s;
    relay->ack = ack;
    if (sio_emit_with_ack(s, buf_peek(&js->text), 0, on_answer, relay) != 0)
        free(relay);
}

void talker_echo(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    struct js js;

    js_init(&js);
    buf_append_text(&js.text, "[\"message-back\"");
    js_arguments(&js, e, 1);
    buf_append_char(&js.text, ']');
    if (e->ack < 0)
        talker_emit(t, s, &js);
    else if (js.count == 0)
        emit_asking(s, &js, e->ack);
    js_deinit(&js);
}

/* --- acknowledgements --- */

void talk_ack_arguments(struct sio_socket *s, const struct sio_event *e, size_t first)
{
    struct js js;

    if (e->ack < 0)
        return;
    js_init(&js);
    js_arguments(&js, e, first);
    if (js.text.len == 0)
        buf_append_char(&js.text, ',');
    js.text.data[0] = '[';                     /* in place of the first comma */
    buf_append_char(&js.text, ']');
    sio_ack_binary(s, e->ack, buf_peek(&js.text), js.attachments, js.count);
    js_deinit(&js);
}

void talk_ack(struct sio_socket *s, const struct sio_event *e, const char *json)
{
    struct buf array;

    if (e->ack < 0)
        return;
    buf_init(&array, 1u << 20);
    buf_printf(&array, "[%s]", json);
    sio_ack(s, e->ack, buf_peek(&array));
    buf_deinit(&array);
}

void talker_message(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    if (slice_is(e->name, "message"))
        talker_echo(t, s, e);
    else if (slice_is(e->name, "message-with-ack"))
        talk_ack_arguments(s, e, 1);
}

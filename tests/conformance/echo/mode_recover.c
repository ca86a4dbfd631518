/* mode_recover.c -- recover: the handlers of chat with connection state recovery, and what a
 * test needs to lose a connection at the right moment: state, join, drop, say. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "tests/conformance/echo/sio_mode.h"

struct say {                                   /* a broadcast for later */
    struct talker *talker;
    struct js      js;
    struct buf     room;
    bool           is_for_all;
};

static void on_recover_connect(struct sio_socket *s, struct slice auth, void *arg)
{
    bool recovered = talker_accept(arg, s, auth);
    struct js js;

    talker_say_auth(arg, s, auth);
    js_init(&js);
    buf_printf(&js.text, "[\"state\",{\"recovered\":%s,\"rooms\":", recovered ? "true" : "false");
    buf_append_u64(&js.text, sio_room_count(s));
    buf_append_text(&js.text, "}]");
    talker_emit(arg, s, &js);
    js_deinit(&js);
}

/* A room's name: the text of a string, else the JSON itself. */
static void room_name_of(struct slice json, struct buf *out)
{
    buf_reset(out);
    if (!js_string(json, out))
        buf_append_slice(out, json);
}

static void say_free(struct sio_mode *m, void *arg)
{
    struct say *say = arg;

    (void)m;
    for (size_t i = 0; i < say->js.count; i++)
        free((char *)say->js.attachments[i].data);
    js_deinit(&say->js);
    buf_deinit(&say->room);
    free(say);
}

static void say_now(struct sio_mode *m, void *arg)
{
    struct say *say = arg;
    const struct recovery_event event = { buf_peek(&say->js.text), say->js.attachments,
                                          say->js.count };

    if (say->is_for_all)
        recovery_memory_broadcast_all(say->talker->recovery, &event);
    else
        recovery_memory_broadcast(say->talker->recovery, buf_peek(&say->room), &event);
    say_free(m, say);
}

/* say(room, x, ms) */
static void say_later(struct talker *t, const struct sio_event *e)
{
    struct say *say = mem_new(struct say);
    struct slice room = js_element(e->array, 1), x = js_element(e->array, 2);
    struct slice ms = js_element(e->array, 3);
    char number[24] = "0";

    say->talker = t;
    say->is_for_all = !js_is_true(room);
    buf_init(&say->room, 1u << 20);
    room_name_of(room, &say->room);
    js_init(&say->js);
    say->js.from = e->attachments;
    say->js.from_count = e->attachment_count;
    buf_append_text(&say->js.text, "[\"said\",");
    js_value(&say->js, x.len == 0 ? SLICE("null") : x);
    buf_append_char(&say->js.text, ']');
    for (size_t i = 0; i < say->js.count; i++) {
        struct slice *lent = &say->js.attachments[i];

        lent->data = mem_dup(lent->data, lent->len);
    }
    if (ms.len != 0 && ms.len < sizeof(number))
        memcpy(number, ms.data, ms.len);
    sio_mode_later(t->mode, strtoul(number, NULL, 10), say_now, say_free, say);
}

static void on_recover_event(struct sio_socket *s, const struct sio_event *e, void *arg)
{
    struct buf room;

    if (slice_is(e->name, "join")) {
        buf_init(&room, 1u << 20);
        room_name_of(js_element(e->array, 1), &room);
        sio_join(s, buf_peek(&room));
        buf_deinit(&room);
    } else if (slice_is(e->name, "drop")) {
        sio_close_transport(s);
    } else if (slice_is(e->name, "say")) {
        say_later(arg, e);
    } else {
        talker_message(arg, s, e);
    }
}

static void on_custom_connect(struct sio_socket *s, struct slice auth, void *arg)
{
    talker_accept(arg, s, auth);
    talker_say_auth(arg, s, auth);
}

static void on_no_event(struct sio_socket *s, const struct sio_event *e, void *arg)
{
    (void)s;
    (void)e;
    (void)arg;
}

static void on_disconnect(struct sio_socket *s, enum sio_reason reason, void *arg)
{
    talker_left(arg, s, reason);
}

static const struct sio_namespace_handlers CUSTOM = { on_custom_connect, on_no_event,
                                                      on_disconnect };

static const struct sio_namespace_handlers RECOVER = { on_recover_connect, on_recover_event,
                                                       on_disconnect };

static void *start_recover(struct echo *e)
{
    struct sio_options options;
    struct sio_mode *m;

    sio_mode_options(&options, false, true);
    m = sio_mode_new(e, &options);
    sio_mode_namespace(m, "/", &RECOVER, true);
    sio_mode_namespace(m, "/custom", &CUSTOM, true);
    return m;
}

const struct mode MODE_RECOVER = { "recover", start_recover, sio_mode_on_request, sio_mode_on_head,
                                   sio_mode_stop };

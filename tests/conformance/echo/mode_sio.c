/* mode_sio.c -- sio: the handlers of the Socket.IO protocol's suite, with its fast heartbeat;
 * chat: the same for real clients; probe: and more namespaces and events, for answers that
 * are compared one by one. */
#include <string.h>

#include "tests/conformance/echo/sio_mode.h"

/* Code units, as String.length counts: one more for what lies beyond the BMP. */
static size_t utf16_length(struct slice text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        n += (c & 0xc0) != 0x80;
        n += c >= 0xf0;
    }
    return n;
}

/* --- / and /custom --- */

static void on_connect(struct sio_socket *s, struct slice auth, void *arg)
{
    talker_accept(arg, s, auth);
    talker_say_auth(arg, s, auth);
}

static void on_event(struct sio_socket *s, const struct sio_event *e, void *arg)
{
    talker_message(arg, s, e);
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

static const struct sio_namespace_handlers MAIN = { on_connect, on_event, on_disconnect };
static const struct sio_namespace_handlers CUSTOM = { on_connect, on_no_event, on_disconnect };

static void *start_with(struct echo *e, bool is_fast)
{
    struct sio_options options;
    struct sio_mode *m;

    sio_mode_options(&options, is_fast, true);
    m = sio_mode_new(e, &options);
    sio_mode_namespace(m, "/", &MAIN, false);
    sio_mode_namespace(m, "/custom", &CUSTOM, false);
    return m;
}

static void *start_sio(struct echo *e)
{
    return start_with(e, true);
}

static void *start_chat(struct echo *e)
{
    return start_with(e, false);
}

/* --- probe --- */

static void on_asked(int err, struct slice array, const struct slice *attachments, size_t count,
                     void *arg)
{
    struct sio_socket *s = arg;                /* alive: err is 0 only then */
    const struct sio_event answer = { .array = array, .attachments = attachments,
                                      .attachment_count = count };
    struct js js;

    if (err != 0)
        return;
    js_init(&js);
    buf_append_text(&js.text, "[\"answered\"");
    js_arguments(&js, &answer, 0);
    buf_append_char(&js.text, ']');
    sio_emit_binary(s, buf_peek(&js.text), js.attachments, js.count);
    js_deinit(&js);
}

/* x === undefined ? 0 : x.length, and what JSON makes of that. */
static void count(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    struct slice x = js_element(e->array, 1);
    struct buf text;
    size_t n = 0, num;

    buf_init(&text, 1u << 20);
    if (x.len != 0 && js_string(x, &text))
        n = utf16_length(buf_peek(&text));
    else if (x.len != 0 && x.data[0] == '[')
        while (js_element(x, n).len != 0)
            n++;
    else if (e->attachment_count != 0 && js_is_placeholder(x, &num) && num < e->attachment_count)
        n = e->attachments[num].len;
    else if (x.len != 0)
        n = SIZE_MAX;
    buf_reset(&text);
    if (n == SIZE_MAX)
        buf_append_text(&text, "null");
    else
        buf_append_u64(&text, n);
    talker_say(t, s, "counted", text.data);
    buf_deinit(&text);
}

static void on_probe_event(struct sio_socket *s, const struct sio_event *e, void *arg)
{
    if (slice_is(e->name, "kick"))
        sio_disconnect(s, js_is_true(js_element(e->array, 1)) ||
                          (e->ack >= 0 && js_element(e->array, 1).len == 0));
    else if (slice_is(e->name, "ask"))
        sio_emit_with_ack(s, SLICE("[\"asked\",1]"), 0, on_asked, s);
    else if (slice_is(e->name, "count"))
        count(arg, s, e);
    else
        on_event(s, e, arg);
}

static void on_custom_event(struct sio_socket *s, const struct sio_event *e, void *arg)
{
    (void)arg;
    if (slice_is(e->name, "message-with-ack"))
        talk_ack_arguments(s, e, 1);
}

static void refuse(struct sio_socket *s, struct slice auth, void *arg)
{
    (void)auth;
    (void)arg;
    sio_refuse(s, "Not authorized", SLICE(""));
}

static void refuse_with_data(struct sio_socket *s, struct slice auth, void *arg)
{
    (void)auth;
    (void)arg;
    sio_refuse(s, "Not authorized", SLICE("{\"code\":7}"));
}

static const struct sio_namespace_handlers PROBE = { on_connect, on_probe_event, on_disconnect };
static const struct sio_namespace_handlers PROBE_CUSTOM = { on_connect, on_custom_event,
                                                            on_disconnect };
static const struct sio_namespace_handlers NO = { refuse, on_no_event, on_disconnect };
static const struct sio_namespace_handlers NODATA = { refuse_with_data, on_no_event,
                                                      on_disconnect };

static void *start_probe(struct echo *e)
{
    struct sio_options options;
    struct sio_mode *m;

    sio_mode_options(&options, false, true);
    m = sio_mode_new(e, &options);
    sio_mode_namespace(m, "/", &PROBE, false);
    sio_mode_namespace(m, "/custom", &PROBE_CUSTOM, false);
    sio_mode_namespace(m, "/no", &NO, false);
    sio_mode_namespace(m, "/nodata", &NODATA, false);
    return m;
}

const struct mode MODE_SIO = { "sio", start_sio, sio_mode_on_request, sio_mode_on_head,
                               sio_mode_stop };
const struct mode MODE_CHAT = { "chat", start_chat, sio_mode_on_request, sio_mode_on_head,
                                sio_mode_stop };
const struct mode MODE_PROBE = { "probe", start_probe, sio_mode_on_request, sio_mode_on_head,
                                 sio_mode_stop };

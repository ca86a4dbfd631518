/* mode_sio_client.c -- sio-client: what socket.io-client's own tests ask of a server.
 *
 * A dozen events with fixed answers, namespaces with and without a refusal, recovery on, and
 * handshakes that take at least 10 ms (the tests count on having that long). */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/json.h"
#include "common/mem.h"
#include "tests/conformance/echo/handshake.h"
#include "tests/conformance/echo/sio_mode.h"

#define HANDSHAKE_DELAY_MS 10

/* --- arguments --- */

/* The n-th argument, and whether it is binary (a placeholder with its attachment). */
static struct slice argument(const struct sio_event *e, size_t n)
{
    return js_element(e->array, n + 1);
}

static bool is_binary(const struct sio_event *e, struct slice value)
{
    size_t num;

    return js_is_placeholder(value, &num) && num < e->attachment_count;
}

/* --- answers --- */

static void get_id(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    char json[SIO_SID_MAX + 2];

    (void)t;
    snprintf(json, sizeof(json), "\"%s\"", sio_socket_sid(s));
    talk_ack(s, e, json);
}

static void hi(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    (void)e;
    talker_say(t, s, "hi", "");
}

static void echo(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    struct js js;

    (void)t;
    if (e->ack < 0)
        return;
    js_init(&js);
    js.from = e->attachments;
    js.from_count = e->attachment_count;
    buf_append_char(&js.text, '[');
    js_value(&js, argument(e, 0));
    buf_append_char(&js.text, ']');
    sio_ack_binary(s, e->ack, buf_peek(&js.text), js.attachments, js.count);
    js_deinit(&js);
}

static void say_false(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    (void)e;
    talker_say(t, s, "false", "false");
}

struct asked {
    const struct talker *talker;
    struct sio_socket   *socket;
};

static void on_answer(int err, struct slice array, const struct slice *attachments, size_t count,
                      void *arg)
{
    struct asked *asked = arg;
    json_t *answer = err != 0 ? NULL : json_parse(array, NULL);
    const json_t *a = json_array_get(answer, 0), *b = json_array_get(answer, 1);

    (void)attachments;
    (void)count;
    if (json_is_integer(a) && json_integer_value(a) == 5 &&
        json_is_true(json_object_get(b, "test")))
        talker_say(asked->talker, asked->socket, "got it", "");
    json_decref(answer);
    free(asked);
}

static void ask(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    struct asked *asked = mem_new(struct asked);

    (void)e;
    asked->talker = t;
    asked->socket = s;
    if (sio_emit_with_ack(s, SLICE("[\"ack\"]"), 0, on_answer, asked) != 0)
        free(asked);
}

/* The auth that a socket came with is kept as its data. */
static struct slice auth_of(const struct sio_socket *s)
{
    const char *auth = sio_socket_data(s);

    return slice_of(auth == NULL ? "{}" : auth);
}

static void get_handshake(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    struct buf json;

    (void)t;
    buf_init(&json, 1u << 20);
    handshake_append(&json, sio_socket_client_data(s), auth_of(s));
    talk_ack(s, e, json.data);
    buf_deinit(&json);
}

static void get_ack_date(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    struct buf json;

    (void)t;
    buf_init(&json, 64);
    js_append_date(&json);
    talk_ack(s, e, json.data);
    buf_deinit(&json);
}

static void get_date(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    struct buf json;

    (void)e;
    buf_init(&json, 64);
    js_append_date(&json);
    talker_say(t, s, "takeDate", json.data);
    buf_deinit(&json);
}

static void get_date_object(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    struct buf json;

    (void)e;
    buf_init(&json, 64);
    buf_append_text(&json, "{\"date\":");
    js_append_date(&json);
    buf_append_char(&json, '}');
    talker_say(t, s, "takeDateObj", json.data);
    buf_deinit(&json);
}

static void get_utf8(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    static const char *const TEXTS[] = {
        "\"てすと\"", "\"Я Б Г Д Ж Й\"", "\"Ä ä Ü ü ß\"",
        "\"utf8 — string\"", "\"utf8 — string\"",
    };

    (void)e;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        talker_say(t, s, "takeUtf8", TEXTS[i]);
}

static void doge(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    struct js js;

    (void)e;
    js_init(&js);
    buf_append_text(&js.text, "[\"doge\",{\"_placeholder\":true,\"num\":0}]");
    js.attachments[js.count++] = SLICE("asdfasdf");
    talker_emit(t, s, &js);
    js_deinit(&js);
}

static void buffa(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    if (is_binary(e, argument(e, 0)))
        talker_say(t, s, "buffack", "");
}

static void jsonbuff(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    json_t *o = json_parse(argument(e, 0), NULL);
    const char *hello = json_text(o, "hello"), *goodbye = json_text(o, "goodbye");

    if (hello != NULL && strcmp(hello, "lol") == 0 && goodbye != NULL &&
        strcmp(goodbye, "gotcha") == 0 && e->attachment_count != 0 &&
        json_is_true(json_object_get(json_object_get(o, "message"), "_placeholder")))
        talker_say(t, s, "jsonbuff-ack", "");
    json_decref(o);
}

#define SEEN_ROOM SLICE("\x01" "abuff1")       /* marks who has sent abuff1; no event joins rooms */

static void abuff1(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    (void)t;
    if (is_binary(e, argument(e, 0)))
        sio_join(s, SEEN_ROOM);
}

static void abuff2(const struct talker *t, struct sio_socket *s, const struct sio_event *e)
{
    (void)e;
    if (sio_is_member(s, SEEN_ROOM))
        talker_say(t, s, "abuff2-ack", "");
}

static const struct {
    const char *name;
    void (*fn)(const struct talker *t, struct sio_socket *s, const struct sio_event *e);
} EVENTS[] = {
    { "getId", get_id }, { "hi", hi }, { "echo", echo }, { "false", say_false }, { "ack", ask },
    { "getHandshake", get_handshake }, { "getAckDate", get_ack_date }, { "getDate", get_date },
    { "getDateObj", get_date_object }, { "getUtf8", get_utf8 }, { "doge", doge },
    { "buffa", buffa }, { "jsonbuff", jsonbuff }, { "abuff1", abuff1 }, { "abuff2", abuff2 },
};

/* --- namespaces --- */

static void let_in(const struct talker *t, struct sio_socket *s, struct slice auth)
{
    sio_socket_set_data(s, mem_strndup(auth.data, auth.len));
    talker_accept_new(t, s);
}

static void on_connect(struct sio_socket *s, struct slice auth, void *arg)
{
    if (!talker_resume(arg, s, auth))
        let_in(arg, s, auth);
}

static void on_main_connect(struct sio_socket *s, struct slice auth, void *arg)
{
    if (talker_resume(arg, s, auth))
        return;
    if (handshake_query_is_true(sio_socket_client_data(s), "fail"))
        sio_refuse(s, "Auth failed (main namespace)", SLICE(""));
    else
        let_in(arg, s, auth);
}

static void on_abc_connect(struct sio_socket *s, struct slice auth, void *arg)
{
    struct buf json;

    on_connect(s, auth, arg);
    buf_init(&json, 1u << 20);
    handshake_append(&json, sio_socket_client_data(s), auth);
    talker_say(arg, s, "handshake", json.data);
    buf_deinit(&json);
}

static void on_no_connect(struct sio_socket *s, struct slice auth, void *arg)
{
    if (!talker_resume(arg, s, auth))
        sio_refuse(s, "Auth failed (custom namespace)", SLICE(""));
}

static void on_event(struct sio_socket *s, const struct sio_event *e, void *arg)
{
    for (size_t i = 0; i < sizeof(EVENTS) / sizeof(EVENTS[0]); i++)
        if (slice_is(e->name, EVENTS[i].name))
            EVENTS[i].fn(arg, s, e);
}

static void on_foo_event(struct sio_socket *s, const struct sio_event *e, void *arg)
{
    if (slice_is(e->name, "getId"))
        get_id(arg, s, e);
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
    free(sio_socket_data(s));
}

static const struct sio_namespace_handlers MAIN = { on_main_connect, on_event, on_disconnect };
static const struct sio_namespace_handlers PLAIN = { on_connect, on_no_event, on_disconnect };
static const struct sio_namespace_handlers FOO = { on_connect, on_foo_event, on_disconnect };
static const struct sio_namespace_handlers ABC = { on_abc_connect, on_no_event, on_disconnect };
static const struct sio_namespace_handlers NO = { on_no_connect, on_no_event, on_disconnect };

/* --- clients --- */

static void *on_open(struct eio_session *session, struct http_request *r, void *arg)
{
    (void)arg;
    return handshake_new(session, r);
}

static void on_gone(void *data, void *arg)
{
    (void)arg;
    handshake_free(data);
}

static const struct sio_hooks HOOKS = { .on_open = on_open, .on_gone = on_gone };

static void *start(struct echo *e)
{
    struct sio_options options;
    struct sio_mode *m;

    sio_mode_options(&options, false, false);
    options.eio.ping_interval_ms = 2000;
    m = sio_mode_new(e, &options);
    sio_server_hooks(m->server, &HOOKS, m);
    sio_mode_namespace(m, "/", &MAIN, true);
    sio_mode_namespace(m, "/timeout_socket", &PLAIN, true);
    sio_mode_namespace(m, "/valid", &PLAIN, true);
    sio_mode_namespace(m, "/asd", &PLAIN, true);
    sio_mode_namespace(m, "/foo", &FOO, true);
    sio_mode_namespace(m, "/abc", &ABC, true);
    sio_mode_namespace(m, "/no", &NO, true);
    return m;
}

/* --- handshakes that take their time --- */

struct held {                                  /* a handshake that waits */
    struct http_request *request;
    struct delay        *delay;
};

static void on_held_gone(struct http_request *r, void *arg)
{
    struct held *held = arg;

    (void)r;
    sio_mode_forget(held->delay);
    free(held);
}

static void go_on(struct sio_mode *m, void *arg)
{
    struct held *held = arg;
    struct http_request *r = held->request;

    free(held);
    http_request_on_gone(r, NULL, NULL);
    sio_mode_on_request(m->echo, r);
}

static void drop(struct sio_mode *m, void *arg)
{
    struct held *held = arg;

    (void)m;
    http_request_abort(held->request);
    free(held);
}

static bool is_new_session(const struct http_request *r)
{
    struct buf sid;
    int err;

    buf_init(&sid, 1024);
    err = http_query_get(http_request_query(r), "sid", &sid);
    buf_deinit(&sid);
    return err == ERR_NOT_FOUND;
}

static void on_request(struct echo *e, struct http_request *r)
{
    struct held *held;

    if (!is_new_session(r)) {
        sio_mode_on_request(e, r);
        return;
    }
    held = mem_new(struct held);
    held->request = r;
    held->delay = sio_mode_later(e->state, HANDSHAKE_DELAY_MS, go_on, drop, held);
    http_request_on_gone(r, on_held_gone, held);
}

const struct mode MODE_SIO_CLIENT = { "sio-client", start, on_request, sio_mode_on_head,
                                      sio_mode_stop };

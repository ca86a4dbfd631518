/* mode_eio.c -- eio: Engine.IO echo with a fast heartbeat, for the protocol's own suite.
 * eio-client: what engine.io-client's tests ask of a server: a greeting, four cookies, a
 * refusal, three questions with answers of their own. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/err.h"
#include "common/mem.h"
#include "gateway/engineio/engineio.h"
#include "tests/conformance/echo/echo.h"
#include "tests/conformance/echo/handshake.h"

struct eio_mode {
    struct eio_server *server;
    struct buf         post_headers;           /* JSON, of the POST being handled; else empty */
};

static const char *ANY_ORIGIN[] = { "*", NULL };

static void reply(struct eio_session *s, struct slice data, bool is_binary)
{
    struct eio_message *m = eio_message_new(data, is_binary, 0);

    eio_session_send(s, m);                    /* closed: then nobody waits for it */
    eio_message_unref(m);
}

/* --- eio --- */

static void on_open(struct eio_session *s, struct http_request *r, void *arg)
{
    (void)s;
    (void)r;
    (void)arg;
}

static void on_message(struct eio_session *s, struct slice data, bool is_binary, void *arg)
{
    (void)arg;
    reply(s, data, is_binary);
}

static void on_close(struct eio_session *s, enum eio_reason reason, void *arg)
{
    (void)s;
    (void)reason;
    (void)arg;
}

static const struct eio_handlers ECHOES = {
    .on_open = on_open, .on_message = on_message, .on_close = on_close,
};

static struct eio_mode *mode_new(void)
{
    struct eio_mode *m = mem_new(struct eio_mode);

    buf_init(&m->post_headers, 1u << 20);
    return m;
}

static void *start(struct echo *e)
{
    struct eio_options options = EIO_DEFAULTS;
    struct eio_mode *m = mode_new();

    options.path = "/engine.io/";
    options.ping_interval_ms = 300;
    options.ping_timeout_ms = 200;
    options.cors_origins = ANY_ORIGIN;
    m->server = eio_server_new(e->net, &options, &ECHOES, m, NULL);
    return m;
}

static void on_request(struct echo *e, struct http_request *r)
{
    struct eio_mode *m = e->state;

    if (!eio_server_handle(m->server, r))
        echo_not_found(r);
}

static void on_head(struct echo *e, struct http_request *r)
{
    struct eio_mode *m = e->state;

    eio_server_head(m->server, r);
}

static void stop(struct echo *e)
{
    struct eio_mode *m = e->state;

    eio_server_close(m->server);
}

/* --- eio-client --- */

static int client_on_handshake(struct http_request *r, const char **why, void *arg)
{
    struct buf deny;
    int err;

    (void)why;
    (void)arg;
    buf_init(&deny, 64);
    err = http_query_get(http_request_query(r), "deny", &deny);
    buf_deinit(&deny);
    return err == ERR_NOT_FOUND ? 0 : 403;
}

static size_t client_on_headers(struct http_request *r, struct http_header *out, size_t max,
                                void *arg)
{
    static char now[80];
    time_t seconds = time(NULL);
    struct tm tm;
    const char *cookies[] = {
        "1=1; Max-Age=86400", "2=2; Path=/; HttpOnly; Secure; SameSite=Strict", "3=3; Max-Age=0",
        now,
    };
    size_t count = 0;

    (void)r;
    (void)arg;
    strftime(now, sizeof(now), "4=4; Expires=%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&seconds, &tm));
    for (; count < 4 && count < max; count++)
        out[count] = (struct http_header){ SLICE("Set-Cookie"), slice_of(cookies[count]) };
    return count;
}

static void client_on_open(struct eio_session *s, struct http_request *r, void *arg)
{
    (void)r;
    (void)arg;
    reply(s, SLICE("hi"), false);
}

static void client_on_message(struct eio_session *s, struct slice data, bool is_binary, void *arg)
{
    struct eio_mode *m = arg;

    if (!is_binary && slice_is(data, "give binary"))
        reply(s, slice_make("\0\1\2\3\4", 5), true);
    else if (!is_binary && slice_is(data, "give utf8"))
        reply(s, SLICE("пойду спать всем спокойной ночи"), false);
    else if (!is_binary && slice_is(data, "sendHeaders"))
        reply(s, buf_peek(&m->post_headers), false);
    else
        reply(s, data, is_binary);
}

static const struct eio_handlers CLIENT = {
    .on_handshake = client_on_handshake, .on_open = client_on_open,
    .on_message = client_on_message, .on_close = on_close, .on_headers = client_on_headers,
};

static void *client_start(struct echo *e)
{
    struct eio_options options = EIO_DEFAULTS;
    struct eio_mode *m = mode_new();

    options.path = "/engine.io/";
    options.ping_interval_ms = 500;
    options.max_payload_bytes = 100;
    m->server = eio_server_new(e->net, &options, &CLIENT, m, NULL);
    return m;
}

/* Messages of a POST are handled inside; "sendHeaders" asks for the headers that it had. */
static void client_on_request(struct echo *e, struct http_request *r)
{
    struct eio_mode *m = e->state;

    if (http_request_method(r) == HTTP_POST)
        handshake_append_headers(&m->post_headers, r);
    on_request(e, r);
    buf_reset(&m->post_headers);
}

const struct mode MODE_EIO = { "eio", start, on_request, on_head, stop };
const struct mode MODE_EIO_CLIENT = { "eio-client", client_start, client_on_request, on_head,
                                      stop };

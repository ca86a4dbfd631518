/* http_server_stage.h -- a little application over a real server, and a client that says and hears
 * bytes: what the tests of http_server.h stand on. */
#ifndef TASKWIRE_TESTS_HTTP_SERVER_STAGE_H
#define TASKWIRE_TESTS_HTTP_SERVER_STAGE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/http_server.h"
#include "common/mem.h"

#define PATIENCE_MS 8000

static struct {
    uv_loop_t           loop;
    uv_timer_t          patience;
    bool                is_impatient;
    struct net         *net;
    struct http_server *server;
    struct metrics     *metrics;
    struct http_request *held[8];              /* by /hold */
    int                 held_count;
    int                 gone;
    int                 requests;
    int                 heads;
    struct http_request *streaming;
    struct stream      *taken;
    struct buf          taken_bytes;
    int                 taken_closed;
    struct buf          got;                   /* what the client side has read */
} t;

/* --- a little application --- */

static inline void on_taken_data(struct stream *s, struct slice data, void *arg)
{
    (void)s;
    (void)arg;
    buf_append_slice(&t.taken_bytes, data);
}

static inline void on_taken_close(struct stream *s, int err, void *arg)
{
    (void)s;
    (void)err;
    (void)arg;
    t.taken = NULL;
    t.taken_closed++;
}

static const struct stream_ops TAKEN = { .on_data = on_taken_data, .on_close = on_taken_close };

static inline void on_gone(struct http_request *r, void *arg)
{
    assert_ptr_equal(arg, &t);
    assert_true(http_request_target(r).len != 0);      /* still valid here */
    t.gone++;
}

/* Say back what was understood. */
static inline void answer_echo(struct http_request *r)
{
    struct buf           out;
    struct rcbuf        *body;
    char                 peer[NET_ADDRESS_SIZE];

    buf_init(&out, 1 << 24);
    http_request_peer(r, peer);
    buf_printf(&out, "%.*s|%d|%.*s|%.*s|%s|", SLICE_ARG(http_request_method_text(r)),
               (int)http_request_method(r), SLICE_ARG(http_request_path(r)),
               SLICE_ARG(http_request_query(r)), peer);
    buf_append_slice(&out, http_request_body(r));
    body = buf_rcbuf(&out);
    http_request_answer(r, &(struct http_answer){ .status = 200, .content_type = "text/plain",
                                                  .body = body });
    rcbuf_unref(body);
    buf_deinit(&out);
}

static inline void take(struct http_request *r)
{
    struct buf rest;

    buf_init(&rest, 1 << 20);
    assert_true(http_request_wants_upgrade(r));
    t.taken = http_request_take_stream(r, &rest);
    buf_append_slice(&t.taken_bytes, buf_peek(&rest));
    buf_deinit(&rest);
    stream_start(t.taken, &TAKEN, NULL);
    stream_send_copy(t.taken, SLICE("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
}

static inline void answer_evil(struct http_request *r)
{
    const struct http_header headers[] = {
        { SLICE("X-Echo"), SLICE("a\r\nSet-Cookie: evil=1") },
        { SLICE("Bad\r\nName"), SLICE("x") },
        { SLICE("Content-Length"), SLICE("9999") },
        { SLICE("Transfer-Encoding"), SLICE("chunked") },
    };

    http_request_answer(r, &(struct http_answer){ .status = 200, .headers = headers,
                                                  .content_type = "a/b\r\nX: y",
                                                  .header_count = 4 });
}

static inline void hold(struct http_request *r, bool wants_gone)
{
    if (wants_gone)
        http_request_on_gone(r, on_gone, &t);
    t.held[t.held_count++] = r;
}

static inline void answer_big(struct http_request *r)
{
    struct rcbuf *body = rcbuf_new(300000);

    memset(body->data, 'b', body->len);
    http_request_answer(r, &(struct http_answer){ .status = 200, .body = body });
    rcbuf_unref(body);
}

static inline void on_request(struct http_request *r, void *arg)
{
    struct slice path = http_request_path(r);

    assert_ptr_equal(arg, &t);
    assert_ptr_equal(http_request_server(r), t.server);
    t.requests++;
    if (slice_is(path, "/hold"))
        hold(r, true);
    else if (slice_is(path, "/hold-blind"))
        hold(r, false);
    else if (slice_is(path, "/ws"))
        take(r);
    else if (slice_is(path, "/evil"))
        answer_evil(r);
    else if (slice_is(path, "/none"))
        http_request_answer(r, &(struct http_answer){ .status = 204 });
    else if (slice_is(path, "/abort"))
        http_request_abort(r);
    else if (slice_is(path, "/big"))
        answer_big(r);
    else if (slice_is(path, "/stream")) {
        t.streaming = r;
        http_request_begin(r, &(struct http_answer){ .status = 200,
                                                     .content_type = "text/event-stream" });
    } else
        answer_echo(r);
}

static inline void on_head(struct http_request *r, void *arg)
{
    (void)arg;
    t.heads++;
    assert_int_equal(http_request_body(r).len, 0);
    if (slice_is(http_request_path(r), "/refused"))
        http_request_answer_text(r, 401, "text/plain", SLICE("no"));
    else if (slice_is(http_request_path(r), "/small"))
        http_request_set_body_max(r, 10);
    else if (slice_is(http_request_path(r), "/watched"))
        http_request_on_gone(r, on_gone, &t);
}

static const struct http_server_handlers HANDLERS = { .on_head = on_head,
                                                      .on_request = on_request };

static inline void on_refusal(int status, struct http_answer *a, void *arg)
{
    struct buf b;

    assert_ptr_equal(arg, &t);
    buf_init(&b, 100);
    buf_printf(&b, "refused: %d.", status);
    a->content_type = "text/plain";
    a->body = buf_rcbuf(&b);
    buf_deinit(&b);
}

static const struct http_server_handlers WORDY_HANDLERS = { .on_head = on_head,
                                                            .on_request = on_request,
                                                            .on_refusal = on_refusal };

/* --- set-up --- */

static inline void on_impatient(uv_timer_t *timer)
{
    (void)timer;
    t.is_impatient = true;
}

static inline void serve(const struct http_server_options *options)
{
    t.server = http_server_new(t.net, "test", options, &HANDLERS, &t, t.metrics);
    assert_int_equal(http_server_listen(t.server, "127.0.0.1", 0), 0);
}

static inline int setup_bare(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    assert_int_equal(uv_loop_init(&t.loop), 0);
    uv_timer_init(&t.loop, &t.patience);
    uv_timer_start(&t.patience, on_impatient, PATIENCE_MS, 0);
    t.net = net_new(&t.loop);
    t.metrics = metrics_new();
    buf_init(&t.got, 1 << 24);
    buf_init(&t.taken_bytes, 1 << 20);
    return 0;
}

static inline int setup(void **state)
{
    setup_bare(state);
    serve(NULL);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    http_server_close(t.server);
    if (t.taken != NULL)
        stream_close(t.taken);
    net_close(t.net);
    uv_close((uv_handle_t *)&t.patience, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&t.loop), 0);
    metrics_free(t.metrics);
    buf_deinit(&t.got);
    buf_deinit(&t.taken_bytes);
    return 0;
}

#define WAIT(condition)                                     \
    do {                                                    \
        while (!(condition) && !t.is_impatient)             \
            uv_run(&t.loop, UV_RUN_ONCE);                   \
        assert_true(condition);                             \
    } while (0)

static inline int dial(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)http_server_port(t.server)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static inline void say(int fd, const char *bytes)
{
    assert_int_equal(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

static inline void turn(int times)
{
    while (times-- != 0)
        uv_run(&t.loop, UV_RUN_NOWAIT);
}

/* Append to t.got what is there. Returns false at the end of the stream. */
static inline bool hear(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char          some[65536];
    ssize_t       n;

    uv_run(&t.loop, UV_RUN_NOWAIT);
    if (poll(&p, 1, 1) != 1)
        return true;
    n = read(fd, some, sizeof(some));
    if (n > 0)
        buf_append(&t.got, some, (size_t)n);
    return n > 0;
}

static inline void hear_until(int fd, const char *text)
{
    while (!t.is_impatient && (t.got.len == 0 || strstr(t.got.data, text) == NULL))
        if (!hear(fd))
            break;
    if (t.got.len == 0 || strstr(t.got.data, text) == NULL)
        fail_msg("never heard %s but: %.300s", text, t.got.len == 0 ? "" : t.got.data);
}

static inline void hear_end(int fd)
{
    while (!t.is_impatient && hear(fd))
        ;
    assert_false(t.is_impatient);
    close(fd);
}

static inline bool heard(const char *text)
{
    return t.got.len != 0 && strstr(t.got.data, text) != NULL;
}

static inline int count(const char *text)
{
    int n = 0;

    for (const char *at = t.got.len != 0 ? t.got.data : ""; (at = strstr(at, text)) != NULL; at++)
        n++;
    return n;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

#endif

/* http_server_test.c -- the server over real loopback sockets: raw bytes in, raw bytes out. */
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

static void on_taken_data(struct stream *s, struct slice data, void *arg)
{
    (void)s;
    (void)arg;
    buf_append_slice(&t.taken_bytes, data);
}

static void on_taken_close(struct stream *s, int err, void *arg)
{
    (void)s;
    (void)err;
    (void)arg;
    t.taken = NULL;
    t.taken_closed++;
}

static const struct stream_ops TAKEN = { .on_data = on_taken_data, .on_close = on_taken_close };

static void on_gone(struct http_request *r, void *arg)
{
    assert_ptr_equal(arg, &t);
    assert_true(http_request_target(r).len != 0);      /* still valid here */
    t.gone++;
}

/* Say back what was understood. */
static void answer_echo(struct http_request *r)
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

static void take(struct http_request *r)
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

static void answer_evil(struct http_request *r)
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

static void hold(struct http_request *r, bool wants_gone)
{
    if (wants_gone)
        http_request_on_gone(r, on_gone, &t);
    t.held[t.held_count++] = r;
}

static void answer_big(struct http_request *r)
{
    struct rcbuf *body = rcbuf_new(300000);

    memset(body->data, 'b', body->len);
    http_request_answer(r, &(struct http_answer){ .status = 200, .body = body });
    rcbuf_unref(body);
}

static void on_request(struct http_request *r, void *arg)
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

static void on_head(struct http_request *r, void *arg)
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

static void on_refusal(int status, struct http_answer *a, void *arg)
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

static void on_impatient(uv_timer_t *timer)
{
    (void)timer;
    t.is_impatient = true;
}

static void serve(const struct http_server_options *options)
{
    t.server = http_server_new(t.net, "test", options, &HANDLERS, &t, t.metrics);
    assert_int_equal(http_server_listen(t.server, "127.0.0.1", 0), 0);
}

static int setup_bare(void **state)
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

static int setup(void **state)
{
    setup_bare(state);
    serve(NULL);
    return 0;
}

static int teardown(void **state)
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

static int dial(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)http_server_port(t.server)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void say(int fd, const char *bytes)
{
    assert_int_equal(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

static void turn(int times)
{
    while (times-- != 0)
        uv_run(&t.loop, UV_RUN_NOWAIT);
}

/* Append to t.got what is there. Returns false at the end of the stream. */
static bool hear(int fd)
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

static void hear_until(int fd, const char *text)
{
    while (!t.is_impatient && (t.got.len == 0 || strstr(t.got.data, text) == NULL))
        if (!hear(fd))
            break;
    if (t.got.len == 0 || strstr(t.got.data, text) == NULL)
        fail_msg("never heard %s but: %.300s", text, t.got.len == 0 ? "" : t.got.data);
}

static void hear_end(int fd)
{
    while (!t.is_impatient && hear(fd))
        ;
    assert_false(t.is_impatient);
    close(fd);
}

static bool heard(const char *text)
{
    return t.got.len != 0 && strstr(t.got.data, text) != NULL;
}

static int count(const char *text)
{
    int n = 0;

    for (const char *at = t.got.len != 0 ? t.got.data : ""; (at = strstr(at, text)) != NULL; at++)
        n++;
    return n;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

/* --- requests and answers --- */

static void a_request_is_understood_and_answered(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, GET("/a%20b?x=1&y"));
    hear_until(fd, "127.0.0.1|");
    assert_true(heard("HTTP/1.1 200 OK\r\nDate: "));
    assert_true(heard(" GMT\r\nContent-Type: text/plain\r\nContent-Length: 29\r\n\r\n"));
    assert_true(heard("\r\n\r\nGET|0|/a%20b|x=1&y|127.0.0.1|"));
    say(fd, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
    hear_until(fd, "POST|2|/p||127.0.0.1|body");
    say(fd, "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3\r\nabc\r\n4\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n");
    hear_until(fd, "POST|2|/c||127.0.0.1|abcdefg");
    say(fd, "GET http://host:80/abs?q HTTP/1.1\r\nHost: x\r\n\r\n");
    hear_until(fd, "GET|0|/abs|q|");
    say(fd, "GET http://host?q2 HTTP/1.1\r\nHost: x\r\n\r\n");
    hear_until(fd, "GET|0|/|q2|");
    say(fd, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
    hear_until(fd, "OPTIONS|6|*||");
    say(fd, "PROPFIND / HTTP/1.1\r\nHost: x\r\n\r\n");
    hear_until(fd, "PROPFIND|7|/||");
    assert_int_equal(t.requests, 7);
    assert_int_equal(t.heads, 7);
    assert_int_equal(http_server_connections(t.server), 1);
    assert_false(heard("Connection: close"));
    close(fd);
    WAIT(http_server_connections(t.server) == 0);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    const char *bytes = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" GET("/2");
    int         fd = dial();

    (void)state;
    for (const char *c = bytes; *c != '\0'; c++) {
        assert_int_equal(send(fd, c, 1, 0), 1);
        turn(2);
    }
    hear_until(fd, "GET|0|/2|");
    assert_true(heard("|abcHTTP/1.1 200"));
    close(fd);
}

static void http_1_0_and_close_get_connection_close(void **state)
{
    const char *asks[] = { "GET / HTTP/1.0\r\n\r\n",
                           "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                           "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n" };

    (void)state;
    for (int i = 0; i < 4; i++) {
        int fd = dial();

        buf_reset(&t.got);
        say(fd, asks[i]);
        hear_end(fd);
        assert_true(heard("HTTP/1.1 200 OK\r\n"));
        assert_true(heard("\r\nConnection: close\r\n"));
    }
}

static void head_and_204_have_no_body(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, "HEAD /abc HTTP/1.1\r\nHost: x\r\n\r\n" GET("/none") GET("/last"));
    hear_until(fd, "|/last|");
    assert_true(heard("Content-Length: 23\r\n\r\nHTTP/1.1 204 No Content\r\n"));
    assert_int_equal(count("Content-Length"), 2);
    close(fd);
}

static void answers_cannot_be_split(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, GET("/evil"));
    hear_until(fd, "\r\n\r\n");
    assert_true(heard("\r\nX-Echo: aSet-Cookie: evil=1\r\n"));
    assert_true(heard("\r\nContent-Type: a/bX: y\r\n"));
    assert_true(heard("\r\nContent-Length: 0\r\n"));
    assert_false(heard("Bad"));
    assert_false(heard("9999"));
    assert_false(heard("chunked"));
    close(fd);
}

/* --- pipelining --- */

static void pipelined_requests_are_answered_in_order(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, GET("/hold") GET("/second") GET("/hold") GET("/fourth"));
    WAIT(t.held_count == 1);
    turn(10);
    assert_int_equal(t.requests, 1);
    http_request_answer_text(t.held[0], 200, NULL, SLICE("first,"));
    assert_int_equal(t.requests, 1);           /* not from inside the answer */
    WAIT(t.held_count == 2);
    http_request_answer_text(t.held[1], 200, NULL, SLICE("third,"));
    hear_until(fd, "|/fourth|");
    assert_true(strstr(t.got.data, "first,") < strstr(t.got.data, "|/second|"));
    assert_true(strstr(t.got.data, "|/second|") < strstr(t.got.data, "third,"));
    assert_int_equal(t.requests, 4);
    close(fd);
}

static void ten_thousand_pipelined_requests_do_not_nest(void **state)
{
    struct buf b;
    size_t     sent = 0;
    int        fd = dial();

    (void)state;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 10000; i++)
        buf_append_text(&b, GET("/none"));
    while (t.requests < 10000 && !t.is_impatient) {
        ssize_t n = send(fd, b.data + sent, b.len - sent, MSG_DONTWAIT);

        sent += n > 0 ? (size_t)n : 0;
        hear(fd);
    }
    assert_int_equal(t.requests, 10000);
    buf_deinit(&b);
    close(fd);
}

static void who_pipelines_without_end_is_not_read_without_end(void **state)
{
    static char junk[4000000];
    size_t      sent = 0;
    uint64_t    read_before;
    int         fd = dial();

    (void)state;
    for (size_t i = 0; i + 34 < sizeof(junk); i += 34)
        memcpy(junk + i, "GET /none HTTP/1.1\r\nHost: xxxx\r\n\r\n", 34);
    say(fd, GET("/hold"));
    WAIT(t.held_count == 1);
    for (int i = 0; i < 200; i++) {
        ssize_t n = send(fd, junk + sent, sizeof(junk) - sent, MSG_DONTWAIT);

        sent += n > 0 ? (size_t)n : 0;
        turn(1);
    }
    read_before = net_bytes_read(t.net);
    assert_true(read_before < 200 * 1024);
    assert_int_equal(t.requests, 1);
    http_request_answer_text(t.held[0], 200, NULL, SLICE("ok"));
    WAIT(t.requests > 1000);
    assert_int_equal(t.gone, 0);
    close(fd);
}

static void who_does_not_read_answers_is_not_served_more(void **state)
{
    int fd = dial();

    (void)state;
    for (int i = 0; i < 60; i++)
        say(fd, GET("/big"));
    turn(300);
    assert_true(t.requests < 60);              /* 18 MB do not fit the kernel's buffers */
    while (t.requests < 60 && !t.is_impatient)
        hear(fd);
    while (t.got.len < 60 * 300000 && !t.is_impatient && !buf_failed(&t.got))
        hear(fd);
    assert_int_equal(t.requests, 60);
    close(fd);
}

/* --- limits --- */

static void odd_requests_get_400_and_the_end(void **state)
{
    const char *asks[] = { "GET / HTTP/1.1\r\n\r\n", "BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
                           "DESCRIBE / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\nHost: x\n\n",
                           "GET / HTTP/2.0\r\nHost: x\r\n\r\n", "\x16\x03\x01",
                           ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n") };

    (void)state;
    for (int i = 0; i < 7; i++) {
        int fd = dial();

        buf_reset(&t.got);
        say(fd, asks[i]);
        hear_end(fd);
        assert_true(heard("HTTP/1.1 400 Bad Request\r\n"));
        assert_true(heard("Connection: close\r\n\r\n"));
        assert_int_equal(count("HTTP/1.1"), 1);
    }
    assert_int_equal(t.requests, 0);
}

static void a_head_too_long_gets_431(void **state)
{
    struct buf b;
    int        fd = dial();

    (void)state;
    buf_init(&b, 1 << 20);
    buf_append_text(&b, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
    for (int i = 0; i < 17000; i++)
        buf_append_char(&b, 'a');
    say(fd, b.data);
    hear_end(fd);
    assert_true(heard("HTTP/1.1 431 "));
    buf_deinit(&b);
}

static void after_413_the_connection_lives(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n0123456789");
    turn(10);
    hear(fd);
    assert_int_equal(t.got.len, 0);            /* a Content-Length alone is not refused */
    say(fd, "0123456");
    hear_until(fd, "HTTP/1.1 413 Content Too Large\r\n");
    assert_true(heard("Content-Length: 0\r\n\r\n"));
    assert_false(heard("close"));
    say(fd, "789" GET("/after"));
    hear_until(fd, "GET|0|/after|");
    say(fd, "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789");
    hear_until(fd, "POST|2|/small||127.0.0.1|0123456789");
    say(fd, "POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "6\r\n012345\r\n5\r\n01234\r\n3\r\nabc\r\n0\r\n\r\n" GET("/chunks"));
    hear_until(fd, "GET|0|/chunks|");
    assert_int_equal(count("HTTP/1.1 413"), 2);
    assert_int_equal(t.requests, 3);
    close(fd);
}

static void a_body_without_end_is_cut(void **state)
{
    static char junk[65536];
    int         fd = dial();
    size_t      sent = 0;
    ssize_t     n = 0;

    (void)state;
    say(fd, "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n");
    while (sent < 64 * 1024 * 1024) {
        n = send(fd, junk, sizeof(junk), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && http_server_connections(t.server) == 0 && t.heads == 1)
            break;
        sent += n > 0 ? (size_t)n : 0;
        turn(1);
        assert_false(t.is_impatient);
    }
    assert_true(n < 0);
    assert_true(net_bytes_read(t.net) > 8 * 1024 * 1024);
    assert_true(net_bytes_read(t.net) < 12 * 1024 * 1024);
    close(fd);
}

static void an_answer_to_the_head_ends_the_connection_if_a_body_follows(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, GET("/refused") "POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    hear_end(fd);
    assert_int_equal(count("HTTP/1.1 401"), 2);
    assert_int_equal(count("Connection: close"), 1);
    assert_int_equal(t.requests, 0);
}

static void a_refusal_may_say_why(void **state)
{
    struct http_server_options o = HTTP_SERVER_DEFAULTS;
    int                        fd;

    (void)state;
    o.body_timeout_ms = 100;
    t.server = http_server_new(t.net, "test", &o, &WORDY_HANDLERS, &t, t.metrics);
    assert_int_equal(http_server_listen(t.server, "127.0.0.1", 0), 0);
    fd = dial();
    say(fd, "POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "b\r\n01234567890\r\n0\r\n\r\n" GET("/after"));
    hear_until(fd, "GET|0|/after|");           /* the length is right */
    assert_true(heard("Content-Length: 13\r\n\r\nrefused: 413.HTTP/1.1 200"));
    say(fd, "HEAD /small HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
    hear_end(fd);
    assert_true(heard("HTTP/1.1 408"));
    assert_false(heard("refused: 408."));      /* HEAD has no body, whatever comes of it */
    fd = dial();
    say(fd, "GET /\n");
    hear_end(fd);
    assert_true(heard("refused: 400."));
}

static void an_expectation_is_answered(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, "POST /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    hear_until(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, "body");
    hear_until(fd, "POST|2|/e||127.0.0.1|body");
    buf_reset(&t.got);
    say(fd, "POST /refused HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            "Content-Length: 4\r\n\r\n");
    hear_end(fd);
    assert_true(heard("HTTP/1.1 401"));
    assert_false(heard("100 Continue"));
    buf_reset(&t.got);
    fd = dial();
    say(fd, "POST /small HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            "Content-Length: 40\r\n\r\n");
    hear_end(fd);
    assert_true(heard("HTTP/1.1 413"));
    assert_false(heard("100 Continue"));
}

static void time_runs_out_for_heads_bodies_and_idlers(void **state)
{
    struct http_server_options o = HTTP_SERVER_DEFAULTS;
    int fds[4];

    (void)state;
    o.head_timeout_ms = o.body_timeout_ms = o.idle_timeout_ms = 100;
    serve(&o);
    fds[0] = dial();                           /* says nothing */
    fds[1] = dial();
    say(fds[1], "GET / HTTP/1.1\r\nHo");
    fds[2] = dial();
    say(fds[2], "POST /watched HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo");
    fds[3] = dial();
    say(fds[3], GET("/hold"));                 /* an answer may take its time */
    hear_end(fds[0]);
    assert_int_equal(t.got.len, 0);
    hear_end(fds[1]);
    hear_end(fds[2]);
    assert_int_equal(count("HTTP/1.1 408 Request Timeout"), 2);
    assert_int_equal(t.gone, 1);
    assert_int_equal(t.held_count, 1);
    http_request_answer_text(t.held[0], 200, NULL, SLICE("late"));
    hear_until(fds[3], "late");
    hear_end(fds[3]);
}

static void too_many_connections_are_closed_at_once(void **state)
{
    struct http_server_options o = HTTP_SERVER_DEFAULTS;
    int first, second;

    (void)state;
    o.connections_max = 1;
    serve(&o);
    first = dial();
    WAIT(http_server_connections(t.server) == 1);
    second = dial();
    hear_end(second);
    assert_int_equal(http_server_connections(t.server), 1);
    say(first, GET("/still"));
    hear_until(first, "/still");
    close(first);
}

/* --- clients that go away --- */

static void a_client_that_goes_is_noticed(void **state)
{
    struct linger hard = { 1, 0 };
    int           fd = dial();

    (void)state;
    say(fd, GET("/hold"));
    WAIT(t.held_count == 1);
    close(fd);
    WAIT(t.gone == 1);
    fd = dial();
    say(fd, GET("/hold") GET("/never"));
    WAIT(t.held_count == 2);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
    WAIT(t.gone == 2);
    WAIT(http_server_connections(t.server) == 0);
    assert_int_equal(t.requests, 2);
}

static void a_request_nobody_watches_stays_valid_until_answered(void **state)
{
    struct linger hard = { 1, 0 };
    int           fd = dial();

    (void)state;
    say(fd, GET("/hold-blind"));
    WAIT(t.held_count == 1);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
    WAIT(http_server_connections(t.server) == 0);
    assert_true(slice_is(http_request_path(t.held[0]), "/hold-blind"));
    http_request_answer_text(t.held[0], 200, NULL, SLICE("x"));
    fd = dial();
    say(fd, GET("/hold-blind"));
    WAIT(t.held_count == 2);
    shutdown(fd, SHUT_WR);
    turn(10);
    http_request_answer_text(t.held[1], 200, NULL, SLICE("half-closed"));
    hear_end(fd);
    assert_true(heard("half-closed"));
}

static void requests_before_an_end_are_still_answered(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, GET("/1") GET("/hold-blind") GET("/3"));
    shutdown(fd, SHUT_WR);
    WAIT(t.held_count == 1);
    turn(5);
    http_request_answer_text(t.held[0], 200, NULL, SLICE("two"));
    hear_end(fd);
    assert_true(heard("|/1|") && heard("two") && heard("|/3|"));
}

static void an_abort_cuts(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, GET("/1") GET("/abort") GET("/3"));
    hear_end(fd);
    assert_false(heard("/3"));
    assert_int_equal(t.requests, 2);
}

/* --- streams --- */

static void a_streamed_answer_is_chunked(void **state)
{
    struct rcbuf *part = rcbuf_copy(SLICE("data: 1\n\n")), *none = rcbuf_new(0);
    int           fd = dial();

    (void)state;
    say(fd, GET("/stream"));
    WAIT(t.streaming != NULL);
    hear_until(fd, "\r\n\r\n");
    assert_true(heard("Transfer-Encoding: chunked\r\n"));
    assert_false(heard("Content-Length"));
    buf_reset(&t.got);
    assert_int_equal(http_request_write(t.streaming, part), 0);
    assert_int_equal(http_request_write(t.streaming, none), 0);
    assert_int_equal(http_request_write(t.streaming, part), 0);
    assert_int_equal(http_request_queued_bytes(t.streaming), 28);
    hear_until(fd, "9\r\ndata: 1\n\n\r\n9\r\ndata: 1\n\n\r\n");
    say(fd, GET("/next"));
    turn(5);
    http_request_end(t.streaming);
    hear_until(fd, "|/next|");
    assert_true(heard("\r\n0\r\n\r\nHTTP/1.1 200 OK"));
    assert_int_equal(part->refs, 1);
    rcbuf_unref(part);
    rcbuf_unref(none);
    close(fd);
}

static void a_streamed_answer_to_http_1_0_ends_with_the_connection(void **state)
{
    struct rcbuf *part = rcbuf_copy(SLICE("part"));
    int           fd = dial();

    (void)state;
    say(fd, "GET /stream HTTP/1.0\r\n\r\n");
    WAIT(t.streaming != NULL);
    http_request_write(t.streaming, part);
    http_request_end(t.streaming);
    hear_end(fd);
    assert_true(heard("Connection: close\r\n\r\npart"));
    assert_false(heard("chunked"));
    rcbuf_unref(part);
}

static void a_streamed_answer_to_head_is_a_head(void **state)
{
    struct rcbuf *part = rcbuf_copy(SLICE("part"));
    int           fd = dial();

    (void)state;
    say(fd, "HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n" GET("/2"));
    WAIT(t.streaming != NULL);
    assert_int_equal(http_request_write(t.streaming, part), 0);
    http_request_end(t.streaming);
    hear_until(fd, "|/2|");
    assert_false(heard("part"));
    rcbuf_unref(part);
    close(fd);
}

static void writing_to_a_reader_who_left_is_refused(void **state)
{
    struct rcbuf *part = rcbuf_copy(SLICE("part"));
    struct linger hard = { 1, 0 };
    int           fd = dial();

    (void)state;
    say(fd, GET("/stream"));
    WAIT(t.streaming != NULL);
    hear_until(fd, "\r\n\r\n");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
    WAIT(http_server_connections(t.server) == 0);
    assert_int_equal(http_request_write(t.streaming, part), ERR_CLOSED);
    assert_int_equal(http_request_queued_bytes(t.streaming), 0);
    http_request_end(t.streaming);
    rcbuf_unref(part);
}

/* --- taking over --- */

#define WS "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n" \
           "Upgrade: websocket\r\n\r\n"

static void a_taken_stream_brings_what_came_behind(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, GET("/1") WS "early");
    hear_until(fd, "HTTP/1.1 101 ");
    assert_int_equal(http_server_connections(t.server), 0);
    say(fd, " late");
    WAIT(t.taken_bytes.len == 10);
    assert_string_equal(t.taken_bytes.data, "early late");
    close(fd);
    WAIT(t.taken_closed == 1);
}

static void a_held_request_can_be_taken_later(void **state)
{
    struct buf rest;
    int        fd = dial();

    (void)state;
    say(fd, GET("/hold") "bytes");
    WAIT(t.held_count == 1);
    turn(3);
    buf_init(&rest, 100);
    t.taken = http_request_take_stream(t.held[0], &rest);
    assert_true(slice_is(buf_peek(&rest), "bytes"));
    stream_start(t.taken, &TAKEN, NULL);
    buf_deinit(&rest);
    close(fd);
    WAIT(t.taken_closed == 1);
    assert_int_equal(t.gone, 0);
}

/* --- ending --- */

static void draining_lets_requests_finish(void **state)
{
    int idle = dial(), busy = dial(), half = dial(), body = dial();

    (void)state;
    say(idle, GET("/once"));
    hear_until(idle, "/once");
    say(busy, GET("/hold"));
    say(half, "GET /half HTTP/1.1\r\n");
    say(body, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\no");
    WAIT(t.held_count == 1);
    turn(5);
    http_server_drain(t.server);
    buf_reset(&t.got);
    hear_end(idle);
    assert_int_equal(t.got.len, 0);
    say(half, "Host: x\r\n\r\n");
    hear_end(half);
    say(body, "k");
    hear_end(body);
    http_request_answer_text(t.held[0], 200, NULL, SLICE("held"));
    hear_end(busy);
    assert_true(heard("|/half|") && heard("|ok") && heard("held"));
    assert_int_equal(count("Connection: close"), 3);
    assert_int_equal(http_server_listen(t.server, "127.0.0.1", 0), ERR_CLOSED);
    WAIT(http_server_connections(t.server) == 0);
}

static void closing_tells_those_who_wait(void **state)
{
    int fd = dial(), second = dial();

    (void)state;
    say(fd, GET("/hold"));
    say(second, GET("/stream"));
    WAIT(t.held_count == 1 && t.streaming != NULL);
    http_server_close(t.server);
    assert_int_equal(t.gone, 0);
    WAIT(t.gone == 1);
    http_request_end(t.streaming);
    hear_end(fd);
    close(second);
    t.server = http_server_new(t.net, "test", NULL, &HANDLERS, &t, NULL);
}

static void connections_and_refusals_are_counted(void **state)
{
    struct buf page;
    int        fd = dial(), bad = dial();

    (void)state;
    say(bad, "nonsense\r\n");
    hear_end(bad);
    say(fd, GET("/1") GET("/2"));
    hear_until(fd, "|/2|");
    buf_init(&page, 65536);
    metrics_print(t.metrics, &page);
    assert_non_null(strstr(page.data, "taskwire_http_connections{server=\"test\"} 1"));
    assert_non_null(strstr(page.data, "taskwire_http_requests_total{server=\"test\"} 2"));
    assert_non_null(strstr(page.data, "taskwire_http_refused_total{server=\"test\"} 1"));
    buf_deinit(&page);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_BARE(name) cmocka_unit_test_setup_teardown(name, setup_bare, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_understood_and_answered),
        TEST(a_request_may_come_byte_by_byte),
        TEST(http_1_0_and_close_get_connection_close),
        TEST(head_and_204_have_no_body),
        TEST(answers_cannot_be_split),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(ten_thousand_pipelined_requests_do_not_nest),
        TEST(who_pipelines_without_end_is_not_read_without_end),
        TEST(who_does_not_read_answers_is_not_served_more),
        TEST(odd_requests_get_400_and_the_end),
        TEST(a_head_too_long_gets_431),
        TEST(after_413_the_connection_lives),
        TEST(a_body_without_end_is_cut),
        TEST(an_answer_to_the_head_ends_the_connection_if_a_body_follows),
        TEST_BARE(a_refusal_may_say_why),
        TEST(an_expectation_is_answered),
        TEST_BARE(time_runs_out_for_heads_bodies_and_idlers),
        TEST_BARE(too_many_connections_are_closed_at_once),
        TEST(a_client_that_goes_is_noticed),
        TEST(a_request_nobody_watches_stays_valid_until_answered),
        TEST(requests_before_an_end_are_still_answered),
        TEST(an_abort_cuts),
        TEST(a_streamed_answer_is_chunked),
        TEST(a_streamed_answer_to_http_1_0_ends_with_the_connection),
        TEST(a_streamed_answer_to_head_is_a_head),
        TEST(writing_to_a_reader_who_left_is_refused),
        TEST(a_taken_stream_brings_what_came_behind),
        TEST(a_held_request_can_be_taken_later),
        TEST(draining_lets_requests_finish),
        TEST(closing_tells_those_who_wait),
        TEST(connections_and_refusals_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

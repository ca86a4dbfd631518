/* http_client_test.c -- the client against scripted peers (raw bytes) and our own server. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/http_client.h"
#include "common/mem.h"

#define PATIENCE_MS 8000
#define PEERS_MAX   16

/* A connection at the scripted server's end. */
struct peer {
    struct stream *stream;
    struct buf     got;
    bool           is_closed;
};

struct answer {
    int        calls;
    int        err;
    int        status;
    struct buf body;
    struct buf header;                         /* the first one's value */
};

static struct {
    uv_loop_t            loop;
    uv_timer_t           patience;
    bool                 is_impatient;
    struct net          *net;
    struct net_listener *listener;
    struct peer          peers[PEERS_MAX];
    int                  peer_count;
    struct http_client  *client;
    struct answer        answers[8];
} t;

/* --- the scripted server --- */

static void on_peer_data(struct stream *s, struct slice data, void *arg)
{
    (void)s;
    buf_append_slice(&((struct peer *)arg)->got, data);
}

static void on_peer_close(struct stream *s, int err, void *arg)
{
    struct peer *p = arg;

    (void)s;
    (void)err;
    p->stream = NULL;
    p->is_closed = true;
}

static const struct stream_ops PEER = { .on_data = on_peer_data, .on_close = on_peer_close };

static void on_accept(struct stream *s, void *arg)
{
    struct peer *p = &t.peers[t.peer_count++];

    (void)arg;
    assert_true(t.peer_count <= PEERS_MAX);
    buf_init(&p->got, 1 << 22);
    p->stream = s;
    stream_start(s, &PEER, p);
}

static void on_impatient(uv_timer_t *timer)
{
    (void)timer;
    t.is_impatient = true;
}

static void use(const struct http_client_options *o)
{
    char origin[64];

    snprintf(origin, sizeof(origin), "http://127.0.0.1:%d", net_listener_port(t.listener));
    t.client = http_client_new(t.net, origin, o);
    assert_non_null(t.client);
}

static int setup_bare(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    assert_int_equal(uv_loop_init(&t.loop), 0);
    uv_timer_init(&t.loop, &t.patience);
    uv_timer_start(&t.patience, on_impatient, PATIENCE_MS, 0);
    t.net = net_new(&t.loop);
    assert_int_equal(net_listen(t.net, "127.0.0.1", 0, false, on_accept, NULL, &t.listener), 0);
    for (int i = 0; i < 8; i++) {
        buf_init(&t.answers[i].body, 1 << 22);
        buf_init(&t.answers[i].header, 1000);
    }
    return 0;
}

static int setup(void **state)
{
    setup_bare(state);
    use(NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (t.client != NULL)
        http_client_close(t.client);
    net_listener_close(t.listener);
    for (int i = 0; i < t.peer_count; i++) {
        buf_deinit(&t.peers[i].got);
        if (t.peers[i].stream != NULL)
            stream_close(t.peers[i].stream);
    }
    net_close(t.net);
    uv_close((uv_handle_t *)&t.patience, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&t.loop), 0);
    for (int i = 0; i < 8; i++) {
        buf_deinit(&t.answers[i].body);
        buf_deinit(&t.answers[i].header);
    }
    return 0;
}

#define WAIT(condition)                                     \
    do {                                                    \
        while (!(condition) && !t.is_impatient)             \
            uv_run(&t.loop, UV_RUN_ONCE);                   \
        assert_true(condition);                             \
    } while (0)

static void turn(int times)
{
    while (times-- != 0)
        uv_run(&t.loop, UV_RUN_NOWAIT);
}

/* --- asking --- */

static void on_answer(int err, const struct http_result *result, void *arg)
{
    struct answer *a = arg;

    a->calls++;
    a->err = err;
    assert_int_equal(err == 0, result != NULL);
    if (result == NULL)
        return;
    a->status = result->status;
    buf_append_slice(&a->body, result->body);
    if (result->header_count != 0)
        buf_append_slice(&a->header, result->headers[0].value);
}

static struct http_call *ask(int i, enum http_method method, const char *target, const char *body)
{
    struct http_call_options o = { .method = method, .target = slice_of(target),
                                   .body = slice_of(body) };
    struct http_call        *call;

    assert_int_equal(http_client_call(t.client, &o, on_answer, &t.answers[i], &call), 0);
    assert_int_equal(t.answers[i].calls, 0);
    return call;
}

static void say(int peer, const char *bytes)
{
    assert_int_equal(stream_send_copy(t.peers[peer].stream, slice_of(bytes)), 0);
}

/* Wait until peer `i` has a whole request (they all end with "\r\n\r\n" or `end`). */
static void wait_request(int i, const char *end)
{
    WAIT(t.peer_count > i && t.peers[i].got.len >= strlen(end) &&
         strstr(t.peers[i].got.data, end) != NULL);
}

#define OK(body, len) "HTTP/1.1 200 OK\r\nContent-Length: " #len "\r\n\r\n" body

/* --- tests --- */

static void a_call_is_answered(void **state)
{
    const struct http_header headers[] = { { SLICE("X-A"), SLICE("1\r\nX-B: 2") },
                                           { SLICE("Content-Length"), SLICE("77") } };
    struct http_call_options o = { .method = HTTP_POST, .target = SLICE("/p?q"),
                                   .headers = headers, .header_count = 2, .body = SLICE("body") };
    char expected[128];

    (void)state;
    assert_int_equal(http_client_call(t.client, &o, on_answer, &t.answers[0], NULL), 0);
    wait_request(0, "\r\n\r\nbody");
    snprintf(expected, sizeof(expected), "POST /p?q HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
             "X-A: 1X-B: 2\r\nContent-Length: 4\r\n\r\nbody", net_listener_port(t.listener));
    assert_string_equal(t.peers[0].got.data, expected);
    say(0, "HTTP/1.1 201 Created\r\nLocation: /x\r\nContent-Length: 5\r\n\r\nhe");
    turn(5);
    assert_int_equal(t.answers[0].calls, 0);
    say(0, "llo");
    WAIT(t.answers[0].calls == 1);
    assert_int_equal(t.answers[0].status, 201);
    assert_string_equal(t.answers[0].body.data, "hello");
    assert_string_equal(t.answers[0].header.data, "/x");
}

static void a_connection_is_kept_and_used_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        ask(i, HTTP_GET, "/", NULL);
        wait_request(0, "\r\n\r\n");
        buf_reset(&t.peers[0].got);
        say(0, i == 1 ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
                      : OK("ok", 2));
        WAIT(t.answers[i].calls == 1);
        assert_string_equal(t.answers[i].body.data, "ok");
    }
    assert_int_equal(t.peer_count, 1);
}

static void calls_at_once_get_connections_up_to_the_limit(void **state)
{
    struct http_client_options o = HTTP_CLIENT_DEFAULTS;
    struct http_call_options   one = { .target = SLICE("/") };

    (void)state;
    o.connections_max = 2;
    o.queue_max = 3;
    use(&o);
    for (int i = 0; i < 3; i++)
        ask(i, HTTP_GET, "/", NULL);
    assert_int_equal(http_client_call(t.client, &one, on_answer, &t.answers[7], NULL), ERR_BUSY);
    wait_request(0, "\r\n\r\n");
    wait_request(1, "\r\n\r\n");
    turn(10);
    assert_int_equal(t.peer_count, 2);
    buf_reset(&t.peers[1].got);
    say(1, OK("1", 1));
    wait_request(1, "\r\n\r\n");
    say(0, OK("0", 1));
    say(1, OK("2", 1));
    WAIT(t.answers[0].calls == 1 && t.answers[1].calls == 1 && t.answers[2].calls == 1);
    assert_int_equal(t.peer_count, 2);
    assert_int_equal(t.answers[7].calls, 0);
}

static void an_answer_may_last_until_the_end(void **state)
{
    (void)state;
    ask(0, HTTP_GET, "/", NULL);
    wait_request(0, "\r\n\r\n");
    say(0, "HTTP/1.0 200 OK\r\n\r\nuntil the end");
    stream_finish(t.peers[0].stream, 1000);
    WAIT(t.answers[0].calls == 1);
    assert_int_equal(t.answers[0].err, 0);
    assert_string_equal(t.answers[0].body.data, "until the end");
    WAIT(t.peers[0].is_closed);
}

static void answers_without_a_body_are_whole(void **state)
{
    const char *answers[] = { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                              "HTTP/1.1 204 No Content\r\n\r\n",
                              "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
                              "HTTP/1.1 100 Continue\r\n\r\n"
                              "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                              "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" };

    (void)state;
    for (int i = 0; i < 4; i++) {
        ask(i, i % 3 == 0 ? HTTP_HEAD : HTTP_GET, "/", NULL);
        wait_request(0, "\r\n\r\n");
        buf_reset(&t.peers[0].got);
        say(0, answers[i]);
        WAIT(t.answers[i].calls == 1);
        assert_int_equal(t.answers[i].err, 0);
        assert_int_equal(t.answers[i].body.len, 0);
    }
    assert_int_equal(t.peer_count, 1);
}

static void wrong_answers_are_errors(void **state)
{
    const struct { const char *bytes; int err; } wrong[] = {
        { "HTTP/1.1 200 OK\nContent-Length: 0\n\n", ERR_FRAME },
        { "nonsense\r\n", ERR_FRAME },
        { "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", ERR_FRAME },
        { "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", ERR_TOO_BIG },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n", 0 },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", ERR_TOO_BIG },
    };
    struct http_client_options o = HTTP_CLIENT_DEFAULTS;
    char   thousand[1002];

    (void)state;
    memset(thousand, 'x', 1001);
    thousand[1001] = '\0';
    o.answer_bytes_max = 1000;
    use(&o);
    for (int i = 0; i < 6; i++) {
        ask(i, HTTP_GET, "/", NULL);
        wait_request(i, "\r\n\r\n");
        say(i, wrong[i].bytes);
        if (i >= 4)
            say(i, i == 4 ? thousand + 1 : thousand);
        if (i == 4)
            say(i, "\r\n0\r\n\r\nleftover");
        WAIT(t.answers[i].calls == 1);
        assert_int_equal(t.answers[i].err, wrong[i].err);
        WAIT(t.peers[i].is_closed);            /* none of them is kept */
    }
}

static void a_half_answer_is_an_error(void **state)
{
    (void)state;
    ask(0, HTTP_GET, "/", NULL);
    wait_request(0, "\r\n\r\n");
    say(0, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
    stream_finish(t.peers[0].stream, 1000);
    WAIT(t.answers[0].calls == 1);
    assert_int_equal(t.answers[0].err, ERR_FRAME);
}

static void time_runs_out_once(void **state)
{
    struct http_call_options o = { .target = SLICE("/"), .timeout_ms = 50 };

    (void)state;
    assert_int_equal(http_client_call(t.client, &o, on_answer, &t.answers[0], NULL), 0);
    ask(1, HTTP_GET, "/", NULL);
    WAIT(t.answers[0].calls == 1);
    assert_int_equal(t.answers[0].err, ERR_TIMEOUT);
    WAIT(t.peers[0].is_closed || t.peers[1].is_closed);
    assert_int_equal(t.answers[1].calls, 0);
}

static void nobody_there_is_told_to_all(void **state)
{
    (void)state;
    net_listener_close(t.listener);
    t.listener = NULL;
    for (int i = 0; i < 4; i++)
        ask(i, HTTP_GET, "/", NULL);
    for (int i = 0; i < 4; i++) {
        WAIT(t.answers[i].calls == 1);
        assert_int_equal(t.answers[i].err, UV_ECONNREFUSED);
    }
}

/* --- kept connections that are dead --- */

static void keep_one(void)
{
    ask(0, HTTP_GET, "/", NULL);
    wait_request(0, "\r\n\r\n");
    buf_reset(&t.peers[0].got);
    say(0, OK("ok", 2));
    WAIT(t.answers[0].calls == 1);
}

static void a_kept_connection_that_ends_is_forgotten(void **state)
{
    (void)state;
    keep_one();
    stream_close(t.peers[0].stream);
    turn(10);
    ask(1, HTTP_POST, "/", "x");
    wait_request(1, "\r\n\r\nx");
    say(1, OK("ok", 2));
    WAIT(t.answers[1].calls == 1);
    assert_int_equal(t.answers[1].err, 0);
}

static void where_one_hangs_the_free_ones_are_closed(void **state)
{
    struct http_call_options o = { .target = SLICE("/"), .timeout_ms = 50 };

    (void)state;
    for (int i = 0; i < 2; i++)
        ask(i, HTTP_GET, "/", NULL);
    for (int i = 0; i < 2; i++) {
        wait_request(i, "\r\n\r\n");
        say(i, OK("ok", 2));
    }
    WAIT(t.answers[0].calls == 1 && t.answers[1].calls == 1);
    assert_int_equal(http_client_call(t.client, &o, on_answer, &t.answers[2], NULL), 0);
    WAIT(t.answers[2].calls == 1);
    assert_int_equal(t.answers[2].err, ERR_TIMEOUT);
    WAIT(t.peers[0].is_closed && t.peers[1].is_closed);
    ask(3, HTTP_GET, "/", NULL);
    wait_request(2, "\r\n\r\n");
    say(2, OK("ok", 2));
    WAIT(t.answers[3].calls == 1);
    assert_int_equal(t.answers[3].err, 0);
}

static void an_idempotent_call_on_a_dead_connection_is_tried_once_more(void **state)
{
    (void)state;
    keep_one();
    ask(1, HTTP_GET, "/again", NULL);
    wait_request(0, "\r\n\r\n");
    stream_close(t.peers[0].stream);
    wait_request(1, "GET /again HTTP/1.1");
    assert_int_equal(t.answers[1].calls, 0);
    stream_close(t.peers[1].stream);           /* and only once */
    WAIT(t.answers[1].calls == 1);
    assert_true(t.answers[1].err != 0);
    turn(10);
    assert_int_equal(t.peer_count, 2);
}

static void a_post_is_not_repeated(void **state)
{
    (void)state;
    keep_one();
    ask(1, HTTP_POST, "/", "x");
    wait_request(0, "\r\n\r\nx");
    stream_close(t.peers[0].stream);
    WAIT(t.answers[1].calls == 1);
    assert_true(t.answers[1].err != 0);
    assert_int_equal(t.peer_count, 1);
}

/* Runs after the turn's writes and before the loop looks at its sockets: what is asked here is
 * not written yet when the end of the connection is read. */
static void on_before_reading(uv_prepare_t *prepare)
{
    ask(1, HTTP_POST, "/", "x");
    uv_prepare_stop(prepare);
}

static void a_post_that_was_never_written_is_sent_elsewhere(void **state)
{
    uv_prepare_t prepare;

    (void)state;
    keep_one();
    uv_prepare_init(&t.loop, &prepare);
    uv_prepare_start(&prepare, on_before_reading);
    stream_close(t.peers[0].stream);
    uv_run(&t.loop, UV_RUN_NOWAIT);            /* asks; and ends the connection after that */
    assert_true(t.peers[0].is_closed);
    uv_close((uv_handle_t *)&prepare, NULL);
    WAIT(t.peer_count == 2 || t.answers[1].calls == 1);
    wait_request(1, "\r\n\r\nx");
    say(1, OK("ok", 2));
    WAIT(t.answers[1].calls == 1);
    assert_int_equal(t.answers[1].err, 0);
}

static void no_retry_once_a_byte_came(void **state)
{
    (void)state;
    keep_one();
    ask(1, HTTP_GET, "/", NULL);
    wait_request(0, "\r\n\r\n");
    say(0, "HTTP/1.1 2");
    stream_finish(t.peers[0].stream, 1000);
    WAIT(t.answers[1].calls == 1);
    assert_int_equal(t.answers[1].err, ERR_FRAME);
    assert_int_equal(t.peer_count, 1);
}

static void a_retry_finds_a_place_in_a_full_pool(void **state)
{
    struct http_client_options o = HTTP_CLIENT_DEFAULTS;

    (void)state;
    o.connections_max = 1;
    use(&o);
    keep_one();
    ask(1, HTTP_GET, "/again", NULL);
    ask(2, HTTP_GET, "/third", NULL);
    wait_request(0, "\r\n\r\n");
    stream_close(t.peers[0].stream);
    wait_request(1, "GET /again HTTP/1.1");
    buf_reset(&t.peers[1].got);
    say(1, OK("1", 1));
    wait_request(1, "GET /third HTTP/1.1");
    say(1, OK("2", 1));
    WAIT(t.answers[1].calls == 1 && t.answers[2].calls == 1);
    assert_int_equal(t.peer_count, 2);
}

/* --- cancelling and closing --- */

static void a_cancelled_call_is_never_answered(void **state)
{
    struct http_call *queued, *sent;

    (void)state;
    queued = ask(0, HTTP_GET, "/", NULL);
    http_call_cancel(queued);
    sent = ask(1, HTTP_GET, "/sent", NULL);
    WAIT(t.peer_count > 0 && (t.peers[0].got.len != 0 || t.peers[1].got.len != 0));
    http_call_cancel(sent);
    ask(2, HTTP_GET, "/after", NULL);
    WAIT(t.peers[0].is_closed || t.peers[1].is_closed);
    for (int i = 0; i < PEERS_MAX && t.answers[2].calls == 0; i++) {
        turn(10);
        for (int k = 0; k < t.peer_count; k++)
            if (t.peers[k].stream != NULL && t.peers[k].got.len != 0 &&
                strstr(t.peers[k].got.data, "/after") != NULL) {
                buf_reset(&t.peers[k].got);
                say(k, OK("ok", 2));
            }
    }
    WAIT(t.answers[2].calls == 1);
    assert_int_equal(t.answers[0].calls, 0);
    assert_int_equal(t.answers[1].calls, 0);
}

static void closing_ends_all_calls_before_it_returns(void **state)
{
    struct http_client_options o = HTTP_CLIENT_DEFAULTS;
    struct http_call_options   one = { .target = SLICE("/") };

    (void)state;
    o.connections_max = 1;
    use(&o);
    ask(0, HTTP_GET, "/", NULL);
    ask(1, HTTP_GET, "/", NULL);
    wait_request(0, "\r\n\r\n");
    http_client_close(t.client);
    assert_int_equal(t.answers[0].err, ERR_CLOSED);
    assert_int_equal(t.answers[1].err, ERR_CLOSED);
    assert_int_equal(http_client_call(t.client, &one, on_answer, &t.answers[2], NULL), ERR_CLOSED);
    t.client = NULL;
    turn(10);
    assert_int_equal(t.answers[0].calls, 1);
    assert_int_equal(t.answers[1].calls, 1);
    assert_int_equal(t.answers[2].calls, 0);
}

static void on_answer_ask_again(int err, const struct http_result *result, void *arg)
{
    on_answer(err, result, arg);
    ask(1, HTTP_GET, "/next", NULL);
}

static void on_answer_close(int err, const struct http_result *result, void *arg)
{
    on_answer(err, result, arg);
    http_client_close(t.client);
    t.client = NULL;
}

static void callbacks_may_ask_again_and_close(void **state)
{
    struct http_call_options o = { .target = SLICE("/") };

    (void)state;
    assert_int_equal(http_client_call(t.client, &o, on_answer_ask_again, &t.answers[0], NULL), 0);
    wait_request(0, "\r\n\r\n");
    say(0, OK("ok", 2));
    wait_request(0, "GET /next");              /* on the same connection */
    say(0, OK("ok", 2));
    WAIT(t.answers[1].calls == 1);
    buf_reset(&t.peers[0].got);
    assert_int_equal(http_client_call(t.client, &o, on_answer_close, &t.answers[2], NULL), 0);
    wait_request(0, "\r\n\r\n");
    say(0, OK("ok", 2));
    WAIT(t.answers[2].calls == 1);
    assert_int_equal(t.answers[2].err, 0);
    assert_int_equal(t.peer_count, 1);
}

static void bad_arguments_are_refused(void **state)
{
    const char *targets[] = { "", "x", "/a b", "/a\r\nX: y", "/a#b", "/\xc3\xa9", "http://x/" };
    const char *origins[] = { "", "127.0.0.1:1", "https://x:1", "http://x:0", "http://x/path",
                              "http://u:p@x" };

    (void)state;
    for (int i = 0; i < 7; i++) {
        struct http_call_options o = { .target = slice_of(targets[i]) };

        assert_int_equal(http_client_call(t.client, &o, on_answer, &t.answers[0], NULL),
                         ERR_INVALID);
    }
    for (int i = 0; i < 6; i++)
        assert_null(http_client_new(t.net, origins[i], NULL));
    turn(5);
    assert_int_equal(t.peer_count, 0);
    assert_int_equal(t.answers[0].calls, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_BARE(name) cmocka_unit_test_setup_teardown(name, setup_bare, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_answered),
        TEST(a_connection_is_kept_and_used_again),
        TEST_BARE(calls_at_once_get_connections_up_to_the_limit),
        TEST(an_answer_may_last_until_the_end),
        TEST(answers_without_a_body_are_whole),
        TEST_BARE(wrong_answers_are_errors),
        TEST(a_half_answer_is_an_error),
        TEST(time_runs_out_once),
        TEST(nobody_there_is_told_to_all),
        TEST(a_kept_connection_that_ends_is_forgotten),
        TEST(where_one_hangs_the_free_ones_are_closed),
        TEST(an_idempotent_call_on_a_dead_connection_is_tried_once_more),
        TEST(a_post_is_not_repeated),
        TEST(a_post_that_was_never_written_is_sent_elsewhere),
        TEST(no_retry_once_a_byte_came),
        TEST_BARE(a_retry_finds_a_place_in_a_full_pool),
        TEST(a_cancelled_call_is_never_answered),
        TEST_BARE(closing_ends_all_calls_before_it_returns),
        TEST(callbacks_may_ask_again_and_close),
        TEST(bad_arguments_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

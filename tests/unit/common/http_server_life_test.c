/* The HTTP server when it gets long: clients that go away, streams, taking over, ending. */
#include "tests/unit/common/http_server_stage.h"

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

static void winding_down_serves_on_and_ends_kept_connections(void **state)
{
    int kept = dial(), later;

    (void)state;
    say(kept, GET("/before"));
    hear_until(kept, "/before");
    assert_int_equal(count("Connection: close"), 0);
    http_server_wind_down(t.server);
    say(kept, GET("/after"));
    hear_end(kept);
    assert_true(heard("|/after|"));
    later = dial();                            /* who is new is served, once */
    say(later, GET("/new"));
    hear_end(later);
    assert_true(heard("|/new|"));
    assert_int_equal(count("Connection: close"), 2);
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
    assert_non_null(strstr(page.data, "refused_total{server=\"test\",reason=\"malformed\"} 1"));
    assert_non_null(strstr(page.data, "refused_total{server=\"test\",reason=\"too_large\"} 0"));
    buf_deinit(&page);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_BARE(name) cmocka_unit_test_setup_teardown(name, setup_bare, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        TEST(winding_down_serves_on_and_ends_kept_connections),
        TEST(closing_tells_those_who_wait),
        TEST(connections_and_refusals_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

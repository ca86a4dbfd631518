/* http_server_test.c -- the server over real loopback sockets: raw bytes in, raw bytes out. */
#include "tests/unit/common/http_server_stage.h"

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

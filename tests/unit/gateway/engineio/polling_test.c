/* polling_test.c -- long polling over real sockets (gateway/engineio/polling.c). */
#include "tests/unit/gateway/engineio/rig.h"

#define UNKNOWN "{\"code\":1,\"message\":\"Session ID unknown\"}"

struct scene {
    struct rig    rig;
    struct client get, post;
    char          query[128];
};

static void scene_begin(struct scene *s, const struct eio_options *options)
{
    rig_begin(&s->rig, options);
    s->get = client_begin(&s->rig);
    s->post = client_begin(&s->rig);
    client_open(&s->rig, &s->get, s->query);
}

static void scene_end(struct scene *s)
{
    client_end(&s->get);
    client_end(&s->post);
    rig_end(&s->rig);
}

/* The session is gone: the next GET says so. */
static void expect_gone(struct scene *s)
{
    client_get(&s->rig, &s->post, s->query);
    client_expect(&s->rig, &s->post, 400, UNKNOWN);
}

static void wait_for_pending_get(struct scene *s)
{
    client_get(&s->rig, &s->get, s->query);
    for (int i = 0; i < 20; i++)
        rig_turn(&s->rig);
    assert_false(client_has_answer(&s->get));
}

static void packets_of_one_post_are_heard_in_order_and_answered_together(void **state)
{
    struct scene s;
    char        *head;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    s.rig.echoes = true;
    wait_for_pending_get(&s);
    client_post(&s.rig, &s.post, s.query, "4hello\x1e""4world\x1e""bAQIDBA==");
    head = client_expect_head(&s.rig, &s.post, 200, "ok");
    assert_non_null(strstr(head, "Content-Type: text/html\r\n"));
    assert_non_null(strstr(head, "Content-Length: 2\r\n"));
    assert_non_null(strstr(head, "Cache-Control: no-store\r\n"));
    free(head);
    client_expect(&s.rig, &s.get, 200, "4hello\x1e""4world\x1e""bAQIDBA==");
    rig_expect_heard(&s.rig, "hello\nworld\n\x01\x02\x03\x04\n");
    scene_end(&s);
}

static void a_chunked_post_counts(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    client_request(&s.rig, &s.post, "POST", s.query, "Transfer-Encoding: chunked\r\n",
                   slice_make(NULL, 0));
    client_write(&s.rig, &s.post, SLICE("3\r\n4ab\r\n0\r\n\r\n"));
    client_expect(&s.rig, &s.post, 200, "ok");
    rig_expect_heard(&s.rig, "ab\n");
    scene_end(&s);
}

static void open_upgrade_noop_and_unasked_pong_are_ignored(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    client_post(&s.rig, &s.post, s.query, "0\x1e""5\x1e""6\x1e""3\x1e""4still here");
    client_expect(&s.rig, &s.post, 200, "ok");
    rig_expect_heard(&s.rig, "still here\n");
    assert_non_null(s.rig.session);
    scene_end(&s);
}

static void bad_packets_end_the_session_after_the_good_ones(void **state)
{
    static const char *const BODIES[] = { "4good\x1e""abc", "4good\x1e", "4good\x1e""7",
                                          "4good\x1e""b%%%%", "4good\x1e""2" };

    (void)state;
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        struct scene s;

        scene_begin(&s, &EIO_DEFAULTS);
        wait_for_pending_get(&s);
        client_post(&s.rig, &s.post, s.query, BODIES[i]);
        client_expect(&s.rig, &s.post, 200, "ok");
        client_expect(&s.rig, &s.get, 200, "1");
        rig_expect_heard(&s.rig, "good\n");
        expect_gone(&s);
        rig_expect_closed(&s.rig, i == 4 ? EIO_TRANSPORT_ERROR : EIO_PARSE_ERROR);
        scene_end(&s);
    }
}

static void an_empty_post_and_invalid_utf_8_end_the_session(void **state)
{
    static const char *const BODIES[] = { "", "4\xff\xfe" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct scene s;

        scene_begin(&s, &EIO_DEFAULTS);
        client_post(&s.rig, &s.post, s.query, BODIES[i]);
        client_expect(&s.rig, &s.post, 200, "ok");
        expect_gone(&s);
        rig_expect_closed(&s.rig, EIO_PARSE_ERROR);
        assert_int_equal(s.rig.heard.len, 0);
        scene_end(&s);
    }
}

static void more_packets_than_allowed_end_the_session(void **state)
{
    struct eio_options options = EIO_DEFAULTS;
    struct scene       s;

    (void)state;
    options.packets_per_payload_max = 2;
    scene_begin(&s, &options);
    client_post(&s.rig, &s.post, s.query, "4a\x1e""4b");
    client_expect(&s.rig, &s.post, 200, "ok");
    client_post(&s.rig, &s.post, s.query, "4a\x1e""4b\x1e""4c");
    client_expect(&s.rig, &s.post, 200, "ok");
    rig_expect_closed(&s.rig, EIO_PARSE_ERROR);
    scene_end(&s);
}

static void octets_are_refused_and_end_the_session(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    client_request(&s.rig, &s.post, "POST", s.query, "Content-Type: application/octet-stream\r\n",
                   SLICE("4a"));
    client_expect(&s.rig, &s.post, 400, "");
    expect_gone(&s);
    scene_end(&s);
}

static void a_body_over_the_limit_gets_413_and_the_session_lives(void **state)
{
    struct eio_options options = EIO_DEFAULTS;
    struct scene       s;
    char               body[102];

    (void)state;
    options.max_payload_bytes = 100;
    scene_begin(&s, &options);
    memset(body, 'x', sizeof(body));
    body[0] = '4';
    client_request(&s.rig, &s.post, "POST", s.query, "", slice_make(body, 101));
    client_expect(&s.rig, &s.post, 413, "");
    client_request(&s.rig, &s.post, "POST", s.query, "Transfer-Encoding: chunked\r\n",
                   slice_make(NULL, 0));
    client_write(&s.rig, &s.post, SLICE("65\r\n"));
    client_write(&s.rig, &s.post, slice_make(body, 101));
    client_write(&s.rig, &s.post, SLICE("\r\n0\r\n\r\n"));
    client_expect(&s.rig, &s.post, 413, "");
    assert_int_equal(s.rig.heard.len, 0);
    client_request(&s.rig, &s.post, "POST", s.query, "", slice_make(body, 100));
    client_expect(&s.rig, &s.post, 200, "ok");
    assert_int_equal(s.rig.heard.len, 100);    /* 99 and our newline */
    assert_non_null(s.rig.session);
    scene_end(&s);
}

static void a_huge_body_is_refused_and_the_session_lives(void **state)
{
    struct eio_options options = EIO_DEFAULTS;
    struct scene       s;
    char              *body = calloc(1, 300000);

    (void)state;
    options.max_payload_bytes = 100;
    scene_begin(&s, &options);
    client_request(&s.rig, &s.post, "POST", s.query, "", slice_make(body, 300000));
    client_expect(&s.rig, &s.post, 413, "");
    assert_non_null(s.rig.session);
    client_post(&s.rig, &s.get, s.query, "4alive");
    client_expect(&s.rig, &s.get, 200, "ok");
    free(body);
    scene_end(&s);
}

static void other_methods_get_500_and_the_session_lives(void **state)
{
    static const char *const METHODS[] = { "PUT", "DELETE", "PATCH", "OPTIONS" };
    struct scene             s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++) {
        client_request(&s.rig, &s.post, METHODS[i], s.query, "", slice_make(NULL, 0));
        client_expect(&s.rig, &s.post, 500, "");
    }
    assert_non_null(s.rig.session);
    scene_end(&s);
}

static void wrong_transport_or_revision_with_a_sid_is_a_bad_request(void **state)
{
    struct scene s;
    char         query[160];

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    snprintf(query, sizeof(query), "EIO=4&transport=websocket%s", strstr(s.query, "&sid="));
    client_get(&s.rig, &s.post, query);
    client_expect(&s.rig, &s.post, 400, "{\"code\":3,\"message\":\"Bad request\"}");
    snprintf(query, sizeof(query), "EIO=3&transport=polling%s", strstr(s.query, "&sid="));
    client_get(&s.rig, &s.post, query);
    client_expect(&s.rig, &s.post, 400, "{\"code\":3,\"message\":\"Bad request\"}");
    snprintf(query, sizeof(query), "transport=polling%s", strstr(s.query, "&sid="));
    client_post(&s.rig, &s.post, query, "4not heard");
    client_expect(&s.rig, &s.post, 400, "{\"code\":3,\"message\":\"Bad request\"}");
    assert_non_null(s.rig.session);
    assert_int_equal(s.rig.heard.len, 0);
    scene_end(&s);
}

static void overlapping_gets_end_both_and_the_session(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    wait_for_pending_get(&s);
    client_get(&s.rig, &s.post, s.query);
    client_expect(&s.rig, &s.post, 400, "");
    client_expect(&s.rig, &s.get, 200, "1");
    expect_gone(&s);
    rig_expect_closed(&s.rig, EIO_TRANSPORT_ERROR);
    scene_end(&s);
}

static void overlapping_posts_end_both_and_the_session(void **state)
{
    struct scene  s;
    struct client slow;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    wait_for_pending_get(&s);
    slow = client_begin(&s.rig);
    client_request(&s.rig, &slow, "POST", s.query, "Content-Length: 10\r\n", slice_make(NULL, 0));
    client_write(&s.rig, &slow, SLICE("4half"));
    for (int i = 0; i < 20; i++)
        rig_turn(&s.rig);
    client_post(&s.rig, &s.post, s.query, "4second");
    client_expect(&s.rig, &s.post, 400, "");
    RIG_UNTIL(&s.rig, client_is_ended(&slow));
    assert_int_equal(slow.in.len, 0);
    client_expect(&s.rig, &s.get, 200, "1");
    expect_gone(&s);
    assert_int_equal(s.rig.heard.len, 0);
    client_end(&slow);
    scene_end(&s);
}

static void a_dropped_get_ends_the_session(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    wait_for_pending_get(&s);
    close(s.get.fd);
    s.get.fd = -1;
    rig_expect_closed(&s.rig, EIO_TRANSPORT_ERROR);
    expect_gone(&s);
    scene_end(&s);
}

static void a_dropped_post_ends_the_session(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    client_request(&s.rig, &s.get, "POST", s.query, "Content-Length: 10\r\n", slice_make(NULL, 0));
    client_write(&s.rig, &s.get, SLICE("4half"));
    for (int i = 0; i < 20; i++)
        rig_turn(&s.rig);
    close(s.get.fd);
    s.get.fd = -1;
    rig_expect_closed(&s.rig, EIO_TRANSPORT_ERROR);
    expect_gone(&s);
    scene_end(&s);
}

static void the_client_may_close(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    wait_for_pending_get(&s);
    client_post(&s.rig, &s.post, s.query, "1");
    client_expect(&s.rig, &s.post, 200, "ok");
    client_expect(&s.rig, &s.get, 200, "6");
    expect_gone(&s);
    rig_expect_closed(&s.rig, EIO_TRANSPORT_CLOSE);
    scene_end(&s);
}

static void the_servers_close_comes_after_what_was_queued(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    wait_for_pending_get(&s);
    rig_send(s.rig.session, "one", 0);
    rig_send(s.rig.session, "two", 0);
    eio_session_close(s.rig.session);
    eio_session_close(s.rig.session);          /* idempotent */
    client_expect(&s.rig, &s.get, 200, "4one\x1e""4two");
    client_get(&s.rig, &s.get, s.query);       /* in a payload of its own */
    client_expect(&s.rig, &s.get, 200, "6\x1e""1");
    expect_gone(&s);
    rig_expect_closed(&s.rig, EIO_FORCED_CLOSE);
    scene_end(&s);
}

static void a_pending_get_without_news_gets_the_close_alone(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    wait_for_pending_get(&s);
    eio_session_close(s.rig.session);
    client_expect(&s.rig, &s.get, 200, "1");
    expect_gone(&s);
    scene_end(&s);
}

static void a_close_with_no_get_pending_waits_for_the_next(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    eio_session_close(s.rig.session);
    rig_expect_closed(&s.rig, EIO_FORCED_CLOSE);
    client_post(&s.rig, &s.post, s.query, "4too late");
    client_expect(&s.rig, &s.post, 200, "ok");
    assert_int_equal(s.rig.heard.len, 0);
    client_get(&s.rig, &s.get, s.query);
    client_expect(&s.rig, &s.get, 200, "6\x1e""1");
    expect_gone(&s);
    scene_end(&s);
}

static void a_last_payload_that_nobody_fetches_does_not_keep_the_server(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    rig_send(s.rig.session, "never fetched", 0);
    eio_session_close(s.rig.session);
    rig_expect_closed(&s.rig, EIO_FORCED_CLOSE);
    scene_end(&s);
}

static void an_abort_cuts_the_pending_get(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    wait_for_pending_get(&s);
    rig_send(s.rig.session, "never sent", 0);
    eio_session_abort(s.rig.session, EIO_TRANSPORT_ERROR);
    RIG_UNTIL(&s.rig, client_is_ended(&s.get));
    assert_int_equal(s.get.in.len, 0);
    rig_expect_closed(&s.rig, EIO_TRANSPORT_ERROR);
    scene_end(&s);
}

static void a_handler_may_close_the_session_in_the_middle_of_a_post(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    s.rig.close_on = "stop";
    client_post(&s.rig, &s.post, s.query, "4go\x1e""4stop\x1e""4not heard");
    client_expect(&s.rig, &s.post, 200, "ok");
    rig_expect_heard(&s.rig, "go\nstop\n");
    rig_expect_closed(&s.rig, EIO_FORCED_CLOSE);
    scene_end(&s);
}

static void messages_with_a_key_are_conflated_while_nobody_polls(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    rig_send(s.rig.session, "a1", 1);
    rig_send(s.rig.session, "b1", 2);
    rig_send(s.rig.session, "a2", 1);
    client_get(&s.rig, &s.get, s.query);
    client_expect(&s.rig, &s.get, 200, "4b1\x1e""4a2");
    scene_end(&s);
}

static void one_answer_carries_so_many_packets_and_the_next_the_rest(void **state)
{
    struct eio_options options = EIO_DEFAULTS;
    struct scene       s;

    (void)state;
    options.packets_per_poll_max = 2;
    scene_begin(&s, &options);
    rig_send(s.rig.session, "1", 0);
    rig_send(s.rig.session, "2", 0);
    rig_send(s.rig.session, "3", 0);
    client_get(&s.rig, &s.get, s.query);
    client_expect(&s.rig, &s.get, 200, "41\x1e""42");
    client_get(&s.rig, &s.get, s.query);
    client_expect(&s.rig, &s.get, 200, "43");
    scene_end(&s);
}

static void a_client_that_never_polls_is_a_slow_reader(void **state)
{
    struct eio_options  options = EIO_DEFAULTS;
    struct scene        s;
    struct eio_session *session;

    (void)state;
    options.queue_bytes_max = 1000;
    scene_begin(&s, &options);
    session = s.rig.session;
    for (int i = 0; i < 200 && eio_session_is_open(session); i++)
        rig_send(session, "ten bytes.", 0);
    assert_false(eio_session_is_open(session));
    assert_int_equal(s.rig.closed, 0);         /* later, not inside the call */
    rig_expect_closed(&s.rig, EIO_SLOW_READER);
    expect_gone(&s);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_of_one_post_are_heard_in_order_and_answered_together),
        cmocka_unit_test(a_chunked_post_counts),
        cmocka_unit_test(open_upgrade_noop_and_unasked_pong_are_ignored),
        cmocka_unit_test(bad_packets_end_the_session_after_the_good_ones),
        cmocka_unit_test(an_empty_post_and_invalid_utf_8_end_the_session),
        cmocka_unit_test(more_packets_than_allowed_end_the_session),
        cmocka_unit_test(octets_are_refused_and_end_the_session),
        cmocka_unit_test(a_body_over_the_limit_gets_413_and_the_session_lives),
        cmocka_unit_test(a_huge_body_is_refused_and_the_session_lives),
        cmocka_unit_test(other_methods_get_500_and_the_session_lives),
        cmocka_unit_test(wrong_transport_or_revision_with_a_sid_is_a_bad_request),
        cmocka_unit_test(overlapping_gets_end_both_and_the_session),
        cmocka_unit_test(overlapping_posts_end_both_and_the_session),
        cmocka_unit_test(a_dropped_get_ends_the_session),
        cmocka_unit_test(a_dropped_post_ends_the_session),
        cmocka_unit_test(the_client_may_close),
        cmocka_unit_test(the_servers_close_comes_after_what_was_queued),
        cmocka_unit_test(a_pending_get_without_news_gets_the_close_alone),
        cmocka_unit_test(a_close_with_no_get_pending_waits_for_the_next),
        cmocka_unit_test(a_last_payload_that_nobody_fetches_does_not_keep_the_server),
        cmocka_unit_test(an_abort_cuts_the_pending_get),
        cmocka_unit_test(a_handler_may_close_the_session_in_the_middle_of_a_post),
        cmocka_unit_test(messages_with_a_key_are_conflated_while_nobody_polls),
        cmocka_unit_test(one_answer_carries_so_many_packets_and_the_next_the_rest),
        cmocka_unit_test(a_client_that_never_polls_is_a_slow_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

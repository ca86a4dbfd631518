/* upgrade_test.c -- from polling to websocket (gateway/engineio/upgrade.c). */
#include "tests/unit/gateway/engineio/rig.h"

#define BAD "{\"code\":3,\"message\":\"Bad request\"}"

struct scene {
    struct rig    rig;
    struct client http, ws;
    char          query[128];
};

static void scene_begin(struct scene *s, const struct eio_options *options)
{
    rig_begin(&s->rig, options);
    s->http = client_begin(&s->rig);
    s->ws = client_begin(&s->rig);
    client_open(&s->rig, &s->http, s->query);
    client_websocket(&s->rig, &s->ws, s->query, "");
}

static void scene_end(struct scene *s)
{
    client_end(&s->http);
    client_end(&s->ws);
    rig_end(&s->rig);
}

static void probe(struct scene *s)
{
    client_say(&s->rig, &s->ws, "2probe");
    client_expect_say(&s->rig, &s->ws, "3probe");
}

static void finish(struct scene *s)
{
    client_say(&s->rig, &s->ws, "5");
    RIG_UNTIL(&s->rig, eio_session_transport(s->rig.session) == EIO_WEBSOCKET);
}

/* Polling still works, and the websocket was closed without a code. */
static void expect_polling_lives(struct scene *s)
{
    client_expect_close(&s->rig, &s->ws, 0);
    s->rig.echoes = true;
    client_post(&s->rig, &s->http, s->query, "4alive");
    client_expect(&s->rig, &s->http, 200, "ok");
    client_get(&s->rig, &s->http, s->query);
    client_expect(&s->rig, &s->http, 200, "4alive");
}

static void what_is_queued_meanwhile_comes_once_and_in_order(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    client_get(&s.rig, &s.http, s.query);
    probe(&s);
    client_expect(&s.rig, &s.http, 200, "6");
    rig_send(s.rig.session, "one", 0);
    rig_send(s.rig.session, "two", 0);
    finish(&s);
    client_expect_say(&s.rig, &s.ws, "4one");
    client_expect_say(&s.rig, &s.ws, "4two");
    rig_send(s.rig.session, "three", 0);
    client_expect_say(&s.rig, &s.ws, "4three");
    client_say(&s.rig, &s.ws, "4from the client");
    rig_expect_heard(&s.rig, "from the client\n");
    client_get(&s.rig, &s.http, s.query);
    client_expect(&s.rig, &s.http, 400, BAD);
    client_post(&s.rig, &s.http, s.query, "4x");
    client_expect(&s.rig, &s.http, 400, BAD);
    assert_int_equal(s.rig.opened, 1);
    assert_int_equal(eio_server_sessions(s.rig.eio, EIO_POLLING), 0);
    assert_int_equal(eio_server_sessions(s.rig.eio, EIO_WEBSOCKET), 1);
    scene_end(&s);
}

static void a_get_that_comes_after_the_probe_ends_with_a_noop(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    probe(&s);
    client_get(&s.rig, &s.http, s.query);
    client_expect(&s.rig, &s.http, 200, "6");
    client_get(&s.rig, &s.http, s.query);
    client_expect(&s.rig, &s.http, 200, "6");
    finish(&s);
    scene_end(&s);
}

static void a_get_that_is_pending_at_the_end_gets_a_close(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    client_get(&s.rig, &s.http, s.query);
    for (int i = 0; i < 20; i++)
        rig_turn(&s.rig);
    client_say(&s.rig, &s.ws, "5");            /* without a probe: accepted as well */
    client_expect(&s.rig, &s.http, 200, "1");
    rig_send(s.rig.session, "over here", 0);
    client_expect_say(&s.rig, &s.ws, "4over here");
    scene_end(&s);
}

static void a_post_under_way_still_counts(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    probe(&s);
    client_request(&s.rig, &s.http, "POST", s.query, "Content-Length: 5\r\n", slice_make(NULL, 0));
    client_write(&s.rig, &s.http, SLICE("4la"));
    for (int i = 0; i < 20; i++)
        rig_turn(&s.rig);
    finish(&s);
    client_write(&s.rig, &s.http, SLICE("te"));
    client_expect(&s.rig, &s.http, 200, "ok");
    rig_expect_heard(&s.rig, "late\n");
    client_post(&s.rig, &s.http, s.query, "4x");
    client_expect(&s.rig, &s.http, 400, BAD);
    scene_end(&s);
}

static void a_post_under_way_may_be_dropped_after_the_end(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    client_request(&s.rig, &s.http, "POST", s.query, "Content-Length: 5\r\n", slice_make(NULL, 0));
    client_write(&s.rig, &s.http, SLICE("4la"));
    probe(&s);
    finish(&s);
    close(s.http.fd);
    s.http.fd = -1;
    for (int i = 0; i < 20; i++)
        rig_turn(&s.rig);
    client_say(&s.rig, &s.ws, "4unharmed");
    rig_expect_heard(&s.rig, "unharmed\n");
    scene_end(&s);
}

static void a_second_websocket_is_accepted_and_closed(void **state)
{
    struct scene  s;
    struct client second, third;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    probe(&s);
    second = client_begin(&s.rig);
    client_websocket(&s.rig, &second, s.query, "");
    client_expect_close(&s.rig, &second, 0);
    finish(&s);
    third = client_begin(&s.rig);
    client_websocket(&s.rig, &third, s.query, "");
    client_expect_close(&s.rig, &third, 0);
    client_say(&s.rig, &s.ws, "4unharmed");
    rig_expect_heard(&s.rig, "unharmed\n");
    client_end(&second);
    client_end(&third);
    scene_end(&s);
}

static void a_websocket_onto_a_websocket_session_is_accepted_and_closed(void **state)
{
    struct scene  s;
    struct client second;
    char          query[64];

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    second = client_begin(&s.rig);
    client_websocket(&s.rig, &second, NULL, "");
    client_expect_open(&s.rig, &second);
    snprintf(query, sizeof(query), "&sid=%.*s", SLICE_ARG(eio_session_sid(s.rig.session)));
    client_end(&s.ws);
    s.ws = client_begin(&s.rig);
    client_websocket(&s.rig, &s.ws, query, "");
    client_expect_close(&s.rig, &s.ws, 0);
    client_say(&s.rig, &second, "4unharmed");
    rig_expect_heard(&s.rig, "unharmed\n");
    client_end(&second);
    scene_end(&s);
}

static void a_wrong_first_packet_closes_the_websocket_alone(void **state)
{
    static const char *const PACKETS[] = { "2probex", "40", "2", "" };

    (void)state;
    for (size_t i = 0; i < sizeof(PACKETS) / sizeof(PACKETS[0]); i++) {
        struct scene s;

        scene_begin(&s, &EIO_DEFAULTS);
        client_say(&s.rig, &s.ws, PACKETS[i]);
        expect_polling_lives(&s);
        scene_end(&s);
    }
}

static void a_websocket_dropped_after_the_probe_leaves_polling_alone(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    probe(&s);
    close(s.ws.fd);
    s.ws.fd = -1;
    for (int i = 0; i < 20; i++)
        rig_turn(&s.rig);
    client_get(&s.rig, &s.http, s.query);
    for (int i = 0; i < 20; i++)
        rig_turn(&s.rig);
    rig_send(s.rig.session, "as before", 0);
    client_expect(&s.rig, &s.http, 200, "4as before");
    scene_end(&s);
}

static void an_upgrade_that_takes_too_long_is_given_up(void **state)
{
    struct eio_options options = EIO_DEFAULTS;
    struct scene       s;

    (void)state;
    options.upgrade_timeout_ms = 30;
    scene_begin(&s, &options);
    probe(&s);
    expect_polling_lives(&s);
    scene_end(&s);
}

static void a_session_that_closes_while_probing_closes_both(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    probe(&s);
    client_get(&s.rig, &s.http, s.query);
    for (int i = 0; i < 20; i++)
        rig_turn(&s.rig);
    eio_session_close(s.rig.session);
    client_expect(&s.rig, &s.http, 200, "1");
    client_expect_close(&s.rig, &s.ws, 0);
    rig_expect_closed(&s.rig, EIO_FORCED_CLOSE);
    scene_end(&s);
}

static void a_message_while_probing_still_goes_to_a_pending_get(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    probe(&s);
    client_get(&s.rig, &s.http, s.query);
    for (int i = 0; i < 20; i++)
        rig_turn(&s.rig);
    rig_send(s.rig.session, "early", 0);
    client_expect(&s.rig, &s.http, 200, "4early");
    rig_send(s.rig.session, "late", 0);
    finish(&s);
    client_expect_say(&s.rig, &s.ws, "4late");
    scene_end(&s);
}

static void a_shut_down_in_the_middle_of_everything_leaves_nothing(void **state)
{
    struct scene  s;
    struct client post;

    (void)state;
    scene_begin(&s, &EIO_DEFAULTS);
    probe(&s);
    client_get(&s.rig, &s.http, s.query);
    post = client_begin(&s.rig);
    client_request(&s.rig, &post, "POST", s.query, "Content-Length: 5\r\n", slice_make(NULL, 0));
    client_write(&s.rig, &post, SLICE("4la"));
    for (int i = 0; i < 20; i++)
        rig_turn(&s.rig);
    scene_end(&s);
    client_end(&post);
    assert_int_equal(s.rig.closed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_queued_meanwhile_comes_once_and_in_order),
        cmocka_unit_test(a_get_that_comes_after_the_probe_ends_with_a_noop),
        cmocka_unit_test(a_get_that_is_pending_at_the_end_gets_a_close),
        cmocka_unit_test(a_post_under_way_still_counts),
        cmocka_unit_test(a_post_under_way_may_be_dropped_after_the_end),
        cmocka_unit_test(a_second_websocket_is_accepted_and_closed),
        cmocka_unit_test(a_websocket_onto_a_websocket_session_is_accepted_and_closed),
        cmocka_unit_test(a_wrong_first_packet_closes_the_websocket_alone),
        cmocka_unit_test(a_websocket_dropped_after_the_probe_leaves_polling_alone),
        cmocka_unit_test(an_upgrade_that_takes_too_long_is_given_up),
        cmocka_unit_test(a_session_that_closes_while_probing_closes_both),
        cmocka_unit_test(a_shut_down_in_the_middle_of_everything_leaves_nothing),
        cmocka_unit_test(a_message_while_probing_still_goes_to_a_pending_get),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

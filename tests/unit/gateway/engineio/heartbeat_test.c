/* heartbeat_test.c -- pings, and what happens without pongs (gateway/engineio/heartbeat.c). Times
 * are short; what is checked are bounds, not moments, but for the one promise that a session is
 * gone exactly interval + timeout after its handshake. */
#include "tests/unit/gateway/engineio/rig.h"

#define INTERVAL 150
#define TIMEOUT  200

struct scene {
    struct rig    rig;
    struct client c;
    char          query[128];
    uint64_t      asked_ms, opened_ms;         /* before and after the handshake */
};

static struct eio_options options(void)
{
    struct eio_options o = EIO_DEFAULTS;

    o.ping_interval_ms = INTERVAL;
    o.ping_timeout_ms = TIMEOUT;
    return o;
}

static void begin_websocket(struct scene *s)
{
    struct eio_options o = options();

    rig_begin(&s->rig, &o);
    s->asked_ms = rig_now_ms();
    s->c = client_begin(&s->rig);
    client_websocket(&s->rig, &s->c, NULL, "");
    client_expect_open(&s->rig, &s->c);
    s->opened_ms = rig_now_ms();
}

static void begin_polling(struct scene *s)
{
    struct eio_options o = options();

    rig_begin(&s->rig, &o);
    s->asked_ms = rig_now_ms();
    s->c = client_begin(&s->rig);
    client_open(&s->rig, &s->c, s->query);
    s->opened_ms = rig_now_ms();
}

static void scene_end(struct scene *s)
{
    client_end(&s->c);
    rig_end(&s->rig);
}

static void turn_for(struct scene *s, uint64_t ms)
{
    uint64_t until = rig_now_ms() + ms;

    while (rig_now_ms() < until)
        rig_turn(&s->rig);
}

static void the_server_pings_and_a_pong_begins_the_next_interval(void **state)
{
    struct scene s;

    (void)state;
    begin_websocket(&s);
    for (int i = 0; i < 3; i++) {
        client_expect_say(&s.rig, &s.c, "2");
        assert_true(rig_now_ms() + 1 - s.asked_ms >= INTERVAL);
        s.asked_ms = rig_now_ms();
        client_say(&s.rig, &s.c, "3");
    }
    assert_int_equal(s.rig.closed, 0);
    scene_end(&s);
}

static void without_a_pong_the_websocket_closes(void **state)
{
    struct scene s;

    (void)state;
    begin_websocket(&s);
    client_expect_say(&s.rig, &s.c, "2");
    client_expect_close(&s.rig, &s.c, 0);
    rig_expect_closed(&s.rig, EIO_PING_TIMEOUT);
    assert_true(rig_now_ms() + 1 - s.asked_ms >= INTERVAL + TIMEOUT);
    scene_end(&s);
}

static void a_pending_poll_gets_the_ping_and_then_the_close(void **state)
{
    struct scene s;

    (void)state;
    begin_polling(&s);
    client_get(&s.rig, &s.c, s.query);
    client_expect(&s.rig, &s.c, 200, "2");
    client_get(&s.rig, &s.c, s.query);
    client_expect(&s.rig, &s.c, 200, "1");
    rig_expect_closed(&s.rig, EIO_PING_TIMEOUT);
    scene_end(&s);
}

static void a_session_nobody_polls_is_gone_at_interval_plus_timeout_exactly(void **state)
{
    struct scene s;

    (void)state;
    begin_polling(&s);
    turn_for(&s, INTERVAL + 5);
    /* Now the loop stands still: no timer fires, and the request alone must notice. */
    while (rig_now_ms() < s.opened_ms + INTERVAL + TIMEOUT)
        usleep(500);
    client_get(&s.rig, &s.c, s.query);
    client_expect(&s.rig, &s.c, 400, "{\"code\":1,\"message\":\"Session ID unknown\"}");
    rig_expect_closed(&s.rig, EIO_PING_TIMEOUT);
    scene_end(&s);
}

static void the_first_other_packet_gives_more_time_but_only_once(void **state)
{
    struct scene s;
    uint64_t     pinged_ms;

    (void)state;
    begin_websocket(&s);
    client_expect_say(&s.rig, &s.c, "2");
    pinged_ms = rig_now_ms();
    turn_for(&s, TIMEOUT / 2);
    client_say(&s.rig, &s.c, "4busy");
    rig_expect_heard(&s.rig, "busy\n");
    turn_for(&s, TIMEOUT / 2 + 5);
    assert_int_equal(s.rig.closed, 0);         /* the first time would be over */
    client_say(&s.rig, &s.c, "4still busy");
    rig_expect_closed(&s.rig, EIO_PING_TIMEOUT);
    assert_true(rig_now_ms() - pinged_ms < 2 * TIMEOUT + 100);
    scene_end(&s);
}

static void unasked_pongs_do_no_harm_and_change_nothing(void **state)
{
    struct scene s;

    (void)state;
    begin_websocket(&s);
    for (int i = 0; i < 4; i++) {
        client_say(&s.rig, &s.c, "3");
        turn_for(&s, INTERVAL / 5);
    }
    client_expect_say(&s.rig, &s.c, "2");
    assert_true(rig_now_ms() - s.opened_ms < INTERVAL + 100);
    scene_end(&s);
}

static void a_ping_from_before_the_upgrade_comes_once_and_its_time_begins_anew(void **state)
{
    struct scene  s;
    struct client ws;

    (void)state;
    begin_polling(&s);
    ws = client_begin(&s.rig);
    client_websocket(&s.rig, &ws, s.query, "");
    client_say(&s.rig, &ws, "2probe");
    client_expect_say(&s.rig, &ws, "3probe");
    turn_for(&s, INTERVAL + TIMEOUT / 2);      /* a ping is queued for polling */
    client_say(&s.rig, &ws, "5");
    client_expect_say(&s.rig, &ws, "2");
    turn_for(&s, TIMEOUT / 2 + 5);
    assert_int_equal(s.rig.closed, 0);
    client_say(&s.rig, &ws, "3");
    client_expect_say(&s.rig, &ws, "2");       /* only the next one */
    client_end(&ws);
    scene_end(&s);
}

/* How many frames come before the first ping; -1 while it is not there. */
static int frames_before_ping(struct client *c)
{
    size_t at = 0;

    client_read(c);
    for (int n = 0; c->in.len - at >= 4; n++) {
        const uint8_t *b = (const uint8_t *)c->in.data + at;

        if (b[1] == 1)
            return b[2] == '2' ? n : -1;
        assert_int_equal(b[1], 126);
        at += 4 + (size_t)(b[2] << 8 | b[3]);
        if (at >= c->in.len)
            return -1;
    }
    return -1;
}

static void pings_overtake_what_waits_for_a_slow_reader(void **state)
{
    struct scene s;
    char         text[8001];
    int          sent = 0, before = -1;

    (void)state;
    begin_websocket(&s);
    memset(text, 'x', 8000);
    text[8000] = '\0';
    for (; sent < 10000 && eio_session_queued_bytes(s.rig.session) < 500000; sent++)
        rig_send(s.rig.session, text, 0);
    turn_for(&s, INTERVAL + TIMEOUT / 4);      /* nobody reads, and the ping is due */
    assert_int_equal(s.rig.closed, 0);
    RIG_UNTIL(&s.rig, (before = frames_before_ping(&s.c)) >= 0);
    assert_true(before > 0 && before < sent);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_pings_and_a_pong_begins_the_next_interval),
        cmocka_unit_test(without_a_pong_the_websocket_closes),
        cmocka_unit_test(a_pending_poll_gets_the_ping_and_then_the_close),
        cmocka_unit_test(a_session_nobody_polls_is_gone_at_interval_plus_timeout_exactly),
        cmocka_unit_test(the_first_other_packet_gives_more_time_but_only_once),
        cmocka_unit_test(unasked_pongs_do_no_harm_and_change_nothing),
        cmocka_unit_test(a_ping_from_before_the_upgrade_comes_once_and_its_time_begins_anew),
        cmocka_unit_test(pings_overtake_what_waits_for_a_slow_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

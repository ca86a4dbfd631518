/* server_test.c -- what an application relies on: asking in, ending, limits, answers.
 *
 * What clients of every kind may say is compared with the reference in tests/conformance. */
#include "tests/unit/gateway/socketio/stage.h"

/* --- asking in --- */

static void a_socket_is_let_in_and_its_events_come_through(void **state)
{
    struct stage *st = stage_plain();
    struct peer *p = guest_new(st);

    (void)state;
    assert_true(sio_socket_is_accepted(st->sockets[0]));
    assert_int_equal(sio_namespace_size(st->ns), 1);
    say(st, p, "42[\"hello\",{\"a\":1}]\x1e" "427[\"ask\"]");
    assert_log(st, "connect {}\nevent 0 hello [\"hello\",{\"a\":1}] -1\nevent 0 ask [\"ask\"] 7\n");
    stage_end(st);
}

static void being_let_in_may_take_its_time(void **state)
{
    struct stage *st = stage_plain();
    struct peer *p;

    (void)state;
    st->accepts = false;
    p = peer_new(st);
    say(st, p, "40{\"token\":\"x\"}");
    assert_log(st, "connect {\"token\":\"x\"}\n");
    assert_false(sio_socket_is_accepted(st->sockets[0]));
    ask(p, NULL);
    run_for(st, 50);
    assert_int_equal(p->status, -1);
    sio_accept(st->sockets[0], "the-pid");
    sio_accept(st->sockets[0], "again");       /* twice is once */
    run_until(st, &p->status, 1000);
    assert_non_null(strstr(p->heard.data, "\",\"pid\":\"the-pid\"}\n"));
    stage_end(st);
}

static void who_goes_while_asking_in_is_reported_once(void **state)
{
    struct stage *st = stage_plain();
    struct peer *p;

    (void)state;
    st->accepts = false;
    p = peer_new(st);
    say(st, p, "40");
    say(st, p, "1");
    run_for(st, 30);
    assert_log(st, "connect {}\ngone 0 transport close rooms=0\n");
    stage_end(st);
}

static void what_comes_before_being_let_in_is_handed_over_afterwards(void **state)
{
    struct stage *st = stage_plain();
    struct peer *p;

    (void)state;
    st->accepts = false;
    p = peer_new(st);
    say(st, p, "40\x1e" "42[\"first\"]");
    say(st, p, "427[\"second\"]");
    run_for(st, 30);
    assert_log(st, "connect {}\n");
    sio_accept(st->sockets[0], NULL);
    assert_log(st, "");                        /* not inside of the call */
    run_for(st, 30);
    assert_log(st, "event 0 first [\"first\"] -1\nevent 0 second [\"second\"] 7\n");
    say(st, p, "42[\"third\"]");
    run_for(st, 30);
    assert_log(st, "event 0 third [\"third\"] -1\n");
    stage_end(st);
}

static void what_comes_before_being_refused_is_forgotten(void **state)
{
    struct stage *st = stage_plain();
    struct peer *p;

    (void)state;
    st->accepts = false;
    p = peer_new(st);
    say(st, p, "40\x1e" "42[\"early\"]");
    run_for(st, 30);
    sio_refuse(st->sockets[0], "no", SLICE(""));
    run_for(st, 30);
    assert_log(st, "connect {}\n");
    stage_end(st);
}

static void who_says_too_much_before_being_let_in_is_closed(void **state)
{
    struct stage *st = stage_plain();
    struct peer *p;

    (void)state;
    st->accepts = false;
    p = peer_new(st);
    say(st, p, "40");
    for (int i = 0; i < 8; i++)
        say(st, p, "42[\"a\"]\x1e" "42[\"a\"]\x1e" "42[\"a\"]\x1e" "42[\"a\"]\x1e"
                   "42[\"a\"]\x1e" "42[\"a\"]\x1e" "42[\"a\"]\x1e" "42[\"a\"]");
    run_for(st, 30);
    assert_log(st, "connect {}\n");
    say(st, p, "42[\"a\"]");
    run_for(st, 30);
    assert_log(st, "gone 0 parse error rooms=0\n");
    stage_end(st);
}

static void who_is_refused_hears_why_and_is_never_reported(void **state)
{
    struct stage *st = stage_plain();
    struct peer *p;

    (void)state;
    st->accepts = false;
    p = peer_new(st);
    say(st, p, "40");
    sio_refuse(st->sockets[0], "No \"entry\"", SLICE("{\"code\":7}"));
    assert_string_equal(hear(st, p), "44{\"message\":\"No \\\"entry\\\"\",\"data\":{\"code\":7}}\n");
    st->accepts = true;
    say(st, p, "40");                          /* the connection stays */
    assert_true(sio_socket_is_accepted(st->sockets[1]));
    assert_log(st, "connect {}\nconnect {}\n");
    stage_end(st);
}

static void what_was_missed_comes_before_the_connect_of_a_recovered_one(void **state)
{
    struct stage *st = stage_plain();
    struct peer *p;

    (void)state;
    st->accepts = false;
    p = peer_new(st);
    say(st, p, "40");
    sio_emit(st->sockets[0], SLICE("[\"missed\",1]"));
    sio_join(st->sockets[0], SLICE("r"));
    sio_accept_as(st->sockets[0], "its-old-sid", "its-pid");
    assert_string_equal(hear(st, p), "42[\"missed\",1]\n40{\"sid\":\"its-old-sid\",\"pid\":\"its-pid\"}\n");
    assert_string_equal(sio_socket_sid(st->sockets[0]), "its-old-sid");
    stage_end(st);
}

static void no_connect_in_time_closes(void **state)
{
    struct sio_options options = SIO_DEFAULTS;
    struct stage *st;
    struct peer *p;

    (void)state;
    options.connect_timeout_ms = 60;
    st = stage_new(&options);
    p = peer_new(st);
    ask(p, NULL);
    run_until(st, &p->status, 1000);
    assert_non_null(strstr(p->heard.data, "1\n"));
    hear(st, p);
    assert_int_equal(p->status, 400);
    stage_end(st);
}

/* --- ending --- */

static void a_kick_is_told_later_and_the_connection_stays(void **state)
{
    struct stage *st = stage_plain();
    struct peer *p = guest_new(st);

    (void)state;
    sio_join(st->sockets[0], SLICE("r"));
    buf_reset(&st->log);
    st->is_inside = true;
    sio_disconnect(st->sockets[0], false);
    sio_disconnect(st->sockets[0], false);
    assert_int_equal(sio_emit(st->sockets[0], SLICE("[\"x\"]")), ERR_CLOSED);
    assert_int_equal(sio_join(st->sockets[0], SLICE("s")), ERR_CLOSED);
    st->is_inside = false;
    assert_string_equal(hear(st, p), "41\n");
    assert_log(st, "gone 0 server namespace disconnect rooms=1\n");
    assert_int_equal(sio_room_size(st->ns, SLICE("r")), 0);
    assert_int_equal(sio_namespace_size(st->ns), 0);
    say(st, p, "40");
    assert_log(st, "connect {}\n");
    stage_end(st);
}

static void closing_the_transport_says_no_goodbye(void **state)
{
    struct stage *st = stage_plain();
    struct peer *p = guest_new(st);

    (void)state;
    buf_reset(&st->log);
    st->is_inside = true;
    sio_close_transport(st->sockets[0]);
    st->is_inside = false;
    assert_null(strstr(hear(st, p), "41"));
    run_for(st, 20);
    assert_log(st, "gone 0 forced close rooms=0\n");
    stage_end(st);
}

static void leaving_is_the_clients_own_affair(void **state)
{
    struct stage *st = stage_plain();
    struct peer *p = guest_new(st);

    (void)state;
    buf_reset(&st->log);
    say(st, p, "41");
    run_for(st, 20);
    assert_log(st, "gone 0 client namespace disconnect rooms=0\n");
    stage_end(st);
}

static void the_end_of_the_server_ends_everybody(void **state)
{
    struct stage *st = stage_plain();

    (void)state;
    guest_new(st);
    guest_new(st);
    buf_reset(&st->log);
    sio_server_close(st->sio, on_server_closed, st);
    run_for(st, 30);
    assert_non_null(strstr(st->log.data, "gone 0 server shutting down rooms=0\n"));
    assert_non_null(strstr(st->log.data, "gone 1 server shutting down rooms=0\n"));
    assert_true(st->is_closed);
    for (size_t i = 0; i < st->peer_count; i++) {
        http_client_close(st->peers[i].http);
        buf_deinit(&st->peers[i].sid);
        buf_deinit(&st->peers[i].heard);
    }
    http_server_close(st->http);
    net_close(st->net);
    uv_run(&st->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&st->loop), 0);
    buf_deinit(&st->log);
    free(st);
}

/* --- limits --- */

static void too_many_events_per_second_close(void **state)
{
    struct sio_options options = SIO_DEFAULTS;
    struct stage *st;
    struct peer *p;

    (void)state;
    options.events_per_second_max = 10;
    st = stage_new(&options);
    p = guest_new(st);
    buf_reset(&st->log);
    for (int i = 0; i < 12; i++)
        if (say(st, p, "42[\"e\"]") != 200)
            break;
    run_for(st, 30);
    assert_non_null(strstr(st->log.data, "gone 0 transport error"));
    stage_end(st);
}

static void rooms_of_one_socket_have_a_limit(void **state)
{
    struct sio_options options = SIO_DEFAULTS;
    struct stage *st;

    (void)state;
    options.rooms_per_socket_max = 2;
    st = stage_new(&options);
    guest_new(st);
    assert_int_equal(sio_join(st->sockets[0], SLICE("a")), 0);
    assert_int_equal(sio_join(st->sockets[0], SLICE("b")), 0);
    assert_int_equal(sio_join(st->sockets[0], SLICE("b")), 0);
    assert_int_equal(sio_join(st->sockets[0], SLICE("c")), ERR_TOO_BIG);
    sio_leave(st->sockets[0], SLICE("a"));
    assert_int_equal(sio_join(st->sockets[0], SLICE("c")), 0);
    assert_int_equal(sio_room_count(st->sockets[0]), 2);
    stage_end(st);
}

/* --- acknowledgements --- */

static void on_ack(int err, struct slice array, const struct slice *attachments, size_t count, void *arg)
{
    struct stage *st = arg;

    assert_false(st->is_inside);
    buf_printf(&st->log, "ack %s %.*s %zu", err == 0 ? "0" : err_name(err), SLICE_ARG(array), count);
    if (count != 0)
        buf_printf(&st->log, " %.*s", SLICE_ARG(attachments[0]));
    buf_append_char(&st->log, '\n');
}

static void an_answer_comes_once(void **state)
{
    struct stage *st = stage_plain();
    struct peer *p = guest_new(st);

    (void)state;
    buf_reset(&st->log);
    assert_int_equal(sio_emit_with_ack(st->sockets[0], SLICE("[\"q\"]"), 0, on_ack, st), 0);
    assert_int_equal(sio_emit_with_ack(st->sockets[0], SLICE("[\"r\"]"), 1000, on_ack, st), 0);
    assert_string_equal(hear(st, p), "420[\"q\"]\n421[\"r\"]\n");
    say(st, p, "431[\"for r\"]\x1e" "431[\"again\"]\x1e" "439[\"unknown\"]");
    say(st, p, "461-0[{\"_placeholder\":true,\"num\":0}]\x1e" "bQUJD");
    assert_log(st, "ack 0 [\"for r\"] 0\nack 0 [{\"_placeholder\":true,\"num\":0}] 1 ABC\n");
    stage_end(st);
}

static void an_answer_that_does_not_come_times_out(void **state)
{
    struct stage *st = stage_plain();
    struct peer *p = guest_new(st);

    (void)state;
    buf_reset(&st->log);
    sio_emit_with_ack(st->sockets[0], SLICE("[\"slow\"]"), 60, on_ack, st);
    sio_emit_with_ack(st->sockets[0], SLICE("[\"fast\"]"), 20, on_ack, st);
    run_for(st, 40);
    assert_log(st, "ack TIMEOUT  0\n");
    run_for(st, 40);
    assert_log(st, "ack TIMEOUT  0\n");
    say(st, p, "430[1]");                      /* too late: ignored */
    assert_log(st, "");
    stage_end(st);
}

static void an_answer_of_one_that_goes_is_closed(void **state)
{
    struct stage *st = stage_plain();
    struct peer *p = guest_new(st);

    (void)state;
    buf_reset(&st->log);
    sio_emit_with_ack(st->sockets[0], SLICE("[\"q\"]"), 5000, on_ack, st);
    say(st, p, "1");
    run_for(st, 20);
    assert_log(st, "ack CLOSED  0\ngone 0 transport close rooms=0\n");
    stage_end(st);
}

static void we_answer_too(void **state)
{
    struct stage *st = stage_plain();
    struct peer *p = guest_new(st);
    const struct slice attachment = SLICE("ABC");

    (void)state;
    sio_ack(st->sockets[0], 7, SLICE("[\"yes\"]"));
    sio_ack_binary(st->sockets[0], 8, SLICE("[{\"_placeholder\":true,\"num\":0}]"), &attachment, 1);
    assert_string_equal(hear(st, p), "437[\"yes\"]\n461-8[{\"_placeholder\":true,\"num\":0}]\nbQUJD\n");
    stage_end(st);
}

/* --- what it costs --- */

static void an_idle_client_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct client) + sizeof(struct sio_socket) + sizeof(struct room_seat) <= 250);
    assert_true(sizeof(struct room_seat) + sizeof(struct room_slot) <= 32);
}

/* Constants cannot be made of constants of another file, so the values stand twice. */
static void both_libraries_agree_on_the_defaults(void **state)
{
    struct eio_options ours = SIO_DEFAULTS.eio;

    (void)state;
    assert_string_equal(ours.path, EIO_DEFAULTS.path);
    ours.path = EIO_DEFAULTS.path;
    assert_memory_equal(&ours, &EIO_DEFAULTS, sizeof(ours));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_is_let_in_and_its_events_come_through),
        cmocka_unit_test(being_let_in_may_take_its_time),
        cmocka_unit_test(who_goes_while_asking_in_is_reported_once),
        cmocka_unit_test(what_comes_before_being_let_in_is_handed_over_afterwards),
        cmocka_unit_test(what_comes_before_being_refused_is_forgotten),
        cmocka_unit_test(who_says_too_much_before_being_let_in_is_closed),
        cmocka_unit_test(who_is_refused_hears_why_and_is_never_reported),
        cmocka_unit_test(what_was_missed_comes_before_the_connect_of_a_recovered_one),
        cmocka_unit_test(no_connect_in_time_closes),
        cmocka_unit_test(a_kick_is_told_later_and_the_connection_stays),
        cmocka_unit_test(closing_the_transport_says_no_goodbye),
        cmocka_unit_test(leaving_is_the_clients_own_affair),
        cmocka_unit_test(the_end_of_the_server_ends_everybody),
        cmocka_unit_test(too_many_events_per_second_close),
        cmocka_unit_test(rooms_of_one_socket_have_a_limit),
        cmocka_unit_test(an_answer_comes_once),
        cmocka_unit_test(an_answer_that_does_not_come_times_out),
        cmocka_unit_test(an_answer_of_one_that_goes_is_closed),
        cmocka_unit_test(we_answer_too),
        cmocka_unit_test(an_idle_client_is_small),
        cmocka_unit_test(both_libraries_agree_on_the_defaults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* receiver_test.c -- members of rooms that are no clients get the same events in the same order,
 * in a form that is made once for all of them. */
#include "tests/unit/gateway/socketio/stage.h"

struct guest {                                 /* what a receiver was given */
    struct buf heard;
    bool       is_gone;
    char       why[40];
};

static int makes;

static struct rcbuf *form_make(struct slice array, struct slice offset)
{
    struct buf    b;
    struct rcbuf *made;

    makes++;
    buf_init(&b, 4096);
    buf_printf(&b, "<%.*s|%.*s>", SLICE_ARG(array), SLICE_ARG(offset));
    made = buf_rcbuf(&b);
    buf_deinit(&b);
    return made;
}

static void on_message(struct sio_socket *s, struct sio_message *m)
{
    struct guest *g = sio_socket_client_data(s);

    buf_append_slice(&g->heard, rcbuf_slice(sio_message_form(m, form_make)));
}

static void on_guest_gone(void *data, enum sio_reason reason)
{
    struct guest *g = data;

    assert_false(g->is_gone);
    g->is_gone = true;
    snprintf(g->why, sizeof(g->why), "%s", sio_reason_text(reason));
}

static const struct sio_receiver_ops OPS = { on_message, on_guest_gone };

static struct sio_socket *receiver(struct stage *st, struct guest *g)
{
    struct sio_socket *s;

    *g = (struct guest){ 0 };
    buf_init(&g->heard, 1u << 16);
    makes = 0;
    s = sio_receiver_new(st->ns, &OPS, g);
    st->sockets[st->socket_count++] = s;
    return s;
}

static void assert_heard(struct guest *g, const char *want)
{
    assert_string_equal(g->heard.len == 0 ? "" : g->heard.data, want);
    buf_reset(&g->heard);
}

static void broadcast(struct stage *st, const char *room, const char *array, const char *offset)
{
    struct sio_message *m = sio_message_new(st->ns, slice_of(array), slice_of(offset), 0);

    sio_broadcast(st->ns, slice_of(room), m);
    sio_message_unref(m);
    run_for(st, 5);
}

static void it_is_told_what_its_rooms_are_told(void **state)
{
    struct stage      *st = stage_plain();
    struct guest       g;
    struct sio_socket *s = receiver(st, &g);

    (void)state;
    assert_int_equal(sio_namespace_size(st->ns), 0);
    assert_int_equal(sio_emit(s, SLICE("[\"early\"]")), 0);
    sio_accept(s, "a pid that nobody is told");
    assert_int_equal(sio_namespace_size(st->ns), 1);
    assert_int_equal(sio_join(s, SLICE("a")), 0);
    broadcast(st, "a", "[\"one\",{\"x\":[1]}]", "7-8.9");
    broadcast(st, "b", "[\"not for it\"]", "");
    broadcast(st, "a", "[\"two\",2]", "");
    sio_leave(s, SLICE("a"));
    broadcast(st, "a", "[\"three\"]", "");
    assert_heard(&g, "<[\"early\"|><[\"one\",{\"x\":[1]}|7-8.9><[\"two\",2|>");
    assert_null(sio_socket_session(s));
    assert_int_equal(sio_ack(s, 1, SLICE("[]")), ERR_CLOSED);
    assert_int_equal(sio_emit_with_ack(s, SLICE("[\"x\"]"), 10, NULL, NULL), ERR_CLOSED);
    stage_end(st);
    assert_string_equal(g.why, "server shutting down");
    buf_deinit(&g.heard);
}

static void the_form_is_made_once_for_all(void **state)
{
    struct stage      *st = stage_plain();
    struct guest       g[3];
    struct sio_socket *s[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        s[i] = receiver(st, &g[i]);
        sio_accept(s[i], NULL);
        sio_join(s[i], SLICE("a"));
    }
    broadcast(st, "a", "[\"one\"]", "1-2.3");
    assert_int_equal(makes, 1);
    for (int i = 0; i < 3; i++)
        assert_heard(&g[i], "<[\"one\"|1-2.3>");
    stage_end(st);
    for (int i = 0; i < 3; i++)
        buf_deinit(&g[i].heard);
}

/* A large room is walked in slices; what is said directly meanwhile comes behind. */
static void what_is_said_directly_comes_behind_what_was_broadcast(void **state)
{
    struct sio_options o = SIO_DEFAULTS;
    struct stage      *st;
    struct guest       g[2];
    struct sio_socket *s[2];

    (void)state;
    o.fanout_slice_us = 0;                     /* hardly any per turn */
    st = stage_new(&o);
    for (int i = 0; i < 2; i++) {
        s[i] = receiver(st, &g[i]);
        sio_accept(s[i], NULL);
        sio_join(s[i], SLICE("a"));
    }
    for (int n = 0; n < 3; n++) {
        struct sio_message *m = sio_message_new(st->ns, SLICE("[\"all\"]"), SLICE(""), 0);

        sio_broadcast(st->ns, SLICE("a"), m);
        sio_message_unref(m);
        for (int i = 0; i < 2; i++)
            sio_emit(s[i], SLICE("[\"you\"]"));
    }
    run_for(st, 20);
    for (int i = 0; i < 2; i++) {
        assert_heard(&g[i], "<[\"all\"|><[\"you\"|><[\"all\"|><[\"you\"|><[\"all\"|><[\"you\"|>");
        buf_deinit(&g[i].heard);
    }
    stage_end(st);
}

static void it_ends_in_every_way_that_a_socket_does(void **state)
{
    static const char *const LOGS[] = {
        "gone 0 forced close rooms=1\n", "gone 0 server namespace disconnect rooms=1\n",
        "gone 0 transport close rooms=1\n", "", "gone 0 forced close rooms=0\n",
    };

    (void)state;
    for (int how = 0; how < 5; how++) {
        struct stage      *st = stage_plain();
        struct guest       g;
        struct sio_socket *s = receiver(st, &g);

        if (how < 3) {
            sio_accept(s, NULL);
            sio_join(s, SLICE("a"));
        }
        st->is_inside = true;
        if (how == 0)
            sio_close_transport(s);
        else if (how == 1)
            sio_disconnect(s, true);
        else if (how == 2)
            sio_receiver_end(s, SIO_REASON_TRANSPORT);
        else if (how == 3)
            sio_refuse(s, "no", SLICE("{}"));
        else
            sio_close_transport(s);            /* before it was let in */
        assert_int_equal(sio_emit(s, SLICE("[\"late\"]")), ERR_CLOSED);
        if (how < 3)
            sio_close_transport(s);            /* twice is harmless */
        st->is_inside = false;
        broadcast(st, "a", "[\"late\"]", "");
        assert_false(g.heard.len > 0);
        run_for(st, 20);
        assert_true(g.is_gone);
        assert_log(st, LOGS[how]);
        assert_int_equal(sio_namespace_size(st->ns), 0);
        stage_end(st);
        buf_deinit(&g.heard);
    }
}

static void clients_beside_it_hear_the_same(void **state)
{
    struct stage      *st = stage_plain();
    struct peer       *p = guest_new(st);
    struct guest       g;
    struct sio_socket *s = receiver(st, &g);

    (void)state;
    sio_accept(s, NULL);
    sio_join(s, SLICE("a"));
    sio_join(st->sockets[0], SLICE("a"));
    broadcast(st, "a", "[\"one\",{}]", "1-2.3");
    assert_string_equal(hear(st, p), "42[\"one\",{},\"1-2.3\"]\n");
    assert_heard(&g, "<[\"one\",{}|1-2.3>");
    stage_end(st);
    buf_deinit(&g.heard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_what_its_rooms_are_told),
        cmocka_unit_test(the_form_is_made_once_for_all),
        cmocka_unit_test(what_is_said_directly_comes_behind_what_was_broadcast),
        cmocka_unit_test(it_ends_in_every_way_that_a_socket_does),
        cmocka_unit_test(clients_beside_it_hear_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* delivery_test.c -- broadcasts to real sockets, and what recovery remembers of them. */
#include "tests/unit/gateway/socketio/stage.h"

/* --- broadcast --- */

static void broadcast(struct stage *st, const char *room, const char *json, const char *offset)
{
    struct sio_message *m = sio_message_new(st->ns, slice_of(json), slice_of(offset), 0);

    if (room == NULL)
        sio_broadcast_all(st->ns, m);
    else
        sio_broadcast(st->ns, slice_of(room), m);
    sio_message_unref(m);
}

static void a_broadcast_in_slices_keeps_every_promise(void **state)
{
    struct sio_options options = SIO_DEFAULTS;
    struct stage *st;

    (void)state;
    options.fanout_slice_us = 0;
    st = stage_new(&options);
    for (int i = 0; i < 4; i++) {
        guest_new(st);
        sio_join(st->sockets[i], SLICE("r"));
    }
    st->sio->fanout.quantum = 1;
    broadcast(st, "r", "[\"one\",1]", "off-1");
    sio_leave(st->sockets[3], SLICE("r"));
    sio_emit(st->sockets[2], SLICE("[\"direct\"]"));
    broadcast(st, "r", "[\"two\" ] ", "off-2");
    broadcast(st, NULL, "[\"all\"]", "");
    assert_true(st->sio->fanout.waiting_bytes > 0);
    run_for(st, 30);
    assert_string_equal(hear(st, &st->peers[0]),
                        "42[\"one\",1,\"off-1\"]\n42[\"two\" ,\"off-2\"]\n42[\"all\"]\n");
    assert_string_equal(hear(st, &st->peers[2]),
                        "42[\"one\",1,\"off-1\"]\n42[\"direct\"]\n42[\"two\" ,\"off-2\"]\n42[\"all\"]\n");
    assert_string_equal(hear(st, &st->peers[3]), "42[\"one\",1,\"off-1\"]\n42[\"all\"]\n");
    assert_int_equal(st->sio->fanout.waiting_bytes, 0);
    stage_end(st);
}

static void what_was_broadcast_comes_before_a_kick(void **state)
{
    struct sio_options options = SIO_DEFAULTS;
    struct stage *st;

    (void)state;
    options.fanout_slice_us = 0;
    st = stage_new(&options);
    for (int i = 0; i < 3; i++)
        guest_new(st);
    st->sio->fanout.quantum = 1;
    broadcast(st, NULL, "[\"all\"]", "");
    sio_disconnect(st->sockets[2], true);
    assert_string_equal(hear(st, &st->peers[2]), "42[\"all\"]\n41\n");
    assert_string_equal(hear(st, &st->peers[2]), "6\n1\n");
    stage_end(st);
}

static void a_binary_broadcast_brings_its_attachments(void **state)
{
    struct stage *st = stage_plain();
    const struct slice attachment = SLICE("ABC");
    struct sio_message *m;

    (void)state;
    guest_new(st);
    m = sio_message_new_binary(st->ns, SLICE("[\"b\",{\"_placeholder\":true,\"num\":0}]"), SLICE("o"),
                               &attachment, 1);
    sio_broadcast_all(st->ns, m);
    sio_message_unref(m);
    assert_string_equal(hear(st, &st->peers[0]),
                        "451-[\"b\",{\"_placeholder\":true,\"num\":0},\"o\"]\nbQUJD\n");
    stage_end(st);
}

static void kick(struct sio_socket *s, void *arg)
{
    (void)arg;
    sio_disconnect(s, false);
    sio_leave(s, SLICE("r"));
}

static void all_of_a_room_can_be_kicked_in_one_walk(void **state)
{
    struct stage *st = stage_plain();

    (void)state;
    for (int i = 0; i < 3; i++) {
        guest_new(st);
        sio_join(st->sockets[i], SLICE("r"));
    }
    sio_each_member(st->ns, SLICE("r"), kick, NULL);
    assert_int_equal(sio_room_size(st->ns, SLICE("r")), 0);
    run_for(st, 20);
    assert_int_equal(sio_namespace_size(st->ns), 0);
    stage_end(st);
}

/* --- recovery in memory --- */

static void recovery_forgets_what_is_too_much(void **state)
{
    const struct recovery_memory_options limits = { .keep_ms = 60000, .events_max = 2,
                                                    .bytes_max = 1u << 20, .sockets_max = 10 };
    struct stage *st = stage_plain();
    struct recovery_memory *r = recovery_memory_new(st->net, st->ns, &limits);
    const struct recovery_event e = { .array = SLICE("[\"e\"]") };
    char auth[256], offset[64] = "", pid[64] = "";
    const char *heard;

    (void)state;
    st->accepts = false;
    peer_new(st);
    say(st, &st->peers[0], "40");
    recovery_memory_accept(r, st->sockets[0]);
    recovery_memory_emit(r, st->sockets[0], &e);
    heard = hear(st, &st->peers[0]);
    assert_int_equal(sscanf(strstr(heard, "\"pid\":\""), "\"pid\":\"%60[^\"]", pid), 1);
    assert_int_equal(sscanf(strstr(heard, "42[\"e\",\""), "42[\"e\",\"%60[^\"]", offset), 1);
    snprintf(auth, sizeof(auth), "{\"pid\":\"%s\",\"offset\":\"%s\"}", pid, offset);
    peer_new(st);
    say(st, &st->peers[1], "40");
    assert_false(recovery_memory_resume(r, st->sockets[1], slice_of(auth)));     /* it still lives */
    recovery_memory_left(r, st->sockets[0], SIO_REASON_TRANSPORT);
    recovery_memory_broadcast_all(r, &e);
    recovery_memory_broadcast_all(r, &e);      /* now the first is forgotten */
    assert_false(recovery_memory_resume(r, st->sockets[1], slice_of(auth)));
    recovery_memory_free(r);
    stage_end(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broadcast_in_slices_keeps_every_promise),
        cmocka_unit_test(what_was_broadcast_comes_before_a_kick),
        cmocka_unit_test(a_binary_broadcast_brings_its_attachments),
        cmocka_unit_test(all_of_a_room_can_be_kicked_in_one_walk),
        cmocka_unit_test(recovery_forgets_what_is_too_much),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* server_test.c -- the whole library over loopback: real HTTP, real Engine.IO sessions.
 *
 * Clients are long-polling ones over common's HTTP client, on the same loop; each step runs
 * the loop until its answer is there. What clients of every kind may say is compared with
 * the reference elsewhere (tests/conformance); here is what an application relies on. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/http_client.h"
#include "common/http_server.h"
#include "common/mem.h"
#include "gateway/socketio/internal.h"
#include "gateway/socketio/recovery_memory.h"
#include "gateway/socketio/socketio.h"

#define PEERS 12

struct peer {                                  /* a client that polls */
    struct http_client *http;
    struct buf          sid;
    struct buf          heard;                 /* packets, a line end behind each */
    int                 status;                /* of the last answer; -1: none yet */
};

struct stage {
    uv_loop_t            loop;
    struct net          *net;
    struct http_server  *http;
    struct sio_server   *sio;
    struct sio_namespace *ns;
    struct peer          peers[PEERS];
    size_t               peer_count;
    struct sio_socket   *sockets[PEERS];       /* as they asked in */
    size_t               socket_count;
    struct buf           log;                  /* what the handlers heard, a line each */
    bool                 accepts;              /* at once */
    bool                 is_inside;            /* of a call that must not call back */
    bool                 is_closed;
    bool                 is_late;
};

/* --- the application --- */

static int index_of(const struct stage *st, const struct sio_socket *s)
{
    for (size_t i = 0; i < st->socket_count; i++)
        if (st->sockets[i] == s)
            return (int)i;
    return -1;
}

static void on_connect(struct sio_socket *s, struct slice auth, void *arg)
{
    struct stage *st = arg;

    assert_true(st->socket_count < PEERS);
    st->sockets[st->socket_count++] = s;
    buf_printf(&st->log, "connect %.*s\n", SLICE_ARG(auth));
    if (st->accepts)
        sio_accept(s, NULL);
}

static void on_event(struct sio_socket *s, const struct sio_event *e, void *arg)
{
    struct stage *st = arg;

    buf_printf(&st->log, "event %d %.*s %.*s %lld\n", index_of(st, s), SLICE_ARG(e->name),
               SLICE_ARG(e->array), (long long)e->ack);
}

static void on_disconnect(struct sio_socket *s, enum sio_reason reason, void *arg)
{
    struct stage *st = arg;

    assert_false(st->is_inside);
    buf_printf(&st->log, "gone %d %s rooms=%zu\n", index_of(st, s), sio_reason_text(reason),
               sio_room_count(s));
}

static const struct sio_namespace_handlers HANDLERS = { on_connect, on_event, on_disconnect };

static void on_request(struct http_request *r, void *arg)
{
    struct stage *st = arg;

    assert_true(sio_server_handle(st->sio, r));
}

static void on_head(struct http_request *r, void *arg)
{
    struct stage *st = arg;

    sio_server_head(st->sio, r);
}

static const struct http_server_handlers HTTP_HANDLERS = { on_head, on_request };

/* --- the stage --- */

static struct stage *stage_new(const struct sio_options *options)
{
    struct stage *st = mem_new(struct stage);

    assert_int_equal(uv_loop_init(&st->loop), 0);
    buf_init(&st->log, 1u << 20);
    st->accepts = true;
    st->net = net_new(&st->loop);
    st->http = http_server_new(st->net, "test", &HTTP_SERVER_DEFAULTS, &HTTP_HANDLERS, st, NULL);
    assert_int_equal(http_server_listen(st->http, "127.0.0.1", 0), 0);
    st->sio = sio_server_new(st->net, options, NULL);
    st->ns = sio_namespace_new(st->sio, "/", &HANDLERS, st);
    return st;
}

static void on_server_closed(void *arg)
{
    struct stage *st = arg;

    st->is_closed = true;
}

/* Everything ends; the loop must be empty then. */
static void stage_end(struct stage *st)
{
    for (size_t i = 0; i < st->peer_count; i++) {
        http_client_close(st->peers[i].http);
        buf_deinit(&st->peers[i].sid);
        buf_deinit(&st->peers[i].heard);
    }
    sio_server_close(st->sio, on_server_closed, st);
    http_server_close(st->http);
    net_close(st->net);
    uv_run(&st->loop, UV_RUN_DEFAULT);
    assert_true(st->is_closed);
    assert_int_equal(uv_loop_close(&st->loop), 0);
    buf_deinit(&st->log);
    free(st);
}

static struct stage *stage_plain(void)
{
    return stage_new(&SIO_DEFAULTS);
}

static void on_too_late(uv_timer_t *timer)
{
    struct stage *st = timer->data;

    st->is_late = true;
}

/* Run the loop for a while, or until `*watched` is no longer -1. */
static void run_until(struct stage *st, const int *watched, uint64_t ms)
{
    uv_timer_t timer;

    assert_int_equal(uv_timer_init(&st->loop, &timer), 0);
    timer.data = st;
    st->is_late = false;
    uv_timer_start(&timer, on_too_late, ms, 0);
    while (!st->is_late && (watched == NULL || *watched == -1))
        uv_run(&st->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&st->loop, UV_RUN_NOWAIT);
    assert_true(watched == NULL || *watched != -1);
}

static void run_for(struct stage *st, uint64_t ms)
{
    run_until(st, NULL, ms);
}

/* --- peers --- */

static void on_answer(int err, const struct http_result *result, void *arg)
{
    struct peer *p = arg;

    p->status = err != 0 ? 0 : result->status;
    if (err != 0 || slice_is(result->body, "ok"))
        return;
    for (size_t i = 0; i < result->body.len; i++)
        buf_append_char(&p->heard, result->body.data[i] == '\x1e' ? '\n' : result->body.data[i]);
    buf_append_char(&p->heard, '\n');
}

static void ask(struct peer *p, const char *body)
{
    struct buf target;
    struct http_call_options call = {
        .method = body == NULL ? HTTP_GET : HTTP_POST, .body = slice_of(body), .timeout_ms = 5000,
    };

    buf_init(&target, 1024);
    buf_printf(&target, "/socket.io/?EIO=4&transport=polling%s%s", p->sid.len != 0 ? "&sid=" : "",
               p->sid.len != 0 ? p->sid.data : "");
    call.target = buf_peek(&target);
    p->status = -1;
    assert_int_equal(http_client_call(p->http, &call, on_answer, p, NULL), 0);
    buf_deinit(&target);
}

static int say(struct stage *st, struct peer *p, const char *body)
{
    ask(p, body);
    run_until(st, &p->status, 5000);
    return p->status;
}

/* One GET; what it brings is in p->heard, which is emptied before. */
static const char *hear(struct stage *st, struct peer *p)
{
    buf_reset(&p->heard);
    ask(p, NULL);
    run_until(st, &p->status, 5000);
    return p->heard.len == 0 ? "" : p->heard.data;
}

static struct peer *peer_new(struct stage *st)
{
    struct peer *p = &st->peers[st->peer_count++];
    char origin[64];
    const char *sid;

    snprintf(origin, sizeof(origin), "http://127.0.0.1:%d", http_server_port(st->http));
    p->http = http_client_new(st->net, origin, &HTTP_CLIENT_DEFAULTS);
    assert_non_null(p->http);
    buf_init(&p->sid, 128);
    buf_init(&p->heard, 1u << 20);
    sid = strstr(hear(st, p), "\"sid\":\"");
    assert_non_null(sid);
    sid += strlen("\"sid\":\"");
    buf_append(&p->sid, sid, (size_t)(strchr(sid, '"') - sid));
    return p;
}

/* A peer whose socket is let in. */
static struct peer *guest_new(struct stage *st)
{
    struct peer *p = peer_new(st);

    assert_int_equal(say(st, p, "40"), 200);
    assert_true(strncmp(hear(st, p), "40{\"sid\":\"", 10) == 0);
    return p;
}

static void assert_log(struct stage *st, const char *want)
{
    assert_string_equal(st->log.len == 0 ? "" : st->log.data, want);
    buf_reset(&st->log);
}

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

static void an_event_before_being_let_in_closes(void **state)
{
    struct stage *st = stage_plain();
    struct peer *p;

    (void)state;
    st->accepts = false;
    p = peer_new(st);
    say(st, p, "40\x1e" "42[\"early\"]");
    run_for(st, 30);
    assert_log(st, "connect {}\ngone 0 parse error rooms=0\n");
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
    assert_string_equal(hear(st, &st->peers[0]), "42[\"one\",1,\"off-1\"]\n42[\"two\" ,\"off-2\"]\n42[\"all\"]\n");
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
    assert_string_equal(hear(st, &st->peers[2]), "42[\"all\"]\n41\n1\n");
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

/* --- what it costs --- */

static void an_idle_client_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct client) + sizeof(struct sio_socket) + sizeof(struct room_seat) <= 250);
    assert_true(sizeof(struct room_seat) + sizeof(struct room_slot) <= 32);
}

static void both_libraries_agree_on_the_defaults(void **state)
{
    const struct eio_options *a = &SIO_DEFAULTS.eio, *b = &EIO_DEFAULTS;

    (void)state;
    assert_string_equal(a->path, b->path);
    assert_int_equal(a->ping_interval_ms, b->ping_interval_ms);
    assert_int_equal(a->ping_timeout_ms, b->ping_timeout_ms);
    assert_int_equal(a->upgrade_timeout_ms, b->upgrade_timeout_ms);
    assert_int_equal(a->max_payload_bytes, b->max_payload_bytes);
    assert_int_equal(a->queue_bytes_max, b->queue_bytes_max);
    assert_int_equal(a->packets_per_payload_max, b->packets_per_payload_max);
    assert_int_equal(a->fragments_max, b->fragments_max);
    assert_int_equal(a->allow_polling && a->allow_websocket, b->allow_polling && b->allow_websocket);
    assert_int_equal(a->deflate, b->deflate);
    assert_int_equal(a->deflate_threshold_bytes, b->deflate_threshold_bytes);
    assert_int_equal(a->inflated_bytes_max, b->inflated_bytes_max);
    assert_null(a->cors_origins);
    assert_null(a->owner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_is_let_in_and_its_events_come_through),
        cmocka_unit_test(being_let_in_may_take_its_time),
        cmocka_unit_test(who_goes_while_asking_in_is_reported_once),
        cmocka_unit_test(an_event_before_being_let_in_closes),
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
        cmocka_unit_test(a_broadcast_in_slices_keeps_every_promise),
        cmocka_unit_test(what_was_broadcast_comes_before_a_kick),
        cmocka_unit_test(a_binary_broadcast_brings_its_attachments),
        cmocka_unit_test(all_of_a_room_can_be_kicked_in_one_walk),
        cmocka_unit_test(recovery_forgets_what_is_too_much),
        cmocka_unit_test(an_idle_client_is_small),
        cmocka_unit_test(both_libraries_agree_on_the_defaults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* stage.h -- a Socket.IO server over loopback, for the tests of this folder.
 *
 * Real HTTP, real Engine.IO sessions: clients are long-polling ones over common's HTTP
 * client, on the same loop; each step runs the loop until its answer is there. */
#ifndef TASKWIRE_TEST_STAGE_H
#define TASKWIRE_TEST_STAGE_H

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

static inline int index_of(const struct stage *st, const struct sio_socket *s)
{
    for (size_t i = 0; i < st->socket_count; i++)
        if (st->sockets[i] == s)
            return (int)i;
    return -1;
}

static inline void on_connect(struct sio_socket *s, struct slice auth, void *arg)
{
    struct stage *st = arg;

    assert_true(st->socket_count < PEERS);
    st->sockets[st->socket_count++] = s;
    buf_printf(&st->log, "connect %.*s\n", SLICE_ARG(auth));
    if (st->accepts)
        sio_accept(s, NULL);
}

static inline void on_event(struct sio_socket *s, const struct sio_event *e, void *arg)
{
    struct stage *st = arg;

    buf_printf(&st->log, "event %d %.*s %.*s %lld\n", index_of(st, s), SLICE_ARG(e->name),
               SLICE_ARG(e->array), (long long)e->ack);
}

static inline void on_disconnect(struct sio_socket *s, enum sio_reason reason, void *arg)
{
    struct stage *st = arg;

    assert_false(st->is_inside);
    buf_printf(&st->log, "gone %d %s rooms=%zu\n", index_of(st, s), sio_reason_text(reason),
               sio_room_count(s));
}

static const struct sio_namespace_handlers HANDLERS = { on_connect, on_event, on_disconnect };

static inline void on_request(struct http_request *r, void *arg)
{
    struct stage *st = arg;

    assert_true(sio_server_handle(st->sio, r));
}

static inline void on_head(struct http_request *r, void *arg)
{
    struct stage *st = arg;

    sio_server_head(st->sio, r);
}

static const struct http_server_handlers HTTP_HANDLERS = { .on_head = on_head,
                                                          .on_request = on_request };

/* --- the stage --- */

static inline struct stage *stage_new(const struct sio_options *options)
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

static inline void on_server_closed(void *arg)
{
    struct stage *st = arg;

    st->is_closed = true;
}

/* Everything ends; the loop must be empty then. */
static inline void stage_end(struct stage *st)
{
    for (size_t i = 0; i < st->peer_count; i++) {
        http_client_close(st->peers[i].http);
        buf_deinit(&st->peers[i].sid);
        buf_deinit(&st->peers[i].heard);
    }
    http_server_close(st->http);
    sio_server_close(st->sio, on_server_closed, st);
    net_close(st->net);
    uv_run(&st->loop, UV_RUN_DEFAULT);
    assert_true(st->is_closed);
    assert_int_equal(uv_loop_close(&st->loop), 0);
    buf_deinit(&st->log);
    free(st);
}

static inline struct stage *stage_plain(void)
{
    return stage_new(&SIO_DEFAULTS);
}

static inline void on_too_late(uv_timer_t *timer)
{
    struct stage *st = timer->data;

    st->is_late = true;
}

/* Run the loop for a while, or until `*watched` is no longer -1. */
static inline void run_until(struct stage *st, const int *watched, uint64_t ms)
{
    uv_timer_t timer;

    assert_int_equal(uv_timer_init(&st->loop, &timer), 0);
    timer.data = st;
    st->is_late = false;
    /* Again and again: it may run out before the loop begins to wait for nothing else. */
    uv_timer_start(&timer, on_too_late, ms, 1);
    while (!st->is_late && (watched == NULL || *watched == -1))
        uv_run(&st->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&st->loop, UV_RUN_NOWAIT);
    assert_true(watched == NULL || *watched != -1);
}

static inline void run_for(struct stage *st, uint64_t ms)
{
    run_until(st, NULL, ms);
}

/* --- peers --- */

static inline void on_answer(int err, const struct http_result *result, void *arg)
{
    struct peer *p = arg;

    p->status = err != 0 ? 0 : result->status;
    if (err != 0 || slice_is(result->body, "ok"))
        return;
    for (size_t i = 0; i < result->body.len; i++)
        buf_append_char(&p->heard, result->body.data[i] == '\x1e' ? '\n' : result->body.data[i]);
    buf_append_char(&p->heard, '\n');
}

static inline void ask(struct peer *p, const char *body)
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

static inline int say(struct stage *st, struct peer *p, const char *body)
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

static inline struct peer *peer_new(struct stage *st)
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
static inline struct peer *guest_new(struct stage *st)
{
    struct peer *p = peer_new(st);

    assert_int_equal(say(st, p, "40"), 200);
    assert_true(strncmp(hear(st, p), "40{\"sid\":\"", 10) == 0);
    return p;
}

static inline void assert_log(struct stage *st, const char *want)
{
    assert_string_equal(st->log.len == 0 ? "" : st->log.data, want);
    buf_reset(&st->log);
}

#endif

/* server.c -- the server object: options, metrics, turns of the loop, the end.
 *
 * What a session puts off (its end, the answer to a poll) runs in an idle handle, that is once
 * per turn and only in turns that need it; while it is active the loop does not wait, so
 * nothing put off is late. */
#include <assert.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"
#include "gateway/engineio/answer.h"
#include "gateway/engineio/handshake.h"
#include "gateway/engineio/message.h"
#include "gateway/engineio/session.h"

const struct eio_options EIO_DEFAULTS = {
    .path = "/socket.io/",
    .ping_interval_ms = 25000,
    .ping_timeout_ms = 20000,
    .upgrade_timeout_ms = 10000,
    .max_payload_bytes = 1000000,
    .queue_bytes_max = 4 * 1024 * 1024,
    .packets_per_payload_max = 1024,
    .packets_per_poll_max = 16,
    .fragments_max = 1024,
    .allow_polling = true,
    .allow_websocket = true,
    .deflate_threshold_bytes = 1024,
};

/* --- metrics --- */

static const char *reason_label(enum eio_reason reason)
{
    static const char *const LABELS[EIO_REASON_COUNT] = {
#define X(name, text) [EIO_##name] = "reason=\"" text "\"",
        EIO_REASON_MAP(X)
#undef X
    };

    return LABELS[reason];
}

static double read_waiting_sessions(void *arg)
{
    return (double)((struct queue_totals *)arg)->queues;
}

static double read_waiting_messages(void *arg)
{
    return (double)((struct queue_totals *)arg)->messages;
}

static double read_waiting_bytes(void *arg)
{
    return (double)((struct queue_totals *)arg)->bytes;
}

static void waiting_show(struct queue_totals *w, struct metrics *m)
{
    metrics_read(m, "taskwire_engineio_waiting_sessions", NULL,
                 "Sessions with messages that wait: for a poll, an upgrade, a slow reader",
                 read_waiting_sessions, w);
    metrics_read(m, "taskwire_engineio_waiting_messages", NULL, "Those messages",
                 read_waiting_messages, w);
    metrics_read(m, "taskwire_engineio_waiting_bytes", NULL, "Their bytes", read_waiting_bytes, w);
}

static void metrics_make(struct eio_metrics *to, struct metrics *m)
{
    static const char *const TRANSPORTS[2] = {
        [EIO_POLLING] = "transport=\"polling\"",
        [EIO_WEBSOCKET] = "transport=\"websocket\"",
    };

    for (int i = 0; i < 2; i++) {
        to->sessions[i] = metrics_gauge(m, "taskwire_engineio_sessions", TRANSPORTS[i],
                                        "Open sessions by transport");
        to->opened[i] = metrics_counter(m, "taskwire_engineio_opened_total", TRANSPORTS[i],
                                        "Sessions opened, by first transport");
    }
    for (int i = 0; i < EIO_REASON_COUNT; i++)
        to->closed[i] = metrics_counter(m, "taskwire_engineio_closed_total",
                                        reason_label((enum eio_reason)i),
                                        "Sessions ended, by reason");
    to->refused = metrics_counter(m, "taskwire_engineio_refused_total", NULL,
                                  "Requests refused with an Engine.IO error");
    to->upgraded = metrics_counter(m, "taskwire_engineio_upgraded_total", NULL,
                                   "Sessions moved from polling to websocket");
    to->received = metrics_counter(m, "taskwire_engineio_messages_received_total", NULL,
                                   "Messages from clients");
    to->sent = metrics_counter(m, "taskwire_engineio_messages_sent_total", NULL,
                               "Messages to clients, queued ones included");
    to->conflated = metrics_counter(m, "taskwire_engineio_messages_conflated_total", NULL,
                                    "Messages replaced by a newer one in a slow reader's queue");
    to->deflated = metrics_counter(m, "taskwire_engineio_messages_deflated_total", NULL,
                                   "Messages compressed, once each for all who get the same");
}

/* --- turns --- */

static void on_idle(uv_idle_t *handle)
{
    struct eio_server *server = container_of(handle, struct eio_server, idle);
    struct list        batch = LIST_INIT(batch);
    struct list       *node;

    list_splice(&batch, &server->turn);
    while ((node = list_take_first(&batch)) != NULL)
        session_turn(container_of(node, struct eio_session, turn));
    if (list_is_empty(&server->turn) && !server->is_closing)
        uv_idle_stop(handle);                  /* an on_close may have closed the server */
}

static void on_handle_closed(uv_handle_t *handle);

/* Closing, and the last session's memory is gone: now the handles. */
static void close_handles(struct eio_server *server)
{
    server->handles_open = 2;
    uv_close((uv_handle_t *)&server->idle, on_handle_closed);
    timers_close(&server->timers, on_handle_closed);
}

static void on_idle_closing(uv_idle_t *handle)
{
    struct eio_server *server = container_of(handle, struct eio_server, idle);

    on_idle(handle);
    if (server->memory_count == 0)
        close_handles(server);
}

void session_want_turn(struct eio_session *s)
{
    struct eio_server *server = s->server;

    if (!list_is_empty(&s->turn))
        return;
    if (list_is_empty(&server->turn) && !server->is_closing)
        uv_idle_start(&server->idle, on_idle);
    list_append(&server->turn, &s->turn);
}

/* --- life --- */

struct eio_server *eio_server_new(struct net *net, const struct eio_options *options,
                                  const struct eio_handlers *handlers, void *arg,
                                  struct metrics *metrics)
{
    struct eio_server *server = mem_new(struct eio_server);
    bool               is_fast = options->ping_interval_ms < 1000 ||
                                 options->ping_timeout_ms < 1000;
    int                err;

    assert(handlers->on_open != NULL && handlers->on_message != NULL &&
           handlers->on_close != NULL);
    assert(options->owner == NULL ||
           strlen(options->owner) + 1 + SID_RANDOM_CHARS <= EIO_SID_MAX);
    server->net = net;
    server->options = *options;
    server->handlers = handlers;
    server->arg = arg;
    server->websockets = websocket_host_new(&(struct websocket_options){
        .message_bytes_max = options->max_payload_bytes,
        .fragments_max = options->fragments_max,
        .deflate = options->deflate,
        .deflate_threshold_bytes = options->deflate_threshold_bytes,
        .inflated_bytes_max = options->inflated_bytes_max,
    });
    sids_init(&server->sids);
    list_init(&server->turn);
    err = uv_idle_init(net_loop(net), &server->idle);
    assert(err == 0);                          /* libuv: it always succeeds */
    timers_init(&server->timers, net_loop(net), is_fast ? 1 : 10);
    server->ping = message_packet(SLICE("2"));
    if (metrics == NULL)
        metrics = server->own_metrics = metrics_new();
    metrics_make(&server->metrics, metrics);
    waiting_show(&server->waiting, metrics);
    return server;
}

static void server_free(struct eio_server *server)
{
    assert(list_is_empty(&server->turn));
    sids_deinit(&server->sids);
    eio_message_unref(server->ping);
    websocket_host_close(server->websockets);
    if (server->own_metrics != NULL)
        metrics_free(server->own_metrics);
    free(server);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct eio_server *server = handle->data;

    if (--server->handles_open == 0)
        server_free(server);
}

static void shut_down(struct eio_session *s)
{
    if (s->is_open)
        session_end(s, EIO_SHUTDOWN, END_PLAIN);
    else
        session_stop_lingering(s);
}

void eio_server_close(struct eio_server *server)
{
    if (server->is_closing)
        return;
    server->is_closing = true;
    server->idle.data = server;
    server->timers.handle.data = server;
    sids_each(&server->sids, shut_down);
    uv_idle_stop(&server->idle);
    uv_idle_start(&server->idle, on_idle_closing);
}

/* --- requests --- */

static bool is_ours(const struct eio_server *server, const struct http_request *r)
{
    return slice_starts(http_request_path(r), server->options.path);
}

bool eio_server_handle(struct eio_server *server, struct http_request *r)
{
    if (!is_ours(server, r))
        return false;
    handshake_handle(server, r);
    return true;
}

void eio_server_head(struct eio_server *server, struct http_request *r)
{
    if (is_ours(server, r))
        handshake_head(server, r);
}

void eio_server_refuse_unknown(struct eio_server *server, struct http_request *r)
{
    answer_refusal(server, r, EIO_ERROR_UNKNOWN_SID, 400, NULL);
}

void eio_server_refuse_now(struct eio_server *server, struct http_request *r, const char *why)
{
    answer_refusal(server, r, EIO_ERROR_FORBIDDEN, 503, why);
}

size_t eio_server_sessions(const struct eio_server *server, enum eio_transport transport)
{
    return server->counts[transport];
}

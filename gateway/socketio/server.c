/* server.c -- the Socket.IO server: what all clients share, and its own two handles.
 *
 *     timer   runs for the earliest of all connect timeouts and acknowledgements
 *     idle    runs as long as there is work for the next turn of the loop: broadcasts that
 *             were cut (a slice per turn), sockets whose last callback is due, and what
 *             clients said before they were let in
 *
 * Closing: engineio ends the sessions, each takes its sockets along; with the last client
 * both handles are closed, and with the last handle the memory goes. */
#include "gateway/socketio/internal.h"

#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"

#define SCRATCH_BYTES_MAX (16u << 20)

const struct sio_options SIO_DEFAULTS = {
    .eio = {
        .path = "/socket.io/",
        .ping_interval_ms = 25000,
        .ping_timeout_ms = 20000,
        .upgrade_timeout_ms = 10000,
        .max_payload_bytes = 1000000,
        .queue_bytes_max = 4u << 20,
        .packets_per_payload_max = 1024,
        .packets_per_poll_max = 16,
        .fragments_max = 1024,
        .allow_polling = true,
        .allow_websocket = true,
        .deflate_threshold_bytes = 1024,
    },
    .connect_timeout_ms = 45000,
    .attachments_max = 10,
    .rooms_per_socket_max = 1000,
    .fanout_slice_us = 1000,
    .fanout_bytes_max = 64u << 20,
};

/* --- turns --- */

static void on_idle(uv_idle_t *idle)
{
    struct sio_server *s = idle->data;

    sockets_finish_ended(s, NULL);
    earlies_hand_over(s);
    s->turn_ms = net_now_ms(s->net);
    fanout_new_turn(&s->fanout);
    if (!fanout_run(&s->fanout) && s->ended == NULL && list_is_empty(&s->early))
        uv_idle_stop(idle);
}

void server_want_turn(struct sio_server *s)
{
    if (s->handles_open == 2 && !uv_is_closing((uv_handle_t *)&s->idle))
        uv_idle_start(&s->idle, on_idle);      /* fails only without a callback */
}

static void on_timer(uv_timer_t *timer)
{
    struct sio_server *s = timer->data;
    struct deadline *d;

    while ((d = deadlines_take(&s->connects, net_now_ms(s->net))) != NULL)
        client_connect_expired(container_of(d, struct client, connect));
    acks_expire(s, net_now_ms(s->net));
    server_arm_timer(s);
}

void server_arm_timer(struct sio_server *s)
{
    uint64_t connect = deadlines_next(&s->connects), ack = deadlines_next(&s->acks);
    uint64_t first = connect < ack ? connect : ack, now = net_now_ms(s->net);
    uint64_t wait = first > now ? first - now : 0;

    if (first == DEADLINE_NEVER || uv_is_closing((uv_handle_t *)&s->timer))
        return;
    if (uv_is_active((uv_handle_t *)&s->timer) && uv_timer_get_due_in(&s->timer) <= wait)
        return;                                /* it will look again by itself */
    uv_timer_start(&s->timer, on_timer, wait, 0);
}

/* --- broadcasts --- */

static void fan_send(struct member *member, void *message)
{
    socket_send_message(container_of(member, struct sio_socket, member), message);
}

static void fan_ref(void *message)
{
    sio_message_ref(message);
}

static void fan_unref(void *message)
{
    sio_message_unref(message);
}

static uint64_t fan_now_us(void)
{
    return uv_hrtime() / 1000;
}

static const struct fanout_ops FANOUT_OPS = { fan_send, fan_ref, fan_unref, fan_now_us };

/* --- hooks --- */

static int on_handshake(struct http_request *r, const char **why, void *arg)
{
    const struct sio_server *s = arg;

    return s->hooks.on_handshake(r, why, s->hooks_arg);
}

static void on_foreign(struct http_request *r, struct slice owner, void *arg)
{
    const struct sio_server *s = arg;

    s->hooks.on_foreign(r, owner, s->hooks_arg);
}

static size_t on_headers(struct http_request *r, struct http_header *out, size_t max, void *arg)
{
    const struct sio_server *s = arg;

    return s->hooks.on_headers(r, out, max, s->hooks_arg);
}

void sio_server_hooks(struct sio_server *s, const struct sio_hooks *hooks, void *arg)
{
    s->hooks = *hooks;
    s->hooks_arg = arg;
    s->eio_handlers.on_handshake = hooks->on_handshake == NULL ? NULL : on_handshake;
    s->eio_handlers.on_foreign = hooks->on_foreign == NULL ? NULL : on_foreign;
    s->eio_handlers.on_headers = hooks->on_headers == NULL ? NULL : on_headers;
}

/* --- metrics --- */

static double read_sockets(void *arg)
{
    const struct sio_server *s = arg;
    double n = 0;

    for (const struct sio_namespace *ns = s->namespaces; ns != NULL; ns = ns->hh.next)
        n += (double)sio_namespace_size(ns);
    return n;
}

static double read_rooms(void *arg)
{
    const struct sio_server *s = arg;
    double n = 0;

    for (const struct sio_namespace *ns = s->namespaces; ns != NULL; ns = ns->hh.next)
        n += HASH_COUNT(ns->rooms.by_name);
    return n;
}

static double read_waiting_bytes(void *arg)
{
    const struct sio_server *s = arg;

    return (double)s->fanout.waiting_bytes;
}

static double read_forced(void *arg)
{
    const struct sio_server *s = arg;

    return (double)s->fanout.forced;
}

static void counters_init(struct sio_server *s, struct metrics *m)
{
    struct sio_counters *c = &s->counters;

    c->received = metrics_counter(m, "taskwire_sio_messages_received_total", NULL,
                                  "Messages from clients, attachments included");
    c->sent = metrics_counter(m, "taskwire_sio_packets_sent_total", NULL,
                              "Socket.IO packets sent to sockets, one per member of a room");
    c->broadcasts = metrics_counter(m, "taskwire_sio_broadcasts_total", NULL,
                                    "Broadcasts to rooms and namespaces");
    c->bad_packets = metrics_counter(m, "taskwire_sio_bad_packets_total", NULL,
                                     "Clients closed for a packet that is none or out of place");
    c->floods = metrics_counter(m, "taskwire_sio_floods_total", NULL,
                                "Clients closed for too many events per second");
    metrics_read(m, "taskwire_sio_sockets", NULL, "Sockets in namespaces", read_sockets, s);
    metrics_read(m, "taskwire_sio_rooms", NULL, "Rooms with a member", read_rooms, s);
    metrics_read(m, "taskwire_sio_fanout_waiting_bytes", NULL,
                 "Bytes of broadcasts still on their way to rooms", read_waiting_bytes, s);
    metrics_read(m, "taskwire_sio_fanout_forced_total", NULL,
                 "Broadcasts finished at once because too many were on their way", read_forced, s);
}

/* --- life --- */

struct sio_server *sio_server_new(struct net *net, const struct sio_options *options,
                                  struct metrics *metrics)
{
    struct sio_server *s = mem_new(struct sio_server);
    int err;

    s->net = net;
    s->options = *options;
    s->eio_handlers = (struct eio_handlers){
        .on_open = client_on_open, .on_message = client_on_message, .on_close = client_on_close,
    };
    s->ended_tail = &s->ended;
    fanout_init(&s->fanout, &FANOUT_OPS, options->fanout_slice_us, options->fanout_bytes_max);
    deadlines_init(&s->connects);
    deadlines_init(&s->acks);
    list_init(&s->early);
    list_init(&s->receivers);
    pool_init(&s->client_pool, sizeof(struct client));
    pool_init(&s->socket_pool, sizeof(struct sio_socket));
    buf_init(&s->scratch, SCRATCH_BYTES_MAX);
    buf_init(&s->name, SCRATCH_BYTES_MAX);
    err = uv_timer_init(net_loop(net), &s->timer);
    assert(err == 0);
    err = uv_idle_init(net_loop(net), &s->idle);
    assert(err == 0);
    s->timer.data = s->idle.data = s;
    s->handles_open = 2;
    if (metrics != NULL)
        counters_init(s, metrics);
    s->eio = eio_server_new(net, &s->options.eio, &s->eio_handlers, s, metrics);
    return s;
}

struct eio_server *sio_server_eio(struct sio_server *s)
{
    return s->eio;
}

bool sio_server_handle(struct sio_server *s, struct http_request *r)
{
    return !s->is_closing && eio_server_handle(s->eio, r);
}

void sio_server_head(struct sio_server *s, struct http_request *r)
{
    if (!s->is_closing)
        eio_server_head(s->eio, r);
}

static void server_free(struct sio_server *s)
{
    void (*on_closed)(void *arg) = s->on_closed;
    void *arg = s->on_closed_arg;

    namespaces_free(s);
    fanout_deinit(&s->fanout);
    buf_deinit(&s->scratch);
    buf_deinit(&s->name);
    pool_deinit(&s->client_pool);
    pool_deinit(&s->socket_pool);
    free(s);
    if (on_closed != NULL)
        on_closed(arg);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct sio_server *s = handle->data;

    if (--s->handles_open == 0)
        server_free(s);
}

void server_client_gone(struct sio_server *s)
{
    assert(s->clients > 0);
    s->clients--;
    if (!s->is_closing || s->clients != 0)
        return;
    uv_close((uv_handle_t *)&s->timer, on_handle_closed);
    uv_close((uv_handle_t *)&s->idle, on_handle_closed);
}

void sio_server_close(struct sio_server *s, void (*on_closed)(void *arg), void *arg)
{
    if (s->is_closing)
        return;
    s->is_closing = true;
    s->on_closed = on_closed;
    s->on_closed_arg = arg;
    s->clients++;                              /* ourselves, until all have been told */
    receivers_close(s);
    eio_server_close(s->eio);
    server_client_gone(s);
}

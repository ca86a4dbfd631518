/* http_server.c -- the server as a whole: listeners, time, draining, closing.
 *
 * Time-outs cost one timer for all connections. Every phase of a connection has one time-out
 * that is the same for all, so the connections of a phase stand in a list in the order in
 * which they entered it, and the tick looks at the front of three lists. */
#include "common/http_server_internal.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define ANSWER_HEAD_BYTES_MAX (64 * 1024)

const struct http_server_options HTTP_SERVER_DEFAULTS = {
    .header_bytes_max = 16 * 1024,
    .header_count_max = 64,
    .body_bytes_max = 1024 * 1024,
    .head_timeout_ms = 10 * 1000,
    .body_timeout_ms = 30 * 1000,
    .idle_timeout_ms = 75 * 1000,
    .connections_max = 20000,
};

/* --- metrics --- */

/* Labels must outlive the registry, which may outlive the server: they are kept for good, one
 * per name of a server, of which a process has two or three. */
static struct label {
    struct label *next;
    char         *name;
    struct buf    text, refused[HTTP_REFUSAL_COUNT];
} *labels;

static const struct label *label_of(const char *name)
{
    static const char *const REASONS[] = {
#define X(name, reason) [HTTP_REFUSAL_##name] = reason,
        HTTP_REFUSAL_MAP(X)
#undef X
    };
    struct label *l;

    for (l = labels; l != NULL; l = l->next)
        if (strcmp(l->name, name) == 0)
            return l;
    l = mem_new(struct label);
    l->name = mem_strdup(name);
    buf_init(&l->text, 4096);
    buf_printf(&l->text, "server=\"%s\"", name);
    for (int i = 0; i < HTTP_REFUSAL_COUNT; i++) {
        buf_init(&l->refused[i], 4096);
        buf_printf(&l->refused[i], "%s,reason=\"%s\"", l->text.data, REASONS[i]);
    }
    l->next = labels;
    labels = l;
    return l;
}

static void metrics_make(struct http_server *s, struct metrics *m, const struct label *l)
{
    if (m == NULL)
        return;
    s->metric_connections = metrics_gauge(m, "taskwire_http_connections", l->text.data,
                                          "HTTP connections open now");
    s->metric_requests = metrics_counter(m, "taskwire_http_requests_total", l->text.data,
                                         "HTTP requests whose head was read");
    for (int i = 0; i < HTTP_REFUSAL_COUNT; i++)
        s->metric_refused[i] = metrics_counter(m, "taskwire_http_refused_total",
                                               l->refused[i].data,
                                               "Connections and requests refused");
}

static enum http_refusal refusal_of(int status)
{
    switch (status) {
    case 408: return HTTP_REFUSAL_TOO_SLOW;
    case 413: return HTTP_REFUSAL_TOO_LARGE;
    case 431: return HTTP_REFUSAL_HEAD_TOO_LARGE;
    case 503: return HTTP_REFUSAL_TOO_MANY;
    default:  return HTTP_REFUSAL_MALFORMED;
    }
}

void http_server_count_refused(struct http_server *s, int status)
{
    struct metric *m = s->metric_refused[refusal_of(status)];

    if (m != NULL)
        metric_inc(m);
}

/* --- time --- */

static uint64_t timeout_of(const struct http_server *s, enum conn_phase phase)
{
    switch (phase) {
    case CONN_IDLE: return s->is_draining ? CONN_FRESH_MS : s->options.idle_timeout_ms;
    case CONN_HEAD: return s->options.head_timeout_ms;
    case CONN_BODY: return s->options.body_timeout_ms;
    default:        return UINT64_MAX;
    }
}

static void expire(struct http_server *s, enum conn_phase phase, uint64_t now_ms)
{
    struct list *head = &s->phases[phase];
    uint64_t     timeout_ms = timeout_of(s, phase);

    while (!list_is_empty(head)) {
        struct http_request *c = container_of(head->next, struct http_request, link);

        if (now_ms - c->since_ms < timeout_ms)
            return;
        http_conn_expired(c);                  /* moves it */
    }
}

static void on_tick(uv_timer_t *handle)
{
    struct http_server *s = container_of(handle, struct http_server, tick);
    uint64_t            now_ms = net_now_ms(s->net);

    expire(s, CONN_IDLE, now_ms);
    expire(s, CONN_HEAD, now_ms);
    expire(s, CONN_BODY, now_ms);
    if (s->connections == 0)
        uv_timer_stop(handle);
}

static void on_turn(uv_timer_t *handle)
{
    struct http_server *s = container_of(handle, struct http_server, turn);
    struct list         batch = LIST_INIT(batch);
    struct list        *node;

    list_splice(&batch, &s->ready);
    while ((node = list_take_first(&batch)) != NULL)
        http_conn_go_on(container_of(node, struct http_request, ready));
}

/* A quarter of the shortest time-out, within reason. */
static uint64_t tick_of(const struct http_server_options *o)
{
    uint64_t ms = o->idle_timeout_ms;

    if (o->head_timeout_ms < ms)
        ms = o->head_timeout_ms;
    if (o->body_timeout_ms < ms)
        ms = o->body_timeout_ms;
    ms /= 4;
    return ms < 5 ? 5 : ms > 1000 ? 1000 : ms;
}

/* --- life --- */

struct http_server *http_server_new(struct net *net, const char *name,
                                    const struct http_server_options *options,
                                    const struct http_server_handlers *handlers, void *arg,
                                    struct metrics *metrics)
{
    struct http_server *s = mem_new(struct http_server);
    const struct label *label = label_of(name);

    assert(handlers->on_request != NULL);
    s->net = net;
    s->name = label->name;
    s->handlers = handlers;
    s->arg = arg;
    s->options = options != NULL ? *options : HTTP_SERVER_DEFAULTS;
    s->tick_ms = tick_of(&s->options);
    for (int i = 0; i < CONN_PHASE_COUNT; i++)
        list_init(&s->phases[i]);
    list_init(&s->ready);
    s->refs = 2;
    uv_timer_init(net_loop(net), &s->tick);
    uv_timer_init(net_loop(net), &s->turn);
    buf_init(&s->scratch, ANSWER_HEAD_BYTES_MAX);
    s->date_second = -1;
    s->crlf = rcbuf_copy(SLICE("\r\n"));
    s->last_chunk = rcbuf_copy(SLICE("0\r\n\r\n"));
    metrics_make(s, metrics, label);
    return s;
}

void http_server_unref(struct http_server *s)
{
    assert(s->refs > 0);
    if (--s->refs != 0)
        return;
    buf_deinit(&s->scratch);
    rcbuf_unref(s->crlf);
    rcbuf_unref(s->last_chunk);
    rcbuf_unref(s->chunk_head);
    free(s->listeners);
    free(s);
}

static void on_accept(struct stream *stream, void *arg)
{
    struct http_server *s = arg;

    if (s->connections >= s->options.connections_max) {
        http_server_count_refused(s, 503);     /* it is not told: that would be another */
        log_warn("http-connections-full", LOG_TEXT("server", s->name),
                 LOG_NUM("connections", s->connections));
        stream_close(stream);
        return;
    }
    if (!uv_is_active((uv_handle_t *)&s->tick))
        uv_timer_start(&s->tick, on_tick, s->tick_ms, s->tick_ms);
    http_conn_new(s, stream);
}

static void listener_add(struct http_server *s, struct net_listener *l)
{
    s->listeners = mem_resize(s->listeners, (s->listener_count + 1) * sizeof(*s->listeners));
    s->listeners[s->listener_count++] = l;
}

int http_server_listen(struct http_server *s, const char *address, int port)
{
    struct net_listener *l;
    int                  err;

    if (s->is_closing || s->is_draining)
        return ERR_CLOSED;
    err = net_listen(s->net, address, port, s->options.reuse_port, on_accept, s, &l);
    if (err == 0)
        listener_add(s, l);
    return err;
}

int http_server_listen_on(struct http_server *s, int fd)
{
    struct net_listener *l;
    int                  err = net_listen_on(s->net, fd, on_accept, s, &l);

    if (err == 0)
        listener_add(s, l);
    return err;
}

int http_server_port(const struct http_server *s)
{
    return s->listener_count == 0 ? 0
                                  : net_listener_port(s->listeners[s->listener_count - 1]);
}

static void close_listeners(struct http_server *s)
{
    while (s->listener_count != 0)
        net_listener_close(s->listeners[--s->listener_count]);
}

void http_server_wind_down(struct http_server *s)
{
    s->is_winding_down = true;
}

void http_server_drain(struct http_server *s)
{
    if (s->is_draining || s->is_closing)
        return;
    s->is_draining = true;
    http_server_wind_down(s);
    close_listeners(s);
    for (int i = 0; i < CONN_DONE; i++)
        list_each_safe(node, &s->phases[i])
            http_conn_drain(container_of(node, struct http_request, link));
}

static void on_server_handle_closed(uv_handle_t *handle)
{
    http_server_unref(handle->data);
}

void http_server_close(struct http_server *s)
{
    if (s->is_closing)
        return;
    s->is_closing = true;
    close_listeners(s);
    for (int i = 0; i < CONN_PHASE_COUNT; i++)
        list_each(node, &s->phases[i])
            stream_close(container_of(node, struct http_request, link)->stream);
    s->tick.data = s;
    s->turn.data = s;
    uv_close((uv_handle_t *)&s->tick, on_server_handle_closed);
    uv_close((uv_handle_t *)&s->turn, on_server_handle_closed);
}

size_t http_server_connections(const struct http_server *s)
{
    return s->connections;
}

/* Connections with pipelined requests go on in the next turn, not inside the answer. */
void http_server_wake(struct http_server *s, struct http_request *c)
{
    if (s->is_closing || !list_is_empty(&c->ready))
        return;
    list_append(&s->ready, &c->ready);
    if (!uv_is_active((uv_handle_t *)&s->turn))
        uv_timer_start(&s->turn, on_turn, 0, 0);
}

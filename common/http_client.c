/* http_client.c -- see http_client.h.
 *
 * A call waits in the queue until a connection is free for it, kept or new; one call per
 * connection at a time (a pipelined answer waits behind a slow one, and cannot be retried).
 * Kept connections are taken last in, first out, so that those not needed grow old and are
 * closed before the server does it under a request's feet.
 *
 * That race cannot be closed wholly: a server may end a kept connection while a request is on
 * its way. Then the answer is an end of file without a byte before it, and the call is made
 * once more, on a new connection, if that can do no harm. All other kept ones are closed with
 * it: most likely the server was restarted. A call that ended without a byte because its time
 * was over has all that are free closed, too: where one connection hangs, others may.
 *
 * Time is one timer for all calls, armed for the earliest deadline; scanning is by the
 * number of calls under way, a few thousand at most. */
#include "common/http_client.h"

#include <assert.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/http_client_request.h"
#include "common/http_parser.h"
#include "common/list.h"
#include "common/mem.h"

#define HEAD_BYTES_MAX  (64 * 1024)            /* of a request's head, and of an answer's */
#define HEADERS_MAX     128
#define IDLE_MS         (30 * 1000)            /* well under what servers keep (ours: 75 s) */
#define BODY_KEPT_BYTES (64 * 1024)

const struct http_client_options HTTP_CLIENT_DEFAULTS = {
    .connect_timeout_ms = 2 * 1000,
    .timeout_ms = 10 * 1000,
    .connections_max = 32,
    .queue_max = 4096,
    .answer_bytes_max = 64 * 1024 * 1024,
};

struct http_client {
    struct net                *net;
    struct http_client_options options;
    char                      *host;
    int                        port;
    struct buf                 authority;      /* the Host header */
    struct buf                 scratch;        /* for requests' heads */
    struct list                queue;          /* calls without a connection */
    struct list                idle;           /* connections without a call, oldest first */
    struct list                busy;
    size_t                     queued;
    size_t                     connections;    /* until their on_close */
    size_t                     connecting;
    size_t                     refs;           /* connections, connects, the timer */
    uint64_t                   next_seq;
    uint64_t                   armed_ms;       /* when the timer fires; UINT64_MAX: never */
    uv_timer_t                 timer;
    bool                       is_delivering;  /* pump when the callback has returned */
    bool                       is_closing;
};

struct http_call {
    struct list         link;                  /* in client->queue */
    struct http_client *client;
    struct conn        *conn;                  /* NULL while queued */
    struct rcbuf       *bytes;
    http_client_cb     *cb;
    void               *arg;
    uint64_t            seq;
    uint64_t            deadline_ms;
    int                 fate;                  /* what the deadline means */
    enum http_method    method;
    bool                is_retried;            /* only a new connection will do */
};

struct conn {
    struct list         link;                  /* in client->idle or busy; none when closing */
    struct http_client *client;
    struct stream      *stream;
    struct http_parser *parser;
    struct http_call   *call;
    struct buf          body;
    uint64_t            idle_since_ms;
    bool                is_reused;
    bool                has_bytes;             /* of the answer */
};

static void pump(struct http_client *c);
static void arm(struct http_client *c, uint64_t at_ms);

static void client_unref(struct http_client *c)
{
    assert(c->refs > 0);
    if (--c->refs != 0)
        return;
    buf_deinit(&c->authority);
    buf_deinit(&c->scratch);
    free(c->host);
    free(c);
}

/* --- the one exit of a call --- */

static void call_done(struct http_call *call, int err, const struct http_result *result)
{
    http_client_cb *cb = call->cb;
    void           *arg = call->arg;

    if (call->conn != NULL)
        call->conn->call = NULL;
    else
        call->client->queued--;
    list_remove(&call->link);
    rcbuf_unref(call->bytes);
    free(call);
    if (cb != NULL)
        cb(err, result, arg);
}

/* The connection cannot be used any more; its on_close counts it out. */
static void conn_drop(struct conn *conn)
{
    list_remove(&conn->link);
    stream_close(conn->stream);
}

static void call_fail(struct http_call *call, int err)
{
    if (call->conn != NULL)
        conn_drop(call->conn);
    call_done(call, err, NULL);
}

/* --- answers --- */

static void conn_make_idle(struct conn *conn)
{
    struct http_client *c = conn->client;

    http_parser_next(conn->parser);
    if (conn->body.cap > BODY_KEPT_BYTES)
        buf_deinit(&conn->body);
    else
        buf_reset(&conn->body);
    conn->is_reused = true;
    conn->has_bytes = false;
    conn->idle_since_ms = net_now_ms(c->net);
    list_remove(&conn->link);
    list_append(&c->idle, &conn->link);
    arm(c, conn->idle_since_ms + IDLE_MS);
}

/* The answer is whole. `is_clean`: nothing came behind it. */
static void deliver(struct conn *conn, bool is_clean)
{
    struct http_client     *c = conn->client;
    const struct http_head *h = http_parser_head(conn->parser);
    struct http_result      result = { h->status, h->headers, h->header_count,
                                       buf_peek(&conn->body) };
    bool keep = is_clean && h->keep_alive && stream_queued_bytes(conn->stream) == 0;

    c->is_delivering = true;
    call_done(conn->call, 0, &result);
    c->is_delivering = false;
    if (c->is_closing || stream_is_closing(conn->stream))
        return;
    if (keep)
        conn_make_idle(conn);
    else
        conn_drop(conn);
    pump(c);
}

static int on_head(const struct conn *conn)
{
    const struct http_head *h = http_parser_head(conn->parser);

    if (h->status == 101)
        return ERR_FRAME;                      /* nobody asked for another protocol */
    if (h->content_length != HTTP_LENGTH_UNKNOWN &&
        h->content_length > conn->client->options.answer_bytes_max)
        return ERR_TOO_BIG;
    return 0;
}

/* An interim answer (1xx) is over; the real one follows. */
static void on_interim(struct conn *conn)
{
    http_parser_next(conn->parser);
    if (conn->call->method == HTTP_HEAD)
        http_parser_expect_no_body(conn->parser);
}

/* Feed until the answer is whole (returns 1), more is needed (0), or it is wrong (negative). */
static int read_answer(struct conn *conn, struct slice *in)
{
    struct slice piece;
    int          err;

    for (;;) {
        switch (http_parser_feed(conn->parser, in, &piece)) {
        case HTTP_PARSER_HEAD:
            err = on_head(conn);
            break;
        case HTTP_PARSER_BODY:
            err = buf_append_slice(&conn->body, piece);
            break;
        case HTTP_PARSER_END:
            if (http_parser_head(conn->parser)->status >= 200)
                return 1;
            on_interim(conn);
            err = 0;
            break;
        case HTTP_PARSER_REFUSED:
            return ERR_FRAME;
        default:
            return 0;
        }
        if (err != 0)
            return err;
    }
}

static void on_data(struct stream *stream, struct slice data, void *arg)
{
    struct conn *conn = arg;
    int          got;

    (void)stream;
    if (conn->call == NULL) {
        conn_drop(conn);                       /* an answer to nothing */
        return;
    }
    conn->has_bytes = true;
    got = read_answer(conn, &data);
    if (got == 1)
        deliver(conn, data.len == 0);
    else if (got < 0)
        call_fail(conn->call, got);
}

static bool may_retry(const struct conn *conn)
{
    const struct http_call *call = conn->call;

    return conn->is_reused && !conn->has_bytes && !call->is_retried &&
           (http_client_is_idempotent(call->method) ||
            stream_queued_bytes(conn->stream) >= call->bytes->len);
}

void http_client_drop_idle(struct http_client *c)
{
    list_each_safe(node, &c->idle)
        conn_drop(container_of(node, struct conn, link));
}

static void retry(struct http_call *call)
{
    struct http_client *c = call->client;

    call->conn->call = NULL;
    call->conn = NULL;
    call->is_retried = true;
    list_insert_before(c->queue.next, &call->link);
    c->queued++;
    http_client_drop_idle(c);
}

/* What a lost connection means for its call. */
static void on_lost(struct conn *conn, int err)
{
    struct http_call *call = conn->call;

    list_remove(&conn->link);
    if (call == NULL)
        return;
    if (may_retry(conn))
        retry(call);
    else
        call_done(call, err == UV_EOF && conn->has_bytes ? ERR_FRAME : err, NULL);
}

static void on_end(struct stream *stream, void *arg)
{
    struct conn *conn = arg;

    if (conn->call != NULL && http_parser_finish(conn->parser) == HTTP_PARSER_END) {
        deliver(conn, false);                  /* a body that lasts until the end */
        return;
    }
    on_lost(conn, UV_EOF);
    stream_close(stream);
}

static void on_close(struct stream *stream, int err, void *arg)
{
    struct conn        *conn = arg;
    struct http_client *c = conn->client;

    (void)stream;
    on_lost(conn, err != 0 ? err : ERR_CLOSED);
    http_parser_free(conn->parser);
    buf_deinit(&conn->body);
    free(conn);
    c->connections--;
    pump(c);
    client_unref(c);
}

static const struct stream_ops STREAM_OPS = {
    .on_data = on_data, .on_end = on_end, .on_close = on_close,
};

/* --- connections --- */

static void conn_new(struct http_client *c, struct stream *stream)
{
    static const struct http_parser_limits LIMITS = { HEAD_BYTES_MAX, HEADERS_MAX };
    struct conn *conn = mem_new(struct conn);

    conn->client = c;
    conn->stream = stream;
    conn->parser = http_parser_new(HTTP_PARSER_RESPONSES, &LIMITS);
    buf_init(&conn->body, c->options.answer_bytes_max);
    c->connections++;
    c->refs++;
    conn->idle_since_ms = net_now_ms(c->net);
    list_init(&conn->link);
    list_append(&c->idle, &conn->link);
    arm(c, conn->idle_since_ms + IDLE_MS);
    stream_start(stream, &STREAM_OPS, conn);
}

/* An attempt failed. Where no connection works, none of those that wait now has a chance;
 * else those can go on waiting, but for one: the failure must reach somebody. */
static void connect_failed(struct http_client *c, int err)
{
    uint64_t last = c->next_seq;
    bool     all = list_is_empty(&c->busy);

    while (!list_is_empty(&c->queue)) {
        struct http_call *call = container_of(c->queue.next, struct http_call, link);

        if (call->seq >= last)
            return;                            /* made by a callback just now */
        call_done(call, err, NULL);
        if (!all)
            return;
    }
}

static void on_connect(int err, struct stream *stream, void *arg)
{
    struct http_client *c = arg;

    c->connecting--;
    if (c->is_closing) {
        if (stream != NULL)
            stream_close(stream);
    } else {
        if (err == 0)
            conn_new(c, stream);
        else
            connect_failed(c, err);
        pump(c);
    }
    client_unref(c);
}

static void assign(struct http_call *call, struct conn *conn)
{
    struct http_client *c = call->client;

    list_remove(&call->link);
    c->queued--;
    call->conn = conn;
    conn->call = call;
    list_remove(&conn->link);
    list_append(&c->busy, &conn->link);
    if (call->method == HTTP_HEAD)
        http_parser_expect_no_body(conn->parser);
    (void)stream_send(conn->stream, call->bytes);  /* refused: on_close says it */
}

/* The youngest connection that is free, of those that `call` may use. */
static struct conn *idle_conn_for(struct http_client *c, const struct http_call *call)
{
    for (struct list *node = c->idle.prev; node != &c->idle;) {
        struct conn *conn = container_of(node, struct conn, link);

        node = node->prev;
        if (stream_is_closing(conn->stream))
            list_remove(&conn->link);          /* its on_close is on the way */
        else if (!call->is_retried || !conn->is_reused)
            return conn;
    }
    return NULL;
}

static void connect_one(struct http_client *c)
{
    int err = net_connect(c->net, c->host, c->port, c->options.connect_timeout_ms,
                          on_connect, c);

    if (err == 0) {
        c->connecting++;
        c->refs++;
    } else {
        struct http_call *call = container_of(c->queue.next, struct http_call, link);

        call->fate = err;                      /* not from inside the call: the timer tells */
        call->deadline_ms = 0;
        arm(c, 0);
    }
}

/* Give calls to free connections, and make as many connections as calls still wait. */
static void pump(struct http_client *c)
{
    if (c->is_closing || c->is_delivering)
        return;
    list_each_safe(node, &c->queue) {
        struct http_call *call = container_of(node, struct http_call, link);
        struct conn      *conn = idle_conn_for(c, call);

        if (conn != NULL)
            assign(call, conn);
        else if (list_is_empty(&c->idle))
            break;
    }
    /* A retried call that the pool's last place is kept from by an idle connection. */
    if (c->queued > c->connecting && c->connections + c->connecting >= c->options.connections_max)
        http_client_drop_idle(c);
    for (size_t wanted = c->queued > c->connecting ? c->queued - c->connecting : 0;
         wanted != 0 && c->connections + c->connecting < c->options.connections_max; wanted--)
        connect_one(c);
}

/* --- time --- */

static void on_timer(uv_timer_t *handle);

static void arm(struct http_client *c, uint64_t at_ms)
{
    uint64_t now_ms = net_now_ms(c->net);

    if (c->is_closing || at_ms >= c->armed_ms)
        return;
    c->armed_ms = at_ms;
    uv_timer_start(&c->timer, on_timer, at_ms > now_ms ? at_ms - now_ms : 0, 0);
}

static struct http_call *expired_call(struct http_client *c, uint64_t now_ms)
{
    list_each(node, &c->queue) {
        struct http_call *call = container_of(node, struct http_call, link);

        if (call->deadline_ms <= now_ms)
            return call;
    }
    list_each(node, &c->busy) {
        struct http_call *call = container_of(node, struct conn, link)->call;

        if (call != NULL && call->deadline_ms <= now_ms)
            return call;
    }
    return NULL;
}

static void rearm(struct http_client *c)
{
    c->armed_ms = UINT64_MAX;
    list_each(node, &c->queue)
        arm(c, container_of(node, struct http_call, link)->deadline_ms);
    list_each(node, &c->busy) {
        struct http_call *call = container_of(node, struct conn, link)->call;

        if (call != NULL)
            arm(c, call->deadline_ms);
    }
    if (!list_is_empty(&c->idle))
        arm(c, container_of(c->idle.next, struct conn, link)->idle_since_ms + IDLE_MS);
}

static void on_timer(uv_timer_t *handle)
{
    struct http_client *c = container_of(handle, struct http_client, timer);
    uint64_t            now_ms = net_now_ms(c->net);
    struct http_call   *call;

    while (!c->is_closing && (call = expired_call(c, now_ms)) != NULL) {
        if (call->conn != NULL && !call->conn->has_bytes)
            http_client_drop_idle(c);
        call_fail(call, call->fate);
    }
    if (c->is_closing)
        return;
    list_each_safe(node, &c->idle) {
        struct conn *conn = container_of(node, struct conn, link);

        if (conn->idle_since_ms + IDLE_MS <= now_ms)
            conn_drop(conn);
    }
    pump(c);
    rearm(c);
}

/* --- the public half --- */

struct http_client *http_client_new(struct net *net, const char *origin,
                                    const struct http_client_options *options)
{
    struct http_client *c;
    struct http_url     url;

    if (http_url_parse(origin, 80, &url) != 0 || !slice_is(url.scheme, "http") ||
        url.user.len != 0 || (url.path.len != 0 && !slice_is(url.path, "/")))
        return NULL;
    c = mem_new(struct http_client);
    c->net = net;
    c->options = options != NULL ? *options : HTTP_CLIENT_DEFAULTS;
    c->host = mem_strndup(url.host.data, url.host.len);
    c->port = url.port;
    buf_init(&c->authority, 1024);
    buf_printf(&c->authority, strchr(c->host, ':') != NULL ? "[%s]:%d" : "%s:%d", c->host,
               c->port);
    buf_init(&c->scratch, HEAD_BYTES_MAX);
    list_init(&c->queue);
    list_init(&c->idle);
    list_init(&c->busy);
    c->armed_ms = UINT64_MAX;
    c->refs = 1;
    uv_timer_init(net_loop(net), &c->timer);
    return c;
}

static void on_client_timer_closed(uv_handle_t *handle)
{
    client_unref(handle->data);
}

void http_client_close(struct http_client *c)
{
    if (c->is_closing)
        return;
    c->is_closing = true;
    while (!list_is_empty(&c->queue))
        call_done(container_of(c->queue.next, struct http_call, link), ERR_CLOSED, NULL);
    http_client_drop_idle(c);
    while (!list_is_empty(&c->busy)) {
        struct conn *conn = container_of(c->busy.next, struct conn, link);

        conn_drop(conn);
        if (conn->call != NULL)
            call_done(conn->call, ERR_CLOSED, NULL);
    }
    c->timer.data = c;
    uv_close((uv_handle_t *)&c->timer, on_client_timer_closed);
}

int http_client_call(struct http_client *c, const struct http_call_options *o,
                     http_client_cb *cb, void *arg, struct http_call **out)
{
    struct http_call *call;
    struct rcbuf     *bytes;
    int               err;

    if (c->is_closing)
        return ERR_CLOSED;
    if (c->queued >= c->options.queue_max)
        return ERR_BUSY;
    err = http_client_request(o, buf_peek(&c->authority), &c->scratch, &bytes);
    if (err != 0)
        return err;
    call = mem_new(struct http_call);
    call->client = c;
    call->bytes = bytes;
    call->cb = cb;
    call->arg = arg;
    call->seq = c->next_seq++;
    call->method = o->method;
    call->fate = ERR_TIMEOUT;
    call->deadline_ms = net_now_ms(c->net) +
                        (o->timeout_ms != 0 ? o->timeout_ms : c->options.timeout_ms);
    list_init(&call->link);
    list_append(&c->queue, &call->link);
    c->queued++;
    if (out != NULL)
        *out = call;
    arm(c, call->deadline_ms);
    pump(c);
    return 0;
}

void http_call_cancel(struct http_call *call)
{
    struct http_client *c = call->client;

    call->cb = NULL;
    call_fail(call, ERR_CLOSED);
    pump(c);
}

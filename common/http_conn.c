/* http_conn.c -- one connection of the server, from accept to close, and its request.
 *
 * A connection is at one request at a time, so connection and request are one struct; what a
 * client pipelines behind it waits as bytes, parsed only when the answer before it is out, and
 * bounded: past a limit we stop reading, and the client's own kernel holds the rest. The same
 * where it does not read its answers. While a request is pending we do read on, because that
 * is the only way to learn that the client has gone away.
 *
 * An answer may come from inside a handler, from inside the loop that parses (feed). Then the
 * state changes under that loop, which looks at it anew after every event; nobody parses from
 * inside an answer, so a thousand pipelined requests do not nest. */
#include "common/http_server_internal.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define BODY_KEPT_BYTES 4096                   /* memory kept for the next request */

static bool may_parse(const struct http_request *c)
{
    return c->stream != NULL && !c->is_blocked && c->phase <= CONN_BODY &&
           !stream_is_closing(c->stream);
}

static bool is_outstanding(const struct http_request *c)
{
    return c->phase == CONN_BUSY || c->phase == CONN_STREAMING;
}

/* --- life --- */

void http_conn_enter(struct http_request *c, enum conn_phase phase)
{
    c->phase = phase;
    c->is_fresh = c->is_fresh && phase == CONN_IDLE;
    c->since_ms = net_now_ms(c->server->net);
    list_remove(&c->link);
    if (c->stream != NULL)
        list_append(&c->server->phases[phase], &c->link);
}

void http_conn_leave(struct http_request *c)
{
    struct http_server *s = c->server;

    c->stream = NULL;
    list_remove(&c->link);
    list_remove(&c->ready);
    s->connections--;
    if (s->metric_connections != NULL)
        metric_set(s->metric_connections, (double)s->connections);
}

void http_conn_free(struct http_request *c)
{
    struct http_server *s = c->server;

    assert(c->stream == NULL);
    http_parser_free(c->parser);
    buf_deinit(&c->body);
    buf_deinit(&c->pending);
    free(c);
    http_server_unref(s);
}

void http_conn_finish(struct http_request *c)
{
    http_conn_enter(c, CONN_DONE);
    stream_finish(c->stream, CONN_LINGER_MS);
}

static void cut(struct http_request *c)
{
    http_conn_enter(c, CONN_DONE);
    stream_close(c->stream);
}

/* --- requests --- */

/* The request comes to nothing. Its owner, if on_head or on_request made one, hears of it. */
static void tell_gone(struct http_request *c)
{
    http_gone_cb *gone = c->gone;

    c->gone = NULL;
    if (gone != NULL)
        gone(c, c->gone_arg);
}

static void refuse(struct http_request *c, int status)
{
    tell_gone(c);
    http_server_count_refused(c->server, status);
    log_debug("http-refused", LOG_TEXT("server", c->server->name), LOG_NUM("status", status));
    c->close_after = true;
    if (c->is_discarding)                      /* this request has its answer */
        http_conn_finish(c);
    else
        http_conn_send_refusal(c, status);
}

/* "/a?b" and "http://host/a?b" (RFC 9112 §3.2.2). */
static void split_target(struct http_request *c)
{
    struct slice rest = http_parser_head(c->parser)->target;

    if (rest.len != 0 && rest.data[0] != '/' && c->method != HTTP_METHOD_COUNT &&
        !slice_is(rest, "*")) {
        const char *slash = NULL;
        size_t      at = 0;

        while (at < rest.len && rest.data[at] != ':')
            at++;
        rest = slice_from(rest, at + 3);
        at = 0;
        while (at < rest.len && rest.data[at] != '/' && rest.data[at] != '?')
            at++;
        slash = at < rest.len && rest.data[at] == '/' ? rest.data + at : NULL;
        rest = slice_from(rest, at);
        if (slash == NULL) {
            c->path = SLICE("/");
            c->query = slice_from(rest, 1);
            return;
        }
    }
    c->path = slice_cut(&rest, '?');
    c->query = rest;
}

static bool expects_continue(const struct http_request *c)
{
    const struct http_head *h = http_parser_head(c->parser);

    return h->has_body && h->minor == 1 &&
           slice_is_nocase(http_header_find(h->headers, h->header_count, "expect"),
                           "100-continue");
}

/* RFC 9110 §10.1.1: the client waits for our word before it sends the body. */
static void on_expectation(struct http_request *c)
{
    const struct http_head *h = http_parser_head(c->parser);

    if (h->content_length != HTTP_LENGTH_UNKNOWN && h->content_length > c->body_max)
        refuse(c, 413);                        /* a body may or may not follow: so close */
    else
        (void)stream_send_copy(c->stream, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
}

static void on_head(struct http_request *c, struct slice rest)
{
    struct http_server     *s = c->server;
    const struct http_head *h = http_parser_head(c->parser);

    http_conn_enter(c, CONN_BODY);
    c->method = http_method_parse(h->method);
    c->body_max = s->options.body_bytes_max;
    c->is_whole = !h->has_body;
    c->close_after = !h->keep_alive || h->minor == 0 || s->is_winding_down;
    split_target(c);
    if (s->metric_requests != NULL)
        metric_inc(s->metric_requests);
    if (s->handlers->on_head != NULL)
        s->handlers->on_head(c, s->arg);
    if (c->stream != NULL && c->phase == CONN_BODY && rest.len == 0 && expects_continue(c))
        on_expectation(c);
}

static void on_body(struct http_request *c, struct slice piece)
{
    if (c->is_discarding) {
        c->discarded += piece.len;
        if (c->discarded > CONN_DISCARD_BYTES)
            cut(c);
        return;
    }
    if (piece.len <= c->body_max && c->body.len <= c->body_max - piece.len) {
        buf_append_slice(&c->body, piece);
        return;
    }
    /* Answer now, but read the rest away: a client that is still sending would otherwise
     * find its connection reset before it reads the answer, and lose the connection too. */
    http_server_count_refused(c->server, 413);
    tell_gone(c);
    c->is_discarding = true;
    buf_deinit(&c->body);
    http_conn_send_refusal(c, 413);
}

static void next_request(struct http_request *c)
{
    http_parser_next(c->parser);
    if (c->body.cap > BODY_KEPT_BYTES)
        buf_deinit(&c->body);
    else
        buf_reset(&c->body);
    c->is_discarding = false;
    c->discarded = 0;
    c->queued_seen = 0;
    http_conn_enter(c, CONN_IDLE);
}

static void on_whole(struct http_request *c)
{
    c->is_whole = true;
    if (c->is_discarding) {
        next_request(c);
        return;
    }
    http_conn_enter(c, CONN_BUSY);
    c->server->handlers->on_request(c, c->server->arg);
}

void http_conn_answered(struct http_request *c)
{
    c->gone = NULL;
    if (c->stream == NULL) {
        http_conn_free(c);
        return;
    }
    if (c->is_discarding && !c->close_after && !c->is_whole)
        return;                                /* a 413: the rest of the body comes first */
    if (c->close_after || !c->is_whole) {
        http_conn_finish(c);
        return;
    }
    next_request(c);
    c->is_blocked = stream_queued_bytes(c->stream) > STREAM_LOW_MARK;
    if (c->input == NULL && (c->pending.len != 0 || c->is_ended || c->is_paused))
        http_server_wake(c->server, c);
}

/* --- bytes --- */

static void keep_pending(struct http_request *c, struct slice rest)
{
    if (rest.len == 0 || c->phase == CONN_DONE)
        return;
    if (buf_append_slice(&c->pending, rest) != 0) {
        cut(c);                                /* cannot be: reading was paused long before */
        return;
    }
    if (c->pending.len >= CONN_PENDING_BYTES && !c->is_paused) {
        c->is_paused = true;
        stream_pause(c->stream);
    }
}

/* One event of the parser. Returns false where there is nothing more to do now. */
static bool feed_one(struct http_request *c, struct slice *in)
{
    struct slice piece;

    if (c->phase == CONN_IDLE && in->len != 0)
        http_conn_enter(c, CONN_HEAD);
    switch (http_parser_feed(c->parser, in, &piece)) {
    case HTTP_PARSER_HEAD:
        on_head(c, *in);
        return true;
    case HTTP_PARSER_BODY:
        on_body(c, piece);
        return true;
    case HTTP_PARSER_END:
        on_whole(c);
        return true;
    case HTTP_PARSER_REFUSED:
        refuse(c, http_parser_refusal(c->parser));
        return false;
    default:
        return false;
    }
}

/* Parse `in`. Afterwards `c` may be gone: returns false then. */
static bool feed(struct http_request *c, struct slice in)
{
    c->input = &in;
    while (may_parse(c) && (in.len != 0 || c->phase == CONN_BODY))
        if (!feed_one(c, &in))
            break;
    c->input = NULL;
    if (c->stream == NULL) {
        http_conn_free(c);                     /* taken by a handler */
        return false;
    }
    keep_pending(c, in);
    return true;
}

void http_conn_go_on(struct http_request *c)
{
    struct buf bytes = c->pending;
    bool       is_alive = true;

    if (!may_parse(c))
        return;
    if (bytes.len != 0) {
        buf_init(&c->pending, bytes.max);
        is_alive = feed(c, buf_peek(&bytes));
        buf_deinit(&bytes);
    }
    if (!is_alive || stream_is_closing(c->stream))
        return;
    if (c->is_ended && c->pending.len == 0 && may_parse(c)) {
        http_conn_finish(c);                   /* it has all its answers */
    } else if (c->is_paused && c->pending.len < CONN_PENDING_BYTES) {
        c->is_paused = false;
        stream_resume(c->stream);
    }
}

/* --- what the stream says --- */

static void on_data(struct stream *stream, struct slice data, void *arg)
{
    struct http_request *c = arg;

    (void)stream;
    if (may_parse(c) && c->pending.len == 0)
        feed(c, data);
    else
        keep_pending(c, data);
}

static void on_end(struct stream *stream, void *arg)
{
    struct http_request *c = arg;

    (void)stream;
    c->is_ended = true;
    if (c->gone != NULL) {
        cut(c);
        tell_gone(c);
    } else if (is_outstanding(c) || c->pending.len != 0) {
        return;                                /* it may still read: go_on finishes */
    } else if (c->phase == CONN_IDLE) {
        http_conn_finish(c);
    } else {
        cut(c);
    }
}

static void on_drain(struct stream *stream, void *arg)
{
    struct http_request *c = arg;

    (void)stream;
    if (!c->is_blocked)
        return;
    c->is_blocked = false;
    http_conn_go_on(c);
}

static void on_close(struct stream *stream, int err, void *arg)
{
    struct http_request *c = arg;

    (void)stream;
    (void)err;
    http_conn_leave(c);
    if (is_outstanding(c) && c->gone == NULL)
        return;                                /* its owner does not know: freed by the answer */
    c->phase = CONN_DONE;
    tell_gone(c);
    http_conn_free(c);
}

static const struct stream_ops STREAM_OPS = {
    .on_data = on_data, .on_end = on_end, .on_drain = on_drain, .on_close = on_close,
};

void http_conn_new(struct http_server *s, struct stream *stream)
{
    struct http_request      *c = mem_new(struct http_request);
    struct http_parser_limits limits = { s->options.header_bytes_max,
                                         (uint32_t)s->options.header_count_max };

    c->server = s;
    s->refs++;
    s->connections++;
    if (s->metric_connections != NULL)
        metric_set(s->metric_connections, (double)s->connections);
    c->stream = stream;
    c->is_fresh = true;
    list_init(&c->link);
    list_init(&c->ready);
    c->parser = http_parser_new(HTTP_PARSER_REQUESTS, &limits);
    buf_init(&c->body, SIZE_MAX / 2);          /* body_max is what limits it */
    buf_init(&c->pending, 4 * CONN_PENDING_BYTES + 64 * 1024);
    http_conn_enter(c, CONN_IDLE);
    stream_start(stream, &STREAM_OPS, c);
}

/* --- time and ending --- */

static void idle_expired(struct http_request *c)
{
    size_t queued = stream_queued_bytes(c->stream);

    if (queued != 0 && (c->queued_seen == 0 || queued < c->queued_seen)) {
        c->queued_seen = queued;               /* still fetching a long answer */
        http_conn_enter(c, CONN_IDLE);
        return;
    }
    cut(c);
}

void http_conn_expired(struct http_request *c)
{
    if (c->phase == CONN_IDLE) {
        idle_expired(c);
        return;
    }
    if (c->is_discarding) {
        cut(c);
        return;
    }
    refuse(c, 408);
}

/* Who has just connected is about to ask: that is answered, too. */
void http_conn_drain(struct http_request *c)
{
    bool is_new = c->is_fresh && net_now_ms(c->server->net) - c->since_ms < CONN_FRESH_MS;

    c->close_after = true;
    if (c->phase == CONN_IDLE && c->pending.len == 0 && !is_new)
        http_conn_finish(c);
}

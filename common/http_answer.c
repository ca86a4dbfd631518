/* http_answer.c -- requests as their handlers see them: looking, answering, taking over.
 *
 * An answer's head is written into one scratch buffer of the server and copied once; its body
 * is the caller's rcbuf, so a page that a thousand clients fetch is never copied. A streamed
 * chunk is three references: its size line (kept for the next one of the same length, as in a
 * broadcast), the bytes, CR LF. */
#include "common/http_server_internal.h"

#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/mem.h"

/* --- looking --- */

static const struct http_head *head_of(const struct http_request *r)
{
    return http_parser_head(r->parser);
}

enum http_method http_request_method(const struct http_request *r)
{
    return r->method;
}

struct slice http_request_method_text(const struct http_request *r)
{
    return head_of(r)->method;
}

struct slice http_request_target(const struct http_request *r)
{
    return head_of(r)->target;
}

struct slice http_request_path(const struct http_request *r)
{
    return r->path;
}

struct slice http_request_query(const struct http_request *r)
{
    return r->query;
}

struct slice http_request_header(const struct http_request *r, const char *name)
{
    return http_header_find(head_of(r)->headers, head_of(r)->header_count, name);
}

const struct http_header *http_request_headers(const struct http_request *r, size_t *count)
{
    *count = head_of(r)->header_count;
    return head_of(r)->headers;
}

struct slice http_request_body(const struct http_request *r)
{
    return buf_peek(&r->body);
}

void http_request_peer(const struct http_request *r, char out[NET_ADDRESS_SIZE])
{
    out[0] = '\0';
    if (r->stream != NULL)
        stream_peer(r->stream, out);
}

bool http_request_wants_upgrade(const struct http_request *r)
{
    return head_of(r)->upgrade;
}

struct http_server *http_request_server(const struct http_request *r)
{
    return r->server;
}

void http_request_set_body_max(struct http_request *r, size_t bytes)
{
    r->body_max = bytes;
}

void http_request_on_gone(struct http_request *r, http_gone_cb *cb, void *arg)
{
    r->gone = cb;
    r->gone_arg = arg;
}

size_t http_request_queued_bytes(const struct http_request *r)
{
    return r->stream != NULL ? stream_queued_bytes(r->stream) : 0;
}

/* --- heads of answers --- */

/* RFC 9110 §5.6.7, made anew once a second. (strftime would follow the locale.) */
static const char *date_of(struct http_server *s)
{
    static const char *const DAYS[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char *const MONTHS[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    int64_t    now = clock_wall_ms() / 1000;
    time_t     seconds = (time_t)now;
    struct buf text;
    struct tm  t;

    if (now == s->date_second || gmtime_r(&seconds, &t) == NULL)
        return s->date;
    buf_init(&text, sizeof(s->date) - 1);
    buf_printf(&text, "%s, %02d %s %04d %02d:%02d:%02d GMT", DAYS[t.tm_wday], t.tm_mday,
               MONTHS[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    memcpy(s->date, text.data != NULL ? text.data : "", text.len + 1);
    buf_deinit(&text);
    s->date_second = now;
    return s->date;
}

/* Framing is ours alone: a header that contradicts it would be smuggling. */
static bool is_ours(struct slice name)
{
    return slice_is_nocase(name, "content-length") || slice_is_nocase(name, "connection") ||
           slice_is_nocase(name, "transfer-encoding") || slice_is_nocase(name, "date");
}

static bool status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static void append_head(struct http_request *r, const struct http_answer *a,
                        enum http_framing framing)
{
    struct buf *out = &r->server->scratch;

    buf_reset(out);
    buf_append_text(out, "HTTP/1.1 ");
    buf_append_u64(out, (uint64_t)a->status);
    buf_append_char(out, ' ');
    buf_append_text(out, http_status_text(a->status));
    buf_append_text(out, "\r\nDate: ");
    buf_append_text(out, date_of(r->server));
    buf_append_text(out, "\r\n");
    if (a->content_type != NULL)
        http_append_header(out, SLICE("Content-Type"), slice_of(a->content_type));
    for (size_t i = 0; i < a->header_count; i++)
        if (!is_ours(a->headers[i].name))
            http_append_header(out, a->headers[i].name, a->headers[i].value);
    if (framing == FRAMED_BY_LENGTH) {
        buf_append_text(out, "Content-Length: ");
        buf_append_u64(out, a->body != NULL ? a->body->len : 0);
        buf_append_text(out, "\r\n");
    } else if (framing == FRAMED_BY_CHUNKS) {
        buf_append_text(out, "Transfer-Encoding: chunked\r\n");
    }
    buf_append_text(out, r->close_after ? "Connection: close\r\n\r\n" : "\r\n");
}

/* Returns false where the head is past all reason: then it was an empty 500. */
static bool send_head(struct http_request *r, const struct http_answer *a,
                      enum http_framing framing)
{
    struct rcbuf *bytes;
    bool          fits;

    assert(a->status >= 200 && a->status <= 599);
    /* The client must know it before it sends the next request (RFC 9112 §9.6). */
    r->close_after |= a->close || r->server->is_winding_down ||
                      (!r->is_whole && !r->is_discarding);
    append_head(r, a, framing);
    fits = !buf_failed(&r->server->scratch);
    if (!fits)
        append_head(r, &(struct http_answer){ .status = 500 }, FRAMED_BY_LENGTH);
    bytes = buf_rcbuf(&r->server->scratch);
    (void)stream_send(r->stream, bytes);       /* a closed one is told by on_close */
    rcbuf_unref(bytes);
    return fits;
}

/* --- answers --- */

static bool may_answer(const struct http_request *r)
{
    return r->phase == CONN_BODY || r->phase == CONN_BUSY;
}

void http_request_answer(struct http_request *r, const struct http_answer *a)
{
    bool has_body = status_has_body(a->status);

    assert(may_answer(r));
    if (r->stream != NULL &&
        send_head(r, a, has_body ? FRAMED_BY_LENGTH : FRAMED_BY_NOTHING) &&
        has_body && a->body != NULL && r->method != HTTP_HEAD)
        (void)stream_send(r->stream, a->body);
    if (r->stream != NULL && !a->is_one_of_many)
        stream_hurry(r->stream);
    http_conn_answered(r);
}

void http_request_answer_text(struct http_request *r, int status, const char *content_type,
                              struct slice text)
{
    struct rcbuf *body = rcbuf_copy(text);

    http_request_answer(r, &(struct http_answer){ .status = status,
                                                  .content_type = content_type,
                                                  .body = body });
    rcbuf_unref(body);
}

void http_conn_send_refusal(struct http_request *c, int status)
{
    const struct http_server_handlers *h = c->server->handlers;
    struct http_answer                 a = { .status = status };
    bool                               is_head = c->phase == CONN_BODY && c->method == HTTP_HEAD;

    c->gone = NULL;
    if (h->on_refusal != NULL)
        h->on_refusal(status, &a, c->server->arg);
    if (send_head(c, &a, FRAMED_BY_LENGTH) && a.body != NULL && !is_head)
        (void)stream_send(c->stream, a.body);
    rcbuf_unref(a.body);
    http_conn_answered(c);
}

/* --- streamed answers --- */

void http_request_begin(struct http_request *r, const struct http_answer *head)
{
    assert(may_answer(r));
    if (!status_has_body(head->status) || r->method == HTTP_HEAD) {
        r->framing = FRAMED_BY_NOTHING;
    } else if (head_of(r)->minor == 1) {
        r->framing = FRAMED_BY_CHUNKS;
    } else {
        r->framing = FRAMED_BY_CLOSE;
        r->close_after = true;
    }
    if (r->stream != NULL && !send_head(r, head, r->framing))
        r->framing = FRAMED_BY_NOTHING;
    http_conn_enter(r, CONN_STREAMING);
}

static struct rcbuf *chunk_head(struct http_server *s, uint32_t len)
{
    struct buf text;

    if (s->chunk_head != NULL && s->chunk_len == len)
        return s->chunk_head;
    rcbuf_unref(s->chunk_head);
    buf_init(&text, 16);
    buf_printf(&text, "%x\r\n", len);
    s->chunk_head = buf_rcbuf(&text);
    s->chunk_len = len;
    buf_deinit(&text);
    return s->chunk_head;
}

int http_request_write(struct http_request *r, struct rcbuf *bytes)
{
    int err;

    assert(r->phase == CONN_STREAMING);
    if (r->stream == NULL || stream_is_closing(r->stream))
        return ERR_CLOSED;
    if (bytes->len == 0 || r->framing == FRAMED_BY_NOTHING)
        return 0;                              /* an empty chunk would be the end */
    if (r->framing == FRAMED_BY_CLOSE)
        return stream_send(r->stream, bytes);
    err = stream_send(r->stream, chunk_head(r->server, bytes->len));
    if (err == 0)
        err = stream_send(r->stream, bytes);
    if (err == 0)
        err = stream_send(r->stream, r->server->crlf);
    return err;
}

void http_request_end(struct http_request *r)
{
    assert(r->phase == CONN_STREAMING);
    if (r->stream != NULL && r->framing == FRAMED_BY_CHUNKS)
        (void)stream_send(r->stream, r->server->last_chunk);
    http_conn_answered(r);
}

/* --- other ends --- */

void http_request_abort(struct http_request *r)
{
    r->gone = NULL;
    if (r->stream == NULL) {
        http_conn_free(r);
        return;
    }
    http_conn_enter(r, CONN_DONE);
    stream_close(r->stream);
}

struct stream *http_request_take_stream(struct http_request *r, struct buf *rest)
{
    struct stream *stream = r->stream;

    if (stream != NULL) {
        if (r->input != NULL)
            buf_append_slice(rest, *r->input);
        if (r->pending.len != 0)
            buf_append_slice(rest, buf_peek(&r->pending));
        http_conn_leave(r);
    }
    r->gone = NULL;
    if (r->input == NULL)
        http_conn_free(r);                     /* else feed does, when the handler returns */
    return stream;
}

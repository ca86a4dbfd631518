/* http_parser.c -- the door to llhttp; see http_parser.h.
 *
 * The head is collected until its empty line, every line past the gate, and then given to
 * llhttp in one piece. So llhttp's spans are whole, and the slices that a request hands out
 * point into that one copy: no allocation per header. The body is never kept here; llhttp
 * walks over the input and this file stops it (HPE_PAUSED) at each thing there is to tell, so
 * that the caller pulls events and may stop between any two of them.
 *
 * The trailer of a chunked body is not llhttp's: after the last chunk's size the lines go
 * through the gate alone and are forgotten. llhttp 8.1.0 takes "0 CRLF LF" for an end, and
 * folded lines and empty names in a trailer; the gate does not.
 *
 * llhttp is begun anew for every message, so nothing of one can colour the next. */
#include "common/http_parser.h"

#include <assert.h>
#include <llhttp.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/http_gate.h"
#include "common/mem.h"

_Static_assert(LLHTTP_STRICT_MODE == 1, "llhttp's loose mode lets bare CRs through");

/* Beside the body itself, its chunks may cost this much: sizes, extensions, CR LFs. A byte
 * per chunk costs 5. */
#define FRAMING_PER_BODY_BYTE 8

#define HEAD_KEPT_BYTES 4096                   /* a head's memory kept for the next message */

enum parser_state { AT_HEAD, AT_BODY, AT_TRAILER, AT_END, AT_REFUSED };

struct http_parser {
    llhttp_t                  llhttp;
    struct http_gate          gate;
    struct http_parser_limits limits;
    struct buf                raw;             /* the head; its slices point in here */
    struct buf                trailer;         /* the line of it that has not ended yet */
    struct http_head          head;
    struct http_header        field;           /* the one that llhttp is at */
    struct slice              piece;
    size_t                    header_cap;
    size_t                    line_start;      /* in raw */
    size_t                    trailer_bytes;
    uint64_t                  body_bytes;
    uint64_t                  framing_bytes;
    int                       refusal;
    enum http_parser_kind     kind;
    enum parser_state         state;
    bool                      no_body;
    bool                      is_complete;     /* llhttp says so */
    bool                      is_last_chunk;
    bool                      is_paused;       /* llhttp may go on without input */
    bool                      is_to_eof;
};

/* --- what llhttp calls --- */

static int on_method(llhttp_t *l, const char *at, size_t len)
{
    struct http_parser *p = l->data;

    p->head.method = slice_make(at, len);
    return 0;
}

static int on_url(llhttp_t *l, const char *at, size_t len)
{
    struct http_parser *p = l->data;

    p->head.target = slice_make(at, len);
    return 0;
}

static int on_header_field(llhttp_t *l, const char *at, size_t len)
{
    struct http_parser *p = l->data;

    p->field = (struct http_header){ { at, len }, { at + len, 0 } };
    return 0;
}

static int on_header_value(llhttp_t *l, const char *at, size_t len)
{
    struct http_parser *p = l->data;

    while (len != 0 && (at[len - 1] == ' ' || at[len - 1] == '\t'))
        len--;
    p->field.value = slice_make(at, len);
    return 0;
}

static int on_header_value_complete(llhttp_t *l)
{
    struct http_parser *p = l->data;

    if (p->head.header_count == p->header_cap)
        return -1;                             /* more than the gate has counted */
    p->head.headers[p->head.header_count++] = p->field;
    return 0;
}

static bool has_no_body(const struct http_parser *p)
{
    int status = p->llhttp.status_code;

    return p->no_body || (p->kind == HTTP_PARSER_RESPONSES &&
                          (status / 100 == 1 || status == 204 || status == 304));
}

static int on_headers_complete(llhttp_t *l)
{
    struct http_parser *p = l->data;
    struct http_head   *h = &p->head;

    h->status = p->kind == HTTP_PARSER_RESPONSES ? l->status_code : 0;
    h->minor = l->http_minor;
    h->upgrade = (l->flags & F_CONNECTION_UPGRADE) != 0;
    if (has_no_body(p)) {
        h->keep_alive = (l->flags & F_CONNECTION_CLOSE) == 0 &&
                        (l->http_minor == 1 || (l->flags & F_CONNECTION_KEEP_ALIVE) != 0);
        return 1;                              /* F_SKIPBODY */
    }
    h->keep_alive = llhttp_should_keep_alive(l) && l->method != HTTP_CONNECT;
    p->is_to_eof = llhttp_message_needs_eof(l);
    if ((l->flags & F_CHUNKED) || p->is_to_eof)
        h->content_length = HTTP_LENGTH_UNKNOWN;
    else
        h->content_length = l->content_length;
    h->has_body = h->content_length != 0;
    return 0;
}

static int on_body(llhttp_t *l, const char *at, size_t len)
{
    struct http_parser *p = l->data;

    if (len == 0)
        return 0;                              /* a span that goes on after this input */
    p->piece = slice_make(at, len);
    return HPE_PAUSED;
}

static int on_chunk_header(llhttp_t *l)
{
    struct http_parser *p = l->data;

    p->is_last_chunk = l->content_length == 0;
    return p->is_last_chunk ? HPE_PAUSED : 0;
}

static int on_message_complete(llhttp_t *l)
{
    struct http_parser *p = l->data;

    p->is_complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t SETTINGS = {
    .on_method = on_method,
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_message_complete = on_message_complete,
};

/* --- life --- */

struct http_parser *http_parser_new(enum http_parser_kind kind,
                                    const struct http_parser_limits *limits)
{
    struct http_parser *p = mem_new(struct http_parser);

    p->kind = kind;
    p->limits = *limits;
    buf_init(&p->raw, limits->head_bytes_max);
    buf_init(&p->trailer, limits->head_bytes_max);
    http_parser_next(p);
    return p;
}

void http_parser_free(struct http_parser *p)
{
    if (p == NULL)
        return;
    buf_deinit(&p->raw);
    buf_deinit(&p->trailer);
    free(p->head.headers);
    free(p);
}

void http_parser_next(struct http_parser *p)
{
    struct http_header *headers = p->head.headers;

    if (p->raw.cap > HEAD_KEPT_BYTES)
        buf_deinit(&p->raw);
    else
        buf_reset(&p->raw);
    p->head = (struct http_head){ .headers = headers };
    http_gate_init(&p->gate, p->kind == HTTP_PARSER_REQUESTS ? HTTP_GATE_REQUEST
                                                              : HTTP_GATE_RESPONSE);
    p->state = AT_HEAD;
    p->line_start = 0;
    p->trailer_bytes = 0;
    p->body_bytes = 0;
    p->framing_bytes = 0;
    p->no_body = false;
    p->is_complete = false;
    p->is_last_chunk = false;
    p->is_paused = false;
    p->is_to_eof = false;
}

void http_parser_expect_no_body(struct http_parser *p)
{
    assert(p->state == AT_HEAD);
    p->no_body = true;
}

static enum http_parser_event refuse(struct http_parser *p, int status)
{
    p->state = AT_REFUSED;
    p->refusal = status;
    return HTTP_PARSER_REFUSED;
}

/* --- the head --- */

static void make_room_for_headers(struct http_parser *p)
{
    if (p->gate.fields <= p->header_cap)
        return;
    free(p->head.headers);
    p->header_cap = p->gate.fields;
    p->head.headers = mem_alloc(p->header_cap * sizeof(*p->head.headers));
}

static enum http_parser_event on_whole_head(struct http_parser *p)
{
    bool requests = p->kind == HTTP_PARSER_REQUESTS;
    int  err;

    make_room_for_headers(p);
    llhttp_init(&p->llhttp, requests ? HTTP_REQUEST : HTTP_RESPONSE, &SETTINGS);
    p->llhttp.data = p;
    err = llhttp_execute(&p->llhttp, p->raw.data, p->raw.len);
    p->is_paused = err == HPE_PAUSED;
    if ((err != HPE_OK && err != HPE_PAUSED && err != HPE_PAUSED_UPGRADE) ||
        p->head.header_count != p->gate.fields)
        return refuse(p, 400);
    llhttp_resume(&p->llhttp);
    p->state = AT_BODY;
    return HTTP_PARSER_HEAD;
}

static enum http_parser_event on_head_line(struct http_parser *p)
{
    struct slice line = { p->raw.data + p->line_start, p->raw.len - p->line_start - 2 };

    switch (http_gate_line(&p->gate, line)) {
    case HTTP_GATE_NEXT:
        p->line_start = p->raw.len;
        return p->gate.fields > p->limits.header_count_max ? refuse(p, 431) : HTTP_PARSER_MORE;
    case HTTP_GATE_SKIP:
        buf_reset(&p->raw);
        return HTTP_PARSER_MORE;
    case HTTP_GATE_END:
        return on_whole_head(p);
    default:
        return refuse(p, 400);
    }
}

static enum http_parser_event feed_head(struct http_parser *p, struct slice *in)
{
    enum http_parser_event event = HTTP_PARSER_MORE;

    while (in->len != 0 && event == HTTP_PARSER_MORE) {
        size_t              room = p->limits.head_bytes_max - p->raw.len;
        struct slice        part = { in->data, in->len < room ? in->len : room };
        enum http_gate_step step;
        size_t              used = 0;

        if (room == 0)
            return refuse(p, 431);
        step = http_gate_scan(&p->gate, part, &used);
        buf_append(&p->raw, in->data, used);
        *in = slice_from(*in, used);
        if (step == HTTP_GATE_BAD)
            return refuse(p, 400);
        if (step == HTTP_GATE_LINE)
            event = on_head_line(p);
    }
    return event;
}

/* --- the body --- */

static enum http_parser_event feed_trailer(struct http_parser *p, struct slice *in)
{
    while (in->len != 0) {
        size_t              room = p->limits.head_bytes_max - p->trailer_bytes;
        struct slice        part = { in->data, in->len < room ? in->len : room };
        enum http_gate_step step;
        size_t              used = 0;

        if (room == 0)
            return refuse(p, 431);
        step = http_gate_scan(&p->gate, part, &used);
        buf_append(&p->trailer, in->data, used);
        *in = slice_from(*in, used);
        p->trailer_bytes += used;
        if (step == HTTP_GATE_MORE)
            continue;
        if (step == HTTP_GATE_LINE)
            step = http_gate_line(&p->gate,
                                  slice_make(p->trailer.data, p->trailer.len - 2));
        buf_reset(&p->trailer);
        if (step == HTTP_GATE_BAD || p->gate.fields > p->limits.header_count_max)
            return refuse(p, step == HTTP_GATE_BAD ? 400 : 431);
        if (step == HTTP_GATE_END) {
            buf_deinit(&p->trailer);
            p->state = AT_END;
            return HTTP_PARSER_END;
        }
    }
    return HTTP_PARSER_MORE;
}

/* Let llhttp use some of `in`. Returns false where it refuses. */
static bool step_body(struct http_parser *p, struct slice *in)
{
    const char *data = in->len != 0 ? in->data : "";
    int         err;
    size_t      used;
    bool        is_fine;

    p->piece = slice_make(NULL, 0);
    err = llhttp_execute(&p->llhttp, data, in->len);
    p->is_paused = err == HPE_PAUSED;
    if (err != HPE_OK && err != HPE_PAUSED && err != HPE_PAUSED_UPGRADE)
        return false;
    used = err == HPE_OK ? in->len : (size_t)(llhttp_get_error_pos(&p->llhttp) - data);
    assert(used <= in->len && p->piece.len <= used);
    *in = slice_from(*in, used);
    llhttp_resume(&p->llhttp);
    /* Judged before the piece is added: so it is the same however the bytes were cut. */
    p->framing_bytes += used - p->piece.len;
    is_fine = p->framing_bytes <= p->limits.head_bytes_max + FRAMING_PER_BODY_BYTE * p->body_bytes;
    p->body_bytes += p->piece.len;
    return is_fine;
}

static enum http_parser_event feed_body(struct http_parser *p, struct slice *in,
                                        struct slice *piece)
{
    while (!p->is_complete && !p->is_last_chunk && (in->len != 0 || p->is_paused)) {
        if (!step_body(p, in))
            return refuse(p, 400);
        if (p->piece.len != 0) {
            *piece = p->piece;
            return HTTP_PARSER_BODY;
        }
    }
    if (p->is_complete) {
        p->state = AT_END;
        return HTTP_PARSER_END;
    }
    if (!p->is_last_chunk)
        return HTTP_PARSER_MORE;
    p->state = AT_TRAILER;
    http_gate_init(&p->gate, HTTP_GATE_TRAILER);
    return feed_trailer(p, in);
}

enum http_parser_event http_parser_feed(struct http_parser *p, struct slice *in,
                                        struct slice *piece)
{
    switch (p->state) {
    case AT_HEAD:
        return feed_head(p, in);
    case AT_BODY:
        return feed_body(p, in, piece);
    case AT_TRAILER:
        return feed_trailer(p, in);
    case AT_END:
        return HTTP_PARSER_END;
    default:
        return HTTP_PARSER_REFUSED;
    }
}

enum http_parser_event http_parser_finish(struct http_parser *p)
{
    if (p->state == AT_END || (p->state == AT_BODY && (p->is_to_eof || p->is_complete))) {
        p->state = AT_END;
        return HTTP_PARSER_END;
    }
    if (p->state == AT_HEAD && !http_parser_has_begun(p))
        return HTTP_PARSER_MORE;
    return refuse(p, 400);
}

/* --- looking --- */

bool http_parser_has_begun(const struct http_parser *p)
{
    return p->state != AT_END && (p->state != AT_HEAD || p->raw.len != 0 || p->gate.has_skipped);
}

const struct http_head *http_parser_head(const struct http_parser *p)
{
    return &p->head;
}

int http_parser_refusal(const struct http_parser *p)
{
    return p->refusal;
}

/* http_parser.h -- bytes of HTTP/1.x in; heads and pieces of bodies out.
 *
 * No I/O, no clock. One parser reads the messages of one direction of one connection, one
 * after the other. http_gate.h refuses what is odd, llhttp parses what is left.
 *
 *     struct slice in = what came, piece;
 *     for (;;)
 *         switch (http_parser_feed(p, &in, &piece)) {
 *         case HTTP_PARSER_MORE:    wait for more bytes; return
 *         case HTTP_PARSER_HEAD:    http_parser_head(p); continue
 *         case HTTP_PARSER_BODY:    use piece; continue
 *         case HTTP_PARSER_END:     the message is whole; http_parser_next(p); continue
 *         case HTTP_PARSER_REFUSED: answer http_parser_refusal(p), close; return
 *         }
 *
 * What comes out does not depend on how the bytes were cut, but for where a body is. */
#ifndef TASKWIRE_COMMON_HTTP_PARSER_H
#define TASKWIRE_COMMON_HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/http_header.h"
#include "common/slice.h"

struct http_parser;

enum http_parser_kind { HTTP_PARSER_REQUESTS, HTTP_PARSER_RESPONSES };

enum http_parser_event {
    HTTP_PARSER_MORE,                          /* all input is used */
    HTTP_PARSER_HEAD,
    HTTP_PARSER_BODY,
    HTTP_PARSER_END,                           /* nothing more is used until _next */
    HTTP_PARSER_REFUSED                        /* final */
};

#define HTTP_LENGTH_UNKNOWN UINT64_MAX

/* Slices are the parser's and valid until http_parser_next or http_parser_free. */
struct http_head {
    struct slice        method;                /* requests: "GET", one that HTTP knows */
    struct slice        target;                /* requests: as sent */
    int                 status;                /* responses: 100..599 */
    int                 minor;                 /* of HTTP/1.x: 0 or 1 */
    struct http_header *headers;               /* as sent, values trimmed */
    size_t              header_count;
    uint64_t            content_length;        /* 0: no body; UNKNOWN: chunked, or to the end */
    bool                has_body;              /* body bytes will come */
    bool                keep_alive;            /* by version, Connection and framing */
    bool                upgrade;               /* "Connection: upgrade" is among the headers */
};

struct http_parser_limits {
    size_t   head_bytes_max;                   /* of a head or a trailer, its empty line included */
    uint32_t header_count_max;
};

struct http_parser *http_parser_new(enum http_parser_kind kind,
                                    const struct http_parser_limits *limits);
void http_parser_free(struct http_parser *p);  /* NULL is ignored */

/* Use some of `in` (its front is cut off) and say what was found. `piece` is set with
 * HTTP_PARSER_BODY only: a part of the input, never empty. */
enum http_parser_event http_parser_feed(struct http_parser *p, struct slice *in,
                                        struct slice *piece);

/* The peer ended its side. END: that was the end of the body; MORE: nothing had begun;
 * REFUSED: something is missing. */
enum http_parser_event http_parser_finish(struct http_parser *p);

/* After END: forget that message and be ready for the next. */
void http_parser_next(struct http_parser *p);

/* Responses, before a head: that message has no body, whatever it says (it answers a HEAD). */
void http_parser_expect_no_body(struct http_parser *p);

/* Has a byte of a message come whose END has not been told yet? */
bool http_parser_has_begun(const struct http_parser *p);

/* The head last told by HTTP_PARSER_HEAD. */
const struct http_head *http_parser_head(const struct http_parser *p);

/* The status for an answer to what was refused: 400, or 431. */
int http_parser_refusal(const struct http_parser *p);

#endif

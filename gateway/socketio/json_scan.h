/* json_scan.h -- walks one JSON text (RFC 8259) token by token, in place.
 *
 * For whoever must know that a text is JSON and where its parts lie, but wants no tree of
 * it. Pure: no allocation, no recursion; nesting is limited. Tokens are slices of the text
 * and live as long as it. Any thread. */
#ifndef TASKWIRE_SOCKETIO_JSON_SCAN_H
#define TASKWIRE_SOCKETIO_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/slice.h"

#define JSON_SCAN_DEPTH_MAX 512                /* nested arrays and objects; past it an error */

enum token_kind {
    TOKEN_END,                                 /* the text was one whole JSON value */
    TOKEN_ERROR,                               /* it is not; said again at every further call */
    TOKEN_OBJECT, TOKEN_OBJECT_END,
    TOKEN_ARRAY, TOKEN_ARRAY_END,
    TOKEN_KEY,                                 /* of an object; its colon has been passed */
    TOKEN_STRING, TOKEN_NUMBER, TOKEN_TRUE, TOKEN_FALSE, TOKEN_NULL
};

struct token {
    enum token_kind kind;
    bool            has_escapes;               /* of a key or string: a backslash is in it */
    struct slice    text;                      /* as it stands, quotes and brackets included */
};

struct json_scanner {
    const char *at, *end;
    uint8_t     expect;                        /* what may come next; json_scan.c's own */
    uint16_t    depth;                         /* open arrays and objects */
    uint8_t     is_object[JSON_SCAN_DEPTH_MAX / 8];
};

/* `text` should be valid UTF-8; that is not looked at here. */
void json_scan_init(struct json_scanner *s, struct slice text);

/* The next token. After TOKEN_END or TOKEN_ERROR the same again. */
struct token json_scan_next(struct json_scanner *s);

/* Having got TOKEN_ARRAY or TOKEN_OBJECT: go to behind its end. Returns 0 or ERR_INVALID. */
int json_scan_skip(struct json_scanner *s);

/* Is `text` one JSON value? `out` (may be NULL) gets it without white space around it. */
bool json_scan_is_valid(struct slice text, struct slice *out);

/* Append what a key or string token means: quotes off, escapes resolved, half a surrogate
 * pair as U+FFFD. Returns 0 or ERR_TOO_BIG. */
int json_scan_decode(const struct token *t, struct buf *out);

/* Four hexadecimal digits. */
unsigned json_scan_hex4(const char *digits);

/* Append one code point as UTF-8. */
int json_scan_append_utf8(struct buf *out, unsigned code);

#endif

/* http_gate.h -- the strict gate before llhttp: what of a message's head is let through.
 *
 * Bytes in, verdicts out: no I/O, no allocation, no memory of the bytes. The gate sees a head
 * (or a chunked body's trailer) twice: http_gate_scan() looks at the bytes and cuts them into
 * lines, http_gate_line() judges each line. The verdict never depends on how the bytes were
 * cut. All calls on one thread at a time. */
#ifndef TASKWIRE_COMMON_HTTP_GATE_H
#define TASKWIRE_COMMON_HTTP_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

enum http_gate_kind { HTTP_GATE_REQUEST, HTTP_GATE_RESPONSE, HTTP_GATE_TRAILER };

enum http_gate_step {
    HTTP_GATE_MORE,                            /* scan: a line has not ended yet */
    HTTP_GATE_LINE,                            /* scan: a line ended with the last byte used */
    HTTP_GATE_NEXT,                            /* line: fine, go on with the next */
    HTTP_GATE_SKIP,                            /* line: an empty line before the request */
    HTTP_GATE_END,                             /* line: that was the empty line at the end */
    HTTP_GATE_BAD                              /* refused */
};

struct http_gate {
    enum http_gate_kind kind;
    uint32_t fields;                           /* header lines let through */
    uint8_t  minor;                            /* 0 or 1 of HTTP/1.x */
    bool     after_cr;
    bool     at_line_start;
    bool     has_skipped;
    bool     has_first_line;
    bool     has_host;
    bool     has_length;
    bool     has_coding;
};

void http_gate_init(struct http_gate *g, enum http_gate_kind kind);

/* Look at bytes up to and including the next CR LF; `used` says how many. MORE, LINE or BAD:
 * a bare CR or LF, a control character, or a folded line. */
enum http_gate_step http_gate_scan(struct http_gate *g, struct slice in, size_t *used);

/* Judge the line that scan has found, without its CR LF. NEXT, SKIP, END or BAD. */
enum http_gate_step http_gate_line(struct http_gate *g, struct slice line);

/* Is it a token (RFC 9110 §5.6.2), as names of methods and headers are? Empty is not. */
bool http_gate_is_token(struct slice text);

#endif

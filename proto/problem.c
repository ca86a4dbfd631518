/* problem.c -- see problem.h.
 *
 * `type` stays about:blank: the stable name of a problem is its `code`, which sockets are told
 * as well, and a second name for the same thing would only drift from it. */
#include "proto/problem.h"

void problem_begin(struct buf *out, int status, enum error_code code, const char *detail)
{
    const struct error_spec *e = error_spec(code);

    buf_append_text(out, "{\"type\":\"about:blank\",\"title\":");
    buf_append_json(out, slice_of(e->text));
    buf_printf(out, ",\"status\":%d,\"code\":\"%s\"", status, e->code);
    if (detail != NULL && detail[0] != '\0') {
        buf_append_text(out, ",\"detail\":");
        buf_append_json(out, slice_of(detail));
    }
}

void problem_append(struct buf *out, enum error_code code, const char *detail)
{
    problem_begin(out, error_spec(code)->http, code, detail);
    buf_append_char(out, '}');
}

enum error_code problem_of_refusal(int status)
{
    switch (status) {
    case 408: return ERROR_TOO_SLOW;
    case 413: return ERROR_TOO_LARGE;
    case 431: return ERROR_HEAD_TOO_LARGE;
    default:  return ERROR_BAD_REQUEST;
    }
}

/* problem.c -- see problem.h. */
#include "gateway/problem.h"

#define PROBLEM_BYTES_MAX 2048

void problem_answer_status(struct http_request *r, int status, enum error_code code,
                           const char *detail)
{
    static const struct http_header RETRY[] = { { SLICE("Retry-After"), SLICE("1") } };
    const struct error_spec        *e = error_spec(code);
    struct http_answer              a = { .status = status,
                                          .content_type = "application/problem+json" };
    struct buf                      b;

    buf_init(&b, PROBLEM_BYTES_MAX);
    buf_printf(&b, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\"",
               e->text, status, e->code);
    if (detail != NULL) {
        buf_append_text(&b, ",\"detail\":");
        buf_append_json(&b, slice_of(detail));
    }
    buf_append_char(&b, '}');
    if (status == 503 || status == 429) {
        a.headers = RETRY;
        a.header_count = 1;
    }
    a.body = buf_rcbuf(&b);
    http_request_answer(r, &a);
    rcbuf_unref(a.body);
    buf_deinit(&b);
}

void problem_answer(struct http_request *r, enum error_code code, const char *detail)
{
    problem_answer_status(r, error_spec(code)->http, code, detail);
}

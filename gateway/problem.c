/* problem.c -- see problem.h. */
#include "gateway/problem.h"

#include <assert.h>

#include "proto/problem.h"

#define PROBLEM_BYTES_MAX 2048

/* `headers` may be NULL. */
static void answer(struct http_request *r, int status, enum error_code code, const char *detail,
                   const struct http_header *headers, size_t count)
{
    struct http_header all[PROBLEM_HEADERS_MAX + 1];
    struct http_answer a = { .status = status, .content_type = PROBLEM_CONTENT_TYPE,
                             .headers = all };
    struct buf         b;

    assert(count <= PROBLEM_HEADERS_MAX);
    for (size_t i = 0; i < count; i++)
        all[a.header_count++] = headers[i];
    if (status == 503 || status == 429)
        all[a.header_count++] = (struct http_header){ SLICE("Retry-After"), SLICE("1") };
    if (status == 401)
        all[a.header_count++] = (struct http_header){ SLICE("WWW-Authenticate"), SLICE("Bearer") };
    buf_init(&b, PROBLEM_BYTES_MAX);
    problem_begin(&b, status, code, detail);
    buf_append_char(&b, '}');
    a.body = buf_rcbuf(&b);
    http_request_answer(r, &a);
    rcbuf_unref(a.body);
    buf_deinit(&b);
}

void problem_answer_status(struct http_request *r, int status, enum error_code code,
                           const char *detail)
{
    answer(r, status, code, detail, NULL, 0);
}

void problem_answer(struct http_request *r, enum error_code code, const char *detail)
{
    answer(r, error_spec(code)->http, code, detail, NULL, 0);
}

void problem_answer_with(struct http_request *r, enum error_code code,
                         const struct http_header *headers, size_t count)
{
    answer(r, error_spec(code)->http, code, NULL, headers, count);
}

void problem_answer_method(struct http_request *r, const char *allow)
{
    struct http_header header = { SLICE("Allow"), slice_of(allow) };
    struct http_answer a = { .status = 204, .headers = &header, .header_count = 1 };

    if (http_request_method(r) == HTTP_OPTIONS)
        http_request_answer(r, &a);
    else
        problem_answer_with(r, ERROR_METHOD, &header, 1);
}

void problem_on_refusal(int status, struct http_answer *a, void *arg)
{
    struct buf b;

    (void)arg;
    buf_init(&b, PROBLEM_BYTES_MAX);
    problem_append(&b, problem_of_refusal(status), NULL);
    a->content_type = PROBLEM_CONTENT_TYPE;
    a->body = buf_rcbuf(&b);
    buf_deinit(&b);
}

/* problem.c -- see problem.h. */
#include "gateway/problem.h"

#include "proto/problem.h"

#define PROBLEM_BYTES_MAX 2048

static void answer(struct http_request *r, const struct http_answer *a, int status,
                   enum error_code code, const char *detail)
{
    struct http_answer problem = *a;
    struct buf         b;

    buf_init(&b, PROBLEM_BYTES_MAX);
    problem_begin(&b, status, code, detail);
    buf_append_char(&b, '}');
    problem.status = status;
    problem.content_type = PROBLEM_CONTENT_TYPE;
    problem.body = buf_rcbuf(&b);
    http_request_answer(r, &problem);
    rcbuf_unref(problem.body);
    buf_deinit(&b);
}

void problem_answer_status(struct http_request *r, int status, enum error_code code,
                           const char *detail)
{
    static const struct http_header RETRY[] = { { SLICE("Retry-After"), SLICE("1") } };
    bool                            is_passing = status == 503 || status == 429;

    answer(r, &(struct http_answer){ .headers = RETRY, .header_count = is_passing ? 1 : 0 },
           status, code, detail);
}

void problem_answer(struct http_request *r, enum error_code code, const char *detail)
{
    problem_answer_status(r, error_spec(code)->http, code, detail);
}

void problem_answer_method(struct http_request *r, const char *allow)
{
    struct http_header header = { SLICE("Allow"), slice_of(allow) };
    struct http_answer a = { .status = 204, .headers = &header, .header_count = 1 };

    if (http_request_method(r) == HTTP_OPTIONS)
        http_request_answer(r, &a);
    else
        answer(r, &a, error_spec(ERROR_METHOD)->http, ERROR_METHOD, NULL);
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

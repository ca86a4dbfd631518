/* mode_h1.c -- h1: any method, any path, 200 with the body received: for HTTP/1.1 suites. */
#include "tests/conformance/echo/echo.h"

static void *start(struct echo *e)
{
    return e;
}

static void on_request(struct echo *e, struct http_request *r)
{
    (void)e;
    http_request_answer_text(r, 200, "text/plain", http_request_body(r));
}

static void stop(struct echo *e)
{
    (void)e;
}

const struct mode MODE_H1 = { "h1", start, on_request, NULL, stop };

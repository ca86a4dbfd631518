/* problem.h -- refusals over HTTP as problem details (RFC 9457) with a stable code. */
#ifndef TASKWIRE_GATEWAY_PROBLEM_H
#define TASKWIRE_GATEWAY_PROBLEM_H

#include "common/http_server.h"
#include "proto/tables.h"

/* Answer with the row's status. `detail` may be NULL. The request is invalid afterwards. */
void problem_answer(struct http_request *r, enum error_code code, const char *detail);

/* The same with more headers; at most PROBLEM_HEADERS_MAX. */
#define PROBLEM_HEADERS_MAX 6
void problem_answer_with(struct http_request *r, enum error_code code,
                         const struct http_header *headers, size_t count);

/* The same with another status (502 and 504 have no rows: to clients they are "unavailable"). */
void problem_answer_status(struct http_request *r, int status, enum error_code code,
                           const char *detail);

/* Answer a method that is not taken here: 405 with `allow` ("GET, HEAD, OPTIONS"), or to OPTIONS,
 * what was asked. */
void problem_answer_method(struct http_request *r, const char *allow);

/* What a server says of its own refusals: an on_refusal of http_server_handlers. */
void problem_on_refusal(int status, struct http_answer *a, void *arg);

#endif

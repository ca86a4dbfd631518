/* problem.h -- an error of errors.def as problem details (RFC 9457), as both services spell it.
 *
 * Pure. Any thread. */
#ifndef TASKWIRE_PROTO_PROBLEM_H
#define TASKWIRE_PROTO_PROBLEM_H

#include "common/buf.h"
#include "proto/tables.h"

#define PROBLEM_CONTENT_TYPE "application/problem+json"

/* Append the object without its closing brace, so that members of one's own may follow, each
 * with a comma before it. `status` is the answer's; `detail` may be NULL. */
void problem_begin(struct buf *out, int status, enum error_code code, const char *detail);

/* Append all of it, with the row's own status. */
void problem_append(struct buf *out, enum error_code code, const char *detail);

/* The problem for what an HTTP server refuses by itself, before there is a request to speak
 * of: 400, 408, 413, 431. */
enum error_code problem_of_refusal(int status);

#endif

/* forwarded.h -- for whom a request is passed on: the value of X-Forwarded-For. */
#ifndef TASKWIRE_GATEWAY_FORWARDED_H
#define TASKWIRE_GATEWAY_FORWARDED_H

#include "common/http_server.h"

#define FORWARDED_HEADER "X-Forwarded-For"

/* Append what the request says itself, then who sent it to us. */
void forwarded_append(const struct http_request *r, struct buf *out);

#endif

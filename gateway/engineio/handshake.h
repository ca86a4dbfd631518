/* handshake.h -- what becomes of an HTTP request: checks in the reference's order, new
 * sessions, or on to the session that it names. All calls on the loop's thread. */
#ifndef TASKWIRE_ENGINEIO_HANDSHAKE_H
#define TASKWIRE_ENGINEIO_HANDSHAKE_H

#include "gateway/engineio/session.h"

/* The head of a request is there: choose a body limit, note a POST under way. */
void handshake_head(struct eio_server *server, struct http_request *r);

/* A whole request: it will be answered, or its stream taken. */
void handshake_handle(struct eio_server *server, struct http_request *r);

#endif

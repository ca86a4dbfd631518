/* handshake.h -- the `handshake` object of a socket, as the reference's has it.
 *
 * Made when a client opens (the request is there then), kept as its data, and printed for
 * one of its sockets together with that socket's auth. */
#ifndef TASKWIRE_ECHO_HANDSHAKE_H
#define TASKWIRE_ECHO_HANDSHAKE_H

#include "gateway/socketio/socketio.h"

struct handshake;

struct handshake *handshake_new(struct eio_session *session, struct http_request *r);
void              handshake_free(struct handshake *h);

/* Append it as JSON: headers, time, address, xdomain, secure, issued, url, query, auth. `auth`
 * is JSON. */
void handshake_append(struct buf *out, const struct handshake *h, struct slice auth);

/* Was `key` in the query, and not empty? */
bool handshake_query_is_true(const struct handshake *h, const char *key);

/* Append a request's headers as Node's object of them: lower case, doubles joined. */
void handshake_append_headers(struct buf *out, struct http_request *r);

#endif

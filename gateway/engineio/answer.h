/* answer.h -- HTTP answers as the reference server words them, with CORS headers.
 *
 * Each answers the request, which is invalid afterwards. Texts and headers are copied. All
 * calls on the loop's thread. */
#ifndef TASKWIRE_ENGINEIO_ANSWER_H
#define TASKWIRE_ENGINEIO_ANSWER_H

#include "common/http_server.h"
#include "gateway/engineio/session.h"

/* The codes of a refusal and their texts. */
#define EIO_ERROR_MAP(X)                                       \
    X(UNKNOWN_TRANSPORT,    0, "Transport unknown")            \
    X(UNKNOWN_SID,          1, "Session ID unknown")           \
    X(BAD_HANDSHAKE_METHOD, 2, "Bad handshake method")         \
    X(BAD_REQUEST,          3, "Bad request")                  \
    X(FORBIDDEN,            4, "Forbidden")                    \
    X(UNSUPPORTED_PROTOCOL, 5, "Unsupported protocol version")

enum eio_error {
#define X(name, code, text) EIO_ERROR_##name = (code),
    EIO_ERROR_MAP(X)
#undef X
    EIO_ERROR_COUNT
};

#define ANSWER_HEADERS_MAX 16                  /* extra headers of one handshake */

/* Refuse: JSON with the code, or plain text (and the end of the connection) where the client
 * asked for a websocket. `status` and `why` are for FORBIDDEN (`why` NULL: "Forbidden"); other
 * errors are 400 with their own text. */
void answer_refusal(struct eio_server *server, struct http_request *r, enum eio_error error,
                    int status, const char *why);

/* A status and nothing else. */
void answer_empty(struct eio_server *server, struct http_request *r, int status);

/* "ok" to a POST. */
void answer_ok(struct eio_server *server, struct http_request *r);

/* A payload to a GET, with extra headers. */
void answer_payload(struct eio_server *server, struct http_request *r, struct slice payload,
                    const struct http_header *headers, size_t header_count);

/* A CORS preflight. */
void answer_preflight(struct eio_server *server, struct http_request *r);

#endif

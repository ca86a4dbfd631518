/* http_client.h -- an HTTP/1.1 client with a keep-alive pool for one origin.
 *
 * All calls on the loop's thread. A request is answered exactly once, later. */
#ifndef TASKWIRE_COMMON_HTTP_CLIENT_H
#define TASKWIRE_COMMON_HTTP_CLIENT_H

#include "common/http.h"
#include "common/net.h"

struct http_client;
struct http_call;                              /* a request under way */

struct http_client_options {
    uint64_t connect_timeout_ms;
    uint64_t timeout_ms;                       /* from the call to the whole answer */
    size_t   connections_max;                  /* kept and used at once */
    size_t   queue_max;                        /* waiting for a connection; past it ERR_BUSY */
    size_t   answer_bytes_max;                 /* of a body; past it ERR_TOO_BIG */
};
extern const struct http_client_options HTTP_CLIENT_DEFAULTS;  /* 2 s, 10 s, 32, 4096, 64 MiB */

/* `origin` is "http://host:port", no path and no user. NULL where it is anything else. */
struct http_client *http_client_new(struct net *net, const char *origin,
                                    const struct http_client_options *options);

/* Close the kept connections that no call is using: something says that they may be dead. */
void http_client_drop_idle(struct http_client *c);

/* Calls under way end with ERR_CLOSED (callbacks run before this returns, nothing later). */
void http_client_close(struct http_client *c);

struct http_call_options {
    enum http_method          method;
    struct slice              target;          /* "/api/tasks?limit=1" */
    const struct http_header *headers;         /* Host and Content-Length are set for you */
    size_t                    header_count;
    struct slice              body;            /* copied */
    uint64_t                  timeout_ms;      /* 0: the client's */
};

/* Lent until the callback returns. */
struct http_result {
    int                       status;
    const struct http_header *headers;
    size_t                    header_count;
    struct slice              body;
};

/* err: 0 with a result of any status; ERR_TIMEOUT, ERR_CLOSED, ERR_TOO_BIG, ERR_FRAME or a
 * libuv error with result NULL. */
typedef void http_client_cb(int err, const struct http_result *result, void *arg);

/* Returns 0; or ERR_BUSY, ERR_CLOSED (after close), ERR_INVALID (a target that is no path, a
 * method of none), ERR_TOO_BIG (headers past 64 KiB), and cb never runs. A call on a kept
 * connection that turns out to be dead before a byte of the answer came is tried once more on
 * a fresh one if its method is idempotent (RFC 9110 §9.2.2) or nothing was written yet. `out`
 * (may be NULL) is valid until cb runs. */
int http_client_call(struct http_client *c, const struct http_call_options *o,
                     http_client_cb *cb, void *arg, struct http_call **out);

/* Forget it: cb never runs. (A connection that it was sent on is closed.) */
void http_call_cancel(struct http_call *call);

#endif

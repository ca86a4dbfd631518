/* engineio.h -- an Engine.IO v4 server: sessions over websocket and HTTP long polling.
 *
 * A library: it knows no Socket.IO and no tasks. Requests come in from an HTTP server,
 * messages go out through handlers; sending is by reference-counted messages that are framed
 * once per encoding, however many sessions they go to.
 *
 * Words:
 *   connection  one TCP connection
 *   session     one Engine.IO life, named by its sid, over a transport
 *   transport   how its packets travel: polling or websocket
 *   packet      one Engine.IO packet; a message is a packet of type 4 (or binary)
 *   frame       one websocket frame (RFC 6455)
 *
 * All calls on the loop's thread. Handlers may call anything here, closing the session they
 * are called for included. Source: Engine.IO protocol, revision 4; where it is silent the
 * reference server's behaviour. */
#ifndef TASKWIRE_ENGINEIO_H
#define TASKWIRE_ENGINEIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/http_server.h"
#include "common/metrics.h"
#include "common/net.h"
#include "common/rcbuf.h"

struct eio_server;
struct eio_session;
struct eio_message;

#define EIO_SID_MAX 64                         /* bytes of a sid, owner's name included */

enum eio_transport { EIO_POLLING, EIO_WEBSOCKET };

/* Why a session ended; the reference server's own words are in eio_reason_text(). */
#define EIO_REASON_MAP(X)                                                              \
    X(TRANSPORT_CLOSE, "transport close")      /* the peer went away or closed */      \
    X(TRANSPORT_ERROR, "transport error")      /* it sent what it may not */           \
    X(PING_TIMEOUT,    "ping timeout")                                                 \
    X(PARSE_ERROR,     "parse error")                                                  \
    X(FORCED_CLOSE,    "forced close")         /* eio_session_close */                 \
    X(SLOW_READER,     "slow reader")          /* its queue passed queue_bytes_max */  \
    X(SHUTDOWN,        "server shutting down")

enum eio_reason {
#define X(name, text) EIO_##name,
    EIO_REASON_MAP(X)
#undef X
    EIO_REASON_COUNT
};
const char *eio_reason_text(enum eio_reason reason);

struct eio_options {
    const char  *path;                         /* "/socket.io/", with both slashes */
    uint64_t     ping_interval_ms;             /* 25000 */
    uint64_t     ping_timeout_ms;              /* 20000 */
    uint64_t     upgrade_timeout_ms;           /* 10000 */
    size_t       max_payload_bytes;            /* of one packet and of one POST: 1000000 */
    size_t       queue_bytes_max;              /* queued for one session; past it: slow reader */
    size_t       packets_per_payload_max;      /* in one POST: 1024 */
    size_t       packets_per_poll_max;         /* in one answer to a GET: 16, which is all that
                                                  python-engineio takes; 0: no limit */
    size_t       fragments_max;                /* of one websocket message; 0: no limit */
    bool         allow_polling, allow_websocket;
    const char **cors_origins;                 /* NULL-terminated exact origins; {"*"}: any;
                                                  NULL: CORS off */
    bool         cors_credentials;
    bool         deflate;                      /* accept permessage-deflate (RFC 7692) */
    size_t       deflate_threshold_bytes;      /* smaller messages go uncompressed: 1024 */
    size_t       inflated_bytes_max;           /* ceiling after inflating; 0: max_payload_bytes */
    const char  *owner;                        /* our name in the sid: base64url characters, no
                                                  '.', at most 43; NULL: none */
};
extern const struct eio_options EIO_DEFAULTS;

struct eio_handlers {
    /* Optional: may this handshake go on (allowRequest)? Return 0, or an HTTP status: 403
     * is answered as code 4 with `*why` (static text; NULL: "Forbidden"). */
    int (*on_handshake)(struct http_request *r, const char **why, void *arg);
    /* A session is open. Set its data here (eio_session_set_data). The handshake request is
     * lent for the call (address, query, headers). */
    void (*on_open)(struct eio_session *s, struct http_request *r, void *arg);
    /* A message; `data` is lent for the call. Text is valid UTF-8. */
    void (*on_message)(struct eio_session *s, struct slice data, bool is_binary, void *arg);
    /* The last thing heard of a session, once; it is gone after the call. */
    void (*on_close)(struct eio_session *s, enum eio_reason reason, void *arg);
    /* Optional: the queue of a session that had been slow is empty again. */
    void (*on_drain)(struct eio_session *s, void *arg);
    /* Optional: a request whose sid names another owner. The callee answers it (or takes its
     * stream). Without it such a sid is unknown. */
    void (*on_foreign)(struct http_request *r, struct slice owner, void *arg);
    /* Optional: more response headers for a handshake ("initial_headers"): append complete
     * `Name: value` pairs to `out` (room for `max`), return how many. Texts must be static or live
     * until the call's return (they are copied). */
    size_t (*on_headers)(struct http_request *r, struct http_header *out, size_t max, void *arg);
};

/* `handlers` and the texts in `options` must outlive the server; `metrics` may be NULL. */
struct eio_server *eio_server_new(struct net *net, const struct eio_options *options,
                                  const struct eio_handlers *handlers, void *arg,
                                  struct metrics *metrics);

/* Is this request ours by its path? Then take it: it will be answered, or its stream taken.
 * Returns false and leaves the request alone otherwise. Call it from on_request; call
 * eio_server_head from on_head, so that POST bodies have their own limit. */
bool eio_server_handle(struct eio_server *s, struct http_request *r);
void eio_server_head(struct eio_server *s, struct http_request *r);

/* End all sessions (SHUTDOWN) and free the server once they are gone. Close the HTTP server
 * before: no request may be given to this one afterwards. */
void eio_server_close(struct eio_server *s);

size_t eio_server_sessions(const struct eio_server *s, enum eio_transport transport);

/* So many bytes of a POST are read, to be refused in words where they are too many. */
size_t eio_server_body_max(const struct eio_server *s);

/* For on_foreign, now or later but before the server is closed: answer as a sid that nobody
 * knows (400, code 1), or "not now" (503, code 4 with `why`, static text). */
void eio_server_refuse_unknown(struct eio_server *s, struct http_request *r);
void eio_server_refuse_now(struct eio_server *s, struct http_request *r, const char *why);

/* --- messages --- */

/* A message of these bytes (copied) with one reference. Text must be valid UTF-8. `key`:
 * messages with the same key other than 0 replace each other in the queue of a session that
 * reads slowly: the older is dropped, the newer keeps its own place. */
struct eio_message *eio_message_new(struct slice data, bool is_binary, uint64_t key);

/* The same from parts, joined in one allocation. */
struct eio_message *eio_message_join(const struct slice *parts, size_t count, bool is_binary,
                                     uint64_t key);
struct eio_message *eio_message_ref(struct eio_message *m);

/* What a message of text says. Lent as long as it lives. */
struct slice eio_message_text(const struct eio_message *m);
void                eio_message_unref(struct eio_message *m);

/* --- sessions --- */

/* Queue a message: takes a reference of its own. Returns 0, or ERR_CLOSED. A session whose
 * queue passes queue_bytes_max is closed as a slow reader (later, not inside this call). */
int eio_session_send(struct eio_session *s, struct eio_message *m);

/* Send what is queued, then close with an Engine.IO close packet where the transport has
 * one (polling). on_close runs later with FORCED_CLOSE. Idempotent. */
void eio_session_close(struct eio_session *s);

/* Cut it: on_close runs later with `reason`; nothing more is sent. */
void eio_session_abort(struct eio_session *s, enum eio_reason reason);

void                eio_session_set_data(struct eio_session *s, void *data);
void               *eio_session_data(const struct eio_session *s);
struct slice        eio_session_sid(const struct eio_session *s);
enum eio_transport  eio_session_transport(const struct eio_session *s);
size_t              eio_session_queued_bytes(const struct eio_session *s);
bool                eio_session_is_open(const struct eio_session *s);
void                eio_session_peer(const struct eio_session *s, char out[NET_ADDRESS_SIZE]);
struct eio_server  *eio_session_server(const struct eio_session *s);

#endif

/* relay.h -- requests of other gateways' sessions, passed on to their owners (SPEC P2).
 *
 * A sid names its owner. A GET or POST for a foreign one goes to the owner's internal listener
 * and its answer comes back as it is; a websocket goes through a tunnel. Where there is no
 * such owner the client gets the protocol's own answer for a session that is not there, and
 * connects anew. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_RELAY_H
#define TASKWIRE_GATEWAY_RELAY_H

#include "common/http_client.h"
#include "gateway/engineio/engineio.h"
#include "gateway/hop.h"
#include "gateway/replicas.h"
#include "gateway/tunnel.h"

#define RELAY_WAYS_MAX         256             /* owners with connections at once */
#define RELAY_WAY_CONNECTIONS  4096            /* to one of them: a waiting poll holds one */

/* Why a request was not passed on, or came to nothing: labels of a counter. */
#define RELAY_REASON_MAP(X)                                                     \
    X(MALFORMED, "malformed")      /* a sid that none of us makes */            \
    X(UNKNOWN,   "unknown owner")  /* no such gateway */                        \
    X(DEAD,      "dead owner")     /* it does not answer any more */            \
    X(DENIED,    "denied")         /* it does not take it from us */            \
    X(TIMEOUT,   "timeout")                                                     \
    X(REGISTRY,  "no registry")    /* Redis is away and we do not know */       \
    X(BUSY,      "busy")           /* a limit of ours */                        \
    X(CLOSING,   "closing")

enum relay_reason {
#define X(name, text) RELAY_##name,
    RELAY_REASON_MAP(X)
#undef X
    RELAY_REASON_COUNT
};

struct relay_options {
    struct eio_server    *eio;
    struct replicas      *replicas;
    const struct hop_key *key;
    uint64_t              poll_ms;             /* longer than an owner lets a poll wait */
    size_t                answer_bytes_max;
    struct metrics       *metrics;
};

struct relay {
    struct relay_options options;
    struct net          *net;
    struct tunnels       tunnels;
    struct way          *ways;
    struct list          passages;
    uv_timer_t           timer;
    bool                 is_closing;
    struct metric       *passed, *refused[RELAY_REASON_COUNT];
};

/* What the options point to must outlive it. */
void relay_init(struct relay *r, struct net *net, const struct relay_options *options);

/* Everything under way is answered or cut before this returns. */
void relay_close(struct relay *r);

/* Take a request whose sid begins with `owner`, another gateway's id. */
void relay_pass(struct relay *r, struct http_request *request, struct slice owner);

/* Could a gateway have made this sid, and which? An id and random characters, all of
 * base64url. Pure. */
bool relay_sid_read(struct slice sid, struct slice *owner);

/* The sid of a query string ("" where there is none, or no readable one). Pure. */
struct slice relay_sid_of(struct slice query, struct buf *out);

#endif

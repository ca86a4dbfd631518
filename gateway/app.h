/* app.h -- Taskwire as a Socket.IO application: who may come in, and what they may ask.
 *
 * Wires the pieces of this folder together: the live feed to rooms, sockets to topics and
 * boards. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_APP_H
#define TASKWIRE_GATEWAY_APP_H

#include "common/jwt.h"
#include "common/metrics.h"
#include "gateway/access.h"
#include "gateway/addresses.h"
#include "gateway/arrival.h"
#include "gateway/boards.h"
#include "gateway/cluster.h"
#include "gateway/compare_rooms.h"
#include "gateway/control.h"
#include "gateway/lines.h"
#include "gateway/notices.h"
#include "gateway/features.h"
#include "gateway/orgs.h"
#include "gateway/origins.h"
#include "gateway/peer.h"
#include "gateway/presence_link.h"
#include "gateway/quota.h"
#include "gateway/socketio/socketio.h"
#include "gateway/source.h"
#include "gateway/sse.h"
#include "gateway/standing.h"
#include "gateway/topics.h"
#include "gateway/users.h"

/* why somebody is not let in: the metric's label */
#define REFUSAL_MAP(X)                                                  \
    X(NOT_READY, "not_ready")                                           \
    X(ORIGIN,    "origin")                                              \
    X(ADDRESS,   "address_full")                                        \
    X(TOKEN,     "unauthorized")                                        \
    X(EXPIRED,   "token_expired")                                       \
    X(REVOKED,   "revoked")                                             \
    X(FEATURE,   "feature_off")                                         \
    X(CROWD,     "too_many_connections")

enum refusal {
#define X(name, label) REFUSAL_##name,
    REFUSAL_MAP(X)
#undef X
    REFUSAL_COUNT
};

struct app_options {
    const char          *gateway;              /* this gateway's id */
    const char          *redis_url;
    struct jwt_key      *user_key;
    struct taskd_client *taskd;
    struct features      features;             /* of the environment; control_features are in force */
    struct origins      *origins;
    struct cluster      *cluster;              /* takes requests of others' sessions; may be made
                                                  later, but before the first request */
    struct sio_options   sio;
    uint32_t             joins_per_second;
    uint32_t             connections_per_address, connections_per_user;
    uint64_t             drain_ms;
    uint64_t             linger_ms;            /* of an org's feed when its last person has gone */
    uint64_t             compare_ms;           /* every room is held against the store so often */
    struct metrics      *metrics;
};

struct app {
    struct net           *net;
    struct app_options    options;
    struct sio_server    *sio;
    struct sio_namespace *ns;
    struct orgs          *orgs;
    struct control       *control;
    struct access         access;
    struct sources        sources;
    struct lines         lines;
    struct topics         topics;
    struct boards         boards;
    struct compare_rooms  compare;
    struct peers          peers;
    struct arrivals       arrivals;
    struct presence_link  presence;
    struct sse            sse;
    struct users          users;
    struct addresses      addresses;
    struct standing       standing;
    struct quota          quota;
    struct notices        notices;
    uv_timer_t            timer;
    uint64_t              tick;                /* of the timer */
    uint64_t              drain_began_ms;      /* 0: not draining */
    size_t                drain_clients;       /* who were here then */
    struct drain_pace {
        size_t   moved, peak;                  /* in all; within any second of the drain */
        uint64_t second;                       /* of the drain, counted from its beginning */
        size_t   in_second;
    } drain_pace;
    bool                  is_closing;
    void                (*on_closed)(void *arg);
    void                 *on_closed_arg;
    struct metric        *refused[REFUSAL_COUNT];
};

/* `options`' texts and what they point to must outlive it. Returns 0, or ERR_INVALID where the Redis
 * URL cannot be parsed. */
int app_init(struct app *a, struct net *net, const struct app_options *options);

/* Close transports, spread over drain_ms, without telling clients to stay away; new ones are
 * refused. Twice: all at once. */
void app_drain(struct app *a);
bool app_is_drained(const struct app *a);      /* nobody is left */
void app_log_drained(const struct app *a);     /* how many moved, and how fast */

/* End everything; cb runs when nothing of it is left but closing handles. Before: Redis and
 * taskd are still there; afterwards `taskd` may be closed. */
void app_close(struct app *a, void (*cb)(void *arg), void *arg);

/* --- for standing.c --- */

/* Refuse a socket that is asking in; a peer of its must have been released. */
void app_refuse(struct app *a, struct sio_socket *s, enum error_code code);

/* The peer goes, from all that knows it; `is_kept`: its client may come back to where it was. */
void app_release(struct app *a, struct peer *p, bool is_kept);

#endif

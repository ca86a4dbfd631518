/* cluster.h -- this gateway among the others (SPEC P2, DESIGN 12).
 *
 * The registry (replicas.h) says where everybody is; what comes here for another's session is
 * passed on (relay.h); what others pass on to us comes in by a listener of its own, which
 * opens only to those who can prove that they are gateways (hop.h) and passes nothing on. On
 * the loop's thread. */
#ifndef TASKWIRE_GATEWAY_CLUSTER_H
#define TASKWIRE_GATEWAY_CLUSTER_H

#include "common/http_server.h"
#include "gateway/nonces.h"
#include "gateway/relay.h"
#include "gateway/socketio/socketio.h"

struct cluster_options {
    const char         *id;                    /* ours, the owner in our sids */
    struct slice        secret;                /* CLUSTER_SECRET; read during cluster_init only */
    struct sio_server  *sio;
    struct redis       *redis;
    void              (*describe)(struct buf *fields, void *arg);   /* as in replicas.h */
    void               *arg;
    uint64_t            poll_ms;               /* the longest that a poll waits */
    size_t              answer_bytes_max;      /* of a poll */
    struct metrics     *metrics;
};

struct cluster {
    struct cluster_options options;
    struct net         *net;
    struct http_server *server;
    struct hop_key      key;
    struct nonces       nonces;
    struct replicas     replicas;
    struct relay        relay;
    char               *url;                   /* where others reach us */
    bool                is_listening, is_closing;
    struct metric      *received, *missing, *forged, *expired, *replayed, *crowded, *foreign;
};

/* Before the first request; what the options point to must outlive it. */
void cluster_init(struct cluster *c, struct net *net, const struct cluster_options *options);

/* Listen and begin to tell others. `advertise` is ADVERTISE_URL or NULL. Returns 0 or a libuv
 * error. */
int cluster_listen(struct cluster *c, const char *address, int port, const char *advertise);

/* For sio_hooks: a request whose sid names another owner. */
void cluster_on_foreign(struct cluster *c, struct http_request *r, struct slice owner);

/* Can others find us? Until then nobody should be sent here. */
bool cluster_is_announced(const struct cluster *c);

/* Websockets that go through us are moved off, spread over `ms`; what others pass on to us still
 * comes in. */
void cluster_drain(struct cluster *c, uint64_t ms);
bool cluster_is_drained(const struct cluster *c);

/* Take us off the registry and end everything. Before the Socket.IO server is closed; the link
 * to Redis must still be there. */
void cluster_close(struct cluster *c);

/* Free what is left, after the link has been closed. */
void cluster_deinit(struct cluster *c);

/* The URL that others are told: where the address is "any" (0.0.0.0, ::), the first of this
 * machine's that is not loopback. Appended to `out`. */
void cluster_url(const char *address, int port, struct buf *out);

#endif

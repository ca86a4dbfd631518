/* tunnel.h -- a client's websocket passed through to another gateway, byte for byte.
 *
 * Two streams tied together: what comes from one goes to the other, at the slower one's pace,
 * and they end together. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_TUNNEL_H
#define TASKWIRE_GATEWAY_TUNNEL_H

#include "common/buf.h"
#include "common/list.h"
#include "common/metrics.h"
#include "common/net.h"

#define TUNNELS_MAX         16384
#define TUNNEL_ANSWER_MS    10000              /* the owner's answer to the handshake is due */
#define TUNNEL_STUCK_MS     60000              /* a reader that takes nothing for so long is cut */

struct tunnels {
    struct net    *net;
    struct list    list;                       /* struct tunnel */
    uv_timer_t     timer;                      /* runs while there are any */
    size_t         count;
    uint64_t       drained_by_ms;              /* 0: not draining */
    uint64_t       drain_ms;                   /* how long that takes */
    size_t         drain_count;                /* of those who were there when it began */
    struct metric *open, *opened, *stuck;
};

void tunnels_init(struct tunnels *t, struct net *net, struct metrics *m);

/* Tie a client's stream to an owner's; takes both. `head` is the request for the owner; `rest`
 * is what the client has sent behind its request. Nothing of the client's goes to the owner
 * before the owner has answered 101: what it says instead goes to the client, and the tunnel
 * ends. Both are copied. */
void tunnel_open(struct tunnels *t, struct stream *client, struct stream *owner,
                 struct slice head, struct slice rest);

bool tunnels_is_full(const struct tunnels *t);

/* End them, spread over `ms`; new ones end at once. */
void tunnels_drain(struct tunnels *t, uint64_t ms);

/* End all now. */
void tunnels_close(struct tunnels *t);

#endif

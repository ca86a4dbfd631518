/* link.h -- one Redis server as a gateway uses it: a link for commands, a subscriber for the
 * live channels, and a canary that tells a live subscriber from a dead one.
 *
 * A subscriber connection can die without a sign (a firewall forgot it, a proxy hangs), and
 * hiredis cannot ping one. So every second a message to ourselves goes out on the ordinary
 * link; three in a row that do not come back mean that the subscriber is dead: it is
 * connected anew, and everybody checks their positions. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_LINK_H
#define TASKWIRE_GATEWAY_LINK_H

#include <uv.h>

#include "common/metrics.h"
#include "common/redis.h"

#define CANARY_EVERY_MS  1000
#define CANARY_MISSED_MAX 3

struct link;

struct link_handlers {
    /* As redis_subscriber_handlers' members, canaries left out. */
    void (*on_message)(struct link *l, struct slice channel, struct slice message, void *arg);
    void (*on_subscribed)(struct link *l, struct slice channel, void *arg);
    /* The subscriber is gone: every channel's messages are missed until on_subscribed. */
    void (*on_lost)(struct link *l, void *arg);
};

struct link_options {
    const char *url;                           /* one redis:// URL */
    const char *gateway;                       /* this gateway's id: the canary's channel */
    struct metrics *metrics;
};

/* `handlers` and the options' texts must outlive the link. NULL where the URL cannot be parsed. */
struct link *link_new(uv_loop_t *loop, const struct link_options *options,
                      const struct link_handlers *handlers, void *arg);

/* Commands under way end with ERR_CLOSED before this returns; the memory goes later. */
void link_close(struct link *l);

struct redis *link_redis(const struct link *l);
void          link_subscribe(struct link *l, struct slice channel);
void          link_unsubscribe(struct link *l, struct slice channel);

/* Both connections are up, and the canary has been heard lately. */
bool link_is_healthy(const struct link *l);

/* Milliseconds since the canary was heard last, or since link_new. */
uint64_t link_canary_ms(const struct link *l);

#endif

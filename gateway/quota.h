/* quota.h -- how many connections a person has, over all replicas (CONNECTIONS_PER_USER).
 *
 * Words: a connection *claims* a place before it is let in, and holds the claim until it ends.
 * How many a gateway holds of a person's stands in Redis (proto/internal.md, "Connections"), and
 * counts for as long as that gateway's heartbeat does. While Redis is away each gateway knows of
 * its own alone. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_QUOTA_H
#define TASKWIRE_GATEWAY_QUOTA_H

#include <uv.h>

#include "common/list.h"
#include "common/metrics.h"
#include "common/redis.h"
#include "common/slice.h"

#define QUOTA_WAIT_MS    300                   /* for Redis; then what is known here decides */
#define QUOTA_FOR_NOW_MS 12000                 /* by then a predecessor's place is free */

struct quota_person;
struct claim;

struct quota_options {
    struct redis   *redis;
    const char     *gateway;                   /* this gateway's id */
    uint32_t        max;                       /* 0: no limit */
    struct metrics *metrics;
};

struct quota {
    struct quota_options options;
    uv_loop_t           *loop;
    struct quota_person *people;
    struct list          dirty;                /* to be written */
    struct list          written;              /* the one written longest ago first */
    struct list          asking;               /* claims, the oldest first */
    struct list          for_now;              /* the same of those to be counted again */
    char                 run[41];              /* of the Redis that has our numbers */
    struct metric       *guesses;
};

/* The options' texts and link must outlive it. */
void quota_init(struct quota *q, uv_loop_t *loop, const struct quota_options *o);

/* All claims were released, and the link has been closed. */
void quota_deinit(struct quota *q);

enum quota_answer {
    QUOTA_FINE,
    QUOTA_FOR_NOW,                             /* one too many, unless it replaces one; asked again
                                                  by itself after QUOTA_FOR_NOW_MS */
    QUOTA_FULL                                 /* release it */
};

/* Runs later, once; after QUOTA_FOR_NOW once more, with another answer. May release the claim. */
typedef void quota_cb(enum quota_answer answer, void *arg);

/* Claim a place for one more connection of `who`, "<org>/<sub>". `may_replace`: it says that it
 * comes back, so that its predecessor may still be counted. NULL: there is no limit. */
struct claim *quota_claim(struct quota *q, struct slice who, bool may_replace, quota_cb *cb,
                          void *arg);

/* The connection is gone, or was not let in. NULL is harmless. */
void claim_release(struct claim *c);

/* About every 100 ms. */
void quota_tick(struct quota *q);

#endif

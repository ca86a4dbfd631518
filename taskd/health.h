/* health.h -- do the things that we need answer? Asked every second, told at once.
 *
 * Ready means that REST can be answered: the store is there, what is needed was read
 * (health_needs), and Redis (of several servers the first) was there, once. A
 * Redis that is away makes the service degraded, not unready: what is stored meanwhile is
 * published when it is back, and taking every replica out of service would help nobody. On
 * the loop. */
#ifndef TASKWIRE_TASKD_HEALTH_H
#define TASKWIRE_TASKD_HEALTH_H

#include "common/metrics.h"
#include "common/redis.h"
#include "taskd/store.h"

struct health;

/* `links` are to the `count` Redis servers; all of them must outlive it. */
struct health *health_new(uv_loop_t *loop, struct store *store, struct redis *const *links,
                          size_t count, struct metrics *m);

/* Ready only while this, too, says so: asked when health is. */
void health_needs(struct health *h, bool (*is_met)(void *arg), void *arg);

/* What we need has been asked for: once a second. */
typedef void health_look_cb(bool is_ready, void *arg);
void health_watch(struct health *h, health_look_cb *cb, void *arg);

/* Forget about it; the memory goes when the answers under way have come. */
void health_close(struct health *h);

bool    health_store_ok(const struct health *h);
bool    health_redis_ok(const struct health *h);      /* every server of it */
bool    health_is_ready(const struct health *h);
int64_t health_unpublished(const struct health *h);   /* tasks marked unpublished, a second ago */

/* From now on not ready: the service is on its way out. */
void health_drain(struct health *h);

#endif

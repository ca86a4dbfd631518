/* control.h -- what operators decide while all is running: revoked tokens and feature flags
 * (SPEC A1, F1; proto/internal.md says how every replica hears of it).
 *
 * Decisions are records of the store. Each is stored, then told on KEY_CONTROL. This taskd
 * holds the revocations in memory: read before it is ready, changed by what it hears, and read
 * again from time to time, often while it cannot hear. All on the loop. */
#ifndef TASKWIRE_TASKD_CONTROL_H
#define TASKWIRE_TASKD_CONTROL_H

#include "common/metrics.h"
#include "common/redis.h"
#include "common/revocations.h"
#include "taskd/store.h"

#define CONTROL_REVOCATION "revocation"        /* kinds of records; the keys are ids and names */
#define CONTROL_FLAG       "flag"

struct control;

struct control_options {
    uv_loop_t      *loop;
    struct store   *store;
    struct redis   *redis;                     /* to tell others */
    const char     *redis_url;                 /* to hear of them; was checked */
    struct metrics *metrics;
};

struct control *control_new(const struct control_options *o);

/* No decision may be under way. Before the store is closed; the memory goes later. */
void control_close(struct control *c);

/* Have the revocations been read? Until then nobody can be let in. */
bool control_is_known(const struct control *c);

/* Is a token with these claims, whose signature is good, revoked? */
bool control_is_revoked(const struct control *c, const struct claims *claims, struct slice token);

/* --- decisions: stored, in force here, told to others; then cb(err). Return as store.h --- */

/* ERR_BUSY also where there are REVOCATIONS_MAX. */
int control_revoke(struct control *c, const struct revocation *r, store_done_cb *cb, void *arg);
int control_restore(struct control *c, const char *id, store_done_cb *cb, void *arg);

/* `json` NULL: no override any more. */
int control_set_flag(struct control *c, const char *name, const char *json, store_done_cb *cb,
                     void *arg);

#endif

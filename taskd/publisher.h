/* publisher.h -- what was stored is published, in order, whoever stored it (DESIGN 5, 6).
 *
 * A task that was written is handed over by its id; the publisher sends its events above
 * published_seq through the sequencer script, then marks them. A sweeper finds what a crash
 * left behind. While Redis is away everything waits in the store. Of several servers each has
 * its share of the orgs, and only theirs wait for it. All on the loop. */
#ifndef TASKWIRE_TASKD_PUBLISHER_H
#define TASKWIRE_TASKD_PUBLISHER_H

#include "common/redis.h"
#include "common/redis_shard.h"
#include "proto/envelope.h"
#include "taskd/store.h"

struct publisher;

/* `links` has one for each of `servers`; all of them must outlive the publisher. */
struct publisher *publisher_new(uv_loop_t *loop, struct store *store,
                                const struct redis_servers *servers, struct redis *const *links,
                                struct metrics *m);

/* The link to this server went up or down (forwarded by its owner). */
void publisher_link_changed(struct publisher *p, size_t server, bool is_up);

/* Stop after what is under way; what is left stays in the outbox. */
void publisher_close(struct publisher *p, void (*cb)(void *arg), void *arg);

/* This task was just written: `t` is lent, and holds the events to send. */
void publisher_kick(struct publisher *p, const struct task *t);

/* Be told of every mark that is made or read here, so that what is remembered of a task is not
 * behind it; and with no id when a Redis was lost, or its memory: what others marked since may
 * matter now. One caller; any time from inside of the publisher's own callbacks. */
typedef void publisher_marked_cb(const char *id, int64_t seq, enum bucket bucket, void *arg);
void publisher_on_marked(struct publisher *p, publisher_marked_cb *cb, void *arg);

/* Publish what is pending in this task (NULL: in nothing), then tell the org's position.
 * cb runs once, later: 0 with the position, ERR_REDIS where Redis is away. */
typedef void publisher_position_cb(int err, struct position at, void *arg);
int publisher_settle(struct publisher *p, const char *org, const char *task_id,
                     publisher_position_cb *cb, void *arg);

/* Where the org stands, and its counts with their rev as the sequencer holds them (and those
 * of `sub`'s private tasks; NULL: nobody's, but then `people` who have some): what lists
 * and dashboards show. err: 0, or ERR_REDIS (then count in the store, rev 0). */
struct publisher_counts {
    struct position at;
    int64_t         org[BUCKETS_PER_SCOPE];
    int64_t         own[BUCKETS_PER_SCOPE];
    uint64_t        rev, own_rev;
    struct slice    people;                    /* subs with a space between; lent */
};
typedef void publisher_counts_cb(int err, const struct publisher_counts *c, void *arg);
int publisher_counts(struct publisher *p, const char *org, const char *sub,
                     publisher_counts_cb *cb, void *arg);

#endif

/* compare.h -- what people here have been told, held against what the store has (DESIGN 7).
 *
 * The feed's numbers and the rooms' seqs notice whatever is missing as soon as something comes
 * after it. This is the second line, for the last transition of a task, and for whatever
 * nobody has thought of: everything that is followed here is gone through within
 * `interval_ms`, a batch at a time, and taskd is asked for the seqs of each batch.
 *
 *   RESTING --due--> ASKING --the store is ahead--> DOUBTING --COMPARE_GRACE_MS--> RESTING
 *      ^                +------- nothing is, or an error -------------------------->--+
 *
 * A store that is ahead proves nothing yet, as its message may be on its way; who has still
 * not been told when the grace is over is behind, and is brought up to date by its owner.
 * The opposite is no news: what is published is marked in the store a moment later.
 *
 * A pure machine (DESIGN 14): time and answers go in, orders come out through handlers, which
 * run inside the calls and must not call it. Belongs to one thread. */
#ifndef TASKWIRE_GATEWAY_COMPARE_H
#define TASKWIRE_GATEWAY_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/orgs.h"

#define COMPARE_BATCH     500                  /* compared at a time; /internal/seqs takes 1,000 */
#define COMPARE_SPACE_MS  100                  /* between two batches, however many there are */
#define COMPARE_GRACE_MS  2000

struct compare_item {
    char task[25];
    char org[ORG_NAME_MAX];                    /* a row of this org's dashboards; "": a task's room */
};

struct compare_handlers {
    /* How many there are to go through, about. */
    size_t (*count)(void *arg);
    /* Up to `max` that come after those of the last call; 0: the round is over, and the next
     * call begins another. */
    size_t (*pick)(struct compare_item *out, size_t max, void *arg);
    /* Ask for the published seqs of these; answer with compare_answered, or with an error from
     * inside the call. */
    void (*ask)(const struct compare_item *items, size_t count, uint32_t ticket, void *arg);
    /* What people here have been told of it; -1: nobody is there, or it is being seen to. */
    int64_t (*told)(const struct compare_item *item, void *arg);
    /* They have missed something: `seq` and perhaps more before it. */
    void (*behind)(const struct compare_item *item, int64_t seq, void *arg);
};

struct compare_doubt;

struct compare {
    const struct compare_handlers *handlers;
    void                *arg;
    uint64_t             interval_ms;
    enum { COMPARE_RESTING, COMPARE_ASKING, COMPARE_DOUBTING } state;
    uint64_t             next_ms;              /* when the next batch is due */
    uint64_t             doubt_ms;             /* when the grace is over */
    uint32_t             ticket;
    struct compare_item *batch;                /* while asking */
    size_t               batch_count;
    struct compare_doubt *doubts;
    size_t               doubt_count;
};

/* The first batch is due at `first_ms`: random, so that gateways do not ask together.
 * `handlers` must outlive it. */
void compare_init(struct compare *c, uint64_t interval_ms, uint64_t first_ms,
                  const struct compare_handlers *handlers, void *arg);
void compare_deinit(struct compare *c);

/* The answer to ask: err 0, and the published seq of a task (0: there is none) by `seq_of`; or
 * why not. An answer that nobody waits for any more is ignored. */
void compare_answered(struct compare *c, uint32_t ticket, int err,
                      int64_t (*seq_of)(const char *task, void *answer), void *answer,
                      uint64_t now_ms);

/* About every 100 ms. */
void compare_tick(struct compare *c, uint64_t now_ms);

#endif

/* feed.h -- following one org's live feed without losing, repeating or reordering anything.
 *
 * A pure machine (DESIGN 7, 14): what Redis says and the time go in, orders come out through
 * handlers. Position + 1 is next; anything else is a gap, which is filled from the log; a new
 * epoch, or a log that does not reach back, means that something may have been missed for
 * good, and the truth has to be asked for elsewhere (resync).
 *
 *   DOWN --subscribed--> ASKING --position--> LIVE <--caught up-- FILLING
 *    ^                      ^                  |  +-----gap----------^
 *    +-- lost (any) --      +-- log too short, or overflowed --------+
 *
 * Handlers run inside the calls and must not call the feed, but for feed_expect(), and for
 * refusing an order (feed_log, feed_position with an error) from inside it.
 * Orders that are answered later carry a ticket, which the answer gives back: an answer to
 * an order that is no longer of interest is ignored. Belongs to one thread. */
#ifndef TASKWIRE_GATEWAY_FEED_H
#define TASKWIRE_GATEWAY_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rcbuf.h"
#include "proto/envelope.h"

/* Messages held while a gap is filled; past either they are dropped, and the log is read
 * further instead: it has them too. */
#define FEED_HELD_MAX       4096
#define FEED_HELD_BYTES_MAX (4u << 20)

#define FEED_LOG_BATCH      256                /* entries asked for at a time */
#define FEED_RETRY_MS       250                /* after Redis refused an order */
#define FEED_EXPECT_MS      50                 /* an announced message may take so long to come */

enum feed_state { FEED_DOWN, FEED_ASKING, FEED_FILLING, FEED_LIVE };

struct feed_handlers {
    /* The next message, in number order, each once. `text` is lent for the call. */
    void (*deliver)(struct slice text, void *arg);
    /* Read up to FEED_LOG_BATCH entries of the log from `from` on; answer with feed_log. */
    void (*read_log)(uint64_t from, uint32_t ticket, void *arg);
    /* Ask for the org's epoch and number; answer with feed_position. */
    void (*ask)(uint32_t ticket, void *arg);
    /* What was published up to `at` may have been missed; what comes later will be delivered. */
    void (*resync)(struct position at, void *arg);
};

struct feed_held {
    struct position at;
    struct rcbuf   *text;
};

struct feed {
    const struct feed_handlers *handlers;
    void            *arg;
    enum feed_state  state;
    bool             is_known;                 /* `at` means something */
    struct position  at;                       /* of the last message delivered (or skipped) */
    bool             must_resync;              /* the next position is a fresh start */
    bool             has_overflowed;           /* held messages were dropped */
    struct feed_held *held;                    /* sorted by position */
    size_t           held_count, held_cap, held_bytes;
    uint32_t         ticket;                   /* of the order under way */
    uint64_t         retry_at_ms;              /* give the state's order again; 0: it is under way */
    struct position  expected;                 /* somebody knows that this was published */
    uint64_t         expect_by_ms;             /* 0: nothing is expected */
    uint64_t         gaps, resyncs, repeats;   /* counts, for metrics */
};

/* `handlers` must outlive the feed. */
void feed_init(struct feed *f, const struct feed_handlers *handlers, void *arg);
void feed_deinit(struct feed *f);

/* Redis confirmed the subscription: what is published from now on will come. */
void feed_subscribed(struct feed *f);

/* The subscription is gone: what is published now is missed. */
void feed_lost(struct feed *f);

/* A message of the live channel. Returns 0, or ERR_INVALID where it is none of ours. */
int feed_message(struct feed *f, struct slice text);

/* The answer to ask: err 0 and the position (0 and 0 where the org has none), or why not. */
void feed_position(struct feed *f, uint32_t ticket, int err, struct position at, uint64_t now_ms);

/* The answer to read_log: err 0 and entries in log order, or why not. */
void feed_log(struct feed *f, uint32_t ticket, int err, const struct slice *texts, size_t count,
              uint64_t now_ms);

/* This position was reached by the org, somebody says: where its messages do not come by
 * themselves soon, they are fetched (at the next tick at the earliest). */
void feed_expect(struct feed *f, struct position at, uint64_t now_ms);

/* Time passes. Needed only while feed_wants_tick(), and then about every 50 ms. */
void feed_tick(struct feed *f, uint64_t now_ms);
bool feed_wants_tick(const struct feed *f);

static inline bool feed_is_live(const struct feed *f)
{
    return f->state == FEED_LIVE;
}

#endif

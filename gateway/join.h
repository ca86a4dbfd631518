/* join.h -- one snapshot, what came after it, and the moment when both can be said.
 *
 * A pure machine (DESIGN 4, 14) for one thing that can be joined: a task, an org's page of a
 * dashboard, a person's own part of one. It asks for the snapshot once for everybody who
 * waits, holds the frames that come meanwhile, and reports `ready` when our own position has
 * come so far that nothing in the snapshot is still ahead of us:
 *
 *   IDLE --want--> WAITING --feed live--> FETCHING --snapshot at N--> FENCING --org at M--+
 *    ^                ^                      ^                                           v
 *    |                +--------reset---------+---- stale: PAUSED <------------------ TRAILING
 *    +--kept for JOIN_KEPT_MS, or dropped-- READY <----our position reached max(N, M)----+
 *
 * The fence M is the org's position after the snapshot was made: a snapshot may show more
 * than its own position N says, and what of that was published has a number up to M. So at
 * `ready` the members of the room have been told what the snapshot shows, and who joins now
 * is where they are. One thing can still be ahead: a transition that is stored and about to be
 * published. Whoever knows the room sees that, and says "not yet"; it is asked again when
 * the feed moves, and a last time JOIN_AHEAD_MS later.
 *
 * Handlers run inside the calls; they may call join_want() and join_reset(). Orders carry a
 * ticket as in feed.h. Belongs to one thread. */
#ifndef TASKWIRE_GATEWAY_JOIN_H
#define TASKWIRE_GATEWAY_JOIN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/rcbuf.h"
#include "gateway/frame.h"
#include "proto/envelope.h"

#define JOIN_KEPT_MS    2000                   /* a snapshot serves later joiners so long */
#define JOIN_FRESH_MAX  5                      /* ... but so often a second one is fetched anew where
                                                  frames came since: only a storm gets older ones */
#define JOIN_PAUSE_MS   50                     /* before asking again: doubled each time ... */
#define JOIN_PAUSES     5                      /* ... so often, then the same */
#define JOIN_TRIES_MAX  9                      /* in a row, some 4 s; then it has failed */
#define JOIN_AHEAD_MS   1000                   /* what is about to be published may take so long */
#define JOIN_TRAIL_MS   1000                   /* a live feed reaches the fence within, or never will */

enum join_state {
    JOIN_IDLE, JOIN_WAITING, JOIN_FETCHING, JOIN_FENCING, JOIN_TRAILING, JOIN_READY, JOIN_PAUSED
};

struct join_handlers {
    /* Fetch the snapshot; answer with join_fetched. */
    void (*fetch)(uint32_t ticket, void *arg);
    /* Ask for the org's position of this moment; answer with join_fenced. */
    void (*fence)(uint32_t ticket, void *arg);
    /* Somebody wanted it: here it is (snapshot, at, frames). Returns false for "not yet",
     * unless `is_last`; else nobody wants it any more. */
    bool (*ready)(bool is_last, void *arg);
    /* It cannot be had: ERR_NOT_FOUND, or why not for JOIN_TRIES_MAX times. Nobody wants it
     * any more then. */
    void (*failed)(int err, void *arg);
};

struct join {
    const struct join_handlers *handlers;
    void            *arg;
    enum join_state  state;
    bool             is_wanted;
    bool             feed_is_live;
    struct position  feed_at;
    struct position  start;                    /* our position when the fetch began */
    struct position  at;                       /* of the snapshot */
    struct position  fence;
    struct rcbuf    *snapshot;                 /* all of taskd's answer */
    struct frames    frames;                   /* what came since the fetch began */
    uint32_t         ticket;
    unsigned         tries;
    uint64_t         taken_at_ms;
    uint64_t         ahead_until_ms;           /* 0: nothing was ahead so far */
    uint64_t         trail_until_ms;           /* while the feed is live */
    uint64_t         second_began_ms;          /* of counting fetches */
    unsigned         fetches;                  /* in it */
    uint64_t         retry_at_ms;
};

/* `handlers` must outlive it. */
void join_init(struct join *j, const struct join_handlers *handlers, void *arg);
void join_deinit(struct join *j);

/* Somebody waits: `ready` or `failed` follows, now or later. */
void join_want(struct join *j, uint64_t now_ms);

/* Nobody waits any more: what is under way is forgotten. */
void join_forget(struct join *j);

/* The org's feed: is it live, and where. After every frame, and whenever either changes. A
 * kept snapshot does not survive a feed that is not live. */
void join_feed(struct join *j, bool is_live, struct position at, uint64_t now_ms);

/* A frame that concerns this thing was delivered; call it before join_feed with its position. */
void join_frame(struct join *j, struct frame *f);

/* The answer to fetch: err 0 and the text (copied), which begins with its position line. */
void join_fetched(struct join *j, uint32_t ticket, int err, struct slice text, uint64_t now_ms);

/* The answer to fence. */
void join_fenced(struct join *j, uint32_t ticket, int err, struct position at, uint64_t now_ms);

/* What is known is worth nothing any more (a gap, a change of privacy): begin again where
 * somebody waits. */
void join_reset(struct join *j);

/* The snapshot turned out to be older than what we know: ask again in a moment (it counts as
 * wanted), or fail after JOIN_TRIES_MAX of them. */
void join_stale(struct join *j, uint64_t now_ms);

/* Ask again after so long; for who cannot take no for an answer. */
void join_retry(struct join *j, uint64_t delay_ms, uint64_t now_ms);

/* About every 50 ms while join_is_active(). */
void join_tick(struct join *j, uint64_t now_ms);

static inline bool join_is_active(const struct join *j)
{
    return j->state != JOIN_IDLE;
}

/* Does it take frames in (is it being made, or kept)? */
static inline bool join_takes_frames(const struct join *j)
{
    return j->state >= JOIN_FETCHING && j->state <= JOIN_READY;
}

#endif

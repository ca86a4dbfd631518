/* fanout.h -- one message to a whole room without holding the loop.
 *
 * A broadcast is posted to a room and then carried to its members in slices: fanout_run()
 * works until the time of this turn is used up, round-robin over all rooms that have
 * something on its way. What is promised whatever the slices:
 *
 *   - those and only those get it who were members when it was posted;
 *   - a member gets what is due to it in the order of posting, across all its rooms;
 *   - what is said to a member directly comes after what was posted before (the caller calls
 *     fanout_catch_up first).
 *
 * Knows nothing of Socket.IO: messages are opaque, sending is the owner's. All on the
 * loop's thread. */
#ifndef TASKWIRE_SOCKETIO_FANOUT_H
#define TASKWIRE_SOCKETIO_FANOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "gateway/socketio/room.h"

struct fanout_ops {
    /* Give `message` to a member. Must not call back into rooms or fanout. */
    void (*send)(struct member *m, void *message);
    void (*ref)(void *message);
    void (*unref)(void *message);
    uint64_t (*now_us)(void);                  /* a monotonic clock */
};

struct fanout {
    const struct fanout_ops *ops;
    struct list walks;                         /* rooms with messages on their way, in turn */
    uint64_t    newest;                        /* number of the newest broadcast */
    uint64_t    slice_us;                      /* of one turn */
    uint64_t    used_us;                       /* in this turn */
    size_t      waiting_bytes;                 /* of messages on their way */
    size_t      waiting_bytes_max;             /* past it the oldest end at once; 0: no limit */
    uint32_t    quantum;                       /* members between two looks at the clock: 32 */
    uint64_t    forced;                        /* how often waiting_bytes_max was passed */
};

/* `ops` must outlive it. */
void fanout_init(struct fanout *f, const struct fanout_ops *ops, uint64_t slice_us,
                 size_t waiting_bytes_max);

/* Nothing may be on its way any more. */
void fanout_deinit(struct fanout *f);

/* Send to all members of `r` (NULL or empty: nobody): takes a reference as long as needed.
 * Begins at once, with what is left of this turn's time. Returns true if some of it is left
 * for fanout_run. */
bool fanout_post(struct fanout *f, struct room *r, void *message, size_t bytes);

/* A new turn of the loop: its slice is whole. */
void fanout_new_turn(struct fanout *f);

/* Carry on until the slice is used (at least one quantum where it is whole). Returns true
 * if there is more to do. */
bool fanout_run(struct fanout *f);

/* Give a member everything that was posted to its rooms and has not reached it yet. */
void fanout_catch_up(struct rooms *set, struct member *m);

/* A room lost its last member: nothing is on its way to it any more. */
void fanout_forget(struct room *r);

#endif

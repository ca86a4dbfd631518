/* recovery.h -- what a client that comes back is owed: the decisions of DESIGN 8.
 *
 * Pure (DESIGN 14): a record as Redis keeps it, an offset as the client gives it back, the
 * org's position, the log and live frames go in; what to read, what to say and which rooms
 * to enter come out. Three things may become of a room:
 *
 *   REPLAY   the client has its snapshot: the lines behind its offset, and then the live ones
 *   FRESH    it may not have it (the offset is older than the room's): a new snapshot
 *   EVICTED  its task turned private meanwhile: it hears that, and nothing else of it
 *
 * Offsets are ordered by (epoch, number, line, k). On a socket they only grow: a broadcast's
 * is its line in the log, a snapshot's is OFFSET_LINE_ALL of the position at which it left, with
 * the socket's next k. So "has the client got it?" is one comparison.
 *
 * Belongs to one thread. */
#ifndef TASKWIRE_GATEWAY_RECOVERY_H
#define TASKWIRE_GATEWAY_RECOVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/frame.h"
#include "proto/envelope.h"

#define RECOVERY_FRAMES_MAX 8192               /* held for one client; past either what was missed */
#define RECOVERY_BYTES_MAX  (512u << 10)       /* is too much: a new session costs less */

/* --- the record (proto/internal.md, "Sessions") --- */

#define RECORD_ROOMS_MAX  20000                /* past it a record is not believed */
#define RECORD_SID_SIZE   21                   /* a NUL included, as socketio.h's SIO_SID_MAX */
#define RECORD_FIELD_SIZE 32

struct record_room {
    char          task[25];                    /* "": the dashboard */
    bool          is_told;                     /* its snapshot left with the offset `told` */
    struct offset told;
};

struct record {
    char                sid[RECORD_SID_SIZE];
    struct offset       start;                 /* where the session began */
    uint32_t            k;                     /* the highest that may have been given out */
    struct record_room *rooms;
    size_t              room_count, room_cap;
};

void record_init(struct record *r);
void record_deinit(struct record *r);

/* One field of the hash; those that are not about this (owner, sub ...) are ignored. Returns 0 or
 * ERR_CORRUPT. */
int record_add(struct record *r, struct slice field, struct slice value);

/* The field of a room; `task` is empty for the dashboard. */
void record_field(struct slice task, char out[RECORD_FIELD_SIZE]);

#define RECORD_NOT_TOLD "?"                    /* a room's value until its snapshot has left */

/* Negative, 0, positive: a before, at, after b. */
int offset_compare(const struct offset *a, const struct offset *b);

/* --- coming back --- */

enum room_fate { ROOM_REPLAY, ROOM_FRESH, ROOM_EVICTED, ROOM_GONE };

struct recovery_room {
    char           task[25];
    enum room_fate fate;
    int64_t        evicted_seq;                /* of the transition that did it */
    uint64_t       evicted_at;                 /* its number */
};

struct recovery {
    struct slice          org, sub;            /* lent; they outlive it */
    struct offset         from;                /* the client has everything up to here */
    struct position       target;              /* the log is read up to here, then frames come */
    uint64_t              next;                /* the number to read next */
    bool                  is_reading;
    struct recovery_room *rooms;               /* sorted by task; the dashboard, "", comes first */
    size_t                room_count;
    struct frame        **frames;              /* of the log, then live; those that matter */
    size_t                frame_count, frame_cap;
    struct frame        **late;                /* live ones that came while the log was read */
    size_t                late_count, late_cap;
    size_t                bytes;               /* of the lines that may have to be said */
    const char           *why;                 /* once LOST, in a few words; never freed */
};

/* Judge a record by the offset that came with it (empty: none). Returns 0, or ERR_INVALID: the
 * offset is none of ours, or says more than the record knows. */
int  recovery_init(struct recovery *r, const struct record *record, struct slice offset,
                   struct slice org, struct slice sub);
void recovery_deinit(struct recovery *r);

enum recovery_step {
    RECOVERY_READ,                             /* read the log from `next` on: recovery_log */
    RECOVERY_DONE,                             /* everything is here; live frames are taken in */
    RECOVERY_AHEAD,                            /* our position is behind the client's: later */
    RECOVERY_LOST                              /* not to be had any more, or too much */
};

/* Our org is at `at` now; every later frame goes to recovery_frame. */
enum recovery_step recovery_begin(struct recovery *r, struct position at);
enum recovery_step recovery_log(struct recovery *r, const struct slice *texts, size_t count);
enum recovery_step recovery_frame(struct recovery *r, struct frame *f);

struct recovery_room *recovery_room(struct recovery *r, struct slice task);   /* NULL: none */

/* Once DONE, in the turn in which the client is let in: decide who was evicted. */
void recovery_settle(struct recovery *r);

/* All that is to be said, in order. `offset` is the line's. */
void recovery_each(struct recovery *r, void (*fn)(struct slice json, const struct offset *at,
                                                  void *arg), void *arg);

#endif

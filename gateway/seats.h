/* seats.h -- what Redis keeps of a socket, so that it can be gone on with elsewhere.
 *
 * A *seat* outlives its sockets: a record in Redis under the client's `pid`, which says
 * whose it is, which rooms it has joined, and up to where each room's snapshot has left
 * (proto/internal.md, "Sessions"). It belongs to one socket at a time, its *owner*; who is
 * owner no more cannot write, whatever it still believes: every write is a script that looks.
 *
 * Written ahead: a room stands in the record before its snapshot leaves (peer.h's keeper
 * says when to wait). What could not be written is not promised: a wait goes on until the
 * record has been written anew. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_SEATS_H
#define TASKWIRE_GATEWAY_SEATS_H

#include "common/metrics.h"
#include "common/pool.h"
#include "gateway/orgs.h"
#include "gateway/peer.h"
#include "gateway/recovery.h"

struct seat;

enum seat_outcome {
    SEAT_MADE,                              /* written */
    SEAT_TAKEN,                             /* ours now, with what it says */
    SEAT_UNKNOWN,                           /* no such record, or it has expired */
    SEAT_STRANGER,                          /* somebody else's: nothing was changed */
    SEAT_FAILED                             /* Redis did not answer */
};

struct seats_handlers {
    /* The answer to seat_make and seat_take. `record` is lent, with SEAT_TAKEN only. */
    void (*opened)(struct peer *p, enum seat_outcome outcome, const struct record *record,
                   void *arg);
    /* Waits of this peer that waited for a write may go on. */
    void (*written)(struct peer *p, void *arg);
};

struct seat_table {                            /* seat_table.c */
    struct seat **buckets;
    size_t        bucket_count;                /* a power of two, or 0 */
    size_t        count;
};

struct seats {
    uv_loop_t     *loop;
    const char    *gateway;                    /* this gateway's id */
    struct orgs   *orgs;
    const struct seats_handlers *handlers;
    void          *arg;
    struct pool       pool;
    struct seat_table table;                   /* by number */
    struct list    fine;                       /* written, the one renewed longest ago first */
    struct list    dirty;                      /* to be written anew */
    uint64_t       last_no;
    char           run[41];                    /* of the Redis that has our records */
    struct metric *taken_away, *rewritten;
};

/* `gateway`, `handlers` and `orgs` must outlive it; sets itself as the peers' keeper. */
void seats_init(struct seats *all, struct peers *peers, const char *gateway,
                   struct orgs *orgs, struct metrics *m);
void seats_handle(struct seats *all, const struct seats_handlers *handlers, void *arg);
void seats_deinit(struct seats *all);          /* every seat has ended */

/* Can records be written at all? */
bool seats_are_up(const struct seats *all);

/* Give a peer a seat of its own, with a new pid, that begins at `start`. Returns 0 and
 * `opened` follows; or an error, and it has none. */
int seat_make(struct seats *all, struct peer *p, struct position start);

/* Take over the seat `pid` for a peer. As seat_make. */
int seat_take(struct seats *all, struct peer *p, const char *pid);
bool seat_pid_is_well_formed(struct slice pid);

/* Is its record what we believe it to be, as far as we know? */
bool seat_is_sound(const struct peer *p);

const char *seat_pid(const struct peer *p);  /* NULL: it has none */

/* The peer goes, or goes without: its record stays for two minutes (`is_kept`), or is deleted.
 * No handler runs afterwards. Harmless where there is none. */
void seat_end(struct seats *all, struct peer *p, bool is_kept);

/* About every second: renew, and write anew what Redis does not have. */
void seats_tick(struct seats *all);

#endif

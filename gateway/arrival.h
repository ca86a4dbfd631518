/* arrival.h -- letting a socket in: as the one that it was, or as a new one (SPEC P3).
 *
 * A socket whose token was found good arrives. If it names a seat and Redis has it, it is
 * gone on with: what was missed is said, its rooms are entered at exactly that place of the
 * live feed, and the client hears the sid and pid that it knows. In every other case it
 * gets a seat of its own; and where Redis cannot keep one, it comes in all the same,
 * without a pid. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_ARRIVAL_H
#define TASKWIRE_GATEWAY_ARRIVAL_H

#include "common/metrics.h"
#include "gateway/boards.h"
#include "gateway/seats.h"
#include "gateway/topics.h"

#define ARRIVAL_NEW_MS    300                  /* for a seat to be written; then without */
#define ARRIVAL_TAKE_MS   1500                 /* for one to be found and the log to be read */
#define ARRIVAL_SETTLE_MS 2000                 /* for the rooms' snapshots; then they come later */

struct arrival;

#define ARRIVAL_OUTCOME_MAP(X)                                                  \
    X(RECOVERED,   "recovered")                                                 \
    X(UNKNOWN,     "unknown")       /* no such record, or it has expired */     \
    X(STRANGER,    "stranger")      /* somebody else's pid */                   \
    X(BAD_OFFSET,  "bad_offset")                                                \
    X(LOST,        "lost")          /* the log does not reach back; too much */ \
    X(UNAVAILABLE, "unavailable")   /* Redis or the feed did not answer */

enum arrival_outcome {
#define X(name, text) ARRIVAL_##name,
    ARRIVAL_OUTCOME_MAP(X)
#undef X
    ARRIVAL_OUTCOME_COUNT
};

struct arrivals {
    uv_loop_t       *loop;
    struct seats     seats;
    struct topics   *topics;
    struct boards   *boards;
    struct sio_namespace *ns;
    bool           (*may_begin)(struct peer *p, void *arg);
    void           (*on_recovered)(struct peer *p, void *arg);
    void            *arg;
    struct list      all;
    struct list      due;                      /* to be looked at, on a clean stack */
    uv_timer_t       wake;
    uint64_t         ticked_ms;
    uint32_t         last_ticket;
    bool             is_closing;
    struct metric   *outcomes[ARRIVAL_OUTCOME_COUNT], *missed;
};

struct arrivals_options {
    const char      *gateway;                  /* this gateway's id */
    struct peers    *peers;
    struct orgs     *orgs;
    struct topics   *topics;
    struct boards   *boards;
    struct sio_namespace *ns;
    /* May somebody begin a session, who did not come back to one? Else they were refused. */
    bool           (*may_begin)(struct peer *p, void *arg);
    /* Somebody has come back to their rooms and is let in. May end them. */
    void           (*on_recovered)(struct peer *p, void *arg);
    void            *arg;
    struct metrics  *metrics;
};

/* What the options point to must outlive it. */
void arrivals_init(struct arrivals *as, const struct arrivals_options *options);
void arrivals_close(struct arrivals *as);      /* nobody arrives any more */

/* Let in a peer whose socket is asking. `pid` and `offset` are what it says (empty: nothing). Ends
 * in sio_accept or sio_accept_as, later. */
void arrival_begin(struct arrivals *as, struct peer *p, struct slice pid, struct slice offset);

/* The same for a stream: a peer without a seat and with one room (`task`: empty for the dashboard),
 * who got as far as `offset`. `came` says, later and once, what became of it; where it is not
 * EVICTED the callee lets it in, and where it is ANEW it joins the room. */
enum arrival_came {
    CAME_BACK,                                 /* in the room, and told what it had missed */
    CAME_ANEW,                                 /* it needs a fresh state */
    CAME_EVICTED                               /* the task turned private meanwhile: it was told that */
};
void arrival_resume(struct arrivals *as, struct peer *p, struct slice task, struct slice offset,
                    void (*came)(struct peer *p, enum arrival_came how));

/* The socket ends, before or after it was let in. `is_kept`: it may come back. Before it leaves
 * its rooms. */
void arrival_end(struct arrivals *as, struct peer *p, bool is_kept);

/* News of an org: as orgs_handlers' members. */
void arrivals_frame(struct arrivals *as, struct org *o, struct frame *f);
void arrivals_resync(struct arrivals *as, struct org *o);
void arrivals_moved(struct arrivals *as, struct org *o);

/* About every 100 ms. */
void arrivals_tick(struct arrivals *as);

#endif

/* publish_script.h -- the sequencer: the Lua scripts of DESIGN 6 and how to call them.
 *
 * Every call is one script on one Redis; its reply is read with script_answer_read. The rules
 * of the return codes and callbacks are redis_eval's. All on the loop; arguments are copied
 * before a call returns. */
#ifndef TASKWIRE_TASKD_PUBLISH_SCRIPT_H
#define TASKWIRE_TASKD_PUBLISH_SCRIPT_H

#include "common/redis.h"
#include "proto/envelope.h"
#include "taskd/store.h"

enum script_outcome {
    SCRIPT_OK,
    SCRIPT_HAD,                                /* a repeat: published before */
    SCRIPT_GAP,                                /* earlier ones must be sent first: `known` */
    SCRIPT_HOLD,                               /* counts are being taken: ask again in a moment */
    SCRIPT_RECOUNT,                            /* a new epoch is due, and the hold is the caller's:
                                                  count, then begin */
    SCRIPT_BUSY,                               /* the org is not quiet */
    SCRIPT_LATE,                               /* the hold was not ours any more */
    SCRIPT_GONE,                               /* there is no epoch to correct */
    SCRIPT_FAILED                              /* Redis refused, or answered nonsense */
};

struct script_answer {
    enum script_outcome outcome;
    struct position     at;                    /* OK, HAD, GAP */
    int64_t             known;                 /* HAD, GAP: the last seq known */
    int64_t             org[BUCKETS_PER_SCOPE];  /* OK of a position: the org's counts */
    int64_t             own[BUCKETS_PER_SCOPE];  /* and the asker's private ones */
    uint64_t            rev, own_rev;
    struct slice        people;                /* lent, as the reply is */
};

/* Who calls: the org, and the name under which a hold may be taken (unique per taskd). */
struct script_caller {
    const char *org;
    const char *token;
    uint64_t    floor_us;                      /* the clock, or more: no new number is below */
};

struct publication {
    const char  *task;                         /* 24 hexadecimal digits */
    const char  *creator;
    int64_t      seq;
    int64_t      marked;                       /* published.seq as the store holds it */
    enum bucket  before, after;
    struct slice body;                         /* routing line and addressed lines */
    const char  *times;                        /* of the `times` line: when committed, when sent */
};

/* Give the transition its number, append it to the log and publish it.
 * OK, HAD, GAP, HOLD, RECOUNT. */
int script_publish(struct redis *r, const struct script_caller *who, const struct publication *p,
                   redis_cb *cb, void *arg);

/* Where the org stands, its counts, and those of `sub`'s private tasks (NULL: nobody's, but
 * the people who have some).
 * OK, HOLD, RECOUNT. */
int script_position(struct redis *r, const struct script_caller *who, const char *sub,
                    redis_cb *cb, void *arg);

/* Begin a new epoch with these counts, and let go of the hold. OK, LATE. */
int script_begin(struct redis *r, const struct script_caller *who, const struct store_counts *c,
                 redis_cb *cb, void *arg);

/* Take the hold of an org that was quiet for `quiet_us`. OK, BUSY, HOLD, GONE. */
int script_hold(struct redis *r, const struct script_caller *who, uint64_t quiet_us, redis_cb *cb,
                void *arg);

/* Put right what differs from these counts, tell the dashboards, and let go of the hold.
 * OK with `known`: how many were wrong. LATE, GONE. */
int script_correct(struct redis *r, const struct script_caller *who, const struct store_counts *c,
                   redis_cb *cb, void *arg);

/* Let go of the hold, if it is ours. OK. */
int script_release(struct redis *r, const struct script_caller *who, redis_cb *cb, void *arg);

/* Read a reply; `err` is what the redis callback was given. */
void script_answer_read(int err, const struct redis_reply *reply, struct script_answer *out);

#endif

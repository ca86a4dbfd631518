/* presence.h -- who is looking at a task, over all gateways (SPEC E `task:presence`, DESIGN 17).
 *
 * Pure (DESIGN 14): who enters and leaves rooms here, what other gateways report, and time go in;
 * what the room is told and what the others are told come out. A gateway's *report* of a task is
 * small however many look at it: their number, the first PRESENCE_NAMED of them, and a
 * sample (sample.h), by which somebody who is on several gateways counts once.
 *
 *   count    different people (a sub, whatever their tabs and devices). Exact up to SAMPLE_MAX people
 *            in all, and wherever nobody is on two gateways; past both within a few per cent of
 *            those who are.
 *   viewers  those who have been there longest, the same on every gateway.
 *
 * A room is told at most once in PRESENCE_TELL_MS, and only what has changed or somebody
 * new has not heard; others hear of it at most once in PRESENCE_REPORT_MS. So a change is known
 * everywhere within the sum of both and a tick or two, and 5,000 viewers cost two reports and
 * one broadcast a second.
 *
 * Belongs to one thread. */
#ifndef TASKWIRE_GATEWAY_PRESENCE_H
#define TASKWIRE_GATEWAY_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "common/slice.h"

#define PRESENCE_NAMED       20                /* viewers told by name */
#define PRESENCE_TELL_MS     1000
#define PRESENCE_REPORT_MS   500
#define PRESENCE_FIRST_MS    150               /* others are waited for so long, once */
#define PRESENCE_REFRESH_MS  30000             /* every report is repeated, and others' asked for */
#define PRESENCE_REPORTS_MAX 512               /* per tick; the others with the next */
#define PRESENCE_OTHERS_MAX  1000              /* gateways that are believed, per task */
#define PRESENCE_TEXT_MAX    (64u << 10)       /* of a report */

struct watched;

struct presence_handlers {
    /* Say a complete event to the room of `task`. Lent. */
    void (*tell)(struct slice task, struct slice json, void *arg);
    /* Our report, for the others; `is_gone`: nobody is here any more. `asks`: we want theirs, by
     * presence_heard_all. Lent. */
    void (*report)(struct slice task, struct slice text, bool is_gone, bool asks, void *arg);
};

struct presence {
    const struct presence_handlers *handlers;
    void           *arg;
    struct watched *table;                     /* tasks that somebody here looks at */
    struct list     touched;                   /* something is to be told or reported */
    struct list     in_order;                  /* of their last report */
    uint64_t        version;                   /* of reports: counts up */
    uint64_t        turn;                      /* of hearing and asking: counts up */
};

/* `handlers` must outlive it. They may not call anything here. */
void presence_init(struct presence *p, const struct presence_handlers *handlers, void *arg);
void presence_deinit(struct presence *p);      /* without a word to anybody */

struct presence_person {
    struct slice sub, name;
};

/* A socket of this person came into the room of `task` (24 bytes), or went. */
void presence_enter(struct presence *p, struct slice task, const struct presence_person *who,
                    int64_t wall_ms, uint64_t now_ms);
void presence_leave(struct presence *p, struct slice task, struct slice sub);

/* Another gateway's report; what is malformed, or older than what is known, is ignored. */
struct presence_report {
    struct slice gateway, text;
};
void presence_heard(struct presence *p, struct slice task, const struct presence_report *r);

/* The answer to a report that asked: all others' there are. Who is not among them, and has not
 * been heard since the question, has nobody there. */
void presence_heard_all(struct presence *p, struct slice task, const struct presence_report *all,
                        size_t count);

/* Those gateways live; `turn`: presence_turn() from before that was looked up. All others that
 * have not been heard since are gone, with their viewers. */
uint64_t presence_turn(struct presence *p);
void     presence_alive(struct presence *p, const struct slice *gateways, size_t count,
                        uint64_t turn);

/* Reports, ours or others', may have been lost: all over again. */
void presence_refresh(struct presence *p);

/* About every 100 ms. */
void presence_tick(struct presence *p, uint64_t now_ms);

size_t presence_size(const struct presence *p);   /* tasks that somebody here looks at */

#endif

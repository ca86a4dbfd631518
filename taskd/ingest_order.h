/* ingest_order.h -- in which order inputs of the bus act on their tasks (SPEC T4): pure.
 *
 * Inputs go in as they arrive, with what came of each; out comes what to do next: act on one,
 * or give one up. Inputs of one task act one at a time in order of arrival. One that is not
 * legal yet waits up to five seconds with the later ones behind it; a later one goes ahead
 * only where it opens the way. One thread. Times are monotonic milliseconds. */
#ifndef TASKWIRE_TASKD_INGEST_ORDER_H
#define TASKWIRE_TASKD_INGEST_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "proto/tables.h"

#define INGEST_EARLY_MS 5000                   /* how long an input may wait for another */
#define INGEST_ASK_MS   250                    /* how often it is tried: people move tasks too */
#define INGEST_AWAY_MS  200                    /* the store was away: try again after */

struct ingest_order;
struct ingest_line;

/* One input. The first two are the caller's to fill; it owns the memory, from ingest_order_add
 * until a GIVE_UP action, ingest_order_result with a final outcome, or ingest_order_clear. */
struct ingest_item {
    enum input          input;
    char                task_id[25];
    struct list         node;
    struct ingest_line *line;
    uint64_t            early_at;              /* since when it waits; 0: it does not */
    bool                is_acting, is_tried;
};

enum ingest_outcome {
    INGEST_OVER,                               /* accepted, a repeat, or a dead letter by now */
    INGEST_EARLY,                              /* not legal yet */
    INGEST_AWAY                                /* the store did not answer */
};

enum ingest_kind { INGEST_ACT, INGEST_GIVE_UP };

struct ingest_action {
    enum ingest_kind    kind;
    struct ingest_item *item;                  /* GIVE_UP: it is the caller's again */
};

struct ingest_order *ingest_order_new(void);
void                 ingest_order_free(struct ingest_order *o);   /* must be empty or cleared */

void ingest_order_add(struct ingest_order *o, struct ingest_item *i, uint64_t now_ms);

/* What came of an ACT. OVER: the item is the caller's again. EARLY: `status` is the task's as it
 * is now, and whether it failed because its pull request was closed. */
void ingest_order_result(struct ingest_order *o, struct ingest_item *i,
                         enum ingest_outcome outcome, enum status status,
                         bool failed_by_closing, uint64_t now_ms);

/* The next action; false where there is none for now. */
bool ingest_order_next(struct ingest_order *o, uint64_t now_ms, struct ingest_action *out);

/* Forget everything that is not acting: `drop` is given each. What acts is `drop`ped when its
 * result comes (the caller sees that it is stale). */
void ingest_order_clear(struct ingest_order *o, void (*drop)(struct ingest_item *i, void *arg),
                        void *arg);

size_t ingest_order_count(const struct ingest_order *o);

/* Does time matter to anybody? */
bool ingest_order_is_waiting(const struct ingest_order *o);

#endif

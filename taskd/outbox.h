/* outbox.h -- the order in which a task's transitions are published, and nothing else: a plain
 * state machine (DESIGN 14). News, answers and time in, actions out.
 *
 * Whoever drives it calls an input, then takes actions with outbox_next until there are none.
 * Of one task there is at most one message under way, the one after the last that was
 * answered; tasks do not wait for each other. What does not fit here is left to the store,
 * where a sweeper finds it. One thread. Times are monotonic milliseconds. */
#ifndef TASKWIRE_TASKD_OUTBOX_H
#define TASKWIRE_TASKD_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rcbuf.h"
#include "proto/tables.h"

#define OUTBOX_TASKS_MAX    16384              /* tasks in memory; past it they wait in the store */
#define OUTBOX_MESSAGES_MAX 64                 /* of one task; past it they are loaded again */
#define OUTBOX_SENDS_MAX    1024               /* scripts under way */
#define OUTBOX_LOADS_MAX    64                 /* reads under way */
#define OUTBOX_HOLD_MS      50                 /* held or busy: try again after */
#define OUTBOX_RETRY_MS     1000               /* a store or a Redis that refused: after */

struct outbox;

struct outbox_message {
    int64_t       seq;
    enum bucket   before, after;
    struct rcbuf *body;                        /* a reference is taken of it */
    uint64_t      committed_ns;                /* when it was heard of; 0: it was loaded later */
};

/* A task as it was read or written just now, with messages above `marked`, in order; they may
 * begin later or end earlier than what there is (what is missing will be loaded). */
struct outbox_news {
    const char                  *id, *org, *creator;
    int64_t                      seq;          /* the newest there is */
    int64_t                      marked;       /* published.seq in the store */
    const struct outbox_message *messages;
    size_t                       count;
};

enum outbox_kind {
    OUTBOX_LOAD,                               /* read the task; then outbox_loaded */
    OUTBOX_SEND,                               /* publish `message`; then outbox_answered */
    OUTBOX_MARK,                               /* mark up to `seq`; then outbox_marked */
    OUTBOX_TELL                                /* `waiter` waited for this: `err` */
};

/* Texts and body are lent until the next call on the outbox. */
struct outbox_action {
    enum outbox_kind      kind;
    const char           *id, *org, *creator;
    int64_t               marked;              /* SEND */
    struct outbox_message message;             /* SEND */
    int64_t               seq;                 /* MARK */
    enum bucket           bucket;              /* MARK */
    void                 *waiter;              /* TELL */
    int                   err;                 /* TELL: 0, ERR_REDIS, _STORE, _BUSY or _CLOSED */
};

enum outbox_answer {
    OUTBOX_SENT,                               /* it was published, now or before */
    OUTBOX_GAP,                                /* earlier ones are missing there */
    OUTBOX_HELD,                               /* not now */
    OUTBOX_REFUSED,                            /* Redis answered with an error, or the store did not */
    OUTBOX_LOST                                /* unknown: the link broke */
};

struct outbox *outbox_new(void);
void           outbox_free(struct outbox *o);  /* waiters are forgotten: outbox_stop first */

/* From which seq on would messages of this task be kept? INT64_MAX: none now. */
int64_t outbox_needs(const struct outbox *o, const char *id, int64_t marked);

/* A task was written. */
void outbox_offer(struct outbox *o, const struct outbox_news *n, uint64_t now_ms);

/* Publish whatever this task still has to say; `waiter` (NULL: nobody) is told when all that was
 * there is published, or why not. */
void outbox_want(struct outbox *o, const char *id, void *waiter, uint64_t now_ms);

/* Answers to actions. ERR_NOT_FOUND: there is no such task. `n` is NULL unless err is 0. */
void outbox_loaded(struct outbox *o, const char *id, int err, const struct outbox_news *n,
                   uint64_t now_ms);
void outbox_answered(struct outbox *o, const char *id, int64_t seq, enum outbox_answer answer,
                     uint64_t now_ms);
void outbox_marked(struct outbox *o, const char *id, int64_t seq, int err, uint64_t now_ms);

void outbox_link(struct outbox *o, bool is_up, uint64_t now_ms);
void outbox_tick(struct outbox *o, uint64_t now_ms);

/* The org's log begins anew: what was sent and is not marked will be sent again, as the counts
 * of the new epoch are taken from the marks. */
void outbox_restart(struct outbox *o, const char *org, uint64_t now_ms);

/* Has any task of the org something under way here? */
bool outbox_has_org(const struct outbox *o, const char *org);

/* Nothing new is begun; waiters are told ERR_CLOSED. */
void outbox_stop(struct outbox *o);

/* The next action; false where there is none. */
bool outbox_next(struct outbox *o, struct outbox_action *out);

size_t outbox_tasks(const struct outbox *o);
size_t outbox_under_way(const struct outbox *o);   /* loads, sends and marks */
bool   outbox_has_late(const struct outbox *o);    /* does time matter to anybody? */

#endif

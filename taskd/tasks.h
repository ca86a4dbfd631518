/* tasks.h -- acting on tasks: the one way in which REST, ingest and webhooks change one.
 *
 * Reads the task, lets transitions.c decide, writes guarded by seq, and starts over where somebody
 * else was faster; then the publisher is told. Calls for one task are queued here and run one
 * after the other, so that order given is order kept. All on the loop. */
#ifndef TASKWIRE_TASKD_TASKS_H
#define TASKWIRE_TASKD_TASKS_H

#include "taskd/publisher.h"
#include "taskd/store.h"
#include "taskd/transitions.h"

struct tasks;

struct tasks *tasks_new(uv_loop_t *loop, struct store *store, struct publisher *publisher,
                        struct metrics *m);

/* Nothing new is begun; acts that wait end with ACT_AWAY before this returns, those under way
 * when the store answers them. Then `cb` runs, later, and the memory is gone. */
void tasks_close(struct tasks *t, void (*cb)(void *arg), void *arg);

enum act_outcome {
    ACT_DONE,                                  /* accepted and stored */
    ACT_REPEAT,                                /* this key had its effect before */
    ACT_EARLY, ACT_NEVER, ACT_INVALID,         /* the verdicts; `why` says why */
    ACT_NOT_FOUND,
    ACT_CONFLICT,                              /* expected_seq was not met */
    ACT_HIDDEN,                                /* not visible to who asks: treat as not found */
    ACT_FORBIDDEN,                             /* visible, but this is its creator's to do */
    ACT_AWAY                                   /* the store is away, or nobody knows: repeat it */
};

struct act {
    const char        *task_id;
    struct input_event input;                  /* data: a reference is taken; texts are copied */
    int64_t            expected_seq;           /* If-Match; 0: any */
    const char        *org, *sub;              /* of a person, for access; NULL: a service */
    bool               sees_all;               /* an operator: every org's, whoever's */
};

/* cb runs once, later; `task` is as it is now (NULL for NOT_FOUND, AWAY), lent. */
typedef void act_cb(enum act_outcome outcome, const struct task *task, const char *why,
                    void *arg);

/* Returns 0; or ERR_BUSY or ERR_STORE, and cb never runs: treat it as ACT_AWAY. An
 * `expected_seq` that is not met, an access that is refused, and a verdict other than accepted
 * are told only where the input's key had no effect before (else ACT_REPEAT). */
int tasks_act(struct tasks *t, const struct act *a, act_cb *cb, void *arg);

/* Create; returns as tasks_act. cb: ACT_DONE with the new task, ACT_REPEAT with the one that has
 * this id already, ACT_AWAY. */
int tasks_create(struct tasks *t, const struct new_task *n, act_cb *cb, void *arg);

#endif

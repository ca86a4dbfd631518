/* transitions.h -- what may happen to a task, and what follows: pure decisions.
 *
 * No store, no loop, no clock: a task and an input in, a verdict and the task after it out.
 * The moves are rows of proto/transitions.def. Any thread. */
#ifndef TASKWIRE_TASKD_TRANSITIONS_H
#define TASKWIRE_TASKD_TRANSITIONS_H

#include "taskd/task.h"

/* Something that wants to move a task. Borrowed by whoever is asked. */
struct input_event {
    enum input    input;
    const json_t *data;                        /* object; checked by the rows of proto/ before */
    const char   *actor;                       /* a sub, or a source */
    const char   *actor_name;                  /* the name claim of a person; NULL */
    const char   *key;                         /* source + '\n' + id; "" for REST */
    const char   *trace;                       /* traceparent; NULL or "": none */
    int64_t       at;                          /* wall ms: when it was accepted */
};

enum verdict {
    VERDICT_ACCEPTED,
    VERDICT_EARLY,                             /* not legal yet: it may have overtaken another */
    VERDICT_NEVER,                             /* illegal in a final state, or of a kind that cannot come */
    VERDICT_INVALID                            /* its data does not fit this task (number of answers ...) */
};

/* Decide on `in` for `before`. ACCEPTED: fills `after` (seq + 1) and `event`, both
 * initialised here, the caller deinits them. Otherwise: `why` (static text) says why not,
 * and `after` and `event` are untouched. `after` has before's kept events: the store appends the
 * new one. Time never goes back in a task: an `at` before its last change counts as that. */
enum verdict transition_decide(const struct task *before, const struct input_event *in,
                               struct task *after, struct event *event, const char **why);

/* A new task and its `created` event. `data` is the body of POST /api/tasks, checked. */
struct new_task {
    const char *id, *org, *sub, *name;
    const char *title, *description, *repo;    /* title NULL or empty: made from the description's first
                                                  line; repo NULL: none; name NULL or empty: the sub */
    bool        is_private;
    int64_t     at;
    const char *trace;                         /* traceparent; NULL or "": none */
};
void transition_create(const struct new_task *n, struct task *after, struct event *event);

#endif

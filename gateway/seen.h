/* seen.h -- the newest seq that was heard of each of an org's tasks, lately.
 *
 * Dashboards have no sequence of their own, and after Redis lost its memory a transition may be
 * published a second time, in the new life: this is what tells an old row from a new one.
 * Bounded; what was not heard of for longest is forgotten first. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_SEEN_H
#define TASKWIRE_GATEWAY_SEEN_H

#include <stdint.h>

#include "common/slice.h"

#define SEEN_MAX 4096                          /* tasks of one org */

struct seen_task;

struct seen {
    struct seen_task *table;
};

void     seen_init(struct seen *s);
void     seen_deinit(struct seen *s);           /* empty, and usable again */

/* The newest seq heard of; 0: none. `task` has 24 bytes. */
uint64_t seen_get(const struct seen *s, struct slice task);

/* It was heard of at `seq`; an older one than is known changes nothing. */
void     seen_put(struct seen *s, struct slice task, uint64_t seq);

/* The tasks heard of last, the newest first, `max` at most. */
void     seen_each_newest(const struct seen *s, size_t max,
                          void (*fn)(struct slice task, void *arg), void *arg);

#endif

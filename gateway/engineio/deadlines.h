/* deadlines.h -- many deadlines, one timer: lists ordered by time. Pure, no clock.
 *
 * A deadline is embedded in whatever waits for it and stands in at most one list. All that
 * stand in one list usually wait equally long (the ping interval, say), so a new one belongs
 * at or near the end, and setting costs a step or two; the first one is always the next due.
 * One thread. */
#ifndef TASKWIRE_ENGINEIO_DEADLINES_H
#define TASKWIRE_ENGINEIO_DEADLINES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"

#define DEADLINE_NEVER UINT64_MAX

struct deadline {
    struct list node;
    uint64_t    at_ms;
};

struct deadlines {
    struct list list;                          /* by at_ms, the earliest first */
};

void deadlines_init(struct deadlines *l);
void deadline_init(struct deadline *d);

/* Set, or move here from wherever it stands. */
void deadlines_set(struct deadlines *l, struct deadline *d, uint64_t at_ms);

/* Take it out of its list; harmless where it stands in none. */
void deadline_clear(struct deadline *d);

static inline bool deadline_is_set(const struct deadline *d)
{
    return !list_is_empty(&d->node);
}

/* When the first one is due; DEADLINE_NEVER where there is none. */
uint64_t deadlines_next(const struct deadlines *l);

/* Take out the first one that is due at `now_ms`; NULL where none is. */
struct deadline *deadlines_take(struct deadlines *l, uint64_t now_ms);

#endif

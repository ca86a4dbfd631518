/* deadlines.c -- see deadlines.h.
 *
 * A timer wheel was the obvious choice and was rejected: it rounds to ticks, and heartbeats may
 * not be late by even one (clients count the same milliseconds), while an idle wheel wakes the
 * process at every tick. Waits of equal length need no wheel: appending keeps the list in
 * order, exactly and without ticks. The walk from the end is for the few that are out of order
 * by a moment. */
#include "gateway/engineio/deadlines.h"

void deadlines_init(struct deadlines *l)
{
    list_init(&l->list);
}

void deadline_init(struct deadline *d)
{
    list_init(&d->node);
    d->at_ms = DEADLINE_NEVER;
}

void deadlines_set(struct deadlines *l, struct deadline *d, uint64_t at_ms)
{
    struct list *after;

    list_remove(&d->node);
    d->at_ms = at_ms;
    for (after = l->list.prev; after != &l->list; after = after->prev) {
        if (container_of(after, struct deadline, node)->at_ms <= at_ms)
            break;
    }
    list_insert_before(after->next, &d->node);
}

void deadline_clear(struct deadline *d)
{
    list_remove(&d->node);
}

uint64_t deadlines_next(const struct deadlines *l)
{
    if (list_is_empty(&l->list))
        return DEADLINE_NEVER;
    return container_of(l->list.next, struct deadline, node)->at_ms;
}

struct deadline *deadlines_take(struct deadlines *l, uint64_t now_ms)
{
    if (deadlines_next(l) > now_ms || list_is_empty(&l->list))
        return NULL;
    return container_of(list_take_first(&l->list), struct deadline, node);
}

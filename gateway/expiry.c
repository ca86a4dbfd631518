/* expiry.c -- see expiry.h.
 *
 * A clock that jumps ahead by more than the wheel's size costs one walk over all nodes; one
 * that jumps back makes the wheel wait until it has caught up, which is right: the tokens
 * have not expired by the clock that everybody checks them with. */
#include "gateway/expiry.h"

void expiry_init(struct expiry *e, int64_t now_s)
{
    for (int i = 0; i < EXPIRY_SLOTS; i++)
        list_init(&e->slots[i]);
    e->done_s = now_s;
}

static struct list *slot_of(struct expiry *e, int64_t at_s)
{
    return &e->slots[(uint64_t)at_s % EXPIRY_SLOTS];
}

void expiry_add(struct expiry *e, struct list *node, int64_t at_s)
{
    list_append(slot_of(e, at_s > e->done_s ? at_s : e->done_s + 1), node);
}

void expiry_turn(struct expiry *e, int64_t now_s, const struct expiry_calls *calls, void *arg)
{
    int64_t from = e->done_s + 1;

    if (now_s - from >= EXPIRY_SLOTS)
        from = now_s - EXPIRY_SLOTS + 1;
    for (int64_t s = from; s <= now_s; s++) {
        struct list due = LIST_INIT(due);
        struct list *node;

        list_splice(&due, slot_of(e, s));
        while ((node = list_take_first(&due)) != NULL) {
            if (calls->when(node) > now_s)
                list_append(slot_of(e, s), node);
            else
                calls->over(node, arg);
        }
    }
    if (now_s > e->done_s)
        e->done_s = now_s;
}

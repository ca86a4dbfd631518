/* fanout.c -- broadcasts in slices, exact and in order.
 *
 * The problem. Fifty thousand members at a few microseconds each are a fifth of a second,
 * in which no pong is answered. So a broadcast must be cut, and between the cuts members
 * join, leave, are spoken to, and more is broadcast, perhaps to another room with the same
 * members. The obvious cure, a copy of the member list per broadcast, costs 400 KB for each
 * and still does not give an order across rooms; one queue for everything gives order, but
 * a room of two waits behind a room of fifty thousand.
 *
 * The design. Every broadcast has a number, counted up per server, and waits in its room's
 * queue (`pending`). Every member has one number too: `delivered`, up to which everything
 * due to it has been sent. There is only one way in which a broadcast reaches a member:
 * fanout_catch_up() merges the queues of its rooms by number, sends what lies above
 * `delivered`, and sets `delivered` to the newest number. It is called
 *
 *   - by the walk, for the member under its cursor;
 *   - before the member joins or leaves a room: therefore a pending broadcast above
 *     `delivered` in a room that it is in was posted while it was in, which makes "members
 *     at the time of the call" exact without any list of them;
 *   - before it is spoken to directly, or goes;
 *   - before its seat is moved to fill a hole, as that could carry it past the cursor.
 *
 * The walk is a ring: one cursor per room goes round over the seats, `lap` counts the
 * rounds. A broadcast remembers where the cursor stood when it was posted and is finished
 * when the cursor has come round to that place: then every seat was visited since. So k
 * broadcasts that queue up in one room need one round together, not k. Where the seats have
 * become fewer than that place, the end of the next round is far enough. */
#include "gateway/socketio/fanout.h"

#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"

#define QUANTUM 32

struct pending {                               /* a broadcast on its way */
    struct list node;                          /* in room_walk.pending, oldest first */
    uint64_t    number;
    uint64_t    lap;                           /* where the cursor stood */
    uint32_t    at;
    size_t      bytes;
    void       *message;
};

struct room_walk {
    struct list    node;                       /* in fanout.walks */
    struct room   *room;
    struct list    pending;
    uint64_t       lap;
    uint32_t       at;                         /* the next seat to visit */
};

void fanout_init(struct fanout *f, const struct fanout_ops *ops, uint64_t slice_us,
                 size_t waiting_bytes_max)
{
    *f = (struct fanout){ .ops = ops, .slice_us = slice_us,
                          .waiting_bytes_max = waiting_bytes_max, .quantum = QUANTUM };
    list_init(&f->walks);
}

void fanout_deinit(struct fanout *f)
{
    assert(list_is_empty(&f->walks) && f->waiting_bytes == 0);
    f->ops = NULL;
}

/* --- one member --- */

/* The oldest broadcast of a walk above `delivered`. From the end: what is looked at is what
 * will be sent. */
static struct pending *first_above(struct room_walk *w, uint64_t delivered)
{
    struct list *node = w->pending.prev;
    struct pending *first = NULL;

    for (; node != &w->pending; node = node->prev) {
        struct pending *p = container_of(node, struct pending, node);

        if (p->number <= delivered)
            break;
        first = p;
    }
    return first;
}

static struct pending *older(struct pending *a, struct room *r, uint64_t delivered)
{
    struct pending *b = r->walk == NULL ? NULL : first_above(r->walk, delivered);

    if (a == NULL || b == NULL)
        return a == NULL ? b : a;
    return a->number < b->number ? a : b;
}

static struct pending *next_due(const struct rooms *set, const struct member *m)
{
    struct pending *due = NULL;

    if (m->home_index != ROOM_NOWHERE)
        due = older(due, set->home, m->delivered);
    for (uint32_t i = 0; i < m->slot_count; i++)
        due = older(due, member_slots(m)[i].room, m->delivered);
    return due;
}

void fanout_catch_up(struct rooms *set, struct member *m)
{
    struct fanout *f = set->fanout;
    struct pending *due;

    if (m->delivered == f->newest)
        return;
    if (!list_is_empty(&f->walks)) {
        while ((due = next_due(set, m)) != NULL) {
            m->delivered = due->number;
            f->ops->send(m, due->message);
        }
    }
    m->delivered = f->newest;
}

/* --- one room --- */

static struct room_walk *walk_of(struct fanout *f, struct room *r)
{
    struct room_walk *w = r->walk;

    if (w == NULL) {
        w = r->walk = mem_new(struct room_walk);
        w->room = r;
        list_init(&w->pending);
        list_append(&f->walks, &w->node);
    }
    return w;
}

static void pending_drop(struct fanout *f, struct pending *p)
{
    list_remove(&p->node);
    f->waiting_bytes -= p->bytes;
    f->ops->unref(p->message);
    free(p);
}

static void walk_free(struct room_walk *w)
{
    list_remove(&w->node);
    w->room->walk = NULL;
    free(w);
}

void fanout_forget(struct room *r)
{
    struct room_walk *w = r->walk;

    if (w == NULL)
        return;
    list_each_safe(node, &w->pending)
        pending_drop(r->set->fanout, container_of(node, struct pending, node));
    walk_free(w);
}

static void walk_wrap(struct room_walk *w)
{
    if (w->at >= w->room->count) {
        w->at = 0;
        w->lap++;
    }
}

static bool has_come_round(const struct room_walk *w, const struct pending *p)
{
    return w->lap > p->lap + 1 || (w->lap == p->lap + 1 && w->at >= p->at);
}

/* Visit up to `seats` members. Returns true if the room has nothing on its way any more;
 * then the walk is gone. */
static bool walk_on(struct fanout *f, struct room_walk *w, uint32_t seats)
{
    while (seats-- != 0 && !list_is_empty(&w->pending)) {
        walk_wrap(w);
        fanout_catch_up(w->room->set, w->room->seats[w->at++].member);
        walk_wrap(w);
        while (!list_is_empty(&w->pending)) {
            struct pending *oldest = container_of(w->pending.next, struct pending, node);

            if (!has_come_round(w, oldest))
                break;
            pending_drop(f, oldest);
        }
    }
    if (!list_is_empty(&w->pending))
        return false;
    walk_free(w);
    return true;
}

/* --- all of them --- */

static bool is_over_limit(const struct fanout *f)
{
    return f->waiting_bytes_max != 0 && f->waiting_bytes > f->waiting_bytes_max;
}

/* One quantum for the room whose turn it is. */
static void run_quantum(struct fanout *f)
{
    struct room_walk *w = container_of(f->walks.next, struct room_walk, node);

    if (!walk_on(f, w, f->quantum)) {
        list_remove(&w->node);
        list_append(&f->walks, &w->node);
    }
}

bool fanout_run(struct fanout *f)
{
    uint64_t from = f->ops->now_us(), before = f->used_us;

    while (!list_is_empty(&f->walks) && f->used_us <= f->slice_us) {
        run_quantum(f);
        f->used_us = before + (f->ops->now_us() - from) + 1;
    }
    return !list_is_empty(&f->walks);
}

void fanout_new_turn(struct fanout *f)
{
    f->used_us = 0;
}

bool fanout_post(struct fanout *f, struct room *r, void *message, size_t bytes)
{
    struct pending *p;
    struct room_walk *w;

    if (r == NULL || r->count == 0)
        return !list_is_empty(&f->walks);
    w = walk_of(f, r);
    p = mem_new(struct pending);
    p->number = ++f->newest;
    p->lap = w->lap;
    p->at = w->at;
    p->bytes = bytes;
    p->message = message;
    f->ops->ref(message);
    list_append(&w->pending, &p->node);
    f->waiting_bytes += bytes;
    if (is_over_limit(f)) {
        f->forced++;
        while (is_over_limit(f))
            run_quantum(f);
    }
    return fanout_run(f);
}

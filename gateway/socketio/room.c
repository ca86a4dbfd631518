/* room.c -- memberships as two arrays that point at each other.
 *
 * A socket is in a handful of rooms, a room holds up to all sockets of a process. Both sides
 * need their own walk (leave everything; send to everybody), and neither may cost a search
 * in the other. So both are arrays, every entry knows the index of its twin, and removing
 * is "put the last one into the hole and tell its twin". An entry is 16 bytes on each side;
 * hash sets (the reference's way) would be four times that, lists would miss the cache at
 * every member.
 *
 * "Is it a member?" has no index: it looks through the shorter of the two arrays. With a
 * few rooms per socket that is a few comparisons; who joins very many rooms is mostly alone
 * in them.
 *
 * Moving a seat into a hole may carry its member past a walk under way (fanout.c); it is
 * handed what is due to it at that moment, and then it does not matter. */
#include "gateway/socketio/room.h"

#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"
#include "gateway/socketio/fanout.h"

static struct room *room_new(struct rooms *set, struct slice name)
{
    struct room *r = mem_alloc(sizeof(*r) + name.len);

    r->set = set;
    r->name_len = (uint32_t)name.len;
    if (name.len != 0)
        memcpy(r->name, name.data, name.len);
    return r;
}

/* Where nobody is in it and nobody walks it, it goes. */
static void room_drop_if_unused(struct room *r)
{
    if (r->count != 0 || r->holds != 0)
        return;
    assert(r->walk == NULL);
    HASH_DELETE(hh, r->set->by_name, r);
    free(r->seats);
    free(r);
}

void rooms_init(struct rooms *set, struct fanout *fanout)
{
    *set = (struct rooms){ .fanout = fanout };
    set->home = room_new(set, SLICE(""));
    set->home->holds = 1;
}

void rooms_deinit(struct rooms *set)
{
    assert(set->by_name == NULL && set->home->count == 0);
    free(set->home->seats);
    free(set->home);
    set->home = NULL;
}

void member_init(struct member *m)
{
    *m = (struct member){ .slot_cap = 1, .home_index = ROOM_NOWHERE };
}

struct room *rooms_find(const struct rooms *set, struct slice name)
{
    const char *key = name.len == 0 ? "" : name.data;
    struct room *r = NULL;

    if (set->by_name != NULL)
        HASH_FIND(hh, set->by_name, key, (unsigned)name.len, r);
    return r;
}

/* The slot of `m` in `r`, or ROOM_NOWHERE. */
static uint32_t slot_find(const struct room *r, const struct member *m)
{
    if (m->slot_count <= r->count) {
        for (uint32_t i = 0; i < m->slot_count; i++)
            if (member_slots(m)[i].room == r)
                return i;
    } else {
        for (uint32_t i = 0; i < r->count; i++)
            if (r->seats[i].member == m)
                return r->seats[i].slot;
    }
    return ROOM_NOWHERE;
}

bool rooms_has(const struct rooms *set, const struct member *m, struct slice name)
{
    const struct room *r = rooms_find(set, name);

    return r != NULL && slot_find(r, m) != ROOM_NOWHERE;
}

static uint32_t seat_add(struct room *r, struct member *m, uint32_t slot)
{
    assert(r->count < ROOM_NOWHERE - 1);
    if (r->count == r->cap) {
        r->cap += r->cap < 2 ? 1 : r->cap / 2;
        r->seats = mem_resize(r->seats, r->cap * sizeof(*r->seats));
    }
    r->seats[r->count] = (struct room_seat){ .member = m, .slot = slot };
    return r->count++;
}

static void seat_remove(struct room *r, uint32_t index)
{
    struct room_seat *last = &r->seats[--r->count];

    if (index != r->count) {
        fanout_catch_up(r->set, last->member);
        r->seats[index] = *last;
        if (last->slot == ROOM_NOWHERE)
            last->member->home_index = index;
        else
            member_slots(last->member)[last->slot].index = index;
    }
    if (r->count == 0) {
        fanout_forget(r);
        free(r->seats);
        r->seats = NULL;
        r->cap = 0;
    } else if (r->cap > 16 && r->count < r->cap / 4) {
        r->cap /= 2;
        r->seats = mem_resize(r->seats, r->cap * sizeof(*r->seats));
    }
    room_drop_if_unused(r);
}

static void slots_grow(struct member *m)
{
    uint32_t          cap = m->slot_cap + (m->slot_cap + 1) / 2;
    struct room_slot *many = mem_resize(m->slot_cap > 1 ? m->many : NULL, cap * sizeof(*many));

    if (m->slot_cap == 1)
        many[0] = m->one;
    m->many = many;
    m->slot_cap = cap;
}

bool rooms_join(struct rooms *set, struct member *m, struct slice name)
{
    struct room *r = rooms_find(set, name);

    if (r != NULL && slot_find(r, m) != ROOM_NOWHERE)
        return false;
    fanout_catch_up(set, m);
    if (r == NULL) {
        r = room_new(set, name);
        HASH_ADD_KEYPTR(hh, set->by_name, r->name, r->name_len, r);
    }
    if (m->slot_count == m->slot_cap)
        slots_grow(m);
    member_slots(m)[m->slot_count].room = r;
    member_slots(m)[m->slot_count].index = seat_add(r, m, m->slot_count);
    m->slot_count++;
    return true;
}

void rooms_join_home(struct rooms *set, struct member *m)
{
    assert(m->home_index == ROOM_NOWHERE);
    fanout_catch_up(set, m);
    m->home_index = seat_add(set->home, m, ROOM_NOWHERE);
}

static void slot_remove(struct member *m, uint32_t slot)
{
    struct room_slot *slots = member_slots(m);
    struct room_slot  gone = slots[slot];

    if (slot != --m->slot_count) {
        struct room_slot *moved = &slots[slot];

        *moved = slots[m->slot_count];
        moved->room->seats[moved->index].slot = slot;
    }
    if (m->slot_count == 0 && m->slot_cap > 1) {
        free(m->many);
        m->slot_cap = 1;
    }
    seat_remove(gone.room, gone.index);
}

bool rooms_leave(struct rooms *set, struct member *m, struct slice name)
{
    struct room *r = rooms_find(set, name);
    uint32_t slot = r == NULL ? ROOM_NOWHERE : slot_find(r, m);

    if (slot == ROOM_NOWHERE)
        return false;
    fanout_catch_up(set, m);
    slot_remove(m, slot);
    return true;
}

void rooms_leave_all(struct rooms *set, struct member *m)
{
    fanout_catch_up(set, m);
    while (m->slot_count != 0)
        slot_remove(m, m->slot_count - 1);
    if (m->home_index != ROOM_NOWHERE) {
        seat_remove(set->home, m->home_index);
        m->home_index = ROOM_NOWHERE;
    }
}

/* --- walks --- */

void rooms_each_of(struct member *m, rooms_each_fn *fn, void *arg)
{
    /* Backwards: what is removed is replaced by one that was visited already. */
    for (uint32_t i = m->slot_count; i-- != 0;) {
        struct room *r;

        if (i >= m->slot_count)
            continue;
        r = member_slots(m)[i].room;
        r->holds++;                            /* fn may leave, and still read the name */
        fn(m, room_name(r), arg);
        r->holds--;
        room_drop_if_unused(r);
    }
}

/* Home has seats but no slots. */
static bool is_seated(const struct room *r, const struct member *m)
{
    if (m->home_index < r->count && r->seats[m->home_index].member == m)
        return true;
    return slot_find(r, m) != ROOM_NOWHERE;
}

void room_each_member(struct room *r, rooms_member_fn *fn, void *arg)
{
    uint32_t count = r->count;
    struct member **now;

    if (count == 0)
        return;
    now = mem_alloc(count * sizeof(struct member *));
    for (uint32_t i = 0; i < count; i++)
        now[i] = r->seats[i].member;
    r->holds++;
    for (uint32_t i = 0; i < count; i++)
        if (is_seated(r, now[i]))
            fn(now[i], arg);
    r->holds--;
    room_drop_if_unused(r);
    free(now);
}

/* room.h -- rooms: who is in which, and nothing of Socket.IO.
 *
 * A `member` is embedded in whatever may join; a `rooms` is one namespace's set of rooms by
 * name, and one room beside them that holds everybody (`home`). Joining and leaving cost the
 * same however many members a room has.
 *
 *     member.slots: [ {room, index} ... ]       which rooms, and where my seat is there
 *     room.seats:   [ {member, slot} ... ]      who, and where this room is in their slots
 *
 * Messages that are still on their way to a room (fanout.h) are handed to a member before
 * its membership changes, so that a broadcast reaches exactly those who were members when
 * it was made. All on the loop's thread. */
#ifndef TASKWIRE_SOCKETIO_ROOM_H
#define TASKWIRE_SOCKETIO_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "common/slice.h"

struct fanout;
struct member;
struct room_walk;

struct room_slot {
    struct room *room;
    uint32_t     index;                        /* of my seat in room->seats */
};

struct member {
    union {                                    /* see member_slots() */
        struct room_slot  one;                 /* mostly it is in one room: no array then */
        struct room_slot *many;
    };
    uint64_t delivered;                        /* broadcasts up to this number have reached it */
    uint32_t slot_count, slot_cap;             /* cap is 1 where it has no array */
    uint32_t home_index;                       /* of its seat in `home`; ROOM_NOWHERE: not there */
};
#define ROOM_NOWHERE UINT32_MAX

static inline struct room_slot *member_slots(const struct member *m)
{
    return m->slot_cap > 1 ? m->many : (struct room_slot *)&m->one;
}

struct room_seat {
    struct member *member;
    uint32_t       slot;                       /* in member_slots(); ROOM_NOWHERE in `home` */
};

struct room {
    struct rooms     *set;
    struct room_seat *seats;
    uint32_t          count, cap;
    uint32_t          holds;                   /* walks that need the struct to stay */
    uint32_t          name_len;
    struct room_walk *walk;                    /* messages on their way here; mostly NULL */
    UT_hash_handle    hh;
    char              name[];
};

struct rooms {
    struct room   *by_name;
    struct room   *home;
    struct fanout *fanout;
};

void rooms_init(struct rooms *set, struct fanout *fanout);
void rooms_deinit(struct rooms *set);          /* all members must have left */

void member_init(struct member *m);

/* NULL where nobody is in it. Valid until its last member leaves. */
struct room *rooms_find(const struct rooms *set, struct slice name);

/* Returns true if it joined, false if it was there already. The name is copied. */
bool rooms_join(struct rooms *set, struct member *m, struct slice name);
bool rooms_leave(struct rooms *set, struct member *m, struct slice name);
bool rooms_has(const struct rooms *set, const struct member *m, struct slice name);
void rooms_join_home(struct rooms *set, struct member *m);

/* Leave all rooms, `home` included; gives the member's memory back. */
void rooms_leave_all(struct rooms *set, struct member *m);

/* Call `fn` for all rooms of a member but home. `fn` may join and leave. */
typedef void rooms_each_fn(struct member *m, struct slice name, void *arg);
void rooms_each_of(struct member *m, rooms_each_fn *fn, void *arg);

/* Call `fn` for all members of a room that are in it now and still when their turn comes.
 * `fn` may make any member join or leave, but must not free one. */
typedef void rooms_member_fn(struct member *m, void *arg);
void room_each_member(struct room *r, rooms_member_fn *fn, void *arg);

static inline struct slice room_name(const struct room *r)
{
    return slice_make(r->name, r->name_len);
}

#endif

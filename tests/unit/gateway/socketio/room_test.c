/* room_test.c -- memberships: both sides always agree. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/socketio/fanout.h"
#include "gateway/socketio/room.h"

#define MEMBERS 40
#define NAMES   12

static void send_nothing(struct member *m, void *message)
{
    (void)m;
    (void)message;
}

static void keep(void *message)
{
    (void)message;
}

static uint64_t no_time(void)
{
    return 0;
}

static const struct fanout_ops OPS = { send_nothing, keep, keep, no_time };

struct hall {
    struct fanout fanout;
    struct rooms  set;
    struct member members[MEMBERS];
};

static int hall_setup(void **state)
{
    struct hall *h = calloc(1, sizeof(*h));

    assert_non_null(h);
    fanout_init(&h->fanout, &OPS, 1000, 0);
    rooms_init(&h->set, &h->fanout);
    for (int i = 0; i < MEMBERS; i++)
        member_init(&h->members[i]);
    *state = h;
    return 0;
}

static int hall_teardown(void **state)
{
    struct hall *h = *state;

    for (int i = 0; i < MEMBERS; i++)
        rooms_leave_all(&h->set, &h->members[i]);
    rooms_deinit(&h->set);
    fanout_deinit(&h->fanout);
    free(h);
    return 0;
}

/* Every seat's twin is the slot that says so, and the other way round. */
static void check_twins(const struct hall *h)
{
    for (int i = 0; i < MEMBERS; i++) {
        const struct member *m = &h->members[i];

        for (uint32_t s = 0; s < m->slot_count; s++) {
            const struct room_slot *slot = &member_slots(m)[s];

            assert_true(slot->index < slot->room->count);
            assert_ptr_equal(slot->room->seats[slot->index].member, m);
            assert_int_equal(slot->room->seats[slot->index].slot, s);
        }
        if (m->home_index != ROOM_NOWHERE)
            assert_ptr_equal(h->set.home->seats[m->home_index].member, m);
    }
}

static void joining_twice_is_joining_once(void **state)
{
    struct hall *h = *state;

    assert_true(rooms_join(&h->set, &h->members[0], SLICE("a")));
    assert_false(rooms_join(&h->set, &h->members[0], SLICE("a")));
    assert_int_equal(h->members[0].slot_count, 1);
    assert_int_equal(rooms_find(&h->set, SLICE("a"))->count, 1);
}

static void leaving_what_one_is_not_in_is_harmless(void **state)
{
    struct hall *h = *state;

    assert_false(rooms_leave(&h->set, &h->members[0], SLICE("a")));
    rooms_join(&h->set, &h->members[0], SLICE("a"));
    assert_true(rooms_leave(&h->set, &h->members[0], SLICE("a")));
    assert_false(rooms_leave(&h->set, &h->members[0], SLICE("a")));
}

static void a_room_goes_with_its_last_member(void **state)
{
    struct hall *h = *state;

    rooms_join(&h->set, &h->members[0], SLICE("a"));
    rooms_join(&h->set, &h->members[1], SLICE("a"));
    rooms_leave_all(&h->set, &h->members[0]);
    assert_non_null(rooms_find(&h->set, SLICE("a")));
    rooms_leave_all(&h->set, &h->members[1]);
    assert_null(rooms_find(&h->set, SLICE("a")));
    assert_null(h->set.by_name);
}

static void names_are_bytes(void **state)
{
    struct hall *h = *state;

    rooms_join(&h->set, &h->members[0], slice_make("a\0b", 3));
    rooms_join(&h->set, &h->members[0], slice_make("a\0c", 3));
    rooms_join(&h->set, &h->members[0], (struct slice){ NULL, 0 });
    assert_true(rooms_has(&h->set, &h->members[0], slice_make("a\0b", 3)));
    assert_false(rooms_has(&h->set, &h->members[0], SLICE("a")));
    assert_true(rooms_has(&h->set, &h->members[0], SLICE("")));
    assert_int_equal(h->members[0].slot_count, 3);
}

static void home_is_not_among_the_rooms(void **state)
{
    struct hall *h = *state;

    rooms_join_home(&h->set, &h->members[3]);
    assert_int_equal(h->members[3].slot_count, 0);
    assert_int_equal(h->set.home->count, 1);
    assert_null(rooms_find(&h->set, SLICE("")));
}

static void both_sides_agree_whatever_happens(void **state)
{
    struct hall *h = *state;
    bool is_in[MEMBERS][NAMES] = { 0 };
    unsigned seed = 7;

    for (int step = 0; step < 20000; step++) {
        unsigned who = (unsigned)rand_r(&seed) % MEMBERS, room = (unsigned)rand_r(&seed) % NAMES;
        char name[16];
        struct slice text = slice_make(name, (size_t)snprintf(name, sizeof(name), "room:%u", room));
        struct member *m = &h->members[who];

        switch (rand_r(&seed) % 8) {
        case 0:
            rooms_leave_all(&h->set, m);
            memset(is_in[who], 0, sizeof(is_in[who]));
            rooms_join_home(&h->set, m);
            break;
        case 1: case 2: case 3:
            assert_int_equal(rooms_leave(&h->set, m, text), is_in[who][room]);
            is_in[who][room] = false;
            break;
        default:
            assert_int_equal(rooms_join(&h->set, m, text), !is_in[who][room]);
            is_in[who][room] = true;
            break;
        }
        assert_int_equal(rooms_has(&h->set, m, text), is_in[who][room]);
        if (step % 50 == 0)
            check_twins(h);
    }
}

struct leaver {
    struct hall *hall;
    int calls;
};

static void leave_this_room(struct member *m, struct slice name, void *arg)
{
    struct leaver *l = arg;

    l->calls++;
    assert_true(rooms_leave(&l->hall->set, m, name));
}

static void one_may_leave_each_room_while_being_told_of_it(void **state)
{
    struct hall *h = *state;
    struct leaver l = { .hall = h };
    char name[16];

    for (int i = 0; i < 9; i++)
        rooms_join(&h->set, &h->members[0],
                   slice_make(name, (size_t)snprintf(name, sizeof(name), "%d", i)));
    rooms_each_of(&h->members[0], leave_this_room, &l);
    assert_int_equal(l.calls, 9);
    assert_int_equal(h->members[0].slot_count, 0);
    assert_null(h->set.by_name);
}

static void leave_with_my_neighbour(struct member *m, void *arg)
{
    struct leaver *l = arg;
    size_t i = (size_t)(m - l->hall->members);

    l->calls++;
    rooms_leave(&l->hall->set, m, SLICE("a"));
    rooms_leave(&l->hall->set, &l->hall->members[i ^ 1], SLICE("a"));
    rooms_join(&l->hall->set, &l->hall->members[MEMBERS - 1], SLICE("a"));
}

static void a_walk_over_members_stands_any_change(void **state)
{
    struct hall *h = *state;
    struct leaver l = { .hall = h };

    for (int i = 0; i < 20; i++)
        rooms_join(&h->set, &h->members[i], SLICE("a"));
    room_each_member(rooms_find(&h->set, SLICE("a")), leave_with_my_neighbour, &l);
    assert_int_equal(l.calls, 10);
    assert_int_equal(rooms_find(&h->set, SLICE("a"))->count, 1);
}

static void leave_everything_with_my_neighbour(struct member *m, void *arg)
{
    struct leaver *l = arg;
    size_t i = (size_t)(m - l->hall->members);

    l->calls++;
    rooms_leave_all(&l->hall->set, m);
    rooms_leave_all(&l->hall->set, &l->hall->members[i ^ 1]);
}

static void a_walk_over_home_meets_all_who_are_still_there(void **state)
{
    struct hall *h = *state;
    struct leaver l = { .hall = h };

    for (int i = 0; i < 20; i++)
        rooms_join_home(&h->set, &h->members[i]);
    rooms_join(&h->set, &h->members[0], SLICE("a"));
    room_each_member(h->set.home, leave_everything_with_my_neighbour, &l);
    assert_int_equal(l.calls, 10);
    assert_int_equal(h->set.home->count, 0);
}

static void a_room_that_empties_under_a_walk_is_given_back(void **state)
{
    struct hall *h = *state;
    struct leaver l = { .hall = h };

    rooms_join(&h->set, &h->members[0], SLICE("b"));
    rooms_each_of(&h->members[0], leave_this_room, &l);
    assert_null(h->set.by_name);
    assert_int_equal(l.calls, 1);
}

#define WITH_HALL(test) cmocka_unit_test_setup_teardown(test, hall_setup, hall_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HALL(joining_twice_is_joining_once),
        WITH_HALL(leaving_what_one_is_not_in_is_harmless),
        WITH_HALL(a_room_goes_with_its_last_member),
        WITH_HALL(names_are_bytes),
        WITH_HALL(home_is_not_among_the_rooms),
        WITH_HALL(both_sides_agree_whatever_happens),
        WITH_HALL(one_may_leave_each_room_while_being_told_of_it),
        WITH_HALL(a_walk_over_members_stands_any_change),
        WITH_HALL(a_walk_over_home_meets_all_who_are_still_there),
        WITH_HALL(a_room_that_empties_under_a_walk_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* fanout_test.c -- broadcasts in slices against what an unsliced one would have done.
 *
 * The clock ticks at every look and a quantum is one member, so that a broadcast is cut
 * after each. The oracle writes down at the moment of each call who should hear it, and
 * whatever the slices, each member must have heard exactly that, in that order. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/socketio/fanout.h"
#include "gateway/socketio/room.h"

#define MEMBERS 30
#define NAMES   5
#define HEARD   6000

struct ear {                                   /* a member, what it heard and what it should */
    struct member member;
    int heard[HEARD], due[HEARD];
    int heard_count, due_count;
    bool is_in[NAMES], is_home;
};

struct hall {
    struct fanout fanout;
    struct rooms  set;
    struct ear    ears[MEMBERS];
};

static uint64_t now;
static int references;

static void hear(struct member *m, void *message)
{
    struct ear *e = (struct ear *)m;

    assert_true(e->heard_count < HEARD);
    e->heard[e->heard_count++] = *(int *)message;
}

static void take(void *message)
{
    (void)message;
    references++;
}

static void give(void *message)
{
    (void)message;
    references--;
}

static uint64_t tick(void)
{
    return ++now;
}

static const struct fanout_ops OPS = { hear, take, give, tick };

static int hall_setup(void **state)
{
    struct hall *h = calloc(1, sizeof(*h));

    assert_non_null(h);
    fanout_init(&h->fanout, &OPS, 0, 0);
    h->fanout.quantum = 1;
    rooms_init(&h->set, &h->fanout);
    for (int i = 0; i < MEMBERS; i++)
        member_init(&h->ears[i].member);
    references = 0;
    *state = h;
    return 0;
}

static int hall_teardown(void **state)
{
    struct hall *h = *state;

    for (int i = 0; i < MEMBERS; i++)
        rooms_leave_all(&h->set, &h->ears[i].member);
    rooms_deinit(&h->set);
    fanout_deinit(&h->fanout);
    assert_int_equal(references, 0);
    free(h);
    return 0;
}

static struct slice name_of(int room)
{
    static const char *const TEXT[NAMES] = { "a", "b", "c", "d", "e" };

    return slice_of(TEXT[room]);
}

static void join(struct hall *h, int who, int room)
{
    rooms_join(&h->set, &h->ears[who].member, name_of(room));
    h->ears[who].is_in[room] = true;
}

static void leave(struct hall *h, int who, int room)
{
    rooms_leave(&h->set, &h->ears[who].member, name_of(room));
    h->ears[who].is_in[room] = false;
}

/* Messages are numbered by what they say; storage lives for the whole run. */
static int *message(int number)
{
    static int storage[HEARD];

    assert_true(number < HEARD);
    storage[number] = number;
    return &storage[number];
}

static void post(struct hall *h, int room, int number)
{
    for (int i = 0; i < MEMBERS; i++)
        if (room < 0 ? h->ears[i].is_home : h->ears[i].is_in[room])
            h->ears[i].due[h->ears[i].due_count++] = number;
    fanout_post(&h->fanout, room < 0 ? h->set.home : rooms_find(&h->set, name_of(room)),
                message(number), 10);
}

static void speak(struct hall *h, int who, int number)
{
    h->ears[who].due[h->ears[who].due_count++] = number;
    fanout_catch_up(&h->set, &h->ears[who].member);
    hear(&h->ears[who].member, message(number));
}

static void turn(struct hall *h)
{
    fanout_new_turn(&h->fanout);
    fanout_run(&h->fanout);
}

static int finish(struct hall *h)
{
    int turns = 0;

    do {
        fanout_new_turn(&h->fanout);
        assert_true(++turns < 100000);
    } while (fanout_run(&h->fanout));
    return turns;
}

static void check(const struct hall *h)
{
    for (int i = 0; i < MEMBERS; i++) {
        const struct ear *e = &h->ears[i];

        assert_int_equal(e->heard_count, e->due_count);
        for (int k = 0; k < e->due_count; k++)
            assert_int_equal(e->heard[k], e->due[k]);
    }
    assert_int_equal(references, 0);
    assert_int_equal(h->fanout.waiting_bytes, 0);
}

static void a_broadcast_is_cut_into_slices(void **state)
{
    struct hall *h = *state;

    for (int i = 0; i < 10; i++)
        join(h, i, 0);
    post(h, 0, 1);
    assert_int_equal(h->ears[0].heard_count, 1);     /* begun at once */
    assert_int_equal(h->ears[9].heard_count, 0);     /* and not finished */
    assert_true(finish(h) >= 9);
    check(h);
}

static void with_time_enough_it_is_done_at_once(void **state)
{
    struct hall *h = *state;

    h->fanout.slice_us = 1000000;
    for (int i = 0; i < 10; i++)
        join(h, i, 0);
    post(h, 0, 1);
    check(h);
}

static void who_leaves_still_gets_what_was_sent_before(void **state)
{
    struct hall *h = *state;

    for (int i = 0; i < 10; i++)
        join(h, i, 0);
    post(h, 0, 1);
    leave(h, 9, 0);
    assert_int_equal(h->ears[9].heard_count, 1);
    post(h, 0, 2);
    finish(h);
    check(h);
}

static void who_joins_gets_only_what_is_sent_after(void **state)
{
    struct hall *h = *state;

    for (int i = 0; i < 10; i++)
        join(h, i, 0);
    post(h, 0, 1);
    join(h, 20, 0);
    leave(h, 5, 0);
    join(h, 5, 0);                             /* left and came again: not twice */
    post(h, 0, 2);
    finish(h);
    assert_int_equal(h->ears[20].heard_count, 1);
    check(h);
}

static void a_word_to_one_comes_after_what_was_broadcast(void **state)
{
    struct hall *h = *state;

    for (int i = 0; i < 10; i++) {
        join(h, i, 0);
        join(h, i, 1);
    }
    post(h, 0, 1);
    post(h, 1, 2);
    speak(h, 9, 3);
    post(h, 0, 4);
    finish(h);
    check(h);
}

static void a_seat_that_moves_past_the_cursor_is_not_forgotten(void **state)
{
    struct hall *h = *state;

    for (int i = 0; i < 10; i++)
        join(h, i, 0);
    post(h, 0, 1);
    turn(h);
    turn(h);
    leave(h, 0, 0);                            /* seat 9 moves to 0, behind the cursor */
    finish(h);
    check(h);
}

static void order_holds_across_rooms_of_different_size(void **state)
{
    struct hall *h = *state;

    for (int i = 0; i < MEMBERS; i++)
        join(h, i, 0);
    join(h, MEMBERS - 1, 1);                   /* the last of the big room is alone in another */
    post(h, 0, 1);
    post(h, 1, 2);
    post(h, 0, 3);
    finish(h);
    check(h);
}

static void a_small_room_does_not_wait_for_a_big_one(void **state)
{
    struct hall *h = *state;

    for (int i = 0; i < 20; i++)
        join(h, i, 0);
    join(h, 25, 1);
    post(h, 0, 1);
    post(h, 1, 2);
    turn(h);
    turn(h);
    turn(h);
    assert_int_equal(h->ears[25].heard_count, 1);
    finish(h);
    check(h);
}

static void many_in_one_room_need_one_round(void **state)
{
    struct hall *h = *state;

    for (int i = 0; i < MEMBERS; i++)
        join(h, i, 0);
    for (int n = 1; n <= 50; n++)
        post(h, 0, n);
    assert_true(finish(h) < 3 * MEMBERS);
    check(h);
}

static void past_the_limit_the_oldest_are_finished_at_once(void **state)
{
    struct hall *h = *state;

    h->fanout.waiting_bytes_max = 25;          /* two messages of 10 */
    for (int i = 0; i < MEMBERS; i++)
        join(h, i, 0);
    for (int n = 1; n <= 20; n++) {
        post(h, 0, n);
        assert_true(h->fanout.waiting_bytes <= 25);
    }
    assert_true(h->fanout.forced > 0);
    finish(h);
    check(h);
}

static void a_room_that_empties_drops_what_is_on_its_way(void **state)
{
    struct hall *h = *state;

    for (int i = 0; i < 5; i++)
        join(h, i, 0);
    post(h, 0, 1);
    for (int i = 0; i < 5; i++)
        leave(h, i, 0);
    check(h);
    assert_false(fanout_run(&h->fanout));
}

static void nobody_hears_a_broadcast_to_nobody(void **state)
{
    struct hall *h = *state;

    assert_false(fanout_post(&h->fanout, NULL, message(1), 10));
    assert_false(fanout_post(&h->fanout, h->set.home, message(1), 10));
    check(h);
}

/* One random step; returns whether it used up `number`. */
static bool step(struct hall *h, unsigned *seed, int number)
{
    int who = (int)((unsigned)rand_r(seed) % MEMBERS);
    int room = (int)((unsigned)rand_r(seed) % NAMES);
    struct ear *e = &h->ears[who];

    switch (rand_r(seed) % 10) {
    case 0: case 1:
        join(h, who, room);
        return false;
    case 2:
        leave(h, who, room);
        return false;
    case 3:
        if (rand_r(seed) % 4 == 0) {
            rooms_leave_all(&h->set, &e->member);
            memset(e->is_in, 0, sizeof(e->is_in));
            e->is_home = false;
        } else if (!e->is_home) {
            rooms_join_home(&h->set, &e->member);
            e->is_home = true;
        }
        return false;
    case 4:
        speak(h, who, number);
        return true;
    case 5: case 6:
        post(h, room, number);
        return true;
    case 7:
        if (rand_r(seed) % 3 != 0)
            return false;
        post(h, -1, number);
        return true;
    default:
        turn(h);
        return false;
    }
}

static void nobody_can_tell_that_there_are_slices(void **state)
{
    struct hall *h = *state;

    for (unsigned seed = 1; seed <= 60; seed++) {
        unsigned s = seed;

        h->fanout.quantum = 1 + seed % 4;
        h->fanout.slice_us = seed % 3;
        h->fanout.waiting_bytes_max = seed % 5 == 0 ? 60 : 0;
        for (int i = 0, number = 0; i < 3000; i++)
            number += step(h, &s, number);
        finish(h);
        check(h);
        for (int i = 0; i < MEMBERS; i++)
            h->ears[i].heard_count = h->ears[i].due_count = 0;
    }
}

#define WITH_HALL(test) cmocka_unit_test_setup_teardown(test, hall_setup, hall_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HALL(a_broadcast_is_cut_into_slices),
        WITH_HALL(with_time_enough_it_is_done_at_once),
        WITH_HALL(who_leaves_still_gets_what_was_sent_before),
        WITH_HALL(who_joins_gets_only_what_is_sent_after),
        WITH_HALL(a_word_to_one_comes_after_what_was_broadcast),
        WITH_HALL(a_seat_that_moves_past_the_cursor_is_not_forgotten),
        WITH_HALL(order_holds_across_rooms_of_different_size),
        WITH_HALL(a_small_room_does_not_wait_for_a_big_one),
        WITH_HALL(many_in_one_room_need_one_round),
        WITH_HALL(past_the_limit_the_oldest_are_finished_at_once),
        WITH_HALL(a_room_that_empties_drops_what_is_on_its_way),
        WITH_HALL(nobody_hears_a_broadcast_to_nobody),
        WITH_HALL(nobody_can_tell_that_there_are_slices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

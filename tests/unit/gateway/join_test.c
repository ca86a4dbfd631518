/* join_test.c -- the join machine by scripted histories, and by a seeded world of one task
 * that moves while people come in. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "gateway/join.h"

#define E1 1000u
#define E2 5000u

struct world {
    struct join join;
    int         fetches, fences, readies, failures, last_err;
    uint32_t    ticket;
    uint64_t    now;
    bool        is_ahead;                      /* the room says "not yet" */
};

static void on_fetch(uint32_t ticket, void *arg)
{
    struct world *w = arg;

    w->fetches++;
    w->ticket = ticket;
}

static void on_fence(uint32_t ticket, void *arg)
{
    struct world *w = arg;

    w->fences++;
    w->ticket = ticket;
}

static bool on_ready(bool is_last, void *arg)
{
    struct world *w = arg;

    if (w->is_ahead && !is_last)
        return false;
    w->readies++;
    return true;
}

static void on_failed(int err, void *arg)
{
    struct world *w = arg;

    w->failures++;
    w->last_err = err;
}

static const struct join_handlers HANDLERS = {
    .fetch = on_fetch, .fence = on_fence, .ready = on_ready, .failed = on_failed,
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    join_init(&w->join, &HANDLERS, w);
    w->now = 10000;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    join_deinit(&w->join);
    free(w);
    return 0;
}

static void feed_at(struct world *w, uint64_t epoch, uint64_t number)
{
    join_feed(&w->join, true, (struct position){ epoch, number }, w->now);
}

static void fetched(struct world *w, uint64_t epoch, uint64_t number)
{
    char text[96];

    snprintf(text, sizeof(text), "%llu %llu\n1 - acme - - 0\ntask []\n",
             (unsigned long long)epoch, (unsigned long long)number);
    join_fetched(&w->join, w->ticket, 0, slice_of(text), w->now);
}

static void fenced(struct world *w, uint64_t epoch, uint64_t number)
{
    join_fenced(&w->join, w->ticket, 0, (struct position){ epoch, number }, w->now);
}

static struct frame *frame_make(uint64_t number, int64_t seq)
{
    char          text[160];
    struct frame *f;

    snprintf(text, sizeof(text), "%u %llu\n1 65f0c0ffee65f0c0ffee65f0 acme %lld ann 0\ntask [\"x\"]\n",
             E1, (unsigned long long)number, (long long)seq);
    f = frame_new(slice_of(text));
    assert_non_null(f);
    return f;
}

static void frame_comes(struct world *w, uint64_t number)
{
    struct frame *f = frame_make(number, 1);

    join_frame(&w->join, f);
    feed_at(w, E1, number);
    frame_unref(f);
}

static void nothing_is_fetched_before_the_feed_is_live(void **state)
{
    struct world *w = *state;

    join_want(&w->join, w->now);
    assert_int_equal(w->fetches, 0);
    feed_at(w, E1, 1010);
    assert_int_equal(w->fetches, 1);
}

static void a_snapshot_waits_until_our_position_has_reached_the_fence(void **state)
{
    struct world *w = *state;

    feed_at(w, E1, 1010);
    join_want(&w->join, w->now);
    frame_comes(w, 1011);
    fetched(w, E1, 1011);
    fenced(w, E1, 1013);
    assert_int_equal(w->readies, 0);
    frame_comes(w, 1012);
    assert_int_equal(w->readies, 0);
    frame_comes(w, 1013);
    assert_int_equal(w->readies, 1);
    assert_int_equal(w->join.frames.count, 3);
    assert_int_equal(w->join.at.number, 1011);
}

static void one_fetch_serves_all_who_wait_and_those_who_come_soon(void **state)
{
    struct world *w = *state;

    feed_at(w, E1, 1010);
    join_want(&w->join, w->now);
    join_want(&w->join, w->now);
    fetched(w, E1, 1010);
    join_want(&w->join, w->now);
    fenced(w, E1, 1010);
    assert_int_equal(w->readies, 1);
    w->now += JOIN_KEPT_MS - 1;
    join_want(&w->join, w->now);
    assert_int_equal(w->readies, 2);
    assert_int_equal(w->fetches, 1);
}

static void in_a_storm_an_older_snapshot_is_served_with_the_frames_since(void **state)
{
    struct world *w = *state;
    uint64_t      number = 1010;

    feed_at(w, E1, number);
    for (int i = 0; i < 100; i++) {
        join_want(&w->join, w->now);
        if (w->join.state == JOIN_FETCHING) {
            fetched(w, E1, number);
            fenced(w, E1, number);
        }
        assert_int_equal(w->readies, i + 1);
        frame_comes(w, ++number);
        w->now += 5;
    }
    assert_int_equal(w->fetches, JOIN_FRESH_MAX);
    assert_int_equal(w->join.frames.count, 100 - JOIN_FRESH_MAX + 1);
    w->now += 1000;                            /* the storm is over */
    join_want(&w->join, w->now);
    assert_int_equal(w->fetches, JOIN_FRESH_MAX + 1);
}

static void a_kept_snapshot_goes_when_its_time_is_over(void **state)
{
    struct world *w = *state;

    feed_at(w, E1, 1010);
    join_want(&w->join, w->now);
    fetched(w, E1, 1010);
    fenced(w, E1, 1010);
    join_tick(&w->join, w->now + JOIN_KEPT_MS - 1);
    assert_true(join_is_active(&w->join));
    join_tick(&w->join, w->now + JOIN_KEPT_MS);
    assert_false(join_is_active(&w->join));
    assert_null(w->join.snapshot);
    join_want(&w->join, w->now + JOIN_KEPT_MS);
    assert_int_equal(w->fetches, 2);
}

static void a_kept_snapshot_does_not_survive_a_reconnect(void **state)
{
    struct world *w = *state;

    feed_at(w, E1, 1010);
    join_want(&w->join, w->now);
    fetched(w, E1, 1010);
    fenced(w, E1, 1010);
    join_feed(&w->join, false, (struct position){ E1, 1010 }, w->now);
    assert_false(join_is_active(&w->join));
}

static void a_reconnect_while_it_trails_is_waited_for(void **state)
{
    struct world *w = *state;

    feed_at(w, E1, 1010);
    join_want(&w->join, w->now);
    fetched(w, E1, 1010);
    fenced(w, E1, 1011);
    join_feed(&w->join, false, (struct position){ E1, 1010 }, w->now);
    assert_int_equal(w->readies, 0);
    frame_comes(w, 1011);
    assert_int_equal(w->readies, 1);
    assert_int_equal(w->fetches, 1);
}

static void a_fence_that_a_live_feed_never_reaches_is_given_up(void **state)
{
    struct world *w = *state;

    feed_at(w, E1, 1010);
    join_want(&w->join, w->now);
    fetched(w, E1, 1010);
    fenced(w, E1, 1011);
    join_feed(&w->join, false, (struct position){ E1, 1010 }, w->now);
    w->now += 10 * JOIN_TRAIL_MS;              /* a feed that is not live may take its time */
    join_tick(&w->join, w->now);
    assert_int_equal(w->join.state, JOIN_TRAILING);
    join_feed(&w->join, true, (struct position){ E1, 1010 }, w->now);
    w->now += JOIN_TRAIL_MS;
    join_tick(&w->join, w->now);
    assert_int_equal(w->join.state, JOIN_PAUSED);
    w->now += JOIN_PAUSE_MS;
    join_tick(&w->join, w->now);
    assert_int_equal(w->fetches, 2);
}

static void a_reset_begins_again_and_ignores_the_old_answer(void **state)
{
    struct world *w = *state;
    uint32_t      old;

    feed_at(w, E1, 1010);
    join_want(&w->join, w->now);
    old = w->ticket;
    join_reset(&w->join);
    assert_int_equal(w->fetches, 2);
    join_fetched(&w->join, old, 0, slice_of("1000 1010\n"), w->now);
    assert_int_equal(w->fences, 0);
    fetched(w, E1, 1010);
    fenced(w, E1, 1010);
    assert_int_equal(w->readies, 1);
}

static void a_stale_snapshot_is_asked_for_again_but_not_for_ever(void **state)
{
    struct world *w = *state;

    feed_at(w, E1, 1010);
    join_want(&w->join, w->now);
    fetched(w, E1, 1009);
    assert_int_equal(w->join.state, JOIN_PAUSED);
    w->now += JOIN_PAUSE_MS;
    join_tick(&w->join, w->now);
    assert_int_equal(w->fetches, 2);
    for (int i = 0; i < 2 * JOIN_TRIES_MAX && w->failures == 0; i++) {
        fetched(w, E1, 1009);
        w->now += JOIN_PAUSE_MS << JOIN_PAUSES;
        join_tick(&w->join, w->now);
    }
    assert_int_equal(w->failures, 1);
    assert_int_equal(w->last_err, ERR_STALE);
    assert_int_equal(w->fetches, JOIN_TRIES_MAX);
}

static void a_snapshot_of_another_life_is_asked_for_again(void **state)
{
    struct world *w = *state;

    feed_at(w, E1, 1010);
    join_want(&w->join, w->now);
    fetched(w, E1, 1010);
    fenced(w, E2, 5003);
    assert_int_equal(w->join.state, JOIN_PAUSED);
    w->now += JOIN_PAUSE_MS;
    join_tick(&w->join, w->now);
    fetched(w, E1, 1010);
    fenced(w, E1, 1011);
    feed_at(w, E2, 5003);                      /* the new life has come to us first */
    assert_int_equal(w->join.state, JOIN_PAUSED);
    w->now += 2 * JOIN_PAUSE_MS;
    join_tick(&w->join, w->now);
    fetched(w, E2, 5003);
    fenced(w, E2, 5003);
    assert_int_equal(w->readies, 1);
}

static void a_failure_is_told_once_and_only_to_who_waits(void **state)
{
    struct world *w = *state;

    feed_at(w, E1, 1010);
    join_want(&w->join, w->now);
    join_fetched(&w->join, w->ticket, ERR_NOT_FOUND, SLICE(""), w->now);
    assert_int_equal(w->failures, 1);
    assert_int_equal(w->last_err, ERR_NOT_FOUND);
    assert_false(join_is_active(&w->join));
    join_want(&w->join, w->now);
    join_forget(&w->join);
    join_fetched(&w->join, w->ticket, ERR_NOT_FOUND, SLICE(""), w->now);
    assert_int_equal(w->failures, 1);
}

static void an_answer_that_cannot_be_used_is_asked_for_again(void **state)
{
    struct world *w = *state;

    feed_at(w, E1, 1010);
    join_want(&w->join, w->now);
    join_fetched(&w->join, w->ticket, 0, SLICE("no position\n"), w->now);
    assert_int_equal(w->join.state, JOIN_PAUSED);
    w->now += JOIN_PAUSE_MS;
    join_tick(&w->join, w->now);
    assert_int_equal(w->fetches, 2);
    for (int i = 0; i < 2 * JOIN_TRIES_MAX && w->failures == 0; i++) {
        join_fetched(&w->join, w->ticket, ERR_REPLY, SLICE(""), w->now);
        w->now += JOIN_PAUSE_MS << JOIN_PAUSES;
        join_tick(&w->join, w->now);
    }
    assert_int_equal(w->last_err, ERR_REPLY);
}

static void what_is_about_to_be_published_is_waited_for_but_not_for_ever(void **state)
{
    struct world *w = *state;

    w->is_ahead = true;
    feed_at(w, E1, 1010);
    join_want(&w->join, w->now);
    fetched(w, E1, 1010);
    fenced(w, E1, 1010);
    assert_int_equal(w->readies, 0);
    frame_comes(w, 1011);
    assert_int_equal(w->readies, 0);
    w->is_ahead = false;
    frame_comes(w, 1012);                      /* that was it */
    assert_int_equal(w->readies, 1);
    assert_int_equal(w->join.frames.count, 2);

    w->is_ahead = true;
    w->now += JOIN_KEPT_MS;
    join_want(&w->join, w->now);
    fetched(w, E1, 1012);
    fenced(w, E1, 1012);
    w->now += JOIN_AHEAD_MS - 1;
    join_tick(&w->join, w->now);
    assert_int_equal(w->readies, 1);
    w->now++;
    join_tick(&w->join, w->now);
    assert_int_equal(w->readies, 2);
}

static void a_redis_that_is_away_for_a_moment_fails_nobody(void **state)
{
    struct world *w = *state;

    feed_at(w, E1, 1010);
    join_want(&w->join, w->now);
    fetched(w, E1, 1010);
    join_fenced(&w->join, w->ticket, ERR_REDIS, (struct position){ 0, 0 }, w->now);
    assert_int_equal(w->failures, 0);
    w->now += JOIN_PAUSE_MS;
    join_tick(&w->join, w->now);
    fetched(w, E1, 1010);
    fenced(w, E1, 1010);
    assert_int_equal(w->readies, 1);
}

static void too_many_frames_since_mean_a_newer_snapshot(void **state)
{
    struct world *w = *state;

    feed_at(w, E1, 1010);
    join_want(&w->join, w->now);
    for (uint64_t i = 0; i <= FRAMES_MAX; i++)
        frame_comes(w, 1011 + i);
    assert_int_equal(w->fetches, 2);
    assert_int_equal(w->join.frames.count, 0);
}

/* --- a seeded world: one task; its transitions are published at once and heard later; its
 * snapshots are made at one moment and arrive at another; people come in at any time. --- */

struct person { int64_t last; bool is_in; };

struct sim {
    struct world  w;
    unsigned      seed;
    uint64_t      number;                      /* of the org, published */
    uint64_t      heard;
    int64_t       seq[20000];                  /* of the task, at org number E1 + i; 0: another task */
    int64_t       task_seq, snapshot_seq;
    int64_t       told;                        /* by the room, as topics.c keeps it */
    uint64_t      snapshot_n;
    bool          is_stored;                   /* task_seq + 1 is in the store, unpublished */
    bool          has_snapshot, has_fence, is_fetching, is_fencing;
    uint64_t      fence_n;
    struct person people[300];
    int           count, waiting_from;
};

static unsigned dice(struct sim *s, unsigned sides)
{
    s->seed = s->seed * 1103515245u + 12345u;
    return (s->seed >> 16) % sides;
}

static void sim_fetch(uint32_t ticket, void *arg)
{
    struct sim *s = arg;

    s->w.ticket = ticket;
    s->is_fetching = true;
    s->has_snapshot = false;
}

static void sim_fence(uint32_t ticket, void *arg)
{
    struct sim *s = arg;

    s->w.ticket = ticket;
    s->is_fencing = true;
    s->has_fence = false;
}

static void tell(struct person *p, int64_t seq)
{
    assert_int_equal(seq, p->last + 1);        /* none missing, none twice, in order */
    p->last = seq;
}

static bool sim_ready(bool is_last, void *arg)
{
    struct sim *s = arg;
    int64_t     final = s->snapshot_seq;

    for (size_t i = 0; i < s->w.join.frames.count; i++) {
        int64_t seq = s->w.join.frames.at[i]->e.routing.seq;

        final = seq > final ? seq : final;
    }
    if (s->waiting_from > 0 && s->people[0].last < final && !is_last)
        return false;                          /* what is about to be published comes as an event */
    for (int p = 0; p < s->waiting_from; p++)
        assert_int_equal(s->people[p].last, final);    /* who comes in is where all are */
    for (int p = s->waiting_from; p < s->count; p++) {
        s->people[p].last = s->snapshot_seq;
        for (size_t i = 0; i < s->w.join.frames.count; i++) {
            if (s->w.join.frames.at[i]->e.routing.seq > s->snapshot_seq)
                tell(&s->people[p], s->w.join.frames.at[i]->e.routing.seq);
        }
        s->people[p].is_in = true;
    }
    s->waiting_from = s->count;
    s->told = final;
    return true;
}

static void sim_hear(struct sim *s)
{
    if (s->heard == s->number)
        return;
    s->heard++;
    if (s->seq[s->heard - E1] != 0) {
        struct frame *f = frame_make(s->heard, s->seq[s->heard - E1]);

        if (s->seq[s->heard - E1] > s->told) {
            for (int p = 0; p < s->waiting_from; p++)
                tell(&s->people[p], s->seq[s->heard - E1]);
            s->told = s->seq[s->heard - E1];
        }
        join_frame(&s->w.join, f);
        frame_unref(f);
    }
    join_feed(&s->w.join, true, (struct position){ E1, s->heard }, s->w.now);
}

static void publish(struct sim *s)
{
    s->number++;
    s->seq[s->number - E1] = ++s->task_seq;
    s->is_stored = false;
}

static void sim_answer(struct sim *s)
{
    if (s->is_fetching && !s->has_snapshot) {
        s->snapshot_n = s->number;             /* position first, the store a moment later */
        s->has_snapshot = true;
        if (dice(s, 2) == 0)
            publish(s);
        /* The store may hold one more, which is published a moment after the answer left. */
        s->is_stored = s->is_stored || dice(s, 4) == 0;
        s->snapshot_seq = s->task_seq + (s->is_stored ? 1 : 0);
    } else if (s->is_fetching) {
        s->is_fetching = false;
        fetched(&s->w, E1, s->snapshot_n);
    } else if (s->is_fencing && !s->has_fence) {
        s->has_fence = true;
        s->fence_n = s->number;
    } else if (s->is_fencing) {
        s->is_fencing = false;
        fenced(&s->w, E1, s->fence_n);
    }
}

static void whoever_comes_in_hears_everything_once_and_in_order(void **state)
{
    static const struct join_handlers sim_handlers = {
        .fetch = sim_fetch, .fence = sim_fence, .ready = sim_ready, .failed = on_failed,
    };

    (void)state;
    for (unsigned seed = 1; seed <= 40; seed++) {
        struct sim *s = calloc(1, sizeof(*s));

        s->seed = seed;
        s->number = s->heard = E1;
        s->task_seq = 1;
        join_init(&s->w.join, &sim_handlers, s);
        join_feed(&s->w.join, true, (struct position){ E1, E1 }, 0);
        for (int step = 0; step < 6000; step++) {
            unsigned d = dice(s, 100);

            s->w.now += dice(s, 20);
            if (d < 20 && s->number < E1 + 19990) {
                if (s->is_stored || dice(s, 3) == 0)
                    publish(s);
                else
                    s->number++;               /* another task's */
            } else if (d < 60) {
                sim_hear(s);
            } else if (d < 85) {
                sim_answer(s);
            } else if (d < 95) {
                join_tick(&s->w.join, s->w.now);
            } else if (s->count < 300) {
                s->count++;
                join_want(&s->w.join, s->w.now);
            }
        }
        for (int i = 0; i < 20000; i++) {
            if (s->is_stored && s->number < E1 + 19999)
                publish(s);
            sim_hear(s);
            sim_answer(s);
        }
        assert_int_equal(s->waiting_from, s->count);
        assert_true(s->count > 100);
        for (int p = 0; p < s->count; p++)
            assert_int_equal(s->people[p].last, s->task_seq);
        join_deinit(&s->w.join);
        free(s);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(nothing_is_fetched_before_the_feed_is_live),
        T(a_snapshot_waits_until_our_position_has_reached_the_fence),
        T(one_fetch_serves_all_who_wait_and_those_who_come_soon),
        T(in_a_storm_an_older_snapshot_is_served_with_the_frames_since),
        T(a_kept_snapshot_goes_when_its_time_is_over),
        T(a_kept_snapshot_does_not_survive_a_reconnect),
        T(a_reconnect_while_it_trails_is_waited_for),
        T(a_fence_that_a_live_feed_never_reaches_is_given_up),
        T(a_reset_begins_again_and_ignores_the_old_answer),
        T(a_stale_snapshot_is_asked_for_again_but_not_for_ever),
        T(a_snapshot_of_another_life_is_asked_for_again),
        T(a_failure_is_told_once_and_only_to_who_waits),
        T(an_answer_that_cannot_be_used_is_asked_for_again),
        T(what_is_about_to_be_published_is_waited_for_but_not_for_ever),
        T(a_redis_that_is_away_for_a_moment_fails_nobody),
        T(too_many_frames_since_mean_a_newer_snapshot),
        T(whoever_comes_in_hears_everything_once_and_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

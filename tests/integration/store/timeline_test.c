/* timeline_test.c -- timelines of any length, and keys that left the window long ago. */
#include <stdio.h>
#include <string.h>

#include "tests/integration/store/suite.h"

#define AT   1700000000000
#define LONG (suite.is_mongo ? 2000 : 10000)   /* writes are synced: what fits into a minute */

static struct task grown;                      /* one task of LONG events, made once */

static int grow_one(void **state)
{
    (void)state;
    stored_task(&suite.bench, &grown, "acme", "ann", false, AT);
    many_notes(&suite.bench, &grown, "/src\n", LONG - 1);
    return 0;
}

static int drop_one(void **state)
{
    (void)state;
    task_deinit(&grown);
    return 0;
}

/* Ask, and check that exactly first…last come back, oldest first. */
static void expect(int64_t after, int64_t before, size_t limit, bool newest, int64_t first,
                   int64_t last)
{
    struct store_events_query q = { grown.id, after, before, limit, newest };
    struct answer a;
    size_t count = last < first ? 0 : (size_t)(last - first + 1);

    assert_int_equal(do_events(&suite.bench, &a, &q), 0);
    assert_int_equal(a.count, count);
    for (size_t i = 0; i < a.count; i++)
        assert_int_equal(a.events[i].seq, first + (int64_t)i);
    answer_drop(&a);
}

static void a_long_timeline_counts_without_a_gap(void **state)
{
    (void)state;
    assert_int_equal(grown.seq, LONG);
    expect(0, 0, LONG + 10, false, 1, LONG);
    expect(0, 0, LONG + 10, true, 1, LONG);
}

/* As REST does it. */
static void a_long_timeline_is_read_page_by_page(void **state)
{
    (void)state;
    for (int64_t from = 1; from <= LONG; from += 200)
        expect(from - 1, 0, 200, false, from, from + 199);
    for (int64_t to = LONG; to > 0; to -= 200)
        expect(0, to + 1, 200, true, to - 199, to);
}

static void a_task_holds_its_newest_events_alone(void **state)
{
    struct answer a;
    (void)state;

    assert_int_equal(do_get(&suite.bench, &a, grown.id), 0);
    assert_int_equal(a.task.event_count, TASK_EVENTS_KEPT);
    for (size_t i = 0; i < a.task.event_count; i++)
        assert_int_equal(a.task.events[i].seq, LONG - TASK_EVENTS_KEPT + 1 + (int64_t)i);
    answer_drop(&a);
}

static void any_part_of_a_timeline_can_be_read(void **state)
{
    (void)state;
    expect(0, 0, 200, true, LONG - 199, LONG);
    expect(0, 0, 10, true, LONG - 9, LONG);
    expect(0, 0, 10, false, 1, 10);
    expect(LONG - 5, 0, 100, false, LONG - 4, LONG);
    expect(LONG - 5, 0, 100, true, LONG - 4, LONG);
    expect(LONG - 40, 0, 100, false, LONG - 39, LONG);
    expect(LONG - 40, 0, 20, false, LONG - 39, LONG - 20);
    expect(LONG - 40, 0, 20, true, LONG - 19, LONG);
    expect(LONG - 40, LONG - 20, 100, true, LONG - 39, LONG - 21);
    expect(LONG - 40, LONG - 20, 5, true, LONG - 25, LONG - 21);
    expect(LONG - 40, LONG - 20, 5, false, LONG - 39, LONG - 35);
    expect(0, 11, 100, true, 1, 10);
    expect(0, 11, 3, true, 8, 10);
    expect(500, 510, 100, false, 501, 509);
    expect(LONG, 0, 10, false, 1, 0);
    expect(LONG + 7, 0, 10, true, 1, 0);
    expect(0, 1, 10, true, 1, 0);
    expect(10, 11, 10, false, 1, 0);
    expect(10, 5, 10, false, 1, 0);
}

static void every_event_is_what_was_written(void **state)
{
    struct store_events_query q = { grown.id, 0, 0, LONG, false };
    struct answer a;
    char key[64];
    (void)state;

    assert_int_equal(do_events(&suite.bench, &a, &q), 0);
    assert_int_equal(a.events[0].input, INPUT_CREATED);
    for (size_t i = 1; i < a.count; i++) {
        snprintf(key, sizeof(key), "/src\n%zu", i - 1);
        assert_string_equal(a.events[i].key, key);
        assert_int_equal(a.events[i].input, INPUT_NOTE);
        assert_string_equal(a.events[i].actor, "/suite");
        assert_int_equal(a.events[i].created_at, AT + (int64_t)i);
    }
    answer_drop(&a);
}

static void a_key_has_one_effect_however_late(void **state)
{
    const int old[] = { 0, 1, 500, LONG - 34, LONG - 33, LONG - 32, LONG - 31, LONG - 2 };
    char key[64];
    (void)state;

    for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++) {
        struct change c;
        struct answer a;

        snprintf(key, sizeof(key), "/src\n%d", old[i]);
        make_change(&c, &grown, INPUT_NOTE, STATUS_RECEIVED, key);
        assert_int_equal(do_apply(&suite.bench, &a, &c.c), ERR_REPEAT);
        assert_int_equal(a.task.seq, LONG);
        answer_drop(&a);
        drop_change(&c);
        assert_int_equal(do_has_key(&suite.bench, grown.id, key), 0);
    }
    assert_int_equal(do_has_key(&suite.bench, grown.id, "/src\n10000"), ERR_NOT_FOUND);
}

static void an_old_key_of_a_stale_caller_is_a_repeat(void **state)
{
    struct task old;
    struct change c;
    struct answer a;
    (void)state;

    task_copy(&old, &grown);
    old.seq -= 100;
    make_change(&c, &old, INPUT_NOTE, STATUS_RECEIVED, "/src\n3");
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), ERR_REPEAT);
    assert_int_equal(a.task.seq, LONG);
    answer_drop(&a);
    drop_change(&c);
    make_change(&c, &old, INPUT_NOTE, STATUS_RECEIVED, "new");
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), ERR_STALE);
    answer_drop(&a);
    drop_change(&c);
    task_deinit(&old);
}

/* The window fills up while nothing is ever published or settled by a publisher. */
static void no_event_is_lost_without_a_publisher(void **state)
{
    struct store_events_query q = { .limit = 1000 };
    struct task t;
    struct answer a;
    char key[64];
    (void)state;

    stored_task(&suite.bench, &t, "acme", "ann", false, AT);
    for (int i = 0; i < 3 * TASK_EVENTS_KEPT; i++) {
        snprintf(key, sizeof(key), "u%d", i);
        assert_int_equal(note(&suite.bench, &t, key), 0);
    }
    q.id = t.id;
    assert_int_equal(do_events(&suite.bench, &a, &q), 0);
    assert_int_equal(a.count, 3 * TASK_EVENTS_KEPT + 1);
    for (size_t i = 0; i < a.count; i++)
        assert_int_equal(a.events[i].seq, (int64_t)i + 1);
    answer_drop(&a);
    assert_int_equal(note(&suite.bench, &t, "u0"), ERR_REPEAT);
    assert_int_equal(t.published_seq, 0);
    assert_true(t.is_unpublished);
    task_deinit(&t);
}

/* What apply answers is what a get answers, also where the caller has no window. */
static void a_caller_without_the_window_gets_it_back(void **state)
{
    struct task t;
    struct change c;
    struct answer a;
    (void)state;

    stored_task(&suite.bench, &t, "acme", "ann", false, AT);
    assert_int_equal(note(&suite.bench, &t, "k1"), 0);
    for (size_t i = 0; i < t.event_count; i++)
        event_deinit(&t.events[i]);
    t.event_count = 0;
    make_change(&c, &t, INPUT_NOTE, STATUS_RECEIVED, "k2");
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), 0);
    assert_int_equal(a.task.event_count, 3);
    assert_string_equal(a.task.events[1].key, "k1");
    assert_string_equal(a.task.events[2].key, "k2");
    assert_int_equal(a.task.seq, 3);
    answer_drop(&a);
    drop_change(&c);
    task_deinit(&t);
}

/* The late events and the first ones by turns: what each costs is printed, and measured by
 * `make bench BENCHES=timeline`. */
static void a_long_timeline_goes_on_as_a_short_one_does(void **state)
{
    uint64_t times[2] = { 0, 0 };
    struct task young;
    char key[64];
    (void)state;

    stored_task(&suite.bench, &young, "acme", "ann", false, AT);
    for (int i = 0; i < 200; i++) {
        uint64_t began = uv_hrtime();
        struct task *t = i % 2 == 0 ? &young : &grown;

        snprintf(key, sizeof(key), "/late\n%d", i);
        assert_int_equal(note(&suite.bench, t, key), 0);
        times[i % 2] += uv_hrtime() - began;
    }
    print_message("100 events at seq 1: %.1f ms, at seq %d: %.1f ms\n", (double)times[0] / 1e6, LONG,
                  (double)times[1] / 1e6);
    assert_int_equal(grown.seq, LONG + 100);
    assert_int_equal(young.seq, 101);
    task_deinit(&young);
}

int run_timeline(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_timeline_counts_without_a_gap),
        cmocka_unit_test(a_long_timeline_is_read_page_by_page),
        cmocka_unit_test(a_task_holds_its_newest_events_alone),
        cmocka_unit_test(any_part_of_a_timeline_can_be_read),
        cmocka_unit_test(every_event_is_what_was_written),
        cmocka_unit_test(a_key_has_one_effect_however_late),
        cmocka_unit_test(an_old_key_of_a_stale_caller_is_a_repeat),
        cmocka_unit_test(no_event_is_lost_without_a_publisher),
        cmocka_unit_test(a_caller_without_the_window_gets_it_back),
        cmocka_unit_test(a_long_timeline_goes_on_as_a_short_one_does),
    };

    return cmocka_run_group_tests_name("timeline", tests, grow_one, drop_one);
}

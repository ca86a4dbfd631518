/* outbox_test.c -- settle, mark, what is unpublished, and the counts of what is published. */
#include <stdio.h>
#include <string.h>

#include "tests/integration/store/suite.h"

#define AT 1700000000000

static void get(struct answer *a, const char *id)
{
    assert_int_equal(do_get(&suite.bench, a, id), 0);
}

static bool is_listed(const char *id, int64_t before)
{
    struct answer a;
    bool is_there = false;

    assert_int_equal(do_unpublished(&suite.bench, &a, 0, before, 100000), 0);
    for (size_t i = 0; i < a.count; i++)
        is_there = is_there || strcmp(a.ids[i], id) == 0;
    answer_drop(&a);
    return is_there;
}

static void a_mark_at_the_newest_seq_empties_the_outbox(void **state)
{
    struct task t;
    struct answer a;
    (void)state;

    stored_task(&suite.bench, &t, "m1", "ann", false, AT);
    assert_true(is_listed(t.id, AT + 1));
    assert_int_equal(do_mark(&suite.bench, t.id, 1, BUCKET_ORG_ACTIVE), 0);
    get(&a, t.id);
    assert_int_equal(a.task.published_seq, 1);
    assert_int_equal(a.task.published_bucket, BUCKET_ORG_ACTIVE);
    assert_false(a.task.is_unpublished);
    assert_false(is_listed(t.id, AT + 1));
    answer_drop(&a);
    task_deinit(&t);
}

static void a_mark_below_the_newest_seq_leaves_the_rest(void **state)
{
    struct task t;
    struct answer a;
    (void)state;

    stored_task(&suite.bench, &t, "m2", "ann", false, AT);
    assert_int_equal(note(&suite.bench, &t, ""), 0);
    assert_int_equal(do_mark(&suite.bench, t.id, 1, BUCKET_ORG_ACTIVE), 0);
    get(&a, t.id);
    assert_int_equal(a.task.published_seq, 1);
    assert_true(a.task.is_unpublished);
    answer_drop(&a);
    assert_true(is_listed(t.id, AT + 2));
    assert_int_equal(do_mark(&suite.bench, t.id, 2, BUCKET_ORG_ACTIVE), 0);
    assert_false(is_listed(t.id, AT + 2));
    task_deinit(&t);
}

static void a_mark_never_goes_back(void **state)
{
    struct task t;
    struct answer a;
    (void)state;

    stored_task(&suite.bench, &t, "m3", "ann", false, AT);
    for (int i = 0; i < 4; i++)
        assert_int_equal(note(&suite.bench, &t, ""), 0);
    assert_int_equal(do_mark(&suite.bench, t.id, 4, BUCKET_ORG_COMPLETED), 0);
    assert_int_equal(do_mark(&suite.bench, t.id, 3, BUCKET_ORG_ACTIVE), 0);
    assert_int_equal(do_mark(&suite.bench, t.id, 4, BUCKET_ORG_FAILED), 0);
    get(&a, t.id);
    assert_int_equal(a.task.published_seq, 4);
    assert_int_equal(a.task.published_bucket, BUCKET_ORG_COMPLETED);
    assert_true(a.task.is_unpublished);
    answer_drop(&a);
    assert_int_equal(do_mark(&suite.bench, t.id, 5, BUCKET_ORG_FAILED), 0);
    assert_int_equal(do_mark(&suite.bench, t.id, 5, BUCKET_ORG_FAILED), 0);
    get(&a, t.id);
    assert_int_equal(a.task.published_seq, 5);
    assert_int_equal(a.task.published_bucket, BUCKET_ORG_FAILED);
    assert_false(a.task.is_unpublished);
    answer_drop(&a);
    task_deinit(&t);
}

static void a_mark_of_nothing_does_nothing(void **state)
{
    char id[TASK_ID_LEN + 1];
    struct answer a;
    (void)state;

    assert_int_equal(do_mark(&suite.bench, new_id(id), 1, BUCKET_ORG_ACTIVE), 0);
    assert_int_equal(do_get(&suite.bench, &a, id), ERR_NOT_FOUND);
    answer_drop(&a);
    assert_int_equal(do_mark(&suite.bench, id, 0, BUCKET_ORG_ACTIVE), ERR_INVALID);
    assert_int_equal(do_mark(&suite.bench, id, 1, BUCKET_NONE), ERR_INVALID);
}

static void a_change_after_the_mark_is_unpublished_again(void **state)
{
    struct answer a;
    struct task t;
    (void)state;

    stored_task(&suite.bench, &t, "m4", "ann", false, AT);
    assert_int_equal(do_mark(&suite.bench, t.id, 1, BUCKET_ORG_ACTIVE), 0);
    assert_int_equal(note(&suite.bench, &t, "k"), 0);
    assert_true(t.is_unpublished);
    assert_int_equal(do_get(&suite.bench, &a, t.id), 0);
    assert_true(a.task.is_unpublished);
    assert_int_equal(a.task.published_seq, 1);
    assert_int_equal(a.task.published_bucket, BUCKET_ORG_ACTIVE);
    answer_drop(&a);
    assert_true(is_listed(t.id, AT + 2));
    assert_int_equal(do_mark(&suite.bench, t.id, 2, BUCKET_ORG_ACTIVE), 0);
    task_deinit(&t);
}

static void the_outbox_is_listed_oldest_first(void **state)
{
    struct task t[5];
    struct answer a;
    int64_t base = 1000000000000;              /* long before what other tests leave behind */
    (void)state;

    for (int i = 0; i < 5; i++)
        stored_task(&suite.bench, &t[i], "m5", "ann", false, base + 10 * ((i * 3) % 5));
    assert_int_equal(do_unpublished(&suite.bench, &a, 0, base + 31, 10), 0);
    assert_int_equal(a.count, 4);
    assert_string_equal(a.ids[0], t[0].id);
    assert_string_equal(a.ids[1], t[2].id);
    assert_string_equal(a.ids[2], t[4].id);
    assert_string_equal(a.ids[3], t[1].id);
    answer_drop(&a);
    assert_int_equal(do_unpublished(&suite.bench, &a, 0, base + 100, 2), 0);
    assert_int_equal(a.count, 2);
    assert_string_equal(a.ids[0], t[0].id);
    assert_string_equal(a.pending[0].org, "m5");
    assert_int_equal(a.pending[0].updated_at, base);
    answer_drop(&a);
    assert_int_equal(do_unpublished(&suite.bench, &a, base + 10, base + 31, 2), 0);
    assert_int_equal(a.count, 2);
    assert_string_equal(a.ids[0], t[2].id);
    assert_int_equal(a.pending[1].updated_at, base + 20);
    answer_drop(&a);
    assert_int_equal(do_unpublished(&suite.bench, &a, 0, base, 10), 0);
    assert_int_equal(a.count, 0);
    answer_drop(&a);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(do_mark(&suite.bench, t[i].id, 1, BUCKET_ORG_ACTIVE), 0);
        task_deinit(&t[i]);
    }
}

static void the_outbox_can_be_counted(void **state)
{
    struct task t;
    int64_t n = do_unpublished_count(&suite.bench);
    (void)state;

    stored_task(&suite.bench, &t, "m6", "ann", false, AT);
    assert_int_equal(do_unpublished_count(&suite.bench), n + 1);
    assert_int_equal(note(&suite.bench, &t, ""), 0);
    assert_int_equal(do_unpublished_count(&suite.bench), n + 1);
    assert_int_equal(do_mark(&suite.bench, t.id, 1, BUCKET_ORG_ACTIVE), 0);
    assert_int_equal(do_unpublished_count(&suite.bench), n + 1);
    assert_int_equal(do_mark(&suite.bench, t.id, 2, BUCKET_ORG_ACTIVE), 0);
    assert_int_equal(do_unpublished_count(&suite.bench), n);
    task_deinit(&t);
}

static void settling_changes_nothing_that_is_seen(void **state)
{
    struct store_events_query q = { .limit = 100 };
    struct task t;
    struct answer a;
    (void)state;

    stored_task(&suite.bench, &t, "s1", "ann", false, AT);
    for (int i = 0; i < 20; i++)
        assert_int_equal(note(&suite.bench, &t, ""), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(do_settle(&suite.bench, &a, &t), 0);
        answer_drop(&a);
        assert_int_equal(do_get(&suite.bench, &a, t.id), 0);
        assert_same_task(&a.task, &t);
        assert_int_equal(a.task.event_count, 21);
        assert_true(a.task.is_unpublished);
        answer_drop(&a);
    }
    q.id = t.id;
    assert_int_equal(do_events(&suite.bench, &a, &q), 0);
    assert_int_equal(a.count, 21);
    for (size_t i = 0; i < a.count; i++)
        assert_same_event(&a.events[i], &t.events[i]);
    answer_drop(&a);
    task_deinit(&t);
}

static void settling_nothing_is_not_found(void **state)
{
    struct task t;
    struct event first;
    struct answer a;
    (void)state;

    make_task(&t, &first, "s2", "ann", false, AT);
    assert_int_equal(do_settle(&suite.bench, &a, &t), ERR_NOT_FOUND);
    answer_drop(&a);
    task_deinit(&t);
    event_deinit(&first);
}

/* --- counts --- */

static void expect_counts(const char *org, int64_t active, int64_t completed, int64_t failed,
                          size_t people)
{
    struct answer a;

    assert_int_equal(do_counts(&suite.bench, &a, org), 0);
    assert_int_equal(a.counts.org[0], active);
    assert_int_equal(a.counts.org[1], completed);
    assert_int_equal(a.counts.org[2], failed);
    assert_int_equal(a.counts.people_count, people);
    answer_drop(&a);
}

static void expect_person(const char *org, const char *sub, int64_t active, int64_t completed,
                          int64_t failed)
{
    struct answer a;
    size_t at = 0;

    assert_int_equal(do_counts(&suite.bench, &a, org), 0);
    while (at < a.counts.people_count && strcmp(a.counts.people[at].sub, sub) != 0)
        at++;
    assert_true(at < a.counts.people_count);
    assert_int_equal(a.counts.people[at].n[0], active);
    assert_int_equal(a.counts.people[at].n[1], completed);
    assert_int_equal(a.counts.people[at].n[2], failed);
    answer_drop(&a);
}

static void only_what_is_published_counts(void **state)
{
    struct task a, b;
    (void)state;

    expect_counts("c1", 0, 0, 0, 0);
    stored_task(&suite.bench, &a, "c1", "ann", false, AT);
    stored_task(&suite.bench, &b, "c1", "ben", false, AT);
    expect_counts("c1", 0, 0, 0, 0);
    assert_int_equal(do_mark(&suite.bench, a.id, 1, BUCKET_ORG_ACTIVE), 0);
    expect_counts("c1", 1, 0, 0, 0);
    assert_int_equal(do_mark(&suite.bench, b.id, 1, BUCKET_ORG_ACTIVE), 0);
    expect_counts("c1", 2, 0, 0, 0);
    assert_int_equal(note(&suite.bench, &a, ""), 0);
    expect_counts("c1", 2, 0, 0, 0);
    assert_int_equal(do_mark(&suite.bench, a.id, 2, BUCKET_ORG_COMPLETED), 0);
    expect_counts("c1", 1, 1, 0, 0);
    assert_int_equal(do_mark(&suite.bench, a.id, 2, BUCKET_ORG_COMPLETED), 0);
    assert_int_equal(do_mark(&suite.bench, a.id, 1, BUCKET_ORG_ACTIVE), 0);
    expect_counts("c1", 1, 1, 0, 0);
    task_deinit(&a);
    task_deinit(&b);
}

static void private_tasks_count_for_their_creators(void **state)
{
    struct task a, b, c;
    (void)state;

    stored_task(&suite.bench, &a, "c2", "ann@x.y", true, AT);
    stored_task(&suite.bench, &b, "c2", "$ben.", true, AT);
    stored_task(&suite.bench, &c, "c2", "ann@x.y", false, AT);
    assert_int_equal(do_mark(&suite.bench, a.id, 1, BUCKET_PRIVATE_ACTIVE), 0);
    assert_int_equal(do_mark(&suite.bench, b.id, 1, BUCKET_PRIVATE_FAILED), 0);
    assert_int_equal(do_mark(&suite.bench, c.id, 1, BUCKET_ORG_ACTIVE), 0);
    expect_counts("c2", 1, 0, 0, 2);
    expect_person("c2", "ann@x.y", 1, 0, 0);
    expect_person("c2", "$ben.", 0, 0, 1);
    /* a becomes open, c private */
    assert_int_equal(note(&suite.bench, &a, ""), 0);
    assert_int_equal(do_mark(&suite.bench, a.id, 2, BUCKET_ORG_ACTIVE), 0);
    expect_counts("c2", 2, 0, 0, 1);
    assert_int_equal(note(&suite.bench, &c, ""), 0);
    assert_int_equal(do_mark(&suite.bench, c.id, 2, BUCKET_PRIVATE_COMPLETED), 0);
    expect_counts("c2", 1, 0, 0, 2);
    expect_person("c2", "ann@x.y", 0, 1, 0);
    task_deinit(&a);
    task_deinit(&b);
    task_deinit(&c);
}

static void an_org_counts_its_own_tasks_alone(void **state)
{
    struct task a, b;
    (void)state;

    stored_task(&suite.bench, &a, "c3", "ann", false, AT);
    stored_task(&suite.bench, &b, "c3x", "ann", false, AT);
    assert_int_equal(do_mark(&suite.bench, a.id, 1, BUCKET_ORG_ACTIVE), 0);
    assert_int_equal(do_mark(&suite.bench, b.id, 1, BUCKET_ORG_FAILED), 0);
    expect_counts("c3", 1, 0, 0, 0);
    expect_counts("c3x", 0, 0, 1, 0);
    expect_counts("c", 0, 0, 0, 0);
    task_deinit(&a);
    task_deinit(&b);
}

/* Many moves in a fixed but scrambled order; a plain table beside the store says what is right. */
static void counts_follow_many_moves(void **state)
{
    enum { TASKS = 60, MOVES = 400 };
    struct task t[TASKS];
    int64_t want[BUCKET_COUNT] = { 0 }, got[BUCKET_COUNT] = { 0 };
    enum bucket in[TASKS];
    unsigned seed = 20261121;
    struct answer a;
    (void)state;

    for (int i = 0; i < TASKS; i++) {
        stored_task(&suite.bench, &t[i], "c4", i % 2 == 0 ? "ann" : "ben", false, AT);
        in[i] = BUCKET_NONE;
    }
    for (int move = 0; move < MOVES; move++) {
        int i;
        enum bucket to;

        seed = seed * 1103515245 + 12345;
        i = (int)(seed >> 16) % TASKS;
        to = (enum bucket)((seed >> 8) % BUCKET_COUNT);
        if (in[i] != BUCKET_NONE) {
            want[in[i]]--;
            assert_int_equal(note(&suite.bench, &t[i], ""), 0);
        }
        assert_int_equal(do_mark(&suite.bench, t[i].id, t[i].seq, to), 0);
        want[to]++;
        in[i] = to;
    }
    assert_int_equal(do_counts(&suite.bench, &a, "c4"), 0);
    for (int k = 0; k < BUCKETS_PER_SCOPE; k++) {
        got[k] = a.counts.org[k];
        for (size_t p = 0; p < a.counts.people_count; p++)
            got[BUCKETS_PER_SCOPE + k] += a.counts.people[p].n[k];
    }
    for (int k = 0; k < BUCKET_COUNT; k++)
        assert_int_equal(got[k], want[k]);
    answer_drop(&a);
    for (int i = 0; i < TASKS; i++)
        task_deinit(&t[i]);
}

int run_outbox(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_at_the_newest_seq_empties_the_outbox),
        cmocka_unit_test(a_mark_below_the_newest_seq_leaves_the_rest),
        cmocka_unit_test(a_mark_never_goes_back),
        cmocka_unit_test(a_mark_of_nothing_does_nothing),
        cmocka_unit_test(a_change_after_the_mark_is_unpublished_again),
        cmocka_unit_test(the_outbox_is_listed_oldest_first),
        cmocka_unit_test(the_outbox_can_be_counted),
        cmocka_unit_test(settling_changes_nothing_that_is_seen),
        cmocka_unit_test(settling_nothing_is_not_found),
        cmocka_unit_test(only_what_is_published_counts),
        cmocka_unit_test(private_tasks_count_for_their_creators),
        cmocka_unit_test(an_org_counts_its_own_tasks_alone),
        cmocka_unit_test(counts_follow_many_moves),
    };

    return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}

/* races_test.c -- many at once: of those who write the same step exactly one wins.
 *
 * MongoDB is raced by four stores with eight threads each, as four taskd would; SQLite, which
 * one taskd holds alone, by as many calls in one store. All on one loop. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/integration/store/suite.h"

#define AT      1700000000000
#define STORES  4
#define RACERS  16

static struct bench bench;
static struct store *stores[STORES];
static size_t store_count;

static struct store *store_of(int racer)
{
    return stores[(size_t)racer % store_count];
}

static int open_all(void **state)
{
    (void)state;
    bench_open(&bench, suite.url, 8);
    stores[0] = bench.store;
    store_count = suite.is_mongo ? STORES : 1;
    for (size_t i = 1; i < store_count; i++) {
        struct store_options o = { .url = suite.url, .queue_max = 100000, .threads = 8 };
        struct buf why;

        buf_init(&why, 4096);
        assert_int_equal(store_open(&bench.loop, &o, bench.metrics, &stores[i], &why), 0);
        buf_deinit(&why);
        while (!store_is_up(stores[i]))
            uv_run(&bench.loop, UV_RUN_ONCE);
    }
    return 0;
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

static int close_all(void **state)
{
    (void)state;
    for (size_t i = 1; i < store_count; i++) {
        bool is_closed = false;

        store_close(stores[i], on_closed, &is_closed);
        bench_run(&bench, &is_closed);
    }
    bench_close(&bench);
    return 0;
}

static void of_many_changes_of_one_step_one_wins(void **state)
{
    (void)state;
    for (int round = 0; round < 30; round++) {
        struct task t;
        struct change c[RACERS];
        struct answer a[RACERS] = { 0 };
        int winners = 0, winner = -1;

        stored_task(&bench, &t, "races", "ann", false, AT);
        for (int i = 0; i < RACERS; i++) {
            char key[16];

            snprintf(key, sizeof(key), "k%d", i);
            make_change(&c[i], &t, INPUT_NOTE, STATUS_RECEIVED, i % 2 == 0 ? key : "");
            c[i].after.issue_number = i + 1;
            assert_int_equal(store_apply(store_of(i), &c[i].c, on_task, &a[i]), 0);
        }
        for (int i = 0; i < RACERS; i++) {
            bench_run(&bench, &a[i].is_done);
            assert_true(a[i].err == 0 || a[i].err == ERR_STALE);
            assert_int_equal(a[i].task.seq, 2);
            winners += a[i].err == 0;
            winner = a[i].err == 0 ? i : winner;
        }
        assert_int_equal(winners, 1);
        for (int i = 0; i < RACERS; i++) {
            assert_int_equal(a[i].task.issue_number, winner + 1);
            answer_drop(&a[i]);
            drop_change(&c[i]);
        }
        task_deinit(&t);
    }
}

static void of_many_with_one_key_one_wins(void **state)
{
    (void)state;
    for (int round = 0; round < 30; round++) {
        struct task t;
        struct change c;
        struct answer a[RACERS] = { 0 };
        int winners = 0;

        stored_task(&bench, &t, "races", "ann", false, AT);
        make_change(&c, &t, INPUT_NOTE, STATUS_RECEIVED, "one");
        for (int i = 0; i < RACERS; i++)
            assert_int_equal(store_apply(store_of(i), &c.c, on_task, &a[i]), 0);
        for (int i = 0; i < RACERS; i++) {
            bench_run(&bench, &a[i].is_done);
            assert_true(a[i].err == 0 || a[i].err == ERR_REPEAT);
            winners += a[i].err == 0;
            answer_drop(&a[i]);
        }
        assert_int_equal(winners, 1);
        drop_change(&c);
        task_deinit(&t);
    }
}

static void of_many_who_create_one_id_one_wins(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct task t[RACERS];
        struct event first[RACERS];
        struct answer a[RACERS] = { 0 };
        int winners = 0, winner = -1;

        for (int i = 0; i < RACERS; i++) {
            make_task(&t[i], &first[i], "races", "ann", false, AT + i);
            task_set_text(&t[i].id, t[0].id);
            assert_int_equal(store_create(store_of(i), &t[i], &first[i], on_task, &a[i]), 0);
        }
        for (int i = 0; i < RACERS; i++) {
            bench_run(&bench, &a[i].is_done);
            assert_true(a[i].err == 0 || a[i].err == ERR_EXISTS);
            winners += a[i].err == 0;
            winner = a[i].err == 0 ? i : winner;
        }
        assert_int_equal(winners, 1);
        for (int i = 0; i < RACERS; i++) {
            assert_int_equal(a[i].task.created_at, AT + winner);
            answer_drop(&a[i]);
            task_deinit(&t[i]);
            event_deinit(&first[i]);
        }
    }
}

/* --- writers that go on until all their notes are written --- */

#define NOTES 25

struct writer {
    struct store *store;
    int           number, written;
    bool          is_done;
    struct change c;
    struct task   t;
};

static void write_next(struct writer *w);

static void on_written(int err, const struct task *t, void *arg)
{
    struct writer *w = arg;

    assert_true(err == 0 || err == ERR_STALE); /* a key is never applied twice, so never a repeat */
    drop_change(&w->c);
    task_deinit(&w->t);
    task_copy(&w->t, t);
    w->written += err == 0;
    if (w->written < NOTES)
        write_next(w);
    else
        w->is_done = true;
}

static void write_next(struct writer *w)
{
    char key[32];

    snprintf(key, sizeof(key), "w%d-%d", w->number, w->written);
    make_change(&w->c, &w->t, INPUT_NOTE, STATUS_RECEIVED, key);
    assert_int_equal(store_apply(w->store, &w->c.c, on_written, w), 0);
}

static void check_timeline(const char *id, int writers)
{
    struct store_events_query q = { id, 0, 0, 10000, false };
    unsigned seen[RACERS][NOTES] = { { 0 } };
    struct answer a;

    assert_int_equal(do_events(&bench, &a, &q), 0);
    assert_int_equal(a.count, 1 + writers * NOTES);
    for (size_t i = 0; i < a.count; i++) {
        int w, n;

        assert_int_equal(a.events[i].seq, (int64_t)i + 1);
        if (i > 0) {
            assert_int_equal(sscanf(a.events[i].key, "w%d-%d", &w, &n), 2);
            seen[w][n]++;
        }
    }
    for (int w = 0; w < writers; w++)
        for (int n = 0; n < NOTES; n++)
            assert_int_equal(seen[w][n], 1);
    answer_drop(&a);
}

static void writers_who_start_over_lose_nothing(void **state)
{
    enum { WRITERS = 8 };
    struct writer w[WRITERS];
    struct task t;
    (void)state;

    stored_task(&bench, &t, "races", "ann", false, AT);
    for (int i = 0; i < WRITERS; i++) {
        w[i] = (struct writer){ .store = store_of(i), .number = i };
        task_copy(&w[i].t, &t);
        write_next(&w[i]);
    }
    for (int i = 0; i < WRITERS; i++) {
        bench_run(&bench, &w[i].is_done);
        task_deinit(&w[i].t);
    }
    check_timeline(t.id, WRITERS);
    task_deinit(&t);
}

/* Two publishers settle and mark all the while, each as far as it has read. */
struct marker {
    struct store *store;
    const char   *id;
    const bool   *until;
    bool          is_done;
    int64_t       last, seq;                   /* published, and there, when it was read */
};

static void on_got(int err, const struct task *t, void *arg);

static void on_marked(int err, void *arg)
{
    struct marker *m = arg;

    assert_int_equal(err, 0);
    if (*m->until)
        m->is_done = true;
    else
        assert_int_equal(store_get(m->store, m->id, on_got, m), 0);
}

static void on_settled(int err, const struct task *t, void *arg)
{
    struct marker *m = arg;

    assert_int_equal(err, 0);
    assert_null(t);
    assert_int_equal(store_mark(m->store, m->id, m->seq, BUCKET_ORG_ACTIVE, on_marked, m), 0);
}

static void on_got(int err, const struct task *t, void *arg)
{
    struct marker *m = arg;

    assert_int_equal(err, 0);
    assert_true(t->published_seq >= m->last);  /* never back */
    m->last = t->published_seq;
    m->seq = t->seq;
    assert_int_equal(store_settle(m->store, t, on_settled, m), 0);
}

static void publishers_beside_writers_lose_nothing(void **state)
{
    enum { WRITERS = 6 };
    bool stop = false;
    struct writer w[WRITERS];
    struct marker m[2];
    struct task t;
    struct answer a;
    (void)state;

    stored_task(&bench, &t, "races2", "ann", false, AT);
    for (int i = 0; i < 2; i++) {
        m[i] = (struct marker){ .store = store_of(i + 1), .id = t.id, .until = &stop };
        assert_int_equal(store_get(m[i].store, t.id, on_got, &m[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        w[i] = (struct writer){ .store = store_of(i), .number = i };
        task_copy(&w[i].t, &t);
        write_next(&w[i]);
    }
    for (int i = 0; i < WRITERS; i++) {
        bench_run(&bench, &w[i].is_done);
        task_deinit(&w[i].t);
    }
    stop = true;
    for (int i = 0; i < 2; i++)
        bench_run(&bench, &m[i].is_done);
    check_timeline(t.id, WRITERS);
    assert_int_equal(do_get(&bench, &a, t.id), 0);
    assert_int_equal(a.task.seq, 1 + WRITERS * NOTES);
    assert_int_equal(a.task.event_count, TASK_EVENTS_KEPT);
    assert_int_equal(do_mark(&bench, t.id, a.task.seq, BUCKET_ORG_ACTIVE), 0);
    answer_drop(&a);
    assert_int_equal(do_get(&bench, &a, t.id), 0);
    assert_false(a.task.is_unpublished);
    answer_drop(&a);
    task_deinit(&t);
}

/* Marks of many tasks from all stores, moving between buckets, while counts are read. */
static void counts_stay_exact_under_concurrent_marks(void **state)
{
    enum { TASKS = 80, STEPS = 4 };
    static const enum bucket PATH[STEPS] = { BUCKET_ORG_ACTIVE, BUCKET_ORG_FAILED,
        BUCKET_PRIVATE_ACTIVE, BUCKET_ORG_COMPLETED };
    static struct answer a[TASKS][STEPS];
    struct task t[TASKS];
    struct answer c;
    (void)state;

    memset(a, 0, sizeof(a));
    for (int i = 0; i < TASKS; i++) {
        stored_task(&bench, &t[i], "races3", "ann", false, AT);
        for (int k = 1; k < STEPS; k++)
            assert_int_equal(note(&bench, &t[i], ""), 0);
    }
    for (int k = 0; k < STEPS; k++) {
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(store_mark(store_of(i + k), t[i].id, k + 1, PATH[k], on_done,
                                        &a[i][k]), 0);
        assert_int_equal(do_counts(&bench, &c, "races3"), 0);
        assert_true(c.counts.org[0] + c.counts.org[1] + c.counts.org[2] <= TASKS);
        answer_drop(&c);
    }
    for (int k = 0; k < STEPS; k++)
        for (int i = 0; i < TASKS; i++) {
            bench_run(&bench, &a[i][k].is_done);
            assert_int_equal(a[i][k].err, 0);
        }
    assert_int_equal(do_counts(&bench, &c, "races3"), 0);
    assert_int_equal(c.counts.org[0], 0);
    assert_int_equal(c.counts.org[1], TASKS);
    assert_int_equal(c.counts.org[2], 0);
    assert_int_equal(c.counts.people_count, 0);
    answer_drop(&c);
    for (int i = 0; i < TASKS; i++)
        task_deinit(&t[i]);
}

int run_races(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_many_changes_of_one_step_one_wins),
        cmocka_unit_test(of_many_with_one_key_one_wins),
        cmocka_unit_test(of_many_who_create_one_id_one_wins),
        cmocka_unit_test(writers_who_start_over_lose_nothing),
        cmocka_unit_test(publishers_beside_writers_lose_nothing),
        cmocka_unit_test(counts_stay_exact_under_concurrent_marks),
    };

    return cmocka_run_group_tests_name("races", tests, open_all, close_all);
}

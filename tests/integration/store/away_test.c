/* away_test.c -- the database goes away: everyone is told at once, nobody waits, and it comes
 * back without a restart.
 *
 * MongoDB's server is stopped, killed or frozen by its script. SQLite's file is made to fail by a
 * limit on the size of files, as a full disk would. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/store/suite.h"

#define AT 1700000000000

/* Run the script's commands, "%s" being its path (at most four times), beside the test. */
pid_t server_command(const char *format)
{
    char  command[8192];
    pid_t child;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(command, sizeof(command), format, suite.server, suite.server, suite.server,
             suite.server);
#pragma GCC diagnostic pop
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    return child;
}

static void server(const char *format)
{
    int status;
    pid_t child = server_command(format);

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static double ms_since(uint64_t began)
{
    return (double)(uv_hrtime() - began) / 1e6;
}

/* Every call refuses at once, and does not call back. */
static void expect_refusals(struct bench *b, const struct task *t)
{
    struct store_query q = { .org = "away", .status = -1, .active = -1, .limit = 10 };
    struct store_events_query e = { .id = t->id, .limit = 10 };
    uint64_t began = uv_hrtime();
    struct answer a;

    for (int i = 0; i < 20; i++) {
        assert_int_equal(do_get(b, &a, t->id), ERR_STORE);
        assert_int_equal(do_list(b, &a, &q), ERR_STORE);
        assert_int_equal(do_events(b, &a, &e), ERR_STORE);
        assert_int_equal(do_counts(b, &a, "away"), ERR_STORE);
        assert_int_equal(do_mark(b, t->id, 1, BUCKET_ORG_ACTIVE), ERR_STORE);
        assert_int_equal(do_record_get(b, &a, "k", "k"), ERR_STORE);
    }
    assert_true(ms_since(began) < 100);
    assert_false(store_is_up(b->store));
}

static void expect_recovery(struct bench *b, struct task *t, unsigned ms)
{
    struct answer a;

    assert_true(bench_wait_state(b, true, ms));
    assert_int_equal(do_get(b, &a, t->id), 0);
    answer_drop(&a);
    assert_int_equal(note(b, t, ""), 0);
}

static void a_stopped_server_is_noticed_and_waited_for(void **state)
{
    struct bench b;
    struct task t;
    struct answer a;
    uint64_t began;
    (void)state;

    bench_open(&b, suite.url, 4);
    stored_task(&b, &t, "away", "ann", false, AT);
    for (int round = 1; round <= 2; round++) {
        server(round == 1 ? "%s halt" : "%s kill9");
        began = uv_hrtime();
        assert_int_equal(do_get(&b, &a, t.id), ERR_STORE);
        answer_drop(&a);
        print_message("the first call was told after %.0f ms\n", ms_since(began));
        assert_true(ms_since(began) < 10000);
        expect_refusals(&b, &t);
        assert_int_equal(b.downs, round);
        server("%s restart");
        expect_recovery(&b, &t, 10000);
        assert_int_equal(b.ups, 1 + round);
    }
    bench_close(&b);
    task_deinit(&t);
}

/* Nobody calls: the prober notices by itself. */
static void an_idle_store_notices_too(void **state)
{
    struct bench b;
    struct task t;
    (void)state;

    bench_open(&b, suite.url, 4);
    stored_task(&b, &t, "away", "ann", false, AT);
    server("%s halt");
    assert_true(bench_wait_state(&b, false, 15000));
    server("%s restart");
    expect_recovery(&b, &t, 10000);
    bench_close(&b);
    task_deinit(&t);
}

/* It accepts bytes and says nothing: time-outs end the wait. */
static void a_frozen_server_does_not_hold_callers(void **state)
{
    struct bench b;
    struct task t;
    struct answer a[8] = { 0 };
    uint64_t began;
    (void)state;

    bench_open(&b, suite.url, 4);
    stored_task(&b, &t, "away", "ann", false, AT);
    server("%s freeze");
    began = uv_hrtime();
    for (int i = 0; i < 8; i++)
        assert_int_equal(store_get(b.store, t.id, on_task, &a[i]), 0);
    assert_true(bench_wait_state(&b, false, 25000));
    print_message("a frozen server was noticed after %.0f ms\n", ms_since(began));
    expect_refusals(&b, &t);
    server("%s thaw");
    for (int i = 0; i < 8; i++) {
        bench_run(&b, &a[i].is_done);
        assert_true(a[i].err == 0 || a[i].err == ERR_STORE);
        answer_drop(&a[i]);
    }
    expect_recovery(&b, &t, 15000);
    bench_close(&b);
    task_deinit(&t);
}

static void a_server_that_is_late_is_waited_for_at_start(void **state)
{
    struct store_options o = { .url = suite.url, .queue_max = 100, .threads = 2 };
    struct bench b = { .ups = 0 };
    struct task t;
    struct event first;
    struct answer a;
    struct buf why;
    (void)state;

    server("%s halt");
    buf_init(&why, 4096);
    assert_int_equal(uv_loop_init(&b.loop), 0);
    b.metrics = metrics_new();
    assert_int_equal(store_open(&b.loop, &o, b.metrics, &b.store, &why), 0);
    make_task(&t, &first, "away", "ann", false, AT);
    assert_int_equal(do_create(&b, &a, &t, &first), ERR_STORE);
    assert_false(bench_wait_state(&b, true, 1000));
    server("%s restart");
    assert_true(bench_wait_state(&b, true, 10000));
    assert_int_equal(do_create(&b, &a, &t, &first), 0);
    answer_drop(&a);
    bench_close(&b);
    task_deinit(&t);
    event_deinit(&first);
    buf_deinit(&why);
}

static void closing_does_not_wait_for_a_server(void **state)
{
    struct bench b;
    struct answer a[8] = { 0 };
    uint64_t began;
    (void)state;

    bench_open(&b, suite.url, 2);
    server("%s halt");
    for (int i = 0; i < 8; i++)
        assert_int_equal(store_get(b.store, "000000000000000000000001", on_task, &a[i]), 0);
    began = uv_hrtime();
    bench_close(&b);
    print_message("closing took %.0f ms\n", ms_since(began));
    assert_true(ms_since(began) < 15000);
    for (int i = 0; i < 8; i++) {
        assert_true(a[i].is_done);
        answer_drop(&a[i]);
    }
    server("%s restart");
}

/* --- SQLite --- */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_is_noticed_and_waited_for(void **state)
{
    struct bench b;
    struct task t;
    struct answer a;
    int err = 0, written = 0;
    (void)state;

    signal(SIGXFSZ, SIG_IGN);
    bench_open(&b, suite.url, 2);
    stored_task(&b, &t, "away", "ann", false, AT);

    /* It fills up in the midst of a write. Opened anew, the store may begin its log from the start and
     * find room, so whether it stays away is not asked yet. */
    limit_files(1 << 20);
    while (err == 0 && written < 5000) {
        err = note(&b, &t, "");
        written += err == 0;
    }
    assert_int_equal(err, ERR_STORE);
    bench_wait_state(&b, false, 1000);
    assert_true(b.downs >= 1);
    limit_files(RLIM_INFINITY);
    expect_recovery(&b, &t, 5000);

    /* Not a page more can be written. */
    limit_files(4096);
    assert_int_equal(note(&b, &t, ""), ERR_STORE);
    assert_true(bench_wait_state(&b, false, 1000));
    expect_refusals(&b, &t);
    limit_files(RLIM_INFINITY);
    expect_recovery(&b, &t, 5000);
    assert_int_equal(do_get(&b, &a, t.id), 0);
    assert_int_equal(a.task.seq, written + 3);
    answer_drop(&a);
    bench_close(&b);
    task_deinit(&t);
}

int run_away(void)
{
    const struct CMUnitTest server_tests[] = {
        cmocka_unit_test(a_stopped_server_is_noticed_and_waited_for),
        cmocka_unit_test(an_idle_store_notices_too),
        cmocka_unit_test(a_frozen_server_does_not_hold_callers),
        cmocka_unit_test(a_server_that_is_late_is_waited_for_at_start),
        cmocka_unit_test(closing_does_not_wait_for_a_server),
    };
    const struct CMUnitTest file_tests[] = {
        cmocka_unit_test(a_full_disk_is_noticed_and_waited_for),
    };

    if (!suite.is_mongo)
        return cmocka_run_group_tests_name("away", file_tests, NULL, NULL);
    if (suite.server != NULL)
        return cmocka_run_group_tests_name("away", server_tests, NULL, NULL);
    print_message("ok 1 - away # SKIP the server is not this suite's to stop (--server)\n");
    return 0;
}

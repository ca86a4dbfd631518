/* open_test.c -- opening, the lock, what is refused with which sentence, and closing. */
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mongoc/mongoc.h>

#include "tests/integration/store/suite.h"

#define AT 1700000000000

/* Opening this must fail, with a sentence that holds `says`. */
static void expect_refusal(const char *url, const char *says)
{
    struct store_options o = { .url = url };
    struct metrics *m = metrics_new();
    struct store *s = NULL;
    uv_loop_t loop;
    struct buf why;

    buf_init(&why, 4096);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_not_equal(store_open(&loop, &o, m, &s, &why), 0);
    assert_null(s);
    assert_true(why.len > 0);
    if (strstr(why.data, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why.data, says);
    buf_deinit(&why);
    assert_int_equal(uv_loop_close(&loop), 0);
    metrics_free(m);
}

static void what_is_no_store_is_refused_with_a_sentence(void **state)
{
    (void)state;
    expect_refusal("", "begins with");
    expect_refusal("postgres://x/y", "begins with");
    expect_refusal("sqlite:", "needs a path");
    expect_refusal("sqlite:/no/such/folder/x.db", "/no/such/folder/x.db");
    expect_refusal("mongodb://127.0.0.1:1/", "database");
    expect_refusal("mongodb://127.0.0.1:1", "database");
    expect_refusal("mongodb://:::/x", "cannot be read");
}

static void what_was_stored_is_there_after_a_restart(void **state)
{
    struct bench b;
    struct task t;
    struct answer a;
    (void)state;

    bench_open(&b, suite.url, 2);
    stored_task(&b, &t, "open", "ann", false, AT);
    many_notes(&b, &t, "n", 40);
    assert_int_equal(do_record_put(&b, "open", "k", "1", 0), 0);
    bench_close(&b);
    bench_open(&b, suite.url, 2);
    assert_int_equal(do_get(&b, &a, t.id), 0);
    assert_same_task(&a.task, &t);
    assert_int_equal(a.task.published_seq, 41);
    answer_drop(&a);
    assert_int_equal(note(&b, &t, "n3"), ERR_REPEAT);
    assert_int_equal(do_record_get(&b, &a, "open", "k"), 0);
    answer_drop(&a);
    bench_close(&b);
    task_deinit(&t);
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

static void closing_answers_what_was_asked(void **state)
{
    enum { CALLS = 200 };
    static struct answer a[CALLS], late;
    struct task t[CALLS];
    struct event first[CALLS];
    struct bench b;
    bool is_closed = false;
    (void)state;

    memset(a, 0, sizeof(a));
    bench_open(&b, suite.url, 4);
    for (int i = 0; i < CALLS; i++) {
        make_task(&t[i], &first[i], "closing", "ann", false, AT);
        assert_int_equal(store_create(b.store, &t[i], &first[i], on_task, &a[i]), 0);
    }
    store_close(b.store, on_closed, &is_closed);
    assert_int_equal(store_get(b.store, t[0].id, on_task, &late), ERR_STORE);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    assert_true(is_closed);
    assert_int_equal(uv_loop_close(&b.loop), 0);
    metrics_free(b.metrics);
    for (int i = 0; i < CALLS; i++) {
        assert_true(a[i].is_done);
        assert_int_equal(a[i].err, 0);
        answer_drop(&a[i]);
        task_deinit(&t[i]);
        event_deinit(&first[i]);
    }
    assert_false(late.is_done);
}

static void a_full_queue_refuses_and_answers_the_rest(void **state)
{
    enum { CALLS = 500 };
    static struct answer a[CALLS];
    struct store_options o = { .url = suite.url, .queue_max = 8, .threads = 1 };
    struct bench b = { .ups = 0 };
    struct buf why;
    int err[CALLS], refused = 0;
    (void)state;

    memset(a, 0, sizeof(a));
    buf_init(&why, 4096);
    assert_int_equal(uv_loop_init(&b.loop), 0);
    b.metrics = metrics_new();
    assert_int_equal(store_open(&b.loop, &o, b.metrics, &b.store, &why), 0);
    assert_true(bench_wait_state(&b, true, 20000));
    for (int i = 0; i < CALLS; i++) {
        err[i] = store_get(b.store, "000000000000000000000001", on_task, &a[i]);
        assert_true(err[i] == 0 || err[i] == ERR_BUSY);
        refused += err[i] == ERR_BUSY;
    }
    assert_true(refused > 0);
    assert_true(refused <= CALLS - 8);
    bench_close(&b);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(a[i].is_done, err[i] == 0);
    buf_deinit(&why);
}

/* --- SQLite alone --- */

static void a_second_taskd_is_refused_by_the_lock(void **state)
{
    struct bench b;
    char pid[32];
    (void)state;

    snprintf(pid, sizeof(pid), "process %d", (int)getpid());
    bench_open(&b, suite.url, 1);
    expect_refusal(suite.url, "another taskd");
    expect_refusal(suite.url, pid);
    bench_close(&b);
    bench_open(&b, suite.url, 1);
    bench_close(&b);
}

static void a_lock_ends_with_its_process(void **state)
{
    int ready[2], status;
    char byte;
    pid_t child;
    struct bench b;
    (void)state;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bench_open(&b, suite.url, 1);
        if (write(ready[1], "r", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    expect_refusal(suite.url, "another taskd");
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    bench_open(&b, suite.url, 1);
    bench_close(&b);
    close(ready[0]);
    close(ready[1]);
}

static void what_is_no_database_of_ours_is_refused(void **state)
{
    char url[1024];
    sqlite3 *db;
    FILE *f;
    (void)state;

    fresh_url(url, sizeof(url), "odd");
    f = fopen(url + 7, "w");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++)
        fputs("this is no database; ", f);
    fclose(f);
    expect_refusal(url, "not a database");
    drop_database(url);
    assert_int_equal(sqlite3_open(url + 7, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    expect_refusal(url, "newer taskd");
    drop_database(url);
}

/* --- MongoDB alone --- */

static bool has_index(mongoc_collection_t *c, const char *keys)
{
    mongoc_cursor_t *cursor = mongoc_collection_find_indexes_with_opts(c, NULL);
    const bson_t *doc;
    bool is_there = false;

    while (mongoc_cursor_next(cursor, &doc)) {
        char *text = bson_as_relaxed_extended_json(doc, NULL);

        is_there = is_there || strstr(text, keys) != NULL;
        bson_free(text);
    }
    mongoc_cursor_destroy(cursor);
    return is_there;
}

static void the_indexes_are_made_at_start(void **state)
{
    static const char *const KEYS[] = {
        "\"status\" : 1 }", "\"createdBy\" : 1 }", "\"createdAt\" : -1 }",
        "\"events.eventType\" : 1 }", "\"orgId\" : 1, \"isPrivate\" : 1, \"status\" : 1, ",
        "\"orgId\" : 1, \"isPrivate\" : 1, \"createdAt\" : -1, ",
        "\"orgId\" : 1, \"isPrivate\" : 1, \"updatedAt\" : -1, ", "\"unpublished\" : 1, ",
        "\"partialFilterExpression\"" };
    mongoc_uri_t *uri;
    mongoc_client_t *client;
    mongoc_collection_t *c;
    struct bench b;
    (void)state;

    bench_open(&b, suite.url, 1);
    bench_close(&b);
    uri = mongoc_uri_new(suite.url);
    client = mongoc_client_new_from_uri(uri);
    c = mongoc_client_get_collection(client, mongoc_uri_get_database(uri), "tasks");
    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++)
        if (!has_index(c, KEYS[i]))
            fail_msg("no index has %s", KEYS[i]);
    mongoc_collection_destroy(c);
    mongoc_client_destroy(client);
    mongoc_uri_destroy(uri);
}

int run_open(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_store_is_refused_with_a_sentence),
        cmocka_unit_test(what_was_stored_is_there_after_a_restart),
        cmocka_unit_test(closing_answers_what_was_asked),
        cmocka_unit_test(a_full_queue_refuses_and_answers_the_rest),
    };
    const struct CMUnitTest file_tests[] = {
        cmocka_unit_test(a_lock_ends_with_its_process),
        cmocka_unit_test(a_second_taskd_is_refused_by_the_lock),
        cmocka_unit_test(what_is_no_database_of_ours_is_refused),
    };
    const struct CMUnitTest server_tests[] = {
        cmocka_unit_test(the_indexes_are_made_at_start),
    };
    int failed = cmocka_run_group_tests_name("open", tests, NULL, NULL);

    return failed + (suite.is_mongo
        ? cmocka_run_group_tests_name("open a server", server_tests, NULL, NULL)
        : cmocka_run_group_tests_name("open a file", file_tests, NULL, NULL));
}

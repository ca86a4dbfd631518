/* find_test.c -- a task is found by its repository and branch, issue or pull request. */
#include <string.h>

#include "tests/integration/store/suite.h"

#define AT 1700000000000

static int do_find(struct bench *b, struct answer *a, const struct store_find_query *q)
{
    *a = (struct answer){ .n = 0 };
    task_init(&a->task);
    a->err = store_find(b->store, q, on_task, a);
    if (a->err == 0) {
        assert_false(a->is_done);
        bench_run(b, &a->is_done);
    }
    return a->err;
}

static void assert_found(const struct store_find_query *q, const struct task *wanted)
{
    struct answer a;

    assert_int_equal(do_find(&suite.bench, &a, q), wanted != NULL ? 0 : ERR_NOT_FOUND);
    assert_int_equal(a.has_task, wanted != NULL);
    if (wanted != NULL) {
        assert_same_task(&a.task, wanted);
        assert_int_equal(a.task.event_count, wanted->event_count);
        assert_int_equal(a.task.published_seq, wanted->published_seq);
    }
    answer_drop(&a);
}

/* A stored task that was dispatched, and perhaps has a pull request. */
static void placed_task(struct task *out, const char *repo, const char *branch, int64_t issue,
                        int64_t pr, int64_t at)
{
    struct task t;
    struct change c;
    struct answer a;

    stored_task(&suite.bench, &t, "acme", "ann", false, at);
    make_change(&c, &t, INPUT_DISPATCHED, STATUS_DISPATCHED, "");
    task_set_text(&c.after.repo, repo);
    task_set_text(&c.after.branch, branch);
    c.after.issue_number = issue;
    c.after.pr_number = pr;
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), 0);
    task_copy(out, &a.task);
    answer_drop(&a);
    drop_change(&c);
    task_deinit(&t);
}

static void a_task_is_found_by_each_of_its_places(void **state)
{
    struct task t;
    (void)state;

    placed_task(&t, "Find/Each", "task/1", 11, 12, AT);
    assert_found(&(struct store_find_query){ .repo = "Find/Each", .branch = "task/1" }, &t);
    assert_found(&(struct store_find_query){ .repo = "find/each", .branch = "task/1" }, &t);
    assert_found(&(struct store_find_query){ .repo = "FIND/EACH", .issue_number = 11 }, &t);
    assert_found(&(struct store_find_query){ .repo = "Find/Each", .pr_number = 12 }, &t);
    task_deinit(&t);
}

static void nothing_else_is_found(void **state)
{
    struct task t, homeless;
    (void)state;

    placed_task(&t, "find/else", "task/1", 11, 0, AT);
    placed_task(&homeless, NULL, "task/9", 99, 98, AT);
    assert_found(&(struct store_find_query){ .repo = "find/else", .branch = "TASK/1" }, NULL);
    assert_found(&(struct store_find_query){ .repo = "find/else", .branch = "task/" }, NULL);
    assert_found(&(struct store_find_query){ .repo = "find/else", .pr_number = 11 }, NULL);
    assert_found(&(struct store_find_query){ .repo = "find/else", .issue_number = 1 }, NULL);
    assert_found(&(struct store_find_query){ .repo = "find/els", .branch = "task/1" }, NULL);
    assert_found(&(struct store_find_query){ .repo = "find/else", .branch = "task/9" }, NULL);
    assert_found(&(struct store_find_query){ .repo = "find/else", .issue_number = 99 }, NULL);
    task_deinit(&t);
    task_deinit(&homeless);
}

static void the_newest_of_several_is_found(void **state)
{
    struct task newer, older;
    (void)state;

    placed_task(&newer, "find/newest", "same", 1, 0, AT + 1000);
    placed_task(&older, "find/newest", "same", 1, 0, AT);
    assert_found(&(struct store_find_query){ .repo = "find/newest", .branch = "same" }, &newer);
    assert_found(&(struct store_find_query){ .repo = "find/newest", .issue_number = 1 }, &newer);
    task_deinit(&newer);
    task_deinit(&older);
}

static void a_task_that_moved_is_found_at_its_new_places_alone(void **state)
{
    struct task t;
    struct change c;
    struct answer a;
    (void)state;

    placed_task(&t, "find/moved", "first", 5, 6, AT);
    assert_int_equal(note(&suite.bench, &t, "/n\n1"), 0);
    make_change(&c, &t, INPUT_PR_OPENED, STATUS_PR_OPEN, "/g\n1");
    task_set_text(&c.after.branch, "second");
    c.after.pr_number = 7;
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), 0);
    assert_found(&(struct store_find_query){ .repo = "find/moved", .branch = "second" }, &a.task);
    assert_found(&(struct store_find_query){ .repo = "find/moved", .pr_number = 7 }, &a.task);
    assert_found(&(struct store_find_query){ .repo = "find/moved", .issue_number = 5 }, &a.task);
    assert_found(&(struct store_find_query){ .repo = "find/moved", .branch = "first" }, NULL);
    assert_found(&(struct store_find_query){ .repo = "find/moved", .pr_number = 6 }, NULL);
    answer_drop(&a);
    drop_change(&c);
    task_deinit(&t);
}

/* Nobody's input makes a write fail: a branch that Git could not hold is kept, and not found. */
static void a_branch_of_any_length_is_stored(void **state)
{
    struct task t;
    struct answer a;
    char branch[4097];
    struct store_find_query q = { .repo = "find/long", .branch = branch };
    (void)state;

    memset(branch, 'b', sizeof(branch) - 1);
    branch[sizeof(branch) - 1] = '\0';
    placed_task(&t, "find/long", branch, 5, 0, AT);
    assert_string_equal(t.branch, branch);
    assert_found(&(struct store_find_query){ .repo = "find/long", .issue_number = 5 }, &t);
    assert_int_equal(do_find(&suite.bench, &a, &q), ERR_INVALID);
    task_deinit(&t);
    branch[255] = '\0';
    placed_task(&t, "find/long", branch, 6, 0, AT);
    assert_found(&q, &t);
    task_deinit(&t);
}

static void a_question_names_one_place(void **state)
{
    static const struct store_find_query BAD[] = {
        { .repo = NULL, .branch = "b" },       { .repo = "", .branch = "b" },
        { .repo = "a/b c", .branch = "b" },    { .repo = "a/b" },
        { .repo = "a/b", .branch = "" },       { .repo = "a/b", .branch = "b", .pr_number = 1 },
        { .repo = "a/b", .issue_number = 1, .pr_number = 1 },
        { .repo = "a/b", .pr_number = -1 },    { .repo = "a/b", .branch = "\xff" },
    };
    struct answer a;
    (void)state;

    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_int_equal(do_find(&suite.bench, &a, &BAD[i]), ERR_INVALID);
    assert_found(&(struct store_find_query){ .repo = "{\"$gt\":\"\"}", .branch = "b" }, NULL);
}

int run_find(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(a_task_is_found_by_each_of_its_places),
        cmocka_unit_test(nothing_else_is_found),
        cmocka_unit_test(the_newest_of_several_is_found),
        cmocka_unit_test(a_task_that_moved_is_found_at_its_new_places_alone),
        cmocka_unit_test(a_branch_of_any_length_is_stored),
        cmocka_unit_test(a_question_names_one_place),
    };

    return cmocka_run_group_tests_name("find", TESTS, NULL, NULL);
}

/* pages_test.c -- lists: who sees what, every filter in both orders against a plain model, paging
 * while tasks change, and questions for words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/integration/store/suite.h"

#define AT    1700000000000
#define TASKS 120

/* The model: what was stored, filtered and sorted here by the obvious loops. */
static struct task all[TASKS];

static const char *const SUBS[] = { "ann", "ben", "cyd" };

static void change_to(struct task *t, enum status status, int64_t at)
{
    struct change c;
    struct answer a;

    make_change(&c, t, INPUT_NOTE, status, "");
    c.after.updated_at = at;
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), 0);
    task_deinit(t);
    task_copy(t, &a.task);
    answer_drop(&a);
    drop_change(&c);
}

static int fill(void **state)
{
    (void)state;
    for (int i = 0; i < TASKS; i++) {
        /* Times repeat, so that ids decide; orders of creation and update differ. */
        stored_task(&suite.bench, &all[i], "pages", SUBS[i % 3], i % 4 == 0, AT + 10 * (i / 3));
        change_to(&all[i], (enum status)(i % STATUS_COUNT), AT + 5000 + 10 * ((i * 7) % 40));
    }
    return 0;
}

static int drop(void **state)
{
    (void)state;
    for (int i = 0; i < TASKS; i++)
        task_deinit(&all[i]);
    return 0;
}

static int64_t time_of(const struct task *t, enum store_sort sort)
{
    return sort == STORE_BY_UPDATED ? t->updated_at : t->created_at;
}

static bool model_sees(const struct store_query *q, const struct task *t)
{
    bool own = q->sub != NULL && strcmp(t->created_by, q->sub) == 0;

    if (q->scope == STORE_SCOPE_ALL)
        return true;
    return t->is_private ? own && q->scope != STORE_SCOPE_ORG : q->scope != STORE_SCOPE_PRIVATE;
}

static bool model_has(const struct store_query *q, const struct task *t)
{
    if (strcmp(t->org, q->org) != 0 || !model_sees(q, t))
        return false;
    if (q->status >= 0 && (int)t->status != q->status)
        return false;
    if (q->creator != NULL && strcmp(t->created_by, q->creator) != 0)
        return false;
    return q->active < 0 || status_is_active(t->status) == (q->active != 0);
}

static enum store_sort model_sort;

static int model_order(const void *x, const void *y)
{
    const struct task *a = *(const struct task *const *)x, *b = *(const struct task *const *)y;
    int64_t ta = time_of(a, model_sort), tb = time_of(b, model_sort);

    return ta != tb ? (ta < tb ? 1 : -1) : strcmp(b->id, a->id);
}

/* Read the whole list page by page and compare with the model. */
static void compare(struct store_query q)
{
    const struct task *want[TASKS];
    size_t n = 0, at = 0;
    struct answer a;
    char after[TASK_ID_LEN + 1];
    bool has_more = true;

    for (int i = 0; i < TASKS; i++)
        if (model_has(&q, &all[i]))
            want[n++] = &all[i];
    model_sort = q.sort;
    qsort(want, n, sizeof(want[0]), model_order);
    while (has_more) {
        assert_int_equal(do_list(&suite.bench, &a, &q), 0);
        assert_true(a.count <= q.limit);
        for (size_t i = 0; i < a.count; i++, at++) {
            assert_true(at < n);
            assert_string_equal(a.tasks[i].id, want[at]->id);
            assert_same_task(&a.tasks[i], want[at]);
        }
        has_more = a.has_more;
        assert_int_equal(has_more, at < n);
        if (a.count != 0) {
            snprintf(after, sizeof(after), "%s", a.tasks[a.count - 1].id);
            q.after_id = after;
            q.after_time = time_of(&a.tasks[a.count - 1], q.sort);
        }
        answer_drop(&a);
    }
    assert_int_equal(at, n);
}

static struct store_query query(enum store_scope scope, const char *sub)
{
    return (struct store_query){ .org = "pages", .sub = sub, .scope = scope, .status = -1,
                                 .active = -1, .limit = 50 };
}

static void everyone_sees_the_orgs_and_their_own(void **state)
{
    (void)state;
    for (int scope = STORE_SCOPE_VISIBLE; scope <= STORE_SCOPE_PRIVATE; scope++) {
        for (size_t i = 0; i < 3; i++)
            compare(query((enum store_scope)scope, SUBS[i]));
        compare(query((enum store_scope)scope, "nobody"));
        compare(query((enum store_scope)scope, NULL));
    }
}

static void an_operator_sees_everybodys(void **state)
{
    struct store_query q = query(STORE_SCOPE_ALL, "nobody");
    struct answer a;
    bool is_elsewhere = false;
    (void)state;

    for (int sort = STORE_BY_CREATED; sort <= STORE_BY_UPDATED; sort++)
        for (int status = -1; status < STATUS_COUNT; status++)
            for (int creator = -1; creator < 3; creator++) {
                q.sort = (enum store_sort)sort;
                q.status = status;
                q.creator = creator < 0 ? NULL : SUBS[creator];
                q.limit = 7;
                compare(q);
            }
    q = query(STORE_SCOPE_ALL, NULL);
    q.org = NULL;
    q.limit = 1000;
    assert_int_equal(do_list(&suite.bench, &a, &q), 0);
    assert_true(a.count > TASKS);
    for (size_t i = 0; i < a.count; i++)
        is_elsewhere = is_elsewhere || strcmp(a.tasks[i].org, "pages") != 0;
    assert_true(is_elsewhere);
    answer_drop(&a);
    q.words = "titl";
    assert_int_equal(do_list(&suite.bench, &a, &q), 0);
    assert_true(a.count >= TASKS);
    answer_drop(&a);
    q.scope = STORE_SCOPE_VISIBLE;
    assert_int_equal(store_list(suite.bench.store, &q, NULL, NULL), ERR_INVALID);
}

static void every_filter_holds_in_both_orders(void **state)
{
    (void)state;
    for (int sort = STORE_BY_CREATED; sort <= STORE_BY_UPDATED; sort++)
        for (int status = -1; status < STATUS_COUNT; status++)
            for (int active = -1; active <= 1; active++)
                for (int creator = -1; creator < 3; creator++) {
                    struct store_query q = query(STORE_SCOPE_VISIBLE, "ann");

                    q.sort = (enum store_sort)sort;
                    q.status = status;
                    q.active = active;
                    q.creator = creator < 0 ? NULL : SUBS[creator];
                    compare(q);
                }
}

static void pages_of_any_size_make_the_same_list(void **state)
{
    static const size_t LIMITS[] = { 1, 2, 3, 7, 89, 90, 100 };
    (void)state;

    for (size_t i = 0; i < sizeof(LIMITS) / sizeof(LIMITS[0]); i++)
        for (int sort = STORE_BY_CREATED; sort <= STORE_BY_UPDATED; sort++) {
            struct store_query q = query(STORE_SCOPE_VISIBLE, "ben");

            q.sort = (enum store_sort)sort;
            q.limit = LIMITS[i];
            compare(q);
        }
}

static void another_org_sees_nothing(void **state)
{
    static const char *const ORGS[] = { "page", "pages2", "PAGES", "~ann", "pages'--" };
    struct answer a;
    (void)state;

    for (size_t i = 0; i < sizeof(ORGS) / sizeof(ORGS[0]); i++) {
        struct store_query q = query(STORE_SCOPE_VISIBLE, "ann");

        q.org = ORGS[i];
        assert_int_equal(do_list(&suite.bench, &a, &q), 0);
        assert_int_equal(a.count, 0);
        assert_false(a.has_more);
        answer_drop(&a);
    }
}

static void hostile_questions_find_nothing_and_break_nothing(void **state)
{
    static const char *const TEXTS[] = { "'", "\"", "{\"$ne\":null}", "$where", "%", "*", "a OR b",
        "NEAR(", "\"unclosed", "(", "^", ".*", "\\", "\xf0\x9f\x9a\x80", "AND", "-x", "words:x" };
    struct answer a;
    (void)state;

    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct store_query q = query(STORE_SCOPE_VISIBLE, "ann");

        q.creator = TEXTS[i];
        assert_int_equal(do_list(&suite.bench, &a, &q), 0);
        assert_int_equal(a.count, 0);
        answer_drop(&a);
        q.creator = NULL;
        q.words = TEXTS[i];
        assert_int_equal(do_list(&suite.bench, &a, &q), 0);
        answer_drop(&a);
        q.words = NULL;
        q.org = "a/b";
        assert_int_equal(do_list(&suite.bench, &a, &q), ERR_INVALID);
    }
}

/* Between two pages tasks are updated and made: who pages by creation still meets each of the
 * first tasks exactly once. */
static void paging_holds_while_tasks_change(void **state)
{
    enum { N = 40 };
    struct store_query q = { .org = "moving", .sub = "ann", .status = -1, .active = -1, .limit = 6 };
    struct task t[N], more;
    unsigned seen[N] = { 0 };
    struct answer a;
    char after[TASK_ID_LEN + 1];
    bool has_more = true;
    (void)state;

    for (int i = 0; i < N; i++)
        stored_task(&suite.bench, &t[i], "moving", "ann", i % 3 == 0, AT + i / 2);
    for (int page = 0; has_more; page++) {
        assert_int_equal(do_list(&suite.bench, &a, &q), 0);
        for (size_t i = 0; i < a.count; i++)
            for (int k = 0; k < N; k++)
                seen[k] += strcmp(a.tasks[i].id, t[k].id) == 0;
        has_more = a.has_more;
        snprintf(after, sizeof(after), "%s", a.tasks[a.count - 1].id);
        q.after_id = after;
        q.after_time = a.tasks[a.count - 1].created_at;
        answer_drop(&a);
        change_to(&t[(page * 5) % N], STATUS_CODING, AT + 100000 + page);
        change_to(&t[(page * 11) % N], STATUS_MERGED, AT + 200000 + page);
        stored_task(&suite.bench, &more, "moving", "ben", false, AT + 1000 + page);
        task_deinit(&more);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(seen[i], 1);
        task_deinit(&t[i]);
    }
}

static void a_task_moves_between_scopes_with_its_privacy(void **state)
{
    struct store_query q = { .org = "moves", .sub = "ben", .status = -1, .active = -1, .limit = 10,
                             .words = "todo" };
    struct task t, *now = &t;
    struct change c;
    struct answer a, list;
    (void)state;

    stored_task(&suite.bench, &t, "moves", "ann", false, AT);
    for (int i = 0; i < 4; i++) {
        make_change(&c, now, INPUT_EDITED, STATUS_RECEIVED, "");
        c.after.is_private = i % 2 == 0;
        task_set_text(&c.after.title, i % 2 == 0 ? "todo secretly" : "todo openly");
        assert_int_equal(do_apply(&suite.bench, &a, &c.c), 0);
        for (int words = 0; words < 2; words++) {
            q.words = words == 0 ? NULL : "todo";
            q.sub = "ben";
            assert_int_equal(do_list(&suite.bench, &list, &q), 0);
            assert_int_equal(list.count, i % 2);
            answer_drop(&list);
            q.sub = "ann";
            assert_int_equal(do_list(&suite.bench, &list, &q), 0);
            assert_int_equal(list.count, 1);
            assert_int_equal(list.tasks[0].is_private, i % 2 == 0);
            answer_drop(&list);
        }
        task_deinit(&t);
        task_copy(&t, &a.task);
        answer_drop(&a);
        drop_change(&c);
    }
    task_deinit(&t);
}

/* --- words --- */

static void store_words(const char *org, bool is_private, const char *title, const char *text)
{
    struct task t;
    struct event first;
    struct answer a;

    make_task(&t, &first, org, "ann", is_private, AT);
    task_set_text(&t.title, title);
    task_set_text(&t.description, text);
    assert_int_equal(do_create(&suite.bench, &a, &t, &first), 0);
    answer_drop(&a);
    task_deinit(&t);
    event_deinit(&first);
}

static size_t find_words(const char *org, const char *sub, const char *words)
{
    struct store_query q = { .org = org, .sub = sub, .status = -1, .active = -1, .limit = 100,
                             .words = words };
    struct answer a;
    size_t n;

    assert_int_equal(do_list(&suite.bench, &a, &q), 0);
    n = a.count;
    assert_false(a.has_more);
    answer_drop(&a);
    return n;
}

static void all_words_match_by_prefix_and_case_folded(void **state)
{
    static const struct { const char *words; size_t n; } CASES[] = {
        { "login", 2 }, { "LOGIN", 2 }, { "log", 3 }, { "lo", 3 }, { "l", 3 }, { "ogin", 0 },
        { "login safari", 1 }, { "safari login", 1 }, { "login crash", 0 }, { "fix log", 1 },
        { "  login,  ", 2 }, { "login-page", 1 }, { "", 4 }, { "  !! ", 4 }, { "logins", 0 },
        { "\xc3\xa9""cran", 1 }, { "\xc3\x89""CRAN", 1 }, { "\xc3\x89", 1 }, { "ecran", 0 },
        { "\xd0\xbf\xd1\x80\xd0\xb8", 1 }, { "\xd0\x9f\xd0\xa0\xd0\x98\xd0\x92\xd0\x95\xd0\xa2", 1 },
        { "\xe6\x97\xa5", 1 }, { "42", 1 }, { "4", 1 }, { "log log log login", 2 },
        { "ios17", 1 }, { "it's", 1 } };
    (void)state;

    store_words("words", false, "Fix the Login page", "It fails in Safari on iOS17. It's bad");
    store_words("words", false, "Crash", "After logging out, error 42");
    store_words("words", false, "\xc3\x89""cran noir", "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82");
    store_words("words", true, "Private login", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        size_t n = find_words("words", "ann", CASES[i].words);

        if (n != CASES[i].n)
            print_error("\"%s\": %zu, not %zu\n", CASES[i].words, n, CASES[i].n);
        assert_int_equal(n, CASES[i].n);
    }
}

static void words_of_others_private_tasks_are_not_found(void **state)
{
    (void)state;
    store_words("words2", true, "secret plan", "nobody else");
    assert_int_equal(find_words("words2", "ann", "secret"), 1);
    assert_int_equal(find_words("words2", "ben", "secret"), 0);
    assert_int_equal(find_words("words2", NULL, "secret"), 0);
    assert_int_equal(find_words("words", "ann", "secret"), 0);
}

static void an_edit_changes_what_is_found(void **state)
{
    struct task t;
    struct change c;
    struct answer a;
    (void)state;

    stored_task(&suite.bench, &t, "words3", "ann", false, AT);
    assert_int_equal(find_words("words3", "ann", "title"), 1);
    make_change(&c, &t, INPUT_EDITED, STATUS_RECEIVED, "");
    task_set_text(&c.after.title, "Renamed");
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), 0);
    assert_int_equal(find_words("words3", "ann", "title"), 0);
    assert_int_equal(find_words("words3", "ann", "renam done"), 1);
    answer_drop(&a);
    drop_change(&c);
    task_deinit(&t);
}

/* Rare words behind many newer tasks: beyond what a page walks through, the index knows them. */
static void rare_words_are_found_however_old(void **state)
{
    enum { N = 2600 };
    struct answer *answers = calloc(N, sizeof(*answers));
    struct store_query q = { .org = "words4", .sub = "ann", .status = -1, .active = -1,
                             .limit = 50, .words = "rarity" };
    struct answer a;
    (void)state;

    for (int i = 0; i < N; i++) {
        struct task t;
        struct event first;

        make_task(&t, &first, "words4", "ann", i % 5 == 1, AT + i);
        if (i % 1000 == 0)
            task_set_text(&t.title, "A rarity");
        assert_int_equal(store_create(suite.bench.store, &t, &first, on_task, &answers[i]), 0);
        task_deinit(&t);
        event_deinit(&first);
    }
    for (int i = 0; i < N; i++) {
        bench_run(&suite.bench, &answers[i].is_done);
        assert_int_equal(answers[i].err, 0);
        answer_drop(&answers[i]);
    }
    for (int sort = STORE_BY_CREATED; sort <= STORE_BY_UPDATED; sort++) {
        q.sort = (enum store_sort)sort;
        assert_int_equal(do_list(&suite.bench, &a, &q), 0);
        assert_int_equal(a.count, 3);
        assert_int_equal(a.tasks[0].created_at, AT + 2000);
        assert_int_equal(a.tasks[2].created_at, AT);
        answer_drop(&a);
    }
    q.limit = 1;
    q.sort = STORE_BY_CREATED;
    q.after_time = AT + 2000;
    q.after_id = "000000000000000000000000";
    assert_int_equal(do_list(&suite.bench, &a, &q), 0);
    assert_int_equal(a.count, 1);
    assert_true(a.has_more);
    assert_int_equal(a.tasks[0].created_at, AT + 1000);
    answer_drop(&a);
    q.words = "title";                         /* and common ones fill the page */
    q.limit = 100;
    q.after_id = NULL;
    assert_int_equal(do_list(&suite.bench, &a, &q), 0);
    assert_int_equal(a.count, 100);
    assert_int_equal(a.tasks[0].created_at, AT + N - 1);
    answer_drop(&a);
    free(answers);
}

int run_pages(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everyone_sees_the_orgs_and_their_own),
        cmocka_unit_test(an_operator_sees_everybodys),
        cmocka_unit_test(every_filter_holds_in_both_orders),
        cmocka_unit_test(pages_of_any_size_make_the_same_list),
        cmocka_unit_test(another_org_sees_nothing),
        cmocka_unit_test(hostile_questions_find_nothing_and_break_nothing),
        cmocka_unit_test(paging_holds_while_tasks_change),
        cmocka_unit_test(a_task_moves_between_scopes_with_its_privacy),
        cmocka_unit_test(all_words_match_by_prefix_and_case_folded),
        cmocka_unit_test(words_of_others_private_tasks_are_not_found),
        cmocka_unit_test(an_edit_changes_what_is_found),
        cmocka_unit_test(rare_words_are_found_however_old),
    };

    return cmocka_run_group_tests_name("pages", tests, fill, drop);
}

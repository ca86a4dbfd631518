/* tasks_test.c -- create, get and apply: what is stored, what is refused, what comes back. */
#include <stdlib.h>
#include <string.h>

#include "tests/integration/store/suite.h"

#define AT 1700000000000

static void a_new_task_comes_back_as_it_was_given(void **state)
{
    struct task t;
    struct event first;
    struct answer a, got;
    (void)state;

    make_task(&t, &first, "acme", "ann", false, AT);
    task_set_text(&t.repo, "acme/site");
    assert_int_equal(do_create(&suite.bench, &a, &t, &first), 0);
    assert_same_task(&a.task, &t);
    assert_true(a.task.is_unpublished);
    assert_int_equal(a.task.published_seq, 0);
    assert_int_equal(a.task.event_count, 1);
    assert_int_equal(do_get(&suite.bench, &got, t.id), 0);
    assert_same_task(&got.task, &t);
    assert_true(got.task.is_unpublished);
    assert_int_equal(got.task.published_seq, 0);
    assert_int_equal(got.task.event_count, 1);
    assert_same_event(&got.task.events[0], &first);
    answer_drop(&a);
    answer_drop(&got);
    task_deinit(&t);
    event_deinit(&first);
}

static void creating_an_id_twice_gives_the_first_task(void **state)
{
    struct task t, other;
    struct event first, second;
    struct answer a;
    (void)state;

    make_task(&t, &first, "acme", "ann", false, AT);
    make_task(&other, &second, "acme", "ben", false, AT + 5);
    task_set_text(&other.id, t.id);
    assert_int_equal(do_create(&suite.bench, &a, &t, &first), 0);
    answer_drop(&a);
    assert_int_equal(do_create(&suite.bench, &a, &other, &second), ERR_EXISTS);
    assert_true(a.has_task);
    assert_same_task(&a.task, &t);
    assert_int_equal(a.task.event_count, 1);
    answer_drop(&a);
    task_deinit(&t);
    task_deinit(&other);
    event_deinit(&first);
    event_deinit(&second);
}

static void what_is_not_there_is_not_found(void **state)
{
    static const char *const IDS[] = { "", "abc", "zzzzzzzzzzzzzzzzzzzzzzzz",
        "ABCDEFABCDEFABCDEFABCDEF", "000000000000000000000000", "{\"$gt\":\"\"}" };
    struct store_events_query q = { .limit = 10 };
    struct answer a;
    (void)state;

    for (size_t i = 0; i < sizeof(IDS) / sizeof(IDS[0]); i++) {
        assert_int_equal(do_get(&suite.bench, &a, IDS[i]), ERR_NOT_FOUND);
        assert_false(a.has_task);
        answer_drop(&a);
        q.id = IDS[i];
        assert_int_equal(do_events(&suite.bench, &a, &q), ERR_NOT_FOUND);
        answer_drop(&a);
        assert_int_equal(do_has_key(&suite.bench, IDS[i], "k"), ERR_NOT_FOUND);
    }
}

static void a_change_is_written_with_its_event(void **state)
{
    struct task t;
    struct change c;
    struct answer a, got;
    (void)state;

    stored_task(&suite.bench, &t, "acme", "ann", false, AT);
    make_change(&c, &t, INPUT_DISPATCHED, STATUS_DISPATCHED, "/d\n1");
    c.after.issue_number = 42;
    task_set_text(&c.after.issue_url, "https://github.com/acme/site/issues/42");
    task_set_text(&c.after.branch, "task-42");
    task_set_text(&c.after.questions, "[\"Which page?\",\"Since when?\"]");
    task_set_text(&c.event.facts, "{\"clarified\":[1,2]}");
    c.event.clarified = true;
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), 0);
    assert_same_task(&a.task, &c.after);
    assert_int_equal(a.task.event_count, 2);
    assert_same_event(&a.task.events[1], &c.event);
    assert_int_equal(do_get(&suite.bench, &got, t.id), 0);
    assert_same_task(&got.task, &c.after);
    assert_int_equal(got.task.event_count, 2);
    assert_same_event(&got.task.events[1], &c.event);
    assert_true(got.task.is_unpublished);
    answer_drop(&a);
    answer_drop(&got);
    drop_change(&c);
    task_deinit(&t);
}

static void a_field_that_was_cleared_is_gone(void **state)
{
    struct task t;
    struct change c;
    struct answer a, got;
    (void)state;

    stored_task(&suite.bench, &t, "acme", "ann", false, AT);
    make_change(&c, &t, INPUT_CLARIFICATION_NEEDED, STATUS_NEEDS_CLARIFICATION, "");
    task_set_text(&c.after.questions, "[\"Why?\"]");
    task_set_text(&c.after.error, "something");
    c.after.pr_number = 7;
    c.after.reanalysing = true;
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), 0);
    drop_change(&c);
    make_change(&c, &a.task, INPUT_ANALYZING, STATUS_ANALYZING, "");
    task_set_text(&c.after.questions, NULL);
    task_set_text(&c.after.error, NULL);
    c.after.pr_number = 0;
    c.after.reanalysing = false;
    assert_int_equal(do_apply(&suite.bench, &got, &c.c), 0);
    answer_drop(&got);
    assert_int_equal(do_get(&suite.bench, &got, t.id), 0);
    assert_same_task(&got.task, &c.after);
    assert_null(got.task.questions);
    assert_null(got.task.error);
    assert_int_equal(got.task.pr_number, 0);
    answer_drop(&a);
    answer_drop(&got);
    drop_change(&c);
    task_deinit(&t);
}

static void a_change_of_an_older_task_is_stale(void **state)
{
    struct task t, old;
    struct change c;
    struct answer a;
    (void)state;

    stored_task(&suite.bench, &t, "acme", "ann", false, AT);
    task_copy(&old, &t);
    assert_int_equal(note(&suite.bench, &t, ""), 0);
    make_change(&c, &old, INPUT_ANALYZING, STATUS_ANALYZING, "/a\n1");
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), ERR_STALE);
    assert_true(a.has_task);
    assert_int_equal(a.task.seq, 2);
    assert_int_equal(a.task.status, STATUS_RECEIVED);
    assert_int_equal(a.task.event_count, 2);
    answer_drop(&a);
    assert_int_equal(do_has_key(&suite.bench, t.id, "/a\n1"), ERR_NOT_FOUND);
    drop_change(&c);
    task_deinit(&old);
    task_deinit(&t);
}

static void a_change_of_a_task_yet_to_come_is_stale(void **state)
{
    struct task t, future;
    struct change c;
    struct answer a;
    (void)state;

    stored_task(&suite.bench, &t, "acme", "ann", false, AT);
    task_copy(&future, &t);
    future.seq = 5;
    make_change(&c, &future, INPUT_NOTE, STATUS_RECEIVED, "");
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), ERR_STALE);
    assert_int_equal(a.task.seq, 1);
    answer_drop(&a);
    drop_change(&c);
    task_deinit(&future);
    task_deinit(&t);
}

static void a_change_of_no_task_is_not_found(void **state)
{
    struct task t;
    struct event first;
    struct change c;
    struct answer a;
    (void)state;

    make_task(&t, &first, "acme", "ann", false, AT);
    make_change(&c, &t, INPUT_NOTE, STATUS_RECEIVED, "k");
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), ERR_NOT_FOUND);
    assert_false(a.has_task);
    answer_drop(&a);
    assert_int_equal(do_get(&suite.bench, &a, t.id), ERR_NOT_FOUND);
    answer_drop(&a);
    drop_change(&c);
    event_deinit(&first);
    task_deinit(&t);
}

static void a_key_has_one_effect_within_the_window(void **state)
{
    struct task t;
    struct change c;
    struct answer a;
    (void)state;

    stored_task(&suite.bench, &t, "acme", "ann", false, AT);
    assert_int_equal(note(&suite.bench, &t, "/s\n1"), 0);
    assert_int_equal(note(&suite.bench, &t, "/s\n2"), 0);
    make_change(&c, &t, INPUT_NOTE, STATUS_RECEIVED, "/s\n1");
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), ERR_REPEAT);
    assert_true(a.has_task);
    assert_int_equal(a.task.seq, 3);
    answer_drop(&a);
    drop_change(&c);
    assert_int_equal(do_has_key(&suite.bench, t.id, "/s\n1"), 0);
    assert_int_equal(do_has_key(&suite.bench, t.id, "/s\n2"), 0);
    assert_int_equal(do_has_key(&suite.bench, t.id, "/s\n3"), ERR_NOT_FOUND);
    assert_int_equal(do_has_key(&suite.bench, t.id, "/s"), ERR_NOT_FOUND);
    task_deinit(&t);
}

static void a_repeat_is_a_repeat_also_where_it_is_stale(void **state)
{
    struct task t, old;
    struct change c;
    struct answer a;
    (void)state;

    stored_task(&suite.bench, &t, "acme", "ann", false, AT);
    task_copy(&old, &t);
    assert_int_equal(note(&suite.bench, &t, "once"), 0);
    make_change(&c, &old, INPUT_NOTE, STATUS_RECEIVED, "once");
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), ERR_REPEAT);
    assert_int_equal(a.task.seq, 2);
    answer_drop(&a);
    drop_change(&c);
    task_deinit(&old);
    task_deinit(&t);
}

static void events_without_a_key_never_repeat(void **state)
{
    struct task t;
    (void)state;

    stored_task(&suite.bench, &t, "acme", "ann", false, AT);
    for (int i = 0; i < 3; i++)
        assert_int_equal(note(&suite.bench, &t, ""), 0);
    assert_int_equal(t.seq, 4);
    assert_int_equal(do_has_key(&suite.bench, t.id, ""), ERR_NOT_FOUND);
    task_deinit(&t);
}

static void a_key_belongs_to_its_task(void **state)
{
    struct task a, b;
    (void)state;

    stored_task(&suite.bench, &a, "acme", "ann", false, AT);
    stored_task(&suite.bench, &b, "acme", "ann", false, AT);
    assert_int_equal(note(&suite.bench, &a, "shared"), 0);
    assert_int_equal(note(&suite.bench, &b, "shared"), 0);
    assert_int_equal(a.seq, 2);
    assert_int_equal(b.seq, 2);
    task_deinit(&a);
    task_deinit(&b);
}

static void hostile_texts_come_back_as_they_were(void **state)
{
    static const char *const TEXTS[] = {
        "'; DROP TABLE tasks; --", "\"quotes\" and \\backslashes\\", "$where", "a.b.c", "{$gt:1}",
        "%s%n%d", "\xf0\x9f\x9a\x80 rocket", "\xe2\x80\xae right to left", "line\nfeed\ttab\r",
        "\x01\x02\x1f control", "", " ", "null", "{}", "</script>", "\xc3\xbf\xef\xbf\xbd",
        "$", ".", "_id", "%00", "\\u0000" };
    (void)state;

    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct task t;
        struct event first;
        struct change c;
        struct answer a, got;

        make_task(&t, &first, "acme", "ann", false, AT);
        task_set_text(&t.title, TEXTS[i]);
        task_set_text(&t.description, TEXTS[i]);
        task_set_text(&t.creator, TEXTS[i]);
        task_set_text(&first.actor, TEXTS[i]);
        assert_int_equal(do_create(&suite.bench, &a, &t, &first), 0);
        make_change(&c, &a.task, INPUT_NOTE, STATUS_RECEIVED, TEXTS[i]);
        task_set_text(&c.after.error, TEXTS[i]);
        task_set_text(&c.after.repo, TEXTS[i]);
        assert_int_equal(do_apply(&suite.bench, &got, &c.c), 0);
        answer_drop(&got);
        assert_int_equal(do_get(&suite.bench, &got, t.id), 0);
        assert_same_task(&got.task, &c.after);
        assert_same_event(&got.task.events[0], &first);
        assert_same_event(&got.task.events[1], &c.event);
        assert_int_equal(do_has_key(&suite.bench, t.id, TEXTS[i]),
                         *TEXTS[i] == '\0' ? ERR_NOT_FOUND : 0);
        answer_drop(&a);
        answer_drop(&got);
        drop_change(&c);
        task_deinit(&t);
        event_deinit(&first);
    }
}

static void hostile_json_comes_back_as_it_was(void **state)
{
    static const char *const VALUES[] = {
        "{\"$set\":{\"seq\":99}}", "{\"a.b\":1,\"\":2}", "{\"_id\":\"x\",\"$oid\":\"y\"}",
        "{\"deep\":[[[[[[[[[[1]]]]]]]]]]}", "{\"big\":9007199254740993,\"small\":-1,\"f\":0.1}",
        "{\"text\":\"\\ud83d\\ude80 \\\" \\\\ \\n\"}", "{}" };
    (void)state;

    for (size_t i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++) {
        struct task t;
        struct change c;
        struct answer got;

        stored_task(&suite.bench, &t, "acme", "ann", false, AT);
        make_change(&c, &t, INPUT_NOTE, STATUS_RECEIVED, "");
        task_set_text(&c.event.payload, VALUES[i]);
        task_set_text(&c.event.facts, VALUES[i]);
        task_set_text(&c.after.answers, VALUES[i]);
        assert_int_equal(do_apply(&suite.bench, &got, &c.c), 0);
        answer_drop(&got);
        assert_int_equal(do_get(&suite.bench, &got, t.id), 0);
        assert_same_task(&got.task, &c.after);
        assert_same_event(&got.task.events[1], &c.event);
        answer_drop(&got);
        drop_change(&c);
        task_deinit(&t);
    }
}

static void what_cannot_be_stored_is_refused_at_once(void **state)
{
    static const char *const BAD_JSON[] = { "", "{", "7", "\"text\"", "{\"a\":1}x",
        "{\"nul\":\"\\u0000\"}", "{\"bad\":\"\xff\"}", "{\"a\":1,\"a\":2}" };
    struct task t;
    struct change c;
    struct answer a;
    (void)state;

    stored_task(&suite.bench, &t, "acme", "ann", false, AT);
    for (size_t i = 0; i < sizeof(BAD_JSON) / sizeof(BAD_JSON[0]); i++) {
        make_change(&c, &t, INPUT_NOTE, STATUS_RECEIVED, "");
        task_set_text(&c.event.payload, BAD_JSON[i]);
        assert_int_equal(do_apply(&suite.bench, &a, &c.c), ERR_INVALID);
        task_set_text(&c.event.payload, "{}");
        task_set_text(&c.after.questions, BAD_JSON[i]);
        assert_int_equal(do_apply(&suite.bench, &a, &c.c), ERR_INVALID);
        drop_change(&c);
    }
    make_change(&c, &t, INPUT_NOTE, STATUS_RECEIVED, "");
    task_set_text(&c.after.title, "broken \xc3");
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), ERR_INVALID);
    task_set_text(&c.after.title, "whole");
    task_set_text(&c.event.key, "\xff");
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), ERR_INVALID);
    task_set_text(&c.event.key, "");
    task_set_text(&c.after.org, "a/b");
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), ERR_INVALID);
    task_set_text(&c.after.org, "acme");
    c.after.seq = 9;
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), ERR_INVALID);
    c.after.seq = 2;
    assert_int_equal(do_apply(&suite.bench, &a, &c.c), 0);
    answer_drop(&a);
    drop_change(&c);
    task_deinit(&t);
}

static void the_longest_texts_fit(void **state)
{
    char *text = malloc(40001);
    struct task t;
    struct event first;
    struct answer a;
    (void)state;

    for (int i = 0; i < 10000; i++)            /* 10,000 characters of four bytes */
        memcpy(text + (size_t)4 * (size_t)i, "\xf0\x9d\x94\xb8", 4);
    text[40000] = '\0';
    make_task(&t, &first, "acme", "ann", false, AT);
    task_set_text(&t.description, text);
    assert_int_equal(do_create(&suite.bench, &a, &t, &first), 0);
    answer_drop(&a);
    assert_int_equal(do_get(&suite.bench, &a, t.id), 0);
    assert_same_task(&a.task, &t);
    answer_drop(&a);
    task_deinit(&t);
    event_deinit(&first);
    free(text);
}

int run_tasks(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_task_comes_back_as_it_was_given),
        cmocka_unit_test(creating_an_id_twice_gives_the_first_task),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(a_change_is_written_with_its_event),
        cmocka_unit_test(a_field_that_was_cleared_is_gone),
        cmocka_unit_test(a_change_of_an_older_task_is_stale),
        cmocka_unit_test(a_change_of_a_task_yet_to_come_is_stale),
        cmocka_unit_test(a_change_of_no_task_is_not_found),
        cmocka_unit_test(a_key_has_one_effect_within_the_window),
        cmocka_unit_test(a_repeat_is_a_repeat_also_where_it_is_stale),
        cmocka_unit_test(events_without_a_key_never_repeat),
        cmocka_unit_test(a_key_belongs_to_its_task),
        cmocka_unit_test(hostile_texts_come_back_as_they_were),
        cmocka_unit_test(hostile_json_comes_back_as_it_was),
        cmocka_unit_test(what_cannot_be_stored_is_refused_at_once),
        cmocka_unit_test(the_longest_texts_fit),
    };

    return cmocka_run_group_tests_name("tasks", tests, NULL, NULL);
}

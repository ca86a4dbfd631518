/* task_test.c -- tasks and events as values: copies, JSON there and back, who may see one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "taskd/task.h"

#define ID "65f0c0ffee65f0c0ffee65f0"

/* Every field present, each of another value. */
static const char FULL[] =
    "{\"taskId\":\"" ID "\",\"seq\":7,\"title\":\"Fix it\",\"description\":\"All of it\","
    "\"status\":\"failed\",\"statusSince\":\"2026-11-21T02:16:00.123Z\",\"creator\":\"Ann\","
    "\"createdBy\":\"ann@acme\",\"orgId\":\"acme\",\"isPrivate\":true,\"repo\":\"acme/site\","
    "\"createdAt\":\"2026-11-21T02:00:00.000Z\",\"updatedAt\":\"2026-11-21T02:17:00.000Z\","
    "\"questions\":[\"Which?\"],\"clarificationAnswers\":[\"This\"],\"taskType\":\"bug\","
    "\"issueNumber\":42,\"issueUrl\":\"https://github.com/acme/site/issues/42\","
    "\"githubBranch\":\"fix-it\",\"prNumber\":43,\"prUrl\":\"https://github.com/acme/site/pull/43\","
    "\"prTitle\":\"Fixed\",\"prState\":\"closed\",\"mergeCommitSha\":\"c0ffee\","
    "\"mergedAt\":\"2026-11-21T02:18:00.000Z\",\"errorMessage\":\"no\"";
static const char INNER[] = ",\"reanalysing\":true,\"failedBy\":\"pr_closed\",\"headSha\":\"beef\"}";

static char *full_text(const char *end)
{
    struct buf text;

    buf_init(&text, sizeof(FULL) + sizeof(INNER));
    buf_append_text(&text, FULL);
    buf_append_text(&text, end);
    return buf_take(&text);
}

static void full_task(struct task *t)
{
    char   *text = full_text(INNER);
    json_t *object = json_parse(slice_of(text), NULL);

    assert_non_null(object);
    assert_int_equal(task_from_json(object, t), 0);
    json_decref(object);
    free(text);
}

static void assert_json(json_t *object, const char *text)
{
    char *written = task_json_text(object);

    assert_string_equal(written, text);
    free(written);
    json_decref(object);
}

static void example_event(struct event *e, int64_t seq)
{
    event_init(e);
    e->seq = seq;
    e->input = INPUT_DISPATCHED;
    e->payload = mem_strdup("{\"issueNumber\":42}");
    e->actor = mem_strdup("/dispatcher");
    e->created_at = 1000;
    e->key = mem_strdup("/dispatcher\n1");
    e->clarified = true;
    e->facts = mem_strdup("{\"clarificationAnswers\":[\"yes\"]}");
    e->was_private = true;
    e->was = STATUS_ANALYZING;
    e->row = mem_strdup("{\"taskId\":\"" ID "\"}");
}

static void all_fields_go_there_and_back(void **state)
{
    struct task t;
    char       *open = full_text("}");
    char       *all = full_text(INNER);

    (void)state;
    full_task(&t);
    assert_json(task_to_json(&t, false), open);
    assert_json(task_to_json(&t, true), all);
    task_deinit(&t);
    free(open);
    free(all);
}

static void absent_fields_are_not_written(void **state)
{
    struct task t;

    (void)state;
    task_init(&t);
    t.id = mem_strdup(ID);
    t.seq = 1;
    assert_json(task_to_json(&t, false),
                "{\"taskId\":\"" ID "\",\"seq\":1,\"status\":\"received\",\"isPrivate\":false}");
    task_deinit(&t);
}

static void a_copy_owns_all_it_holds(void **state)
{
    struct task  t, copy;
    struct event e;
    char        *all = full_text(INNER);

    (void)state;
    full_task(&t);
    example_event(&e, 7);
    task_push_event(&t, &e);
    t.published_seq = 6;
    t.is_unpublished = true;
    task_copy(&copy, &t);
    task_deinit(&t);
    event_deinit(&e);
    assert_json(task_to_json(&copy, true), all);
    assert_int_equal(copy.event_count, 1);
    assert_string_equal(copy.events[0].payload, "{\"issueNumber\":42}");
    assert_int_equal(copy.published_seq, 6);
    assert_true(copy.is_unpublished);
    task_deinit(&copy);
    free(all);
}

static void a_released_task_is_empty_and_usable(void **state)
{
    struct task t;

    (void)state;
    full_task(&t);
    task_deinit(&t);
    assert_null(t.id);
    assert_int_equal(t.event_count, 0);
    task_set_text(&t.title, "again");
    assert_string_equal(t.title, "again");
    task_set_text(&t.title, t.title);
    assert_string_equal(t.title, "again");
    task_set_text(&t.title, NULL);
    assert_null(t.title);
    task_deinit(&t);
}

/* A store may hold what an older or a broken version wrote. */
static void what_is_no_task_is_corrupt(void **state)
{
    static const char *const BAD[] = {
        "[]", "{}", "\"" ID "\"",
        "{\"taskId\":\"" ID "\",\"seq\":0,\"status\":\"coding\",\"orgId\":\"o\",\"createdBy\":\"s\"}",
        "{\"taskId\":\"" ID "\",\"seq\":1,\"status\":\"gone\",\"orgId\":\"o\",\"createdBy\":\"s\"}",
        "{\"taskId\":\"" ID "\",\"seq\":1,\"orgId\":\"o\",\"createdBy\":\"s\"}",
        "{\"taskId\":\"x\",\"seq\":1,\"status\":\"coding\",\"orgId\":\"o\",\"createdBy\":\"s\"}",
        "{\"taskId\":\"" ID "\",\"seq\":1,\"status\":\"coding\",\"createdBy\":\"s\"}",
        "{\"taskId\":\"" ID "\",\"seq\":1,\"status\":\"coding\",\"orgId\":\"o\"}",
        "{\"taskId\":\"" ID "\",\"seq\":\"1\",\"status\":\"coding\",\"orgId\":\"o\",\"createdBy\":\"s\"}",
        "{\"taskId\":\"" ID "\",\"seq\":1,\"status\":\"coding\",\"orgId\":\"o\",\"createdBy\":\"s\","
        "\"createdAt\":\"yesterday\"}",
        "{\"taskId\":\"" ID "\",\"seq\":1,\"status\":\"coding\",\"orgId\":\"o\",\"createdBy\":\"s\","
        "\"questions\":\"Which?\"}",
        "{\"taskId\":\"" ID "\",\"seq\":1,\"status\":\"coding\",\"orgId\":\"o\",\"createdBy\":\"s\","
        "\"isPrivate\":1}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        json_t     *object = json_parse(slice_of(BAD[i]), NULL);
        struct task t;

        assert_non_null(object);
        if (task_from_json(object, &t) != ERR_CORRUPT)
            fail_msg("accepted: %s", BAD[i]);
        json_decref(object);
    }
}

static void only_the_newest_events_are_kept(void **state)
{
    struct task  t;
    struct event e;

    (void)state;
    task_init(&t);
    for (int64_t seq = 1; seq <= TASK_EVENTS_KEPT + 5; seq++) {
        example_event(&e, seq);
        task_push_event(&t, &e);
        event_deinit(&e);
    }
    assert_int_equal(t.event_count, TASK_EVENTS_KEPT);
    assert_int_equal(t.events[0].seq, 6);
    assert_int_equal(t.events[TASK_EVENTS_KEPT - 1].seq, TASK_EVENTS_KEPT + 5);
    task_push_event(&t, &t.events[0]);         /* the one that is dropped */
    assert_int_equal(t.events[0].seq, 7);
    assert_int_equal(t.events[TASK_EVENTS_KEPT - 1].seq, 6);
    task_deinit(&t);
}

static void a_timeline_entry_shows_no_more_than_it_should(void **state)
{
    struct event e;

    (void)state;
    example_event(&e, 4);
    assert_json(event_to_json(&e),
                "{\"seq\":4,\"eventType\":\"dispatched\",\"payload\":{\"issueNumber\":42},"
                "\"actor\":\"/dispatcher\",\"createdAt\":\"1970-01-01T00:00:01.000Z\"}");
    event_deinit(&e);
}

static void a_record_goes_there_and_back(void **state)
{
    struct event e, back;
    json_t      *record;
    char        *text;

    (void)state;
    example_event(&e, 4);
    record = event_to_record(&e);
    text = task_json_text(record);
    assert_int_equal(event_from_record(record, &back), 0);
    assert_json(event_to_record(&back), text);
    assert_true(back.clarified && back.was_private);
    assert_int_equal(back.was, STATUS_ANALYZING);
    assert_string_equal(back.key, "/dispatcher\n1");
    assert_string_equal(back.facts, "{\"clarificationAnswers\":[\"yes\"]}");
    json_decref(record);
    free(text);
    event_deinit(&e);
    event_deinit(&back);
}

static void a_record_without_one_of_its_parts_is_corrupt(void **state)
{
    static const char *const NEEDED[] = { "seq", "eventType", "payload", "actor", "key", "was", "row" };

    (void)state;
    for (size_t i = 0; i < sizeof(NEEDED) / sizeof(NEEDED[0]); i++) {
        struct event e, back;
        json_t      *record;

        example_event(&e, 4);
        record = event_to_record(&e);
        json_object_del(record, NEEDED[i]);
        assert_int_equal(event_from_record(record, &back), ERR_CORRUPT);
        json_decref(record);
        event_deinit(&e);
    }
}

static void a_list_row_is_what_dashboards_show(void **state)
{
    struct task t;

    (void)state;
    full_task(&t);
    assert_json(task_row(&t),
                "{\"taskId\":\"" ID "\",\"status\":\"failed\",\"statusSince\":\"2026-11-21T02:16:00.123Z\","
                "\"title\":\"Fix it\",\"creator\":\"Ann\",\"createdBy\":\"ann@acme\",\"isPrivate\":true,"
                "\"createdAt\":\"2026-11-21T02:00:00.000Z\",\"updatedAt\":\"2026-11-21T02:17:00.000Z\","
                "\"issueNumber\":42,\"issueUrl\":\"https://github.com/acme/site/issues/42\","
                "\"prNumber\":43,\"prUrl\":\"https://github.com/acme/site/pull/43\",\"prState\":\"closed\"}");
    task_deinit(&t);
}

static void who_may_see_a_task_is_its_creator_and_an_open_ones_org(void **state)
{
    struct task t;

    (void)state;
    full_task(&t);
    assert_true(task_is_visible(&t, "ann@acme", "acme"));
    assert_true(task_is_visible(&t, "ann@acme", "other"));
    assert_false(task_is_visible(&t, "bob", "acme"));
    t.is_private = false;
    assert_true(task_is_visible(&t, "bob", "acme"));
    assert_false(task_is_visible(&t, "bob", "other"));
    assert_int_equal(task_bucket(t.status, t.is_private), BUCKET_ORG_FAILED);
    task_deinit(&t);
}

static void an_id_is_24_small_hexadecimal_digits(void **state)
{
    (void)state;
    assert_true(task_id_is_valid(SLICE(ID)));
    assert_false(task_id_is_valid(SLICE("65f0c0ffee65f0c0ffee65f")));
    assert_false(task_id_is_valid(SLICE("65f0c0ffee65f0c0ffee65f00")));
    assert_false(task_id_is_valid(SLICE("65F0c0ffee65f0c0ffee65f0")));
    assert_false(task_id_is_valid(SLICE("65f0c0ffee65f0c0ffee65g0")));
    assert_false(task_id_is_valid(SLICE("65f0c0ffee65f0c0ffee65f\n")));
    assert_false(task_id_is_valid(slice_make(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_fields_go_there_and_back),
        cmocka_unit_test(absent_fields_are_not_written),
        cmocka_unit_test(a_copy_owns_all_it_holds),
        cmocka_unit_test(a_released_task_is_empty_and_usable),
        cmocka_unit_test(what_is_no_task_is_corrupt),
        cmocka_unit_test(only_the_newest_events_are_kept),
        cmocka_unit_test(a_timeline_entry_shows_no_more_than_it_should),
        cmocka_unit_test(a_record_goes_there_and_back),
        cmocka_unit_test(a_record_without_one_of_its_parts_is_corrupt),
        cmocka_unit_test(a_list_row_is_what_dashboards_show),
        cmocka_unit_test(who_may_see_a_task_is_its_creator_and_an_open_ones_org),
        cmocka_unit_test(an_id_is_24_small_hexadecimal_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

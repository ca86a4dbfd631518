/* messages_test.c -- complete envelopes, byte for byte, as SPEC T3 orders them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "proto/check.h"
#include "taskd/messages.h"
#include "taskd/transitions.h"

#define ID "65f0c0ffee65f0c0ffee65f0"
#define T0 "\"2026-11-21T02:00:00.000Z\""
#define T1 "\"2026-11-21T02:16:00.000Z\""

/* What every row of these tests begins and ends with. */
#define ROW(seq, status, since, is_private, tail)                                              \
    "[\"dashboard:task_list_updated\",{\"taskId\":\"" ID "\",\"seq\":" seq ",\"status\":\"" status \
    "\",\"statusSince\":" since ",\"title\":\"Fix it\",\"creator\":\"Ann\",\"createdBy\":\"ann\","  \
    "\"isPrivate\":" is_private ",\"createdAt\":" T0 ",\"updatedAt\":" T1 tail "}]\n"
#define ADDED(seq, type, payload, actor)                                                       \
    "task [\"task:event_added\",{\"taskId\":\"" ID "\",\"seq\":" seq ",\"event\":{\"seq\":" seq \
    ",\"eventType\":\"" type "\",\"payload\":" payload ",\"actor\":\"" actor "\",\"createdAt\":" T1 "}}]\n"
#define TOLD(seq, kind, message, tail)                                                         \
    "user:acme/ann [\"user:notification\",{\"id\":\"" ID ":" seq ":" kind "\",\"kind\":\"" kind  \
    "\",\"taskId\":\"" ID "\",\"title\":\"Fix it\",\"message\":\"" message "\"" tail              \
    ",\"createdAt\":" T1 "}]\n"
#define EVENT(name, seq, rest) \
    "task [\"" name "\",{\"taskId\":\"" ID "\",\"seq\":" seq "," rest "}]\n"

static void create(bool is_private, struct task *t, struct event *e)
{
    struct new_task n = { .id = ID, .org = "acme", .sub = "ann", .name = "Ann", .title = "Fix it",
                          .description = "All of it", .is_private = is_private, .at = 1795226400000 };

    transition_create(&n, t, e);
}

/* Move `t` on; the event is the caller's. */
static void step(struct task *t, struct event *e, enum input input, const char *data)
{
    json_t            *object = json_parse(slice_of(data), NULL);
    struct input_event in = { .input = input, .data = object, .actor = "/actor", .key = "/actor\n1",
                              .at = 1795227360000 };
    struct task        after;
    const char        *why;

    assert_int_equal(check_fields(shape_of_data(input), object, NULL), 0);
    assert_int_equal(transition_decide(t, &in, &after, e, &why), VERDICT_ACCEPTED);
    task_deinit(t);
    *t = after;
    json_decref(object);
}

/* Every line's payload is what the registry says of its event. */
static void assert_payloads_are_of_the_registry(struct slice envelope)
{
    slice_cut(&envelope, '\n');                /* routing */
    while (envelope.len != 0) {
        struct slice line = slice_cut(&envelope, '\n');
        json_t      *array;
        enum shape   shape;
        struct buf   why;

        slice_cut(&line, ' ');
        array = json_parse(line, NULL);
        assert_non_null(array);
        assert_int_equal(shape_parse_event(slice_of(json_string_value(json_array_get(array, 0))),
                                           KIND_DOWN, &shape), 0);
        buf_init(&why, 1000);
        if (check_fields(shape, json_array_get(array, 1), &why) != 0)
            fail_msg("%.*s: %s", SLICE_ARG(line), why.data);
        buf_deinit(&why);
        json_decref(array);
    }
}

static void assert_envelope(const struct task *t, const struct event *e, const char *expected)
{
    struct buf out;

    buf_init(&out, 100000);
    assert_int_equal(messages_build(t, e, &out), 0);
    assert_string_equal(out.data, expected);
    assert_payloads_are_of_the_registry(buf_peek(&out));
    buf_deinit(&out);
}

/* The expected envelope of the step that is made. */
static void assert_step(struct task *t, enum input input, const char *data, const char *expected)
{
    struct event e;

    step(t, &e, input, data);
    assert_envelope(t, &e, expected);
    event_deinit(&e);
}

static void a_new_task_is_told_to_the_orgs_dashboards(void **state)
{
    struct task  t;
    struct event e;

    (void)state;
    create(false, &t, &e);
    assert_envelope(&t, &e,
        "1 " ID " acme 1 ann 0\n"
        "task [\"task:event_added\",{\"taskId\":\"" ID "\",\"seq\":1,\"event\":{\"seq\":1,"
        "\"eventType\":\"created\",\"payload\":{\"title\":\"Fix it\"},\"actor\":\"ann\","
        "\"createdAt\":" T0 "}}]\n"
        "dash [\"task:created\",{\"taskId\":\"" ID "\",\"seq\":1,\"title\":\"Fix it\",\"creator\":\"Ann\","
        "\"createdBy\":\"ann\",\"status\":\"received\",\"createdAt\":" T0 "}]\n"
        "dash [\"dashboard:task_list_updated\",{\"taskId\":\"" ID "\",\"seq\":1,\"status\":\"received\","
        "\"statusSince\":" T0 ",\"title\":\"Fix it\",\"creator\":\"Ann\",\"createdBy\":\"ann\","
        "\"isPrivate\":false,"
        "\"createdAt\":" T0 ",\"updatedAt\":" T0 "}]\n");
    event_deinit(&e);
    task_deinit(&t);
}

static void a_new_private_task_is_told_to_its_creator_alone(void **state)
{
    struct task  t;
    struct event e;

    (void)state;
    create(true, &t, &e);
    assert_envelope(&t, &e,
        "1 " ID " acme 1 ann 1\n"
        "task [\"task:event_added\",{\"taskId\":\"" ID "\",\"seq\":1,\"event\":{\"seq\":1,"
        "\"eventType\":\"created\",\"payload\":{\"title\":\"Fix it\"},\"actor\":\"ann\","
        "\"createdAt\":" T0 "}}]\n"
        "mine [\"task:created\",{\"taskId\":\"" ID "\",\"seq\":1,\"title\":\"Fix it\",\"creator\":\"Ann\","
        "\"createdBy\":\"ann\",\"status\":\"received\",\"createdAt\":" T0 "}]\n"
        "mine [\"dashboard:task_list_updated\",{\"taskId\":\"" ID "\",\"seq\":1,\"status\":\"received\","
        "\"statusSince\":" T0 ",\"title\":\"Fix it\",\"creator\":\"Ann\",\"createdBy\":\"ann\","
        "\"isPrivate\":true,"
        "\"createdAt\":" T0 ",\"updatedAt\":" T0 "}]\n");
    event_deinit(&e);
    task_deinit(&t);
}

#define ISSUE ",\"issueNumber\":42,\"issueUrl\":\"https://github.com/acme/site/issues/42\""
#define PR_LINK ",\"url\":\"https://github.com/acme/site/pull/43\""
#define PR    ",\"prNumber\":43,\"prUrl\":\"https://github.com/acme/site/pull/43\""
#define DISPATCH_DATA "{\"issueNumber\":42,\"issueUrl\":\"https://github.com/acme/site/issues/42\"," \
                      "\"githubBranch\":\"fix-it\"}"

/* A whole life with a clarification, a reopened pull request and a merge. */
static void a_life_with_a_clarification_is_told_step_by_step(void **state)
{
    struct task  t;
    struct event e;

    (void)state;
    create(false, &t, &e);
    event_deinit(&e);
    assert_step(&t, INPUT_ANALYZING, "{}",
        "1 " ID " acme 2 ann 0\n"
        EVENT("task:analyzing", "2", "\"status\":\"analyzing\"")
        ADDED("2", "analyzing", "{}", "/actor")
        "dash " ROW("2", "analyzing", T1, "false", ""));
    assert_step(&t, INPUT_CLARIFICATION_NEEDED, "{\"questions\":[\"Which?\"]}",
        "1 " ID " acme 3 ann 0\n"
        EVENT("task:clarification_needed", "3", "\"status\":\"needs_clarification\","
            "\"questions\":[\"Which?\"]")
        ADDED("3", "clarification_needed", "{\"questions\":[\"Which?\"]}", "/actor")
        "dash " ROW("3", "needs_clarification", T1, "false", "")
        TOLD("3", "needs_answer", "Which?", ""));
    assert_step(&t, INPUT_CLARIFICATION_SUBMITTED, "{\"answers\":[\"This\"]}",
        "1 " ID " acme 4 ann 0\n"
        EVENT("task:analyzing", "4", "\"status\":\"analyzing\"")
        ADDED("4", "clarification_submitted", "{\"answers\":[\"This\"]}", "/actor")
        "dash " ROW("4", "analyzing", T1, "false", ""));
    assert_step(&t, INPUT_LLM_RESPONSE, "{\"taskType\":\"bug\"}",
        "1 " ID " acme 5 ann 0\n"
        ADDED("5", "llm_response", "{\"taskType\":\"bug\"}", "/actor")
        "dash " ROW("5", "analyzing", T1, "false", ""));
    assert_step(&t, INPUT_DISPATCHED, DISPATCH_DATA,
        "1 " ID " acme 6 ann 0\n"
        EVENT("task:clarified", "6", "\"clarificationAnswers\":[\"This\"],\"status\":\"dispatched\"" ISSUE)
        EVENT("task:dispatched", "6", "\"status\":\"dispatched\"" ISSUE ",\"githubBranch\":\"fix-it\"")
        ADDED("6", "dispatched", DISPATCH_DATA, "/actor")
        "dash " ROW("6", "dispatched", T1, "false", ISSUE));
    task_deinit(&t);
}

static void a_pull_request_is_told_until_it_is_merged(void **state)
{
    struct task  t;
    struct event e;

    (void)state;
    create(false, &t, &e);
    event_deinit(&e);
    step(&t, &e, INPUT_DISPATCHED, DISPATCH_DATA);
    event_deinit(&e);
    assert_step(&t, INPUT_CODING, "{}",
        "1 " ID " acme 3 ann 0\n"
        EVENT("task:coding", "3", "\"status\":\"coding\"")
        ADDED("3", "coding", "{}", "/actor")
        "dash " ROW("3", "coding", T1, "false", ISSUE));
    assert_step(&t, INPUT_PR_OPENED, "{\"prNumber\":43,\"prUrl\":\"https://github.com/acme/site/pull/43\","
                                     "\"prState\":\"draft\"}",
        "1 " ID " acme 4 ann 0\n"
        EVENT("task:pr_opened", "4", "\"status\":\"pr_open\"" PR ",\"prTitle\":\"Fix it\","
            "\"prState\":\"draft\"")
        ADDED("4", "pr_opened", "{\"prNumber\":43,\"prUrl\":\"https://github.com/acme/site/pull/43\","
              "\"prState\":\"draft\"}", "/actor")
        "dash " ROW("4", "pr_open", T1, "false", ISSUE PR ",\"prState\":\"draft\""));
    assert_step(&t, INPUT_PR_UPDATED, "{\"prState\":\"open\"}",
        "1 " ID " acme 5 ann 0\n"
        EVENT("task:pr_updated", "5", "\"status\":\"pr_open\"" PR ",\"prTitle\":\"Fix it\","
            "\"prState\":\"open\"")
        ADDED("5", "pr_updated", "{\"prState\":\"open\",\"prNumber\":43}", "/actor")
        "dash " ROW("5", "pr_open", T1, "false", ISSUE PR ",\"prState\":\"open\"")
        TOLD("5", "pr_ready", "Pull request #43 is ready for review: Fix it", PR_LINK));
    assert_step(&t, INPUT_PR_CLOSED, "{}",
        "1 " ID " acme 6 ann 0\n"
        EVENT("task:pr_closed", "6", "\"status\":\"failed\",\"prNumber\":43")
        ADDED("6", "pr_closed", "{\"prNumber\":43}", "/actor")
        "dash " ROW("6", "failed", T1, "false", ISSUE PR ",\"prState\":\"closed\"")
        TOLD("6", "failed", "Pull request #43 was closed without being merged", PR_LINK));
    assert_step(&t, INPUT_PR_OPENED, "{\"prNumber\":43,\"prUrl\":\"https://github.com/acme/site/pull/43\"}",
        "1 " ID " acme 7 ann 0\n"
        EVENT("task:pr_opened", "7", "\"status\":\"pr_open\"" PR ",\"prTitle\":\"Fix it\","
            "\"prState\":\"open\"")
        ADDED("7", "pr_opened", "{\"prNumber\":43,\"prUrl\":\"https://github.com/acme/site/pull/43\"}",
            "/actor")
        "dash " ROW("7", "pr_open", T1, "false", ISSUE PR ",\"prState\":\"open\"")
        TOLD("7", "pr_ready", "Pull request #43 is ready for review: Fix it", PR_LINK));
    assert_step(&t, INPUT_PR_MERGED, "{\"mergeCommitSha\":\"c0ffee\"}",
        "1 " ID " acme 8 ann 0\n"
        EVENT("task:pr_merged", "8", "\"status\":\"merged\",\"mergeCommitSha\":\"c0ffee\",\"mergedAt\":" T1)
        ADDED("8", "pr_merged", "{\"mergeCommitSha\":\"c0ffee\",\"mergedAt\":" T1 "}", "/actor")
        "dash " ROW("8", "merged", T1, "false", ISSUE PR ",\"prState\":\"merged\"")
        TOLD("8", "merged", "Pull request #43 was merged", PR_LINK));
    task_deinit(&t);
}

static void a_failure_ends_a_round_too(void **state)
{
    struct task  t;
    struct event e;

    (void)state;
    create(false, &t, &e);
    event_deinit(&e);
    t.status = STATUS_ANALYZING;
    t.reanalysing = true;
    t.answers = mem_strdup("[\"This\"]");
    assert_step(&t, INPUT_FAILED, "{\"errorMessage\":\"no \\\"luck\\\"\\n\"}",
        "1 " ID " acme 2 ann 0\n"
        EVENT("task:clarified", "2", "\"clarificationAnswers\":[\"This\"],\"status\":\"failed\"")
        EVENT("task:failed", "2", "\"status\":\"failed\",\"errorMessage\":\"no \\\"luck\\\"\\n\"")
        ADDED("2", "failed", "{\"errorMessage\":\"no \\\"luck\\\"\\n\"}", "/actor")
        "dash " ROW("2", "failed", T1, "false", "")
        TOLD("2", "failed", "no \\\"luck\\\"\\n", ""));
    task_deinit(&t);
}

/* Who may no longer see it is taken out before anything more is said. */
static void turning_private_evicts_first_and_leaves_the_orgs_dashboards(void **state)
{
    struct task  t;
    struct event e;

    (void)state;
    create(false, &t, &e);
    event_deinit(&e);
    assert_step(&t, INPUT_EDITED, "{\"isPrivate\":true}",
        "1 " ID " acme 2 ann 1\n"
        "evict [\"task:evicted\",{\"taskId\":\"" ID "\",\"seq\":2,\"reason\":\"The task is private now\"}]\n"
        EVENT("task:updated", "2", "\"title\":\"Fix it\",\"description\":\"All of it\",\"isPrivate\":true,"
              "\"updatedBy\":\"/actor\"")
        ADDED("2", "edited", "{\"isPrivate\":true}", "/actor")
        "dash [\"dashboard:task_removed\",{\"taskId\":\"" ID "\",\"seq\":2}]\n"
        "mine " ROW("2", "received", T0, "true", ""));
    assert_step(&t, INPUT_NOTE, "{\"text\":\"t\"}",
        "1 " ID " acme 3 ann 1\n"
        ADDED("3", "note", "{\"text\":\"t\"}", "/actor")
        "mine " ROW("3", "received", T0, "true", ""));
    assert_step(&t, INPUT_EDITED, "{\"isPrivate\":false}",
        "1 " ID " acme 4 ann 0\n"
        EVENT("task:updated", "4", "\"title\":\"Fix it\",\"description\":\"All of it\",\"isPrivate\":false,"
              "\"updatedBy\":\"/actor\"")
        ADDED("4", "edited", "{\"isPrivate\":false}", "/actor")
        "dash " ROW("4", "received", T0, "false", ""));
    task_deinit(&t);
}

/* What is sent late is what was to be sent at first: the task has moved on, and the event
 * came back from a store. */
static void an_old_event_is_told_as_it_was(void **state)
{
    struct task  t;
    struct event first, back, later;
    struct buf   then, now;
    json_t      *record;

    (void)state;
    create(false, &t, &first);
    event_deinit(&first);
    step(&t, &first, INPUT_DISPATCHED, DISPATCH_DATA);
    buf_init(&then, 100000);
    buf_init(&now, 100000);
    assert_int_equal(messages_build(&t, &first, &then), 0);
    record = event_to_record(&first);
    assert_int_equal(event_from_record(record, &back), 0);
    step(&t, &later, INPUT_EDITED, "{\"title\":\"Another\",\"isPrivate\":true}");
    assert_int_equal(messages_build(&t, &back, &now), 0);
    assert_string_equal(now.data, then.data);
    buf_deinit(&then);
    buf_deinit(&now);
    json_decref(record);
    event_deinit(&first);
    event_deinit(&back);
    event_deinit(&later);
    task_deinit(&t);
}

static void assert_buckets(const struct event *e, enum bucket from, enum bucket to)
{
    enum bucket before, after;

    messages_buckets(e, &before, &after);
    assert_int_equal(before, from);
    assert_int_equal(after, to);
}

static void counts_move_between_buckets(void **state)
{
    struct task  t;
    struct event e;

    (void)state;
    create(false, &t, &e);
    assert_buckets(&e, BUCKET_NONE, BUCKET_ORG_ACTIVE);
    event_deinit(&e);
    step(&t, &e, INPUT_ANALYZING, "{}");
    assert_buckets(&e, BUCKET_ORG_ACTIVE, BUCKET_ORG_ACTIVE);
    event_deinit(&e);
    step(&t, &e, INPUT_EDITED, "{\"isPrivate\":true}");
    assert_buckets(&e, BUCKET_ORG_ACTIVE, BUCKET_PRIVATE_ACTIVE);
    event_deinit(&e);
    step(&t, &e, INPUT_FAILED, "{\"errorMessage\":\"no\"}");
    assert_buckets(&e, BUCKET_PRIVATE_ACTIVE, BUCKET_PRIVATE_FAILED);
    event_deinit(&e);
    task_deinit(&t);
    create(true, &t, &e);
    assert_buckets(&e, BUCKET_NONE, BUCKET_PRIVATE_ACTIVE);
    event_deinit(&e);
    task_deinit(&t);
}

static void the_whole_task_is_shown_with_its_timeline(void **state)
{
    struct task  t;
    struct event e;
    struct buf   out;

    (void)state;
    create(false, &t, &e);
    buf_init(&out, 100000);
    assert_int_equal(messages_state(&t, &e, 1, &out), 0);
    assert_string_equal(out.data,
        "{\"taskId\":\"" ID "\",\"seq\":1,\"title\":\"Fix it\",\"description\":\"All of it\","
        "\"status\":\"received\",\"statusSince\":" T0 ",\"creator\":\"Ann\",\"createdBy\":\"ann\","
        "\"orgId\":\"acme\",\"isPrivate\":false,\"createdAt\":" T0 ",\"updatedAt\":" T0 ","
        "\"events\":[{\"seq\":1,\"eventType\":\"created\",\"payload\":{\"title\":\"Fix it\"},"
        "\"actor\":\"ann\",\"createdAt\":" T0 "}]}");
    buf_reset(&out);
    assert_int_equal(messages_state(&t, NULL, 0, &out), 0);
    assert_non_null(strstr(out.data, "\"events\":[]}"));
    buf_deinit(&out);
    event_deinit(&e);
    task_deinit(&t);
}

static void past_the_ceiling_it_says_so(void **state)
{
    struct task  t;
    struct event e;
    struct buf   out;

    (void)state;
    create(false, &t, &e);
    buf_init(&out, 200);
    assert_int_equal(messages_build(&t, &e, &out), ERR_TOO_BIG);
    buf_reset(&out);
    assert_int_equal(messages_state(&t, &e, 1, &out), ERR_TOO_BIG);
    buf_deinit(&out);
    event_deinit(&e);
    task_deinit(&t);
}

static void its_trace_is_the_last_line(void **state)
{
    static const char TRACE[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    struct task   t;
    struct event  e;
    struct buf    out;

    (void)state;
    create(false, &t, &e);
    task_set_text(&e.trace, TRACE);
    buf_init(&out, 100000);
    assert_int_equal(messages_build(&t, &e, &out), 0);
    assert_true(out.len > sizeof(TRACE) + 6);
    assert_string_equal(out.data + out.len - sizeof(TRACE) - 6,
                        "trace 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n");
    buf_deinit(&out);
    event_deinit(&e);
    task_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_task_is_told_to_the_orgs_dashboards),
        cmocka_unit_test(a_new_private_task_is_told_to_its_creator_alone),
        cmocka_unit_test(a_life_with_a_clarification_is_told_step_by_step),
        cmocka_unit_test(a_pull_request_is_told_until_it_is_merged),
        cmocka_unit_test(a_failure_ends_a_round_too),
        cmocka_unit_test(turning_private_evicts_first_and_leaves_the_orgs_dashboards),
        cmocka_unit_test(an_old_event_is_told_as_it_was),
        cmocka_unit_test(counts_move_between_buckets),
        cmocka_unit_test(the_whole_task_is_shown_with_its_timeline),
        cmocka_unit_test(past_the_ceiling_it_says_so),
        cmocka_unit_test(its_trace_is_the_last_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

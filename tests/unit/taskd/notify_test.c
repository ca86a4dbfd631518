/* notify_test.c -- which transitions are news to a task's creator, and what they are told. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "proto/check.h"
#include "taskd/messages.h"
#include "taskd/notify.h"
#include "taskd/transitions.h"

#define ID "65f0c0ffee65f0c0ffee65f0"

/* A task in `status`, in an org of one's own. */
static struct task task_in(enum status status)
{
    struct new_task n = { .id = ID, .org = "~ann@acme", .sub = "ann@acme", .name = "Ann",
                          .title = "Fix it", .description = "All of it", .at = 1795226400000 };
    struct event created;
    struct task  t;

    transition_create(&n, &t, &created);
    event_deinit(&created);
    t.status = status;
    t.pr_number = 43;
    task_set_text(&t.pr_url, "https://github.com/acme/site/pull/43");
    task_set_text(&t.pr_title, "Fixed");
    task_set_text(&t.issue_url, "https://github.com/acme/site/issues/42");
    return t;
}

/* What is told of one step; the message it stands in is appended to `out`. `t` is given back. */
static json_t *told(struct task t, enum input input, const char *data, const char *actor,
                    struct buf *out)
{
    json_t            *object = json_parse(slice_of(data), NULL);
    struct input_event in = { .input = input, .data = object, .actor = actor, .key = "k",
                              .at = 1795227360000 };
    struct task         after;
    struct event        e;
    struct notification n;
    json_t             *news = NULL;
    const char         *why;

    assert_int_equal(transition_decide(&t, &in, &after, &e, &why), VERDICT_ACCEPTED);
    assert_int_equal(messages_build(&after, &e, out), 0);
    if (notify_read(buf_peek(out), &n)) {
        news = json_parse(slice_of(n.json), NULL);
        assert_int_equal(check_fields(SHAPE_USER_NOTIFICATION, news, NULL), 0);
        assert_string_equal(n.id, json_text(news, "id"));
        assert_string_equal(n.org, "~ann@acme");
        assert_string_equal(n.sub, "ann@acme");
        assert_int_equal(n.created_at, 1795227360000);
        notify_deinit(&n);
    }
    json_decref(object);
    event_deinit(&e);
    task_deinit(&after);
    task_deinit(&t);
    return news;
}

static void expect_of(struct task t, enum input input, const char *data, const char *kind,
                      const char *message)
{
    struct buf out;
    json_t    *news;
    char       id[64];

    buf_init(&out, 100000);
    news = told(t, input, data, "/service", &out);
    if (kind == NULL) {
        assert_null(news);
        assert_null(strstr(out.data, "user:"));
    } else {
        assert_non_null(news);
        snprintf(id, sizeof(id), ID ":2:%s", kind);
        assert_string_equal(json_text(news, "id"), id);
        assert_string_equal(json_text(news, "kind"), kind);
        assert_string_equal(json_text(news, "taskId"), ID);
        assert_string_equal(json_text(news, "title"), "Fix it");
        assert_string_equal(json_text(news, "message"), message);
        assert_non_null(strstr(out.data, "\nuser:~ann@acme/ann@acme [\"user:notification\",{"));
    }
    json_decref(news);
    buf_deinit(&out);
}

static void expect(enum status status, enum input input, const char *data, const char *kind,
                   const char *message)
{
    expect_of(task_in(status), input, data, kind, message);
}

static struct task with_pr(enum status status, const char *state)
{
    struct task t = task_in(status);

    task_set_text(&t.pr_state, state);
    return t;
}

#define PULL "\"prNumber\":43,\"prUrl\":\"https://github.com/acme/site/pull/43\""

static void questions_need_an_answer(void **state)
{
    (void)state;
    expect(STATUS_ANALYZING, INPUT_CLARIFICATION_NEEDED, "{\"questions\":[\"Which?\"]}",
           "needs_answer", "Which?");
    expect(STATUS_ANALYZING, INPUT_CLARIFICATION_NEEDED,
           "{\"questions\":[\"Which?\",\"When?\",\"Why?\"]}", "needs_answer",
           "Which? (and 2 more)");
}

static void a_pull_request_that_may_be_looked_at_is_news_once(void **state)
{
    struct task failed = with_pr(STATUS_FAILED, "closed");

    (void)state;
    expect(STATUS_CODING, INPUT_PR_OPENED, "{" PULL "}", "pr_ready",
           "Pull request #43 is ready for review: Fixed");
    expect(STATUS_CODING, INPUT_PR_OPENED, "{" PULL ",\"prState\":\"draft\"}", NULL, NULL);
    expect_of(with_pr(STATUS_PR_OPEN, "draft"), INPUT_PR_UPDATED, "{\"prState\":\"open\"}",
              "pr_ready", "Pull request #43 is ready for review: Fixed");
    expect_of(with_pr(STATUS_PR_OPEN, "draft"), INPUT_PR_UPDATED, "{\"headSha\":\"beef\"}", NULL, NULL);
    /* every push says that it is open */
    expect_of(with_pr(STATUS_PR_OPEN, "open"), INPUT_PR_UPDATED, "{\"prState\":\"open\"}", NULL, NULL);
    expect_of(with_pr(STATUS_PR_OPEN, "open"), INPUT_PR_UPDATED, "{\"prState\":\"draft\"}", NULL, NULL);
    expect_of(with_pr(STATUS_PR_OPEN, "open"), INPUT_NOTE, "{\"text\":\"t\"}", NULL, NULL);
    task_set_text(&failed.failed_by, "pr_closed");
    expect_of(failed, INPUT_PR_OPENED, "{" PULL "}", "pr_ready",
              "Pull request #43 is ready for review: Fixed");
}

static void ends_are_news(void **state)
{
    struct task bare = task_in(STATUS_CODING);

    (void)state;
    expect(STATUS_PR_OPEN, INPUT_PR_MERGED, "{\"mergeCommitSha\":\"c0ffee\"}", "merged",
           "Pull request #43 was merged");
    bare.pr_number = 0;
    expect_of(bare, INPUT_PR_MERGED, "{\"mergeCommitSha\":\"c0ffee\"}", "merged",
              "The pull request was merged");
    expect(STATUS_PR_OPEN, INPUT_PR_CLOSED, "{}", "failed",
           "Pull request #43 was closed without being merged");
    expect(STATUS_RECEIVED, INPUT_FAILED, "{\"errorMessage\":\"out of luck\"}", "failed",
           "out of luck");
}

static void all_else_is_not(void **state)
{
    (void)state;
    expect(STATUS_RECEIVED, INPUT_ANALYZING, "{}", NULL, NULL);
    expect(STATUS_ANALYZING, INPUT_LLM_RESPONSE, "{\"taskType\":\"bug\"}", NULL, NULL);
    expect(STATUS_ANALYZING, INPUT_DISPATCHED, "{\"issueNumber\":1,\"issueUrl\":"
           "\"https://github.com/acme/site/issues/1\",\"githubBranch\":\"b\"}", NULL, NULL);
    expect(STATUS_DISPATCHED, INPUT_CODING, "{}", NULL, NULL);
    expect(STATUS_CODING, INPUT_EDITED, "{\"title\":\"Better\"}", NULL, NULL);
    expect(STATUS_CODING, INPUT_PR_REVIEW, "{\"author\":\"bob\",\"body\":\"ok\","
           "\"url\":\"https://github.com/x\"}", NULL, NULL);
}

static void nobody_is_told_of_their_own_acts(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 100000);
    assert_null(told(task_in(STATUS_RECEIVED), INPUT_FAILED, "{\"errorMessage\":\"enough\"}",
                     "ann@acme", &out));
    assert_null(strstr(out.data, "user:"));
    buf_deinit(&out);
}

static void the_link_is_the_pull_request_or_the_issue(void **state)
{
    struct task t = task_in(STATUS_ANALYZING);
    struct buf  out;
    json_t     *news;

    (void)state;
    buf_init(&out, 100000);
    news = told(task_in(STATUS_PR_OPEN), INPUT_FAILED, "{\"errorMessage\":\"no\"}", "/s", &out);
    assert_string_equal(json_text(news, "url"), "https://github.com/acme/site/pull/43");
    json_decref(news);
    task_set_text(&t.pr_url, NULL);
    buf_reset(&out);
    news = told(t, INPUT_FAILED, "{\"errorMessage\":\"no\"}", "/s", &out);
    assert_string_equal(json_text(news, "url"), "https://github.com/acme/site/issues/42");
    json_decref(news);
    t = task_in(STATUS_ANALYZING);
    task_set_text(&t.pr_url, NULL);
    task_set_text(&t.issue_url, NULL);
    buf_reset(&out);
    news = told(t, INPUT_FAILED, "{\"errorMessage\":\"no\"}", "/s", &out);
    assert_null(json_object_get(news, "url"));
    json_decref(news);
    buf_deinit(&out);
}

/* A text of 4,096 rockets: cut between two of them, and said to be cut. */
static void long_texts_are_cut(void **state)
{
    struct buf   data, out;
    json_t      *news;
    const char  *message;

    (void)state;
    buf_init(&data, 100000);
    buf_init(&out, 1000000);
    buf_append_text(&data, "{\"questions\":[\"");
    for (int i = 0; i < 4096; i++)
        buf_append_text(&data, "\xf0\x9f\x9a\x80");
    buf_append_text(&data, "\",\"b\"]}");
    news = told(task_in(STATUS_ANALYZING), INPUT_CLARIFICATION_NEEDED, data.data, "/s", &out);
    message = json_text(news, "message");
    assert_int_equal(strlen(message), 1000 + 3 + strlen(" (and 1 more)"));
    assert_string_equal(message + 1000 - 4, "\xf0\x9f\x9a\x80\xe2\x80\xa6 (and 1 more)");
    json_decref(news);
    buf_deinit(&data);
    buf_deinit(&out);
}

static void a_message_without_a_notification_holds_none(void **state)
{
    static const char *const MESSAGES[] = {
        "", "1 x\n", "user:a/b [1]", "1 x\nuser:a/b [1]\n", "1 x\nuser:a/b {}\n", "1 x\nuser:a/b\n",
        "1 x\nuser:a/b [\"user:notification\",{\"id\":\"i\"}]\n",
        "1 x\nuser:ab [\"user:notification\",{\"id\":\"i\",\"createdAt\":\"2026-11-21T02:00:00Z\"}]\n",
        "1 x\ntask [\"task:note\",{\"id\":\"i\",\"createdAt\":\"2026-11-21T02:00:00Z\"}]\n",
    };
    struct notification n;

    (void)state;
    for (size_t i = 0; i < sizeof(MESSAGES) / sizeof(MESSAGES[0]); i++)
        assert_false(notify_read(slice_of(MESSAGES[i]), &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_need_an_answer),
        cmocka_unit_test(a_pull_request_that_may_be_looked_at_is_news_once),
        cmocka_unit_test(ends_are_news),
        cmocka_unit_test(all_else_is_not),
        cmocka_unit_test(nobody_is_told_of_their_own_acts),
        cmocka_unit_test(the_link_is_the_pull_request_or_the_issue),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(a_message_without_a_notification_holds_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

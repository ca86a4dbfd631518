/* github_test.c -- what small payloads of GitHub's mean for tasks, row by row. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/utf8.h"
#include "proto/check.h"
#include "proto/cloudevent.h"
#include "taskd/github.h"

#define BODY_MAX ((size_t)5 << 20)
#define TASK "65f0c0ffee65f0c0ffee65f0"

/* A pull request of acme/site, members given last win by replacing text. */
#define REPO(name) "{\"full_name\":\"" name "\"}"
#define PULL_FROM(head, more)                                                                  \
    "{\"number\":43,\"html_url\":\"https://github.com/acme/site/pull/43\",\"title\":\"Paint it\"," \
    "\"head\":{\"ref\":\"task/42\",\"sha\":\"beef\",\"repo\":" head "},"                        \
    "\"base\":{\"ref\":\"main\",\"repo\":" REPO("acme/site") "}" more "}"
#define PULL(more) PULL_FROM(REPO("acme/site"), more)
#define PULL_EVENT(action, pull) "{\"action\":\"" action "\",\"pull_request\":" pull "}"
#define SAID(body) "{\"user\":{\"login\":\"bob\"},\"body\":" body \
                   ",\"html_url\":\"https://github.com/acme/site/pull/43#c1\"}"

struct row {
    const char         *event, *body;
    enum github_verdict verdict;
    const char         *input;                 /* wire name */
    const char         *lookups;               /* "pr 43, branch, issue 7" */
    const char         *data;                  /* the input's data, compact */
};

#define LOOKUPS "pr 43, branch"
#define UPDATED(state) "{\"prNumber\":43,\"prTitle\":\"Paint it\",\"prState\":\"" state \
                       "\",\"headSha\":\"beef\"}"
#define OPENED(state) "{\"prNumber\":43,\"prTitle\":\"Paint it\",\"prUrl\":" \
                      "\"https://github.com/acme/site/pull/43\",\"prState\":\"" state \
                      "\",\"headSha\":\"beef\"}"
#define COMMENT(body) "{\"author\":\"bob\",\"body\":\"" body "\"," \
                      "\"url\":\"https://github.com/acme/site/pull/43#c1\"}"

static const struct row ROWS[] = {
    { "pull_request", PULL_EVENT("opened", PULL("")), GITHUB_INPUT, "pr_opened", LOOKUPS,
      OPENED("open") },
    { "pull_request", PULL_EVENT("opened", PULL(",\"draft\":true")), GITHUB_INPUT, "pr_opened",
      LOOKUPS, OPENED("draft") },
    { "pull_request", PULL_EVENT("reopened", PULL(",\"state\":\"open\"")), GITHUB_INPUT,
      "pr_opened", LOOKUPS, OPENED("open") },
    { "pull_request", PULL_EVENT("opened", PULL(",\"body\":\"Fixes #7, closes acme/site#8\"")),
      GITHUB_INPUT, "pr_opened", LOOKUPS ", issue 7, issue 8", OPENED("open") },
    { "pull_request", PULL_EVENT("opened", PULL(",\"body\":null")), GITHUB_INPUT, "pr_opened",
      LOOKUPS, OPENED("open") },
    { "pull_request", PULL_EVENT("edited", PULL("")), GITHUB_INPUT, "pr_updated", LOOKUPS,
      UPDATED("open") },
    { "pull_request", PULL_EVENT("synchronize", PULL("")), GITHUB_INPUT, "pr_updated", LOOKUPS,
      UPDATED("open") },
    { "pull_request", PULL_EVENT("ready_for_review", PULL(",\"draft\":false")), GITHUB_INPUT,
      "pr_updated", LOOKUPS, UPDATED("open") },
    { "pull_request", PULL_EVENT("converted_to_draft", PULL(",\"draft\":true")), GITHUB_INPUT,
      "pr_updated", LOOKUPS, UPDATED("draft") },
    { "pull_request", PULL_EVENT("edited", PULL(",\"state\":\"closed\"")), GITHUB_IGNORED, NULL,
      NULL, NULL },
    { "pull_request", PULL_EVENT("closed", PULL(",\"state\":\"closed\",\"merged\":false,"
      "\"merged_at\":null,\"merge_commit_sha\":\"cafe\"")), GITHUB_INPUT, "pr_closed", LOOKUPS,
      "{\"prNumber\":43}" },
    { "pull_request", PULL_EVENT("closed", PULL(",\"state\":\"closed\",\"merged\":true,"
      "\"merged_at\":\"2026-11-21T02:16:00Z\",\"merge_commit_sha\":\"cafe\"")), GITHUB_INPUT,
      "pr_merged", LOOKUPS, "{\"prNumber\":43,\"prTitle\":\"Paint it\",\"prUrl\":"
      "\"https://github.com/acme/site/pull/43\",\"mergeCommitSha\":\"cafe\","
      "\"mergedAt\":\"2026-11-21T02:16:00Z\"}" },
    { "pull_request", PULL_EVENT("closed", PULL(",\"merged\":true")), GITHUB_REFUSED, NULL, NULL,
      NULL },
    { "pull_request", PULL_EVENT("labeled", PULL("")), GITHUB_IGNORED, NULL, NULL, NULL },
    { "pull_request", PULL_EVENT("", PULL("")), GITHUB_IGNORED, NULL, NULL, NULL },
    { "pull_request", "{\"pull_request\":" PULL("") "}", GITHUB_IGNORED, NULL, NULL, NULL },

    /* whose pull request is it? (DESIGN 18) */
    { "pull_request", PULL_EVENT("opened", PULL_FROM(REPO("eve/site"), "")), GITHUB_IGNORED, NULL,
      NULL, NULL },
    { "pull_request", PULL_EVENT("opened", PULL_FROM("null", "")), GITHUB_IGNORED, NULL, NULL,
      NULL },
    { "pull_request", PULL_EVENT("opened", PULL_FROM(REPO("Acme/SITE"), "")), GITHUB_INPUT,
      "pr_opened", LOOKUPS, OPENED("open") },
    { "pull_request_review", "{\"action\":\"submitted\",\"review\":" SAID("\"x\"")
      ",\"pull_request\":" PULL_FROM(REPO("eve/site"), "") "}", GITHUB_IGNORED, NULL, NULL, NULL },

    /* nothing is believed to be there */
    { "pull_request", PULL_EVENT("opened", "null"), GITHUB_REFUSED, NULL, NULL, NULL },
    { "pull_request", PULL_EVENT("opened", "[]"), GITHUB_REFUSED, NULL, NULL, NULL },
    { "pull_request", PULL_EVENT("opened", "{\"number\":0}"), GITHUB_REFUSED, NULL, NULL, NULL },
    { "pull_request", PULL_EVENT("opened", "{\"number\":43}"), GITHUB_REFUSED, NULL, NULL, NULL },
    { "pull_request", PULL_EVENT("opened", "{\"number\":43,\"head\":{\"repo\":" REPO("a/b")
      "},\"base\":{\"repo\":" REPO("a/b") "}}"), GITHUB_REFUSED, NULL, NULL, NULL },
    { "pull_request", PULL_EVENT("opened", "{\"number\":43,\"html_url\":\"javascript:alert(1)\","
      "\"head\":{\"repo\":" REPO("a/b") "},\"base\":{\"repo\":" REPO("a/b") "}}"), GITHUB_REFUSED,
      NULL, NULL, NULL },
    { "pull_request", PULL_EVENT("synchronize", "{\"number\":43,\"head\":{\"repo\":" REPO("a/b")
      "},\"base\":{\"repo\":" REPO("a/b") "}}"), GITHUB_INPUT, "pr_updated", "pr 43",
      "{\"prNumber\":43,\"prState\":\"open\"}" },
    { "pull_request", PULL_EVENT("opened", "{\"number\":43,\"base\":{\"repo\":" REPO("a/b/c")
      "}}"), GITHUB_REFUSED, NULL, NULL, NULL },
    { "pull_request", "", GITHUB_MALFORMED, NULL, NULL, NULL },
    { "pull_request", "[]", GITHUB_MALFORMED, NULL, NULL, NULL },
    { "pull_request", "{\"action\":", GITHUB_MALFORMED, NULL, NULL, NULL },

    /* what people say */
    { "issue_comment", "{\"action\":\"created\",\"issue\":{\"number\":43,\"pull_request\":{}},"
      "\"repository\":" REPO("acme/site") ",\"comment\":" SAID("\"Nice\"") "}", GITHUB_INPUT,
      "pr_comment", "pr 43", COMMENT("Nice") },
    { "issue_comment", "{\"action\":\"created\",\"issue\":{\"number\":42},"
      "\"repository\":" REPO("acme/site") ",\"comment\":" SAID("\"Why?\"") "}", GITHUB_INPUT,
      "pr_comment", "issue 42", COMMENT("Why?") },
    { "issue_comment", "{\"action\":\"created\",\"issue\":{\"number\":43,\"pull_request\":{},"
      "\"body\":\"Fixes #7\"},\"repository\":" REPO("acme/site") ",\"comment\":" SAID("null") "}",
      GITHUB_INPUT, "pr_comment", "pr 43", COMMENT("") },
    { "issue_comment", "{\"action\":\"created\",\"issue\":{\"number\":43,\"pull_request\":{}},"
      "\"repository\":" REPO("acme/site") ",\"comment\":{\"user\":null,\"body\":\"x\","
      "\"html_url\":\"https://x.org/\"}}", GITHUB_INPUT, "pr_comment", "pr 43",
      "{\"author\":\"ghost\",\"body\":\"x\",\"url\":\"https://x.org/\"}" },
    { "issue_comment", "{\"action\":\"edited\",\"issue\":{\"number\":43}}", GITHUB_IGNORED, NULL,
      NULL, NULL },
    { "issue_comment", "{\"action\":\"created\"}", GITHUB_REFUSED, NULL, NULL, NULL },
    { "issue_comment", "{\"action\":\"created\",\"repository\":" REPO("acme/site") "}",
      GITHUB_REFUSED, NULL, NULL, NULL },
    { "issue_comment", "{\"action\":\"created\",\"issue\":{\"number\":43},\"repository\":"
      REPO("acme/site") "}", GITHUB_REFUSED, NULL, NULL, NULL },
    { "pull_request_review", "{\"action\":\"submitted\",\"review\":" SAID("\"Nice\"")
      ",\"pull_request\":" PULL("") "}", GITHUB_INPUT, "pr_review", LOOKUPS, COMMENT("Nice") },
    { "pull_request_review", "{\"action\":\"submitted\",\"review\":{\"user\":{\"login\":\"bob\"},"
      "\"body\":null,\"state\":\"approved\",\"html_url\":\"https://x.org/\"},\"pull_request\":"
      PULL("") "}", GITHUB_INPUT, "pr_review", LOOKUPS,
      "{\"author\":\"bob\",\"body\":\"Approved\",\"url\":\"https://x.org/\"}" },
    { "pull_request_review", "{\"action\":\"dismissed\",\"review\":" SAID("\"Nice\"")
      ",\"pull_request\":" PULL("") "}", GITHUB_IGNORED, NULL, NULL, NULL },
    { "pull_request_review_comment", "{\"action\":\"created\",\"comment\":" SAID("\"Here\"")
      ",\"pull_request\":" PULL(",\"body\":\"Resolves #9\"") "}", GITHUB_INPUT, "pr_comment",
      LOOKUPS ", issue 9", COMMENT("Here") },
    { "pull_request_review_comment", "{\"action\":\"deleted\"}", GITHUB_IGNORED, NULL, NULL, NULL },

    /* all the rest */
    { "ping", "{\"zen\":\"Keep it logically awesome.\"}", GITHUB_PING, NULL, NULL, NULL },
    { "push", "{}", GITHUB_IGNORED, NULL, NULL, NULL },
    { "", "{}", GITHUB_IGNORED, NULL, NULL, NULL },
};

static void lookups_text(const struct github_delivery *d, char *out, size_t size)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < d->lookup_count; i++) {
        const struct github_lookup *l = &d->lookups[i];
        const char                 *comma = i == 0 ? "" : ", ";

        if (l->by == GITHUB_BY_BRANCH)
            at += (size_t)snprintf(out + at, size - at, "%sbranch", comma);
        else
            at += (size_t)snprintf(out + at, size - at, "%s%s %lld", comma,
                                   l->by == GITHUB_BY_PR ? "pr" : "issue", (long long)l->number);
    }
}

static enum github_verdict read_text(const char *event, const char *body,
                                     struct github_delivery *out, struct buf *why)
{
    buf_init(why, 1024);
    return github_read(slice_of(event), slice_of(body), out, why);
}

static void check_row(const struct row *row)
{
    struct github_delivery d;
    struct buf             why;
    enum github_verdict    verdict = read_text(row->event, row->body, &d, &why);
    json_t                *wanted;
    char                   lookups[400];

    if (verdict != row->verdict)
        fail_msg("%s %s: verdict %d, not %d (%s)", row->event, row->body, verdict, row->verdict,
                 why.data != NULL ? why.data : "");
    if (verdict == GITHUB_INPUT) {
        assert_string_equal(input_wire(d.input), row->input);
        lookups_text(&d, lookups, sizeof(lookups));
        assert_string_equal(lookups, row->lookups);
        wanted = json_parse(slice_of(row->data), NULL);
        assert_non_null(wanted);
        if (!json_equal(wanted, d.data)) {
            char *got = task_json_text(d.data);

            fail_msg("%s: %s, not %s", row->body, got, row->data);
        }
        json_decref(wanted);
        assert_int_equal(check_fields(shape_of_data(d.input), d.data, NULL), 0);
    } else {
        assert_null(d.data);
        assert_null(d.repo);
        assert_true(verdict == GITHUB_PING || why.len > 0);
    }
    github_deinit(&d);
    buf_deinit(&why);
}

static void each_event_and_action_means_what_its_row_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
        check_row(&ROWS[i]);
}

/* --- references --- */

static void issues_are_found_as_github_finds_them(void **state)
{
    static const struct { const char *text; int64_t issue; } CASES[] = {
        { "Fixes #42", 42 },                   { "fixes #42", 42 },
        { "CLOSES: #42", 42 },                 { "closed #42.", 42 },
        { "resolve\t#42", 42 },                { "This resolves\n#42 at last", 42 },
        { "fix acme/site#42", 42 },            { "Fix ACME/Site#42", 42 },
        { "fixed GH-42", 42 },                 { "close gh-42!", 42 },
        { "_Fixes #42_", 42 },                 { "\xe2\x9c\xa8" "Fixes #42", 42 },
        { "closes https://github.com/acme/site/issues/42", 42 },
        { "closes https://github.com/acme/site/issues/42.", 42 },
        { "closes https://github.com/acme/site/issues/42#issuecomment-7", 42 },
        { "fixes a typo, fixes #42", 42 },     { "fixes fixes #42", 42 },
        { "x `code` fixes #42", 42 },          { "stray ` fixes #42", 42 },
        { "<!-- hint --> fixes #42", 42 },     { "(resolves #42)", 42 },
        { "Fixes#42", 0 },                     { "Fixes 42", 0 },
        { "prefixes #42", 0 },                 { "fixesx #42", 0 },
        { "hot-fixes #42", 0 },                { "see #42", 0 },
        { "fixes #42a", 0 },                   { "fixes #", 0 },
        { "fixes #0", 0 },                     { "fixes #12345678901", 0 },
        { "fixes other/site#42", 0 },          { "fixes acme/site/x#42", 0 },
        { "fixes acme/site", 0 },              { "fixes /#42", 0 },
        { "closes https://github.com/acme/other/issues/42", 0 },
        { "closes https://github.com/acme/site/pull/42", 0 },
        { "closes https://github.com/acme/site/issues/x", 0 },
        { "<!-- fixes #42 -->", 0 },           { "<!-- fixes #42", 0 },
        { "`fixes #42`", 0 },                  { "```\nfixes #42\n```", 0 },
        { "``a ` fixes #42``", 0 },            { "", 0 },
        { "fixes", 0 },                        { "fixes:", 0 },
        { "fixes: ", 0 },                      { "fixes GH-", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        int64_t issues[GITHUB_ISSUES_MAX] = { 0 };
        size_t  n = github_find_issues(slice_of(CASES[i].text), SLICE("acme/site"), issues, 0);

        if (n != (CASES[i].issue != 0) || issues[0] != CASES[i].issue)
            fail_msg("\"%s\": %zu issues, first %lld", CASES[i].text, n, (long long)issues[0]);
    }
}

static void issues_are_named_once_and_only_so_many(void **state)
{
    int64_t issues[GITHUB_ISSUES_MAX];
    size_t  n = github_find_issues(SLICE("Fixes #1, fixes #2, closes #1, closes gh-2 fixes #3"),
                                   SLICE("a/b"), issues, 0);

    (void)state;
    assert_int_equal(n, 3);
    assert_int_equal(issues[2], 3);
    n = github_find_issues(SLICE("fixes #3 fixes #4 fixes #5 fixes #6 fixes #7 fixes #8 fixes #9"),
                           SLICE("a/b"), issues, n);
    assert_int_equal(n, GITHUB_ISSUES_MAX);
    assert_int_equal(issues[GITHUB_ISSUES_MAX - 1], 8);
}

/* Many openings without an end must not cost a look at all that follows, each. */
static void hostile_markdown_is_read_in_time(void **state)
{
    struct buf text;
    int64_t    issues[GITHUB_ISSUES_MAX];

    (void)state;
    buf_init(&text, BODY_MAX);
    for (size_t n = 1; text.len < 60000; n++) {
        for (size_t i = 0; i < n; i++)
            buf_append_char(&text, '`');
        buf_append_char(&text, ' ');
    }
    buf_append_text(&text, "fixes #42");
    assert_int_equal(github_find_issues(buf_peek(&text), SLICE("a/b"), issues, 0), 1);
    buf_deinit(&text);
}

/* --- limits --- */

static char *comment_of(const char *unit, size_t count)
{
    struct buf body;

    buf_init(&body, BODY_MAX);
    buf_append_text(&body, "{\"action\":\"created\",\"issue\":{\"number\":43,\"pull_request\":{}},"
                    "\"repository\":" REPO("acme/site") ",\"comment\":{\"user\":{\"login\":\"bob\"},"
                    "\"html_url\":\"https://x.org/\",\"body\":\"");
    for (size_t i = 0; i < count; i++)
        buf_append_text(&body, unit);
    buf_append_text(&body, "\"}}");
    return buf_take(&body);
}

static void long_texts_are_cut_between_characters(void **state)
{
    static const char *const UNITS[] = { "x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x9a\xa2" };
    static const size_t COUNTS[] = { 4095, 4096, 4097, 100000 };

    (void)state;
    for (size_t u = 0; u < 4; u++) {
        for (size_t c = 0; c < 4; c++) {
            char                  *body = comment_of(UNITS[u], COUNTS[c]);
            struct github_delivery d;
            struct buf             why;
            struct slice           text;

            assert_int_equal(read_text("issue_comment", body, &d, &why), GITHUB_INPUT);
            text = slice_of(json_text(d.data, "body"));
            assert_true(utf8_is_valid(text));
            assert_int_equal(utf8_length(text), COUNTS[c] < 4096 ? COUNTS[c] : 4096);
            assert_int_equal(slice_is(slice_from(text, text.len - 3), "\xe2\x80\xa6"),
                             COUNTS[c] > 4096);
            github_deinit(&d);
            buf_deinit(&why);
            free(body);
        }
    }
}

/* --- whose is it? --- */

static void a_pull_request_that_names_the_issue_gives_way_to_the_tasks_own(void **state)
{
    static const struct { enum input input; enum github_by by; int64_t own; enum status status;
                          bool fits; } CASES[] = {
        { INPUT_PR_OPENED, GITHUB_BY_ISSUE, 0, STATUS_CODING, true },
        { INPUT_PR_OPENED, GITHUB_BY_ISSUE, 43, STATUS_PR_OPEN, true },
        { INPUT_PR_OPENED, GITHUB_BY_ISSUE, 7, STATUS_PR_OPEN, false },
        { INPUT_PR_OPENED, GITHUB_BY_ISSUE, 7, STATUS_FAILED, true },
        { INPUT_PR_OPENED, GITHUB_BY_BRANCH, 7, STATUS_PR_OPEN, true },
        { INPUT_PR_UPDATED, GITHUB_BY_ISSUE, 7, STATUS_FAILED, false },
        { INPUT_PR_MERGED, GITHUB_BY_ISSUE, 7, STATUS_PR_OPEN, false },
        { INPUT_PR_CLOSED, GITHUB_BY_PR, 43, STATUS_PR_OPEN, true },
        { INPUT_PR_REVIEW, GITHUB_BY_ISSUE, 7, STATUS_MERGED, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct github_delivery d = { .input = CASES[i].input, .pr_number = 43 };
        struct task            t;

        task_init(&t);
        t.pr_number = CASES[i].own;
        t.status = CASES[i].status;
        assert_int_equal(github_fits(&d, CASES[i].by, &t), CASES[i].fits);
        task_deinit(&t);
    }
}

static void a_comment_on_the_issue_is_the_tasks_whatever_its_pull_request(void **state)
{
    struct github_delivery d = { .input = INPUT_PR_COMMENT, .pr_number = 0 };
    struct task            t;

    (void)state;
    task_init(&t);
    t.pr_number = 7;
    t.status = STATUS_PR_OPEN;
    assert_true(github_fits(&d, GITHUB_BY_ISSUE, &t));
    task_deinit(&t);
}

/* --- what the ingest gets --- */

static void every_input_becomes_a_cloudevent_that_the_ingest_takes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct github_delivery d;
        struct buf             why, text;
        struct cloudevent      event;
        enum cloudevent_reason reason;
        char                  *key;

        if (ROWS[i].verdict != GITHUB_INPUT)
            continue;
        assert_int_equal(read_text(ROWS[i].event, ROWS[i].body, &d, &why), GITHUB_INPUT);
        buf_init(&text, CLOUDEVENT_BYTES_MAX);
        github_append_event(&text, &d, TASK, "72d3162e-cc78-11e3-81ab-4c9367dc0958", 1000);
        assert_int_equal(cloudevent_parse(buf_peek(&text), &event, &reason, &why), 0);
        assert_int_equal(event.input, d.input);
        assert_string_equal(event.task_id, TASK);
        key = cloudevent_key(&event);
        assert_non_null(strstr(key, "\n72d3162e-cc78-11e3-81ab-4c9367dc0958"));
        assert_int_equal(strncmp(key, "/github/", 8), 0);
        free(key);
        cloudevent_deinit(&event);
        github_deinit(&d);
        buf_deinit(&why);
        buf_deinit(&text);
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(each_event_and_action_means_what_its_row_says),
        cmocka_unit_test(issues_are_found_as_github_finds_them),
        cmocka_unit_test(issues_are_named_once_and_only_so_many),
        cmocka_unit_test(hostile_markdown_is_read_in_time),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(a_pull_request_that_names_the_issue_gives_way_to_the_tasks_own),
        cmocka_unit_test(a_comment_on_the_issue_is_the_tasks_whatever_its_pull_request),
        cmocka_unit_test(every_input_becomes_a_cloudevent_that_the_ingest_takes),
    };

    return cmocka_run_group_tests(TESTS, NULL, NULL);
}

/* transitions_test.c -- every input from every status, against the table and against SPEC T2
 * written out by hand; then what each input does to a task. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "proto/check.h"
#include "taskd/transitions.h"

#define ID "65f0c0ffee65f0c0ffee65f0"

static struct task new_task_in(enum status status)
{
    struct new_task n = { .id = ID, .org = "acme", .sub = "ann", .name = "Ann", .title = "Fix it",
                          .description = "All of it", .at = 1000 };
    struct task     t;
    struct event    e;

    transition_create(&n, &t, &e);
    event_deinit(&e);
    t.status = status;
    t.seq = 5;
    if (status == STATUS_NEEDS_CLARIFICATION)
        t.questions = mem_strdup("[\"Which?\"]");
    if (status == STATUS_FAILED)
        t.failed_by = mem_strdup("failed");
    if (status == STATUS_PR_OPEN || status == STATUS_MERGED) {
        t.pr_number = 43;
        t.pr_url = mem_strdup("https://github.com/acme/site/pull/43");
        t.pr_title = mem_strdup("Fixed");
        t.pr_state = mem_strdup("open");
    }
    return t;
}

static struct task failed_by_closing(void)
{
    struct task t = new_task_in(STATUS_FAILED);

    task_set_text(&t.failed_by, "pr_closed");
    t.pr_number = 43;
    task_set_text(&t.pr_url, "https://github.com/acme/site/pull/43");
    task_set_text(&t.pr_title, "Fixed");
    task_set_text(&t.pr_state, "closed");
    return t;
}

/* Data that fits each input. */
static const char *const DATA[INPUT_COUNT] = {
    [INPUT_CREATED] = "{\"description\":\"d\"}",
    [INPUT_ANALYZING] = "{}",
    [INPUT_LLM_RESPONSE] = "{\"taskType\":\"bug\",\"summary\":\"s\"}",
    [INPUT_CLARIFICATION_NEEDED] = "{\"questions\":[\"Which?\",\"Where?\"]}",
    [INPUT_CLARIFICATION_SUBMITTED] = "{\"answers\":[\"This\"]}",
    [INPUT_DISPATCHED] = "{\"issueNumber\":42,\"issueUrl\":\"https://github.com/acme/site/issues/42\","
                         "\"githubBranch\":\"fix-it\"}",
    [INPUT_CODING] = "{}",
    [INPUT_PR_OPENED] = "{\"prNumber\":43,\"prUrl\":\"https://github.com/acme/site/pull/43\","
                        "\"prTitle\":\"Fixed\",\"prState\":\"draft\"}",
    [INPUT_PR_UPDATED] = "{\"prState\":\"open\",\"headSha\":\"beef\"}",
    [INPUT_PR_MERGED] = "{\"mergeCommitSha\":\"c0ffee\"}",
    [INPUT_PR_CLOSED] = "{}",
    [INPUT_FAILED] = "{\"errorMessage\":\"no\"}",
    [INPUT_EDITED] = "{\"title\":\"Fix that\"}",
    [INPUT_NOTE] = "{\"text\":\"t\",\"junk\":1}",
    [INPUT_PR_COMMENT] = "{\"author\":\"a\",\"body\":\"b\",\"url\":\"https://x.org/\"}",
    [INPUT_PR_REVIEW] = "{\"author\":\"a\",\"body\":\"b\",\"url\":\"https://x.org/\"}",
};

/* One decision, with all that it owns. */
struct trial {
    struct task  before, after;
    struct event event;
    enum verdict verdict;
    const char  *why;
};

/* Takes `before` over. `data` NULL: what fits. */
static void decide(struct trial *t, struct task before, enum input input, const char *data)
{
    json_t            *object = json_parse(slice_of(data != NULL ? data : DATA[input]), NULL);
    struct input_event in = { .input = input, .data = object, .actor = "/actor", .key = "/actor\n1",
                              .at = 2000 };

    assert_non_null(object);
    assert_int_equal(check_fields(shape_of_data(input), object, NULL), 0);
    task_init(&t->after);
    event_init(&t->event);
    t->before = before;
    t->verdict = transition_decide(&t->before, &in, &t->after, &t->event, &t->why);
    if (t->verdict != VERDICT_ACCEPTED)
        assert_non_null(t->why);
    json_decref(object);
}

static void trial_end(struct trial *t)
{
    task_deinit(&t->before);
    task_deinit(&t->after);
    event_deinit(&t->event);
}

static void accept(struct trial *t, struct task before, enum input input, const char *data)
{
    decide(t, before, input, data);
    if (t->verdict != VERDICT_ACCEPTED)
        fail_msg("%s refused: %s", input_wire(input), t->why);
}

/* --- the whole table --- */

#define NEVER (-1)                             /* a dead letter at once */
#define EARLY (-2)                             /* may have overtaken another: waits */
#define STAYS (-3)

/* SPEC T2 by hand: where each input leads from each status, the last column being `failed`
 * by pr_closed. */
#define CLOSED STATUS_COUNT
static const struct {
    enum input input;
    int        to[STATUS_COUNT + 1];
} EXPECTED[] = {
#define R STATUS_RECEIVED
#define A STATUS_ANALYZING
#define Q STATUS_NEEDS_CLARIFICATION
#define D STATUS_DISPATCHED
#define C STATUS_CODING
#define P STATUS_PR_OPEN
#define M STATUS_MERGED
#define F STATUS_FAILED
    /*                                R      A      Q      D      C      P      M      F      closed */
    { INPUT_CREATED,                 { NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER } },
    { INPUT_ANALYZING,               { A,     EARLY, EARLY, EARLY, EARLY, EARLY, NEVER, NEVER, EARLY } },
    { INPUT_LLM_RESPONSE,            { EARLY, STAYS, EARLY, EARLY, EARLY, EARLY, NEVER, NEVER, EARLY } },
    { INPUT_CLARIFICATION_NEEDED,    { EARLY, Q,     EARLY, EARLY, EARLY, EARLY, NEVER, NEVER, EARLY } },
    { INPUT_CLARIFICATION_SUBMITTED, { EARLY, EARLY, A,     EARLY, EARLY, EARLY, NEVER, NEVER, EARLY } },
    { INPUT_DISPATCHED,              { D,     D,     EARLY, EARLY, EARLY, EARLY, NEVER, NEVER, EARLY } },
    { INPUT_CODING,                  { EARLY, EARLY, EARLY, C,     EARLY, EARLY, NEVER, NEVER, EARLY } },
    { INPUT_PR_OPENED,               { EARLY, EARLY, EARLY, P,     P,     EARLY, NEVER, NEVER, P     } },
    { INPUT_PR_UPDATED,              { EARLY, EARLY, EARLY, EARLY, EARLY, STAYS, NEVER, NEVER, EARLY } },
    { INPUT_PR_MERGED,               { EARLY, EARLY, EARLY, M,     M,     M,     NEVER, NEVER, EARLY } },
    { INPUT_PR_CLOSED,               { EARLY, EARLY, EARLY, EARLY, EARLY, F,     NEVER, NEVER, EARLY } },
    { INPUT_FAILED,                  { F,     F,     F,     F,     F,     F,     NEVER, NEVER, EARLY } },
    { INPUT_EDITED,                  { STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS } },
    { INPUT_NOTE,                    { STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS } },
    { INPUT_PR_COMMENT,              { STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS } },
    { INPUT_PR_REVIEW,               { STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS } },
};

static void assert_moved(const struct trial *t, int to)
{
    enum status expected = to == STAYS ? t->before.status : (enum status)to;

    assert_int_equal(t->verdict, VERDICT_ACCEPTED);
    assert_int_equal(t->after.status, expected);
    assert_int_equal(t->after.seq, t->before.seq + 1);
    assert_int_equal(t->after.updated_at, 2000);
    assert_int_equal(t->after.status_since, to == STAYS ? 1000 : 2000);
    assert_int_equal(t->event.seq, t->after.seq);
    assert_int_equal(t->event.was, t->before.status);
    assert_string_equal(t->event.actor, "/actor");
    assert_string_equal(t->event.key, "/actor\n1");
    assert_int_equal(t->event.created_at, 2000);
}

static void every_input_from_every_status_goes_where_the_specification_says(void **state)
{
    (void)state;
    assert_int_equal(sizeof(EXPECTED) / sizeof(EXPECTED[0]), INPUT_COUNT);
    for (int i = 0; i < INPUT_COUNT; i++) {
        for (int s = 0; s <= CLOSED; s++) {
            int          to = EXPECTED[i].to[s];
            struct trial t;

            assert_int_equal(EXPECTED[i].input, i);
            decide(&t, s == CLOSED ? failed_by_closing() : new_task_in(s), i, NULL);
            if (to == NEVER || to == EARLY)
                assert_int_equal(t.verdict, to == NEVER ? VERDICT_NEVER : VERDICT_EARLY);
            else
                assert_moved(&t, to);
            trial_end(&t);
        }
    }
}

static void the_rows_say_the_same(void **state)
{
    (void)state;
    for (int i = 0; i < INPUT_COUNT; i++) {
        for (int s = 0; s <= CLOSED; s++) {
            const struct move *m = move_find(i, s == CLOSED ? STATUS_FAILED : s, s == CLOSED);
            int                to = EXPECTED[i].to[s];

            assert_int_equal(m != NULL, to != NEVER && to != EARLY);
            if (m != NULL)
                assert_int_equal(m->to == STATUS_COUNT ? STAYS : (int)m->to, to);
        }
    }
}

static void a_refusal_names_the_status(void **state)
{
    struct trial t;

    (void)state;
    decide(&t, new_task_in(STATUS_MERGED), INPUT_CODING, NULL);
    assert_string_equal(t.why, "not legal while the task is merged");
    trial_end(&t);
    decide(&t, new_task_in(STATUS_RECEIVED), INPUT_CREATED, NULL);
    assert_string_equal(t.why, "the task exists already");
    trial_end(&t);
}

/* --- what each input does --- */

static void dispatching_keeps_the_issue_and_takes_its_repository(void **state)
{
    struct trial t;

    (void)state;
    accept(&t, new_task_in(STATUS_RECEIVED), INPUT_DISPATCHED, NULL);
    assert_int_equal(t.after.issue_number, 42);
    assert_string_equal(t.after.issue_url, "https://github.com/acme/site/issues/42");
    assert_string_equal(t.after.branch, "fix-it");
    assert_string_equal(t.after.repo, "acme/site");
    assert_null(t.event.facts);
    trial_end(&t);
}

static void a_repository_that_was_given_stays(void **state)
{
    struct task  before = new_task_in(STATUS_RECEIVED);
    struct trial t;

    (void)state;
    task_set_text(&before.repo, "acme/other");
    accept(&t, before, INPUT_DISPATCHED, NULL);
    assert_string_equal(t.after.repo, "acme/other");
    trial_end(&t);
}

static void the_analysers_answer_is_kept(void **state)
{
    struct trial t;

    (void)state;
    accept(&t, new_task_in(STATUS_ANALYZING), INPUT_LLM_RESPONSE, NULL);
    assert_string_equal(t.after.task_type, "bug");
    assert_string_equal(t.event.payload, "{\"taskType\":\"bug\",\"summary\":\"s\"}");
    trial_end(&t);
}

static void there_must_be_as_many_answers_as_questions(void **state)
{
    struct trial t;

    (void)state;
    decide(&t, new_task_in(STATUS_NEEDS_CLARIFICATION), INPUT_CLARIFICATION_SUBMITTED,
           "{\"answers\":[\"This\",\"That\"]}");
    assert_int_equal(t.verdict, VERDICT_INVALID);
    assert_string_equal(t.why, "there must be as many answers as questions");
    trial_end(&t);
    accept(&t, new_task_in(STATUS_NEEDS_CLARIFICATION), INPUT_CLARIFICATION_SUBMITTED, NULL);
    assert_string_equal(t.after.answers, "[\"This\"]");
    assert_true(t.after.reanalysing);
    assert_false(t.event.clarified);
    trial_end(&t);
}

/* A round ends in whatever status its re-analysis leads to, once. */
static void a_round_ends_with_its_answers(void **state)
{
    static const enum input ENDS[] = { INPUT_CLARIFICATION_NEEDED, INPUT_DISPATCHED, INPUT_FAILED };

    (void)state;
    for (size_t i = 0; i < sizeof(ENDS) / sizeof(ENDS[0]); i++) {
        struct task  before = new_task_in(STATUS_ANALYZING);
        struct trial t, again;

        task_set_text(&before.questions, "[\"Which?\"]");
        task_set_text(&before.answers, "[\"This\"]");
        before.reanalysing = true;
        accept(&t, before, ENDS[i], NULL);
        assert_true(t.event.clarified);
        assert_false(t.after.reanalysing);
        assert_string_equal(t.event.facts, "{\"clarificationAnswers\":[\"This\"]}");
        accept(&again, new_task_in(STATUS_ANALYZING), ENDS[i], NULL);
        assert_false(again.event.clarified);
        assert_null(again.event.facts);
        trial_end(&t);
        trial_end(&again);
    }
}

static void what_does_not_end_a_round_leaves_it(void **state)
{
    struct task  before = new_task_in(STATUS_ANALYZING);
    struct trial t;

    (void)state;
    before.reanalysing = true;
    accept(&t, before, INPUT_LLM_RESPONSE, NULL);
    assert_true(t.after.reanalysing);
    assert_false(t.event.clarified);
    trial_end(&t);
}

static void new_questions_take_the_old_answers_away(void **state)
{
    struct task  before = new_task_in(STATUS_ANALYZING);
    struct trial t;

    (void)state;
    task_set_text(&before.questions, "[\"Which?\"]");
    task_set_text(&before.answers, "[\"This\"]");
    before.reanalysing = true;
    accept(&t, before, INPUT_CLARIFICATION_NEEDED, NULL);
    assert_string_equal(t.after.questions, "[\"Which?\",\"Where?\"]");
    assert_null(t.after.answers);
    trial_end(&t);
}

static void a_pull_request_is_open_and_has_a_title_unless_told_otherwise(void **state)
{
    struct trial t;

    (void)state;
    accept(&t, new_task_in(STATUS_CODING), INPUT_PR_OPENED, NULL);
    assert_int_equal(t.after.pr_number, 43);
    assert_string_equal(t.after.pr_state, "draft");
    assert_string_equal(t.after.pr_title, "Fixed");
    trial_end(&t);
    accept(&t, new_task_in(STATUS_CODING), INPUT_PR_OPENED,
           "{\"prNumber\":43,\"prUrl\":\"https://github.com/acme/site/pull/43\"}");
    assert_string_equal(t.after.pr_state, "open");
    assert_string_equal(t.after.pr_title, "Fix it");
    assert_string_equal(t.event.facts, "{\"prTitle\":\"Fix it\",\"prReady\":true}");
    trial_end(&t);
}

static void a_closed_pull_request_may_be_reopened(void **state)
{
    struct trial t;

    (void)state;
    accept(&t, failed_by_closing(), INPUT_PR_OPENED,
           "{\"prNumber\":43,\"prUrl\":\"https://github.com/acme/site/pull/43\"}");
    assert_string_equal(t.after.pr_title, "Fixed");
    assert_string_equal(t.after.pr_state, "open");
    assert_null(t.after.failed_by);
    trial_end(&t);
    accept(&t, failed_by_closing(), INPUT_PR_OPENED,
           "{\"prNumber\":44,\"prUrl\":\"https://github.com/acme/site/pull/44\"}");
    assert_int_equal(t.after.pr_number, 44);
    assert_string_equal(t.after.pr_title, "Fix it");
    trial_end(&t);
}

static void an_update_changes_what_it_names(void **state)
{
    struct task  before = new_task_in(STATUS_PR_OPEN);
    struct trial t;

    (void)state;
    task_set_text(&before.pr_state, "draft");
    accept(&t, before, INPUT_PR_UPDATED, NULL);
    assert_string_equal(t.after.pr_state, "open");
    assert_string_equal(t.after.pr_title, "Fixed");
    assert_string_equal(t.after.head_sha, "beef");
    assert_string_equal(t.event.payload, "{\"prState\":\"open\",\"headSha\":\"beef\",\"prNumber\":43}");
    assert_string_equal(t.event.facts, "{\"prTitle\":\"Fixed\",\"prReady\":true}");
    trial_end(&t);
}

static void another_pull_requests_fate_is_not_the_tasks(void **state)
{
    struct trial t;

    (void)state;
    decide(&t, new_task_in(STATUS_PR_OPEN), INPUT_PR_CLOSED, "{\"prNumber\":7}");
    assert_int_equal(t.verdict, VERDICT_INVALID);
    trial_end(&t);
    decide(&t, new_task_in(STATUS_PR_OPEN), INPUT_PR_UPDATED, "{\"prNumber\":7,\"prState\":\"draft\"}");
    assert_int_equal(t.verdict, VERDICT_INVALID);
    trial_end(&t);
    accept(&t, new_task_in(STATUS_PR_OPEN), INPUT_PR_CLOSED, "{\"prNumber\":43}");
    assert_string_equal(t.after.failed_by, "pr_closed");
    assert_string_equal(t.after.pr_state, "closed");
    assert_null(t.after.error);
    trial_end(&t);
}

static void a_merge_keeps_its_commit_and_time(void **state)
{
    struct trial t;

    (void)state;
    accept(&t, new_task_in(STATUS_PR_OPEN), INPUT_PR_MERGED, NULL);
    assert_string_equal(t.after.merge_commit, "c0ffee");
    assert_int_equal(t.after.merged_at, 2000);
    assert_string_equal(t.after.pr_state, "merged");
    trial_end(&t);
    accept(&t, new_task_in(STATUS_PR_OPEN), INPUT_PR_MERGED,
           "{\"mergeCommitSha\":\"c\",\"mergedAt\":\"1970-01-01T01:00:01.5+01:00\"}");
    assert_int_equal(t.after.merged_at, 1500);
    assert_string_equal(t.event.payload,
                        "{\"mergeCommitSha\":\"c\",\"mergedAt\":\"1970-01-01T00:00:01.500Z\"}");
    trial_end(&t);
}

static void a_merge_may_come_without_its_pull_request_before(void **state)
{
    struct trial t;

    (void)state;
    accept(&t, new_task_in(STATUS_DISPATCHED), INPUT_PR_MERGED,
           "{\"mergeCommitSha\":\"c\",\"prNumber\":9,\"prUrl\":\"https://github.com/a/b/pull/9\"}");
    assert_int_equal(t.after.status, STATUS_MERGED);
    assert_int_equal(t.after.pr_number, 9);
    assert_string_equal(t.after.pr_state, "merged");
    trial_end(&t);
}

static void a_failure_says_why_and_is_final(void **state)
{
    struct trial t;

    (void)state;
    accept(&t, new_task_in(STATUS_CODING), INPUT_FAILED, NULL);
    assert_string_equal(t.after.error, "no");
    assert_string_equal(t.after.failed_by, "failed");
    trial_end(&t);
}

static void an_edit_changes_what_it_names(void **state)
{
    struct trial t;

    (void)state;
    accept(&t, new_task_in(STATUS_MERGED), INPUT_EDITED, NULL);
    assert_string_equal(t.after.title, "Fix that");
    assert_string_equal(t.after.description, "All of it");
    assert_false(t.after.is_private);
    assert_string_equal(t.event.payload, "{\"title\":\"Fix that\"}");
    assert_string_equal(t.event.facts, "{\"description\":\"All of it\",\"updatedBy\":\"/actor\"}");
    trial_end(&t);
    accept(&t, new_task_in(STATUS_CODING), INPUT_EDITED, "{\"isPrivate\":true,\"description\":\"Less\"}");
    assert_true(t.after.is_private);
    assert_false(t.event.was_private);
    assert_string_equal(t.after.description, "Less");
    trial_end(&t);
    decide(&t, new_task_in(STATUS_CODING), INPUT_EDITED, "{\"title\":null}");
    assert_int_equal(t.verdict, VERDICT_INVALID);
    trial_end(&t);
}

static void unknown_fields_do_not_reach_the_timeline(void **state)
{
    struct trial t;

    (void)state;
    accept(&t, new_task_in(STATUS_CODING), INPUT_NOTE, NULL);
    assert_string_equal(t.event.payload, "{\"text\":\"t\"}");
    trial_end(&t);
}

static void time_never_goes_back_in_a_task(void **state)
{
    struct task  before = new_task_in(STATUS_DISPATCHED);
    struct trial t;

    (void)state;
    before.updated_at = 9000;
    accept(&t, before, INPUT_CODING, NULL);
    assert_int_equal(t.after.updated_at, 9000);
    assert_int_equal(t.after.status_since, 9000);
    assert_int_equal(t.event.created_at, 9000);
    trial_end(&t);
}

/* --- new tasks --- */

static void assert_title(const char *title, const char *description, const char *expected)
{
    struct new_task n = { .id = ID, .org = "acme", .sub = "ann", .title = title,
                          .description = description, .at = 1 };
    struct task     t;
    struct event    e;

    transition_create(&n, &t, &e);
    assert_string_equal(t.title, expected);
    assert_string_equal(t.creator, "ann");     /* no name: the sub */
    task_deinit(&t);
    event_deinit(&e);
}

static void a_title_is_made_from_the_first_line(void **state)
{
    char long_line[500], cut[401];

    (void)state;
    assert_title("Given", "Described", "Given");
    assert_title("", "Described", "Described");
    assert_title(NULL, "\r\n \t\n  Line one \r\nline two", "Line one");
    assert_title(NULL, " \n ", "Untitled");
    for (size_t i = 0; i < 249; i++)
        memcpy(long_line + 2 * i, "\xc3\xa4", 3);
    memcpy(cut, long_line, 400);
    cut[400] = '\0';
    assert_title(NULL, long_line, cut);
}

static void a_new_task_is_received_by_its_creator(void **state)
{
    struct new_task n = { .id = ID, .org = "acme", .sub = "ann", .name = "Ann", .title = "Fix it",
                          .description = "All of it", .repo = "acme/site", .is_private = true, .at = 1000 };
    struct task     t;
    struct event    e;

    (void)state;
    transition_create(&n, &t, &e);
    assert_int_equal(t.seq, 1);
    assert_int_equal(t.status, STATUS_RECEIVED);
    assert_string_equal(t.creator, "Ann");
    assert_string_equal(t.created_by, "ann");
    assert_string_equal(t.repo, "acme/site");
    assert_true(t.is_private);
    assert_int_equal(e.seq, 1);
    assert_int_equal(e.input, INPUT_CREATED);
    assert_string_equal(e.actor, "ann");
    assert_string_equal(e.key, "");
    assert_string_equal(e.payload, "{\"title\":\"Fix it\"}");
    task_deinit(&t);
    event_deinit(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_input_from_every_status_goes_where_the_specification_says),
        cmocka_unit_test(the_rows_say_the_same),
        cmocka_unit_test(a_refusal_names_the_status),
        cmocka_unit_test(dispatching_keeps_the_issue_and_takes_its_repository),
        cmocka_unit_test(a_repository_that_was_given_stays),
        cmocka_unit_test(the_analysers_answer_is_kept),
        cmocka_unit_test(there_must_be_as_many_answers_as_questions),
        cmocka_unit_test(a_round_ends_with_its_answers),
        cmocka_unit_test(what_does_not_end_a_round_leaves_it),
        cmocka_unit_test(new_questions_take_the_old_answers_away),
        cmocka_unit_test(a_pull_request_is_open_and_has_a_title_unless_told_otherwise),
        cmocka_unit_test(a_closed_pull_request_may_be_reopened),
        cmocka_unit_test(an_update_changes_what_it_names),
        cmocka_unit_test(another_pull_requests_fate_is_not_the_tasks),
        cmocka_unit_test(a_merge_keeps_its_commit_and_time),
        cmocka_unit_test(a_merge_may_come_without_its_pull_request_before),
        cmocka_unit_test(a_failure_says_why_and_is_final),
        cmocka_unit_test(an_edit_changes_what_it_names),
        cmocka_unit_test(unknown_fields_do_not_reach_the_timeline),
        cmocka_unit_test(time_never_goes_back_in_a_task),
        cmocka_unit_test(a_title_is_made_from_the_first_line),
        cmocka_unit_test(a_new_task_is_received_by_its_creator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

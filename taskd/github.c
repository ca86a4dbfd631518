/* github.c -- see github.h.
 *
 * GitHub sends everything that it knows at each event, some hundred fields, and leaves most
 * of them out, or sets them to null, where an account was deleted, a fork is gone, or the
 * server is an older GitHub Enterprise. So nothing is believed to be there: one function per
 * event takes the few values that an input needs, and what it made must then pass the same
 * rows that inputs of the bus must pass.
 *
 * Which events and actions matter is said by two tables. A pull request belongs to a task only
 * if it comes from the repository that it goes to: who may push there is trusted with its
 * tasks, who forked it is not (DESIGN 18). A comment does not say where its pull request
 * comes from, so it is only looked for by the number that the task holds already. */
#include "taskd/github.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/utf8.h"
#include "proto/check.h"
#include "proto/shapes.h"
#include "proto/url.h"

static const char ELLIPSIS[] = "\xe2\x80\xa6";

/* What is known while a body is read. */
struct reading {
    const json_t           *root;
    const char             *action;            /* "" where there is none */
    struct github_delivery *out;
    struct buf             *why;
};

static enum github_verdict ignore(struct reading *r, const char *why)
{
    buf_append_text(r->why, why);
    return GITHUB_IGNORED;
}

static enum github_verdict refuse(struct reading *r, const char *why)
{
    buf_append_text(r->why, why);
    return GITHUB_REFUSED;
}

/* --- texts and members --- */

static const json_t *member(const json_t *object, const char *key)
{
    return json_object_get(object, key);       /* of what is no object: NULL */
}

static bool is_action(const struct reading *r, const char *action)
{
    return strcmp(r->action, action) == 0;
}

/* The first `max` characters; where that is not all of it, the last is an ellipsis. */
static char *text_cut(const char *text, size_t max)
{
    struct buf out;
    size_t     chars = 0, last = 0, i;

    for (i = 0; text[i] != '\0'; i++) {
        if (((unsigned char)text[i] & 0xc0) == 0x80)
            continue;                          /* inside a code point */
        if (++chars == max)
            last = i;
        if (chars > max)
            break;
    }
    if (chars <= max)
        return mem_strdup(text);
    buf_init(&out, last + sizeof(ELLIPSIS));
    buf_append(&out, text, last);
    buf_append_text(&out, ELLIPSIS);
    return buf_take(&out);
}

static void put_cut(json_t *data, const char *key, const char *text)
{
    char *cut;

    if (text == NULL)
        return;
    cut = text_cut(text, GITHUB_CHARS_MAX);
    json_put_text(data, key, cut);
    free(cut);
}

/* An optional text: left out where it is empty. */
static void put_some(json_t *data, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0')
        put_cut(data, key, text);
}

static void put_number(json_t *data, const char *key, const json_t *from, const char *name)
{
    const json_t *value = member(from, name);

    if (json_is_integer(value))
        json_put_int(data, key, json_integer_value(value));
}

/* --- where it belongs --- */

static bool same_repo(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcasecmp(a, b) == 0;
}

static bool take_repo(struct reading *r, const json_t *repository)
{
    const char *name = json_text(repository, "full_name");

    if (name == NULL || !url_is_repo(slice_of(name)))
        return false;
    r->out->repo = mem_strdup(name);
    return true;
}

static void add_lookup(struct github_delivery *d, enum github_by by, int64_t number)
{
    if (d->lookup_count < GITHUB_LOOKUPS_MAX)
        d->lookups[d->lookup_count++] = (struct github_lookup){ by, number };
}

static void add_issues(struct github_delivery *d, const json_t *pull)
{
    static const char *const MEMBERS[] = { "title", "body" };
    int64_t issues[GITHUB_ISSUES_MAX];
    size_t  count = 0;

    for (size_t i = 0; i < 2; i++)
        count = github_find_issues(slice_of(json_text(pull, MEMBERS[i])), slice_of(d->repo), issues,
                                   count);
    for (size_t i = 0; i < count; i++)
        add_lookup(d, GITHUB_BY_ISSUE, issues[i]);
}

/* Its number, repository and branch, and the look-ups; INPUT where it may be a task's. */
static enum github_verdict take_pull(struct reading *r, const json_t *pull)
{
    const json_t *head = member(pull, "head");
    const char   *branch = json_text(head, "ref");
    const char   *head_repo = json_text(member(head, "repo"), "full_name");

    r->out->pr_number = json_int(pull, "number", 0);
    if (r->out->pr_number < 1 || r->out->pr_number > INT_MAX_EXACT)
        return refuse(r, "pull_request.number must be a whole number from 1");
    if (!take_repo(r, member(member(pull, "base"), "repo")))
        return refuse(r, "pull_request.base.repo.full_name must be owner/name");
    if (!same_repo(r->out->repo, head_repo))
        return ignore(r, "the pull request comes from another repository");
    add_lookup(r->out, GITHUB_BY_PR, r->out->pr_number);
    if (branch != NULL && branch[0] != '\0') {
        r->out->branch = mem_strdup(branch);
        add_lookup(r->out, GITHUB_BY_BRANCH, 0);
    }
    add_issues(r->out, pull);
    return GITHUB_INPUT;
}

/* --- pull_request --- */

static void put_pull(json_t *data, const json_t *pull, enum input input)
{
    put_number(data, "prNumber", pull, "number");
    if (input == INPUT_PR_CLOSED)
        return;
    put_some(data, "prTitle", json_text(pull, "title"));
    if (input != INPUT_PR_UPDATED)
        put_cut(data, "prUrl", json_text(pull, "html_url"));
    if (input == INPUT_PR_MERGED) {
        put_cut(data, "mergeCommitSha", json_text(pull, "merge_commit_sha"));
        put_cut(data, "mergedAt", json_text(pull, "merged_at"));
        return;
    }
    json_put_text(data, "prState", json_bool(pull, "draft", false) ? "draft" : "open");
    put_some(data, "headSha", json_text(member(pull, "head"), "sha"));
}

static enum github_verdict read_pull_request(struct reading *r)
{
    static const struct { const char *action; enum input input; } ACTIONS[] = {
        { "opened",             INPUT_PR_OPENED },
        { "reopened",           INPUT_PR_OPENED },
        { "edited",             INPUT_PR_UPDATED },
        { "synchronize",        INPUT_PR_UPDATED },
        { "ready_for_review",   INPUT_PR_UPDATED },
        { "converted_to_draft", INPUT_PR_UPDATED },
        { "closed",             INPUT_PR_CLOSED },
    };
    const json_t       *pull = member(r->root, "pull_request");
    const char         *state = json_text(pull, "state");
    enum input          input = INPUT_COUNT;
    enum github_verdict verdict;

    for (size_t i = 0; i < sizeof(ACTIONS) / sizeof(ACTIONS[0]); i++) {
        if (is_action(r, ACTIONS[i].action))
            input = ACTIONS[i].input;
    }
    if (input == INPUT_COUNT)
        return ignore(r, "this action of pull_request changes no task");
    if (input == INPUT_PR_CLOSED &&
        (json_bool(pull, "merged", false) || json_text(pull, "merged_at") != NULL))
        input = INPUT_PR_MERGED;
    verdict = take_pull(r, pull);
    if (verdict == GITHUB_INPUT && input == INPUT_PR_UPDATED && state != NULL &&
        strcmp(state, "closed") == 0)
        return ignore(r, "the pull request is closed");
    r->out->input = input;
    put_pull(r->out->data, pull, input);
    return verdict;
}

/* --- what people say --- */

/* Accounts that were deleted are called ghost, as GitHub does. */
static void put_said(json_t *data, const json_t *said, const char *otherwise)
{
    const char *author = json_text(member(said, "user"), "login");
    const char *body = json_text(said, "body");

    put_cut(data, "author", author == NULL || author[0] == '\0' ? "ghost" : author);
    put_cut(data, "body", body == NULL || body[0] == '\0' ? otherwise : body);
    put_cut(data, "url", json_text(said, "html_url"));
}

/* On the pull request as a whole, or on the task's issue. */
static enum github_verdict read_issue_comment(struct reading *r)
{
    const json_t *issue = member(r->root, "issue");
    bool          is_pull = json_is_object(member(issue, "pull_request"));
    int64_t       number = json_int(issue, "number", 0);

    if (!is_action(r, "created"))
        return ignore(r, "only new comments go into the timeline");
    if (!take_repo(r, member(r->root, "repository")))
        return refuse(r, "repository.full_name must be owner/name");
    if (number < 1 || number > INT_MAX_EXACT)
        return refuse(r, "issue.number must be a whole number from 1");
    r->out->pr_number = is_pull ? number : 0;
    add_lookup(r->out, is_pull ? GITHUB_BY_PR : GITHUB_BY_ISSUE, number);
    r->out->input = INPUT_PR_COMMENT;
    put_said(r->out->data, member(r->root, "comment"), "");
    return GITHUB_INPUT;
}

static enum github_verdict read_review_comment(struct reading *r)
{
    if (!is_action(r, "created"))
        return ignore(r, "only new comments go into the timeline");
    r->out->input = INPUT_PR_COMMENT;
    put_said(r->out->data, member(r->root, "comment"), "");
    return take_pull(r, member(r->root, "pull_request"));
}

/* Many an approval has no words. */
static const char *review_words(const json_t *review)
{
    const char *state = json_text(review, "state");

    if (state == NULL)
        return "";
    if (strcasecmp(state, "approved") == 0)
        return "Approved";
    if (strcasecmp(state, "changes_requested") == 0)
        return "Requested changes";
    return strcasecmp(state, "commented") == 0 ? "Commented" : "";
}

static enum github_verdict read_review(struct reading *r)
{
    const json_t *review = member(r->root, "review");

    if (!is_action(r, "submitted"))
        return ignore(r, "only new reviews go into the timeline");
    r->out->input = INPUT_PR_REVIEW;
    put_said(r->out->data, review, review_words(review));
    return take_pull(r, member(r->root, "pull_request"));
}

/* --- the table --- */

static const struct event_row {
    const char         *name;
    enum github_verdict (*read)(struct reading *r);
} EVENTS[] = {
    { "pull_request",                read_pull_request },
    { "issue_comment",               read_issue_comment },
    { "pull_request_review",         read_review },
    { "pull_request_review_comment", read_review_comment },
};

static enum github_verdict read_with(const struct event_row *row, struct reading *r)
{
    const char         *action = json_text(r->root, "action");
    enum github_verdict verdict;

    r->action = action != NULL ? action : "";
    verdict = row->read(r);
    if (verdict == GITHUB_INPUT &&
        check_fields(shape_of_data(r->out->input), r->out->data, r->why) != 0)
        verdict = GITHUB_REFUSED;
    return verdict;
}

enum github_verdict github_read(struct slice event, struct slice body,
                                struct github_delivery *out, struct buf *why)
{
    struct reading          r = { .out = out, .why = why };
    const struct event_row *row = NULL;
    enum github_verdict     verdict = GITHUB_MALFORMED;
    json_t                 *root;

    *out = (struct github_delivery){ .input = INPUT_COUNT };
    if (slice_is(event, "ping"))
        return GITHUB_PING;
    for (size_t i = 0; i < sizeof(EVENTS) / sizeof(EVENTS[0]); i++) {
        if (slice_is(event, EVENTS[i].name))
            row = &EVENTS[i];
    }
    if (row == NULL)
        return ignore(&r, "this event changes no task");
    r.root = root = json_parse(body, why);
    out->data = json_object();
    if (out->data == NULL)
        abort();                               /* memory is out: see common/mem.h */
    if (json_is_object(root))
        verdict = read_with(row, &r);
    else if (root != NULL)
        buf_append_text(why, "the body must be a JSON object");
    json_decref(root);
    if (verdict != GITHUB_INPUT)
        github_deinit(out);
    return verdict;
}

void github_deinit(struct github_delivery *d)
{
    json_decref(d->data);
    free(d->repo);
    free(d->branch);
    *d = (struct github_delivery){ .input = INPUT_COUNT };
}

bool github_fits(const struct github_delivery *d, enum github_by by, const struct task *t)
{
    if (by != GITHUB_BY_ISSUE || d->pr_number == 0 || t->pr_number == 0 ||
        d->pr_number == t->pr_number)
        return true;
    return t->status == STATUS_FAILED && d->input == INPUT_PR_OPENED;   /* a second attempt */
}

void github_append_event(struct buf *out, const struct github_delivery *d, const char *task_id,
                         const char *delivery_id, int64_t at_wall_ms)
{
    char at[CLOCK_TEXT_SIZE];

    clock_format(at_wall_ms, at);
    buf_append_text(out, "{\"specversion\":\"1.0\",\"id\":");
    buf_append_json(out, slice_of(delivery_id));
    buf_printf(out, ",\"source\":\"/github/%s\",\"type\":\"task.%s\",\"subject\":\"%s\","
               "\"time\":\"%s\",\"data\":", d->repo, input_wire(d->input), task_id, at);
    json_append(out, d->data);
    buf_append_char(out, '}');
}

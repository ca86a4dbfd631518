/* transitions.c -- see transitions.h.
 *
 * Whether an input is legal, where it leads and who hears of it is said by the rows of
 * proto/transitions.def, and nothing here repeats them. What is left is what rows cannot say:
 * which fields an input's data goes into (one small function per input), and whether the
 * data fits this very task (as many answers as questions).
 *
 * An event must be enough to build its messages again, a day later, from a task that has
 * moved on (messages.h). Its payload and its row hold most of what they say; the rest is
 * found by walking the fields of the event that the move tells, and kept as facts. */
#include "taskd/transitions.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/utf8.h"
#include "proto/check.h"
#include "proto/shapes.h"
#include "proto/url.h"

#define TITLE_CHARS_MAX 200

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* --- what an input's data does to the task --- */

static void set_text(char **member, const json_t *data, const char *name)
{
    const char *text = json_text(data, name);

    if (text != NULL)
        task_set_text(member, text);
}

static void set_json(char **member, const json_t *data, const char *name)
{
    const json_t *value = json_object_get(data, name);

    if (value == NULL)
        return;
    free(*member);
    *member = task_json_text(value);
}

static void apply_nothing(struct task *t, const json_t *data)
{
    (void)t;
    (void)data;
}

static void apply_llm_response(struct task *t, const json_t *data)
{
    set_text(&t->task_type, data, "taskType");
}

static void apply_clarification_needed(struct task *t, const json_t *data)
{
    set_json(&t->questions, data, "questions");
    task_set_text(&t->answers, NULL);          /* they answered the round before */
}

static void apply_clarification_submitted(struct task *t, const json_t *data)
{
    set_json(&t->answers, data, "answers");
}

/* A task that named no repository is in its issue's (DESIGN 18). */
static void apply_dispatched(struct task *t, const json_t *data)
{
    struct slice repo;

    t->issue_number = json_int(data, "issueNumber", 0);
    set_text(&t->issue_url, data, "issueUrl");
    set_text(&t->branch, data, "githubBranch");
    repo = url_issue_repo(slice_of(t->issue_url));
    if (t->repo == NULL && repo.len != 0)
        t->repo = mem_strndup(repo.data, repo.len);
}

static void apply_pr(struct task *t, const json_t *data)
{
    t->pr_number = json_int(data, "prNumber", t->pr_number);
    set_text(&t->pr_url, data, "prUrl");
    set_text(&t->pr_title, data, "prTitle");
    set_text(&t->pr_state, data, "prState");
    set_text(&t->head_sha, data, "headSha");
}

/* Another pull request than the one that was closed begins anew. */
static void apply_pr_opened(struct task *t, const json_t *data)
{
    if (json_int(data, "prNumber", 0) != t->pr_number) {
        task_set_text(&t->pr_title, NULL);
        task_set_text(&t->head_sha, NULL);
    }
    task_set_text(&t->pr_state, "open");
    apply_pr(t, data);
    if (t->pr_title == NULL)
        task_set_text(&t->pr_title, t->title);
}

static void apply_pr_merged(struct task *t, const json_t *data)
{
    const char *at = json_text(data, "mergedAt");

    apply_pr(t, data);
    task_set_text(&t->pr_state, "merged");
    set_text(&t->merge_commit, data, "mergeCommitSha");
    if (at == NULL || clock_parse(slice_of(at), &t->merged_at) != 0 || t->merged_at <= 0)
        t->merged_at = t->updated_at;
}

static void apply_pr_closed(struct task *t, const json_t *data)
{
    (void)data;
    task_set_text(&t->pr_state, "closed");
}

static void apply_failed(struct task *t, const json_t *data)
{
    set_text(&t->error, data, "errorMessage");
}

static void apply_edited(struct task *t, const json_t *data)
{
    set_text(&t->title, data, "title");
    set_text(&t->description, data, "description");
    t->is_private = json_bool(data, "isPrivate", t->is_private);
}

typedef void apply_fn(struct task *t, const json_t *data);

static apply_fn *const APPLY[INPUT_COUNT] = {
    [INPUT_CREATED] = apply_nothing,
    [INPUT_ANALYZING] = apply_nothing,
    [INPUT_LLM_RESPONSE] = apply_llm_response,
    [INPUT_CLARIFICATION_NEEDED] = apply_clarification_needed,
    [INPUT_CLARIFICATION_SUBMITTED] = apply_clarification_submitted,
    [INPUT_DISPATCHED] = apply_dispatched,
    [INPUT_CODING] = apply_nothing,
    [INPUT_PR_OPENED] = apply_pr_opened,
    [INPUT_PR_UPDATED] = apply_pr,
    [INPUT_PR_MERGED] = apply_pr_merged,
    [INPUT_PR_CLOSED] = apply_pr_closed,
    [INPUT_FAILED] = apply_failed,
    [INPUT_EDITED] = apply_edited,
    [INPUT_NOTE] = apply_nothing,
    [INPUT_PR_COMMENT] = apply_nothing,
    [INPUT_PR_REVIEW] = apply_nothing,
};

/* --- does the data fit this task? --- */

static size_t question_count(const struct task *t)
{
    json_t *questions = t->questions == NULL ? NULL : json_parse(slice_of(t->questions), NULL);
    size_t  n = json_array_size(questions);

    json_decref(questions);
    return n;
}

/* NULL, or why not. */
static const char *misfit(const struct task *t, const struct input_event *in)
{
    const json_t *answers = json_object_get(in->data, "answers");
    int64_t       pr = json_int(in->data, "prNumber", t->pr_number);

    if (in->input == INPUT_CLARIFICATION_SUBMITTED && json_array_size(answers) != question_count(t))
        return "there must be as many answers as questions";
    if (in->input == INPUT_EDITED && json_text(in->data, "title") == NULL &&
        json_text(in->data, "description") == NULL &&
        !json_is_boolean(json_object_get(in->data, "isPrivate")))
        return "title, description or isPrivate is needed";
    /* A stray pull request's fate is not this task's. */
    if ((in->input == INPUT_PR_CLOSED || in->input == INPUT_PR_UPDATED) && pr != t->pr_number)
        return "prNumber is not that of the task's pull request";
    return NULL;
}

/* --- the event --- */

/* What the room event says that stands neither in the row nor in the payload. */
static void gather_told(enum shape tells, const struct task *after, const json_t *row,
                        const json_t *payload, json_t *facts)
{
    size_t              count;
    const struct field *fields = shape_fields(tells, &count);
    json_t             *all = task_to_json(after, false);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, "seq") != 0 && json_object_get(row, fields[i].name) == NULL &&
            json_object_get(payload, fields[i].name) == NULL)
            json_put_same(facts, all, fields[i].name);
    }
    json_decref(all);
}

static void put_answers(json_t *facts, const char *answers)
{
    json_t *value = answers == NULL ? NULL : json_parse(slice_of(answers), NULL);

    if (value == NULL)
        value = json_array();
    if (json_object_set_new(facts, "clarificationAnswers", value) != 0)
        abort();                               /* memory is out: see common/mem.h */
}

static bool is_ready(const struct task *t)
{
    return t->status == STATUS_PR_OPEN && t->pr_state != NULL && strcmp(t->pr_state, "open") == 0;
}

static char *facts_make(const struct move *m, const struct task *before, const struct task *after,
                        const struct event *e, const json_t *row, const json_t *payload)
{
    json_t *facts = json_object();
    char   *text = NULL;

    if (m->tells != SHAPE_NONE)
        gather_told(m->tells, after, row, payload, facts);
    if (m->tells == SHAPE_TASK_UPDATED)
        json_put_text(facts, "updatedBy", e->actor);
    if (e->clarified)
        put_answers(facts, before->answers);
    if (is_ready(after) && !is_ready(before))
        json_put_bool(facts, "prReady", true); /* opened or reopened, or no draft any more */
    if (json_object_size(facts) != 0)
        text = task_json_text(facts);
    json_decref(facts);
    return text;
}

/* The timeline shows which pull request it was, named or not. */
static json_t *payload_make(const struct input_event *in, const struct task *after)
{
    json_t *payload = check_pick(shape_of_data(in->input), in->data);

    if (in->input == INPUT_PR_UPDATED || in->input == INPUT_PR_CLOSED)
        json_put_int(payload, "prNumber", after->pr_number);
    if (in->input == INPUT_PR_MERGED)
        json_put_time(payload, "mergedAt", after->merged_at);
    return payload;
}

static void event_make(const struct move *m, const struct input_event *in,
                       const struct task *before, const struct task *after, struct event *e)
{
    json_t *payload = payload_make(in, after);
    json_t *row = task_row(after);

    event_init(e);
    e->seq = after->seq;
    e->input = in->input;
    e->payload = task_json_text(payload);
    e->actor = mem_strdup(in->actor);
    e->created_at = after->updated_at;
    e->key = mem_strdup(in->key);
    e->trace = is_given(in->trace) ? mem_strdup(in->trace) : NULL;
    e->clarified = m->round == ROUND_ENDS && before->reanalysing;
    e->was_private = before->is_private;
    e->was = before->status;
    e->row = task_json_text(row);
    e->facts = facts_make(m, before, after, e, row, payload);
    json_decref(payload);
    json_decref(row);
}

/* --- the decision --- */

static bool failed_by_closing(const struct task *t)
{
    return t->failed_by != NULL && strcmp(t->failed_by, input_wire(INPUT_PR_CLOSED)) == 0;
}

/* The one place where a task changes its status. */
static void task_enter(struct task *t, const struct move *m)
{
    if (m->to != STATUS_COUNT) {
        t->status = m->to;
        t->status_since = t->updated_at;
        task_set_text(&t->failed_by, m->to == STATUS_FAILED ? input_wire(m->input) : NULL);
    }
    if (m->round != ROUND_SAME)
        t->reanalysing = m->round == ROUND_BEGINS;
}

static enum verdict refusal(const struct task *t, enum input input, const char **why)
{
    static const char *const NOT_WHILE[STATUS_COUNT] = {
#define STATUS(name, wire, bucket, text) [STATUS_##name] = "not legal while the task is " wire,
#include "proto/statuses.def"
#undef STATUS
    };

    *why = NOT_WHILE[t->status];
    if (input == INPUT_CREATED)
        *why = "the task exists already";
    if (input == INPUT_CREATED || move_is_final(t->status, failed_by_closing(t)))
        return VERDICT_NEVER;
    return VERDICT_EARLY;
}

enum verdict transition_decide(const struct task *before, const struct input_event *in,
                               struct task *after, struct event *event, const char **why)
{
    const struct move *m = move_find(in->input, before->status, failed_by_closing(before));

    if (m == NULL)
        return refusal(before, in->input, why);
    *why = misfit(before, in);
    if (*why != NULL)
        return VERDICT_INVALID;
    task_copy(after, before);
    after->seq = before->seq + 1;
    after->updated_at = in->at > before->updated_at ? in->at : before->updated_at;
    APPLY[in->input](after, in->data);
    task_enter(after, m);
    event_make(m, in, before, after, event);
    return VERDICT_ACCEPTED;
}

/* --- a new task --- */

static struct slice trimmed(struct slice line)
{
    while (line.len != 0 && strchr(" \t\r", line.data[0]) != NULL)
        line = slice_from(line, 1);
    while (line.len != 0 && strchr(" \t\r", line.data[line.len - 1]) != NULL)
        line.len--;
    return line;
}

/* The first line that says something, TITLE_CHARS_MAX characters of it. */
static char *title_make(const char *description)
{
    struct slice rest = slice_of(description);
    struct slice line = trimmed(slice_cut(&rest, '\n'));

    while (line.len == 0 && rest.len != 0)
        line = trimmed(slice_cut(&rest, '\n'));
    if (line.len == 0)
        line = SLICE("Untitled");
    for (size_t max = TITLE_CHARS_MAX * 4; utf8_length(line) > TITLE_CHARS_MAX; max--)
        line = utf8_cut(line, max);
    return mem_strndup(line.data, line.len);
}

static void created_event(const struct new_task *n, const struct task *t, struct event *e)
{
    json_t *payload = json_object();
    json_t *row = task_row(t);

    json_put_text(payload, "title", t->title);
    event_init(e);
    e->seq = t->seq;
    e->input = INPUT_CREATED;
    e->payload = task_json_text(payload);
    e->actor = mem_strdup(t->created_by);
    e->created_at = t->created_at;
    e->key = mem_strdup("");
    e->trace = is_given(n->trace) ? mem_strdup(n->trace) : NULL;
    e->was_private = t->is_private;
    e->was = t->status;
    e->row = task_json_text(row);
    json_decref(payload);
    json_decref(row);
}

void transition_create(const struct new_task *n, struct task *after, struct event *event)
{
    task_init(after);
    after->id = mem_strdup(n->id);
    after->seq = 1;
    after->title = is_given(n->title) ? mem_strdup(n->title) : title_make(n->description);
    after->description = mem_strdup(n->description);
    after->status = STATUS_RECEIVED;
    after->status_since = n->at;
    after->creator = mem_strdup(is_given(n->name) ? n->name : n->sub);
    after->created_by = mem_strdup(n->sub);
    after->org = mem_strdup(n->org);
    after->is_private = n->is_private;
    after->repo = mem_strdup(n->repo);
    after->created_at = n->at;
    after->updated_at = n->at;
    created_event(n, after, event);
}

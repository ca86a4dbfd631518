/* internal.c -- what gateways ask: snapshots and seqs (proto/internal.md).
 *
 * A snapshot says a position, and holds everything up to it: so the position is read first
 * and the store after it. What was published in between is in it too, and a gateway sees that
 * by its seq. What is pending in a task is published before, or the snapshot would show a
 * transition that has no number yet, and an offset could not tell whether a client has it.
 *
 *     task: read it -> pending? publish -> position -> read it again -> pending? publish -> answer
 *     org:  position and counts (one script) -> list -> pending? publish -> answer
 *
 * What was stored since the position was read is shown too, and is published before the answer
 * leaves: so the org's number that a gateway asks for afterwards (join.h, the fence) covers
 * all that the snapshot shows, and nobody holds what its room has yet to be told.
 *
 * Answers are lines that a gateway joins as bytes; it never looks into the JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "taskd/api_call.h"

#define ORG_PAGE      50
#define OWN_ROWS_MAX  200

static const char NOBODY[] = "-";              /* asks for what the whole org may see */
static const char PLAIN[] = "text/plain; charset=utf-8";

static void put_position(struct buf *b, struct position at)
{
    buf_append_u64(b, at.epoch);
    buf_append_char(b, ' ');
    buf_append_u64(b, at.number);
    buf_append_char(b, '\n');
}

/* --- nothing is shown that is not published --- */

static void shown_go_on(struct call *c)
{
    if (--c->pending > 0)
        return;
    if (c->problem != ERROR_COUNT)
        call_problem(c, c->problem, NULL);
    else
        call_answer_text(c, 200, PLAIN);
}

static void on_shown_published(int err, struct position at, void *arg)
{
    struct call *c = arg;

    (void)at;
    if (err != 0)
        c->problem = ERROR_UNAVAILABLE;
    shown_go_on(c);
}

/* c->text shows these tasks: answer with it when all that it shows has its number. */
static void answer_shown(struct call *c, const struct task *tasks, size_t count)
{
    c->problem = ERROR_COUNT;
    c->pending = 1;
    for (size_t i = 0; i < count; i++) {
        if (tasks[i].published_seq >= tasks[i].seq)
            continue;
        if (publisher_settle(c->parts->publisher, tasks[i].org, tasks[i].id, on_shown_published,
                             c) == 0)
            c->pending++;
        else
            c->problem = ERROR_UNAVAILABLE;
    }
    shown_go_on(c);
}

/* --- a task --- */

static void on_task_rendered(struct call *c, int err)
{
    c->etag[0] = '\0';
    if (err != 0) {
        call_failed(c, err);
        return;
    }
    buf_append_text(&c->text, "]\n");
    answer_shown(c, &c->task, 1);
}

static void on_task_again(int err, const struct task *t, void *arg)
{
    struct call *c = arg;

    if (err != 0) {
        call_failed(c, err);
        return;
    }
    task_deinit(&c->task);
    task_copy(&c->task, t);
    put_position(&c->text, c->at);
    buf_printf(&c->text, "1 %s %s %lld %s %d\ntask [\"task:state\",", t->id, t->org,
               (long long)t->seq, t->created_by, t->is_private ? 1 : 0);
    call_render_state(c, on_task_rendered);
}

static void on_task_position(int err, struct position at, void *arg)
{
    struct call *c = arg;

    c->at = at;
    if (err == 0)
        err = store_get(c->parts->store, c->params[0], on_task_again, c);
    if (err != 0)
        call_failed(c, err);
}

static void on_task_first(int err, const struct task *t, void *arg)
{
    struct call *c = arg;

    if (err == 0)
        err = publisher_settle(c->parts->publisher, t->org,
                               t->published_seq < t->seq ? t->id : NULL, on_task_position, c);
    if (err != 0)
        call_failed(c, err);
}

void on_internal_task(struct call *c)
{
    int err = ERR_NOT_FOUND;

    if (task_id_is_valid(slice_of(c->params[0])))
        err = store_get(c->parts->store, c->params[0], on_task_first, c);
    if (err != 0)
        call_failed(c, err);
}

/* --- an org's dashboard, and a person's own part of it --- */

/* "2 <org> <task>:<seq> ..." */
static void put_list_routing(struct call *c, const struct task *tasks, size_t count)
{
    buf_printf(&c->text, "2 %s", c->params[0]);
    for (size_t i = 0; i < count; i++)
        buf_printf(&c->text, " %s:%lld", tasks[i].id, (long long)tasks[i].seq);
    buf_append_char(&c->text, '\n');
}

static void put_rows(struct call *c, const struct task *tasks, size_t count)
{
    buf_append_text(&c->text, "rows ");
    for (size_t i = 0; i < count; i++) {
        json_t *row = row_of(&tasks[i]);

        if (i > 0)
            buf_append_char(&c->text, ',');
        (void)json_append(&c->text, row);      /* a refusal is found by call_answer_text */
        json_decref(row);
    }
    buf_append_char(&c->text, '\n');
}

/* The members of an object, without its brackets. */
static void put_count_line(struct call *c, const int64_t n[BUCKETS_PER_SCOPE], uint64_t rev)
{
    buf_printf(&c->text,
               "counts \"activeCount\":%lld,\"completedCount\":%lld,\"failedCount\":%lld,"
               "\"rev\":%llu\n",
               (long long)n[0], (long long)n[1], (long long)n[2], (unsigned long long)rev);
}

/* The counts were read with the position; they wait in c->texts while the list is read. */
static void keep_counts(struct call *c, const int64_t n[BUCKETS_PER_SCOPE], uint64_t rev)
{
    put_count_line(c, n, rev);
    call_text(c, 0, c->text.data);
    buf_reset(&c->text);
}

static void on_org_listed(int err, const struct task *tasks, size_t count, bool has_more,
                          void *arg)
{
    struct call *c = arg;
    char        *cursor;

    if (err != 0) {
        call_failed(c, err);
        return;
    }
    put_position(&c->text, c->at);
    put_list_routing(c, tasks, count);
    buf_append_text(&c->text, c->texts[1]);
    put_rows(c, tasks, count);
    buf_append_text(&c->text, c->texts[0]);
    if (has_more && count > 0) {
        cursor = cursor_after(&tasks[count - 1], STORE_BY_CREATED);
        buf_printf(&c->text, "next \"nextCursor\":\"%s\"\n", cursor);
        free(cursor);
    }
    answer_shown(c, tasks, count);
}

static void on_org_counts(int err, const struct publisher_counts *n, void *arg)
{
    struct call *c = arg;

    if (err != 0) {
        call_failed(c, err);
        return;
    }
    c->at = n->at;
    keep_counts(c, n->org, n->rev);
    buf_printf(&c->text, "people%s%.*s\n", n->people.len > 0 ? " " : "", SLICE_ARG(n->people));
    call_text(c, 1, c->text.data);
    buf_reset(&c->text);
    c->query = (struct store_query){ .org = c->params[0], .sub = NOBODY, .scope = STORE_SCOPE_ORG,
                                     .status = -1, .active = -1, .limit = ORG_PAGE };
    err = store_list(c->parts->store, &c->query, on_org_listed, c);
    if (err != 0)
        call_failed(c, err);
}

bool org_is_sound(const char *org)
{
    return jwt_id_is_valid(slice_of(org[0] == '~' ? org + 1 : org));
}

void on_internal_org(struct call *c)
{
    int err = ERR_NOT_FOUND;

    if (org_is_sound(c->params[0]))
        err = publisher_counts(c->parts->publisher, c->params[0], NULL, on_org_counts, c);
    if (err != 0)
        call_failed(c, err);
}

static void on_own_listed(int err, const struct task *tasks, size_t count, bool has_more,
                          void *arg)
{
    struct call *c = arg;

    (void)has_more;                            /* REST goes on from there */
    if (err != 0) {
        call_failed(c, err);
        return;
    }
    put_position(&c->text, c->at);
    put_list_routing(c, tasks, count);
    put_rows(c, tasks, count);
    buf_append_text(&c->text, c->texts[0]);
    answer_shown(c, tasks, count);
}

static void on_own_counts(int err, const struct publisher_counts *n, void *arg)
{
    struct call *c = arg;

    if (err != 0) {
        call_failed(c, err);
        return;
    }
    c->at = n->at;
    keep_counts(c, n->own, n->own_rev);
    c->query = (struct store_query){ .org = c->params[0], .sub = c->params[1],
                                     .scope = STORE_SCOPE_PRIVATE, .status = -1, .active = -1,
                                     .limit = OWN_ROWS_MAX };
    err = store_list(c->parts->store, &c->query, on_own_listed, c);
    if (err != 0)
        call_failed(c, err);
}

void on_internal_person(struct call *c)
{
    int err = ERR_NOT_FOUND;

    if (org_is_sound(c->params[0]) && jwt_id_is_valid(slice_of(c->params[1])))
        err = publisher_counts(c->parts->publisher, c->params[0], c->params[1], on_own_counts, c);
    if (err != 0)
        call_failed(c, err);
}

/* --- seqs --- */

static void on_seqs(int err, const struct store_seq *seqs, size_t count, void *arg)
{
    struct call *c = arg;

    if (err != 0) {
        call_failed(c, err);
        return;
    }
    c->answer = json_object();
    for (size_t i = 0; i < count; i++)
        json_put_int(c->answer, seqs[i].id, seqs[i].published_seq);
    call_answer(c, 200);
}

/* What is no id names nothing. */
void on_internal_seqs(struct call *c)
{
    json_t     *list = json_object_get(c->body, "tasks");
    const char *ids[STORE_SEQS_MAX];
    size_t      count = 0;
    int         err;

    if (!json_is_array(list) || json_array_size(list) > STORE_SEQS_MAX) {
        call_problem(c, ERROR_INVALID, "tasks must be an array of at most 1000 ids");
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *id = json_string_value(json_array_get(list, i));

        if (id != NULL && task_id_is_valid(slice_of(id)))
            ids[count++] = id;
    }
    err = store_seqs(c->parts->store, ids, count, on_seqs, c);
    if (err != 0)
        call_failed(c, err);
}

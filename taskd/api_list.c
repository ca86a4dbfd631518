/* api_list.c -- many tasks over REST: the list with its counts, and a task's timeline.
 *
 * A list is paged by (time, id), which new tasks do not shift. Its counts come from the
 * sequencer, so that their `rev` can be compared with what the dashboard hears live; while
 * Redis is away they are counted in the store and say rev 0, which is older than anything.
 *
 * An admin on taskd's own port sees every org: all of them, or the one named by `org`, whose counts
 * the answer then says; the counts of all would be a number that nobody keeps. */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/utf8.h"
#include "taskd/api_call.h"

#define LIST_LIMIT        50
#define LIST_LIMIT_MAX    100
#define EVENTS_LIMIT_MAX  200
#define WORDS_CHARS_MAX   200

enum { SLOT_STATUS, SLOT_CREATOR, SLOT_OTHER, SLOT_NUMBER, SLOT_ORG };   /* of c->texts */

/* --- the list --- */

/* Whose counts go with the list. */
static const char *counted_org(const struct call *c)
{
    return c->query.org != NULL ? c->query.org : c->claims.org;
}

static void put_both_counts(struct call *c, const struct publisher_counts *n)
{
    json_t *own = json_object();

    put_counts(c->answer, n->org, n->rev);
    put_counts(own, n->own, n->own_rev);
    if (json_object_set_new(c->answer, "private", own) != 0)
        abort();
}

static void on_store_counts(int err, const struct store_counts *s, void *arg)
{
    struct call            *c = arg;
    struct publisher_counts n = { .rev = 0 };

    if (err != 0) {
        call_failed(c, err);
        return;
    }
    memcpy(n.org, s->org, sizeof(n.org));
    for (size_t i = 0; i < s->people_count; i++) {
        if (strcmp(s->people[i].sub, c->claims.sub) == 0)
            memcpy(n.own, s->people[i].n, sizeof(n.own));
    }
    put_both_counts(c, &n);
    call_answer(c, 200);
}

static void count_in_store(struct call *c)
{
    int err = store_counts(c->parts->store, counted_org(c), on_store_counts, c);

    if (err != 0)
        call_failed(c, err);
}

static void on_counts(int err, const struct publisher_counts *n, void *arg)
{
    struct call *c = arg;

    if (err != 0) {
        count_in_store(c);
        return;
    }
    put_both_counts(c, n);
    call_answer(c, 200);
}

static void on_listed(int err, const struct task *tasks, size_t count, bool has_more, void *arg)
{
    struct call *c = arg;
    json_t      *rows = json_array();
    char        *cursor;

    if (err != 0) {
        json_decref(rows);
        call_failed(c, err);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(rows, row_of(&tasks[i])) != 0)
            abort();
    }
    c->answer = json_object();
    if (json_object_set_new(c->answer, "tasks", rows) != 0)
        abort();
    if (has_more && count > 0) {
        cursor = cursor_after(&tasks[count - 1], c->query.sort);
        json_put_text(c->answer, "nextCursor", cursor);
        free(cursor);
    }
    if (publisher_counts(c->parts->publisher, counted_org(c), c->claims.sub, on_counts, c) != 0)
        count_in_store(c);
}

static bool read_bool(struct call *c, const char *name, int *out)
{
    const char *text;

    if (!call_query(c, name, SLOT_OTHER, &text))
        return false;
    if (text == NULL)
        return true;
    if (strcmp(text, "true") == 0)
        *out = 1;
    else if (strcmp(text, "false") == 0)
        *out = 0;
    else
        return false;
    return true;
}

/* Who made them: `creator` is a sub, `mine` is one's own; nobody made both mine and another's. */
static bool read_creator(struct call *c, bool *out_is_empty)
{
    int mine = 0;

    if (!call_query(c, "creator", SLOT_CREATOR, &c->query.creator) ||
        !read_bool(c, "mine", &mine))
        return false;
    if (c->query.creator != NULL && !jwt_id_is_valid(slice_of(c->query.creator)))
        return false;
    *out_is_empty = mine == 1 && c->query.creator != NULL &&
                    strcmp(c->query.creator, c->claims.sub) != 0;
    if (mine == 1) {
        c->query.creator = c->claims.sub;
        c->query.org = c->claims.org;          /* who has this name elsewhere is somebody else */
    }
    return true;
}

static bool read_status(struct call *c)
{
    const char *text;
    enum status status;

    if (!call_query(c, "status", SLOT_STATUS, &text))
        return false;
    if (text == NULL)
        return true;
    if (status_parse(slice_of(text), &status) != 0)
        return false;
    c->query.status = (int)status;
    return true;
}

static bool read_order(struct call *c, char cursor_id[TASK_ID_LEN + 1])
{
    const char *text;
    int64_t     limit = LIST_LIMIT;

    if (!call_query(c, "sort", SLOT_OTHER, &text))
        return false;
    if (text != NULL && strcmp(text, "-updatedAt") == 0)
        c->query.sort = STORE_BY_UPDATED;
    else if (text != NULL && strcmp(text, "-createdAt") != 0)
        return false;
    if (!call_query_int(c, "limit", 1, LIST_LIMIT_MAX, &limit))
        return false;
    c->query.limit = (size_t)limit;
    if (!call_query(c, "cursor", SLOT_OTHER, &text))
        return false;
    if (text == NULL)
        return true;
    c->query.after_id = cursor_id;
    return cursor_read(text, c->query.sort, &c->query.after_time, cursor_id) == 0;
}

/* Whose tasks? ERROR_COUNT, or what is wrong. */
static enum error_code read_org(struct call *c)
{
    const char *org;

    if (!call_query(c, "org", SLOT_ORG, &org) || (org != NULL && !org_is_sound(org)))
        return ERROR_INVALID;
    if (c->sees_all) {
        c->query.org = org;
        c->query.scope = STORE_SCOPE_ALL;
        return ERROR_COUNT;
    }
    return org == NULL || strcmp(org, c->claims.org) == 0 ? ERROR_COUNT : ERROR_FORBIDDEN;
}

void on_task_list(struct call *c)
{
    char            cursor_id[TASK_ID_LEN + 1];
    bool            is_empty = false;
    enum error_code problem;
    int             err;

    c->query = (struct store_query){ .org = c->claims.org, .sub = c->claims.sub,
                                     .scope = STORE_SCOPE_VISIBLE, .status = -1, .active = -1 };
    problem = read_org(c);
    if (problem == ERROR_FORBIDDEN) {
        call_problem(c, problem, "Another org's tasks are an admin's to see, on taskd's own port");
        return;
    }
    if (problem != ERROR_COUNT || !read_status(c) || !read_creator(c, &is_empty) ||
        !read_bool(c, "active", &c->query.active) || !read_order(c, cursor_id) ||
        !call_query(c, "q", SLOT_OTHER, &c->query.words) ||
        (c->query.words != NULL && utf8_length(slice_of(c->query.words)) > WORDS_CHARS_MAX)) {
        call_problem(c, ERROR_INVALID, "A query parameter is not one of its values");
        return;
    }
    if (is_empty) {
        on_listed(0, NULL, 0, false, c);
        return;
    }
    err = store_list(c->parts->store, &c->query, on_listed, c);
    if (err != 0)
        call_failed(c, err);
}

/* --- the timeline --- */

struct timeline {
    int64_t after, before, limit;              /* after: -1 where it was not asked for */
};

static bool read_timeline(struct call *c, struct timeline *out)
{
    *out = (struct timeline){ .after = -1, .limit = EVENTS_LIMIT_MAX };
    return call_query_int(c, "after", 0, INT_MAX_EXACT, &out->after) &&
           call_query_int(c, "before", 1, INT_MAX_EXACT, &out->before) &&
           call_query_int(c, "limit", 1, EVENTS_LIMIT_MAX, &out->limit);
}

static void on_events(int err, const struct event *events, size_t count, void *arg)
{
    struct call *c = arg;
    json_t      *list = json_array();

    if (err != 0) {
        json_decref(list);
        call_failed(c, err);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(list, event_to_json(&events[i])) != 0)
            abort();
    }
    c->answer = json_object();
    json_put_text(c->answer, "taskId", c->task.id);
    json_put_int(c->answer, "seq", c->task.seq);
    if (json_object_set_new(c->answer, "events", list) != 0)
        abort();
    call_answer(c, 200);
}

static void on_events_task(int err, const struct task *task, void *arg)
{
    struct call    *c = arg;
    struct timeline t;

    if (err != 0) {
        call_failed(c, err);
        return;
    }
    if (!call_may_see(c, task)) {
        call_problem(c, ERROR_NOT_FOUND, NULL);
        return;
    }
    task_deinit(&c->task);
    task_copy(&c->task, task);
    (void)read_timeline(c, &t);
    struct store_events_query q = { .id = c->task.id, .after = t.after > 0 ? t.after : 0,
                                    .before = t.before, .limit = (size_t)t.limit,
                                    .newest = t.after < 0 };
    err = store_events(c->parts->store, &q, on_events, c);
    if (err != 0)
        call_failed(c, err);
}

void on_task_events(struct call *c)
{
    struct timeline t;
    int             err = ERR_NOT_FOUND;

    if (!read_timeline(c, &t)) {
        call_problem(c, ERROR_INVALID, "A query parameter is not one of its values");
        return;
    }
    if (task_id_is_valid(slice_of(c->params[0])))
        err = store_get(c->parts->store, c->params[0], on_events_task, c);
    if (err != 0)
        call_failed(c, err);
}

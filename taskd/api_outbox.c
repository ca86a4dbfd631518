/* api_outbox.c -- what is stored and not published yet, and how far each task is published: for
 * operators, and for `taskctl doctor`, which compares it with what Redis has.
 *
 * A position is what the store says. Publishing what is pending in a task goes the way of a
 * snapshot (publisher_settle), so it does no harm however often it is asked for. */
#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"
#include "taskd/api_call.h"

#define OUTBOX_SHOWN       100
#define POSITIONS_LIMIT    100
#define POSITIONS_MAX      1000

enum { SLOT_ORG, SLOT_CURSOR };                /* of c->texts; numbers are read through 3 */

static void put_object(json_t *to, const char *key, json_t *value)
{
    if (json_object_set_new(to, key, value) != 0)
        abort();
}

/* --- the outbox --- */

static void on_outbox_tasks(int err, const struct store_pending *tasks, size_t count, void *arg)
{
    struct call *c = arg;
    json_t      *list = json_array();

    if (err != 0) {
        json_decref(list);
        call_failed(c, err);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        json_t *row = json_object();

        json_put_text(row, "taskId", tasks[i].id);
        json_put_text(row, "orgId", tasks[i].org);
        json_put_time(row, "updatedAt", tasks[i].updated_at);
        if (json_array_append_new(list, row) != 0)
            abort();
    }
    put_object(c->answer, "oldest", list);
    call_answer(c, 200);
}

static void on_outbox_count(int err, int64_t n, void *arg)
{
    struct call *c = arg;

    if (err != 0) {
        call_failed(c, err);
        return;
    }
    c->answer = json_object();
    json_put_int(c->answer, "unpublished", n);
    err = store_unpublished(c->parts->store, 0, clock_wall_ms() + 1, OUTBOX_SHOWN,
                            on_outbox_tasks, c);
    if (err != 0)
        call_failed(c, err);
}

void on_outbox(struct call *c)
{
    int err = store_unpublished_count(c->parts->store, on_outbox_count, c);

    if (err != 0)
        call_failed(c, err);
}

/* --- positions --- */

static json_t *position_of(const struct task *t)
{
    json_t *row = json_object();

    if (row == NULL)
        abort();
    json_put_text(row, "taskId", t->id);
    json_put_text(row, "orgId", t->org);
    json_put_int(row, "seq", t->seq);
    json_put_int(row, "publishedSeq", t->published_seq);
    json_put_bool(row, "isInOutbox", t->is_unpublished);
    json_put_bool(row, "isPrivate", t->is_private);
    json_put_time(row, "updatedAt", t->updated_at);
    return row;
}

static void on_position(int err, const struct task *t, void *arg)
{
    struct call *c = arg;

    if (err != 0) {
        call_failed(c, err);
        return;
    }
    c->answer = position_of(t);
    call_answer(c, 200);
}

void on_position_get(struct call *c)
{
    int err = ERR_NOT_FOUND;

    if (task_id_is_valid(slice_of(c->params[0])))
        err = store_get(c->parts->store, c->params[0], on_position, c);
    if (err != 0)
        call_failed(c, err);
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
        if (json_array_append_new(rows, position_of(&tasks[i])) != 0)
            abort();
    }
    c->answer = json_object();
    put_object(c->answer, "positions", rows);
    if (has_more && count > 0) {
        cursor = cursor_after(&tasks[count - 1], c->query.sort);
        json_put_text(c->answer, "nextCursor", cursor);
        free(cursor);
    }
    call_answer(c, 200);
}

/* Of everybody's tasks, those that moved last first. */
void on_position_list(struct call *c)
{
    char        cursor_id[TASK_ID_LEN + 1];
    const char *cursor;
    int64_t     limit = POSITIONS_LIMIT;
    int         err;

    c->query = (struct store_query){ .sub = c->claims.sub, .scope = STORE_SCOPE_ALL, .status = -1,
                                     .active = -1, .sort = STORE_BY_UPDATED };
    if (!call_query(c, "org", SLOT_ORG, &c->query.org) ||
        (c->query.org != NULL && !org_is_sound(c->query.org)) ||
        !call_query_int(c, "limit", 1, POSITIONS_MAX, &limit) ||
        !call_query(c, "cursor", SLOT_CURSOR, &cursor) ||
        (cursor != NULL &&
         cursor_read(cursor, STORE_BY_UPDATED, &c->query.after_time, cursor_id) != 0)) {
        call_problem(c, ERROR_INVALID, "A query parameter is not one of its values");
        return;
    }
    c->query.limit = (size_t)limit;
    c->query.after_id = cursor != NULL ? cursor_id : NULL;
    err = store_list(c->parts->store, &c->query, on_listed, c);
    if (err != 0)
        call_failed(c, err);
}

/* --- publish what is pending in a task --- */

/* It is published up to c->index, though its mark may still be on its way to the store. */
static void on_pushed_position(int err, const struct task *t, void *arg)
{
    struct call *c = arg;
    int64_t      pushed = (int64_t)c->index;

    if (err != 0) {
        call_failed(c, err);
        return;
    }
    c->answer = position_of(t);
    if (t->published_seq < pushed) {
        json_put_int(c->answer, "publishedSeq", pushed);
        json_put_bool(c->answer, "isInOutbox", t->seq > pushed);
    }
    call_answer(c, 200);
}

static void on_pushed(int err, struct position at, void *arg)
{
    struct call *c = arg;

    (void)at;
    if (err == 0)
        err = store_get(c->parts->store, c->params[0], on_pushed_position, c);
    if (err != 0)
        call_failed(c, err);
}

static void on_push_task(int err, const struct task *t, void *arg)
{
    struct call *c = arg;

    if (err == 0) {
        c->index = (size_t)t->seq;
        err = publisher_settle(c->parts->publisher, t->org, t->id, on_pushed, c);
    }
    if (err != 0)
        call_failed(c, err);
}

void on_outbox_push(struct call *c)
{
    int err = ERR_NOT_FOUND;

    if (task_id_is_valid(slice_of(c->params[0])))
        err = store_get(c->parts->store, c->params[0], on_push_task, c);
    if (err != 0)
        call_failed(c, err);
}

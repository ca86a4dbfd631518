/* store_sqlite_read.c -- one task, its timeline, the outbox and the counts.
 *
 * A task is two tables and its events a third, so a reader looks at all of them in one
 * transaction: WAL gives it one moment's state, whatever is written meanwhile. On the
 * writer's connection the group's own transaction does the same. */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "taskd/store_sqlite.h"

void sq_read_row(sqlite3_stmt *q, struct sq_row *out)
{
    *out = (struct sq_row){ .n = sqlite3_column_int64(q, 0), .seq = sqlite3_column_int64(q, 1),
                            .published_seq = sqlite3_column_int64(q, 2) };
    if (bucket_parse(slice_of(sq_text(q, 3)), &out->published_bucket) != 0)
        out->published_bucket = BUCKET_NONE;
}

int sq_find(struct store_session *s, const char *id, struct sq_row *out)
{
    sqlite3_stmt *q = sq_stmt(s, SQ_FIND);
    int found;

    if (q == NULL)
        return ERR_STORE;
    sq_bind_text(q, 1, id);
    found = sq_step(q);
    if (found == 1)
        sq_read_row(q, out);
    sq_done(q);
    return found == 1 ? 0 : found == 0 ? ERR_NOT_FOUND : found;
}

int sq_load_document(struct store_session *s, const struct sq_row *row, struct task *out)
{
    sqlite3_stmt *q = sq_stmt(s, SQ_DOC);
    json_t *object = NULL;
    int found;

    task_init(out);
    if (q == NULL)
        return ERR_STORE;
    sq_bind_int(q, 1, row->n);
    found = sq_step(q);
    if (found == 1)
        object = json_parse(slice_of(sq_text(q, 0)), NULL);
    sq_done(q);
    if (found < 0)
        return found;
    found = object == NULL ? ERR_CORRUPT : task_from_json(object, out);
    json_decref(object);
    if (found != 0)
        return found;
    out->published_seq = row->published_seq;
    out->published_bucket = row->published_bucket;
    out->is_unpublished = row->seq > row->published_seq;
    return 0;
}

static int read_event(sqlite3_stmt *q, struct event *out)
{
    json_t *object = json_parse(slice_of(sq_text(q, 0)), NULL);
    int     err = object == NULL ? ERR_CORRUPT : event_from_record(object, out);

    json_decref(object);
    return err;
}

/* Events between the bounds, oldest first. */
static int load_events(struct store_session *s, int64_t n, const struct store_events_query *q,
                       struct store_timeline *out)
{
    sqlite3_stmt *stmt = sq_stmt(s, q->newest ? SQ_EVENTS_DOWN : SQ_EVENTS_UP);
    int found;

    if (stmt == NULL)
        return ERR_STORE;
    sq_bind_int(stmt, 1, n);
    sq_bind_int(stmt, 2, q->after);
    sq_bind_int(stmt, 3, q->before > 0 ? q->before : INT64_MAX);
    sq_bind_int(stmt, 4, (int64_t)q->limit);
    while ((found = sq_step(stmt)) == 1)
        if ((found = read_event(stmt, store_timeline_add(out))) != 0)
            break;
    sq_done(stmt);
    for (size_t i = 0; q->newest && i < out->count / 2; i++) {
        struct event swap = out->events[i];

        out->events[i] = out->events[out->count - 1 - i];
        out->events[out->count - 1 - i] = swap;
    }
    return found;
}

int sq_load(struct store_session *s, const struct sq_row *row, struct task *out)
{
    struct store_events_query newest = { .limit = TASK_EVENTS_KEPT, .newest = true };
    struct store_timeline window = { NULL, 0 };
    int err = sq_load_document(s, row, out);

    if (err == 0)
        err = load_events(s, row->n, &newest, &window);
    if (err != 0) {
        store_timeline_deinit(&window);
        task_deinit(out);
        return err;
    }
    out->events = window.events;               /* the window's owner now */
    out->event_count = window.count;
    return 0;
}

int sq_begin_read(struct store_session *s, bool *out_is_ours)
{
    *out_is_ours = sqlite3_get_autocommit(s->db) != 0;
    return *out_is_ours ? sq_run(sq_stmt(s, SQ_BEGIN_READ)) : 0;
}

void sq_end_read(struct store_session *s, bool is_ours)
{
    if (is_ours && sqlite3_get_autocommit(s->db) == 0)
        sq_run(sq_stmt(s, SQ_COMMIT));         /* a read transaction has nothing to lose */
}

int sq_get(struct store_session *s, const char *id, struct task *out)
{
    struct sq_row row;
    bool is_ours;
    int  err = sq_begin_read(s, &is_ours);

    if (err != 0)
        return err;
    err = sq_find(s, id, &row);
    if (err == 0)
        err = sq_load(s, &row, out);
    sq_end_read(s, is_ours);
    return err;
}

/* Events have a table of their own from the start. */
int sq_settle(struct store_session *s, const char *id)
{
    struct sq_row row;

    return sq_find(s, id, &row);
}

int sq_find_place(struct store_session *s, const char *place, struct task *out)
{
    struct sq_row row;
    sqlite3_stmt *q;
    bool is_ours;
    int  err = sq_begin_read(s, &is_ours);

    if (err != 0)
        return err;
    q = sq_stmt(s, SQ_FIND_PLACE);
    err = q == NULL ? ERR_STORE : 0;
    if (err == 0) {
        sq_bind_text(q, 1, place);
        err = sq_step(q);
        if (err == 1)
            sq_read_row(q, &row);
        sq_done(q);
        err = err == 1 ? sq_load(s, &row, out) : err == 0 ? ERR_NOT_FOUND : err;
    }
    sq_end_read(s, is_ours);
    return err;
}

int sq_events(struct store_session *s, const struct store_events_query *q,
              struct store_timeline *out)
{
    struct sq_row row;
    int err = sq_find(s, q->id, &row);

    return err != 0 ? err : load_events(s, row.n, q, out);
}

int sq_has_key(struct store_session *s, const char *id, const char *key)
{
    struct sq_row row;
    sqlite3_stmt *q;
    int found = sq_find(s, id, &row);

    if (found != 0)
        return found;
    q = sq_stmt(s, SQ_KEY);
    if (q == NULL)
        return ERR_STORE;
    sq_bind_int(q, 1, row.n);
    sq_bind_text(q, 2, key);
    found = sq_step(q);
    sq_done(q);
    return found == 1 ? 0 : found == 0 ? ERR_NOT_FOUND : found;
}

int sq_unpublished(struct store_session *s, int64_t from_wall_ms, int64_t before_wall_ms,
                   size_t limit, struct store_outbox *out)
{
    sqlite3_stmt *q = sq_stmt(s, SQ_UNPUBLISHED);
    int found;

    if (q == NULL)
        return ERR_STORE;
    sq_bind_int(q, 1, from_wall_ms);
    sq_bind_int(q, 2, before_wall_ms);
    sq_bind_int(q, 3, (int64_t)limit);
    while ((found = sq_step(q)) == 1)
        store_outbox_add(out, sq_text(q, 0), sq_text(q, 1), sqlite3_column_int64(q, 2));
    sq_done(q);
    return found;
}

int sq_unpublished_count(struct store_session *s, int64_t *out)
{
    sqlite3_stmt *q = sq_stmt(s, SQ_UNPUBLISHED_COUNT);
    int found;

    if (q == NULL)
        return ERR_STORE;
    found = sq_step(q);
    if (found == 1)
        *out = sqlite3_column_int64(q, 0);
    sq_done(q);
    return found < 0 ? found : 0;
}

int sq_counts(struct store_session *s, const char *org, struct store_counts *out)
{
    sqlite3_stmt *q = sq_stmt(s, SQ_COUNTS);
    int found;

    if (q == NULL)
        return ERR_STORE;
    sq_bind_text(q, 1, org);
    while ((found = sq_step(q)) == 1) {
        const char *sub = sq_text(q, 0);
        int64_t *n = *sub == '\0' ? out->org : NULL;

        if (n == NULL && sqlite3_column_int64(q, 1) + sqlite3_column_int64(q, 2)
                + sqlite3_column_int64(q, 3) == 0)
            continue;                          /* has none any more */
        if (n == NULL)
            n = store_counts_add(out, sub)->n;
        for (int i = 0; i < BUCKETS_PER_SCOPE; i++)
            n[i] = sqlite3_column_int64(q, 1 + i);
    }
    sq_done(q);
    return found;
}

/* Each by the primary key: a bulk statement would save nothing but calls into the same process. */
int sq_seqs(struct store_session *s, const struct store_ids *ids, struct store_seqs *out)
{
    for (size_t i = 0; i < ids->count; i++) {
        struct sq_row row;
        int err = sq_find(s, ids->ids[i], &row);

        if (err == 0)
            store_seqs_add(out, ids->ids[i], row.published_seq);
        else if (err != ERR_NOT_FOUND)
            return err;
    }
    return 0;
}

/* store_sqlite_records.c -- small JSON values by kind and key, with an expiry.
 *
 * What has expired is not there for any reader; its row goes later, sixteen with each write,
 * so that no write ever pays for a day's leavings at once. */
#include "common/clock.h"
#include "common/err.h"
#include "taskd/store_sqlite.h"

static int sweep(struct store_session *s, int64_t now)
{
    sqlite3_stmt *q = sq_stmt(s, SQ_RECORD_SWEEP);

    if (q == NULL)
        return ERR_STORE;
    sq_bind_int(q, 1, now);
    return sq_run(q);
}

static sqlite3_stmt *bind_record(struct store_session *s, enum sq_stmt which,
                                 const struct store_record *r)
{
    sqlite3_stmt *q = sq_stmt(s, which);

    if (q == NULL)
        return NULL;
    sq_bind_text(q, 1, r->kind);
    sq_bind_text(q, 2, r->key);
    sq_bind_text(q, 3, r->json);
    sq_bind_int(q, 4, r->expires_wall_ms);
    return q;
}

static int read_at(struct store_session *s, const char *kind, const char *key, int64_t now,
                   struct buf *out)
{
    sqlite3_stmt *q = sq_stmt(s, SQ_RECORD_GET);
    int found;

    if (q == NULL)
        return ERR_STORE;
    sq_bind_text(q, 1, kind);
    sq_bind_text(q, 2, key);
    sq_bind_int(q, 3, now);
    found = sq_step(q);
    if (found == 1)
        found = buf_append_text(out, sq_text(q, 0)) == 0 ? 1 : ERR_CORRUPT;
    sq_done(q);
    return found == 1 ? 0 : found == 0 ? ERR_NOT_FOUND : found;
}

int sq_record_add(struct store_session *s, const struct store_record *r, struct buf *out)
{
    int64_t now = clock_wall_ms();             /* one moment for both looks */
    int err = sweep(s, now);
    sqlite3_stmt *q = err != 0 ? NULL : bind_record(s, SQ_RECORD_ADD, r);

    if (q == NULL)
        return ERR_STORE;
    sq_bind_int(q, 5, now);                    /* one that has expired is replaced */
    err = sq_run(q);
    if (err != 0 || sqlite3_changes(s->db) == 1)
        return err;
    err = read_at(s, r->kind, r->key, now, out);
    return err == 0 ? ERR_EXISTS : ERR_STORE;
}

int sq_record_put(struct store_session *s, const struct store_record *r)
{
    int err = sweep(s, clock_wall_ms());

    return err != 0 ? err : sq_run(bind_record(s, SQ_RECORD_PUT, r));
}

int sq_record_get(struct store_session *s, const char *kind, const char *key, struct buf *out)
{
    return read_at(s, kind, key, clock_wall_ms(), out);
}

int sq_record_drop(struct store_session *s, const char *kind, const char *key)
{
    sqlite3_stmt *q = sq_stmt(s, SQ_RECORD_DROP);

    if (q == NULL)
        return ERR_STORE;
    sq_bind_text(q, 1, kind);
    sq_bind_text(q, 2, key);
    return sq_run(q);
}

int sq_record_all(struct store_session *s, const char *kind, struct buf *out)
{
    sqlite3_stmt *q = sq_stmt(s, SQ_RECORD_ALL);
    int found;

    if (q == NULL)
        return ERR_STORE;
    buf_append_char(out, '{');
    sq_bind_text(q, 1, kind);
    sq_bind_int(q, 2, clock_wall_ms());
    while ((found = sq_step(q)) == 1)
        store_value_append(out, sq_text(q, 0), sq_text(q, 1));
    sq_done(q);
    buf_append_char(out, '}');
    return found == 0 && buf_failed(out) ? ERR_CORRUPT : found;
}

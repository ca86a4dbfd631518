/* store_sqlite_notices.c -- what people are to be told, until they have read it.
 *
 * A row that was read stays for its 90 days, so that a transition that is published again
 * does not tell anybody a second time. A new row pays for the order of the house: what its
 * person has unread past the newest thousand goes, and sixteen of anybody's that are too old. */
#include "common/err.h"
#include "taskd/store_sqlite.h"

static int trim(struct store_session *s, const char *person)
{
    sqlite3_stmt *q = sq_stmt(s, SQ_NOTICES_TRIM);

    if (q == NULL)
        return ERR_STORE;
    sq_bind_text(q, 1, person);
    sq_bind_int(q, 2, STORE_UNREAD_MAX);
    return sq_run(q);
}

static int sweep(struct store_session *s)
{
    sqlite3_stmt *q = sq_stmt(s, SQ_NOTICES_SWEEP);

    if (q == NULL)
        return ERR_STORE;
    sq_bind_int(q, 1, store_notifications_since());
    return sq_run(q);
}

int sq_notify(struct store_session *s, const struct store_notice *n)
{
    sqlite3_stmt *q = sq_stmt(s, SQ_NOTIFY);
    int err;

    if (q == NULL)
        return ERR_STORE;
    sq_bind_text(q, 1, n->person);
    sq_bind_text(q, 2, n->id);
    sq_bind_text(q, 3, n->json);
    sq_bind_int(q, 4, n->created_at);
    err = sq_run(q);
    if (err != 0 || sqlite3_changes(s->db) == 0)
        return err;                            /* it was there */
    err = trim(s, n->person);
    return err != 0 ? err : sweep(s);
}

int sq_notifications(struct store_session *s, const struct store_notices_query *q,
                     struct store_ids *out)
{
    sqlite3_stmt *stmt = sq_stmt(s, SQ_NOTICES);
    int found;

    if (stmt == NULL)
        return ERR_STORE;
    sq_bind_text(stmt, 1, q->person);
    sq_bind_int(stmt, 2, q->since);
    sq_bind_int(stmt, 3, q->before_time);
    sq_bind_text(stmt, 4, q->before_id);
    sq_bind_int(stmt, 5, (int64_t)q->limit);
    while ((found = sq_step(stmt)) == 1)
        store_ids_add(out, sq_text(stmt, 0));
    sq_done(stmt);
    return found;
}

int sq_notifications_read(struct store_session *s, const char *person,
                          const struct store_ids *ids)
{
    int err = 0;

    for (size_t i = 0; err == 0 && i < ids->count; i++) {
        sqlite3_stmt *q = sq_stmt(s, SQ_NOTICE_READ);

        if (q == NULL)
            return ERR_STORE;
        sq_bind_text(q, 1, ids->ids[i]);
        sq_bind_text(q, 2, person);
        err = sq_run(q);
    }
    return err;
}

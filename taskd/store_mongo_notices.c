/* store_mongo_notices.c -- what people are to be told, until they have read it.
 *
 * The notification's id is the document's _id, so that one that is made again is a duplicate,
 * read or not. A TTL index removes what is 90 days old some time later (a server without one
 * keeps it); readers look at the time themselves. */
#include <string.h>

#include "common/err.h"
#include "taskd/store_mongo.h"

/* --- one more --- */

/* It is there: written by this very call, whose answer was lost, or long ago. A write that
 * changes nothing is acknowledged only when all before it are. */
static int confirm(struct mg_try *t, const struct store_notice *n)
{
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(n->id));
    bson_t *update = BCON_NEW("$set", "{", "person", BCON_UTF8(n->person), "}");
    int64_t matched;
    int     err = mg_update(t, t->s->notifications, filter, update, &matched);

    bson_destroy(filter);
    bson_destroy(update);
    return err;
}

struct deletion {
    mongoc_collection_t *collection;
    const bson_t        *filter;
};

static bool call_deletion(void *arg, bson_error_t *error)
{
    struct deletion *d = arg;

    return mongoc_collection_delete_many(d->collection, d->filter, NULL, NULL, error);
}

/* A person's unread ones from (time, id) downwards. */
static bson_t *from_here_down(const char *person, int64_t time, const char *id, const char *than)
{
    return BCON_NEW("person", BCON_UTF8(person), "unread", BCON_BOOL(true), "$or", "[",
                    "{", "createdAt", "{", "$lt", BCON_DATE_TIME(time), "}", "}",
                    "{", "createdAt", BCON_DATE_TIME(time), "_id", "{", than, BCON_UTF8(id), "}",
                    "}", "]");
}

static int delete_from(struct mg_try *t, const char *person, const bson_t *first)
{
    bson_iter_t time, id;
    struct deletion d = { t->s->notifications, NULL };
    bson_t *filter;
    bool    is_ok;

    if (!bson_iter_init_find(&time, first, "createdAt") || !BSON_ITER_HOLDS_DATE_TIME(&time)
        || !bson_iter_init_find(&id, first, "_id") || !BSON_ITER_HOLDS_UTF8(&id))
        return ERR_CORRUPT;
    filter = from_here_down(person, bson_iter_date_time(&time), bson_iter_utf8(&id, NULL), "$lte");
    d.filter = filter;
    is_ok = mg_make(t, call_deletion, &d);
    bson_destroy(filter);
    return is_ok ? 0 : t->err;
}

/* What a person has unread past the newest STORE_UNREAD_MAX goes. */
static int trim(struct mg_try *t, const char *person)
{
    bson_t *filter = BCON_NEW("person", BCON_UTF8(person), "unread", BCON_BOOL(true));
    bson_t *opts = BCON_NEW("sort", "{", "createdAt", BCON_INT32(-1), "_id", BCON_INT32(-1), "}",
                            "skip", BCON_INT64(STORE_UNREAD_MAX), "projection", "{", "createdAt",
                            BCON_INT32(1), "}");
    bson_t  first;
    int     err = mg_find_one(t, t->s->notifications, filter, opts, &first);

    if (err == 0) {
        err = delete_from(t, person, &first);
        bson_destroy(&first);
    }
    bson_destroy(filter);
    bson_destroy(opts);
    return err == ERR_NOT_FOUND ? 0 : err;
}

int mg_notify(struct store_session *s, const struct store_notice *n)
{
    struct mg_try t;
    bson_t *doc;
    int err;

    if (!mg_begin(&t, s, true))
        return ERR_STORE;
    doc = BCON_NEW("_id", BCON_UTF8(n->id), "person", BCON_UTF8(n->person), "unread",
                   BCON_BOOL(true), "createdAt", BCON_DATE_TIME(n->created_at), "json",
                   BCON_UTF8(n->json));
    err = mg_insert(&t, s->notifications, doc);
    bson_destroy(doc);
    if (err == ERR_EXISTS)
        return confirm(&t, n);
    return err != 0 ? err : trim(&t, n->person);
}

/* --- reading --- */

static int on_notice(const bson_t *doc, void *arg)
{
    bson_iter_t i;

    if (!bson_iter_init_find(&i, doc, "json") || !BSON_ITER_HOLDS_UTF8(&i))
        return ERR_CORRUPT;
    store_ids_add(arg, bson_iter_utf8(&i, NULL));
    return 0;
}

static void forget_notices(void *arg)
{
    store_ids_deinit(arg);
}

int mg_notifications(struct store_session *s, const struct store_notices_query *q,
                     struct store_ids *out)
{
    struct mg_walk w = { .on_doc = on_notice, .restart = forget_notices, .arg = out };
    struct mg_try t;
    bson_t *filter, *opts, since;
    int err;

    if (!mg_begin(&t, s, false))
        return ERR_STORE;
    filter = *q->before_id != '\0'
        ? from_here_down(q->person, q->before_time, q->before_id, "$lt")
        : BCON_NEW("person", BCON_UTF8(q->person), "unread", BCON_BOOL(true));
    BSON_APPEND_DOCUMENT_BEGIN(filter, "createdAt", &since);
    BSON_APPEND_DATE_TIME(&since, "$gt", q->since);
    bson_append_document_end(filter, &since);
    opts = BCON_NEW("sort", "{", "createdAt", BCON_INT32(-1), "_id", BCON_INT32(-1), "}", "limit",
                    BCON_INT64((int64_t)q->limit), "maxTimeMS", BCON_INT64(MG_READ_TIME_MS));
    w.collection = s->notifications;
    w.filter = filter;
    w.opts = opts;
    err = mg_walk(&t, &w);
    bson_destroy(filter);
    bson_destroy(opts);
    return err;
}

struct update_many {
    mongoc_collection_t *collection;
    const bson_t        *filter, *update;
};

static bool call_update_many(void *arg, bson_error_t *error)
{
    struct update_many *u = arg;

    return mongoc_collection_update_many(u->collection, u->filter, u->update, NULL, NULL, error);
}

static void append_among(bson_t *filter, const struct store_ids *ids)
{
    bson_t among, list;

    BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &among);
    BSON_APPEND_ARRAY_BEGIN(&among, "$in", &list);
    for (size_t n = 0; n < ids->count; n++) {
        char        storage[16];
        const char *position;

        bson_uint32_to_string((uint32_t)n, &position, storage, sizeof(storage));
        BSON_APPEND_UTF8(&list, position, ids->ids[n]);
    }
    bson_append_array_end(&among, &list);
    bson_append_document_end(filter, &among);
}

int mg_notifications_read(struct store_session *s, const char *person,
                          const struct store_ids *ids)
{
    bson_t filter = BSON_INITIALIZER, *update;
    struct update_many u = { NULL, &filter, NULL };
    struct mg_try t;
    int err = 0;

    if (!mg_begin(&t, s, true))
        return ERR_STORE;
    append_among(&filter, ids);
    BSON_APPEND_UTF8(&filter, "person", person);
    BSON_APPEND_BOOL(&filter, "unread", true);
    update = BCON_NEW("$set", "{", "unread", BCON_BOOL(false), "}");
    u.collection = s->notifications;
    u.update = update;
    if (!mg_make(&t, call_update_many, &u))
        err = t.err;
    bson_destroy(&filter);
    bson_destroy(update);
    return err;
}

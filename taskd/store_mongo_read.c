/* store_mongo_read.c -- one task, its timeline, the outbox.
 *
 * A timeline has two places: the newest events are in the task's document, all that left it
 * are in `events` (apply sees to that), and a reader takes from `events` only what is older than
 * the window it has just read. So nothing is missing and nothing comes twice, whatever is settled
 * meanwhile. */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "taskd/store_mongo.h"

int mg_walk(struct mg_try *t, const struct mg_walk *w)
{
    for (;;) {
        bson_error_t  error = { 0 };
        const bson_t *doc;
        int err = 0;
        mongoc_cursor_t *cursor = w->is_pipeline
            ? mongoc_collection_aggregate(w->collection, MONGOC_QUERY_NONE, w->filter, w->opts,
                                          NULL)
            : mongoc_collection_find_with_opts(w->collection, w->filter, w->opts, NULL);
        bool is_ok;

        while (err == 0 && mongoc_cursor_next(cursor, &doc))
            err = w->on_doc(doc, w->arg);
        is_ok = err != 0 || !mongoc_cursor_error(cursor, &error);
        mongoc_cursor_destroy(cursor);
        if (is_ok)
            return err;
        if (!mg_again(t, &error))
            return t->err;
        w->restart(w->arg);
    }
}

struct one {
    bson_t *out;
    bool    is_there;
};

static int on_one(const bson_t *doc, void *arg)
{
    struct one *one = arg;

    bson_copy_to(doc, one->out);
    one->is_there = true;
    return 1;                                  /* enough */
}

static void forget_one(void *arg)
{
    (void)arg;                                 /* on_one ended the walk where it found any */
}

int mg_find_one(struct mg_try *t, mongoc_collection_t *c, const bson_t *filter, bson_t *opts,
                bson_t *out)
{
    bson_t limited = BSON_INITIALIZER;
    struct one one = { out, false };
    struct mg_walk w = { .collection = c, .filter = filter, .opts = &limited, .on_doc = on_one,
                         .restart = forget_one, .arg = &one };
    int err;

    if (opts != NULL)
        bson_concat(&limited, opts);
    BSON_APPEND_INT64(&limited, "limit", 1);
    BSON_APPEND_INT64(&limited, "maxTimeMS", MG_READ_TIME_MS);
    err = mg_walk(t, &w);
    bson_destroy(&limited);
    return one.is_there ? 0 : err == 0 ? ERR_NOT_FOUND : err;
}

static void filter_by_id(bson_t *filter, const char *id)
{
    bson_oid_t oid;

    bson_oid_init_from_string(&oid, id);
    BSON_APPEND_OID(filter, "_id", &oid);
}

/* A task document; only the fields of `projection`, where there is one. */
static int find_task(struct mg_try *t, const char *id, const char *only, bson_t *out)
{
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, fields;
    int    err;

    filter_by_id(&filter, id);
    if (only != NULL) {
        BSON_APPEND_DOCUMENT_BEGIN(&opts, "projection", &fields);
        BSON_APPEND_INT32(&fields, only, 1);
        bson_append_document_end(&opts, &fields);
    }
    err = mg_find_one(t, t->s->tasks, &filter, &opts, out);
    bson_destroy(&filter);
    bson_destroy(&opts);
    return err;
}

int mg_load(struct mg_try *t, const char *id, struct task *out)
{
    bson_t doc;
    int    err = find_task(t, id, NULL, &doc);

    if (err != 0)
        return err;
    err = mg_task_from_bson(&doc, out, NULL);
    bson_destroy(&doc);
    return err;
}

int mg_get(struct store_session *s, const char *id, struct task *out)
{
    struct mg_try t;

    return mg_begin(&t, s, false) ? mg_load(&t, id, out) : ERR_STORE;
}

int mg_find_place(struct store_session *s, const char *place, struct task *out)
{
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, sort, doc;
    struct mg_try t;
    int    err = ERR_STORE;

    BSON_APPEND_UTF8(&filter, "places", place);
    BSON_APPEND_DOCUMENT_BEGIN(&opts, "sort", &sort);
    BSON_APPEND_INT32(&sort, "createdAt", -1);
    BSON_APPEND_INT32(&sort, "_id", -1);
    bson_append_document_end(&opts, &sort);
    if (mg_begin(&t, s, false))
        err = mg_find_one(&t, s->tasks, &filter, &opts, &doc);
    if (err == 0) {
        err = mg_task_from_bson(&doc, out, NULL);
        bson_destroy(&doc);
    }
    bson_destroy(&filter);
    bson_destroy(&opts);
    return err;
}

/* --- keys --- */

int mg_find_key(struct mg_try *t, const char *id, const char *key)
{
    bson_t     filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, fields, ignored;
    bson_oid_t oid;
    int        err;

    bson_oid_init_from_string(&oid, id);
    BSON_APPEND_OID(&filter, "task", &oid);
    BSON_APPEND_UTF8(&filter, "key", key);
    BSON_APPEND_DOCUMENT_BEGIN(&opts, "projection", &fields);
    BSON_APPEND_INT32(&fields, "_id", 1);
    bson_append_document_end(&opts, &fields);
    err = mg_find_one(t, t->s->events, &filter, &opts, &ignored);
    if (err == 0)
        bson_destroy(&ignored);
    bson_destroy(&filter);
    bson_destroy(&opts);
    return err;
}

static bool window_has_key(const bson_t *doc, const char *key)
{
    bson_iter_t i, event;

    if (!bson_iter_init_find(&i, doc, "events") || !bson_iter_recurse(&i, &event))
        return false;
    while (bson_iter_next(&event)) {
        bson_iter_t member;

        if (bson_iter_recurse(&event, &member) && bson_iter_find(&member, "key")
            && BSON_ITER_HOLDS_UTF8(&member) && strcmp(bson_iter_utf8(&member, NULL), key) == 0)
            return true;
    }
    return false;
}

int mg_has_key(struct store_session *s, const char *id, const char *key)
{
    struct mg_try t;
    bson_t doc;
    bool   is_there;
    int    err = mg_begin(&t, s, false) ? find_task(&t, id, "events.key", &doc) : ERR_STORE;

    if (err != 0)
        return err;
    is_there = *key != '\0' && window_has_key(&doc, key);
    bson_destroy(&doc);
    if (is_there)
        return 0;
    return *key == '\0' ? ERR_NOT_FOUND : mg_find_key(&t, id, key);
}

/* --- the timeline --- */

static int on_event(const bson_t *doc, void *arg)
{
    return mg_event_from_bson(doc, store_timeline_add(arg));
}

static void forget_events(void *arg)
{
    store_timeline_deinit(arg);
}

/* Events of the collection with after < seq < before, in the order asked for. */
static int find_older(struct mg_try *t, const struct store_events_query *q, int64_t before,
                      size_t limit, struct store_timeline *out)
{
    char   low[MG_EVENT_ID_SIZE], high[MG_EVENT_ID_SIZE];
    bson_t *filter, *opts;
    struct mg_walk w = { .collection = t->s->events, .on_doc = on_event,
                         .restart = forget_events, .arg = out };
    int err;

    mg_event_id(low, q->id, q->after);
    mg_event_id(high, q->id, before);
    filter = BCON_NEW("_id", "{", "$gt", BCON_UTF8(low), "$lt", BCON_UTF8(high), "}");
    opts = BCON_NEW("sort", "{", "_id", BCON_INT32(q->newest ? -1 : 1), "}", "limit",
                    BCON_INT64((int64_t)limit), "maxTimeMS", BCON_INT64(MG_READ_TIME_MS));
    w.filter = filter;
    w.opts = opts;
    err = mg_walk(t, &w);
    bson_destroy(filter);
    bson_destroy(opts);
    return err;
}

static bool is_asked_for(const struct store_events_query *q, int64_t seq)
{
    return seq > q->after && (q->before <= 0 || seq < q->before);
}

/* The window's part, newest or oldest first as the query goes, while there is room. */
static void take_window(const struct store_events_query *q, const struct task *t,
                        struct store_timeline *out)
{
    for (size_t n = 0; n < t->event_count && out->count < q->limit; n++) {
        const struct event *e = &t->events[q->newest ? t->event_count - 1 - n : n];

        if (is_asked_for(q, e->seq))
            event_copy(store_timeline_add(out), e);
    }
}

static int take_older(struct mg_try *t, const struct store_events_query *q, int64_t first_kept,
                      struct store_timeline *out)
{
    struct store_timeline older = { NULL, 0 };
    int64_t before = q->before > 0 && q->before < first_kept ? q->before : first_kept;
    int err;

    if (out->count >= q->limit || before <= q->after + 1)
        return 0;
    err = find_older(t, q, before, q->limit - out->count, &older);
    for (size_t i = 0; err == 0 && i < older.count; i++) {
        *store_timeline_add(out) = older.events[i];
        event_init(&older.events[i]);          /* moved */
    }
    store_timeline_deinit(&older);
    return err;
}

static void reverse(struct store_timeline *t)
{
    for (size_t i = 0; i < t->count / 2; i++) {
        struct event swap = t->events[i];

        t->events[i] = t->events[t->count - 1 - i];
        t->events[t->count - 1 - i] = swap;
    }
}

int mg_events(struct store_session *s, const struct store_events_query *q,
              struct store_timeline *out)
{
    struct mg_try t;
    struct task   task;
    int64_t       first_kept;
    int           err;

    task_init(&task);
    err = mg_begin(&t, s, false) ? mg_load(&t, q->id, &task) : ERR_STORE;
    if (err != 0)
        return err;
    first_kept = task.event_count != 0 ? task.events[0].seq : task.seq + 1;
    if (q->newest) {
        take_window(q, &task, out);
        err = take_older(&t, q, first_kept, out);
        reverse(out);
    } else {
        err = take_older(&t, q, first_kept, out);
        if (err == 0)
            take_window(q, &task, out);
    }
    task_deinit(&task);
    return err;
}

/* --- the outbox --- */

static int on_pending(const bson_t *doc, void *arg)
{
    bson_iter_t i, org, at;
    char id[TASK_ID_LEN + 1];

    if (!bson_iter_init_find(&i, doc, "_id") || !BSON_ITER_HOLDS_OID(&i) ||
        !bson_iter_init_find(&org, doc, "orgId") || !BSON_ITER_HOLDS_UTF8(&org) ||
        !bson_iter_init_find(&at, doc, "updatedAt") || !BSON_ITER_HOLDS_DATE_TIME(&at))
        return ERR_CORRUPT;
    bson_oid_to_string(bson_iter_oid(&i), id);
    store_outbox_add(arg, id, bson_iter_utf8(&org, NULL), bson_iter_date_time(&at));
    return 0;
}

static void forget_pending(void *arg)
{
    store_outbox_deinit(arg);
}

int mg_unpublished(struct store_session *s, int64_t from_wall_ms, int64_t before_wall_ms,
                   size_t limit, struct store_outbox *out)
{
    struct mg_try t;
    struct mg_walk w = { .on_doc = on_pending, .restart = forget_pending, .arg = out };
    bson_t *filter, *opts;
    int err;

    if (!mg_begin(&t, s, false))
        return ERR_STORE;
    filter = BCON_NEW("unpublished", BCON_BOOL(true), "updatedAt", "{", "$gte",
                      BCON_DATE_TIME(from_wall_ms), "$lt", BCON_DATE_TIME(before_wall_ms), "}");
    opts = BCON_NEW("sort", "{", "updatedAt", BCON_INT32(1), "}", "limit",
                    BCON_INT64((int64_t)limit), "projection", "{", "_id", BCON_INT32(1), "orgId",
                    BCON_INT32(1), "updatedAt", BCON_INT32(1), "}", "maxTimeMS",
                    BCON_INT64(MG_READ_TIME_MS));
    w.collection = s->tasks;
    w.filter = filter;
    w.opts = opts;
    err = mg_walk(&t, &w);
    bson_destroy(filter);
    bson_destroy(opts);
    return err;
}

int mg_unpublished_count(struct store_session *s, int64_t *out)
{
    bson_t *filter, *opts;
    struct mg_try t;
    int64_t n = -1;

    if (!mg_begin(&t, s, false))
        return ERR_STORE;
    filter = BCON_NEW("unpublished", BCON_BOOL(true));
    opts = BCON_NEW("maxTimeMS", BCON_INT64(MG_READ_TIME_MS));
    for (;;) {
        bson_error_t error = { 0 };

        n = mongoc_collection_count_documents(s->tasks, filter, opts, NULL, NULL, &error);
        if (n >= 0 || !mg_again(&t, &error))
            break;
    }
    bson_destroy(filter);
    bson_destroy(opts);
    *out = n;
    return n >= 0 ? 0 : t.err;
}

/* --- seqs --- */

static int on_seq(const bson_t *doc, void *arg)
{
    bson_iter_t i, seq;
    char id[TASK_ID_LEN + 1];

    if (!bson_iter_init_find(&i, doc, "_id") || !BSON_ITER_HOLDS_OID(&i))
        return ERR_CORRUPT;
    bson_oid_to_string(bson_iter_oid(&i), id);
    if (!bson_iter_init(&i, doc) || !bson_iter_find_descendant(&i, "published.seq", &seq))
        return ERR_CORRUPT;
    store_seqs_add(arg, id, bson_iter_as_int64(&seq));
    return 0;
}

static void forget_seqs(void *arg)
{
    store_seqs_deinit(arg);
}

static void filter_by_ids(bson_t *filter, const struct store_ids *ids)
{
    bson_t among, list;

    BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &among);
    BSON_APPEND_ARRAY_BEGIN(&among, "$in", &list);
    for (size_t n = 0; n < ids->count; n++) {
        char        storage[16];
        const char *position;
        bson_oid_t  oid;

        bson_uint32_to_string((uint32_t)n, &position, storage, sizeof(storage));
        bson_oid_init_from_string(&oid, ids->ids[n]);
        BSON_APPEND_OID(&list, position, &oid);
    }
    bson_append_array_end(&among, &list);
    bson_append_document_end(filter, &among);
}

int mg_seqs(struct store_session *s, const struct store_ids *ids, struct store_seqs *out)
{
    struct mg_walk w = { .on_doc = on_seq, .restart = forget_seqs, .arg = out };
    bson_t filter = BSON_INITIALIZER, *opts;
    struct mg_try t;
    int err;

    if (!mg_begin(&t, s, false))
        return ERR_STORE;
    filter_by_ids(&filter, ids);
    opts = BCON_NEW("projection", "{", "published", BCON_INT32(1), "}", "batchSize",
                    BCON_INT32(STORE_SEQS_MAX), "maxTimeMS", BCON_INT64(MG_READ_TIME_MS));
    w.collection = s->tasks;
    w.filter = &filter;
    w.opts = opts;
    err = mg_walk(&t, &w);
    bson_destroy(&filter);
    bson_destroy(opts);
    return err;
}

/* store_mongo_group.c -- changes and marks of many tasks, each with one command for all.
 *
 * A server charges for a command about as much as for a change in it, and waits for a majority
 * once. So what gathered while the command before was under way goes out as one: an unordered
 * list of updates, each under the guard of its own change. What comes back is how many
 * matched, and nearly always that is all of them. Otherwise the documents are asked for the
 * nonces of their newest events, which tells who was let in; the others are STORE_IN_DOUBT, and
 * are gone into one by one where they hold up nobody (mg_apply_again).
 *
 * Updates stand in the order of their ids: servers that lock what they change until the command
 * is over would otherwise run into each other.
 *
 * A mark says all it has to in one pipeline update, whatever it finds: it never moves back, flags
 * the task where its bucket changes, and takes the outbox's mark if nothing came since. */
#include "taskd/store_mongo.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"

struct group {
    struct mg_try          try;
    struct store_attempt **all;                /* by id */
    size_t                 count, made;        /* those to be made stand first */
    int64_t                matched;
};

/* name: {$in: [the ids of the first `end`]} */
static void append_ids(bson_t *filter, const char *name, const struct group *g, size_t end)
{
    bson_t among, list;

    BSON_APPEND_DOCUMENT_BEGIN(filter, name, &among);
    BSON_APPEND_ARRAY_BEGIN(&among, "$in", &list);
    for (size_t i = 0; i < end; i++) {
        char        storage[16];
        const char *position;
        bson_oid_t  id;

        bson_uint32_to_string((uint32_t)i, &position, storage, sizeof(storage));
        bson_oid_init_from_string(&id, g->all[i]->change->before->id);
        BSON_APPEND_OID(&list, position, &id);
    }
    bson_append_array_end(&among, &list);
    bson_append_document_end(filter, &among);
}

/* --- keys that have left their windows --- */

static bool has_left_window(const struct store_attempt *a)
{
    return a->change->event->key[0] != '\0' && a->change->before->seq > TASK_EVENTS_KEPT;
}

static int on_old_key(const bson_t *doc, void *arg)
{
    struct group *g = arg;
    bson_iter_t   i;
    const char   *key;
    char          id[TASK_ID_LEN + 1];

    if (!bson_iter_init_find(&i, doc, "task") || !BSON_ITER_HOLDS_OID(&i))
        return ERR_CORRUPT;
    bson_oid_to_string(bson_iter_oid(&i), id);
    if (!bson_iter_init_find(&i, doc, "key") || !BSON_ITER_HOLDS_UTF8(&i))
        return ERR_CORRUPT;
    key = bson_iter_utf8(&i, NULL);
    for (size_t n = 0; n < g->count; n++)
        if (strcmp(g->all[n]->change->before->id, id) == 0
            && strcmp(g->all[n]->change->event->key, key) == 0)
            g->all[n]->err = STORE_IN_DOUBT;   /* a repeat, or this very call once before */
    return 0;
}

static void forget_nothing(void *arg)
{
    (void)arg;                                 /* to be in doubt is no harm */
}

static void append_keys(bson_t *filter, const struct group *g, size_t end)
{
    bson_t among, list;

    BSON_APPEND_DOCUMENT_BEGIN(filter, "key", &among);
    BSON_APPEND_ARRAY_BEGIN(&among, "$in", &list);
    for (size_t i = 0; i < end; i++) {
        char        storage[16];
        const char *position;

        bson_uint32_to_string((uint32_t)i, &position, storage, sizeof(storage));
        BSON_APPEND_UTF8(&list, position, g->all[i]->change->event->key);
    }
    bson_append_array_end(&among, &list);
    bson_append_document_end(filter, &among);
}

static void move_to_front(struct store_attempt **all, size_t at, size_t to)
{
    struct store_attempt *a = all[at];

    memmove(all + to + 1, all + to, (at - to) * sizeof(struct store_attempt *));
    all[to] = a;
}

/* Whose key was applied so long ago that it left the window? One question for all of them. */
static int look_for_old_keys(struct group *g)
{
    bson_t filter = BSON_INITIALIZER, *opts;
    struct mg_walk w = { .collection = g->try.s->events, .filter = &filter, .on_doc = on_old_key,
                         .restart = forget_nothing, .arg = g };
    size_t old = 0;
    int    err;

    for (size_t i = 0; i < g->count; i++)
        if (has_left_window(g->all[i]))
            move_to_front(g->all, i, old++);
    if (old == 0)
        return 0;
    append_ids(&filter, "task", g, old);
    append_keys(&filter, g, old);
    opts = BCON_NEW("projection", "{", "task", BCON_INT32(1), "key", BCON_INT32(1), "}",
                    "maxTimeMS", BCON_INT64(MG_READ_TIME_MS));
    w.opts = opts;
    err = mg_walk(&g->try, &w);
    bson_destroy(&filter);
    bson_destroy(opts);
    return err;
}

/* --- the command --- */

static int by_id(const void *a, const void *b)
{
    const struct store_attempt *const *x = a, *const *y = b;

    return strcmp((*x)->change->before->id, (*y)->change->before->id);
}

/* Those to be made come first, by id. */
static void put_in_order(struct group *g)
{
    g->made = 0;
    for (size_t i = 0; i < g->count; i++)
        if (g->all[i]->err == 0)
            move_to_front(g->all, i, g->made++);
    qsort(g->all, g->made, sizeof(struct store_attempt *), by_id);
}

static bool has_any(const bson_t *reply, const char *list)
{
    bson_iter_t i, item;

    return bson_iter_init_find(&i, reply, list) && BSON_ITER_HOLDS_ARRAY(&i)
        && bson_iter_recurse(&i, &item) && bson_iter_next(&item);
}

/* Was the list answered, though some of its updates were refused? What they say is found out by
 * making them alone. */
static bool bulk_execute(mongoc_bulk_operation_t *bulk, int64_t *matched, bson_error_t *error)
{
    bson_t      reply;
    bson_iter_t i;
    bool is_ok = mongoc_bulk_operation_execute(bulk, &reply, error) != 0;

    if (!is_ok)
        is_ok = error->domain == MONGOC_ERROR_SERVER && has_any(&reply, "writeErrors")
            && !has_any(&reply, "writeConcernErrors");
    *matched = bson_iter_init_find(&i, &reply, "nMatched") ? bson_iter_as_int64(&i) : 0;
    bson_destroy(&reply);
    mongoc_bulk_operation_destroy(bulk);
    return is_ok;
}

static mongoc_bulk_operation_t *bulk_new(mongoc_collection_t *c)
{
    bson_t opts = BSON_INITIALIZER;
    mongoc_bulk_operation_t *bulk;

    BSON_APPEND_BOOL(&opts, "ordered", false);
    bulk = mongoc_collection_create_bulk_operation_with_opts(c, &opts);
    bson_destroy(&opts);
    return bulk;
}

static bool call_apply(void *arg, bson_error_t *error)
{
    struct group *g = arg;
    mongoc_bulk_operation_t *bulk = bulk_new(g->try.s->tasks);
    bool is_ok = true;

    for (size_t i = 0; is_ok && i < g->made; i++) {
        bson_t     filter = BSON_INITIALIZER, update = BSON_INITIALIZER;
        bson_oid_t nonce;

        bson_oid_init_from_data(&nonce, g->all[i]->nonce);
        mg_change_filter(g->all[i]->change, &filter);
        mg_change_to_bson(g->all[i]->change, &nonce, &update);
        is_ok = mongoc_bulk_operation_update_one_with_opts(bulk, &filter, &update, NULL, error);
        bson_destroy(&filter);
        bson_destroy(&update);
    }
    if (is_ok)
        return bulk_execute(bulk, &g->matched, error);
    mongoc_bulk_operation_destroy(bulk);
    return false;
}

/* --- who was let in --- */

static int on_newest(const bson_t *doc, void *arg)
{
    struct group *g = arg;
    bson_iter_t   i;
    bson_oid_t    nonce;
    char          id[TASK_ID_LEN + 1];

    if (!bson_iter_init_find(&i, doc, "_id") || !BSON_ITER_HOLDS_OID(&i))
        return ERR_CORRUPT;
    bson_oid_to_string(bson_iter_oid(&i), id);
    for (size_t n = 0; n < g->made; n++) {
        struct store_attempt *a = g->all[n];

        if (strcmp(a->change->before->id, id) == 0
            && mg_kept_nonce(doc, a->change->after->seq, &nonce)
            && memcmp(nonce.bytes, a->nonce, STORE_NONCE_LEN) == 0)
            a->err = 0;
    }
    return 0;
}

/* The command was answered, so a majority has whatever it did: what is found here is certain. */
static int look_who_was_let_in(struct group *g)
{
    bson_t filter = BSON_INITIALIZER, *opts;
    struct mg_walk w = { .collection = g->try.s->tasks, .filter = &filter, .on_doc = on_newest,
                         .restart = forget_nothing, .arg = g };
    int err;

    for (size_t i = 0; i < g->made; i++)
        g->all[i]->err = STORE_IN_DOUBT;
    append_ids(&filter, "_id", g, g->made);
    opts = BCON_NEW("projection", "{", "events.seq", BCON_INT32(1), "events.nonce", BCON_INT32(1),
                    "}", "maxTimeMS", BCON_INT64(MG_READ_TIME_MS));
    w.opts = opts;
    err = mg_walk(&g->try, &w);
    bson_destroy(&filter);
    bson_destroy(opts);
    return err;
}

static int apply_all(struct group *g)
{
    int err = look_for_old_keys(g);

    put_in_order(g);
    if (err != 0 || g->made == 0)
        return err;
    if (!mg_make(&g->try, call_apply, g))
        return g->try.err;
    return g->matched == (int64_t)g->made ? 0 : look_who_was_let_in(g);
}

void mg_apply_group(struct store_session *s, struct store_attempt *attempts, size_t count)
{
    struct group g = { .count = count };
    int err = ERR_STORE;

    g.all = mem_alloc(count * sizeof(struct store_attempt *));
    for (size_t i = 0; i < count; i++) {
        bson_oid_t nonce;

        bson_oid_init(&nonce, NULL);
        memcpy(attempts[i].nonce, nonce.bytes, STORE_NONCE_LEN);
        attempts[i].err = 0;
        g.all[i] = &attempts[i];
    }
    if (mg_begin(&g.try, s, true))
        err = apply_all(&g);
    for (size_t i = 0; i < count; i++) {
        struct store_attempt *a = &attempts[i];

        if (err != 0)
            a->err = err == ERR_STORE ? ERR_STORE : STORE_IN_DOUBT;   /* one of them is wrong */
        else if (a->err == 0)
            a->err = mg_change_answer(&g.try, a->change, a->out);
    }
    free(g.all);
}

/* --- marks --- */

struct marks {
    mongoc_collection_t         *tasks;
    const struct store_marking **all;          /* by id */
    size_t                       count;
};

static bson_t *mark_pipeline(const struct store_marking *m)
{
    const char *bucket = bucket_wire(m->bucket);
    bson_t *is_news = BCON_NEW("$lt", "[", "$published.seq", BCON_INT64(m->seq), "]");
    bson_t *steps = BCON_NEW(
        "0", "{", "$set", "{",
        "uncounted", "{", "$cond", "[", "{", "$and", "[", BCON_DOCUMENT(is_news),
            "{", "$ne", "[", "$published.bucket", BCON_UTF8(bucket), "]", "}", "]", "}",
            BCON_BOOL(true), "$uncounted", "]", "}",
        "published", "{", "$cond", "[", BCON_DOCUMENT(is_news),
            "{", "seq", BCON_INT64(m->seq), "bucket", BCON_UTF8(bucket), "}", "$published",
            "]", "}",
        "unpublished", "{", "$cond", "[", "{", "$eq", "[", "$seq", BCON_INT64(m->seq), "]", "}",
            "$$REMOVE", "$unpublished", "]", "}",
        "}", "}");

    bson_destroy(is_news);
    return steps;
}

static bool call_mark(void *arg, bson_error_t *error)
{
    struct marks *m = arg;
    mongoc_bulk_operation_t *bulk = bulk_new(m->tasks);
    int64_t matched;
    bool    is_ok = true;

    error->code = 0;
    for (size_t i = 0; is_ok && i < m->count; i++) {
        bson_t    *steps = mark_pipeline(m->all[i]), *filter;
        bson_oid_t id;

        bson_oid_init_from_string(&id, m->all[i]->id);
        filter = BCON_NEW("_id", BCON_OID(&id));
        is_ok = mongoc_bulk_operation_update_one_with_opts(bulk, filter, steps, NULL, error);
        bson_destroy(filter);
        bson_destroy(steps);
    }
    if (is_ok)
        return bulk_execute(bulk, &matched, error) && error->code == 0;
    mongoc_bulk_operation_destroy(bulk);
    return false;
}

static int by_mark_id(const void *a, const void *b)
{
    const struct store_marking *const *x = a, *const *y = b;

    return strcmp((*x)->id, (*y)->id);
}

int mg_mark_group(struct store_session *s, const struct store_marking *marks, size_t count)
{
    struct marks  m = { .count = count };
    struct mg_try try;
    int err = ERR_STORE;

    if (!mg_begin(&try, s, true))
        return ERR_STORE;
    m.tasks = s->tasks;
    m.all = mem_alloc(count * sizeof(struct store_marking *));
    for (size_t i = 0; i < count; i++)
        m.all[i] = &marks[i];
    qsort(m.all, count, sizeof(struct store_marking *), by_mark_id);
    err = mg_make(&try, call_mark, &m) ? 0 : try.err;
    free(m.all);
    for (size_t i = 0; err == 0 && i < count; i++)
        mg_counts_moved(s, marks[i].id);
    return err;
}

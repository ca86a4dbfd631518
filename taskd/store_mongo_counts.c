/* store_mongo_counts.c -- how many tasks of an org are published in which bucket, exactly, without
 * counting them.
 *
 * Grouping 200,000 documents takes the better part of a second; a total beside them, changed by
 * a second write, drifts with the first crash between the two. So the total is kept like this.
 * A mark that moves a task to another bucket flags it `uncounted`, in its one write. `counts`
 * holds one document per org: the total of all tasks as they were *counted*, and a version. The
 * truth is that total, and for each flagged task one less where it was counted and one more
 * where it is published; flagged ones are few, for now and then a batch of them is folded in:
 *
 *   1. read the total at version v, then flagged tasks
 *   2. write total + batch, pending: batch, version v+1   where it is still v: one folder wins
 *   3. for each of the batch: counted = (v+1, bucket)     where its counted.v is lower
 *   4. write pending: [], version v+2                     where it is still v+1
 *
 * A crash after 2 leaves a pending batch: the total has it, its tasks may not say so yet. Whoever
 * comes next does 3 and 4 (again), before anything else; doing them twice, or late, changes
 * nothing, by the versions. A reader who finds the same version before and after it has read the
 * flagged tasks has read one moment's truth. */
#include "taskd/store_mongo.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "taskd/fault.h"

#define FOLD_MAX   256                         /* tasks of one batch: 20 KB of pending */
#define FOLD_ABOVE 32                          /* flagged tasks that a reader adds up itself */
#define FOLD_EVERY 64                          /* of a session's marks */
#define ROUNDS_MAX 24                          /* then all are counted: a backlog, or a crowd */

/* A flagged task, or one of a pending batch (then `to` is where it was counted). */
struct move {
    bson_oid_t  task;
    char        sub[129];                      /* its creator */
    enum bucket from, to;                      /* BUCKET_NONE: was not counted */
};

struct moves {
    struct move *items;
    size_t       count;
};

/* The document of an org. */
struct tally {
    bool                is_there;
    int64_t             version;
    struct store_counts counts;
    struct moves        pending;
};

static void tally_deinit(struct tally *t)
{
    store_counts_deinit(&t->counts);
    free(t->pending.items);
    *t = (struct tally){ .version = 0 };
}

static struct move *moves_add(struct moves *m)
{
    m->items = mem_resize(m->items, (m->count + 1) * sizeof(*m->items));
    m->items[m->count] = (struct move){ .from = BUCKET_NONE, .to = BUCKET_NONE };
    return &m->items[m->count++];
}

/* --- adding up --- */

static int64_t *counts_of(struct store_counts *c, enum bucket bucket, const char *sub)
{
    size_t at = 0;

    if (bucket < BUCKETS_PER_SCOPE)
        return &c->org[bucket];
    while (at < c->people_count && strcmp(c->people[at].sub, sub) != 0)
        at++;
    if (at == c->people_count)
        store_counts_add(c, sub);
    return &c->people[at].n[bucket - BUCKETS_PER_SCOPE];
}

static void add_moves(struct store_counts *c, const struct moves *moves)
{
    for (size_t i = 0; i < moves->count; i++) {
        const struct move *m = &moves->items[i];

        if (m->from != BUCKET_NONE)
            *counts_of(c, m->from, m->sub) -= 1;
        if (m->to != BUCKET_NONE)
            *counts_of(c, m->to, m->sub) += 1;
    }
}

/* People with nothing any more are left out. */
static void drop_empty(struct store_counts *c)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->people_count; i++) {
        const int64_t *n = c->people[i].n;

        if (n[0] != 0 || n[1] != 0 || n[2] != 0)
            c->people[kept++] = c->people[i];
    }
    c->people_count = kept;
}

/* --- the document of an org --- */

static enum bucket bucket_at(const bson_t *doc, const char *path)
{
    bson_iter_t i, found;
    enum bucket bucket;

    if (!bson_iter_init(&i, doc) || !bson_iter_find_descendant(&i, path, &found)
        || !BSON_ITER_HOLDS_UTF8(&found)
        || bucket_parse(slice_of(bson_iter_utf8(&found, NULL)), &bucket) != 0)
        return BUCKET_NONE;
    return bucket;
}

static void text_at(const bson_t *doc, const char *name, char out[129])
{
    bson_iter_t i;

    out[0] = '\0';
    if (bson_iter_init_find(&i, doc, name) && BSON_ITER_HOLDS_UTF8(&i))
        bson_strncpy(out, bson_iter_utf8(&i, NULL), 129);
}

static void take_numbers(const bson_t *doc, int64_t n[BUCKETS_PER_SCOPE])
{
    static const char *const NAMES[BUCKETS_PER_SCOPE] = { "active", "completed", "failed" };
    bson_iter_t i;

    for (int k = 0; k < BUCKETS_PER_SCOPE; k++)
        n[k] = bson_iter_init_find(&i, doc, NAMES[k]) ? bson_iter_as_int64(&i) : 0;
}

static void put_numbers(bson_t *out, const int64_t n[BUCKETS_PER_SCOPE])
{
    BSON_APPEND_INT64(out, "active", n[0]);
    BSON_APPEND_INT64(out, "completed", n[1]);
    BSON_APPEND_INT64(out, "failed", n[2]);
}

static bool find_list(const bson_t *doc, const char *name, bson_iter_t *out)
{
    bson_iter_t i;

    return bson_iter_init_find(&i, doc, name) && bson_iter_recurse(&i, out);
}

static void take_tally(const bson_t *doc, struct tally *t)
{
    bson_iter_t i;
    bson_t      part;

    t->is_there = true;
    t->version = bson_iter_init_find(&i, doc, "v") ? bson_iter_as_int64(&i) : 0;
    take_numbers(doc, t->counts.org);
    if (find_list(doc, "people", &i))
        while (bson_iter_next(&i) && mg_iter_document(&i, &part)) {
            char sub[129];

            text_at(&part, "sub", sub);
            take_numbers(&part, store_counts_add(&t->counts, sub)->n);
        }
    if (find_list(doc, "pending", &i))
        while (bson_iter_next(&i) && mg_iter_document(&i, &part)) {
            struct move *m = moves_add(&t->pending);
            bson_iter_t  id;

            if (bson_iter_init_find(&id, &part, "task") && BSON_ITER_HOLDS_OID(&id))
                m->task = *bson_iter_oid(&id);
            m->to = bucket_at(&part, "bucket");
        }
}

static int read_tally(struct mg_try *t, const char *org, struct tally *out)
{
    bson_t filter = BSON_INITIALIZER, doc;
    int    err;

    *out = (struct tally){ .version = 0 };
    BSON_APPEND_UTF8(&filter, "_id", org);
    err = mg_find_one(t, t->s->counts, &filter, NULL, &doc);
    bson_destroy(&filter);
    if (err == 0) {
        take_tally(&doc, out);
        bson_destroy(&doc);
    }
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* Begin the n-th document of a list. */
static void begin_item(bson_t *list, size_t n, bson_t *item)
{
    char        storage[16];
    const char *position;

    bson_uint32_to_string((uint32_t)n, &position, storage, sizeof(storage));
    BSON_APPEND_DOCUMENT_BEGIN(list, position, item);
}

static void put_tally(const struct tally *t, bson_t *out)
{
    bson_t list, item;

    BSON_APPEND_INT64(out, "v", t->version);
    put_numbers(out, t->counts.org);
    BSON_APPEND_ARRAY_BEGIN(out, "people", &list);
    for (size_t i = 0; i < t->counts.people_count; i++) {
        begin_item(&list, i, &item);
        BSON_APPEND_UTF8(&item, "sub", t->counts.people[i].sub);
        put_numbers(&item, t->counts.people[i].n);
        bson_append_document_end(&list, &item);
    }
    bson_append_array_end(out, &list);
    BSON_APPEND_ARRAY_BEGIN(out, "pending", &list);
    for (size_t i = 0; i < t->pending.count; i++) {
        begin_item(&list, i, &item);
        BSON_APPEND_OID(&item, "task", &t->pending.items[i].task);
        BSON_APPEND_UTF8(&item, "bucket", bucket_wire(t->pending.items[i].to));
        bson_append_document_end(&list, &item);
    }
    bson_append_array_end(out, &list);
}

/* Write it over version `from`; 0 also where another was faster: whoever reads again will see. */
static int write_tally(struct mg_try *t, const char *org, const struct tally *tally, int64_t from)
{
    bson_t  filter = BSON_INITIALIZER, update = BSON_INITIALIZER, set;
    int64_t matched;
    int     err;

    BSON_APPEND_UTF8(&filter, "_id", org);
    if (!tally->is_there) {
        put_tally(tally, &filter);             /* its first version is the whole document */
        err = mg_insert(t, t->s->counts, &filter);
        err = err == ERR_EXISTS ? 0 : err;
    } else {
        BSON_APPEND_INT64(&filter, "v", from);
        BSON_APPEND_DOCUMENT_BEGIN(&update, "$set", &set);
        put_tally(tally, &set);
        bson_append_document_end(&update, &set);
        err = mg_update(t, t->s->counts, &filter, &update, &matched);
    }
    bson_destroy(&filter);
    bson_destroy(&update);
    return err;
}

/* --- flagged tasks --- */

static int on_flagged(const bson_t *doc, void *arg)
{
    struct move *m = moves_add(arg);
    bson_iter_t i;

    if (!bson_iter_init_find(&i, doc, "_id") || !BSON_ITER_HOLDS_OID(&i))
        return ERR_CORRUPT;
    m->task = *bson_iter_oid(&i);
    text_at(doc, "createdBy", m->sub);
    m->from = bucket_at(doc, "counted.bucket");
    m->to = bucket_at(doc, "published.bucket");
    return m->to == BUCKET_NONE ? ERR_CORRUPT : 0;
}

static void forget_flagged(void *arg)
{
    struct moves *m = arg;

    free(m->items);
    *m = (struct moves){ NULL, 0 };
}

static int read_flagged(struct mg_try *t, const char *org, struct moves *out)
{
    bson_t *filter = BCON_NEW("uncounted", BCON_BOOL(true), "orgId", BCON_UTF8(org));
    bson_t *opts = BCON_NEW("projection", "{", "createdBy", BCON_INT32(1), "counted.bucket",
                            BCON_INT32(1), "published.bucket", BCON_INT32(1), "}",
                            "limit", BCON_INT64(FOLD_MAX), "hint",
                            BCON_UTF8("uncounted_1_orgId_1"), "maxTimeMS",
                            BCON_INT64(MG_READ_TIME_MS));
    struct mg_walk w = { .collection = t->s->tasks, .filter = filter, .opts = opts,
                         .on_doc = on_flagged, .restart = forget_flagged, .arg = out };
    int err = mg_walk(t, &w);

    bson_destroy(filter);
    bson_destroy(opts);
    return err;
}

/* --- folding --- */

struct settle {
    mongoc_collection_t *tasks;
    const struct tally  *tally;
};

/* Two updates for each task: where it is still published as it was counted the flag goes too. */
static bool call_settle(void *arg, bson_error_t *error)
{
    struct settle *s = arg;
    bson_t *opts = BCON_NEW("ordered", BCON_BOOL(true));
    mongoc_bulk_operation_t *bulk =
        mongoc_collection_create_bulk_operation_with_opts(s->tasks, opts);
    bool    is_ok = true;

    for (size_t i = 0; is_ok && i < s->tally->pending.count; i++) {
        const struct move *m = &s->tally->pending.items[i];
        const char *bucket = bucket_wire(m->to);
        bson_t *still = BCON_NEW("_id", BCON_OID(&m->task), "published.bucket", BCON_UTF8(bucket),
                                 "counted.v", "{", "$lt", BCON_INT64(s->tally->version), "}");
        bson_t *moved = BCON_NEW("_id", BCON_OID(&m->task),
                                 "counted.v", "{", "$lt", BCON_INT64(s->tally->version), "}");
        bson_t *set = BCON_NEW("$set", "{", "counted", "{", "v", BCON_INT64(s->tally->version),
                               "bucket", BCON_UTF8(bucket), "}", "}");
        bson_t *clear = BCON_NEW("$set", "{", "counted", "{", "v", BCON_INT64(s->tally->version),
                                 "bucket", BCON_UTF8(bucket), "}", "}",
                                 "$unset", "{", "uncounted", BCON_UTF8(""), "}");

        is_ok = mongoc_bulk_operation_update_one_with_opts(bulk, still, clear, NULL, error)
            && mongoc_bulk_operation_update_one_with_opts(bulk, moved, set, NULL, error);
        bson_destroy(still);
        bson_destroy(moved);
        bson_destroy(set);
        bson_destroy(clear);
    }
    is_ok = is_ok && mongoc_bulk_operation_execute(bulk, NULL, error) != 0;
    mongoc_bulk_operation_destroy(bulk);
    bson_destroy(opts);
    return is_ok;
}

/* Steps 3 and 4, of one's own batch or of one that another left. */
static int finish_batch(struct mg_try *t, const char *org, struct tally *tally)
{
    struct settle s = { t->s->tasks, tally };
    int64_t from = tally->version;

    if (!mg_make(t, call_settle, &s))
        return t->err;
    free(tally->pending.items);
    tally->pending = (struct moves){ NULL, 0 };
    tally->version++;
    return write_tally(t, org, tally, from);
}

/* Step 2. What comes after it is for the next look, which finds the batch pending if it was
 * written, and another's if that was faster. */
static int begin_batch(struct mg_try *t, const char *org, struct tally *tally,
                       const struct moves *flagged)
{
    int64_t from = tally->version;

    add_moves(&tally->counts, flagged);
    drop_empty(&tally->counts);
    free(tally->pending.items);
    tally->pending.items = mem_dup(flagged->items, flagged->count * sizeof(*flagged->items));
    tally->pending.count = flagged->count;
    tally->version++;
    return write_tally(t, org, tally, from);
}

/* --- counts --- */

/* One look: 0 with the answer, 1 to look again, or an error. */
static int look(struct mg_try *t, const char *org, size_t fold_above, struct store_counts *out)
{
    struct tally tally, again = { .version = 0 };
    struct moves flagged = { NULL, 0 };
    int err = read_tally(t, org, &tally);

    if (err == 0 && tally.pending.count != 0) {
        err = finish_batch(t, org, &tally);
        err = err == 0 ? 1 : err;
        goto done;
    }
    if (err == 0)
        err = read_flagged(t, org, &flagged);
    if (err == 0 && flagged.count > fold_above) {
        err = begin_batch(t, org, &tally, &flagged);
        FAULT_POINT("amid-fold");
        err = err == 0 ? 1 : err;
        goto done;
    }
    if (err == 0)
        err = read_tally(t, org, &again);
    if (err == 0 && again.version != tally.version)
        err = 1;
    if (err == 0) {
        add_moves(&tally.counts, &flagged);
        drop_empty(&tally.counts);
        *out = tally.counts;
        tally.counts = (struct store_counts){ .people = NULL };
    }
done:
    forget_flagged(&flagged);
    tally_deinit(&tally);
    tally_deinit(&again);
    return err;
}

static int on_group(const bson_t *doc, void *arg)
{
    enum bucket bucket = bucket_at(doc, "_id.bucket");
    bson_iter_t i, sub, n;

    if (bucket == BUCKET_NONE || !bson_iter_init_find(&n, doc, "n") || !bson_iter_init(&i, doc)
        || !bson_iter_find_descendant(&i, "_id.sub", &sub) || !BSON_ITER_HOLDS_UTF8(&sub))
        return ERR_CORRUPT;
    *counts_of(arg, bucket, bson_iter_utf8(&sub, NULL)) += bson_iter_as_int64(&n);
    return 0;
}

static void forget_counts(void *arg)
{
    store_counts_deinit(arg);
}

/* Count them all: right, and slow. */
static int count_all(struct mg_try *t, const char *org, struct store_counts *out)
{
    struct mg_walk w = { .collection = t->s->tasks, .is_pipeline = true, .on_doc = on_group,
                         .restart = forget_counts, .arg = out };
    bson_t *pipeline = BCON_NEW("pipeline", "[", "{", "$match", "{", "orgId", BCON_UTF8(org),
                                "published.seq", "{", "$gt", BCON_INT64(0), "}", "}", "}",
                                "{", "$group", "{", "_id", "{", "bucket", "$published.bucket",
                                "sub", "$createdBy", "}", "n", "{", "$sum", BCON_INT64(1), "}",
                                "}", "}", "]");
    bson_t *opts = BCON_NEW("maxTimeMS", BCON_INT64(MG_READ_TIME_MS));
    int err;

    w.filter = pipeline;
    w.opts = opts;
    err = mg_walk(t, &w);
    bson_destroy(pipeline);
    bson_destroy(opts);
    return err;
}

int mg_counts(struct store_session *s, const char *org, struct store_counts *out)
{
    struct mg_try t;
    int err = mg_begin(&t, s, false) ? 1 : ERR_STORE;

    for (int round = 0; err == 1 && round < ROUNDS_MAX; round++)
        err = look(&t, org, FOLD_ABOVE, out);
    return err == 1 ? count_all(&t, org, out) : err;
}

void mg_counts_moved(struct store_session *s, const char *id)
{
    struct store_counts ignored = { .people = NULL };
    struct task task;
    struct mg_try t;
    int err = 1;

    if (++s->marks % FOLD_EVERY != 0 || !mg_begin(&t, s, false))
        return;
    task_init(&task);
    if (mg_load(&t, id, &task) == 0)
        for (int round = 0; err == 1 && round < 4; round++)
            err = look(&t, task.org, FOLD_ABOVE, &ignored);
    task_deinit(&task);
    store_counts_deinit(&ignored);
}

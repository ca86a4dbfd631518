/* store_mongo_write.c -- create, settle, and one change alone, as updates of one document.
 *
 * A change is one update whose filter says all that must hold (mg_change_filter):
 *
 *   _id, seq: n                     the caller's task is the newest
 *   "events.key": {$ne: key}        and its window holds no event with this key
 *   settled: {$gte: n + 1 - KEPT}   and the event that the window drops was copied before
 *
 * Changes are made in groups (store_mongo_group.c); what did not simply match there comes here. The
 * document says why; the nonce in it tells the very call, perhaps made again after a lost
 * connection, that it had happened. Otherwise the change is made, if it can be.
 *
 * A key older than the window stands in `events`, which is asked before; the seq in the filter
 * proves that nothing was applied since. */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "taskd/fault.h"
#include "taskd/store_mongo.h"

#define ROUNDS_MAX 8                           /* each settles, or meets another */

bool mg_make(struct mg_try *t, bool (*call)(void *arg, bson_error_t *error), void *arg)
{
    bson_error_t error = { 0 };

    while (!call(arg, &error))
        if (!mg_again(t, &error))
            return false;
    return true;
}

struct insert {
    mongoc_collection_t *collection;
    const bson_t        *doc;
};

static bool call_insert(void *arg, bson_error_t *error)
{
    struct insert *i = arg;

    return mongoc_collection_insert_one(i->collection, i->doc, NULL, NULL, error);
}

int mg_insert(struct mg_try *t, mongoc_collection_t *c, const bson_t *doc)
{
    struct insert i = { c, doc };

    return mg_make(t, call_insert, &i) ? 0 : t->err;
}

struct update {
    mongoc_collection_t *collection;
    const bson_t        *filter, *update;
    int64_t              matched;
};

static bool call_update(void *arg, bson_error_t *error)
{
    struct update *u = arg;
    bson_t      reply;
    bson_iter_t i;
    bool is_ok = mongoc_collection_update_one(u->collection, u->filter, u->update, NULL, &reply,
                                              error);

    u->matched = is_ok && bson_iter_init_find(&i, &reply, "matchedCount")
        ? bson_iter_as_int64(&i) : 0;
    bson_destroy(&reply);
    return is_ok;
}

int mg_update(struct mg_try *t, mongoc_collection_t *c, const bson_t *filter,
              const bson_t *update, int64_t *out_matched)
{
    struct update u = { c, filter, update, 0 };

    if (!mg_make(t, call_update, &u))
        return t->err;
    *out_matched = u.matched;
    return 0;
}

static void append_id(bson_t *filter, const char *id)
{
    bson_oid_t oid;

    bson_oid_init_from_string(&oid, id);
    BSON_APPEND_OID(filter, "_id", &oid);
}

static int find_document(struct mg_try *t, const char *id, bson_t *out)
{
    bson_t filter = BSON_INITIALIZER;
    int    err;

    append_id(&filter, id);
    err = mg_find_one(t, t->s->tasks, &filter, NULL, out);
    bson_destroy(&filter);
    return err;
}

/* What was found by reading may not be on a majority yet. A write after it that changes
 * nothing is acknowledged only when all before it are. */
static int confirm(struct mg_try *t, const char *id)
{
    bson_t  filter = BSON_INITIALIZER, *update;
    int64_t matched;
    int     err;

    append_id(&filter, id);
    update = BCON_NEW("$max", "{", "settled", BCON_INT64(0), "}");
    err = mg_update(t, t->s->tasks, &filter, update, &matched);
    bson_destroy(update);
    bson_destroy(&filter);
    return err;
}

/* --- create --- */

int mg_create(struct store_session *s, const struct task *t, const struct event *first,
              struct task *out)
{
    bson_t     doc = BSON_INITIALIZER, there;
    bson_oid_t nonce;
    struct mg_extra extra;
    struct mg_try try;
    int err;

    if (!mg_begin(&try, s, true))
        return ERR_STORE;
    bson_oid_init(&nonce, NULL);
    mg_task_to_bson(t, first, &nonce, &doc);
    err = mg_insert(&try, s->tasks, &doc);
    if (err == 0)
        err = mg_task_from_bson(&doc, out, NULL);
    bson_destroy(&doc);
    if (err != ERR_EXISTS)
        return err;
    err = find_document(&try, t->id, &there);
    if (err != 0)
        return err == ERR_NOT_FOUND ? ERR_STORE : err;
    err = mg_task_from_bson(&there, out, &extra);
    bson_destroy(&there);
    if (err != 0)
        return err;
    if (!bson_oid_equal(&extra.nonce, &nonce))
        return ERR_EXISTS;
    return confirm(&try, t->id);               /* it was this call's own first attempt */
}

/* --- apply --- */

struct apply {
    struct mg_try              try;
    const struct store_change *c;
    bson_oid_t                 nonce;
    bson_t                     filter, update;
    int64_t                    matched;
};

void mg_change_filter(const struct store_change *c, bson_t *out)
{
    int64_t dropped = c->after->seq - TASK_EVENTS_KEPT;
    bson_t  part;

    append_id(out, c->before->id);
    BSON_APPEND_INT64(out, "seq", c->before->seq);
    if (c->event->key[0] != '\0') {
        BSON_APPEND_DOCUMENT_BEGIN(out, "events.key", &part);
        BSON_APPEND_UTF8(&part, "$ne", c->event->key);
        bson_append_document_end(out, &part);
    }
    if (dropped > 0) {
        BSON_APPEND_DOCUMENT_BEGIN(out, "settled", &part);
        BSON_APPEND_INT64(&part, "$gte", dropped);
        bson_append_document_end(out, &part);
    }
}

int mg_change_answer(struct mg_try *t, const struct store_change *c, struct task *out)
{
    if (!store_task_after(out, c))
        return mg_load(t, c->before->id, out);
    out->published_seq = c->before->published_seq;
    out->published_bucket = c->before->published_bucket;
    return 0;
}

/* Is the event at this call's seq the one that this call made? */
static int is_own_event(struct apply *a, const bson_t *doc, const struct task *now)
{
    char        id[MG_EVENT_ID_SIZE];
    bson_t      filter = BSON_INITIALIZER, event;
    bson_oid_t  nonce;
    bson_iter_t i;
    bool        is_own;
    int         err;

    if (now->seq < a->c->after->seq)
        return 0;
    if (mg_kept_nonce(doc, a->c->after->seq, &nonce))
        return bson_oid_equal(&nonce, &a->nonce);
    mg_event_id(id, now->id, a->c->after->seq);
    BSON_APPEND_UTF8(&filter, "_id", id);
    err = mg_find_one(&a->try, a->try.s->events, &filter, NULL, &event);
    bson_destroy(&filter);
    if (err != 0)
        return err == ERR_NOT_FOUND ? 0 : err;
    is_own = bson_iter_init_find(&i, &event, "nonce") && BSON_ITER_HOLDS_OID(&i)
        && bson_oid_equal(bson_iter_oid(&i), &a->nonce);
    bson_destroy(&event);
    return is_own;
}

static bool window_has_key(const struct task *t, const char *key)
{
    for (size_t i = 0; *key != '\0' && i < t->event_count; i++)
        if (strcmp(t->events[i].key, key) == 0)
            return true;
    return false;
}

/* Nothing matched: why? 0 it had happened; 1 try once more; or the refusal, with the task. */
static int explain(struct apply *a, const bson_t *doc, const struct task *now, int64_t settled)
{
    const struct store_change *c = a->c;
    int64_t dropped = c->after->seq - TASK_EVENTS_KEPT;
    int err = is_own_event(a, doc, now);       /* always: the driver may have sent it twice */

    if (err != 0)
        return err < 0 ? err : confirm(&a->try, now->id);
    if (window_has_key(now, c->event->key))
        return ERR_REPEAT;
    if (c->event->key[0] != '\0' && now->seq > TASK_EVENTS_KEPT) {
        err = mg_find_key(&a->try, now->id, c->event->key);
        if (err != ERR_NOT_FOUND)
            return err == 0 ? ERR_REPEAT : err;
    }
    if (now->seq != c->before->seq)
        return ERR_STALE;
    if (dropped > 0 && settled < dropped) {    /* the window would lose an event: copy it first */
        err = mg_settle(a->try.s, now->id);
        return err != 0 ? err : 1;
    }
    return 1;                                  /* it changed between the two looks */
}

static int refuse(struct apply *a, struct task *out)
{
    struct mg_extra extra;
    bson_t doc;
    int err = find_document(&a->try, a->c->before->id, &doc);

    if (err != 0)
        return err;
    err = mg_task_from_bson(&doc, out, &extra);
    if (err == 0)
        err = explain(a, &doc, out, extra.settled);
    bson_destroy(&doc);
    return err;
}

static int make(struct apply *a)
{
    bson_init(&a->filter);
    bson_init(&a->update);
    mg_change_filter(a->c, &a->filter);
    mg_change_to_bson(a->c, &a->nonce, &a->update);
    a->matched = 0;
    return mg_update(&a->try, a->try.s->tasks, &a->filter, &a->update, &a->matched);
}

int mg_apply_again(struct store_session *s, const struct store_attempt *attempt)
{
    struct apply a = { .c = attempt->change };
    struct task *out = attempt->out;
    int err = ERR_STORE;

    if (!mg_begin(&a.try, s, true))
        return ERR_STORE;
    bson_oid_init_from_data(&a.nonce, attempt->nonce);
    for (int round = 0; round < ROUNDS_MAX; round++) {
        task_deinit(out);
        err = refuse(&a, out);
        if (err != 1)
            break;
        err = make(&a);
        bson_destroy(&a.filter);
        bson_destroy(&a.update);
        if (err == 0 && a.matched != 0) {
            task_deinit(out);
            err = mg_change_answer(&a.try, a.c, out);
        }
        if (err != 0 || a.matched != 0)
            break;
        err = ERR_STORE;
    }
    if (err == ERR_NOT_FOUND || err == ERR_STORE || err == ERR_CORRUPT)
        task_deinit(out);
    return err;
}

/* --- settle --- */

/* One event as a document of `events`. */
static void event_document(const bson_t *kept, const char *task, const struct event *e, bson_t *out)
{
    char       id[MG_EVENT_ID_SIZE];
    bson_oid_t oid, nonce;

    mg_event_id(id, task, e->seq);
    bson_oid_init_from_string(&oid, task);
    BSON_APPEND_UTF8(out, "_id", id);
    BSON_APPEND_OID(out, "task", &oid);
    mg_event_append(out, e, mg_kept_nonce(kept, e->seq, &nonce) ? &nonce : NULL);
}

struct copy {
    mongoc_collection_t *events;
    const bson_t       **docs;
    size_t               count;
};

/* All at once; those that are there already (duplicate keys) are as they must be. */
static bool call_copy(void *arg, bson_error_t *error)
{
    struct copy *c = arg;
    bson_t opts = BSON_INITIALIZER, reply;
    bool   is_ok;

    BSON_APPEND_BOOL(&opts, "ordered", false);
    is_ok = mongoc_collection_insert_many(c->events, c->docs, c->count, &opts, &reply, error);
    if (!is_ok && error->code == 11000) {      /* the first error is one; are all? */
        bson_iter_t i, errors, member;

        is_ok = bson_iter_init_find(&i, &reply, "writeErrors") && bson_iter_recurse(&i, &errors);
        while (is_ok && bson_iter_next(&errors))
            is_ok = bson_iter_recurse(&errors, &member) && bson_iter_find(&member, "code")
                && bson_iter_as_int64(&member) == 11000;
        is_ok = is_ok && !bson_has_field(&reply, "writeConcernErrors.0");
        error->code = is_ok ? 0 : 1;           /* otherwise send all again */
    }
    bson_destroy(&opts);
    bson_destroy(&reply);
    return is_ok;
}

static int copy_events(struct mg_try *t, const bson_t *kept, const struct task *task,
                       int64_t settled)
{
    const bson_t *docs[TASK_EVENTS_KEPT];
    struct copy c = { t->s->events, docs, 0 };
    int err = 0;

    for (size_t i = 0; i < task->event_count && c.count < TASK_EVENTS_KEPT; i++) {
        bson_t *doc;

        if (task->events[i].seq <= settled)
            continue;
        doc = bson_new();
        event_document(kept, task->id, &task->events[i], doc);
        docs[c.count++] = doc;
    }
    if (c.count != 0 && !mg_make(t, call_copy, &c))
        err = t->err;
    for (size_t i = 0; i < c.count; i++)
        bson_destroy((bson_t *)docs[i]);
    return err;
}

static int raise_settled(struct mg_try *t, const struct task *task)
{
    bson_t  filter = BSON_INITIALIZER, *update;
    int64_t matched;
    int     err;

    append_id(&filter, task->id);
    update = BCON_NEW("$max", "{", "settled", BCON_INT64(task->seq), "}");
    err = mg_update(t, t->s->tasks, &filter, update, &matched);
    bson_destroy(update);
    bson_destroy(&filter);
    return err;
}

int mg_settle(struct store_session *s, const char *id)
{
    struct mg_extra extra = { 0 };
    struct mg_try try;
    struct task now;
    bson_t doc;
    int err;

    if (!mg_begin(&try, s, true))
        return ERR_STORE;
    err = find_document(&try, id, &doc);
    if (err != 0)
        return err;
    err = mg_task_from_bson(&doc, &now, &extra);
    if (err == 0 && extra.settled < now.seq) {
        err = copy_events(&try, &doc, &now, extra.settled);
        FAULT_POINT("amid-settle");
        if (err == 0)
            err = raise_settled(&try, &now);
    }
    task_deinit(&now);
    bson_destroy(&doc);
    return err;
}

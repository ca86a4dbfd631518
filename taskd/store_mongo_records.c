/* store_mongo_records.c -- small JSON values by kind and key, with an expiry.
 *
 * The pair is the document's _id, so that adding is one insert whose duplicate is the answer. A
 * TTL index removes what has expired some time later; readers look at the time themselves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "taskd/store_mongo.h"

static void append_record_id(bson_t *out, const char *kind, const char *key)
{
    struct buf id;

    buf_init(&id, STORE_VALUE_MAX);
    buf_append_text(&id, kind);
    buf_append_char(&id, '\n');
    buf_append_text(&id, key);
    BSON_APPEND_UTF8(out, "_id", id.data);
    buf_deinit(&id);
}

static void append_value(bson_t *out, const struct store_record *r, const bson_oid_t *nonce)
{
    BSON_APPEND_UTF8(out, "kind", r->kind);
    BSON_APPEND_UTF8(out, "key", r->key);
    BSON_APPEND_UTF8(out, "json", r->json);
    if (r->expires_wall_ms != 0)
        BSON_APPEND_DATE_TIME(out, "expiresAt", r->expires_wall_ms);
    BSON_APPEND_OID(out, "nonce", nonce);
}

static const char *text_of(const bson_t *doc, const char *name)
{
    bson_iter_t i;

    return bson_iter_init_find(&i, doc, name) && BSON_ITER_HOLDS_UTF8(&i)
        ? bson_iter_utf8(&i, NULL) : NULL;
}

static bool has_expired(const bson_t *doc)
{
    bson_iter_t i;

    return bson_iter_init_find(&i, doc, "expiresAt") && BSON_ITER_HOLDS_DATE_TIME(&i)
        && bson_iter_date_time(&i) <= clock_wall_ms();
}

static int find_record(struct mg_try *t, const char *kind, const char *key, bson_t *out)
{
    bson_t filter = BSON_INITIALIZER;
    int    err;

    append_record_id(&filter, kind, key);
    err = mg_find_one(t, t->s->records, &filter, NULL, out);
    bson_destroy(&filter);
    return err;
}

/* Set all of it; `expired_only` guards against one that was renewed. Says how many matched. */
static int set_record(struct mg_try *t, const struct store_record *r, const bson_oid_t *nonce,
                      bool expired_only, int64_t *out_matched)
{
    bson_t filter = BSON_INITIALIZER, update = BSON_INITIALIZER, part;
    int    err;

    append_record_id(&filter, r->kind, r->key);
    if (expired_only) {
        BSON_APPEND_DOCUMENT_BEGIN(&filter, "expiresAt", &part);
        BSON_APPEND_DATE_TIME(&part, "$lte", clock_wall_ms());
        bson_append_document_end(&filter, &part);
    }
    BSON_APPEND_DOCUMENT_BEGIN(&update, "$set", &part);
    append_value(&part, r, nonce);
    bson_append_document_end(&update, &part);
    if (r->expires_wall_ms == 0) {
        BSON_APPEND_DOCUMENT_BEGIN(&update, "$unset", &part);
        BSON_APPEND_UTF8(&part, "expiresAt", "");
        bson_append_document_end(&update, &part);
    }
    err = mg_update(t, t->s->records, &filter, &update, out_matched);
    bson_destroy(&filter);
    bson_destroy(&update);
    return err;
}

static int insert_record(struct mg_try *t, const struct store_record *r, const bson_oid_t *nonce)
{
    bson_t doc = BSON_INITIALIZER;
    int    err;

    append_record_id(&doc, r->kind, r->key);
    append_value(&doc, r, nonce);
    err = mg_insert(t, t->s->records, &doc);
    bson_destroy(&doc);
    return err;
}

static bool has_nonce(const bson_t *doc, const bson_oid_t *nonce)
{
    bson_iter_t i;

    return bson_iter_init_find(&i, doc, "nonce") && BSON_ITER_HOLDS_OID(&i)
        && bson_oid_equal(bson_iter_oid(&i), nonce);
}

/* There is one already: this call's own, another's, or one that has expired. 1: look again. */
static int meet_record(struct mg_try *t, const struct store_record *r, const bson_oid_t *nonce,
                       struct buf *out)
{
    bson_t  doc;
    int64_t matched;
    int     err = find_record(t, r->kind, r->key, &doc);

    if (err != 0)
        return err == ERR_NOT_FOUND ? 1 : err;
    if (has_nonce(&doc, nonce)) {
        err = set_record(t, r, nonce, false, &matched);      /* and acknowledged by a majority */
    } else if (has_expired(&doc)) {
        err = set_record(t, r, nonce, true, &matched);
        err = err == 0 && matched == 0 ? 1 : err;
    } else {
        err = ERR_EXISTS;
        if (text_of(&doc, "json") == NULL || buf_append_text(out, text_of(&doc, "json")) != 0)
            err = ERR_CORRUPT;
    }
    bson_destroy(&doc);
    return err;
}

int mg_record_add(struct store_session *s, const struct store_record *r, struct buf *out)
{
    struct mg_try t;
    bson_oid_t nonce;
    int err = 1;

    if (!mg_begin(&t, s, true))
        return ERR_STORE;
    bson_oid_init(&nonce, NULL);
    /* It may expire and come back between two looks; not eight times. */
    for (int round = 0; err == 1 && round < 8; round++) {
        err = insert_record(&t, r, &nonce);
        if (err == ERR_EXISTS)
            err = meet_record(&t, r, &nonce, out);
    }
    return err == 1 ? ERR_STORE : err;
}

int mg_record_put(struct store_session *s, const struct store_record *r)
{
    struct mg_try t;
    bson_oid_t nonce;
    int64_t matched = 0;
    int err = ERR_EXISTS;

    if (!mg_begin(&t, s, true))
        return ERR_STORE;
    bson_oid_init(&nonce, NULL);
    /* Update, else insert: an upsert answers differently from server to server. */
    for (int round = 0; err == ERR_EXISTS && round < 8; round++) {
        err = set_record(&t, r, &nonce, false, &matched);
        if (err == 0 && matched == 0)
            err = insert_record(&t, r, &nonce);
    }
    return err == ERR_EXISTS ? ERR_STORE : err;
}

int mg_record_get(struct store_session *s, const char *kind, const char *key, struct buf *out)
{
    struct mg_try t;
    bson_t doc;
    int err = mg_begin(&t, s, false) ? find_record(&t, kind, key, &doc) : ERR_STORE;

    if (err != 0)
        return err;
    if (has_expired(&doc))
        err = ERR_NOT_FOUND;
    else if (text_of(&doc, "json") == NULL || buf_append_text(out, text_of(&doc, "json")) != 0)
        err = ERR_CORRUPT;
    bson_destroy(&doc);
    return err;
}

struct removal {
    mongoc_collection_t *records;
    const bson_t        *filter;
};

static bool call_removal(void *arg, bson_error_t *error)
{
    struct removal *r = arg;

    return mongoc_collection_delete_one(r->records, r->filter, NULL, NULL, error);
}

int mg_record_drop(struct store_session *s, const char *kind, const char *key)
{
    bson_t filter = BSON_INITIALIZER;
    struct removal r = { NULL, &filter };
    struct mg_try t;
    int err = 0;

    if (!mg_begin(&t, s, true))
        return ERR_STORE;
    append_record_id(&filter, kind, key);
    r.records = s->records;
    if (!mg_make(&t, call_removal, &r))
        err = t.err;
    bson_destroy(&filter);
    return err;
}

static int on_record(const bson_t *doc, void *arg)
{
    struct buf *out = arg;

    if (has_expired(doc))
        return 0;
    if (text_of(doc, "key") == NULL || text_of(doc, "json") == NULL)
        return ERR_CORRUPT;
    store_value_append(out, text_of(doc, "key"), text_of(doc, "json"));
    return buf_failed(out) ? ERR_CORRUPT : 0;
}

static void forget_records(void *arg)
{
    buf_reset(arg);
    buf_append_char(arg, '{');
}

int mg_record_all(struct store_session *s, const char *kind, struct buf *out)
{
    struct mg_walk w = { .on_doc = on_record, .restart = forget_records, .arg = out };
    bson_t *filter, *opts;
    struct mg_try t;
    int err;

    if (!mg_begin(&t, s, false))
        return ERR_STORE;
    filter = BCON_NEW("kind", BCON_UTF8(kind));
    opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "maxTimeMS",
                    BCON_INT64(MG_READ_TIME_MS));
    w.collection = s->records;
    w.filter = filter;
    w.opts = opts;
    forget_records(out);
    err = mg_walk(&t, &w);
    buf_append_char(out, '}');
    bson_destroy(filter);
    bson_destroy(opts);
    return err == 0 && buf_failed(out) ? ERR_CORRUPT : err;
}

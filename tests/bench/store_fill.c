/* store_fill.c -- see store_fill.h.
 *
 * Through the store's own door a task is a create and a mark, each with a majority's word for
 * it: 200,000 would take more than an hour. What is measured afterwards does not depend on how
 * they came, as long as the documents are the same. */
#include "tests/bench/store_fill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "taskd/store_mongo.h"

#define AT_ONCE 250

struct filler {
    mongoc_collection_t *tasks, *counts;
    bson_t              *docs[AT_ONCE];
    size_t               count;
    struct store_counts  totals;
    char                 org[129];
};

static void check(bool is_good, const bson_error_t *error)
{
    if (is_good)
        return;
    fprintf(stderr, "fill: %s\n", error->message);
    exit(1);
}

static void flush(struct filler *f)
{
    bson_error_t error;

    if (f->count != 0)
        check(mongoc_collection_insert_many(f->tasks, (const bson_t **)f->docs, f->count, NULL,
                                            NULL, &error), &error);
    for (size_t i = 0; i < f->count; i++)
        bson_destroy(f->docs[i]);
    f->count = 0;
}

static int64_t *total_of(struct filler *f, enum bucket bucket, const char *sub)
{
    if (bucket < BUCKETS_PER_SCOPE)
        return &f->totals.org[bucket];
    for (size_t i = 0; i < f->totals.people_count; i++) {
        if (strcmp(f->totals.people[i].sub, sub) == 0)
            return &f->totals.people[i].n[bucket - BUCKETS_PER_SCOPE];
    }
    return &store_counts_add(&f->totals, sub)->n[bucket - BUCKETS_PER_SCOPE];
}

static void add(struct filler *f, const struct task *t, const struct event *e)
{
    enum bucket bucket = task_bucket(t->status, t->is_private);
    const char *wire = bucket_wire(bucket);
    bson_t      doc = BSON_INITIALIZER;
    bson_t     *out = bson_new();
    bson_t     *state = BCON_NEW("settled", BCON_INT64(1),
                                 "published", "{", "seq", BCON_INT64(1), "bucket", BCON_UTF8(wire),
                                 "}", "counted", "{", "v", BCON_INT64(1), "bucket",
                                 BCON_UTF8(wire), "}");
    bson_oid_t  nonce;

    bson_oid_init(&nonce, NULL);
    mg_task_to_bson(t, e, &nonce, &doc);
    bson_copy_to_excluding_noinit(&doc, out, "settled", "unpublished", "published", "counted",
                                  NULL);
    bson_concat(out, state);
    bson_destroy(state);
    bson_destroy(&doc);
    *total_of(f, bucket, t->created_by) += 1;
    snprintf(f->org, sizeof(f->org), "%s", t->org);
    f->docs[f->count++] = out;
    if (f->count == AT_ONCE)
        flush(f);
}

/* As store_mongo_counts.c writes them. */
static void put_numbers(bson_t *out, const int64_t n[BUCKETS_PER_SCOPE])
{
    BSON_APPEND_INT64(out, "active", n[0]);
    BSON_APPEND_INT64(out, "completed", n[1]);
    BSON_APPEND_INT64(out, "failed", n[2]);
}

static void put_totals(struct filler *f)
{
    bson_t       doc = BSON_INITIALIZER, list, item;
    bson_error_t error;

    BSON_APPEND_UTF8(&doc, "_id", f->org);
    BSON_APPEND_INT64(&doc, "v", 2);
    put_numbers(&doc, f->totals.org);
    BSON_APPEND_ARRAY_BEGIN(&doc, "people", &list);
    for (size_t i = 0; i < f->totals.people_count; i++) {
        char        storage[16];
        const char *position;

        bson_uint32_to_string((uint32_t)i, &position, storage, sizeof(storage));
        BSON_APPEND_DOCUMENT_BEGIN(&list, position, &item);
        BSON_APPEND_UTF8(&item, "sub", f->totals.people[i].sub);
        put_numbers(&item, f->totals.people[i].n);
        bson_append_document_end(&list, &item);
    }
    bson_append_array_end(&doc, &list);
    BSON_APPEND_ARRAY_BEGIN(&doc, "pending", &list);
    bson_append_array_end(&doc, &list);
    check(mongoc_collection_insert_one(f->counts, &doc, NULL, NULL, &error), &error);
    bson_destroy(&doc);
}

void store_fill_mongo(const char *url, uint32_t tasks, store_fill_make *make)
{
    struct filler    f = { .count = 0 };
    mongoc_uri_t    *uri = mongoc_uri_new(url);
    mongoc_client_t *client = mongoc_client_new_from_uri(uri);

    f.tasks = mongoc_client_get_collection(client, mongoc_uri_get_database(uri), "tasks");
    f.counts = mongoc_client_get_collection(client, mongoc_uri_get_database(uri), "counts");
    for (uint32_t n = 0; n < tasks; n++) {
        struct task  t;
        struct event e;

        make(&t, &e, n);
        add(&f, &t, &e);
        task_deinit(&t);
        event_deinit(&e);
        if ((n + 1) % 50000 == 0)
            fprintf(stderr, "%u tasks\n", n + 1);
    }
    flush(&f);
    put_totals(&f);
    store_counts_deinit(&f.totals);
    mongoc_collection_destroy(f.tasks);
    mongoc_collection_destroy(f.counts);
    mongoc_client_destroy(client);
    mongoc_uri_destroy(uri);
}

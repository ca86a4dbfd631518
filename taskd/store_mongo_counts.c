/* store_mongo_counts.c -- how many tasks of an org are published in which bucket. */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "taskd/store_mongo.h"

static int on_group(const bson_t *doc, void *arg)
{
    struct store_counts *c = arg;
    bson_iter_t i, bucket, sub, n;
    enum bucket which;
    const char *who = "";
    int64_t    *to = c->org;

    if (!bson_iter_init(&i, doc) || !bson_iter_find_descendant(&i, "_id.bucket", &bucket)
        || !BSON_ITER_HOLDS_UTF8(&bucket)
        || bucket_parse(slice_of(bson_iter_utf8(&bucket, NULL)), &which) != 0)
        return ERR_CORRUPT;
    if (!bson_iter_init_find(&n, doc, "n"))
        return ERR_CORRUPT;
    if (bson_iter_init(&i, doc) && bson_iter_find_descendant(&i, "_id.sub", &sub)
        && BSON_ITER_HOLDS_UTF8(&sub))
        who = bson_iter_utf8(&sub, NULL);
    if (which >= BUCKETS_PER_SCOPE) {
        size_t at = 0;

        while (at < c->people_count && strcmp(c->people[at].sub, who) != 0)
            at++;
        to = at < c->people_count ? c->people[at].n : store_counts_add(c, who)->n;
    }
    to[which % BUCKETS_PER_SCOPE] += bson_iter_as_int64(&n);
    return 0;
}

static void forget_counts(void *arg)
{
    store_counts_deinit(arg);
}

int mg_counts(struct store_session *s, const char *org, struct store_counts *out)
{
    struct mg_walk w = { .is_pipeline = true, .on_doc = on_group, .restart = forget_counts,
                         .arg = out };
    struct mg_try t;
    bson_t *pipeline, *opts;
    int err;

    if (!mg_begin(&t, s, false))
        return ERR_STORE;
    pipeline = BCON_NEW("pipeline", "[", "{", "$match", "{", "orgId", BCON_UTF8(org),
                        "published.seq", "{", "$gt", BCON_INT64(0), "}", "}", "}",
                        "{", "$group", "{", "_id", "{", "bucket", "$published.bucket", "sub",
                        "$createdBy", "}", "n", "{", "$sum", BCON_INT64(1), "}", "}", "}", "]");
    opts = BCON_NEW("maxTimeMS", BCON_INT64(MG_READ_TIME_MS));
    w.collection = s->tasks;
    w.filter = pipeline;
    w.opts = opts;
    err = mg_walk(&t, &w);
    bson_destroy(pipeline);
    bson_destroy(opts);
    return err;
}

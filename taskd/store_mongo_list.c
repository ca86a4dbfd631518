/* store_mongo_list.c -- pages of tasks, newest first.
 *
 * A page is read from one range for each of the scopes that the asker sees (the org's open tasks,
 * their own private ones), each of them an index in page order, and merged here. `$or` over the two
 * was rejected: not every server merges indexes in order, and a sort of everything is the price.
 *
 * Words can be looked for in two ways, each with a bad case: walking the page's index and looking
 * at each task is quick where many match and endless where few do; the index over words is quick
 * for few and sorts all that it finds. So the newest WALK_MAX are walked first. That fills the
 * page of a common word, and says of all others how rare they are.
 *
 * An operator's list of anybody's tasks is whatever the planner makes of it: an index for the
 * little that it is asked would cost every transition a write. */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "taskd/store_mongo.h"
#include "taskd/store_words.h"

#define WALK_MAX 500                           /* tasks looked at before the index over words */

struct page {
    struct mg_try             try;
    const struct store_query *q;
    struct words              words;
    struct store_page         open, own;       /* the two scopes, each in page order */
};

static const char *time_name(const struct store_query *q)
{
    return q->sort == STORE_BY_UPDATED ? "updatedAt" : "createdAt";
}

static int64_t time_of(const struct store_query *q, const struct task *t)
{
    return q->sort == STORE_BY_UPDATED ? t->updated_at : t->created_at;
}

/* --- filters --- */

/* Below (time, id): an older time, or the same time and a lower id. The bounds on time alone come
 * first, so that the index range is just that. */
static void append_cursor(bson_t *filter, const struct store_query *q, int64_t oldest)
{
    bson_oid_t id;
    bson_t     time, *either;

    if (q->after_id != NULL || oldest != 0) {
        BSON_APPEND_DOCUMENT_BEGIN(filter, time_name(q), &time);
        if (q->after_id != NULL)
            BSON_APPEND_DATE_TIME(&time, "$lte", q->after_time);
        if (oldest != 0)
            BSON_APPEND_DATE_TIME(&time, "$gte", oldest);
        bson_append_document_end(filter, &time);
    }
    if (q->after_id == NULL)
        return;
    bson_oid_init_from_string(&id, q->after_id);
    either = BCON_NEW("$or", "[", "{", time_name(q), "{", "$lt", BCON_DATE_TIME(q->after_time),
                      "}", "}", "{", "_id", "{", "$lt", BCON_OID(&id), "}", "}", "]");
    bson_concat(filter, either);
    bson_destroy(either);
}

/* Of every scope: whoever's it is, one range of all. */
static bool is_for_all(const struct store_query *q)
{
    return q->scope == STORE_SCOPE_ALL;
}

static void append_filters(bson_t *filter, const struct store_query *q, bool is_private,
                           int64_t oldest)
{
    if (q->org != NULL)
        BSON_APPEND_UTF8(filter, "orgId", q->org);
    if (!is_for_all(q))
        BSON_APPEND_BOOL(filter, "isPrivate", is_private);
    if (q->status >= 0)
        BSON_APPEND_UTF8(filter, "status", status_wire((enum status)q->status));
    if (q->active >= 0)
        BSON_APPEND_BOOL(filter, "active", q->active != 0);
    if (is_private || q->creator != NULL)
        BSON_APPEND_UTF8(filter, "createdBy", is_private ? q->sub : q->creator);
    append_cursor(filter, q, oldest);
}

/* The index to walk is named: a planner without statistics guesses, and what is fast today must not
 * become a sort of everything tomorrow. The names are those of store_mongo_indexes.c. */
static void append_hint(bson_t *opts, const struct store_query *q, bool is_private, bool by_words)
{
    const char *filter = is_private || q->creator != NULL ? "createdBy_1_"
        : q->status >= 0 ? "status_1_" : q->active >= 0 ? "active_1_" : "";
    char name[96];

    if (by_words)
        snprintf(name, sizeof(name), "orgId_1_words_1");
    else
        snprintf(name, sizeof(name), "orgId_1_isPrivate_1_%s%s_-1__id_-1", filter, time_name(q));
    BSON_APPEND_UTF8(opts, "hint", name);
}

/* Every word begins one of the task's. Words are letters and digits, nothing that a pattern
 * could mean; servers make an index range of an anchored one. */
static void append_words(bson_t *filter, const struct words *words)
{
    bson_t all;

    if (words->count == 0)
        return;
    BSON_APPEND_ARRAY_BEGIN(filter, "$and", &all);
    for (size_t i = 0; i < words->count; i++) {
        char        storage[16], pattern[STORE_WORD_BYTES + 2] = "^";
        const char *position;
        bson_t      one;

        memcpy(pattern + 1, words->items[i], strlen(words->items[i]) + 1);
        bson_uint32_to_string((uint32_t)i, &position, storage, sizeof(storage));
        BSON_APPEND_DOCUMENT_BEGIN(&all, position, &one);
        BSON_APPEND_REGEX(&one, "words", pattern, "");
        bson_append_document_end(&all, &one);
    }
    bson_append_array_end(filter, &all);
}

static void append_sort(bson_t *out, const char *name, const struct store_query *q)
{
    bson_t sort;

    BSON_APPEND_DOCUMENT_BEGIN(out, name, &sort);
    BSON_APPEND_INT32(&sort, time_name(q), -1);
    BSON_APPEND_INT32(&sort, "_id", -1);
    bson_append_document_end(out, &sort);
}

static void append_projection(bson_t *out, const char *name)
{
    bson_t fields;

    BSON_APPEND_DOCUMENT_BEGIN(out, name, &fields);
    BSON_APPEND_INT32(&fields, "events", 0);
    BSON_APPEND_INT32(&fields, "words", 0);
    bson_append_document_end(out, &fields);
}

/* --- reading a range --- */

static int on_task(const bson_t *doc, void *arg)
{
    return mg_task_from_bson(doc, store_page_add(arg), NULL);
}

static void forget_tasks(void *arg)
{
    store_page_deinit(arg);
}

enum way { BY_PAGE, BY_WORDS };                /* which index is walked */

/* The range, newest first, down to `oldest` (0: to its end). */
static int find_range(struct page *p, bool is_private, enum way way, int64_t oldest,
                      struct store_page *out)
{
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER;
    struct mg_walk w = { .collection = p->try.s->tasks, .filter = &filter, .opts = &opts,
                         .on_doc = on_task, .restart = forget_tasks, .arg = out };
    int err;

    append_filters(&filter, p->q, is_private, oldest);
    append_words(&filter, &p->words);
    append_sort(&opts, "sort", p->q);
    append_projection(&opts, "projection");
    if (!is_for_all(p->q))
        append_hint(&opts, p->q, is_private, way == BY_WORDS);
    BSON_APPEND_INT64(&opts, "limit", (int64_t)p->q->limit + 1);
    BSON_APPEND_INT64(&opts, "maxTimeMS", MG_READ_TIME_MS);
    err = mg_walk(&p->try, &w);
    bson_destroy(&filter);
    bson_destroy(&opts);
    return err;
}

/* The time of the WALK_MAX-th task of the range, whatever its words; 0 where there are fewer. */
static int find_depth(struct page *p, bool is_private, int64_t *out)
{
    bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, fields, doc;
    bson_iter_t i;
    int err;

    *out = 0;
    append_filters(&filter, p->q, is_private, 0);
    append_sort(&opts, "sort", p->q);
    BSON_APPEND_DOCUMENT_BEGIN(&opts, "projection", &fields);
    BSON_APPEND_INT32(&fields, time_name(p->q), 1);
    bson_append_document_end(&opts, &fields);
    append_hint(&opts, p->q, is_private, false);
    BSON_APPEND_INT64(&opts, "skip", WALK_MAX);
    err = mg_find_one(&p->try, p->try.s->tasks, &filter, &opts, &doc);
    if (err == 0) {
        if (bson_iter_init_find(&i, &doc, time_name(p->q)) && BSON_ITER_HOLDS_DATE_TIME(&i))
            *out = bson_iter_date_time(&i);
        else
            err = ERR_CORRUPT;
        bson_destroy(&doc);
    }
    bson_destroy(&filter);
    bson_destroy(&opts);
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int read_scope(struct page *p, bool is_private, struct store_page *out)
{
    int64_t oldest = 0;
    size_t  found;
    int     err;

    if (p->words.count == 0 || is_for_all(p->q))
        return find_range(p, is_private, BY_PAGE, 0, out);
    err = find_depth(p, is_private, &oldest);
    if (err == 0)
        err = find_range(p, is_private, BY_PAGE, oldest, out);
    found = out->count;
    if (err != 0 || oldest == 0 || found > p->q->limit)
        return err;
    store_page_deinit(out);
    /* A fifth of a page among so many: the rest of it is not far. */
    return find_range(p, is_private, found > p->q->limit / 5 ? BY_PAGE : BY_WORDS, 0, out);
}

/* --- merging --- */

static bool comes_first(const struct store_query *q, const struct task *a, const struct task *b)
{
    if (time_of(q, a) != time_of(q, b))
        return time_of(q, a) > time_of(q, b);
    return strcmp(a->id, b->id) > 0;
}

static void merge(struct page *p, struct store_page *out)
{
    size_t i = 0, j = 0;

    while (out->count < p->q->limit && (i < p->open.count || j < p->own.count)) {
        bool takes_open = j == p->own.count
            || (i < p->open.count && comes_first(p->q, &p->open.tasks[i], &p->own.tasks[j]));
        struct task *from = takes_open ? &p->open.tasks[i++] : &p->own.tasks[j++];

        *store_page_add(out) = *from;
        task_init(from);                       /* moved */
    }
    out->has_more = i < p->open.count || j < p->own.count;
}

int mg_list(struct store_session *s, const struct store_query *q, struct store_page *out)
{
    struct page p = { .q = q };
    /* Another's name as the creator: none of one's own private tasks is theirs. */
    bool wants_own = q->scope != STORE_SCOPE_ORG && !is_for_all(q) && q->sub != NULL
        && (q->creator == NULL || strcmp(q->creator, q->sub) == 0);
    int err = 0;

    if (!mg_begin(&p.try, s, false))
        return ERR_STORE;
    words_of_query(&p.words, q->words != NULL ? q->words : "");
    if (q->scope != STORE_SCOPE_PRIVATE)
        err = read_scope(&p, false, &p.open);
    if (err == 0 && wants_own)
        err = read_scope(&p, true, &p.own);
    if (err == 0)
        merge(&p, out);
    store_page_deinit(&p.open);
    store_page_deinit(&p.own);
    words_deinit(&p.words);
    return err;
}

/* store_mongo_bson.c -- tasks and events as BSON, made from the rows of task.def.
 *
 * Times are BSON dates, so that people can query them; JSON members are texts: a payload may
 * hold any key, `$set` and `a.b` included, and as a text it can mean nothing to the server. */
#include "taskd/store_mongo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "taskd/store_words.h"

/* --- to BSON: nothing where the member is absent --- */

static void put_TEXT(bson_t *out, const char *name, const char *text)
{
    if (text != NULL)
        BSON_APPEND_UTF8(out, name, text);
}

static void put_INT(bson_t *out, const char *name, int64_t n)
{
    if (n != 0)
        BSON_APPEND_INT64(out, name, n);
}

static void put_TIME(bson_t *out, const char *name, int64_t wall_ms)
{
    if (wall_ms != 0)
        BSON_APPEND_DATE_TIME(out, name, wall_ms);
}

static void put_BOOL(bson_t *out, const char *name, bool b)
{
    BSON_APPEND_BOOL(out, name, b);
}

static void put_STATUS(bson_t *out, const char *name, enum status s)
{
    BSON_APPEND_UTF8(out, name, status_wire(s));
}

#define put_JSON put_TEXT

#define absent_TEXT(x)   ((x) == NULL)
#define absent_JSON(x)   ((x) == NULL)
#define absent_INT(x)    ((x) == 0)
#define absent_TIME(x)   ((x) == 0)
#define absent_BOOL(x)   false
#define absent_STATUS(x) false

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

#define same_TEXT(a, b)   same_text(a, b)
#define same_JSON(a, b)   same_text(a, b)
#define same_INT(a, b)    ((a) == (b))
#define same_TIME(a, b)   ((a) == (b))
#define same_BOOL(a, b)   ((a) == (b))
#define same_STATUS(a, b) ((a) == (b))

/* The id is the document's _id. */
static bool is_id(const char *wire)
{
    return strcmp(wire, "taskId") == 0;
}

void mg_event_append(bson_t *out, const struct event *e, const bson_oid_t *nonce)
{
    BSON_APPEND_INT64(out, "seq", e->seq);
    BSON_APPEND_UTF8(out, "eventType", input_wire(e->input));
    BSON_APPEND_UTF8(out, "payload", e->payload);
    BSON_APPEND_UTF8(out, "actor", e->actor);
    BSON_APPEND_DATE_TIME(out, "createdAt", e->created_at);
    BSON_APPEND_UTF8(out, "key", e->key);
    put_TEXT(out, "trace", e->trace);
    BSON_APPEND_BOOL(out, "clarified", e->clarified);
    put_TEXT(out, "facts", e->facts);
    BSON_APPEND_BOOL(out, "wasPrivate", e->was_private);
    BSON_APPEND_UTF8(out, "was", status_wire(e->was));
    BSON_APPEND_UTF8(out, "row", e->row);
    if (nonce != NULL)
        BSON_APPEND_OID(out, "nonce", nonce);
}

void mg_append_words(bson_t *out, const struct task *t)
{
    struct words words;
    bson_t       list;

    words_of_task(&words, t);
    BSON_APPEND_ARRAY_BEGIN(out, "words", &list);
    for (size_t i = 0; i < words.count; i++) {
        char        storage[16];
        const char *position;

        bson_uint32_to_string((uint32_t)i, &position, storage, sizeof(storage));
        BSON_APPEND_UTF8(&list, position, words.items[i]);
    }
    bson_append_array_end(out, &list);
    words_deinit(&words);
}

/* A new task has none: an index of them all would hold each of these for nothing. */
static void append_places(bson_t *out, const struct task *t, bool is_new)
{
    char   places[STORE_PLACES_MAX][STORE_PLACE_SIZE];
    size_t count = store_places(t, places);
    bson_t list;

    if (is_new && count == 0)
        return;
    BSON_APPEND_ARRAY_BEGIN(out, "places", &list);
    for (size_t i = 0; i < count; i++) {
        char        storage[16];
        const char *position;

        bson_uint32_to_string((uint32_t)i, &position, storage, sizeof(storage));
        BSON_APPEND_UTF8(&list, position, places[i]);
    }
    bson_append_array_end(out, &list);
}

void mg_task_to_bson(const struct task *t, const struct event *first, const bson_oid_t *nonce,
                     bson_t *out)
{
    bson_oid_t id;
    bson_t     part, event;

    bson_oid_init_from_string(&id, t->id);
    BSON_APPEND_OID(out, "_id", &id);
#define FIELD(member, wire, kind, where) \
    if (!is_id(wire))                    \
        put_##kind(out, wire, t->member);
#include "taskd/task.def"
#undef FIELD
    BSON_APPEND_BOOL(out, "active", status_is_active(t->status));
    mg_append_words(out, t);
    append_places(out, t, true);
    BSON_APPEND_ARRAY_BEGIN(out, "events", &part);
    BSON_APPEND_DOCUMENT_BEGIN(&part, "0", &event);
    mg_event_append(&event, first, nonce);
    bson_append_document_end(&part, &event);
    bson_append_array_end(out, &part);
    BSON_APPEND_INT64(out, "settled", 0);
    BSON_APPEND_BOOL(out, "unpublished", true);
    BSON_APPEND_DOCUMENT_BEGIN(out, "published", &part);
    BSON_APPEND_INT64(&part, "seq", 0);
    BSON_APPEND_UTF8(&part, "bucket", "");
    bson_append_document_end(out, &part);
    BSON_APPEND_DOCUMENT_BEGIN(out, "counted", &part);
    BSON_APPEND_INT64(&part, "v", 0);
    BSON_APPEND_UTF8(&part, "bucket", "");
    bson_append_document_end(out, &part);
    BSON_APPEND_OID(out, "nonce", nonce);
}

static void append_set(const struct store_change *c, bson_t *update)
{
    const struct task *a = c->before, *b = c->after;
    bson_t set;

    BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &set);
#define FIELD(member, wire, kind, where)                                            \
    if (!is_id(wire) && !same_##kind(a->member, b->member) && !absent_##kind(b->member)) \
        put_##kind(&set, wire, b->member);
#include "taskd/task.def"
#undef FIELD
    if (a->status != b->status)
        BSON_APPEND_BOOL(&set, "active", status_is_active(b->status));
    if (words_differ(a, b))
        mg_append_words(&set, b);
    if (store_places_differ(a, b))
        append_places(&set, b, false);
    BSON_APPEND_BOOL(&set, "unpublished", true);
    bson_append_document_end(update, &set);
}

/* An empty $unset is refused by some servers: only where there is something to clear. */
static void append_unset(const struct store_change *c, bson_t *update)
{
    const struct task *a = c->before, *b = c->after;
    bson_t unset = BSON_INITIALIZER;

#define FIELD(member, wire, kind, where)                            \
    if (!same_##kind(a->member, b->member) && absent_##kind(b->member)) \
        BSON_APPEND_UTF8(&unset, wire, "");
#include "taskd/task.def"
#undef FIELD
    if (!bson_empty(&unset))
        BSON_APPEND_DOCUMENT(update, "$unset", &unset);
    bson_destroy(&unset);
}

void mg_change_to_bson(const struct store_change *c, const bson_oid_t *nonce, bson_t *out)
{
    bson_t push, events, each, event;

    append_set(c, out);
    append_unset(c, out);
    BSON_APPEND_DOCUMENT_BEGIN(out, "$push", &push);
    BSON_APPEND_DOCUMENT_BEGIN(&push, "events", &events);
    BSON_APPEND_ARRAY_BEGIN(&events, "$each", &each);
    BSON_APPEND_DOCUMENT_BEGIN(&each, "0", &event);
    mg_event_append(&event, c->event, nonce);
    bson_append_document_end(&each, &event);
    bson_append_array_end(&events, &each);
    BSON_APPEND_INT32(&events, "$slice", -TASK_EVENTS_KEPT);
    bson_append_document_end(&push, &events);
    bson_append_document_end(out, &push);
}

/* --- from BSON: true where the member is as it must be --- */

static bool take_TEXT(const bson_iter_t *i, char **out)
{
    uint32_t    len;
    const char *text = BSON_ITER_HOLDS_UTF8(i) ? bson_iter_utf8(i, &len) : NULL;

    if (text == NULL || strlen(text) != len)
        return false;
    free(*out);
    *out = mem_strdup(text);
    return true;
}

static bool take_INT(const bson_iter_t *i, int64_t *out)
{
    *out = bson_iter_as_int64(i);
    return BSON_ITER_HOLDS_INT64(i) || BSON_ITER_HOLDS_INT32(i);
}

static bool take_TIME(const bson_iter_t *i, int64_t *out)
{
    *out = BSON_ITER_HOLDS_DATE_TIME(i) ? bson_iter_date_time(i) : 0;
    return *out != 0;
}

static bool take_BOOL(const bson_iter_t *i, bool *out)
{
    *out = BSON_ITER_HOLDS_BOOL(i) && bson_iter_bool(i);
    return BSON_ITER_HOLDS_BOOL(i);
}

static bool take_STATUS(const bson_iter_t *i, enum status *out)
{
    return BSON_ITER_HOLDS_UTF8(i) && status_parse(slice_of(bson_iter_utf8(i, NULL)), out) == 0;
}

#define take_JSON take_TEXT

bool mg_iter_document(const bson_iter_t *iter, bson_t *out)
{
    const uint8_t *data;
    uint32_t       len;

    if (BSON_ITER_HOLDS_DOCUMENT(iter))
        bson_iter_document(iter, &len, &data);
    else if (BSON_ITER_HOLDS_ARRAY(iter))
        bson_iter_array(iter, &len, &data);
    else
        return false;
    return bson_init_static(out, data, len);
}

/* One member of an event: true also for what this version does not know. */
static bool take_event_member(const bson_iter_t *i, struct event *out)
{
    const char *name = bson_iter_key(i);

    if (strcmp(name, "seq") == 0)
        return take_INT(i, &out->seq);
    if (strcmp(name, "eventType") == 0)
        return BSON_ITER_HOLDS_UTF8(i)
            && input_parse(slice_of(bson_iter_utf8(i, NULL)), &out->input) == 0;
    if (strcmp(name, "payload") == 0)
        return take_TEXT(i, &out->payload);
    if (strcmp(name, "actor") == 0)
        return take_TEXT(i, &out->actor);
    if (strcmp(name, "createdAt") == 0)
        return take_TIME(i, &out->created_at);
    if (strcmp(name, "key") == 0)
        return take_TEXT(i, &out->key);
    if (strcmp(name, "trace") == 0)
        return take_TEXT(i, &out->trace);
    if (strcmp(name, "clarified") == 0)
        return take_BOOL(i, &out->clarified);
    if (strcmp(name, "facts") == 0)
        return take_TEXT(i, &out->facts);
    if (strcmp(name, "wasPrivate") == 0)
        return take_BOOL(i, &out->was_private);
    if (strcmp(name, "was") == 0)
        return take_STATUS(i, &out->was);
    if (strcmp(name, "row") == 0)
        return take_TEXT(i, &out->row);
    return true;
}

int mg_event_from_bson(const bson_t *doc, struct event *out)
{
    bson_iter_t i;
    bool is_good = bson_iter_init(&i, doc);

    event_init(out);
    while (is_good && bson_iter_next(&i))
        is_good = take_event_member(&i, out);
    if (is_good && out->seq > 0 && out->payload != NULL && out->actor != NULL
        && out->key != NULL && out->row != NULL)
        return 0;
    event_deinit(out);
    return ERR_CORRUPT;
}

static bool take_events(const bson_iter_t *at, struct task *out)
{
    bson_t      list, doc;
    bson_iter_t i;

    if (!mg_iter_document(at, &list) || !bson_iter_init(&i, &list))
        return false;
    while (bson_iter_next(&i)) {
        struct event event;

        if (!mg_iter_document(&i, &doc) || mg_event_from_bson(&doc, &event) != 0)
            return false;
        out->events = mem_resize(out->events, (out->event_count + 1) * sizeof(event));
        out->events[out->event_count++] = event;
    }
    return true;
}

static bool take_published(const bson_iter_t *at, struct task *out)
{
    bson_t      doc;
    bson_iter_t i;

    if (!mg_iter_document(at, &doc) || !bson_iter_init_find(&i, &doc, "seq")
        || !take_INT(&i, &out->published_seq))
        return false;
    if (out->published_seq == 0)
        return true;
    return bson_iter_init_find(&i, &doc, "bucket") && BSON_ITER_HOLDS_UTF8(&i)
        && bucket_parse(slice_of(bson_iter_utf8(&i, NULL)), &out->published_bucket) == 0;
}

static bool take_member(const bson_iter_t *i, struct task *out, struct mg_extra *extra)
{
    const char *name = bson_iter_key(i);

    if (strcmp(name, "_id") == 0) {
        char id[TASK_ID_LEN + 1];

        if (!BSON_ITER_HOLDS_OID(i))
            return false;
        bson_oid_to_string(bson_iter_oid(i), id);
        task_set_text(&out->id, id);
        return true;
    }
#define FIELD(member, wire, kind, where)      \
    if (strcmp(name, wire) == 0)              \
        return take_##kind(i, &out->member);
#include "taskd/task.def"
#undef FIELD
    if (strcmp(name, "events") == 0)
        return take_events(i, out);
    if (strcmp(name, "published") == 0)
        return take_published(i, out);
    if (strcmp(name, "unpublished") == 0)
        return take_BOOL(i, &out->is_unpublished);
    if (strcmp(name, "settled") == 0)
        return take_INT(i, &extra->settled);
    if (strcmp(name, "nonce") == 0 && BSON_ITER_HOLDS_OID(i))
        extra->nonce = *bson_iter_oid(i);
    return true;
}

int mg_task_from_bson(const bson_t *doc, struct task *out, struct mg_extra *extra)
{
    struct mg_extra ignored;
    bson_iter_t i;
    bool is_good = bson_iter_init(&i, doc);

    task_init(out);
    if (extra == NULL)
        extra = &ignored;
    *extra = (struct mg_extra){ 0 };
    while (is_good && bson_iter_next(&i))
        is_good = take_member(&i, out, extra);
    if (is_good && out->id != NULL && out->seq > 0 && out->org != NULL && out->created_by != NULL)
        return 0;
    task_deinit(out);
    return ERR_CORRUPT;
}

bool mg_kept_nonce(const bson_t *doc, int64_t seq, bson_oid_t *out)
{
    bson_iter_t i, member;
    bson_t      list, event;

    if (!bson_iter_init_find(&i, doc, "events") || !mg_iter_document(&i, &list)
        || !bson_iter_init(&i, &list))
        return false;
    while (bson_iter_next(&i)) {
        if (!mg_iter_document(&i, &event) || !bson_iter_init_find(&member, &event, "seq")
            || bson_iter_as_int64(&member) != seq)
            continue;
        if (!bson_iter_init_find(&member, &event, "nonce") || !BSON_ITER_HOLDS_OID(&member))
            return false;
        *out = *bson_iter_oid(&member);
        return true;
    }
    return false;
}

void mg_event_id(char out[MG_EVENT_ID_SIZE], const char *task, int64_t seq)
{
    snprintf(out, MG_EVENT_ID_SIZE, "%.24s:%010lld", task, (long long)seq);
}

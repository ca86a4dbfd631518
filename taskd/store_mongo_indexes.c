/* store_mongo_indexes.c -- the indexes, one row each, made before the store says that it is up.
 *
 * Pages walk an index that begins with org and privacy and goes on with the filter, time and
 * id, so that a page is a range whatever the number of tasks. The first four serve people who look
 * into the database by hand, and reports. An index that is there already costs one look. */
#include "taskd/store_mongo.h"

#include <string.h>

#define PAGE(filter, time) { "tasks", "orgId:1 isPrivate:1 " filter time ":-1 _id:-1", NULL, -1 }

static const struct index_spec {
    const char *collection;
    const char *keys;                          /* "name:1 name:-1" */
    const char *only_where_true;               /* a partial index on this boolean field */
    int         expire_after_s;                /* -1: no */
} INDEXES[] = {
    { "tasks", "status:1", NULL, -1 },
    { "tasks", "createdBy:1", NULL, -1 },
    { "tasks", "createdAt:-1", NULL, -1 },
    { "tasks", "events.eventType:1", NULL, -1 },
    PAGE("", "createdAt"),           PAGE("", "updatedAt"),
    PAGE("status:1 ", "createdAt"),  PAGE("status:1 ", "updatedAt"),
    PAGE("createdBy:1 ", "createdAt"), PAGE("createdBy:1 ", "updatedAt"),
    PAGE("active:1 ", "createdAt"),  PAGE("active:1 ", "updatedAt"),
    { "tasks", "orgId:1 words:1", NULL, -1 },
    { "tasks", "places:1", NULL, -1 },
    { "tasks", "unpublished:1 updatedAt:1", "unpublished", -1 },
    { "tasks", "uncounted:1 orgId:1", "uncounted", -1 },
    { "events", "task:1 key:1", NULL, -1 },
    { "notifications", "person:1 unread:1 createdAt:-1 _id:-1", NULL, -1 },
    { "notifications", "createdAt:1", NULL, STORE_NOTIFICATION_DAYS * 86400 },
    { "records", "kind:1", NULL, -1 },
    { "records", "expiresAt:1", NULL, 0 },
};

/* Append the keys; the name is the keys with what a name may hold. */
static void append_keys(bson_t *index, const char *keys)
{
    char   name[128];
    bson_t key;
    size_t n = 0;

    BSON_APPEND_DOCUMENT_BEGIN(index, "key", &key);
    for (const char *at = keys; *at != '\0';) {
        size_t field = strcspn(at, ":"), sign = strcspn(at, " ") - field - 1;

        bson_append_int32(&key, at, (int)field, at[field + 1] == '-' ? -1 : 1);
        at += field + 1 + sign;
        at += *at == ' ';
    }
    bson_append_document_end(index, &key);
    for (; keys[n] != '\0' && n < sizeof(name) - 1; n++)
        name[n] = keys[n] == ':' || keys[n] == ' ' ? '_' : keys[n];
    name[n] = '\0';
    BSON_APPEND_UTF8(index, "name", name);
}

static void append_index(bson_t *list, uint32_t at, const struct index_spec *spec)
{
    char        storage[16];
    const char *position;
    bson_t      index, filter;

    bson_uint32_to_string(at, &position, storage, sizeof(storage));
    BSON_APPEND_DOCUMENT_BEGIN(list, position, &index);
    append_keys(&index, spec->keys);
    if (spec->only_where_true != NULL) {
        BSON_APPEND_DOCUMENT_BEGIN(&index, "partialFilterExpression", &filter);
        BSON_APPEND_BOOL(&filter, spec->only_where_true, true);
        bson_append_document_end(&index, &filter);
    }
    if (spec->expire_after_s >= 0)
        BSON_APPEND_INT32(&index, "expireAfterSeconds", spec->expire_after_s);
    bson_append_document_end(list, &index);
}

static bool make_of(mongoc_collection_t *c, const char *collection, bson_error_t *error)
{
    bson_t   command = BSON_INITIALIZER, list;
    uint32_t count = 0;
    bool     is_ok;

    BSON_APPEND_UTF8(&command, "createIndexes", collection);
    BSON_APPEND_ARRAY_BEGIN(&command, "indexes", &list);
    for (size_t i = 0; i < sizeof(INDEXES) / sizeof(INDEXES[0]); i++)
        if (strcmp(INDEXES[i].collection, collection) == 0)
            append_index(&list, count++, &INDEXES[i]);
    bson_append_array_end(&command, &list);
    is_ok = mongoc_collection_command_simple(c, &command, NULL, NULL, error);
    bson_destroy(&command);
    return is_ok;
}

bool mg_make_indexes(struct store_session *s, bson_error_t *error)
{
    return make_of(s->tasks, "tasks", error) && make_of(s->events, "events", error)
        && make_of(s->records, "records", error)
        && make_of(s->notifications, "notifications", error);
}

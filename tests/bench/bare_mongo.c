/* bare_mongo.c -- what a MongoDB-wire server charges for a transition:
 * bare_mongo URL DATABASE COUNT THREADS
 *
 * What a transition costs where each write is a command of its own. The database is one that
 * taskd filled. Of each transition the task is updated under the guards of mg_change_filter(), its
 * event is copied and the copy noted, and the mark set, by so many threads with tasks of their
 * own. (taskd makes changes of many tasks with one command, and copies events in
 * eights.) Prints `transitions=… seconds=… cpu=…`. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <mongoc/mongoc.h>

#define TASKS_MAX   4096
#define THREADS_MAX 64
#define KEPT        32                         /* TASK_EVENTS_KEPT */

struct bare_task {
    bson_oid_t id;
    int64_t    seq;
    bson_t     event;                          /* its newest, to be written again */
};

static mongoc_client_pool_t *pool;
static const char           *database;
static struct bare_task      tasks[TASKS_MAX];
static size_t                task_count, thread_count;
static long                  count;
static atomic_long           done;

static void check(bool is_good, const bson_error_t *error)
{
    if (is_good)
        return;
    fprintf(stderr, "bare_mongo: %s\n", error->message);
    exit(1);
}

static bool last_event(const bson_t *doc, bson_t *out)
{
    bson_iter_t    i, member;
    const uint8_t *data;
    uint32_t       len = 0;
    bson_t         last;

    if (!bson_iter_init_find(&i, doc, "events") || !bson_iter_recurse(&i, &member))
        return false;
    while (bson_iter_next(&member))
        bson_iter_document(&member, &len, &data);
    if (len == 0 || !bson_init_static(&last, data, len))
        return false;
    bson_init(out);
    bson_copy_to_excluding_noinit(&last, out, "seq", "key", NULL);
    return true;
}

static void load_tasks(void)
{
    mongoc_client_t     *client = mongoc_client_pool_pop(pool);
    mongoc_collection_t *c = mongoc_client_get_collection(client, database, "tasks");
    bson_t               all = BSON_INITIALIZER;
    mongoc_cursor_t     *cursor = mongoc_collection_find_with_opts(c, &all, NULL, NULL);
    const bson_t        *doc;
    bson_iter_t          i;
    bson_error_t         error;

    while (task_count < TASKS_MAX && mongoc_cursor_next(cursor, &doc)) {
        struct bare_task *t = &tasks[task_count];

        if (!last_event(doc, &t->event))
            continue;
        bson_iter_init_find(&i, doc, "_id");
        t->id = *bson_iter_oid(&i);
        bson_iter_init_find(&i, doc, "seq");
        t->seq = bson_iter_as_int64(&i);
        task_count++;
    }
    check(!mongoc_cursor_error(cursor, &error), &error);
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(c);
    mongoc_client_pool_push(pool, client);
}

/* The event with this transition's seq and key. */
static bson_t *event_of(const struct bare_task *t, int64_t seq, const char *key)
{
    bson_t *e = BCON_NEW("seq", BCON_INT64(seq), "key", BCON_UTF8(key));

    bson_concat(e, &t->event);
    return e;
}

static void apply(mongoc_collection_t *c, const struct bare_task *t, const bson_t *event,
                  const char *key)
{
    bson_t *filter = BCON_NEW("_id", BCON_OID(&t->id), "seq", BCON_INT64(t->seq),
                              "events.key", "{", "$ne", BCON_UTF8(key), "}",
                              "settled", "{", "$gte", BCON_INT64(t->seq + 1 - KEPT), "}");
    bson_t *update = BCON_NEW("$set", "{", "seq", BCON_INT64(t->seq + 1), "updatedAt",
                              BCON_DATE_TIME(1700000000000 + t->seq), "unpublished",
                              BCON_BOOL(true), "}", "$push", "{", "events", "{", "$each", "[",
                              BCON_DOCUMENT(event), "]", "$slice", BCON_INT32(-KEPT), "}", "}");
    bson_t *fields = BCON_NEW("published", BCON_INT32(1));
    mongoc_find_and_modify_opts_t *opts = mongoc_find_and_modify_opts_new();
    bson_t       reply;
    bson_iter_t  i;
    bson_error_t error = { .message = "a guard did not match" };
    bool         is_good;

    mongoc_find_and_modify_opts_set_update(opts, update);
    mongoc_find_and_modify_opts_set_flags(opts, MONGOC_FIND_AND_MODIFY_RETURN_NEW);
    mongoc_find_and_modify_opts_set_fields(opts, fields);
    is_good = mongoc_collection_find_and_modify_with_opts(c, filter, opts, &reply, &error);
    check(is_good && bson_iter_init_find(&i, &reply, "value") && BSON_ITER_HOLDS_DOCUMENT(&i),
          &error);
    bson_destroy(&reply);
    mongoc_find_and_modify_opts_destroy(opts);
    bson_destroy(filter);
    bson_destroy(update);
    bson_destroy(fields);
}

static void copy(mongoc_collection_t *c, const struct bare_task *t, const bson_t *event)
{
    char         id[64];
    char         hex[25];
    bson_t       doc = BSON_INITIALIZER;
    bson_error_t error;

    bson_oid_to_string(&t->id, hex);
    snprintf(id, sizeof(id), "%s:bare:%lld", hex, (long long)t->seq + 1);
    BSON_APPEND_UTF8(&doc, "_id", id);
    BSON_APPEND_OID(&doc, "task", &t->id);
    bson_concat(&doc, event);
    check(mongoc_collection_insert_one(c, &doc, NULL, NULL, &error), &error);
    bson_destroy(&doc);
}

static void update(mongoc_collection_t *c, const struct bare_task *t, bson_t *change)
{
    bson_t      *filter = BCON_NEW("_id", BCON_OID(&t->id));
    bson_error_t error;

    check(mongoc_collection_update_one(c, filter, change, NULL, NULL, &error), &error);
    bson_destroy(filter);
    bson_destroy(change);
}

static void transition(mongoc_collection_t *c, mongoc_collection_t *events, struct bare_task *t)
{
    char    key[64];
    bson_t *event;

    snprintf(key, sizeof(key), "/bare %lld", (long long)t->seq);
    event = event_of(t, t->seq + 1, key);
    apply(c, t, event, key);
    copy(events, t, event);
    bson_destroy(event);
    t->seq++;
    update(c, t, BCON_NEW("$max", "{", "settled", BCON_INT64(t->seq), "}"));
    update(c, t, BCON_NEW("$set", "{", "published", "{", "seq", BCON_INT64(t->seq), "bucket",
                          BCON_UTF8("oa"), "}", "}", "$unset", "{", "unpublished", BCON_UTF8(""),
                          "}"));
}

static void *on_thread(void *arg)
{
    size_t               number = *(size_t *)arg;
    mongoc_client_t     *client = mongoc_client_pool_pop(pool);
    mongoc_collection_t *c = mongoc_client_get_collection(client, database, "tasks");
    mongoc_collection_t *events = mongoc_client_get_collection(client, database, "events");

    for (size_t at = number; atomic_fetch_add(&done, 1) < count; at += thread_count) {
        if (at >= task_count)
            at = number;
        transition(c, events, &tasks[at]);
    }
    mongoc_collection_destroy(c);
    mongoc_collection_destroy(events);
    mongoc_client_pool_push(pool, client);
    return NULL;
}

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void open_pool(const char *url)
{
    bson_error_t  error;
    mongoc_uri_t *uri = mongoc_uri_new_with_error(url, &error);

    check(uri != NULL, &error);
    pool = mongoc_client_pool_new(uri);
    mongoc_uri_destroy(uri);
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS_MAX];
    size_t    numbers[THREADS_MAX];
    double    began, cpu;

    count = argc == 5 ? strtol(argv[3], NULL, 10) : 0;
    thread_count = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
    if (count < 1 || thread_count < 1 || thread_count > THREADS_MAX) {
        fprintf(stderr, "usage: bare_mongo URL DATABASE COUNT THREADS\n");
        return 2;
    }
    mongoc_init();
    database = argv[2];
    open_pool(argv[1]);
    load_tasks();
    if (task_count < thread_count) {
        fprintf(stderr, "bare_mongo: %zu tasks are too few\n", task_count);
        return 1;
    }
    began = seconds(CLOCK_MONOTONIC);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < thread_count; i++) {
        numbers[i] = i;
        if (pthread_create(&threads[i], NULL, on_thread, &numbers[i]) != 0)
            return 1;
    }
    for (size_t i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
    printf("transitions=%ld seconds=%.4f cpu=%.4f\n", count, seconds(CLOCK_MONOTONIC) - began,
           seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    mongoc_client_pool_destroy(pool);
    mongoc_cleanup();
    return 0;
}

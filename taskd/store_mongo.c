/* store_mongo.c -- the store of production: MongoDB, or a server that speaks its wire.
 *
 * Only what such servers share is used (DESIGN 10): updates of one document, guarded by what
 * the caller has read; no transactions, no change streams. Every write may be made twice, so
 * a lost connection is answered by making it again and looking (mg_again, and the nonces of
 * store_mongo.h), never by guessing.
 *
 * The driver blocks, so each lane's thread holds one client of the pool. Without a server a
 * call waits for its selection time-out, which is why that is short: after it the door
 * (store.c) refuses everyone else at once, while the calls under way wait for better times as long
 * as their patience lasts.
 *
 * This file opens, gives out sessions, and judges errors. BSON is in store_mongo_bson.c, changes and
 * marks in _group.c, other writing in _write.c, reading in _read.c, pages in _list.c, counts in
 * _counts.c, notifications in _notices.c, records in _records.c. */
#include "taskd/store_mongo.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define SELECTION_MS     2000                  /* what a call costs where no server answers */
#define CONNECT_MS       2000
#define SOCKET_MS        10000                 /* a server that hangs */
#define POOL_WAIT_MS     3000
#define WRITE_CONCERN_MS 8000
#define READ_PATIENCE_NS  (4ull * 1000 * 1000 * 1000)
#define WRITE_PATIENCE_NS (9ull * 1000 * 1000 * 1000)
#define QUICK_NS          (1ull * 1000 * 1000 * 1000)
#define CLIENTS_MAX      72                    /* 64 workers, a grouper, a prober, and some room */

struct store_backend {
    struct store_host    *host;
    mongoc_client_pool_t *pool;
    char                 *database;
    atomic_bool           has_indexes;
};

/* --- judging errors --- */

enum verdict_of_error { IS_AWAY, IS_PASSING, IS_DUPLICATE, IS_REFUSED };

static const struct { uint32_t code; enum verdict_of_error verdict; } SERVER_CODES[] = {
    { 11000, IS_DUPLICATE },  { 11001, IS_DUPLICATE },
    { 112, IS_PASSING },      /* WriteConflict */
    { 24, IS_PASSING },       /* LockTimeout */
    { 46, IS_PASSING },       /* LockBusy */
    { 16908292, IS_PASSING }, /* FerretDB: PostgreSQL's "deadlock detected" */
    { 2, IS_REFUSED },        /* BadValue */
    { 9, IS_REFUSED },        /* FailedToParse */
    { 14, IS_REFUSED },       /* TypeMismatch */
    { 52, IS_REFUSED },       /* DollarPrefixedFieldName */
    { 10334, IS_REFUSED },    /* BSONObjectTooLarge */
    { 17419, IS_REFUSED },    /* an update would make the document too large */
    { 17420, IS_REFUSED },
};

/* Anything that is not known to be about this one call (network, no primary, shutdown, a time
 * limit, authentication, a server that lost its own database) is the server's trouble. */
static enum verdict_of_error judge(const bson_error_t *error)
{
    if (error->domain == MONGOC_ERROR_BSON || error->domain == MONGOC_ERROR_COMMAND)
        return IS_REFUSED;                     /* the driver itself would not send it */
    if (error->domain != MONGOC_ERROR_SERVER && error->domain != MONGOC_ERROR_QUERY
        && error->domain != MONGOC_ERROR_COLLECTION && error->domain != MONGOC_ERROR_WRITE_CONCERN)
        return IS_AWAY;
    for (size_t i = 0; i < sizeof(SERVER_CODES) / sizeof(SERVER_CODES[0]); i++)
        if (SERVER_CODES[i].code == error->code)
            return SERVER_CODES[i].verdict;
    return IS_AWAY;
}

/* --- a call and its repetitions --- */

static bool take_client(struct store_session *s)
{
    struct store_backend *b = s->backend;

    if (s->client != NULL)
        return true;
    s->client = mongoc_client_pool_pop(b->pool);
    if (s->client == NULL)
        return false;
    s->tasks = mongoc_client_get_collection(s->client, b->database, "tasks");
    s->events = mongoc_client_get_collection(s->client, b->database, "events");
    s->records = mongoc_client_get_collection(s->client, b->database, "records");
    s->counts = mongoc_client_get_collection(s->client, b->database, "counts");
    s->notifications = mongoc_client_get_collection(s->client, b->database, "notifications");
    return true;
}

bool mg_begin(struct mg_try *t, struct store_session *s, bool is_write)
{
    *t = (struct mg_try){ .s = s, .began_ns = uv_hrtime(), .is_write = is_write,
                          .err = ERR_STORE };
    return take_client(s);
}

static void log_error_of(const bson_error_t *error, const char *event)
{
    log_warn(event, LOG_TEXT("why", error->message), LOG_NUM("domain", error->domain),
             LOG_NUM("code", error->code));
}

/* Double each time, from 5 ms up to 320 ms. */
static void pause_after(unsigned failures)
{
    uv_sleep(5u << (failures < 6 ? failures : 6));
}

bool mg_again(struct mg_try *t, const bson_error_t *error)
{
    struct store_host *host = t->s->backend->host;
    enum verdict_of_error verdict = judge(error);
    uint64_t took = uv_hrtime() - t->began_ns;

    if (verdict == IS_DUPLICATE || verdict == IS_REFUSED) {
        t->err = verdict == IS_DUPLICATE ? ERR_EXISTS : ERR_CORRUPT;
        if (verdict == IS_REFUSED)
            log_error_of(error, "store-mongo-refused");
        return false;
    }
    /* A connection that went stale while idle fails once, and soon: nobody need be told. */
    if (verdict == IS_AWAY && (t->failures > 0 || took > QUICK_NS)) {
        log_error_of(error, "store-mongo-away");
        host->on_failure(host);
    }
    t->err = ERR_STORE;
    if (took > (t->is_write ? WRITE_PATIENCE_NS : READ_PATIENCE_NS)
        || atomic_load(&host->is_closing))
        return false;
    pause_after(t->failures++);
    return true;
}

/* --- opening --- */

static void set_default(mongoc_uri_t *uri, const char *option, int32_t ms)
{
    if (!mongoc_uri_has_option(uri, option))
        mongoc_uri_set_option_as_int32(uri, option, ms);
}

static void set_options(mongoc_uri_t *uri)
{
    mongoc_write_concern_t *majority = mongoc_write_concern_new();

    mongoc_write_concern_set_wmajority(majority, WRITE_CONCERN_MS);
    mongoc_write_concern_set_journal(majority, true);
    mongoc_uri_set_write_concern(uri, majority);
    mongoc_write_concern_destroy(majority);
    set_default(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, SELECTION_MS);
    set_default(uri, MONGOC_URI_CONNECTTIMEOUTMS, CONNECT_MS);
    set_default(uri, MONGOC_URI_SOCKETTIMEOUTMS, SOCKET_MS);
    set_default(uri, MONGOC_URI_WAITQUEUETIMEOUTMS, POOL_WAIT_MS);
    set_default(uri, MONGOC_URI_MAXPOOLSIZE, CLIENTS_MAX);
    /* Retryable writes are the driver's default; it uses them where the server has them. */
    mongoc_uri_set_appname(uri, "taskd");
}

static pthread_once_t driver_once = PTHREAD_ONCE_INIT;

static void on_driver_log(mongoc_log_level_t level, const char *domain, const char *message,
                          void *arg)
{
    (void)arg;
    if (level <= MONGOC_LOG_LEVEL_WARNING)
        log_warn("store-mongo-driver", LOG_TEXT("domain", domain), LOG_TEXT("says", message));
}

/* The driver would keep its counters in shared memory under this process's id, for a tool of
 * its own: a process that is killed leaves that file behind. (A failure leaves just that.) */
static void on_first_open(void)
{
    (void)setenv("MONGOC_DISABLE_SHM", "1", 0);
    mongoc_log_set_handler(on_driver_log, NULL);   /* first: mongoc_init may warn, too */
    mongoc_init();
    atexit(mongoc_cleanup);
}

static mongoc_client_pool_t *new_pool(const char *url, char **out_database, struct buf *why)
{
    bson_error_t error = { 0 };
    mongoc_uri_t *uri = mongoc_uri_new_with_error(url, &error);
    mongoc_client_pool_t *pool = NULL;

    if (uri == NULL) {
        buf_printf(why, "the store's URL cannot be read: %s", error.message);
        return NULL;
    }
    if (mongoc_uri_get_database(uri) == NULL || *mongoc_uri_get_database(uri) == '\0') {
        buf_append_text(why, "the store's URL must name a database: mongodb://host:port/DATABASE");
    } else {
        set_options(uri);
        pool = mongoc_client_pool_new_with_error(uri, &error);
        if (pool == NULL)
            buf_printf(why, "the store cannot be used: %s", error.message);
        else
            *out_database = mem_strdup(mongoc_uri_get_database(uri));
    }
    mongoc_uri_destroy(uri);
    return pool;
}

static int mg_open(const char *url, struct store_host *host, struct store_backend **out,
                   struct buf *why)
{
    struct store_backend *b = mem_new(struct store_backend);

    pthread_once(&driver_once, on_first_open);
    b->host = host;
    b->pool = new_pool(url, &b->database, why);
    if (b->pool == NULL) {
        free(b);
        return ERR_INVALID;
    }
    mongoc_client_pool_set_error_api(b->pool, MONGOC_ERROR_API_VERSION_2);
    *out = b;
    return 0;
}

static void mg_close(struct store_backend *b)
{
    mongoc_client_pool_destroy(b->pool);
    free(b->database);
    free(b);
}

static int mg_session_open(struct store_backend *b, bool is_writer, struct store_session **out)
{
    (void)is_writer;
    *out = mem_new(struct store_session);
    (*out)->backend = b;
    return 0;
}

static void mg_session_close(struct store_session *s)
{
    if (s->client != NULL) {
        mongoc_collection_destroy(s->tasks);
        mongoc_collection_destroy(s->events);
        mongoc_collection_destroy(s->records);
        mongoc_collection_destroy(s->counts);
        mongoc_collection_destroy(s->notifications);
        mongoc_client_pool_push(s->backend->pool, s->client);
    }
    free(s);
}

/* --- the prober's question --- */

static bool ping_once(struct store_session *s, bson_error_t *error)
{
    bson_t *filter = bson_new(), *opts = bson_new();
    const bson_t *doc;
    mongoc_cursor_t *cursor;
    bool    is_ok;

    /* Ask for data: a wire server whose own database is gone still answers a bare ping. */
    BSON_APPEND_UTF8(filter, "_id", "probe");
    BSON_APPEND_INT64(opts, "limit", 1);
    BSON_APPEND_INT64(opts, "maxTimeMS", SELECTION_MS);
    cursor = mongoc_collection_find_with_opts(s->records, filter, opts, NULL);
    while (mongoc_cursor_next(cursor, &doc))
        ;
    is_ok = !mongoc_cursor_error(cursor, error);
    mongoc_cursor_destroy(cursor);
    bson_destroy(filter);
    bson_destroy(opts);
    return is_ok;
}

static int mg_ping(struct store_session *s)
{
    bson_error_t error = { 0 };

    if (!take_client(s))
        return ERR_STORE;
    /* Twice: a connection that went stale fails once. */
    if (!ping_once(s, &error) && !ping_once(s, &error)) {
        log_error_of(&error, "store-mongo-away");
        return ERR_STORE;
    }
    if (atomic_load(&s->backend->has_indexes))
        return 0;
    if (!mg_make_indexes(s, &error)) {
        log_error_of(&error, "store-mongo-no-index");
        return ERR_STORE;
    }
    atomic_store(&s->backend->has_indexes, true);
    return 0;
}

const struct store_ops store_mongo_ops = {
    .has_one_writer = false,
    .open = mg_open,
    .close = mg_close,
    .session_open = mg_session_open,
    .session_close = mg_session_close,
    .ping = mg_ping,
    .create = mg_create,
    .get = mg_get,
    .apply_group = mg_apply_group,
    .apply_again = mg_apply_again,
    .settle = mg_settle,
    .mark_group = mg_mark_group,
    .unpublished = mg_unpublished,
    .unpublished_count = mg_unpublished_count,
    .counts = mg_counts,
    .list = mg_list,
    .events = mg_events,
    .find = mg_find_place,
    .has_key = mg_has_key,
    .seqs = mg_seqs,
    .notify = mg_notify,
    .notifications = mg_notifications,
    .notifications_read = mg_notifications_read,
    .record_add = mg_record_add,
    .record_put = mg_record_put,
    .record_get = mg_record_get,
    .record_drop = mg_record_drop,
    .record_all = mg_record_all,
};

/* store_sqlite.c -- the embedded store: one file, for a first run or a small house.
 *
 * One connection writes, others read beside it (WAL); the door (store.c) groups writes into
 * commits, each synced to disk before anyone is told (synchronous=FULL): what was
 * acknowledged survives kill -9 and a power cut. A lock file beside the database keeps a
 * second taskd out: two publishers over one file would be possible, but SPEC I2 promises one,
 * and the ingest lease (DESIGN 9) leans on it.
 *
 * Tables. `tasks` is narrow: what is searched, sorted and guarded by, 150 bytes a row, so
 * that walking an index costs little. The document, JSON as task_to_json writes it, stands
 * apart in `docs`, its events in `events`, whose (task, key) is unique: a repeat is found
 * however late.
 * `places` says where on GitHub a task is found (store_places.c).
 * `texts` holds the folded words of each task and feeds `search`, an index over them (FTS5).
 * `counts` is kept by the mark itself: grouping a million rows takes a second.
 *
 * This file opens, makes tables, prepares and steps. Writing is in store_sqlite_write.c, reading in
 * _read.c, pages in _list.c, notifications in _notices.c, records in _records.c. */
#include "taskd/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "taskd/fault.h"

#define SCHEMA_VERSION 1

/* The indexes of pages: by scope and one filter, then time and id, newest first. */
#define PAGE_INDEX(name, columns)                                                          \
    "CREATE INDEX IF NOT EXISTS tasks_" name "_created ON tasks"                           \
    " (" columns "created_at DESC, id DESC);"                                              \
    "CREATE INDEX IF NOT EXISTS tasks_" name "_updated ON tasks"                           \
    " (" columns "updated_at DESC, id DESC);"

static const char SCHEMA[] =
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS tasks (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " seq INTEGER NOT NULL, org TEXT NOT NULL, created_by TEXT NOT NULL, scope TEXT NOT NULL,"
    " status TEXT NOT NULL, active INTEGER NOT NULL, created_at INTEGER NOT NULL,"
    " updated_at INTEGER NOT NULL, published_seq INTEGER NOT NULL DEFAULT 0,"
    " published_bucket TEXT);"
    "CREATE TABLE IF NOT EXISTS docs (n INTEGER PRIMARY KEY, doc TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS events (task INTEGER NOT NULL, seq INTEGER NOT NULL, key TEXT,"
    " record TEXT NOT NULL, PRIMARY KEY (task, seq)) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX IF NOT EXISTS events_key ON events (task, key) WHERE key IS NOT NULL;"
    "CREATE TABLE IF NOT EXISTS places (place TEXT NOT NULL, n INTEGER NOT NULL,"
    " PRIMARY KEY (place, n)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS texts (n INTEGER PRIMARY KEY, words TEXT NOT NULL);"
    /* ascii: a word was cut and folded here; all but ASCII's separators belongs to it. */
    "CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5 (words, content='texts',"
    " content_rowid='n', tokenize='ascii', detail=none, columnsize=0, prefix='2 3');"
    "CREATE TABLE IF NOT EXISTS counts (org TEXT NOT NULL, sub TEXT NOT NULL,"
    " active INTEGER NOT NULL, completed INTEGER NOT NULL, failed INTEGER NOT NULL,"
    " PRIMARY KEY (org, sub)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS notifications (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " person TEXT NOT NULL, created_at INTEGER NOT NULL, unread INTEGER NOT NULL,"
    " json TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS notifications_unread ON notifications"
    " (person, created_at DESC, id DESC) WHERE unread = 1;"
    "CREATE INDEX IF NOT EXISTS notifications_age ON notifications (created_at);"
    "CREATE TABLE IF NOT EXISTS records (n INTEGER PRIMARY KEY, kind TEXT NOT NULL,"
    " key TEXT NOT NULL, json TEXT NOT NULL, expires_at INTEGER, UNIQUE (kind, key));"
    "CREATE INDEX IF NOT EXISTS records_expiry ON records (expires_at)"
    " WHERE expires_at IS NOT NULL;"
    "CREATE INDEX IF NOT EXISTS tasks_outbox ON tasks (updated_at) WHERE seq > published_seq;"
    PAGE_INDEX("scope", "scope, ")
    PAGE_INDEX("status", "scope, status, ")
    PAGE_INDEX("creator", "scope, created_by, ")
    PAGE_INDEX("active", "scope, active, ");

struct store_backend {
    char *path;
    int   lock_fd;
};

/* --- statements --- */

static void log_failure(sqlite3 *db, const char *what)
{
    log_error("store-sqlite-failed", LOG_TEXT("what", what), LOG_TEXT("why", sqlite3_errmsg(db)),
              LOG_NUM("code", sqlite3_extended_errcode(db)));
}

sqlite3_stmt *sq_prepare(struct store_session *s, sqlite3_stmt **slot, const char *sql)
{
    if (*slot == NULL
        && sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, slot, NULL) != SQLITE_OK) {
        log_failure(s->db, sql);
        return NULL;
    }
    return *slot;
}

sqlite3_stmt *sq_stmt(struct store_session *s, enum sq_stmt which)
{
    static const char *const TEXTS[SQ_COUNT] = {
#define SQL(name, text) [SQ_##name] = text,
#include "taskd/store_sqlite.def"
#undef SQL
    };

    return sq_prepare(s, &s->stmts[which], TEXTS[which]);
}

void sq_done(sqlite3_stmt *q)
{
    sqlite3_reset(q);                          /* says again what the last step said */
    sqlite3_clear_bindings(q);
}

/* A bind fails for a wrong position (a bug, seen by the first test) or for want of memory. */
static void bound(int code)
{
    if (code != SQLITE_OK)
        abort();
}

void sq_bind_text(sqlite3_stmt *q, int at, const char *text)
{
    bound(text == NULL ? sqlite3_bind_null(q, at)
                       : sqlite3_bind_text(q, at, text, -1, SQLITE_STATIC));
}

void sq_bind_int(sqlite3_stmt *q, int at, int64_t n)
{
    bound(sqlite3_bind_int64(q, at, n));
}

int sq_step(sqlite3_stmt *q)
{
    int code = sqlite3_step(q);

    if (code == SQLITE_ROW)
        return 1;
    if (code == SQLITE_DONE)
        return 0;
    log_failure(sqlite3_db_handle(q), sqlite3_sql(q));
    return ERR_STORE;
}

int sq_run(sqlite3_stmt *q)
{
    int err;

    if (q == NULL)
        return ERR_STORE;
    do {
        err = sq_step(q);
    } while (err == 1);
    sq_done(q);
    return err;
}

const char *sq_text(sqlite3_stmt *q, int column)
{
    const unsigned char *text = sqlite3_column_text(q, column);

    return text == NULL ? "" : (const char *)text;
}

void sq_scope_word(char out[SQ_SCOPE_WORD_SIZE], const char *scope)
{
    uint64_t hash = 14695981039346656037u;     /* FNV-1a; the scope itself is compared too */

    for (const char *p = scope; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    snprintf(out, SQ_SCOPE_WORD_SIZE, "0s%016llx", (unsigned long long)hash);
}

/* --- opening --- */

/* Hold the lock file, or say who does. The lock goes with the process, however it ends. */
static int take_lock(const char *path, int *out_fd, struct buf *why)
{
    struct buf name;
    char owner[32] = "";
    int  fd;

    buf_init(&name, 8192);
    buf_printf(&name, "%s.lock", path);
    fd = open(name.data, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        buf_printf(why, "cannot open %s: %s", name.data, strerror(errno));
        buf_deinit(&name);
        return ERR_STORE;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = read(fd, owner, sizeof(owner) - 1);

        owner[n > 0 ? strcspn(owner, "\n") : 0] = '\0';
        buf_printf(why, "%s is in use by another taskd%s%s: one at a time (its lock is %s)", path,
                   *owner != '\0' ? ", process " : "", owner, name.data);
        close(fd);
        buf_deinit(&name);
        return ERR_BUSY;
    }
    /* The number is for people; that it could not be written harms nobody. */
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
        log_warn("store-lock-unsigned", LOG_TEXT("file", name.data));
    buf_deinit(&name);
    *out_fd = fd;
    return 0;
}

static int open_connection(const char *path, bool is_writer, sqlite3 **out)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (is_writer ? SQLITE_OPEN_CREATE : 0);
    /* The file belongs to this process, so a wait is short: a reader meeting a checkpoint. */
    const char *pragmas = is_writer
        ? "PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
          "PRAGMA cache_size=-65536; PRAGMA journal_size_limit=67108864; PRAGMA trusted_schema=0;"
        : "PRAGMA busy_timeout=5000; PRAGMA query_only=1; PRAGMA cache_size=-8192;"
          "PRAGMA mmap_size=1073741824; PRAGMA trusted_schema=0;";

    if (sqlite3_open_v2(path, out, flags, NULL) != SQLITE_OK)
        return ERR_STORE;
    sqlite3_extended_result_codes(*out, 1);
    return sqlite3_exec(*out, pragmas, NULL, NULL, NULL) == SQLITE_OK ? 0 : ERR_STORE;
}

static int schema_version(sqlite3 *db)
{
    sqlite3_stmt *q = NULL;
    int version = -1;

    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &q, NULL) == SQLITE_OK
        && sqlite3_step(q) == SQLITE_ROW)
        version = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    return version;
}

static int make_schema(sqlite3 *db, struct buf *why)
{
    int  version = schema_version(db);
    char text[64];

    if (version > SCHEMA_VERSION) {
        buf_printf(why, "it was made by a newer taskd (schema %d)", version);
        return ERR_CORRUPT;
    }
    snprintf(text, sizeof(text), "PRAGMA user_version = %d", SCHEMA_VERSION);
    if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return ERR_STORE;
    if (sqlite3_exec(db, SCHEMA, NULL, NULL, NULL) == SQLITE_OK
        && sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK
        && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    return ERR_STORE;                          /* closing the connection rolls back */
}

static int sq_open(const char *url, struct store_host *host, struct store_backend **out,
                   struct buf *why)
{
    const char *path = url + strlen("sqlite:");
    struct store_backend *b;
    struct buf reason;
    sqlite3 *db = NULL;
    int fd, err;

    (void)host;                                /* an embedded store answers at once, or fails */
    if (*path == '\0') {
        buf_append_text(why, "sqlite: needs a path, such as sqlite:taskwire.db");
        return ERR_INVALID;
    }
    err = take_lock(path, &fd, why);
    if (err != 0)
        return err;
    buf_init(&reason, 4096);
    err = open_connection(path, true, &db);
    if (err == 0)
        err = make_schema(db, &reason);
    if (err != 0) {
        buf_printf(why, "%s cannot be opened: %s", path,
                   reason.len != 0 ? reason.data : sqlite3_errmsg(db));
        close(fd);
    } else {
        b = mem_new(struct store_backend);
        b->path = mem_strdup(path);
        b->lock_fd = fd;
        *out = b;
    }
    sqlite3_close(db);
    buf_deinit(&reason);
    return err;
}

static void sq_close(struct store_backend *b)
{
    close(b->lock_fd);                         /* the file stays: removing it would race */
    free(b->path);
    free(b);
}

static void sq_session_close(struct store_session *s)
{
    for (size_t i = 0; i < SQ_COUNT; i++)
        sqlite3_finalize(s->stmts[i]);
    for (size_t i = 0; i < SQ_LISTS; i++)
        sqlite3_finalize(s->lists[i]);
    sqlite3_close(s->db);
    free(s);
}

static int sq_session_open(struct store_backend *b, bool is_writer, struct store_session **out)
{
    struct store_session *s = mem_new(struct store_session);
    int err = open_connection(b->path, is_writer, &s->db);

    if (err != 0) {
        log_failure(s->db, "open");
        sq_session_close(s);
        return err;
    }
    *out = s;
    return 0;
}

/* --- transactions of the writer --- */

static int sq_begin(struct store_session *s)
{
    return sq_run(sq_stmt(s, SQ_BEGIN));
}

static int sq_commit(struct store_session *s)
{
    FAULT_POINT("before-commit");
    return sq_run(sq_stmt(s, SQ_COMMIT));
}

static void sq_rollback(struct store_session *s)
{
    if (sqlite3_get_autocommit(s->db) == 0)    /* some failures have rolled back already */
        sq_run(sq_stmt(s, SQ_ROLLBACK));
}

static int sq_ping(struct store_session *s)
{
    return sq_run(sq_stmt(s, SQ_PROBE));
}

const struct store_ops store_sqlite_ops = {
    .has_one_writer = true,
    .open = sq_open,
    .close = sq_close,
    .session_open = sq_session_open,
    .session_close = sq_session_close,
    .ping = sq_ping,
    .begin = sq_begin,
    .commit = sq_commit,
    .rollback = sq_rollback,
    .create = sq_create,
    .get = sq_get,
    .apply = sq_apply,
    .settle = sq_settle,
    .mark = sq_mark,
    .unpublished = sq_unpublished,
    .unpublished_count = sq_unpublished_count,
    .counts = sq_counts,
    .list = sq_list,
    .events = sq_events,
    .find = sq_find_place,
    .has_key = sq_has_key,
    .seqs = sq_seqs,
    .notify = sq_notify,
    .notifications = sq_notifications,
    .notifications_read = sq_notifications_read,
    .record_add = sq_record_add,
    .record_put = sq_record_put,
    .record_get = sq_record_get,
    .record_drop = sq_record_drop,
    .record_all = sq_record_all,
};

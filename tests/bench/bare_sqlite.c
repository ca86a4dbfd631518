/* bare_sqlite.c -- what SQLite itself charges for a transition: bare_sqlite FILE COUNT GROUP
 *
 * The writes of `taskd` and nothing else: no task is understood, no JSON made, nobody told. FILE is
 * a database that taskd filled; its statements are taskd's own, its values those that stand
 * there already. Of each transition the task is looked up, its key asked for, its row, document
 * and event written, and later its mark; GROUP of them share a commit, as they do in taskd where
 * that many come at once. Prints `transitions=… seconds=… cpu=…`. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>
#include <time.h>

#define TASKS_MAX 100000

enum stmt {
#define SQL(name, text) SQ_##name,
#include "taskd/store_sqlite.def"
#undef SQL
    SQ_COUNT
};

static const char *const TEXTS[SQ_COUNT] = {
#define SQL(name, text) [SQ_##name] = text,
#include "taskd/store_sqlite.def"
#undef SQL
};

struct bare_task {
    int64_t n, seq, created_at, updated_at;
    char   *id, *org, *created_by, *scope, *status, *doc, *record;
};

static sqlite3      *db;
static sqlite3_stmt *stmts[SQ_COUNT];
static struct bare_task tasks[TASKS_MAX];
static size_t        task_count;

static void check(int code)
{
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
        return;
    fprintf(stderr, "bare_sqlite: %s\n", sqlite3_errmsg(db));
    exit(1);
}

static sqlite3_stmt *stmt(enum stmt which)
{
    if (stmts[which] == NULL)
        check(sqlite3_prepare_v2(db, TEXTS[which], -1, &stmts[which], NULL));
    return stmts[which];
}

static void text(sqlite3_stmt *q, int at, const char *value)
{
    check(sqlite3_bind_text(q, at, value, -1, SQLITE_STATIC));
}

static void run(sqlite3_stmt *q)
{
    check(sqlite3_step(q));
    check(sqlite3_reset(q));
    check(sqlite3_clear_bindings(q));
}

static char *column(sqlite3_stmt *q, int at)
{
    const unsigned char *value = sqlite3_column_text(q, at);

    return strdup(value == NULL ? "" : (const char *)value);
}

static void load_tasks(void)
{
    static const char LIST[] =
        "SELECT t.n, t.seq, t.created_at, t.updated_at, t.id, t.org, t.created_by, t.scope, "
        "t.status, d.doc, e.record FROM tasks AS t JOIN docs AS d ON d.n = t.n "
        "JOIN events AS e ON e.task = t.n AND e.seq = t.seq";
    sqlite3_stmt *q;

    check(sqlite3_prepare_v2(db, LIST, -1, &q, NULL));
    while (task_count < TASKS_MAX && sqlite3_step(q) == SQLITE_ROW) {
        struct bare_task *t = &tasks[task_count++];

        t->n = sqlite3_column_int64(q, 0);
        t->seq = sqlite3_column_int64(q, 1);
        t->created_at = sqlite3_column_int64(q, 2);
        t->updated_at = sqlite3_column_int64(q, 3);
        t->id = column(q, 4);
        t->org = column(q, 5);
        t->created_by = column(q, 6);
        t->scope = column(q, 7);
        t->status = column(q, 8);
        t->doc = column(q, 9);
        t->record = column(q, 10);
    }
    sqlite3_finalize(q);
}

static void find(const struct bare_task *t)
{
    sqlite3_stmt *q = stmt(SQ_FIND);

    text(q, 1, t->id);
    run(q);
}

static void write_task(struct bare_task *t, const char *key)
{
    sqlite3_stmt *q = stmt(SQ_UPDATE_TASK);

    check(sqlite3_bind_int64(q, 1, ++t->seq));
    text(q, 2, t->org);
    text(q, 3, t->created_by);
    text(q, 4, t->scope);
    text(q, 5, t->status);
    check(sqlite3_bind_int64(q, 6, 1));
    check(sqlite3_bind_int64(q, 7, t->created_at));
    check(sqlite3_bind_int64(q, 8, ++t->updated_at));
    check(sqlite3_bind_int64(q, 9, t->n));
    run(q);
    q = stmt(SQ_UPDATE_DOC);
    text(q, 1, t->doc);
    check(sqlite3_bind_int64(q, 2, t->n));
    run(q);
    q = stmt(SQ_INSERT_EVENT);
    check(sqlite3_bind_int64(q, 1, t->n));
    check(sqlite3_bind_int64(q, 2, t->seq));
    text(q, 3, key);
    text(q, 4, t->record);
    run(q);
}

static void apply(struct bare_task *t, long at)
{
    sqlite3_stmt *q = stmt(SQ_KEY);
    char          key[64];

    snprintf(key, sizeof(key), "/bare %ld %lld", at, (long long)t->seq);
    find(t);
    check(sqlite3_bind_int64(q, 1, t->n));
    text(q, 2, key);
    run(q);
    write_task(t, key);
}

static void mark(const struct bare_task *t)
{
    sqlite3_stmt *q = stmt(SQ_MARK);

    find(t);
    check(sqlite3_bind_int64(q, 1, t->seq));
    text(q, 2, "oa");
    check(sqlite3_bind_int64(q, 3, t->n));
    run(q);
}

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    long   count = argc == 4 ? strtol(argv[2], NULL, 10) : 0;
    long   group = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
    double began, cpu;

    if (count < 1 || group < 1) {
        fprintf(stderr, "usage: bare_sqlite FILE COUNT GROUP\n");
        return 2;
    }
    check(sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
    check(sqlite3_exec(db, "PRAGMA busy_timeout=5000; PRAGMA synchronous=FULL;"
                       "PRAGMA cache_size=-65536", NULL, NULL, NULL));
    load_tasks();
    if (task_count < (size_t)group) {
        fprintf(stderr, "bare_sqlite: %zu tasks are too few\n", task_count);
        return 1;
    }
    began = seconds(CLOCK_MONOTONIC);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (long at = 0; at < count; at += group) {
        run(stmt(SQ_BEGIN));
        for (long i = at; i < at + group && i < count; i++)
            apply(&tasks[(size_t)i % task_count], i);
        run(stmt(SQ_COMMIT));
        run(stmt(SQ_BEGIN));
        for (long i = at; i < at + group && i < count; i++)
            mark(&tasks[(size_t)i % task_count]);
        run(stmt(SQ_COMMIT));
    }
    printf("transitions=%ld seconds=%.4f cpu=%.4f\n", count, seconds(CLOCK_MONOTONIC) - began,
           seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    return 0;
}

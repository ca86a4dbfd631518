/* suite.c -- the store's conformance suite: store_suite URL [--server SCRIPT] [GROUP…]
 *
 * URL is sqlite:PATH or mongodb://…[/DATABASE][?…]; the run makes databases of its own whose
 * names begin with PATH or DATABASE, and removes them. SCRIPT is tests/mongo/server.sh, which
 * started that server: then the suite may also kill and restart it. Exit code 0: all passed. */
#include "tests/integration/store/suite.h"

#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

struct suite suite;

static const char *base_url;

/* The database's name goes behind the last part of the path, before any options. */
void fresh_url(char *out, size_t size, const char *name)
{
    const char *options = suite.is_mongo ? strchr(base_url, '?') : NULL;
    int head = options == NULL ? (int)strlen(base_url) : (int)(options - base_url);
    const char *authority = suite.is_mongo ? strstr(base_url, "//") + 2 : base_url;
    const char *path = strchr(authority, '/');
    bool has_path = !suite.is_mongo || (path != NULL && (options == NULL || path < options));
    bool has_name = has_path && base_url[head - 1] != '/';

    snprintf(out, size, "%.*s%s%s%s-%d%s", head, base_url, has_path ? "" : "/",
             has_name ? "-" : "taskwire-suite-", name, (int)getpid(),
             options != NULL ? options : "");
}

static void drop_mongo(const char *url)
{
    mongoc_uri_t    *uri = mongoc_uri_new(url);
    mongoc_client_t *client = mongoc_client_new_from_uri(uri);
    mongoc_database_t *db = mongoc_client_get_database(client, mongoc_uri_get_database(uri));
    bson_error_t     error;

    if (!mongoc_database_drop(db, &error))
        fprintf(stderr, "cannot drop %s: %s\n", mongoc_uri_get_database(uri), error.message);
    mongoc_database_destroy(db);
    mongoc_client_destroy(client);
    mongoc_uri_destroy(uri);
}

void drop_database(const char *url)
{
    static const char *const ENDS[] = { "", "-wal", "-shm", ".lock" };
    char path[1100];

    if (suite.is_mongo) {
        drop_mongo(url);
        return;
    }
    for (size_t i = 0; i < sizeof(ENDS) / sizeof(ENDS[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", strchr(url, ':') + 1, ENDS[i]);
        unlink(path);
    }
}

static const struct group {
    const char *name;
    int       (*run)(void);
    bool        wants_bench;                   /* the suite's own store, open while it runs */
} GROUPS[] = {
    { "tasks", run_tasks, true },     { "timeline", run_timeline, true },
    { "outbox", run_outbox, true },   { "pages", run_pages, true },
    { "find", run_find, true },       { "notices", run_notices, true },
    { "records", run_records, true }, { "races", run_races, false },
    { "open", run_open, false },      { "crash", run_crash, false },
    { "away", run_away, false },
};

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc == 0;
}

static int run_group(const struct group *g)
{
    int failed;

    if (g->wants_bench)
        bench_open(&suite.bench, suite.url, 8);
    failed = g->run();
    if (g->wants_bench)
        bench_close(&suite.bench);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0, at = 2;

    if (argc < 2) {
        fprintf(stderr, "usage: store_suite URL [--server SCRIPT] [GROUP...]\n");
        return 2;
    }
    base_url = argv[1];
    suite.is_mongo = strncmp(base_url, "mongodb", 7) == 0;
    if (argc > 3 && strcmp(argv[2], "--server") == 0) {
        suite.server = argv[3];
        at = 4;
    }
    /* Some tests make the store fail on purpose; its log would drown theirs. */
    log_setup("suite", getenv("SUITE_LOG") != NULL ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR,
              LOG_FORMAT_KV);
    fresh_url(suite.url, sizeof(suite.url), "main");
    for (size_t i = 0; i < sizeof(GROUPS) / sizeof(GROUPS[0]); i++)
        if (is_wanted(GROUPS[i].name, argc - at, argv + at))
            failed += run_group(&GROUPS[i]);
    drop_database(suite.url);
    return failed == 0 ? 0 : 1;
}

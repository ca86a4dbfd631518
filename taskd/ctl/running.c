/* running.c -- `taskctl stats`, `health`, `replicas`, `outbox`, `version`: how the system is. */
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/mem.h"
#include "taskd/ctl/cli/age.h"
#include "taskd/ctl/commands.h"
#include "taskd/ctl/ctl.h"
#include "taskd/ctl/views.h"

#define STATUS_TARGET   "/api/admin/status"
#define REPLICAS_TARGET "/api/admin/replicas"

/* --- stats --- */

static const struct view_column STATS_COLUMNS[] = {
    { "Org",                "org",           CELL_TEXT, 0, NULL },
    { "Active",             "active",        CELL_TEXT, 0, NULL },
    { "Completed",          "completed",     CELL_TEXT, 0, NULL },
    { "Failed",             "failed",        CELL_TEXT, 0, NULL },
    { "Own private active", "ownActive",     CELL_TEXT, 0, NULL },
    { "Inputs waiting",     "inputsWaiting", CELL_TEXT, 0, NULL },
    { "Longest for ms",     "inputLagMs",    CELL_TEXT, 0, NULL },
    { "Dead letters",       "deadLetters",   CELL_TEXT, 0, NULL },
    { "Unpublished tasks",  "unpublished",   CELL_TEXT, 0, NULL },
    { "Gateways",           "gateways",      CELL_TEXT, 0, NULL },
    { "Connections",        "connections",   CELL_TEXT, 0, NULL },
};
static const struct view STATS_VIEW = VIEW(STATS_COLUMNS);

/* Whose counts: those of --org, else one's own. */
static enum exit_code find_org(struct ctl *c, json_t *stats)
{
    json_t        *me;
    enum exit_code code;

    if (ctl_org(c) != NULL) {
        json_put_text(stats, "org", ctl_org(c));
        return EXIT_OK;
    }
    code = taskd_get(c, &me, "oneself", "/api/me");
    json_put_text(stats, "org", json_text(me, "org"));
    json_decref(me);
    return code;
}

static enum exit_code stats_of_org(struct ctl *c, json_t *stats)
{
    struct buf     target;
    json_t        *page;
    enum exit_code code = find_org(c, stats);

    if (code != EXIT_OK)
        return code;
    buf_init(&target, 1024);
    target_put(&target, "/api/tasks?limit=1&org=", json_text(stats, "org"), "");
    code = taskd_get(c, &page, "counts", "%s", target.data);
    buf_deinit(&target);
    if (code != EXIT_OK)
        return code;
    json_put_int(stats, "active", json_int(page, "activeCount", 0));
    json_put_int(stats, "completed", json_int(page, "completedCount", 0));
    json_put_int(stats, "failed", json_int(page, "failedCount", 0));
    json_put_int(stats, "ownActive",
                 json_int(json_object_get(page, "private"), "activeCount", 0));
    json_decref(page);
    return EXIT_OK;
}

/* What only operators are told is left out for others. */
static enum exit_code stats_of_system(struct ctl *c, json_t *stats)
{
    struct request r = { .method = HTTP_GET, .target = STATUS_TARGET };
    struct answer  a;
    const json_t  *ingest, *replica;
    json_t        *replicas;
    size_t         i;
    int64_t        connections = 0;
    enum exit_code code;

    taskd_ask(c, &r, &a);
    if (a.err == 0 && a.status == 403) {
        answer_deinit(&a);
        return EXIT_OK;
    }
    code = answer_explain(c, &a, "the status");
    ingest = json_object_get(a.json, "ingest");
    json_put_int(stats, "inputsWaiting", json_int(ingest, "streamLength", 0));
    json_put_int(stats, "inputLagMs", json_int(ingest, "lagMs", 0));
    json_put_int(stats, "deadLetters", json_int(ingest, "deadLetters", 0));
    json_put_int(stats, "unpublished", json_int(a.json, "unpublished", 0));
    answer_deinit(&a);
    if (code != EXIT_OK)
        return code;
    code = taskd_get(c, &replicas, "gateways", REPLICAS_TARGET);
    json_array_foreach(json_object_get(replicas, "replicas"), i, replica)
        connections += json_int(replica, "connections", 0);
    json_put_int(stats, "gateways",
                 (int64_t)json_array_size(json_object_get(replicas, "replicas")));
    json_put_int(stats, "connections", connections);
    json_decref(replicas);
    return code;
}

int command_stats(const struct args *a)
{
    struct ctl *c = ctl_new(a);
    json_t     *stats = json_object();
    int         code = c != NULL ? (int)stats_of_org(c, stats) : EXIT_USAGE;

    if (code == EXIT_OK)
        code = stats_of_system(c, stats);
    if (code == EXIT_OK)
        out_object(ctl_out(c), &STATS_VIEW, stats);
    json_decref(stats);
    ctl_free(c);
    return code;
}

/* --- replicas --- */

static const struct view_column REPLICA_COLUMNS[] = {
    { "ID",      "id",          CELL_TEXT, 0,               NULL },
    { "STATE",   "state",       CELL_TEXT, 0,               state_colour },
    { "AGE",     "started",     CELL_AGE,  0,               NULL },
    { "SEEN",    "at",          CELL_AGE,  0,               NULL },
    { "CANARY",  "canary",      CELL_TEXT, 0,               NULL },
    { "CLIENTS", "connections", CELL_TEXT, COLUMN_RIGHT,    NULL },
    { "USERS",   "users",       CELL_TEXT, COLUMN_RIGHT | COLUMN_OPTIONAL, NULL },
    { "ORGS",    "orgs",        CELL_TEXT, COLUMN_RIGHT | COLUMN_OPTIONAL, NULL },
    { "URL",     "url",         CELL_TEXT, COLUMN_OPTIONAL, NULL },
    { "VERSION", "version",     CELL_TEXT, COLUMN_OPTIONAL | COLUMN_SHRINKS, NULL },
};
static const struct view REPLICA_VIEW = VIEW(REPLICA_COLUMNS);

/* For people: the canary's milliseconds as an age. */
static void put_canary(json_t *replica)
{
    char    age[AGE_SIZE];
    int64_t ms = json_int(replica, "canaryMs", -1);

    if (ms < 0)
        return;
    age_format(ms, age);
    json_put_text(replica, "canary", age);
}

int command_replicas(const struct args *a)
{
    struct ctl *c = ctl_new(a);
    json_t     *answer = NULL;
    json_t     *replica;
    size_t      i;
    int         code = EXIT_USAGE;

    if (c != NULL)
        code = taskd_get(c, &answer, "gateways", REPLICAS_TARGET);
    if (code == EXIT_OK) {
        if (ctl_out(c)->format == OUT_TABLE) {
            json_array_foreach(json_object_get(answer, "replicas"), i, replica)
                put_canary(replica);
        }
        out_rows(ctl_out(c), &REPLICA_VIEW, json_object_get(answer, "replicas"));
    }
    json_decref(answer);
    ctl_free(c);
    return code;
}

/* --- health --- */

static const struct view_column HEALTH_COLUMNS[] = {
    { "COMPONENT", "component", CELL_TEXT, 0,              NULL },
    { "STATE",     "state",     CELL_TEXT, 0,              state_colour },
    { "DETAIL",    "detail",    CELL_TEXT, COLUMN_SHRINKS, NULL },
};
static const struct view HEALTH_VIEW = VIEW(HEALTH_COLUMNS);

static void put_health(json_t *rows, const char *component, const char *state, const char *detail)
{
    json_t *row = json_object();

    json_put_text(row, "component", component);
    json_put_text(row, "state", state);
    json_put_text(row, "detail", detail);
    if (json_array_append_new(rows, row) != 0)
        abort();
}

static bool is_well(const char *state)
{
    return state != NULL &&
           (strcmp(state, "ok") == 0 || strcmp(state, "up") == 0 || strcmp(state, "ready") == 0);
}

static void put_taskd(json_t *rows, const json_t *status)
{
    const json_t *ingest = json_object_get(status, "ingest");
    const char   *name;
    json_t       *state;
    char          detail[256];

    snprintf(detail, sizeof(detail), "version %s, pid %lld%s", json_text(status, "version"),
             (long long)json_int(status, "pid", 0),
             json_bool(ingest, "isHolder", false) ? ", works the ingest stream" : "");
    put_health(rows, "taskd", json_text(status, "status"), detail);
    json_object_foreach(json_object_get(status, "dependencies"), name, state)
        put_health(rows, name, json_is_string(state) ? json_string_value(state) :
                   json_is_true(state) ? "up" : "down", NULL);
}

static void put_gateways(json_t *rows, const json_t *replicas)
{
    const json_t *replica;
    size_t        i;

    json_array_foreach(replicas, i, replica) {
        char    component[128], detail[256], age[AGE_SIZE] = "?";
        int64_t at;

        if (json_text(replica, "at") != NULL &&
            clock_parse(slice_of(json_text(replica, "at")), &at) == 0)
            age_format(clock_wall_ms() - at, age);
        snprintf(component, sizeof(component), "gateway %s", json_text(replica, "id"));
        snprintf(detail, sizeof(detail), "%lld clients, seen %s ago",
                 (long long)json_int(replica, "connections", 0), age);
        put_health(rows, component, json_text(replica, "state"), detail);
    }
}

static enum exit_code verdict(const json_t *rows)
{
    const json_t *row;
    size_t        i;

    json_array_foreach(rows, i, row) {
        if (!is_well(json_text(row, "state")))
            return EXIT_FAILED;
    }
    return EXIT_OK;
}

int command_health(const struct args *a)
{
    struct ctl *c = ctl_new(a);
    json_t     *rows = json_array();
    json_t     *status = NULL, *replicas = NULL;
    int         code = EXIT_USAGE;
    int         more;

    if (c != NULL)
        code = taskd_get(c, &status, "the status", STATUS_TARGET);
    if (code == EXIT_OK) {
        put_taskd(rows, status);
        more = taskd_get(c, &replicas, "gateways", REPLICAS_TARGET);
        put_gateways(rows, json_object_get(replicas, "replicas"));
        out_rows(ctl_out(c), &HEALTH_VIEW, rows);
        code = more != EXIT_OK ? EXIT_FAILED : (int)verdict(rows);
    }
    json_decref(status);
    json_decref(replicas);
    json_decref(rows);
    ctl_free(c);
    return code;
}

/* --- outbox --- */

static const struct view_column OUTBOX_COLUMNS[] = {
    { "ID",    "taskId",    CELL_TEXT, 0, NULL },
    { "ORG",   "orgId",     CELL_TEXT, 0, NULL },
    { "SINCE", "updatedAt", CELL_AGE,  0, NULL },
};
static const struct view OUTBOX_VIEW = VIEW(OUTBOX_COLUMNS);

int command_outbox(const struct args *a)
{
    struct ctl *c = ctl_new(a);
    json_t     *answer = NULL;
    int         code = EXIT_USAGE;

    if (c != NULL)
        code = taskd_get(c, &answer, "the outbox", "/api/admin/outbox");
    if (code == EXIT_OK) {
        size_t  shown = json_array_size(json_object_get(answer, "oldest"));
        int64_t all = json_int(answer, "unpublished", 0);

        out_rows(ctl_out(c), &OUTBOX_VIEW, json_object_get(answer, "oldest"));
        if (all > (int64_t)shown)
            say("%lld tasks are not published yet; these are the oldest", (long long)all);
    }
    json_decref(answer);
    ctl_free(c);
    return code;
}

static const struct view_column POSITION_COLUMNS[] = {
    { "ID",        "taskId",       CELL_TEXT, 0,            NULL },
    { "ORG",       "orgId",        CELL_TEXT, 0,            NULL },
    { "SEQ",       "seq",          CELL_TEXT, COLUMN_RIGHT, NULL },
    { "PUBLISHED", "publishedSeq", CELL_TEXT, COLUMN_RIGHT, NULL },
};
static const struct view POSITION_VIEW = VIEW(POSITION_COLUMNS);

int command_outbox_push(const struct args *a)
{
    struct ctl *c = ctl_new(a);
    json_t     *rows = json_array();
    int         code = c != NULL ? EXIT_OK : EXIT_USAGE;

    for (size_t i = 0; i < a->word_count && code == EXIT_OK; i++) {
        struct buf target;
        char       key[KEY_SIZE], what[128];
        json_t    *position;
        struct request r = { .method = HTTP_POST, .key = key };

        key_make(key);
        buf_init(&target, 4096);
        target_put(&target, "/api/admin/outbox/", a->words[i], "");
        snprintf(what, sizeof(what), "task %s", a->words[i]);
        r.target = target.data;
        code = taskd_call(c, &r, what, &position);
        if (code == EXIT_OK && json_array_append_new(rows, position) != 0)
            abort();
        buf_deinit(&target);
    }
    if (json_array_size(rows) > 0)
        out_rows(ctl_out(c), &POSITION_VIEW, rows);
    json_decref(rows);
    ctl_free(c);
    return code;
}

/* --- version --- */

static const struct view_column VERSION_COLUMNS[] = {
    { "taskctl", "taskctl", CELL_TEXT, 0, NULL },
    { "taskd",   "taskd",   CELL_TEXT, 0, NULL },
};
static const struct view VERSION_VIEW = VIEW(VERSION_COLUMNS);

/* Whoever has no token, or no taskd, still learns which taskctl it is. */
int command_version(const struct args *a)
{
    struct request r = { .method = HTTP_GET, .target = STATUS_TARGET };
    struct answer  answer = { 0 };
    struct out     o;
    struct ctl    *c = NULL;
    struct buf     why;
    json_t        *versions = json_object();

    buf_init(&why, 1024);
    if (out_init(&o, a, &why) != 0) {
        json_decref(versions);
        usage(a, "%s", why.data);
        buf_deinit(&why);
        return EXIT_USAGE;
    }
    buf_deinit(&why);
    json_put_text(versions, "taskctl", a->program->version);
    if (getenv("TASKWIRE_TOKEN") != NULL || getenv("TASKWIRE_TOKEN_FILE") != NULL ||
        getenv("JWT_SECRET") != NULL || getenv("JWT_SECRET_FILE") != NULL)
        c = ctl_new(a);
    if (c != NULL)
        taskd_ask(c, &r, &answer);
    if (answer.err == 0)
        json_put_text(versions, "taskd", json_text(answer.json, "version"));
    out_object(&o, &VERSION_VIEW, versions);
    answer_deinit(&answer);
    json_decref(versions);
    ctl_free(c);
    return EXIT_OK;
}

/* doctor_look.c -- gathering the facts of doctor.h from taskd and Redis.
 *
 * What cannot be asked is told once on standard error and is null from then on: the doctor
 * judges by what is left. Everything read has a bound: of all orgs the newest part of each log
 * and list is compared, of a single org or task all of the log. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "proto/envelope.h"
#include "proto/keys.h"
#include "taskd/ctl/ctl.h"
#include "taskd/ctl/doctor.h"

#define ORGS_MAX       100
#define LOG_BATCH      "500"
#define LOG_PART       1000                    /* messages of each log, of all orgs */
#define TASKS_PART     200
#define TASKS_MAX      2000
#define POSITIONS_PAGE 200
#define KEY_MAX        256

struct look {
    struct ctl                *ctl;
    const struct doctor_scope *scope;
    json_t                    *facts;
};

static void put(json_t *to, const char *key, json_t *value)
{
    if (json_object_set_new(to, key, value) != 0)
        abort();
}

/* --- taskd --- */

static void look_taskd(struct look *l)
{
    static const struct { const char *member, *target, *part; } ROWS[] = {
        { "status",   "/api/admin/status",   NULL },
        { "outbox",   "/api/admin/outbox",   NULL },
        { "replicas", "/api/admin/replicas", "replicas" },
    };

    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        json_t *answer = NULL;
        json_t *part;

        if (i == 0 || json_is_object(json_object_get(l->facts, "status")))
            (void)taskd_get(l->ctl, &answer, ROWS[i].member, "%s", ROWS[i].target);
        part = ROWS[i].part != NULL ? json_object_get(answer, ROWS[i].part) : answer;
        put(l->facts, ROWS[i].member, part != NULL ? json_incref(part) : json_null());
        json_decref(answer);
    }
}

/* --- Redis --- */

static bool server_is_there(const struct look *l, size_t server)
{
    return json_text(json_array_get(json_object_get(l->facts, "servers"), server), "runId") != NULL;
}

static int64_t number_of(const json_t *value)
{
    if (json_is_string(value))
        return strtoll(json_string_value(value), NULL, 10);
    return json_is_integer(value) ? json_integer_value(value) : 0;
}

/* "name:value" lines of INFO. */
static void read_info(struct slice info, json_t *server)
{
    static const struct { const char *name, *member; bool is_text; } ROWS[] = {
        { "run_id", "runId", true },           { "maxmemory_policy", "policy", true },
        { "used_memory", "usedMemory", false }, { "maxmemory", "maxMemory", false },
    };

    while (info.len > 0) {
        struct slice value = slice_cut(&info, '\n');
        struct slice name = slice_cut(&value, ':');
        char         text[128];

        snprintf(text, sizeof(text), "%.*s", SLICE_ARG(value));
        text[strcspn(text, "\r")] = '\0';
        for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
            if (slice_is(name, ROWS[i].name) && ROWS[i].is_text)
                json_put_text(server, ROWS[i].member, text);
            else if (slice_is(name, ROWS[i].name))
                json_put_int(server, ROWS[i].member, strtoll(text, NULL, 10));
        }
        if (slice_is(name, "aof_enabled"))
            json_put_bool(server, "aof", strcmp(text, "1") == 0);
    }
}

static void look_servers(struct look *l)
{
    const struct redis_servers *s = ctl_redis_servers(l->ctl);
    json_t                     *servers = json_array();

    for (size_t i = 0; i < s->count; i++) {
        json_t *server = json_object();
        json_t *info;

        json_put_text(server, "name", s->names[i]);
        if (redis_ask(l->ctl, i, &info, "INFO", NULL) == EXIT_OK && json_is_string(info))
            read_info(slice_of(json_string_value(info)), server);
        json_decref(info);
        if (json_array_append_new(servers, server) != 0)
            abort();
    }
    put(l->facts, "servers", servers);
}

/* Ask, and give the reply; NULL where there is none. */
#define ASK(l, server, reply, ...) \
    (redis_ask((l)->ctl, (server), &(reply), __VA_ARGS__, NULL) == EXIT_OK)

static void look_lease(struct look *l)
{
    json_t *token, *ttl = NULL;
    json_t *lease;

    if (!ASK(l, 0, token, "GET", KEY_INGEST_LEASE) || !ASK(l, 0, ttl, "PTTL", KEY_INGEST_LEASE)) {
        json_decref(token);
        return;
    }
    lease = json_is_string(token) ? json_object() : json_null();
    if (json_is_object(lease)) {
        json_put_text(lease, "token", json_string_value(token));
        json_put_int(lease, "ttlMs", number_of(ttl));
    }
    put(l->facts, "lease", lease);
    json_decref(token);
    json_decref(ttl);
}

/* The time that an entry's id says: "<ms>-<n>". */
static int64_t entry_ms(const json_t *entries)
{
    const json_t *id = json_array_get(json_array_get(entries, 0), 0);

    return number_of(id);
}

static void look_ingest(struct look *l)
{
    json_t *length, *oldest = NULL, *dead = NULL;
    json_t *ingest;

    if (ASK(l, 0, length, "XLEN", KEY_INGEST) &&
        ASK(l, 0, oldest, "XRANGE", KEY_INGEST, "-", "+", "COUNT", "1") &&
        ASK(l, 0, dead, "XLEN", KEY_INGEST_DEAD)) {
        ingest = json_object();
        json_put_int(ingest, "length", number_of(length));
        json_put_int(ingest, "oldestMs", entry_ms(oldest));
        put(l->facts, "ingest", ingest);
        json_put_int(l->facts, "dead", number_of(dead));
    }
    json_decref(length);
    json_decref(oldest);
    json_decref(dead);
    look_lease(l);
}

/* --- which orgs --- */

static void add_org(json_t *orgs, struct slice name)
{
    char text[160];

    snprintf(text, sizeof(text), "%.*s", SLICE_ARG(name));
    if (text[0] != '\0' && json_object_size(orgs) < ORGS_MAX &&
        json_object_get(orgs, text) == NULL)
        put(orgs, text, json_object());
}

static json_t *find_orgs(struct look *l)
{
    json_t       *orgs = json_object();
    const json_t *row;
    size_t        i;

    if (l->scope->word[0] != '\0') {
        if (!l->scope->is_task)
            add_org(orgs, slice_of(l->scope->word));
        json_array_foreach(json_object_get(l->facts, "positions"), i, row)
            add_org(orgs, slice_of(json_text(row, "orgId")));
        return orgs;
    }
    json_array_foreach(json_object_get(json_object_get(l->facts, "outbox"), "oldest"), i, row)
        add_org(orgs, slice_of(json_text(row, "orgId")));
    json_array_foreach(json_object_get(l->facts, "replicas"), i, row) {
        struct slice rest = slice_of(json_text(row, "positions"));

        while (rest.len > 0) {
            struct slice one = slice_cut(&rest, ' ');

            add_org(orgs, slice_cut(&one, '='));
        }
    }
    return orgs;
}

/* --- an org in Redis --- */

static void look_sequencer(struct look *l, size_t server, const char *name, json_t *org)
{
    char    key[KEY_MAX];
    json_t *values;

    snprintf(key, sizeof(key), KEY_ORG_FORMAT, name);
    if (ASK(l, server, values, "HMGET", key, "epoch", "number", "run")) {
        json_put_int(org, "epoch", number_of(json_array_get(values, 0)));
        json_put_int(org, "number", number_of(json_array_get(values, 1)));
        json_put_text(org, "run", json_string_value(json_array_get(values, 2)));
    }
    json_decref(values);
}

/* In one step, so that what comes meanwhile does not look like a hole. */
static void look_ends(struct look *l, size_t server, const char *name, json_t *org)
{
    static const char SCRIPT[] =
        "return {redis.call('XLEN', KEYS[1]),"
        " redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1),"
        " redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)}";
    char    key[KEY_MAX];
    json_t *ends;

    snprintf(key, sizeof(key), KEY_LOG_FORMAT, name);
    if (ASK(l, server, ends, "EVAL", SCRIPT, "1", key)) {
        json_put_int(org, "length", number_of(json_array_get(ends, 0)));
        json_put_int(org, "first", entry_ms(json_array_get(ends, 1)));
        json_put_int(org, "last", entry_ms(json_array_get(ends, 2)));
    }
    json_decref(ends);
}

static void look_around(struct look *l, size_t server, const char *name, json_t *org)
{
    char    key[KEY_MAX];
    json_t *ttl, *hearers = NULL;

    snprintf(key, sizeof(key), KEY_HOLD_FORMAT, name);
    if (ASK(l, server, ttl, "PTTL", key))
        json_put_int(org, "holdTtlMs", number_of(ttl));
    json_decref(ttl);
    snprintf(key, sizeof(key), KEY_LIVE_FORMAT, name);
    if (ASK(l, server, hearers, "PUBSUB", "NUMSUB", key))
        json_put_int(org, "hearers", number_of(json_array_get(hearers, 1)));
    json_decref(hearers);
}

static void look_orgs(struct look *l)
{
    json_t     *orgs = find_orgs(l);
    const char *name;
    json_t     *org;
    void       *next;

    json_object_foreach_safe(orgs, next, name, org) {
        size_t server = redis_servers_of(ctl_redis_servers(l->ctl), slice_of(name));

        if (!server_is_there(l, server)) {
            (void)json_object_del(orgs, name);
            continue;
        }
        json_put_int(org, "server", (int64_t)server);
        look_sequencer(l, server, name, org);
        look_ends(l, server, name, org);
        look_around(l, server, name, org);
    }
    put(l->facts, "orgs", orgs);
}

/* --- logs --- */

/* When the transition of a message was stored; 0 where the message is of no task. */
static int64_t message_ms(struct slice lines)
{
    struct slice address, text;
    json_t      *packet, *packet_event;
    int64_t      ms = 0;

    while (ms == 0 && envelope_next(&lines, &address, &text)) {
        if (!slice_starts(text, "[\"task:event_added\""))
            continue;
        packet = json_parse(text, NULL);
        packet_event = json_object_get(json_array_get(packet, 1), "event");
        text = slice_of(json_text(packet_event, "createdAt"));
        if (text.len == 0 || clock_parse(text, &ms) != 0)
            ms = 0;
        json_decref(packet);
    }
    return ms;
}

static const char *message_of(const json_t *entry)
{
    const json_t *fields = json_array_get(entry, 1);

    for (size_t i = 0; i + 1 < json_array_size(fields); i += 2) {
        const char *name = json_string_value(json_array_get(fields, i));

        if (name != NULL && strcmp(name, KEY_LOG_FIELD) == 0)
            return json_string_value(json_array_get(fields, i + 1));
    }
    return NULL;
}

/* One message, older than those before it. */
static void take_message(const json_t *entry, json_t *log, json_t *seqs)
{
    const char     *text = message_of(entry);
    struct envelope e;
    char            task[64];
    int64_t         ms;

    json_put_int(log, "messages", json_int(log, "messages", 0) + 1);
    if (text == NULL || envelope_parse(slice_of(text), &e) != 0)
        return;
    snprintf(task, sizeof(task), "%.*s", SLICE_ARG(e.routing.task));
    if (json_object_get(seqs, task) == NULL)
        json_put_int(seqs, task, (int64_t)e.routing.seq);
    ms = message_ms(e.lines);
    if (ms != 0)
        json_put_int(log, "beginsMs", ms);
}

/* From the newest back. */
static json_t *look_log(struct look *l, size_t server, const char *name, int64_t most)
{
    json_t *log = json_object();
    json_t *seqs = json_object();
    char    key[KEY_MAX], before[64] = "+";
    size_t  count;

    snprintf(key, sizeof(key), KEY_LOG_FORMAT, name);
    do {
        json_t       *entries;
        const json_t *entry;
        size_t        i;

        count = 0;
        if (ASK(l, server, entries, "XREVRANGE", key, before, "-", "COUNT", LOG_BATCH)) {
            count = json_array_size(entries);
            json_array_foreach(entries, i, entry)
                take_message(entry, log, seqs);
            snprintf(before, sizeof(before), "(%s",
                     count > 0 ? json_string_value(json_array_get(
                                     json_array_get(entries, count - 1), 0)) : "");
        }
        json_decref(entries);
        progress("reading the log of %s: %" PRId64 " messages", name, json_int(log, "messages", 0));
    } while (count > 0 && json_int(log, "messages", 0) < most);
    put(log, "seqs", seqs);
    return log;
}

static void look_logs(struct look *l)
{
    json_t     *logs = json_object();
    const char *name;
    json_t     *org;

    json_object_foreach(json_object_get(l->facts, "orgs"), name, org)
        put(logs, name, look_log(l, (size_t)json_int(org, "server", 0), name,
                                 l->scope->word[0] != '\0' ? LOG_ENTRIES_MAX * 2 : LOG_PART));
    put(l->facts, "logs", logs);
}

/* --- tasks --- */

static void look_task(struct look *l)
{
    struct buf target;
    json_t    *position;
    json_t    *list = json_array();

    buf_init(&target, 4096);
    target_put(&target, "/api/admin/positions/", l->scope->word, "");
    if (taskd_get(l->ctl, &position, "the task", "%s", target.data) == EXIT_OK)
        (void)json_array_append_new(list, position);
    put(l->facts, "positions", list);
    buf_deinit(&target);
}

/* Those that moved last; all of them where the log could tell of them. */
static void look_tasks_of(struct look *l, const char *org, size_t most, json_t *list)
{
    struct buf target;
    char       cursor[256] = "";
    size_t     count = 0;
    json_t    *page;

    buf_init(&target, 4096);
    do {
        buf_reset(&target);
        target_put(&target, "/api/admin/positions?org=", org, "");
        buf_printf(&target, "&limit=%d%s%s", POSITIONS_PAGE, cursor[0] != '\0' ? "&cursor=" : "",
                   cursor);
        if (taskd_get(l->ctl, &page, "positions", "%s", target.data) != EXIT_OK)
            break;
        count += json_array_size(json_object_get(page, "positions"));
        (void)json_array_extend(list, json_object_get(page, "positions"));
        snprintf(cursor, sizeof(cursor), "%s",
                 json_text(page, "nextCursor") != NULL ? json_text(page, "nextCursor") : "");
        json_decref(page);
        progress("reading the tasks of %s: %zu", org, count);
    } while (cursor[0] != '\0' && count < most);
    buf_deinit(&target);
}

static void look_tasks(struct look *l)
{
    json_t     *list = json_array();
    const char *name;
    json_t     *org;

    json_object_foreach(json_object_get(l->facts, "orgs"), name, org)
        look_tasks_of(l, name, l->scope->word[0] != '\0' ? TASKS_MAX : TASKS_PART, list);
    put(l->facts, "positions", list);
}

json_t *doctor_look(struct ctl *c, const struct doctor_scope *scope, bool is_second)
{
    struct look l = { c, scope, json_object() };
    bool        has_taskd;

    json_put_int(l.facts, "at", clock_wall_ms());
    look_taskd(&l);
    has_taskd = json_is_object(json_object_get(l.facts, "status"));
    look_servers(&l);
    if (server_is_there(&l, 0))
        look_ingest(&l);
    if (scope->is_task && has_taskd)
        look_task(&l);
    look_orgs(&l);
    if (is_second) {
        look_logs(&l);
        if (!scope->is_task && has_taskd)
            look_tasks(&l);
    }
    progress_done();
    return l.facts;
}

/* doctor_judge.c -- what is wrong with the system as a whole: taskd, Redis, ingest, gateways.
 *
 * Each check says what it saw and what to do about it. A lease or a hold that is alive has a TTL
 * that its holder renews or that ends soon; one that has none, or a longer one than anybody
 * sets, was left behind by something else, and would stand in everybody's way for ever. */
#include "taskd/ctl/doctor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "proto/keys.h"
#include "taskd/ctl/cli/age.h"

#define BEHIND_MS 10000                        /* an input that waits longer is worth a word */

void doctor_find(struct diagnosis *d, enum doctor_result result, const char *check,
                 const char *subject, const char *todo, const char *format, ...)
{
    static const char *const WORDS[] = { "ok", "warning", "fault" };
    json_t *finding = json_object();
    char    what[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    json_put_text(finding, "result", WORDS[result]);
    json_put_text(finding, "check", check);
    json_put_text(finding, "subject", subject);
    json_put_text(finding, "what", what);
    json_put_text(finding, "todo", todo);
    if (json_array_append_new(d->findings, finding) != 0)
        abort();
}

/* --- taskd --- */

static void judge_taskd(struct diagnosis *d)
{
    const json_t *status = json_object_get(d->second, "status");
    const char   *store = json_text(json_object_get(status, "dependencies"), "store");
    const char   *redis = json_text(json_object_get(status, "dependencies"), "redis");

    if (!json_is_object(status)) {
        doctor_find(d, DOCTOR_FAULT, "taskd-unreachable", "taskd",
                    "start it, or set TASKD_URL to taskd's own port and see that the token is an "
                    "admin's",
                    "taskd did not answer, so the store could not be looked at");
        return;
    }
    if (store != NULL && strcmp(store, "down") == 0)
        doctor_find(d, DOCTOR_FAULT, "store-down", "taskd",
                    "see that the database of STORE_URL runs; taskd asks it until it answers",
                    "taskd does not reach its store: nothing can be read or changed");
    if (redis != NULL && strcmp(redis, "down") == 0)
        doctor_find(d, DOCTOR_FAULT, "redis-down", "taskd",
                    "see that Redis runs and is reached from taskd's machine",
                    "taskd does not reach Redis: what is stored waits in the outbox");
    doctor_find(d, DOCTOR_OK, "taskd", "taskd", NULL, "answers, version %s",
                json_text(status, "version") != NULL ? json_text(status, "version") : "unknown");
}

/* --- Redis --- */

static void judge_memory(struct diagnosis *d, const json_t *server, const char *name)
{
    int64_t     used = json_int(server, "usedMemory", 0);
    int64_t     most = json_int(server, "maxMemory", 0);
    const char *policy = json_text(server, "policy");

    if (most == 0)
        return;
    if (policy != NULL && strcmp(policy, "noeviction") != 0)
        doctor_find(d, DOCTOR_WARNING, "redis-evicts", name,
                    "CONFIG SET maxmemory-policy noeviction",
                    "with maxmemory-policy %s Redis drops what is not handled yet when memory is "
                    "short",
                    policy);
    else if (used >= most)
        doctor_find(d, DOCTOR_FAULT, "redis-full", name,
                    "give it more memory: CONFIG SET maxmemory …",
                    "it uses %" PRId64 " bytes of %" PRId64 " and refuses to write: nothing is "
                    "published",
                    used, most);
}

static void judge_servers(struct diagnosis *d)
{
    const json_t *server, *servers = json_object_get(d->second, "servers");
    const char   *taskds = json_text(json_object_get(d->second, "status"), "redisRunId");
    size_t        i;

    json_array_foreach(servers, i, server) {
        const char *name = json_text(server, "name");
        const char *run = json_text(server, "runId");

        if (run == NULL) {
            doctor_find(d, DOCTOR_FAULT, "redis-unreachable", name,
                        "start it, or set REDIS_URL to what the services use",
                        "Redis did not answer, so logs and leases could not be looked at");
            continue;
        }
        if (i == 0 && taskds != NULL && taskds[0] != '\0' && strcmp(taskds, run) != 0)
            doctor_find(d, DOCTOR_FAULT, "redis-differs", name, "set REDIS_URL to what taskd uses",
                        "taskd speaks to another Redis than this one: what follows means little");
        if (i == 0 && !json_bool(server, "aof", true))
            doctor_find(d, DOCTOR_WARNING, "redis-forgets", name, "run it with appendonly yes",
                        "without an append-only file it loses inputs that were not handled if it "
                        "restarts");
        judge_memory(d, server, name);
        doctor_find(d, DOCTOR_OK, "redis", name, NULL, "answers");
    }
}

/* --- ingest --- */

static void judge_lease(struct diagnosis *d)
{
    const json_t *before = json_object_get(d->first, "lease");
    const json_t *after = json_object_get(d->second, "lease");
    int64_t       ttl = json_int(after, "ttlMs", 0);
    int64_t       waiting = json_int(json_object_get(d->second, "ingest"), "length", 0);

    if (after == NULL)                         /* Redis could not be asked */
        return;
    if (json_is_object(after) && (ttl < 0 || ttl > INGEST_LEASE_MS)) {
        doctor_find(d, DOCTOR_FAULT, "lease-dead", KEY_INGEST_LEASE,
                    "redis-cli DEL " KEY_INGEST_LEASE,
                    "the ingest lease is held by '%.40s', which is no taskd: a taskd's ends "
                    "within %d ms, this one %s; %" PRId64 " inputs wait",
                    json_text(after, "token"), INGEST_LEASE_MS,
                    ttl < 0 ? "never does" : "later", waiting);
    } else if (!json_is_object(after) && !json_is_object(before)) {
        doctor_find(d, DOCTOR_FAULT, "lease-dead", KEY_INGEST_LEASE,
                    "start a taskd; one that runs and does not take the lease hangs: restart it",
                    "no taskd holds the ingest lease, so nobody works the stream off; %" PRId64
                    " inputs wait",
                    waiting);
    }
}

static void judge_ingest(struct diagnosis *d)
{
    const json_t *ingest = json_object_get(d->second, "ingest");
    int64_t       now = json_int(d->second, "at", 0);
    int64_t       oldest = json_int(ingest, "oldestMs", 0);
    int64_t       dead = json_int(d->second, "dead", 0);
    char          age[AGE_SIZE];

    if (!json_is_object(ingest))
        return;
    judge_lease(d);
    age_format(now - oldest, age);
    if (oldest != 0 && now - oldest > BEHIND_MS)
        doctor_find(d, DOCTOR_WARNING, "ingest-behind", KEY_INGEST,
                    "inputs wait while the store is away; else look at taskd's log",
                    "%" PRId64 " inputs are not handled yet, the oldest came %s ago",
                    json_int(ingest, "length", 0), age);
    if (dead > 0)
        doctor_find(d, DOCTOR_WARNING, "dead-letters", KEY_INGEST_DEAD,
                    "taskctl dead list, then dead retry or dead drop",
                    "%" PRId64 " inputs were refused", dead);
    doctor_find(d, DOCTOR_OK, "ingest", KEY_INGEST, NULL, "%" PRId64 " inputs in the stream",
                json_int(ingest, "length", 0));
}

/* --- gateways --- */

bool doctor_position_read(const char *positions, const char *org, struct doctor_position *out)
{
    struct slice rest = slice_of(positions);

    while (rest.len > 0) {
        struct slice value = slice_cut(&rest, ' ');
        struct slice name = slice_cut(&value, '=');
        char         text[64];
        char         mark = ' ';

        if (!slice_is(name, org))
            continue;
        snprintf(text, sizeof(text), "%.*s", SLICE_ARG(value));
        if (sscanf(text, "%" SCNd64 "-%" SCNd64 "%c", &out->epoch, &out->number, &mark) < 2)
            return false;
        out->is_live = mark != '?';
        return true;
    }
    return false;
}

static const json_t *replica_find(const json_t *replicas, const char *id)
{
    const json_t *replica;
    size_t        i;

    json_array_foreach(replicas, i, replica) {
        const char *its = json_text(replica, "id");

        if (its != NULL && strcmp(its, id) == 0)
            return replica;
    }
    return NULL;
}

static bool is_hanging(const struct diagnosis *d, const json_t *replica, const json_t *before)
{
    const char *at = json_text(replica, "at");
    const char *was = json_text(before, "at");
    int64_t     then, now;

    /* Two heartbeats of the same gateway are compared, so that its clock does not matter. */
    if (at == NULL || was == NULL || strcmp(at, was) != 0)
        return false;
    now = json_int(d->second, "at", 0) - json_int(d->first, "at", 0);
    if (clock_parse(slice_of(at), &then) == 0 && json_int(d->second, "at", 0) - then > now)
        now = json_int(d->second, "at", 0) - then;
    return now > DOCTOR_STALE_MS;
}

static void judge_replica(struct diagnosis *d, const json_t *replica)
{
    const char   *id = json_text(replica, "id");
    const char   *state = json_text(replica, "state");
    const json_t *before = replica_find(json_object_get(d->first, "replicas"), id);
    int64_t       canary = json_int(replica, "canaryMs", 0);
    char          age[AGE_SIZE];

    age_format(canary, age);
    if (is_hanging(d, replica, before))
        doctor_find(d, DOCTOR_FAULT, "gateway-hangs", id,
                    "restart it; its clients reconnect elsewhere",
                    "it has written no heartbeat for seconds: it hangs, or was stopped or cut "
                    "off");
    else if (canary > DOCTOR_CANARY_MS)
        doctor_find(d, DOCTOR_FAULT, "subscriber-silent", id,
                    "see what stands between this gateway and Redis and swallows what Redis "
                    "sends; the gateway connects anew every three seconds, and is not ready "
                    "meanwhile",
                    "its subscriber has not heard the canary that it sends itself each second "
                    "for %s: live updates do not reach it", age);
    else if (state != NULL && strcmp(state, "not ready") == 0)
        doctor_find(d, DOCTOR_WARNING, "gateway-not-ready", id, "its /api/health/ready says why",
                    "it is not ready to serve clients");
    else
        doctor_find(d, DOCTOR_OK, "gateway", id, NULL, "%" PRId64 " clients, canary %s ago",
                    json_int(replica, "connections", 0), age);
}

static void judge_gateways(struct diagnosis *d)
{
    const json_t *replica, *replicas = json_object_get(d->second, "replicas");
    size_t        i;

    json_array_foreach(replicas, i, replica) {
        if (json_text(replica, "id") != NULL)
            judge_replica(d, replica);
    }
    if (json_is_array(replicas) && json_array_size(replicas) == 0)
        doctor_find(d, DOCTOR_WARNING, "no-gateways", "gateways", "start one",
                    "there is no gateway");
}

/* --- all of it --- */

static void move_worst_first(json_t *findings)
{
    static const char *const ORDER[] = { "fault", "warning", "ok" };
    json_t       *sorted = json_array();
    const json_t *finding;
    size_t        i;

    for (size_t k = 0; k < sizeof(ORDER) / sizeof(ORDER[0]); k++) {
        json_array_foreach(findings, i, finding) {
            if (strcmp(json_text(finding, "result"), ORDER[k]) == 0 &&
                json_array_append(sorted, (json_t *)finding) != 0)
                abort();
        }
    }
    if (json_array_clear(findings) != 0 || json_array_extend(findings, sorted) != 0)
        abort();
    json_decref(sorted);
}

json_t *doctor_judge(const json_t *first, const json_t *second)
{
    struct diagnosis d = { first, second, json_array() };

    judge_taskd(&d);
    judge_servers(&d);
    judge_ingest(&d);
    judge_gateways(&d);
    doctor_judge_orgs(&d);
    move_worst_first(d.findings);
    return d.findings;
}

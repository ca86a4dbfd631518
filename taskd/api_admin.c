/* api_admin.c -- who am I, how is the service: for people, operators and probes.
 *
 * Health answers from what health.c knows already: a probe asks nothing of anybody. */
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "proto/keys.h"
#include "taskd/api_call.h"
#include "taskd/backlog.h"

#ifndef TASKWIRE_VERSION
#define TASKWIRE_VERSION "unknown"
#endif

static void put_object(json_t *to, const char *key, json_t *value)
{
    if (json_object_set_new(to, key, value) != 0)
        abort();
}

void on_me(struct call *c)
{
    json_t *roles = json_array();

    if (c->claims.is_admin && json_array_append_new(roles, json_string("admin")) != 0)
        abort();
    c->answer = json_object();
    json_put_text(c->answer, "sub", c->claims.sub);
    json_put_text(c->answer, "org", c->claims.org);
    json_put_text(c->answer, "name", c->claims.name);
    put_object(c->answer, "roles", roles);
    json_put_time(c->answer, "expiresAt", c->claims.exp_s * 1000);
    call_answer(c, 200);
}

/* --- health --- */

static void put_dependencies(struct call *c)
{
    const struct health *h = c->parts->health;
    json_t              *checks = json_object();
    bool                 is_whole = health_is_ready(h) && health_redis_ok(h);

    c->answer = json_object();
    json_put_text(c->answer, "status", is_whole ? "ok" : "degraded");
    json_put_text(c->answer, "service", "taskd");
    json_put_text(checks, "store", health_store_ok(h) ? "up" : "down");
    json_put_text(checks, "redis", health_redis_ok(h) ? "up" : "down");
    put_object(c->answer, "dependencies", checks);
}

void on_health(struct call *c)
{
    put_dependencies(c);
    call_answer(c, 200);
}

void on_health_live(struct call *c)
{
    c->answer = json_object();
    json_put_text(c->answer, "status", "ok");
    call_answer(c, 200);
}

void on_health_ready(struct call *c)
{
    put_dependencies(c);
    json_put_bool(c->answer, "ready", health_is_ready(c->parts->health));
    call_answer(c, health_is_ready(c->parts->health) ? 200 : 503);
}

/* --- status --- */

/* The figures of the two streams come one after the other on the same link. */
static void on_oldest(int err, const struct redis_reply *reply, void *arg)
{
    struct call *c = arg;

    if (err == 0)
        json_put_int(json_object_get(c->answer, "ingest"), "lagMs", backlog_lag_ms(reply));
    call_answer(c, 200);
}

static void on_dead_length(int err, const struct redis_reply *reply, void *arg)
{
    struct call *c = arg;

    if (err == 0)
        json_put_int(json_object_get(c->answer, "ingest"), "deadLetters", redis_reply_int(reply));
    if (redis_call(c->parts->redis, on_oldest, c, "XRANGE", KEY_INGEST, "-", "+", "COUNT", "1",
                   NULL) != 0)
        call_answer(c, 200);
}

static void on_stream_length(int err, const struct redis_reply *reply, void *arg)
{
    struct call *c = arg;

    if (err == 0)
        json_put_int(json_object_get(c->answer, "ingest"), "streamLength", redis_reply_int(reply));
    if (redis_call(c->parts->redis, on_dead_length, c, "XLEN", KEY_INGEST_DEAD, NULL) != 0)
        call_answer(c, 200);
}

void on_status(struct call *c)
{
    json_t *ingest = json_object();

    put_dependencies(c);
    json_put_text(c->answer, "version", TASKWIRE_VERSION);
    json_put_int(c->answer, "pid", getpid());
    json_put_time(c->answer, "time", clock_wall_ms());
    json_put_text(c->answer, "redisRunId", redis_run_id(c->parts->redis));
    json_put_int(c->answer, "unpublished", health_unpublished(c->parts->health));
    json_put_bool(ingest, "isHolder", ingest_is_holder(c->parts->ingest));
    json_put_int(ingest, "waiting", (int64_t)ingest_waiting(c->parts->ingest));
    put_object(c->answer, "ingest", ingest);
    if (redis_call(c->parts->redis, on_stream_length, c, "XLEN", KEY_INGEST, NULL) != 0)
        call_answer(c, 200);
}

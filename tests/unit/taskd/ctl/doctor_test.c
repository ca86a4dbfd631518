/* doctor_test.c -- the doctor's judgement, on facts as they are found in the field. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "taskd/ctl/doctor.h"

#define NOW   1795240000000LL                  /* of the second look; the first was 4 s before */
#define EPOCH 1795230000000000LL               /* of acme's log, hours before */
#define ID    "65f0c0ffee65f0c0ffee65f0"

struct facts {
    json_t *first, *second;
};

static json_t *parse(const char *text)
{
    json_t *value = json_parse(slice_of(text), NULL);

    assert_non_null(value);
    return value;
}

/* A system that is well: one gateway, one org with ten messages, one task. */
static json_t *well(int64_t at, int64_t beat)
{
    char    text[4096], then[CLOCK_TEXT_SIZE], moved[CLOCK_TEXT_SIZE];

    clock_format(beat, then);
    clock_format(NOW - 60000, moved);
    snprintf(text, sizeof(text),
             "{\"at\":%lld,\"status\":{\"version\":\"1\",\"redisRunId\":\"r1\","
             "\"dependencies\":{\"store\":\"up\",\"redis\":\"up\"}},"
             "\"outbox\":{\"unpublished\":0,\"oldest\":[]},"
             "\"replicas\":[{\"id\":\"gw\",\"at\":\"%s\",\"state\":\"ready\",\"connections\":2,"
             "\"canaryMs\":300,"
             "\"positions\":\"beta=7-7? acme=%lld-%lld\"}],"
             "\"servers\":[{\"name\":\"redis:6379\",\"runId\":\"r1\",\"aof\":true,"
             "\"usedMemory\":5,\"maxMemory\":0,"
             "\"policy\":\"noeviction\"}],\"ingest\":{\"length\":0,\"oldestMs\":0},"
             "\"lease\":{\"token\":\"t1\",\"ttlMs\":2500},\"dead\":0,"
             "\"orgs\":{\"acme\":{\"server\":0,\"epoch\":%lld,\"number\":%lld,\"run\":\"r1\",\"length\":10,"
             "\"first\":%lld,\"last\":%lld,\"holdTtlMs\":-2,\"hearers\":1}},"
             "\"logs\":{\"acme\":{\"messages\":10,\"beginsMs\":%lld,\"seqs\":{\"" ID "\":4}}},"
             "\"positions\":[{\"taskId\":\"" ID "\",\"orgId\":\"acme\",\"seq\":4,\"publishedSeq\":4,"
             "\"isInOutbox\":false,\"updatedAt\":\"%s\"}]}",
             (long long)at, then, EPOCH, EPOCH + 10, EPOCH, EPOCH + 10, EPOCH + 1, EPOCH + 10,
             EPOCH / 1000, moved);
    return parse(text);
}

static struct facts healthy(void)
{
    return (struct facts){ well(NOW - 4000, NOW - 5000), well(NOW, NOW - 1000) };
}

/* Set a member by its path ("orgs/acme/length") to what `json` says, in one look or both. */
static void set_in(json_t *facts, const char *path, const char *json)
{
    struct slice rest = slice_of(path);
    json_t      *at = facts;

    for (;;) {
        struct slice part = slice_cut(&rest, '/');
        char         name[64];
        json_t      *next;

        snprintf(name, sizeof(name), "%.*s", SLICE_ARG(part));
        if (rest.data == NULL) {
            assert_int_equal(json_object_set_new(at, name, json_loads(json, JSON_DECODE_ANY, NULL)), 0);
            return;
        }
        next = json_is_array(json_object_get(at, name))
                   ? json_array_get(json_object_get(at, name), 0) : json_object_get(at, name);
        assert_non_null(next);
        at = next;
    }
}

static void set(struct facts *f, const char *path, const char *json)
{
    set_in(f->first, path, json);
    set_in(f->second, path, json);
}

/* The faults and warnings, "check check"; frees the facts. */
static void expect(struct facts *f, const char *wanted)
{
    json_t       *findings = doctor_judge(f->first, f->second);
    const json_t *finding;
    size_t        i;
    char          found[512] = "";

    json_array_foreach(findings, i, finding) {
        size_t len = strlen(found);

        if (strcmp(json_text(finding, "result"), "ok") == 0)
            continue;
        assert_non_null(json_text(finding, "todo"));
        assert_non_null(json_text(finding, "subject"));
        snprintf(found + len, sizeof(found) - len, "%s%s", len > 0 ? " " : "",
                 json_text(finding, "check"));
    }
    assert_string_equal(found, wanted);
    json_decref(findings);
    json_decref(f->first);
    json_decref(f->second);
}

static void what_is_well_is_left_alone(void **state)
{
    struct facts f = healthy();

    (void)state;
    expect(&f, "");
}

static void a_lease_that_never_ends_is_dead(void **state)
{
    struct facts f = healthy();

    (void)state;
    set(&f, "lease", "{\"token\":\"x\",\"ttlMs\":-1}");
    expect(&f, "lease-dead");
    f = healthy();
    set(&f, "lease", "{\"token\":\"x\",\"ttlMs\":3600000}");
    expect(&f, "lease-dead");
    f = healthy();
    set(&f, "lease", "null");
    expect(&f, "lease-dead");
    f = healthy();
    set_in(f.second, "lease", "null");         /* it may be changing hands */
    expect(&f, "");
}

static void a_hold_that_never_ends_sticks_the_outbox(void **state)
{
    struct facts f = healthy();

    (void)state;
    set(&f, "orgs/acme/holdTtlMs", "-1");
    expect(&f, "outbox-stuck");
    f = healthy();
    set(&f, "orgs/acme/holdTtlMs", "4000");    /* counts are being taken */
    expect(&f, "");
}

static void put_pending(json_t *facts, int64_t since)
{
    char at[CLOCK_TEXT_SIZE], text[256];

    clock_format(since, at);
    snprintf(text, sizeof(text), "[{\"taskId\":\"" ID "\",\"orgId\":\"acme\",\"updatedAt\":\"%s\"}]", at);
    set_in(facts, "outbox/oldest", text);
}

static void what_waits_in_both_looks_is_stuck(void **state)
{
    struct facts f = healthy();

    (void)state;
    put_pending(f.first, NOW - 30000);
    put_pending(f.second, NOW - 30000);
    expect(&f, "outbox-stuck");
    f = healthy();
    put_pending(f.second, NOW - 1000);         /* it is under way */
    expect(&f, "");
    f = healthy();
    put_pending(f.first, NOW - 30000);         /* and that one has gone out */
    expect(&f, "");
}

static void a_log_is_as_long_as_its_numbers_say(void **state)
{
    struct facts f = healthy();

    (void)state;
    set(&f, "orgs/acme/length", "9");
    expect(&f, "log-trimmed");
    f = healthy();                             /* a hole: ten entries between eleven numbers */
    set(&f, "orgs/acme/last", "1795230000000011");
    expect(&f, "log-trimmed");
    f = healthy();                             /* as long as a log becomes */
    set(&f, "orgs/acme/number", "1795230000020000");
    set(&f, "orgs/acme/length", "10050");
    set(&f, "orgs/acme/first", "1795230000009951");
    set(&f, "orgs/acme/last", "1795230000020000");
    set(&f, "replicas/positions", "\"acme=1795230000000000-1795230000020000\"");
    expect(&f, "");
    f = healthy();                             /* of a life before Redis came back: it begins anew */
    set(&f, "orgs/acme/length", "0");
    set(&f, "orgs/acme/run", "\"r0\"");
    expect(&f, "");
}

static void a_deaf_gateway_is_silent(void **state)
{
    struct facts f = healthy();

    (void)state;
    set_in(f.second, "replicas/canaryMs", "3500");
    expect(&f, "subscriber-silent");
    f = healthy();
    set(&f, "orgs/acme/hearers", "0");         /* it believes that it listens */
    expect(&f, "subscriber-silent");
    f = healthy();
    set_in(f.second, "orgs/acme/hearers", "0");    /* it is just connecting anew */
    expect(&f, "");
}

static void a_gateway_that_stands_still_is_behind(void **state)
{
    struct facts f = healthy();

    (void)state;
    set(&f, "replicas/positions", "\"acme=1795230000000000-1795230000000009\"");
    expect(&f, "gateway-behind");
    f = healthy();                             /* behind in the first look alone: it has caught up */
    set_in(f.first, "replicas/positions", "\"acme=1795230000000000-1795230000000009\"");
    expect(&f, "");
    f = healthy();
    set(&f, "replicas/positions", "\"acme=1795220000000000-1795220000000999\"");
    expect(&f, "gateway-behind");              /* in a life that is over */
    f = healthy();
    set_in(f.second, "replicas/positions", "\"acme=1795230000000000-1795230000000015\"");
    set_in(f.second, "orgs/acme/number", "1795230000000015");
    set_in(f.second, "orgs/acme/length", "15");
    set_in(f.second, "orgs/acme/last", "1795230000000015");
    expect(&f, "");
}

static void a_gateway_without_heartbeats_hangs(void **state)
{
    struct facts f = healthy();
    char         at[CLOCK_TEXT_SIZE], text[64];

    (void)state;
    clock_format(NOW - 7000, at);
    snprintf(text, sizeof(text), "\"%s\"", at);
    set(&f, "replicas/at", text);
    expect(&f, "gateway-hangs");
}

static void a_task_that_nobody_will_publish_is_named(void **state)
{
    struct facts f = healthy();

    (void)state;
    set(&f, "positions/publishedSeq", "3");
    expect(&f, "task-unpublished");
    f = healthy();                             /* the outbox has it */
    set(&f, "positions/publishedSeq", "3");
    set(&f, "positions/isInOutbox", "true");
    expect(&f, "");
    f = healthy();                             /* it has just moved */
    set(&f, "positions/publishedSeq", "3");
    set(&f, "positions/updatedAt", "\"2026-11-21T05:46:38.000Z\"");
    expect(&f, "");
}

static void a_task_that_the_log_does_not_know_is_named(void **state)
{
    struct facts f = healthy();

    (void)state;
    set(&f, "logs/acme/seqs/" ID, "3");
    expect(&f, "task-unpublished");
    f = healthy();                             /* older than the log */
    set(&f, "logs/acme/seqs/" ID, "3");
    set(&f, "positions/updatedAt", "\"2026-11-20T00:00:00.000Z\"");
    expect(&f, "");
    f = healthy();                             /* the log is not whole: it cannot testify */
    set(&f, "logs/acme/seqs/" ID, "3");
    set(&f, "orgs/acme/length", "9");
    expect(&f, "log-trimmed");
}

static void dependencies_and_redis_are_told(void **state)
{
    struct facts f = healthy();

    (void)state;
    set(&f, "status/dependencies/store", "\"down\"");
    set(&f, "status/dependencies/redis", "\"down\"");
    expect(&f, "store-down redis-down");
    f = healthy();
    set(&f, "status", "null");
    set(&f, "servers/runId", "null");
    set(&f, "orgs", "{}");
    expect(&f, "taskd-unreachable redis-unreachable");
    f = healthy();
    set(&f, "status/redisRunId", "\"r9\"");
    expect(&f, "redis-differs");
    f = healthy();
    set(&f, "servers/aof", "false");
    set(&f, "servers/maxMemory", "4");
    set(&f, "dead", "3");
    set(&f, "ingest", "{\"length\":2,\"oldestMs\":1795239900000}");
    expect(&f, "redis-full redis-forgets ingest-behind dead-letters");
    f = healthy();
    set(&f, "servers/maxMemory", "400");
    set(&f, "servers/policy", "\"allkeys-lru\"");
    expect(&f, "redis-evicts");
}

static void facts_that_are_missing_do_no_harm(void **state)
{
    const char *const names[] = { "status", "outbox", "replicas", "servers", "ingest", "lease", "dead",
                                  "orgs", "logs", "positions" };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct facts f = healthy();
        json_t      *findings;

        (void)json_object_del(f.first, names[i]);
        (void)json_object_del(f.second, names[i]);
        findings = doctor_judge(f.first, f.second);
        assert_true(json_array_size(findings) > 0);
        json_decref(findings);
        json_decref(f.first);
        json_decref(f.second);
    }
}

static void positions_are_found_by_whole_names(void **state)
{
    struct doctor_position at;

    (void)state;
    assert_true(doctor_position_read("a=1-2 ab=3-4? abc=5-6", "ab", &at));
    assert_true(at.epoch == 3 && at.number == 4 && !at.is_live);
    assert_true(doctor_position_read("~ann=0-0", "~ann", &at));
    assert_true(at.epoch == 0 && at.number == 0 && at.is_live);
    assert_false(doctor_position_read("a=1-2", "b", &at));
    assert_false(doctor_position_read("b=x", "b", &at));
    assert_false(doctor_position_read("", "b", &at));
    assert_false(doctor_position_read(NULL, "b", &at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_well_is_left_alone),
        cmocka_unit_test(a_lease_that_never_ends_is_dead),
        cmocka_unit_test(a_hold_that_never_ends_sticks_the_outbox),
        cmocka_unit_test(what_waits_in_both_looks_is_stuck),
        cmocka_unit_test(a_log_is_as_long_as_its_numbers_say),
        cmocka_unit_test(a_deaf_gateway_is_silent),
        cmocka_unit_test(a_gateway_that_stands_still_is_behind),
        cmocka_unit_test(a_gateway_without_heartbeats_hangs),
        cmocka_unit_test(a_task_that_nobody_will_publish_is_named),
        cmocka_unit_test(a_task_that_the_log_does_not_know_is_named),
        cmocka_unit_test(dependencies_and_redis_are_told),
        cmocka_unit_test(facts_that_are_missing_do_no_harm),
        cmocka_unit_test(positions_are_found_by_whole_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* api_replicas.c -- which gateways there are: their heartbeats in Redis, found by walking its
 * keys a thousand at a time. What a heartbeat holds is the gateways' affair; it is passed on
 * as it is, numbers as numbers.
 *
 * A walk costs Redis little at a time, and us a round trip per thousand keys, whatever they
 * are; an index of replicas would be one more thing that a dead gateway leaves behind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/utf8.h"
#include "proto/keys.h"
#include "taskd/api_call.h"

#define SCAN_COUNT     "1000"
#define ROUNDS_MAX     10000                   /* ten million keys */
#define DIGITS_MAX     15                      /* of a number that every reader of JSON can hold */
#define PREFIX_LEN     (sizeof(KEY_REPLICA_FORMAT) - sizeof("%s"))

struct ask {
    struct call *call;
    char         id[CALL_PARAM_SIZE];
};

static void scan(struct call *c);

/* Of each id there is one, however often the walk meets it. */
static void put_replica(struct call *c, const char *id, json_t *replica)
{
    json_put_text(replica, "id", id);
    if (json_object_set_new(c->answer, id, replica) != 0)
        abort();
}

static bool is_number(struct slice name, struct slice value)
{
    if (slice_is(name, "version") || value.len == 0 || value.len > DIGITS_MAX ||
        (value.len > 1 && value.data[0] == '0'))
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
    }
    return true;
}

static void put_field(json_t *replica, struct slice name, struct slice value)
{
    char key[64];
    char digits[DIGITS_MAX + 1];

    if (name.len == 0 || name.len >= sizeof(key) || !utf8_is_valid(name) || !utf8_is_valid(value))
        return;
    snprintf(key, sizeof(key), "%.*s", SLICE_ARG(name));
    if (is_number(name, value)) {
        snprintf(digits, sizeof(digits), "%.*s", SLICE_ARG(value));
        json_put_int(replica, key, strtoll(digits, NULL, 10));
    } else if (json_object_set_new(replica, key, json_stringn(value.data, value.len)) != 0) {
        abort();
    }
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The members of the object gathered, in the order of their ids. */
static void answer_replicas(struct call *c)
{
    json_t      *all = c->answer;
    json_t      *list = json_array();
    json_t      *replica;
    size_t       count = 0;
    const char **ids = mem_alloc((json_object_size(all) + 1) * sizeof(*ids));
    const char  *id;

    json_object_foreach (all, id, replica)
        ids[count++] = id;
    qsort(ids, count, sizeof(*ids), compare_ids);
    for (size_t i = 0; i < count; i++) {
        if (json_array_append(list, json_object_get(all, ids[i])) != 0)
            abort();
    }
    free(ids);
    c->answer = json_object();
    if (json_object_set_new(c->answer, "replicas", list) != 0)
        abort();
    json_decref(all);
    call_answer(c, 200);
}

static void go_on(struct call *c)
{
    if (c->pending > 0)
        return;
    if (c->problem != ERROR_COUNT)
        call_problem(c, c->problem, NULL);
    else if (strcmp(c->texts[0], "0") == 0 || ++c->index >= ROUNDS_MAX)
        answer_replicas(c);
    else
        scan(c);
}

static void on_heartbeat(int err, const struct redis_reply *reply, void *arg)
{
    struct ask  *ask = arg;
    struct call *c = ask->call;
    size_t       count = redis_reply_count(reply);
    json_t      *replica;

    c->pending--;
    if (err != 0 && err != ERR_REPLY) {
        c->problem = ERROR_UNAVAILABLE;
    } else if (err == 0 && count > 0) {        /* none: it has just expired */
        replica = json_object();
        for (size_t i = 0; i + 1 < count; i += 2)
            put_field(replica, redis_reply_text(redis_reply_at(reply, i)),
                      redis_reply_text(redis_reply_at(reply, i + 1)));
        put_replica(c, ask->id, replica);
    }
    free(ask);
    go_on(c);
}

static void ask_for(struct call *c, struct slice key)
{
    struct slice id = key.len > PREFIX_LEN ? slice_from(key, PREFIX_LEN) : slice_make(NULL, 0);
    struct slice argv[] = { SLICE("HGETALL"), key };
    struct ask  *ask;

    if (id.len == 0 || id.len >= sizeof(ask->id) || !utf8_is_valid(id) ||
        memchr(id.data, '\0', id.len) != NULL)
        return;
    ask = mem_new(struct ask);
    ask->call = c;
    memcpy(ask->id, id.data, id.len);
    if (redis_command(c->parts->redis, on_heartbeat, ask, 2, argv) == 0) {
        c->pending++;
        return;
    }
    c->problem = ERROR_UNAVAILABLE;
    free(ask);
}

static void on_scanned(int err, const struct redis_reply *reply, void *arg)
{
    struct call              *c = arg;
    const struct redis_reply *keys = redis_reply_at(reply, 1);
    struct slice              cursor = redis_reply_text(redis_reply_at(reply, 0));
    char                      text[24];

    if (err != 0 || cursor.len == 0 || cursor.len >= sizeof(text)) {
        call_failed(c, ERR_REDIS);
        return;
    }
    snprintf(text, sizeof(text), "%.*s", SLICE_ARG(cursor));
    call_text(c, 0, text);
    c->pending = 1;                            /* none of the answers comes from inside a call */
    for (size_t i = 0; i < redis_reply_count(keys); i++)
        ask_for(c, redis_reply_text(redis_reply_at(keys, i)));
    c->pending--;
    go_on(c);
}

static void scan(struct call *c)
{
    char pattern[sizeof(KEY_REPLICA_FORMAT)];

    snprintf(pattern, sizeof(pattern), KEY_REPLICA_FORMAT, "*");
    if (redis_call(c->parts->redis, on_scanned, c, "SCAN", c->texts[0], "MATCH", pattern, "COUNT",
                   SCAN_COUNT, NULL) != 0)
        call_failed(c, ERR_REDIS);
}

void on_replicas(struct call *c)
{
    c->answer = json_object();
    c->problem = ERROR_COUNT;
    call_text(c, 0, "0");
    scan(c);
}

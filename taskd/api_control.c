/* api_control.c -- revoked tokens and feature flags: what operators decide, and what gateways
 * ask for. The answers are read from the store, where the truth is (control.h). */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "taskd/api_call.h"
#include "taskd/control.h"

static void put_new(json_t *to, const char *key, json_t *value)
{
    if (json_object_set_new(to, key, value) != 0)
        abort();                               /* memory is out: see common/mem.h */
}

/* --- revocations --- */

static void on_all_revocations(int err, const char *json, void *arg)
{
    struct call *c = arg;
    json_t      *records, *list, *record;
    const char  *id;

    if (err != 0) {
        call_failed(c, err);
        return;
    }
    records = json_parse(slice_of(json), NULL);
    list = json_array();
    json_object_foreach (records, id, record) {
        if (json_array_append(list, record) != 0)
            abort();
    }
    json_decref(records);
    c->answer = json_object();
    put_new(c->answer, "revocations", list);
    call_answer(c, 200);
}

void on_revocations(struct call *c)
{
    int err = store_record_all(c->parts->store, CONTROL_REVOCATION, on_all_revocations, c);

    if (err != 0)
        call_failed(c, err);
}

static void on_revoked(int err, void *arg)
{
    struct call *c = arg;

    if (err == 0)
        call_answer(c, 201);
    else
        call_failed(c, err);
}

void on_revocation_add(struct call *c)
{
    struct revocation r;
    struct buf        why;
    int64_t           now = clock_wall_ms();
    int               err;

    buf_init(&why, 1024);
    err = revocation_read(c->body, now, &r, &why);
    if (err == 0 && r.expires_at <= now) {
        buf_append_text(&why, "expiresAt is over");
        err = ERR_INVALID;
    }
    if (err != 0) {
        call_problem(c, ERROR_INVALID, why.data);
        buf_deinit(&why);
        return;
    }
    buf_deinit(&why);
    log_info("revocation-asked", LOG_TEXT("revocation", r.id), LOG_TEXT("by", c->claims.sub));
    c->answer = revocation_to_json(&r);
    err = control_revoke(c->parts->control, &r, on_revoked, c);
    if (err != 0)
        call_failed(c, err);
}

static void on_restored(int err, void *arg)
{
    struct call *c = arg;

    if (err == 0)
        call_answer_empty(c, 204);
    else
        call_failed(c, err);
}

static void on_revocation_found(int err, const char *json, void *arg)
{
    struct call *c = arg;

    (void)json;
    if (err == 0)
        err = control_restore(c->parts->control, c->params[0], on_restored, c);
    if (err != 0)
        call_failed(c, err);
}

void on_revocation_drop(struct call *c)
{
    int err = ERR_NOT_FOUND;

    if (strlen(c->params[0]) < REVOCATION_ID_SIZE)
        err = store_record_get(c->parts->store, CONTROL_REVOCATION, c->params[0],
                               on_revocation_found, c);
    if (err != 0)
        call_failed(c, err == ERR_INVALID ? ERR_NOT_FOUND : err);
}

/* --- flags --- */

static const struct flag {
    const char *name;
    bool        is_percent;                    /* a whole number, 0 to 100; else true or false */
} FLAGS[] = {
    { "FEATURE_WEBSOCKET_ENABLED", false },
    { "FEATURE_WEBSOCKET_DASHBOARD", false },
    { "FEATURE_WEBSOCKET_TASK_DETAIL", false },
    { "FEATURE_WEBSOCKET_ROLLOUT_PERCENT", true },
};
#define FLAG_COUNT (sizeof(FLAGS) / sizeof(FLAGS[0]))

static void on_all_flags(int err, const char *json, void *arg)
{
    struct call *c = arg;
    json_t      *flags = err == 0 ? json_parse(slice_of(json), NULL) : NULL;

    if (flags == NULL) {
        call_failed(c, err != 0 ? err : ERR_CORRUPT);
        return;
    }
    c->answer = json_object();
    put_new(c->answer, "flags", flags);
    call_answer(c, 200);
}

void on_flags(struct call *c)
{
    int err = store_record_all(c->parts->store, CONTROL_FLAG, on_all_flags, c);

    if (err != 0)
        call_failed(c, err);
}

static const struct flag *flag_find(const char *name)
{
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        if (strcmp(FLAGS[i].name, name) == 0)
            return &FLAGS[i];
    }
    return NULL;
}

/* 50 and 50.0 are the same number, and JSON Schema calls both whole. Returns whether it is one
 * from 0 to 100; leaves it in `body` as we write it. */
static bool read_percent(json_t *body, const char *name)
{
    const json_t *value = json_object_get(body, name);
    double        n = json_number_value(value);

    if (!json_is_number(value) || n < 0 || n > 100 || n != (double)(int)n)
        return false;
    json_put_int(body, name, (int)n);
    return true;
}

/* NULL, or why not. */
static const char *flags_misfit(json_t *body)
{
    const char *name;
    json_t     *value;

    json_object_foreach (body, name, value) {
        const struct flag *f = flag_find(name);

        if (f == NULL)
            return "The flags are FEATURE_WEBSOCKET_ENABLED, FEATURE_WEBSOCKET_DASHBOARD, "
                   "FEATURE_WEBSOCKET_TASK_DETAIL and FEATURE_WEBSOCKET_ROLLOUT_PERCENT";
        if (json_is_null(value))
            continue;
        if (!f->is_percent && !json_is_boolean(value))
            return "A flag is true, false, or null (no override)";
        if (f->is_percent && !read_percent(body, name))
            return "FEATURE_WEBSOCKET_ROLLOUT_PERCENT is a whole number from 0 to 100, or null";
    }
    return NULL;
}

static void flags_go_on(struct call *c);

static void on_flag_set(int err, void *arg)
{
    struct call *c = arg;

    if (err == 0)
        flags_go_on(c);
    else
        call_failed(c, err);
}

/* One after the other; c->index is the next row to look at. The answer shows all. */
static void flags_go_on(struct call *c)
{
    const json_t *value = NULL;
    const char   *name = NULL;
    char         *json;
    int           err;

    while (c->index < FLAG_COUNT && value == NULL) {
        name = FLAGS[c->index++].name;
        value = json_object_get(c->body, name);
    }
    if (value == NULL) {
        on_flags(c);
        return;
    }
    json = json_is_null(value) ? NULL : task_json_text(value);
    err = control_set_flag(c->parts->control, name, json, on_flag_set, c);
    free(json);
    if (err != 0)
        call_failed(c, err);
}

void on_flags_put(struct call *c)
{
    const char *why = flags_misfit(c->body);

    if (why != NULL) {
        call_problem(c, ERROR_INVALID, why);
        return;
    }
    log_info("flags-asked", LOG_TEXT("by", c->claims.sub));
    c->index = 0;
    flags_go_on(c);
}

/* api_tasks.c -- one task over REST: create, read, edit, clarify.
 *
 * What a request wants is checked by the registry's rows, then acted on through tasks.c like
 * any other input; what came of it is one table away from the answer. What one may not see
 * is told apart from what is not there in nothing but the log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "common/err.h"
#include "common/trace.h"
#include "proto/check.h"
#include "taskd/api_call.h"

#define OBJECT_ID_BYTES 12
#define IF_MATCH_HELP   "If-Match must be one entity tag, as ETag gave it"

/* --- create --- */

/* An ObjectId: made from the Idempotency-Key, so that a repeat finds the task (DESIGN 10), or
 * from the time and chance. */
static void new_id(const struct call *c, char out[TASK_ID_LEN + 1])
{
    uint8_t    bytes[SHA256_BYTES];
    uint32_t   now_s = (uint32_t)(clock_wall_ms() / 1000);
    struct buf text;

    buf_init(&text, 2048);
    if (c->act_key[0] != '\0') {
        buf_printf(&text, "%s\n%s", c->claims.org, c->act_key);
        crypto_sha256(buf_peek(&text), bytes);
        buf_reset(&text);
    } else {
        crypto_random(bytes, OBJECT_ID_BYTES);
        for (size_t i = 0; i < 4; i++)
            bytes[i] = (uint8_t)(now_s >> (24 - 8 * i));
    }
    crypto_append_hex(&text, bytes, OBJECT_ID_BYTES);
    memcpy(out, text.data, TASK_ID_LEN);
    out[TASK_ID_LEN] = '\0';
    buf_deinit(&text);
}

static void put_accepted(struct call *c, const char *id, enum status status, int64_t seq)
{
    c->answer = json_object();
    json_put_text(c->answer, "taskId", id);
    json_put_text(c->answer, "status", status_wire(status));
    json_put_int(c->answer, "seq", seq);
    snprintf(c->etag, sizeof(c->etag), "\"%lld\"", (long long)seq);
}

static void on_created(enum act_outcome outcome, const struct task *task, const char *why,
                       void *arg)
{
    struct call *c = arg;

    (void)why;
    if (task == NULL || (outcome != ACT_DONE && outcome != ACT_REPEAT)) {
        call_problem(c, ERROR_UNAVAILABLE, NULL);
        return;
    }
    put_accepted(c, task->id, STATUS_RECEIVED, 1);   /* also a repeat: the same answer */
    snprintf(c->location, sizeof(c->location), "/api/tasks/%s", task->id);
    call_answer(c, 202);
}

static bool body_passes(struct call *c, enum shape shape)
{
    struct buf why;
    bool       is_sound;

    buf_init(&why, 1024);
    is_sound = check_fields(shape, c->body, &why) == 0;
    if (!is_sound)
        call_problem(c, ERROR_INVALID, why.data);
    buf_deinit(&why);
    return is_sound;
}

void on_task_create(struct call *c)
{
    char    id[TASK_ID_LEN + 1];
    char    trace[TRACE_SIZE];
    json_t *data;
    int     err;

    if (!body_passes(c, SHAPE_DATA_CREATED))
        return;
    (void)trace_parse(http_request_header(c->request, TRACE_HEADER), trace);
    data = check_pick(SHAPE_DATA_CREATED, c->body);
    new_id(c, id);
    struct new_task n = {
        .id = id, .org = c->claims.org, .sub = c->claims.sub, .name = c->claims.name,
        .title = json_text(data, "title"), .description = json_text(data, "description"),
        .repo = json_text(data, "repo"), .is_private = json_bool(data, "isPrivate", false),
        .at = clock_wall_ms(), .trace = trace,
    };
    err = tasks_create(c->parts->tasks, &n, on_created, c);
    json_decref(data);
    if (err != 0)
        call_failed(c, err);
}

/* --- read --- */

static void on_state(struct call *c, int err)
{
    if (err != 0)
        call_failed(c, err);
    else
        call_answer_text(c, 200, "application/json");
}

/* Does If-None-Match name this seq (RFC 9110 §13.1.2)? */
static bool is_known(const struct call *c, int64_t seq)
{
    struct slice list = http_request_header(c->request, "If-None-Match");

    if (slice_is(list, "*"))
        return true;
    while (list.len > 0) {
        struct slice tag = slice_cut(&list, ',');

        while (tag.len > 0 && (tag.data[0] == ' ' || tag.data[0] == '\t'))
            tag = slice_from(tag, 1);
        while (tag.len > 0 && (tag.data[tag.len - 1] == ' ' || tag.data[tag.len - 1] == '\t'))
            tag.len--;
        if (tag_seq(tag) == seq)
            return true;
    }
    return false;
}

static void on_got(int err, const struct task *task, void *arg)
{
    struct call *c = arg;

    if (err != 0) {
        call_failed(c, err);
        return;
    }
    if (!call_may_see(c, task)) {
        call_problem(c, ERROR_NOT_FOUND, NULL);
        return;
    }
    snprintf(c->etag, sizeof(c->etag), "\"%lld\"", (long long)task->seq);
    if (is_known(c, task->seq)) {
        call_answer_empty(c, 304);
        return;
    }
    task_deinit(&c->task);
    task_copy(&c->task, task);
    call_render_state(c, on_state);
}

void on_task_get(struct call *c)
{
    int err = ERR_NOT_FOUND;

    if (task_id_is_valid(slice_of(c->params[0])))
        err = store_get(c->parts->store, c->params[0], on_got, c);
    if (err != 0)
        call_failed(c, err);
}

/* --- edit and clarify --- */

static void on_conflict_state(struct call *c, int err)
{
    if (err != 0)
        call_problem(c, c->problem, c->texts[0]);
    else
        call_problem_task(c, c->problem, c->texts[0]);
}

/* 409 with the current task. */
static void answer_conflict(struct call *c, enum error_code code, const char *why)
{
    c->problem = code;
    call_text(c, 0, why);
    call_render_state(c, on_conflict_state);
}

static void answer_done(struct call *c)
{
    if (c->route->handle == on_task_edit) {
        call_render_state(c, on_state);
        return;
    }
    put_accepted(c, c->task.id, c->task.status, c->task.seq);
    call_answer(c, 202);
}

static void on_acted(enum act_outcome outcome, const struct task *task, const char *why,
                     void *arg)
{
    struct call *c = arg;

    if (task != NULL) {
        task_deinit(&c->task);
        task_copy(&c->task, task);
    }
    switch (outcome) {
    case ACT_DONE:
    case ACT_REPEAT:
        answer_done(c);
        break;
    case ACT_EARLY:
    case ACT_NEVER:
        answer_conflict(c, ERROR_ILLEGAL_MOVE, why);
        break;
    case ACT_CONFLICT:
        answer_conflict(c, ERROR_CONFLICT, NULL);
        break;
    case ACT_INVALID:
        call_problem(c, ERROR_INVALID, why);
        break;
    case ACT_FORBIDDEN:
        call_problem(c, ERROR_FORBIDDEN, why);
        break;
    case ACT_NOT_FOUND:
    case ACT_HIDDEN:
        call_problem(c, ERROR_NOT_FOUND, NULL);
        break;
    case ACT_AWAY:
        call_problem(c, ERROR_UNAVAILABLE, NULL);
        break;
    }
}

/* If-Match: "<seq>", or * for any. Returns ERROR_COUNT, or what is wrong. A tag that is none
 * of ours is met by no task. */
static enum error_code read_if_match(const struct call *c, bool is_required, int64_t *out)
{
    struct slice value = http_request_header(c->request, "If-Match");

    *out = 0;
    if (value.data == NULL)
        return is_required ? ERROR_IF_MATCH : ERROR_COUNT;
    if (slice_is(value, "*"))
        return ERROR_COUNT;
    *out = tag_seq(value);
    return *out != 0 ? ERROR_COUNT : ERROR_BAD_REQUEST;
}

static void act_on(struct call *c, enum input input, enum shape shape, bool needs_if_match)
{
    struct act      a = { .task_id = c->params[0], .org = c->claims.org, .sub = c->claims.sub,
                          .sees_all = c->sees_all };
    char            trace[TRACE_SIZE];
    enum error_code problem;
    json_t         *data;
    int             err;

    if (!task_id_is_valid(slice_of(c->params[0]))) {
        call_problem(c, ERROR_NOT_FOUND, NULL);
        return;
    }
    problem = read_if_match(c, needs_if_match, &a.expected_seq);
    if (problem != ERROR_COUNT) {
        call_problem(c, problem, problem == ERROR_BAD_REQUEST ? IF_MATCH_HELP : NULL);
        return;
    }
    if (!body_passes(c, shape))
        return;
    data = check_pick(shape, c->body);
    (void)trace_parse(http_request_header(c->request, TRACE_HEADER), trace);
    a.input = (struct input_event){ .input = input, .data = data, .actor = c->claims.sub,
                                    .actor_name = c->claims.name, .key = c->act_key,
                                    .trace = trace, .at = clock_wall_ms() };
    err = json_object_size(data) == 0 ? ERR_INVALID
                                      : tasks_act(c->parts->tasks, &a, on_acted, c);
    json_decref(data);
    if (err != 0)
        call_failed(c, err);
}

void on_task_edit(struct call *c)
{
    act_on(c, INPUT_EDITED, SHAPE_DATA_EDITED, true);
}

void on_task_clarify(struct call *c)
{
    act_on(c, INPUT_CLARIFICATION_SUBMITTED, SHAPE_DATA_CLARIFICATION_SUBMITTED, false);
}

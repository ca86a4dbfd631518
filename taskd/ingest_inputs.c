/* ingest_inputs.c -- inputs on their way from the stream to their tasks.
 *
 * An input is checked when it is read; ingest_order.c says when it may act, tasks.c what comes of
 * it, and here that becomes an acknowledgement, a dead letter, or another try. What was begun
 * under one term of the lease and ends under another is nobody's here: it is still pending. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/mem.h"
#include "proto/cloudevent.h"
#include "taskd/fault.h"
#include "taskd/ingest_internal.h"

/* One input: owns all it needs, dies in input_free. */
struct input_entry {
    struct ingest_item item;
    struct ingest     *ingest;
    char               id[INGEST_ID_SIZE];            /* in the stream */
    char              *raw;                    /* the original bytes, cut */
    size_t             raw_len;
    char              *source, *key;
    char               trace[TRACE_SIZE];
    json_t            *data;
    const char        *why;                    /* the last refusal; static text */
    uint64_t           term;
};

static void input_free(struct input_entry *e)
{
    e->ingest->held_bytes -= e->raw_len;
    free(e->raw);
    free(e->source);
    free(e->key);
    json_decref(e->data);
    free(e);
}

/* --- acting --- */

static void input_refuse(struct input_entry *e, const char *code, const char *reason)
{
    ingest_dead_letter(e->ingest, e->id, slice_make(e->raw, e->raw_len), code, reason);
    input_free(e);
}

/* Since Redis took it in: its id begins with that time. */
static void observe_age(const struct input_entry *e)
{
    int64_t age_ms = clock_wall_ms() - strtoll(e->id, NULL, 10);

    metric_observe(e->ingest->seconds, age_ms > 0 ? (double)age_ms / 1000 : 0);
}

static void input_finish(struct input_entry *e)
{
    observe_age(e);
    FAULT_POINT("before-ack");
    ingest_ack(e->ingest, e->id);
    input_free(e);
}

/* Tell the order what came of it; says whether the input is over and ours again. */
static bool tell_order(struct input_entry *e, enum act_outcome outcome, const struct task *task)
{
    struct ingest      *in = e->ingest;
    enum ingest_outcome o = INGEST_OVER;
    enum status         status = STATUS_RECEIVED;
    bool                by_closing = false;

    if (e->term == in->term && !in->is_closing) {
        if (outcome == ACT_EARLY)
            o = INGEST_EARLY;
        else if (outcome == ACT_AWAY)
            o = INGEST_AWAY;
    }
    if (task != NULL) {
        status = task->status;
        by_closing = task->failed_by != NULL &&
                     strcmp(task->failed_by, input_wire(INPUT_PR_CLOSED)) == 0;
    }
    ingest_order_result(in->order, &e->item, o, status, by_closing, uv_now(in->loop));
    return o == INGEST_OVER;
}

static void on_acted(enum act_outcome outcome, const struct task *task, const char *why,
                     void *arg)
{
    struct input_entry *e = arg;
    struct ingest      *in = e->ingest;

    in->acts--;
    e->why = why;
    if (tell_order(e, outcome, task)) {
        if (e->term != in->term || in->is_closing) {
            input_free(e);                     /* whoever holds the lease finds it pending */
        } else if (outcome == ACT_DONE || outcome == ACT_REPEAT) {
            metric_inc(outcome == ACT_DONE ? in->done : in->repeats);
            input_finish(e);
        } else if (outcome == ACT_NOT_FOUND) {
            input_refuse(e, "not_found", "There is no such task");
        } else if (outcome == ACT_NEVER) {
            input_refuse(e, "illegal_move", why != NULL ? why : "The task is finished");
        } else {
            input_refuse(e, "invalid", why != NULL ? why : "It does not fit the task");
        }
    }
    ingest_wake(in);
    ingest_end_if_idle(in);
}

static void act_begin(struct ingest *in, struct input_entry *e)
{
    struct act a = {
        .task_id = e->item.task_id,
        .input = { .input = e->item.input, .data = e->data, .actor = e->source, .key = e->key,
                   .trace = e->trace, .at = clock_wall_ms() },
    };

    if (lease_left_ms(in->lease) > 0 && tasks_act(in->tasks, &a, on_acted, e) == 0) {
        in->acts++;
        return;
    }
    ingest_order_result(in->order, &e->item, INGEST_AWAY, STATUS_RECEIVED, false,
                        uv_now(in->loop));
}

void ingest_inputs_run(struct ingest *in)
{
    struct ingest_action a;

    while (ingest_order_next(in->order, uv_now(in->loop), &a)) {
        struct input_entry *e = container_of(a.item, struct input_entry, item);

        if (a.kind == INGEST_ACT)
            act_begin(in, e);
        else
            input_refuse(e, "illegal_move",
                         e->why != NULL ? e->why : "The task's status does not allow this");
    }
}

void ingest_input_add(struct ingest *in, struct slice id, struct slice raw)
{
    struct cloudevent       event;
    enum cloudevent_reason  reason;
    struct input_entry     *e;
    struct buf              why;
    char                    id_text[INGEST_ID_SIZE];

    snprintf(id_text, sizeof(id_text), "%.*s", SLICE_ARG(id));
    buf_init(&why, 1024);
    if (cloudevent_parse(raw, &event, &reason, &why) != 0) {
        ingest_dead_letter(in, id_text, raw, cloudevent_reason_wire(reason),
                    why.data != NULL ? why.data : "");
        buf_deinit(&why);
        return;
    }
    buf_deinit(&why);
    e = mem_new(struct input_entry);
    e->ingest = in;
    e->term = in->term;
    memcpy(e->id, id_text, sizeof(e->id));
    e->raw_len = raw.len < INGEST_DEAD_BYTES_MAX ? raw.len : INGEST_DEAD_BYTES_MAX;
    e->raw = mem_strndup(raw.data, e->raw_len);
    e->source = mem_strdup(event.source);
    e->key = cloudevent_key(&event);
    memcpy(e->trace, event.trace, sizeof(e->trace));
    e->data = json_incref(event.data);
    e->item.input = event.input;
    snprintf(e->item.task_id, sizeof(e->item.task_id), "%s", event.task_id);
    cloudevent_deinit(&event);
    in->held_bytes += e->raw_len;
    ingest_order_add(in->order, &e->item, uv_now(in->loop));
}

static void drop_item(struct ingest_item *i, void *arg)
{
    (void)arg;
    input_free(container_of(i, struct input_entry, item));
}

void ingest_inputs_drop(struct ingest *in)
{
    ingest_order_clear(in->order, drop_item, NULL);
}

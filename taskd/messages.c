/* messages.c -- see messages.h.
 *
 * The order is SPEC T3's and the addresses are proto/internal.md's. A payload is made by
 * walking the fields of its event in proto/events.def: each value is found in the event's
 * row (how the task looked after it), or its facts, or its payload, in this order, so that no
 * event needs a function of its own, and one added to the registry needs nothing here.
 *
 * Nothing is read from the task but what never changes (id, org, creator): it may have moved
 * on since. */
#include "taskd/messages.h"

#include <stdlib.h>

#include "common/err.h"
#include "proto/shapes.h"
#include "taskd/notify.h"

#define REASON_PRIVATE "The task is private now"

/* One event, opened. */
struct telling {
    const struct task  *task;
    const struct event *event;
    json_t             *row, *facts, *payload;
    bool                is_private;            /* after it */
    struct buf         *out;
};

static json_t *opened(const char *text)
{
    json_t *object = text == NULL ? NULL : json_parse(slice_of(text), NULL);

    if (object == NULL)
        object = json_object();
    if (object == NULL)
        abort();                               /* memory is out: see common/mem.h */
    return object;
}

static void telling_init(struct telling *t, const struct task *task, const struct event *event,
                         struct buf *out)
{
    *t = (struct telling){ .task = task, .event = event, .out = out };
    t->row = opened(event->row);
    t->facts = opened(event->facts);
    t->payload = opened(event->payload);
    t->is_private = json_bool(t->row, "isPrivate", false);
}

static void telling_deinit(struct telling *t)
{
    json_decref(t->row);
    json_decref(t->facts);
    json_decref(t->payload);
}

/* `address ["wire",payload]`; takes the payload over. */
static void say(const struct telling *t, const char *address, enum shape what, json_t *payload)
{
    buf_printf(t->out, "%s [\"%s\",", address, shape_spec(what)->wire);
    json_append(t->out, payload);
    buf_append_text(t->out, "]\n");
    json_decref(payload);
}

static json_t *payload_begin(const struct telling *t)
{
    json_t *payload = json_object();

    if (payload == NULL)
        abort();
    json_put_text(payload, "taskId", t->task->id);
    json_put_int(payload, "seq", t->event->seq);
    return payload;
}

static void tell(const struct telling *t, const char *address, enum shape what)
{
    size_t              count;
    const struct field *fields = shape_fields(what, &count);
    json_t             *payload = payload_begin(t);

    for (size_t i = 0; i < count; i++) {
        const char   *name = fields[i].name;
        const json_t *from = json_object_get(t->row, name) != NULL     ? t->row
                             : json_object_get(t->facts, name) != NULL ? t->facts
                                                                       : t->payload;

        if (json_object_get(payload, name) == NULL)
            json_put_same(payload, from, name);
    }
    say(t, address, what, payload);
}

static void tell_evicted(const struct telling *t)
{
    json_t *payload = payload_begin(t);

    json_put_text(payload, "reason", REASON_PRIVATE);
    say(t, "evict", SHAPE_TASK_EVICTED, payload);
}

static void tell_event_added(const struct telling *t)
{
    json_t *payload = payload_begin(t);

    if (json_object_set_new(payload, "event", event_to_json(t->event)) != 0)
        abort();
    say(t, "task", SHAPE_TASK_EVENT_ADDED, payload);
}

/* What the room hears of the move. A task was in one status when the input was accepted, so
 * one row made it; whether a failure was by closing is no matter to what is told. */
static enum shape told_by(const struct event *e)
{
    const struct move *m = move_find(e->input, e->was, true);

    return m == NULL ? SHAPE_NONE : m->tells;
}

static void tell_room(const struct telling *t)
{
    enum shape tells = told_by(t->event);

    if (t->event->clarified)
        tell(t, "task", SHAPE_TASK_CLARIFIED);
    if (tells != SHAPE_NONE)
        tell(t, "task", tells);
    tell_event_added(t);
}

static void tell_dashboards(const struct telling *t, bool turned_private)
{
    const char *address = t->is_private ? "mine" : "dash";

    if (t->event->input == INPUT_CREATED)
        tell(t, address, SHAPE_TASK_CREATED);
    if (turned_private)
        say(t, "dash", SHAPE_DASHBOARD_TASK_REMOVED, payload_begin(t));
    tell(t, address, SHAPE_DASHBOARD_TASK_LIST_UPDATED);
}

static void tell_creator(const struct telling *t)
{
    struct notify_event e = { .task = t->task, .event = t->event, .row = t->row,
                              .facts = t->facts, .payload = t->payload };
    json_t             *news = notify_of(&e);
    char                address[NOTIFY_ADDRESS_SIZE];

    if (news == NULL)
        return;
    notify_address(t->task, address);
    say(t, address, SHAPE_USER_NOTIFICATION, news);
}

/* To which trace it belongs: for logs, and for clients that ask. */
static void tell_trace(const struct telling *t)
{
    if (t->event->trace != NULL)
        buf_printf(t->out, "trace %s\n", t->event->trace);
}

int messages_build(const struct task *task, const struct event *e, struct buf *out)
{
    struct telling t;
    bool           turned_private;

    telling_init(&t, task, e, out);
    turned_private = t.is_private && !e->was_private;
    buf_printf(out, "1 %s %s %lld %s %d\n", task->id, task->org, (long long)e->seq,
               task->created_by, t.is_private);
    if (turned_private)
        tell_evicted(&t);
    tell_room(&t);
    tell_dashboards(&t, turned_private);
    tell_creator(&t);
    tell_trace(&t);
    telling_deinit(&t);
    return buf_failed(out) ? ERR_TOO_BIG : 0;
}

void messages_buckets(const struct event *e, enum bucket *before, enum bucket *after)
{
    json_t     *row = opened(e->row);
    enum status now = e->was;

    /* A row that is not ours to read keeps the count where it was. */
    (void)status_parse(slice_of(json_text(row, "status")), &now);
    *before = e->input == INPUT_CREATED ? BUCKET_NONE : task_bucket(e->was, e->was_private);
    *after = task_bucket(now, json_bool(row, "isPrivate", e->was_private));
    json_decref(row);
}

int messages_state(const struct task *t, const struct event *events, size_t count, struct buf *out)
{
    json_t *state = task_to_json(t, false);
    json_t *list = json_array();
    int     err;

    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(list, event_to_json(&events[i])) != 0)
            abort();
    }
    if (json_object_set_new(state, "events", list) != 0)
        abort();
    err = json_append(out, state);
    json_decref(state);
    return err;
}

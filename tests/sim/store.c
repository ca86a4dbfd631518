/* store.c -- documents and the calls of taskd/store.h: see store.h.
 *
 * A call is executed at one instant between its beginning and its answer; calls overtake each
 * other freely, but a caller who waits sees its own order. Documents keep the newest
 * TASK_EVENTS_KEPT events as MongoDB's do; all others stand beside them. */
#include "tests/sim/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "tests/sim/store_model.h"
#include "tests/sim/wire.h"

#define READ_US      300
#define ACCESS_US    4000

struct model_store model;
unsigned store_lost_per_mille;

void model_store_begin(void)
{
    memset(&model, 0, sizeof(model));
    list_init(&model.stores);
    store_lost_per_mille = 0;
}

void model_store_end(void)
{
    assert(list_is_empty(&model.stores));
    for (size_t i = 0; i < model.count; i++) {
        task_deinit(&model.docs[i].task);
        for (size_t k = 0; k < model.docs[i].event_count; k++)
            event_deinit(&model.docs[i].events[k]);
    }
}

struct store *model_store_new(struct node *n)
{
    struct store *s = mem_new(struct store);

    s->node = n;
    list_init(&s->calls);
    list_append(&model.stores, &s->in_all);
    return s;
}

bool store_is_up(const struct store *s)
{
    return !s->node->is_dead && !model.is_away;
}

/* --- a call's way --- */

static void call_free(struct store_call *c)
{
    sim_cancel(c->due);
    list_remove(&c->in_store);
    task_deinit(&c->task);
    task_deinit(&c->out);
    event_deinit(&c->event);
    for (size_t i = 0; i < c->task_count; i++)
        task_deinit(&c->tasks[i]);
    free(c->tasks);
    for (size_t i = 0; i < c->event_count; i++)
        event_deinit(&c->events[i]);
    free(c->events);
    free(c->key);
    free(c);
}

struct store_call *store_call_new(enum store_kind kind, void *arg)
{
    struct store_call *c = mem_new(struct store_call);

    c->kind = kind;
    c->arg = arg;
    list_init(&c->in_store);
    task_init(&c->task);
    task_init(&c->out);
    event_init(&c->event);
    return c;
}

static void answer_seqs(struct store_call *c)
{
    struct store_seq found[TRUTH_TASKS_MAX];

    for (size_t i = 0; i < c->id_count; i++) {
        memcpy(found[i].id, c->ids[i], sizeof(found[i].id));
        found[i].published_seq = c->seqs[i];
    }
    c->cb.seqs(c->err, found, c->err == 0 ? c->id_count : 0, c->arg);
}

static void call_answer(struct store_call *c)
{
    bool                has_task = c->err == 0 || c->err == ERR_STALE || c->err == ERR_REPEAT ||
                                   c->err == ERR_EXISTS;
    struct store_counts counts = { .people = c->people, .people_count = c->people_count };

    list_remove(&c->in_store);
    switch (c->kind) {
    case STORE_UNPUBLISHED:
        c->cb.pending(c->err, c->pending, c->err == 0 ? c->pending_count : 0, c->arg);
        break;
    case STORE_COUNTS:
        memcpy(counts.org, c->org_counts, sizeof(counts.org));
        c->cb.counts(c->err, c->err == 0 ? &counts : NULL, c->arg);
        break;
    case STORE_LIST:
        c->cb.tasks(c->err, c->tasks, c->err == 0 ? c->task_count : 0, c->has_more, c->arg);
        break;
    case STORE_EVENTS:
        c->cb.events(c->err, c->events, c->err == 0 ? c->event_count : 0, c->arg);
        break;
    case STORE_SEQS:
        answer_seqs(c);
        break;
    case STORE_MARK:
    case STORE_NOTIFY:
    case STORE_HAS_KEY:
        c->cb.done(c->err, c->arg);
        break;
    default:
        c->cb.task(c->err, has_task ? &c->out : NULL, c->arg);
    }
    call_free(c);
}

static void on_answer(void *arg)
{
    struct store_call *c = arg;

    c->due = NULL;
    call_answer(c);
}

static void on_arrived(void *arg)
{
    struct store_call *c = arg;
    bool               is_lost = sim.now_us < sim.calm_from_us && sim_chance(store_lost_per_mille);

    c->due = NULL;
    c->is_done = true;
    if (model.is_away || (is_lost && sim_chance(500)))
        c->err = ERR_STORE;                    /* it never came to it */
    else
        store_execute(c);
    if (is_lost && c->err != ERR_STORE) {
        sim_trace("store: an answer is lost");
        c->err = ERR_STORE;
    }
    if (c->store == NULL)                      /* its process was killed meanwhile */
        call_free(c);
    else
        c->due = sim_after(READ_US + wire_delay_us(), c->store->node, on_answer, c);
}

int store_call_begin(struct store *s, struct store_call *c)
{
    if (!store_is_up(s)) {
        call_free(c);
        return ERR_STORE;
    }
    c->store = s;
    list_append(&s->calls, &c->in_store);
    c->due = sim_after(sim_between(READ_US, ACCESS_US) + wire_delay_us(), NULL, on_arrived, c);
    return 0;
}

/* The calls of a killed process are answered into the void; what was sent may still act. */
void model_store_kill(struct store *s)
{
    struct list *node;

    while ((node = list_take_first(&s->calls)) != NULL) {
        struct store_call *c = container_of(node, struct store_call, in_store);

        if (!c->is_done && c->kind <= STORE_MARK && sim_chance(500)) {
            struct store_call *late = store_call_twin(c);

            late->due = sim_after(sim_between(0, 500) * MS, NULL, on_arrived, late);
        }
        c->err = ERR_STORE;
        call_answer(c);
    }
    list_remove(&s->in_all);
    node_goodbye(s->node, free, s);
}

void model_store_away(bool is_away)
{
    sim_trace("store: %s", is_away ? "away" : "back");
    model.is_away = is_away;
}

/* --- the calls --- */

int store_create(struct store *s, const struct task *t, const struct event *first,
                 store_task_cb *cb, void *arg)
{
    struct store_call *c = store_call_new(STORE_CREATE, arg);

    c->cb.task = cb;
    task_copy(&c->task, t);
    event_copy(&c->event, first);
    return store_call_begin(s, c);
}

int store_get(struct store *s, const char *id, store_task_cb *cb, void *arg)
{
    struct store_call *c = store_call_new(STORE_GET, arg);

    c->cb.task = cb;
    snprintf(c->id, sizeof(c->id), "%s", id);
    return store_call_begin(s, c);
}

int store_apply(struct store *s, const struct store_change *change, store_task_cb *cb, void *arg)
{
    struct store_call *c = store_call_new(STORE_APPLY, arg);

    c->cb.task = cb;
    snprintf(c->id, sizeof(c->id), "%s", change->before->id);
    c->seq = change->before->seq;
    task_copy(&c->task, change->after);
    event_copy(&c->event, change->event);
    return store_call_begin(s, c);
}

int store_settle(struct store *s, const struct task *t, store_task_cb *cb, void *arg)
{
    struct store_call *c = store_call_new(STORE_SETTLE, arg);

    c->cb.task = cb;
    snprintf(c->id, sizeof(c->id), "%s", t->id);
    c->seq = t->seq;
    return store_call_begin(s, c);
}

int store_mark(struct store *s, const char *id, int64_t seq, enum bucket bucket,
               store_done_cb *cb, void *arg)
{
    struct store_call *c = store_call_new(STORE_MARK, arg);

    c->cb.done = cb;
    snprintf(c->id, sizeof(c->id), "%s", id);
    c->seq = seq;
    c->bucket = bucket;
    return store_call_begin(s, c);
}

int store_unpublished(struct store *s, int64_t from_wall_ms, int64_t before_wall_ms, size_t limit,
                      store_pending_cb *cb, void *arg)
{
    struct store_call *c = store_call_new(STORE_UNPUBLISHED, arg);

    c->cb.pending = cb;
    c->from = from_wall_ms;
    c->before = before_wall_ms;
    c->limit = limit;
    return store_call_begin(s, c);
}

int store_counts(struct store *s, const char *org, store_counts_cb *cb, void *arg)
{
    struct store_call *c = store_call_new(STORE_COUNTS, arg);

    c->cb.counts = cb;
    snprintf(c->org, sizeof(c->org), "%s", org);
    return store_call_begin(s, c);
}

int store_list(struct store *s, const struct store_query *q, store_tasks_cb *cb, void *arg)
{
    struct store_call *c = store_call_new(STORE_LIST, arg);

    c->cb.tasks = cb;
    snprintf(c->org, sizeof(c->org), "%s", q->org);
    snprintf(c->sub, sizeof(c->sub), "%s", q->sub);
    c->scope = q->scope;
    c->limit = q->limit;
    return store_call_begin(s, c);
}

int store_events(struct store *s, const struct store_events_query *q, store_events_cb *cb,
                 void *arg)
{
    struct store_call *c = store_call_new(STORE_EVENTS, arg);

    c->cb.events = cb;
    snprintf(c->id, sizeof(c->id), "%s", q->id);
    c->seq = q->after;
    c->before = q->before;
    c->limit = q->limit;
    c->is_newest = q->newest;
    return store_call_begin(s, c);
}

int store_has_key(struct store *s, const char *id, const char *key, store_done_cb *cb, void *arg)
{
    struct store_call *c = store_call_new(STORE_HAS_KEY, arg);

    c->cb.done = cb;
    snprintf(c->id, sizeof(c->id), "%s", id);
    c->key = mem_strdup(key);
    return store_call_begin(s, c);
}

/* What is told of a task is the task's own business here: that its id names one. */
int store_notify(struct store *s, const struct store_notification *n, store_done_cb *cb, void *arg)
{
    struct store_call *c = store_call_new(STORE_NOTIFY, arg);

    c->cb.done = cb;
    snprintf(c->id, sizeof(c->id), "%.*s", TASK_ID_LEN, n->id);
    c->seq = strtoll(n->id + TASK_ID_LEN + 1, NULL, 10);
    return store_call_begin(s, c);
}

int store_seqs(struct store *s, const char *const *ids, size_t count, store_seqs_cb *cb, void *arg)
{
    struct store_call *c = store_call_new(STORE_SEQS, arg);

    c->cb.seqs = cb;
    for (size_t i = 0; i < count && c->id_count < TRUTH_TASKS_MAX; i++) {
        if (truth_find(slice_of(ids[i])) != NULL)
            snprintf(c->ids[c->id_count++], sizeof(c->ids[0]), "%s", ids[i]);
    }
    return store_call_begin(s, c);
}

/* store_docs.c -- the documents themselves, and what is true of them.
 *
 * Each accepted write becomes a step of the truth. The moves that SPEC T2 allows are written
 * down here a second time, on purpose by hand: the product has them in proto/transitions.def,
 * and a wrong row there should be found here. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "tests/sim/store_model.h"

/* --- the truth --- */

size_t truth_count(void)
{
    return model.count;
}

struct truth *truth_at(size_t i)
{
    return &model.docs[i].truth;
}

static struct doc *doc_find(const char *id)
{
    for (size_t i = 0; i < model.count; i++) {
        if (strcmp(model.docs[i].truth.id, id) == 0)
            return &model.docs[i];
    }
    return NULL;
}

struct truth *truth_find(struct slice id)
{
    for (size_t i = 0; i < model.count; i++) {
        if (slice_is(id, model.docs[i].truth.id))
            return &model.docs[i].truth;
    }
    return NULL;
}

bool truth_may_see(const struct truth *t, int64_t seq, const char *sub, const char *org)
{
    if (seq < 1 || seq > t->seq)
        return false;
    if (strcmp(t->creator, sub) == 0)
        return true;
    return !t->steps[seq].is_private && strcmp(t->org, org) == 0;
}

void truth_counts(const char *org, const char *sub, int64_t out[BUCKETS_PER_SCOPE])
{
    memset(out, 0, BUCKETS_PER_SCOPE * sizeof(out[0]));
    for (size_t i = 0; i < model.count; i++) {
        const struct truth      *t = &model.docs[i].truth;
        const struct truth_step *now = &t->steps[t->seq];

        if (strcmp(t->org, org) != 0 || now->is_private != (sub != NULL) ||
            (sub != NULL && strcmp(t->creator, sub) != 0))
            continue;
        out[now->status == STATUS_MERGED ? 1 : now->status == STATUS_FAILED ? 2 : 0]++;
    }
}

void truth_published(const char *id, int64_t seq)
{
    struct doc *d = doc_find(id);

    if (d == NULL || seq > d->truth.seq)
        sim_fail("nothing is published that is not stored", "%s seq %lld", id, (long long)seq);
    if (seq > d->truth.published)
        d->truth.published = seq;
}

uint32_t truth_hash(struct slice text)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (unsigned char)text.data[i]) * 16777619u;
    return h;
}

/* SPEC T2. `closed`: it failed because its pull request was closed. */
static bool is_legal(enum input in, enum status from, enum status to, bool closed)
{
    switch (in) {
    case INPUT_ANALYZING:
        return from == STATUS_RECEIVED && to == STATUS_ANALYZING;
    case INPUT_LLM_RESPONSE:
        return from == STATUS_ANALYZING && to == from;
    case INPUT_CLARIFICATION_NEEDED:
        return from == STATUS_ANALYZING && to == STATUS_NEEDS_CLARIFICATION;
    case INPUT_CLARIFICATION_SUBMITTED:
        return from == STATUS_NEEDS_CLARIFICATION && to == STATUS_ANALYZING;
    case INPUT_DISPATCHED:
        return (from == STATUS_RECEIVED || from == STATUS_ANALYZING) && to == STATUS_DISPATCHED;
    case INPUT_CODING:
        return from == STATUS_DISPATCHED && to == STATUS_CODING;
    case INPUT_PR_OPENED:
        return (from == STATUS_DISPATCHED || from == STATUS_CODING ||
                (from == STATUS_FAILED && closed)) && to == STATUS_PR_OPEN;
    case INPUT_PR_UPDATED:
        return from == STATUS_PR_OPEN && to == from;
    case INPUT_PR_MERGED:
        return (from == STATUS_DISPATCHED || from == STATUS_CODING || from == STATUS_PR_OPEN) &&
               to == STATUS_MERGED;
    case INPUT_PR_CLOSED:
        return from == STATUS_PR_OPEN && to == STATUS_FAILED;
    case INPUT_FAILED:
        return from != STATUS_MERGED && from != STATUS_FAILED && to == STATUS_FAILED;
    case INPUT_EDITED:
    case INPUT_NOTE:
    case INPUT_PR_COMMENT:
    case INPUT_PR_REVIEW:
        return to == from;
    default:
        return false;
    }
}

static bool failed_by_closing(const struct truth *t)
{
    for (int64_t seq = t->seq; seq > 0 && t->steps[seq].status == STATUS_FAILED; seq--) {
        if (t->steps[seq - 1].status != STATUS_FAILED)
            return t->steps[seq].input == INPUT_PR_CLOSED;
    }
    return false;
}

static void truth_step(struct doc *d, const struct task *t, const struct event *e)
{
    struct truth      *truth = &d->truth;
    struct truth_step *now = &truth->steps[truth->seq + 1];

    if (truth->seq > 0 && !is_legal(e->input, truth->steps[truth->seq].status, t->status,
                                    failed_by_closing(truth)))
        sim_fail("no illegal move is stored", "%s: %s from %s to %s", t->id, input_wire(e->input),
                 status_wire(truth->steps[truth->seq].status), status_wire(t->status));
    truth->seq++;
    assert(truth->seq < TRUTH_SEQS_MAX);
    if (t->seq != truth->seq || e->seq != truth->seq)
        sim_fail("seqs count without a gap", "%s: %lld stored as %lld", t->id, (long long)t->seq,
                 (long long)truth->seq);
    *now = (struct truth_step){
        .input = e->input, .status = t->status, .is_private = t->is_private,
        .clarified = e->clarified, .at_us = sim.now_us, .title = truth_hash(slice_of(t->title)),
    };
    sim_trace("store: %s seq %lld, %s: %s%s", t->id, (long long)t->seq, input_wire(e->input),
              status_wire(t->status), t->is_private ? ", private" : "");
    sim_note((uint64_t)t->seq, e->input);
}

/* --- documents --- */

static void doc_push(struct doc *d, const struct event *e)
{
    event_copy(&d->events[d->event_count++], e);
    task_push_event(&d->task, e);
}

static void create(struct store_call *c)
{
    struct doc *d = doc_find(c->task.id);

    if (d != NULL) {
        c->err = ERR_EXISTS;
        task_copy(&c->out, &d->task);
        return;
    }
    assert(model.count < TRUTH_TASKS_MAX);
    d = &model.docs[model.count++];
    snprintf(d->truth.id, sizeof(d->truth.id), "%s", c->task.id);
    snprintf(d->truth.org, sizeof(d->truth.org), "%s", c->task.org);
    snprintf(d->truth.creator, sizeof(d->truth.creator), "%s", c->task.created_by);
    task_copy(&d->task, &c->task);
    d->task.is_unpublished = true;
    truth_step(d, &c->task, &c->event);
    doc_push(d, &c->event);
    task_copy(&c->out, &d->task);
}

static bool has_key(const struct doc *d, const char *key)
{
    for (size_t i = 0; key[0] != '\0' && i < d->event_count; i++) {
        if (strcmp(d->events[i].key, key) == 0)
            return true;
    }
    return false;
}

static void apply(struct store_call *c)
{
    struct doc *d = doc_find(c->id);
    struct task old;

    if (d == NULL) {
        c->err = ERR_NOT_FOUND;
        return;
    }
    if (has_key(d, c->event.key))
        c->err = ERR_REPEAT;
    else if (d->truth.seq != c->seq)
        c->err = ERR_STALE;
    if (c->err == 0) {
        truth_step(d, &c->task, &c->event);
        old = d->task;
        task_copy(&d->task, &c->task);
        for (size_t i = 0; i < d->task.event_count; i++)
            event_deinit(&d->task.events[i]);
        free(d->task.events);
        d->task.events = old.events;           /* the window stands in the document alone */
        d->task.event_count = old.event_count;
        d->task.published_seq = old.published_seq;
        d->task.published_bucket = old.published_bucket;
        d->task.is_unpublished = true;
        old.events = NULL;
        old.event_count = 0;
        task_deinit(&old);
        doc_push(d, &c->event);
    }
    task_copy(&c->out, &d->task);
}

static void settle(struct store_call *c, struct doc *d)
{
    task_copy(&c->out, &d->task);
}

static void mark(struct store_call *c, struct doc *d)
{
    enum bucket is;

    if (c->seq > d->truth.published)
        sim_fail("nothing is marked that was not published", "%s seq %lld, published %lld", c->id,
                 (long long)c->seq, (long long)d->truth.published);
    if (c->seq <= d->task.published_seq)
        return;
    is = task_bucket(d->truth.steps[c->seq].status, d->truth.steps[c->seq].is_private);
    if (c->bucket != is)
        sim_fail("a mark says the task's bucket", "%s seq %lld", c->id, (long long)c->seq);
    d->task.published_seq = d->truth.marked = c->seq;
    d->task.published_bucket = c->bucket;
    d->task.is_unpublished = c->seq < d->truth.seq;
    sim_trace("store: %s marked %lld", c->id, (long long)c->seq);
}

static void get(struct store_call *c, struct doc *d)
{
    task_copy(&c->out, &d->task);
}

static void events(struct store_call *c, struct doc *d)
{
    size_t from = 0, to = d->event_count;

    while (from < to && d->events[from].seq <= c->seq)
        from++;
    while (to > from && c->before != 0 && d->events[to - 1].seq >= c->before)
        to--;
    if (to - from > c->limit && c->is_newest)
        from = to - c->limit;
    else if (to - from > c->limit)
        to = from + c->limit;
    c->event_count = to - from;
    c->events = mem_alloc((c->event_count + 1) * sizeof(*c->events));
    for (size_t i = 0; i < c->event_count; i++)
        event_copy(&c->events[i], &d->events[from + i]);
}

static void key_ask(struct store_call *c, struct doc *d)
{
    c->err = has_key(d, c->key) ? 0 : ERR_NOT_FOUND;
}

static void unpublished(struct store_call *c)
{
    for (size_t i = 0; i < model.count && c->pending_count < c->limit; i++) {
        const struct task    *t = &model.docs[i].task;
        struct store_pending *p = &c->pending[c->pending_count];

        if (!t->is_unpublished || t->updated_at < c->from || t->updated_at >= c->before)
            continue;
        p->updated_at = t->updated_at;
        snprintf(p->id, sizeof(p->id), "%s", t->id);
        snprintf(p->org, sizeof(p->org), "%s", t->org);
        c->pending_count++;
    }
}

static int64_t *count_of(struct store_call *c, const struct task *t)
{
    if (t->published_bucket < BUCKET_PRIVATE_ACTIVE)
        return c->org_counts;
    for (size_t i = 0; i < c->people_count; i++) {
        if (strcmp(c->people[i].sub, t->created_by) == 0)
            return c->people[i].n;
    }
    assert(c->people_count < sizeof(c->people) / sizeof(c->people[0]));
    snprintf(c->people[c->people_count].sub, sizeof(c->people[0].sub), "%s", t->created_by);
    return c->people[c->people_count++].n;
}

static void counts(struct store_call *c)
{
    for (size_t i = 0; i < model.count; i++) {
        const struct task *t = &model.docs[i].task;

        if (strcmp(t->org, c->org) == 0 && t->published_seq > 0)
            count_of(c, t)[t->published_bucket % BUCKETS_PER_SCOPE]++;
    }
}

/* The newest first; of a task without its events. */
static void tasks_list(struct store_call *c)
{
    c->tasks = mem_alloc((model.count + 1) * sizeof(*c->tasks));
    for (size_t i = model.count; i > 0 && c->task_count < c->limit; i--) {
        const struct task *t = &model.docs[i - 1].task;

        if (strcmp(t->org, c->org) != 0 || t->is_private != (c->scope == STORE_SCOPE_PRIVATE) ||
            (t->is_private && strcmp(t->created_by, c->sub) != 0))
            continue;
        task_copy(&c->tasks[c->task_count++], t);
    }
}

/* A transition is stored before anybody is told of it. */
static void notify(struct store_call *c, struct doc *d)
{
    assert(c->seq >= 1 && c->seq <= d->truth.seq);
}

static void seqs(struct store_call *c)
{
    for (size_t i = 0; i < c->id_count; i++)
        c->seqs[i] = doc_find(c->ids[i])->task.published_seq;
}

void store_execute(struct store_call *c)
{
    static void (*const OF_ONE[])(struct store_call *, struct doc *) = {
        [STORE_SETTLE] = settle, [STORE_MARK] = mark,       [STORE_GET] = get,
        [STORE_EVENTS] = events, [STORE_HAS_KEY] = key_ask, [STORE_NOTIFY] = notify,
    };
    struct doc *d;

    switch (c->kind) {
    case STORE_CREATE:
        create(c);
        break;
    case STORE_APPLY:
        apply(c);
        break;
    case STORE_UNPUBLISHED:
        unpublished(c);
        break;
    case STORE_COUNTS:
        counts(c);
        break;
    case STORE_LIST:
        tasks_list(c);
        break;
    case STORE_SEQS:
        seqs(c);
        break;
    default:
        d = doc_find(c->id);
        if (d == NULL)
            c->err = ERR_NOT_FOUND;
        else
            OF_ONE[c->kind](c, d);
    }
}

struct store_call *store_call_twin(const struct store_call *c)
{
    struct store_call *twin = store_call_new(c->kind, NULL);

    memcpy(twin->id, c->id, sizeof(twin->id));
    task_copy(&twin->task, &c->task);
    event_copy(&twin->event, &c->event);
    twin->seq = c->seq;
    twin->bucket = c->bucket;
    return twin;
}

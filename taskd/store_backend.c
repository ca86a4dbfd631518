/* store_backend.c -- what both backends share: growing answers, and the scope of a task.
 *
 * The scope is the access rule of SPEC A2 as one indexed text. "acme" holds what all of acme
 * may see, "acme/ann" what only ann may: so a visible page is the merge of two index ranges,
 * never a filter over rows that must not be shown. The alternative, an index on (org,
 * private) and a filter on the creator, reads everybody's private tasks to find one's own. */
#include "taskd/store_backend.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"

#define DAY_MS INT64_C(86400000)

/* Grow by doubling: 0, 4, 8 … A count that is a power of two (or zero) is a full array. */
static void *grow(void *items, size_t count, size_t size)
{
    if (count == 0)
        return mem_resize(items, 4 * size);
    if (count >= 4 && (count & (count - 1)) == 0)
        return mem_resize(items, 2 * count * size);
    return items;
}

struct task *store_page_add(struct store_page *p)
{
    p->tasks = grow(p->tasks, p->count, sizeof(*p->tasks));
    task_init(&p->tasks[p->count]);
    return &p->tasks[p->count++];
}

void store_page_deinit(struct store_page *p)
{
    for (size_t i = 0; i < p->count; i++)
        task_deinit(&p->tasks[i]);
    free(p->tasks);
    *p = (struct store_page){ 0 };
}

struct event *store_timeline_add(struct store_timeline *t)
{
    t->events = grow(t->events, t->count, sizeof(*t->events));
    event_init(&t->events[t->count]);
    return &t->events[t->count++];
}

void store_timeline_deinit(struct store_timeline *t)
{
    for (size_t i = 0; i < t->count; i++)
        event_deinit(&t->events[i]);
    free(t->events);
    *t = (struct store_timeline){ 0 };
}

void store_ids_add(struct store_ids *i, const char *id)
{
    i->ids = grow(i->ids, i->count, sizeof(*i->ids));
    i->ids[i->count++] = mem_strdup(id);
}

void store_ids_deinit(struct store_ids *i)
{
    for (size_t n = 0; n < i->count; n++)
        free(i->ids[n]);
    free(i->ids);
    *i = (struct store_ids){ 0 };
}

void store_seqs_add(struct store_seqs *q, const char *id, int64_t published_seq)
{
    q->seqs = grow(q->seqs, q->count, sizeof(*q->seqs));
    q->seqs[q->count] = (struct store_seq){ .published_seq = published_seq };
    memcpy(q->seqs[q->count++].id, id, TASK_ID_LEN);
}

void store_seqs_deinit(struct store_seqs *q)
{
    free(q->seqs);
    *q = (struct store_seqs){ 0 };
}

void store_outbox_add(struct store_outbox *o, const char *id, const char *org, int64_t updated_at)
{
    struct store_pending *p;

    o->tasks = grow(o->tasks, o->count, sizeof(*o->tasks));
    p = &o->tasks[o->count++];
    *p = (struct store_pending){ .updated_at = updated_at };
    strncpy(p->id, id, sizeof(p->id) - 1);
    strncpy(p->org, org, sizeof(p->org) - 1);
}

void store_outbox_deinit(struct store_outbox *o)
{
    free(o->tasks);
    *o = (struct store_outbox){ 0 };
}

struct store_private_counts *store_counts_add(struct store_counts *c, const char *sub)
{
    struct store_private_counts *p;

    c->people = grow(c->people, c->people_count, sizeof(*c->people));
    p = &c->people[c->people_count++];
    *p = (struct store_private_counts){ 0 };
    snprintf(p->sub, sizeof(p->sub), "%s", sub);
    return p;
}

void store_counts_deinit(struct store_counts *c)
{
    free(c->people);
    *c = (struct store_counts){ 0 };
}

void store_scope(char out[STORE_SCOPE_SIZE], const char *org, const char *private_sub)
{
    int n = private_sub == NULL
        ? snprintf(out, STORE_SCOPE_SIZE, "%s", org)
        : snprintf(out, STORE_SCOPE_SIZE, "%s/%s", org, private_sub);

    /* Both names are at most 129 bytes (SPEC I3, and '~'); they are checked at the door. */
    assert(n >= 0 && n < STORE_SCOPE_SIZE);
}

int64_t store_notifications_since(void)
{
    return clock_wall_ms() - STORE_NOTIFICATION_DAYS * DAY_MS;
}

size_t store_query_scopes(const struct store_query *q, char out[2][STORE_SCOPE_SIZE])
{
    size_t n = 0;

    if (q->scope == STORE_SCOPE_ALL)
        return 0;
    if (q->scope != STORE_SCOPE_PRIVATE)
        store_scope(out[n++], q->org, NULL);
    if (q->scope != STORE_SCOPE_ORG && q->sub != NULL)
        store_scope(out[n++], q->org, q->sub);
    return n;
}

bool store_task_after(struct task *t, const struct store_change *c)
{
    const struct task *before = c->before;
    size_t whole = before->seq < TASK_EVENTS_KEPT ? (size_t)before->seq : TASK_EVENTS_KEPT;
    struct task old;

    if (before->event_count != whole || whole == 0
        || before->events[whole - 1].seq != before->seq)
        return false;
    /* The fields are those after it, the window is the one before and this event, whether or
     * not the caller put it into `after` already. */
    task_copy(&old, before);
    task_copy(t, c->after);
    for (size_t i = 0; i < t->event_count; i++)
        event_deinit(&t->events[i]);
    free(t->events);
    t->events = old.events;
    t->event_count = old.event_count;
    old.events = NULL;
    old.event_count = 0;
    task_deinit(&old);
    task_push_event(t, c->event);
    t->is_unpublished = true;
    return true;
}

void store_value_append(struct buf *out, const char *key, const char *json)
{
    if (out->len > 1)
        buf_append_char(out, ',');
    buf_append_json(out, slice_of(key));
    buf_append_char(out, ':');
    buf_append_text(out, json);
}

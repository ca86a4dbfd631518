/* outbox.c -- what a task still has to say, in order.
 *
 * The store remembers which tasks have something unpublished; this machine remembers the same
 * for a while, because what was written a moment ago need not be read again. An entry is one
 * task:
 *
 *        marked          sent            last message      wanted
 *   --------|---------------|----------------|----------------|------> seq
 *    in the   published, not   in memory, not   known to be, not
 *    store    marked yet       published yet    in memory: load
 *
 * Each seq moves to the left of `sent` one by one, each time after the sequencer's answer. The
 * mark follows when there is nothing to send (or 16 were sent), so a burst costs one mark.
 * The script is told `marked` as the store has it, not `sent`: should Redis lose its memory
 * between the two, its counts are taken from the marks, and it answers `gap` until what was
 * sent above the mark is sent again.
 *
 * While Redis is away only ids are kept: the texts are in the store, which is the queue that
 * cannot overflow. Rejected: a list of its own for every stage (an entry is often in two
 * stages, as a mark and the next send go out together). */
#include "taskd/outbox_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"

struct outbox *outbox_new(void)
{
    struct outbox *o = mem_new(struct outbox);

    list_init(&o->ready);
    list_init(&o->await_send);
    list_init(&o->await_load);
    list_init(&o->late);
    list_init(&o->told);
    return o;
}

void outbox_return_lent(struct outbox *o)
{
    free(o->lent);
    o->lent = NULL;
    rcbuf_unref(o->lent_body);
    o->lent_body = NULL;
}

void outbox_drop_first(struct entry *e)
{
    struct message *m = outbox_first(e);

    list_remove(&m->node);
    rcbuf_unref(m->m.body);
    free(m);
    e->message_count--;
}

static void drop_messages(struct entry *e)
{
    while (outbox_first(e) != NULL)
        outbox_drop_first(e);
}

/* Hand all waiters of an entry over to be told. */
static void tell_all(struct outbox *o, struct entry *e, int err)
{
    list_each (node, &e->waiters)
        container_of(node, struct waiter, node)->err = err;
    list_splice(&o->told, &e->waiters);
}

void outbox_forget(struct outbox *o, struct entry *e)
{
    tell_all(o, e, 0);
    list_remove(&e->line);
    list_remove(&e->late);
    drop_messages(e);
    HASH_DEL(o->entries, e);
    free(e->org);
    free(e->creator);
    free(e);
}

void outbox_free(struct outbox *o)
{
    struct entry *e;
    struct entry *next;

    HASH_ITER (hh, o->entries, e, next)
        outbox_forget(o, e);
    list_each_safe (node, &o->told)
        free(container_of(node, struct waiter, node));
    outbox_return_lent(o);
    free(o);
}

static struct entry *entry_find(const struct outbox *o, const char *id)
{
    struct entry *e;

    HASH_FIND_STR(o->entries, id, e);
    return e;
}

static struct entry *entry_make(struct outbox *o, const char *id)
{
    struct entry *e = entry_find(o, id);

    if (e != NULL)
        return e;
    if (HASH_COUNT(o->entries) >= OUTBOX_TASKS_MAX || strlen(id) >= OUTBOX_ID_SIZE || o->is_stopped)
        return NULL;
    e = mem_new(struct entry);
    memcpy(e->id, id, strlen(id) + 1);
    e->sent = OUTBOX_SENT_UNKNOWN;
    list_init(&e->line);
    list_init(&e->late);
    list_init(&e->messages);
    list_init(&e->waiters);
    HASH_ADD_STR(o->entries, id, e);
    return e;
}

/* Something about the entry changed: outbox_next will look at it. */
static void entry_touch(struct outbox *o, struct entry *e)
{
    if (list_is_empty(&e->line) && e->wake_at <= o->now_ms)
        list_append(&o->ready, &e->line);
}

static void entry_sleep(struct outbox *o, struct entry *e, uint64_t ms)
{
    e->wake_at = o->now_ms + ms;
    list_remove(&e->line);
    list_remove(&e->late);
    list_append(&o->late, &e->late);
}

/* There is room for one more: whoever waits longest may try again. */
static void line_advance(struct outbox *o, struct list *line)
{
    struct list *node = list_take_first(line);

    if (node != NULL)
        list_append(&o->ready, node);
}

static int64_t last_seq(const struct entry *e)
{
    const struct message *last;

    if (list_is_empty(&e->messages))
        return e->sent;
    last = container_of(e->messages.prev, struct message, node);
    return last->m.seq > e->sent ? last->m.seq : e->sent;
}

/* Keep a message if it follows the last one: there are no holes in the list. */
static void entry_keep(struct entry *e, const struct outbox_message *m)
{
    struct message *copy;

    if (m->seq != last_seq(e) + 1 || e->message_count >= OUTBOX_MESSAGES_MAX)
        return;
    copy = mem_new(struct message);
    copy->m = *m;
    rcbuf_ref(copy->m.body);
    list_append(&e->messages, &copy->node);
    e->message_count++;
}

static void entry_news(struct entry *e, const struct outbox_news *n)
{
    if (e->org == NULL) {
        e->org = mem_strdup(n->org);
        e->creator = mem_strdup(n->creator);
    }
    if (n->seq > e->wanted)
        e->wanted = n->seq;
    if (n->marked > e->marked)
        e->marked = n->marked;
}

int64_t outbox_needs(const struct outbox *o, const char *id, int64_t marked)
{
    const struct entry *e = entry_find(o, id);

    if (!o->is_up || o->is_stopped)
        return INT64_MAX;
    if (e == NULL)
        return HASH_COUNT(o->entries) < OUTBOX_TASKS_MAX ? marked + 1 : INT64_MAX;
    if (e->must_load || e->message_count >= OUTBOX_MESSAGES_MAX || last_seq(e) == OUTBOX_SENT_UNKNOWN)
        return INT64_MAX;
    return last_seq(e) + 1;
}

void outbox_offer(struct outbox *o, const struct outbox_news *n, uint64_t now_ms)
{
    bool          is_new = entry_find(o, n->id) == NULL;
    struct entry *e = entry_make(o, n->id);

    o->now_ms = now_ms;
    if (e == NULL)
        return;                                /* full: the sweeper will come across it */
    entry_news(e, n);
    if (is_new) {
        e->sent = n->marked;
        e->must_load = !o->is_up;
    }
    if (!e->must_load && e->sent != OUTBOX_SENT_UNKNOWN) {
        for (size_t i = 0; i < n->count; i++)
            entry_keep(e, &n->messages[i]);
    }
    entry_touch(o, e);
}

static void tell_one(struct outbox *o, void *cookie, int err)
{
    struct waiter *w = mem_new(struct waiter);

    w->cookie = cookie;
    w->err = err;
    list_append(&o->told, &w->node);
}

void outbox_want(struct outbox *o, const char *id, void *waiter, uint64_t now_ms)
{
    struct entry  *e;
    struct waiter *w;
    bool           is_new = entry_find(o, id) == NULL;

    o->now_ms = now_ms;
    if (waiter != NULL && !o->is_up) {
        tell_one(o, waiter, o->is_stopped ? ERR_CLOSED : ERR_REDIS);
        return;
    }
    e = entry_make(o, id);
    if (e == NULL) {
        if (waiter != NULL)
            tell_one(o, waiter, o->is_stopped ? ERR_CLOSED : ERR_BUSY);
        return;
    }
    /* Another process may have written what this one has not heard of: only a read can tell. */
    if (is_new || waiter != NULL)
        e->must_load = true;
    if (waiter != NULL) {
        w = mem_new(struct waiter);
        w->cookie = waiter;
        list_append(&e->waiters, &w->node);
    }
    entry_touch(o, e);
}

void outbox_loaded(struct outbox *o, const char *id, int err, const struct outbox_news *n,
                   uint64_t now_ms)
{
    struct entry *e = entry_find(o, id);

    o->now_ms = now_ms;
    o->loads--;
    line_advance(o, &o->await_load);
    if (e == NULL)
        return;
    e->is_loading = false;
    if (err == ERR_NOT_FOUND) {
        e->wanted = e->sent = e->marked = 0;   /* nothing to say, for ever */
        drop_messages(e);
        tell_all(o, e, 0);
    } else if (err != 0) {
        tell_all(o, e, ERR_STORE);
        e->must_load = true;
        entry_sleep(o, e, OUTBOX_RETRY_MS);
        return;
    } else {
        entry_news(e, n);
        if (n->marked > e->sent)
            e->sent = n->marked;
        for (size_t i = 0; i < n->count; i++)
            entry_keep(e, &n->messages[i]);
        list_each (node, &e->waiters) {
            struct waiter *w = container_of(node, struct waiter, node);

            if (w->is_asked && w->seq == 0)
                w->seq = n->seq;
        }
        if (n->seq > e->sent && e->message_count == 0 && e->sending == 0)
            entry_sleep(o, e, OUTBOX_RETRY_MS);   /* a store that lost an event cannot be hurried */
    }
    entry_touch(o, e);
}

void outbox_answered(struct outbox *o, const char *id, int64_t seq, enum outbox_answer answer,
                     uint64_t now_ms)
{
    struct entry   *e = entry_find(o, id);
    struct message *m;

    o->now_ms = now_ms;
    o->sends--;
    line_advance(o, &o->await_send);
    if (e == NULL || e->sending != seq)
        return;
    e->sending = 0;
    m = outbox_first(e);
    if (answer == OUTBOX_SENT && m != NULL && m->m.seq == seq) {
        if (seq > e->sent) {
            e->sent = seq;
            e->sent_bucket = m->m.after;
        }
        outbox_drop_first(e);
    } else if (answer == OUTBOX_GAP) {
        e->sent = OUTBOX_SENT_UNKNOWN;
        e->must_load = true;
        drop_messages(e);
    } else if (answer == OUTBOX_HELD || answer == OUTBOX_LOST) {
        entry_sleep(o, e, OUTBOX_HOLD_MS);
        return;
    } else if (answer == OUTBOX_REFUSED) {
        entry_sleep(o, e, OUTBOX_RETRY_MS);
        return;
    }
    entry_touch(o, e);
}

void outbox_marked(struct outbox *o, const char *id, int64_t seq, int err, uint64_t now_ms)
{
    struct entry *e = entry_find(o, id);

    o->now_ms = now_ms;
    o->marks--;
    if (e == NULL)
        return;
    e->marking = 0;
    if (err != 0 && err != ERR_NOT_FOUND) {
        entry_sleep(o, e, OUTBOX_RETRY_MS);
        return;
    }
    if (seq > e->marked)
        e->marked = seq;
    entry_touch(o, e);
}

void outbox_link(struct outbox *o, bool is_up, uint64_t now_ms)
{
    struct entry *e;
    struct entry *next;

    o->now_ms = now_ms;
    o->is_up = is_up;
    list_splice(&o->ready, &o->await_send);
    list_splice(&o->ready, &o->await_load);
    HASH_ITER (hh, o->entries, e, next) {
        if (!is_up) {
            drop_messages(e);
            e->must_load = true;
            if (e->sent == OUTBOX_SENT_UNKNOWN)
                e->sent = e->marked;
            tell_all(o, e, ERR_REDIS);
        }
        entry_touch(o, e);
    }
}

void outbox_tick(struct outbox *o, uint64_t now_ms)
{
    o->now_ms = now_ms;
    list_each_safe (node, &o->late) {
        struct entry *e = container_of(node, struct entry, late);

        if (e->wake_at > now_ms)
            continue;
        list_remove(node);
        entry_touch(o, e);
    }
}

void outbox_restart(struct outbox *o, const char *org, uint64_t now_ms)
{
    struct entry *e;
    struct entry *next;

    o->now_ms = now_ms;
    HASH_ITER (hh, o->entries, e, next) {
        if (e->org == NULL || strcmp(e->org, org) != 0 || e->sent <= e->marked || e->marking != 0)
            continue;
        e->sent = OUTBOX_SENT_UNKNOWN;
        e->must_load = true;
        drop_messages(e);
        entry_touch(o, e);
    }
}

bool outbox_has_org(const struct outbox *o, const char *org)
{
    for (const struct entry *e = o->entries; e != NULL; e = e->hh.next) {
        if (e->org == NULL || strcmp(e->org, org) == 0)
            return true;
    }
    return false;
}

void outbox_stop(struct outbox *o)
{
    struct entry *e;
    struct entry *next;

    o->is_stopped = true;
    o->is_up = false;
    HASH_ITER (hh, o->entries, e, next)
        tell_all(o, e, ERR_CLOSED);
}

size_t outbox_tasks(const struct outbox *o)
{
    return HASH_COUNT(o->entries);
}

size_t outbox_under_way(const struct outbox *o)
{
    return o->sends + o->loads + o->marks;
}

bool outbox_has_late(const struct outbox *o)
{
    return !list_is_empty(&o->late);
}

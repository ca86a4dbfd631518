/* outbox_due.c -- what is due now: sends and loads while Redis is up, marks whenever, and those who
 * waited.
 *
 * Entries are looked at one by one as they are ready; one that has nothing to do now is parked
 * where what it waits for will find it: behind those that want to send, or to load, or nowhere. */
#include <stdlib.h>
#include <string.h>

#include "taskd/outbox_internal.h"

#define MARK_EVERY 16

static bool next_told(struct outbox *o, struct outbox_action *out)
{
    struct list *node = list_take_first(&o->told);

    if (node == NULL)
        return false;
    o->lent = container_of(node, struct waiter, node);
    *out = (struct outbox_action){ .kind = OUTBOX_TELL, .waiter = o->lent->cookie,
                                   .err = o->lent->err };
    return true;
}

/* Tell those whose seq was reached. */
static void tell_reached(struct outbox *o, struct entry *e)
{
    list_each_safe (node, &e->waiters) {
        struct waiter *w = container_of(node, struct waiter, node);

        if (w->seq == 0 || w->seq > e->sent)
            continue;
        list_remove(node);
        list_append(&o->told, node);
    }
}

static void drop_sent(struct entry *e)
{
    const struct message *m;

    while ((m = outbox_first(e)) != NULL && m->m.seq <= e->sent && e->sending == 0)
        outbox_drop_first(e);
}

static bool due_send(struct outbox *o, struct entry *e, struct outbox_action *out)
{
    struct message *m = outbox_first(e);

    if (e->sending != 0 || m == NULL || m->m.seq != e->sent + 1 || o->sends >= OUTBOX_SENDS_MAX)
        return false;
    e->sending = m->m.seq;
    o->sends++;
    *out = (struct outbox_action){ .kind = OUTBOX_SEND, .id = e->id, .org = e->org,
                                   .creator = e->creator, .marked = e->marked,
                                   .message = m->m };
    o->lent_body = rcbuf_ref(m->m.body);
    return true;
}

static bool wants_load(const struct entry *e)
{
    const struct message *m = outbox_first(e);

    if (e->is_loading)
        return false;
    if (e->must_load)
        return true;
    return e->sending == 0 && e->wanted > e->sent && m == NULL;
}

static bool due_load(struct outbox *o, struct entry *e, struct outbox_action *out)
{
    if (!wants_load(e) || o->loads >= OUTBOX_LOADS_MAX)
        return false;
    e->is_loading = true;
    e->must_load = false;
    list_each (node, &e->waiters)
        container_of(node, struct waiter, node)->is_asked = true;
    o->loads++;
    *out = (struct outbox_action){ .kind = OUTBOX_LOAD, .id = e->id };
    return true;
}

static bool due_mark(struct outbox *o, struct entry *e, struct outbox_action *out)
{
    if (e->marking != 0 || e->sent <= e->marked)
        return false;
    if ((e->sending != 0 || e->message_count > 0) && e->sent - e->marked < MARK_EVERY)
        return false;
    e->marking = e->sent;
    o->marks++;
    *out = (struct outbox_action){ .kind = OUTBOX_MARK, .id = e->id, .org = e->org,
                                   .seq = e->sent, .bucket = e->sent_bucket };
    return true;
}

static bool entry_is_idle(const struct entry *e)
{
    return e->sending == 0 && e->marking == 0 && !e->is_loading && !e->must_load &&
           e->message_count == 0 && e->sent >= e->wanted && e->marked >= e->sent &&
           list_is_empty(&e->waiters);
}

/* Nothing is due now: where does the entry wait? */
static void entry_park(struct outbox *o, struct entry *e)
{
    const struct message *m = outbox_first(e);

    list_remove(&e->line);
    if (!o->is_up)
        return;
    if (e->sending == 0 && m != NULL && m->m.seq == e->sent + 1)
        list_append(&o->await_send, &e->line);
    else if (wants_load(e))
        list_append(&o->await_load, &e->line);
}

/* Look at one entry: true with an action (it stays in line: there may be another). */
static bool entry_next(struct outbox *o, struct entry *e, struct outbox_action *out)
{
    drop_sent(e);
    tell_reached(o, e);
    if (o->is_up && (due_send(o, e, out) || due_load(o, e, out)))
        return true;
    if (!o->is_stopped && due_mark(o, e, out))
        return true;
    if (entry_is_idle(e))
        outbox_forget(o, e);
    else
        entry_park(o, e);
    return false;
}

bool outbox_next(struct outbox *o, struct outbox_action *out)
{
    outbox_return_lent(o);
    if (next_told(o, out))
        return true;
    list_each_safe (node, &o->ready) {
        if (entry_next(o, container_of(node, struct entry, line), out))
            return true;
    }
    return next_told(o, out);
}

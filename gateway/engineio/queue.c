/* queue.c -- see queue.h.
 *
 * A list for the order and a hash of the keys beside it: a reader that lies still collects
 * thousands of entries, and looking through them at every push, for every such reader, would
 * let slow readers slow the others after all. */
#include "gateway/engineio/queue.h"

#include <stdlib.h>

#include "common/list.h"
#include "common/mem.h"
#include "gateway/engineio/message.h"

#define BUCKETS_MIN 16

struct entry {
    struct list         node;
    struct entry       *chain;                 /* next in its bucket */
    struct eio_message *message;
};

struct queue {
    struct queue_totals *totals;
    struct list    entries;
    size_t         count, bytes;
    struct entry **buckets;                    /* of entries with a key; NULL until one comes */
    size_t         bucket_count;               /* a power of two */
    size_t         keyed;
};

struct queue *queue_new(struct queue_totals *totals)
{
    struct queue *q = mem_new(struct queue);

    q->totals = totals;
    totals->queues++;
    list_init(&q->entries);
    return q;
}

/* Keys may be small numbers or pointers: spread them (Fibonacci hashing). */
static struct entry **bucket_of(const struct queue *q, uint64_t key)
{
    return &q->buckets[(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (q->bucket_count - 1)];
}

static void grow(struct queue *q)
{
    struct entry **old = q->buckets;

    q->bucket_count = q->bucket_count == 0 ? BUCKETS_MIN : q->bucket_count * 2;
    q->buckets = mem_alloc(q->bucket_count * sizeof(struct entry *));
    list_each(node, &q->entries) {
        struct entry  *e = container_of(node, struct entry, node);
        struct entry **at;

        if (e->message->key == 0)
            continue;
        at = bucket_of(q, e->message->key);
        e->chain = *at;
        *at = e;
    }
    free(old);
}

static void unchain(struct queue *q, struct entry *e)
{
    struct entry **at = bucket_of(q, e->message->key);

    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    q->keyed--;
}

/* Out of the queue, the message's reference to the caller. */
static struct eio_message *entry_take(struct queue *q, struct entry *e)
{
    struct eio_message *m = e->message;

    if (m->key != 0)
        unchain(q, e);
    list_remove(&e->node);
    q->count--;
    q->bytes -= message_bytes(m);
    q->totals->messages--;
    q->totals->bytes -= message_bytes(m);
    free(e);
    return m;
}

static void drop_same_key(struct queue *q, uint64_t key)
{
    for (struct entry *e = *bucket_of(q, key); e != NULL; e = e->chain) {
        if (e->message->key == key) {
            eio_message_unref(entry_take(q, e));
            return;
        }
    }
}

void queue_push(struct queue *q, struct eio_message *m)
{
    struct entry *e = mem_new(struct entry);

    e->message = eio_message_ref(m);
    if (m->key != 0) {
        struct entry **at;

        if (q->keyed >= q->bucket_count)
            grow(q);
        drop_same_key(q, m->key);
        at = bucket_of(q, m->key);
        e->chain = *at;
        *at = e;
        q->keyed++;
    }
    list_append(&q->entries, &e->node);
    q->count++;
    q->bytes += message_bytes(m);
    q->totals->messages++;
    q->totals->bytes += message_bytes(m);
}

struct eio_message *queue_take(struct queue *q)
{
    if (q == NULL || list_is_empty(&q->entries))
        return NULL;
    return entry_take(q, container_of(q->entries.next, struct entry, node));
}

size_t queue_count(const struct queue *q)
{
    return q == NULL ? 0 : q->count;
}

size_t queue_bytes(const struct queue *q)
{
    return q == NULL ? 0 : q->bytes;
}

void queue_free(struct queue *q)
{
    struct eio_message *m;

    if (q == NULL)
        return;
    while ((m = queue_take(q)) != NULL)
        eio_message_unref(m);
    q->totals->queues--;
    free(q->buckets);
    free(q);
}

/* queue.h -- messages that wait for one session: in order, with conflation by key. Pure.
 *
 * A message with a key other than 0 replaces the one that waits with the same key: the older
 * is dropped, the newer keeps its own place at the end. The queue of a session that keeps up
 * does not exist; it is made when something has to wait. One thread. */
#ifndef TASKWIRE_ENGINEIO_QUEUE_H
#define TASKWIRE_ENGINEIO_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct eio_message;
struct queue;

/* What all queues of a server hold. */
struct queue_totals {
    size_t queues, messages, bytes;
};

/* `totals` is kept up to date and must outlive the queue. */
struct queue *queue_new(struct queue_totals *totals);
void          queue_free(struct queue *q);     /* with what is in it; NULL is ignored */

/* Append; takes a reference of its own. */
void queue_push(struct queue *q, struct eio_message *m);

/* The first message, removed; its reference goes to the caller. NULL where there is none. */
struct eio_message *queue_take(struct queue *q);

/* Messages waiting and their bytes; 0 of NULL. */
size_t queue_count(const struct queue *q);
size_t queue_bytes(const struct queue *q);

#endif

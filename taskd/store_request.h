/* store_request.h -- one call of store.h on its way to a backend and back.
 *
 * A request owns all that it asks and all that it was answered; no thread sees anything else of
 * the caller's. It is made and ended on the loop, and run on a lane's thread in between. */
#ifndef TASKWIRE_TASKD_STORE_REQUEST_H
#define TASKWIRE_TASKD_STORE_REQUEST_H

#include "common/list.h"
#include "taskd/store_backend.h"

enum store_op {
#define STORE_OP(NAME, name, way) STORE_OP_##NAME,
#include "taskd/store_ops.def"
#undef STORE_OP
    STORE_OP_COUNT
};

struct store_request {
    struct list   node;
    enum store_op op;
    uint64_t      since_ns;                    /* for the histogram */

    /* asked */
    struct task   before, after;               /* create: after alone */
    struct event  event;
    struct store_change  change;               /* apply: of the three before */
    struct store_attempt attempt;
    char         *id, *org, *kind, *key, *json;   /* org: a person's scope, in a notification */
    int64_t       number;                      /* seq, a time, an expiry */
    int64_t       from;                        /* unpublished: the time before that one */
    enum bucket   bucket;
    size_t        limit;
    struct store_ids          asked;           /* ids of tasks or of notifications */
    struct store_query        query;           /* its texts belong to the request */
    struct store_events_query events;

    /* answered */
    int                   err;
    struct task           task;
    struct store_page     page;
    struct store_timeline timeline;
    struct store_ids      ids;
    struct store_seqs     seqs;
    struct store_outbox   outbox;
    struct store_counts   counts;
    int64_t               count;
    struct buf            value;

    union {
        store_task_cb   *task;
        store_done_cb   *done;
        store_pending_cb *pending;
        store_count_cb  *count;
        store_counts_cb *counts;
        store_tasks_cb  *tasks;
        store_events_cb *events;
        store_value_cb  *value;
        store_seqs_cb   *seqs;
        store_texts_cb  *texts;
    } cb;
    void *arg;
};

/* A new, empty request for `op`. */
struct store_request *store_request_new(enum store_op op, void *arg);

/* The only end of a request: frees it and all it owns. */
void store_request_free(struct store_request *r);

/* Send it on its way (store.c): returns 0, ERR_BUSY or ERR_STORE. The request belongs to the
 * store from here on, whatever is returned. */
int store_submit(struct store *s, struct store_request *r);

/* Copy a query's texts into the request. */
void store_request_take_query(struct store_request *r, const struct store_query *q);

/* Run it on a session (a lane's thread): fills `err` and the answer. */
void store_request_run(struct store_request *r, const struct store_ops *ops,
                       struct store_session *s);

/* The same for several that are apply or mark, in any mixture, on a backend that makes groups. Those
 * whose attempt is in doubt then are to be run alone. */
void store_requests_run(struct list *requests, const struct store_ops *ops,
                        struct store_session *s);

/* Forget the answer, so that it may be run again; `err` is what it says now. */
void store_request_fail(struct store_request *r, int err);

/* Tell whoever asked (the loop). */
void store_request_answer(struct store_request *r);

#endif

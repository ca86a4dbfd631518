/* store_model.h -- what store.c (calls) and store_docs.c (documents, the truth) share. */
#ifndef TASKWIRE_SIM_STORE_MODEL_H
#define TASKWIRE_SIM_STORE_MODEL_H

#include "tests/sim/store.h"

/* Writes first: those may still act after their process was killed. */
enum store_kind {
    STORE_CREATE, STORE_APPLY, STORE_SETTLE, STORE_MARK, STORE_NOTIFY,
    STORE_GET, STORE_UNPUBLISHED, STORE_COUNTS, STORE_LIST, STORE_EVENTS, STORE_HAS_KEY, STORE_SEQS
};

struct store {
    struct list  in_all;
    struct node *node;
    struct list  calls;
};

struct store_call {
    struct list       in_store;
    struct store     *store;                   /* NULL: nobody waits */
    struct happening *due;
    enum store_kind   kind;
    bool              is_done, is_newest;
    union {
        store_task_cb   *task;
        store_done_cb   *done;
        store_pending_cb *pending;
        store_counts_cb *counts;
        store_tasks_cb  *tasks;
        store_events_cb *events;
        store_seqs_cb   *seqs;
    } cb;
    void             *arg;
    /* asked */
    char              id[TASK_ID_LEN + 1], org[40], sub[40];
    struct task       task;                    /* to be stored */
    struct event      event;
    int64_t           seq, from, before;
    enum bucket       bucket;
    enum store_scope  scope;
    size_t            limit;
    char             *key;
    /* answered */
    int               err;
    struct task       out;
    struct task      *tasks;
    size_t            task_count;
    bool              has_more;
    struct event     *events;
    size_t            event_count;
    char              ids[TRUTH_TASKS_MAX][TASK_ID_LEN + 1];
    size_t            id_count;                /* seqs: asked, then found */
    int64_t           seqs[TRUTH_TASKS_MAX];
    struct store_pending pending[TRUTH_TASKS_MAX];
    size_t            pending_count;
    int64_t           org_counts[BUCKETS_PER_SCOPE];
    struct store_private_counts people[8];
    size_t            people_count;
};

struct doc {
    struct truth truth;
    struct task  task;                         /* as stored: the newest events inside */
    struct event events[TRUTH_SEQS_MAX];       /* all of them */
    size_t       event_count;
};

struct model_store {
    struct list stores;
    struct doc  docs[TRUTH_TASKS_MAX];
    size_t      count;
    bool        is_away;
};
extern struct model_store model;

struct store_call *store_call_new(enum store_kind kind, void *arg);
int                store_call_begin(struct store *s, struct store_call *c);

/* store_docs.c: do it, at this instant. */
void               store_execute(struct store_call *c);
struct store_call *store_call_twin(const struct store_call *c);

#endif

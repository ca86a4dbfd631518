/* store.h -- where tasks live.
 *
 * The daemon thinks in tasks, and this page is all it knows about storage. Behind it stand
 * backends (store_backend.h): SQLite, embedded, for a first run, and MongoDB, for
 * production; one suite proves both.
 *
 * Threads: call from the loop. Blocking work runs on the store's own threads and comes back
 *          to the loop. Reads may overtake writes; writes of one task do not overtake each other
 *          as long as the caller waits for one before it sends the next.
 * Memory:  arguments are copied before the call returns; results are lent until the callback
 *          returns.
 * Errors:  every call returns 0, or ERR_BUSY (its queue is full), ERR_STORE (the store is
 *          known to be away; a prober asks it, nobody else need) or ERR_INVALID (what cannot be
 *          stored: no UTF-8, no JSON, an org that is none) and then never calls back.
 *          Otherwise it calls back exactly once, on the loop, later. A callback's err is 0 or
 *          one of those named; ERR_STORE means that the outcome is unknown and was not
 *          resolved by reading back: repeating the call is safe. ERR_CORRUPT: what is stored makes
 *          no sense, or the database refuses what was sent; a bug to look into. */
#ifndef TASKWIRE_TASKD_STORE_H
#define TASKWIRE_TASKD_STORE_H

#include <uv.h>

#include "common/metrics.h"
#include "taskd/task.h"

#define STORE_ORG_SIZE 131                      /* "~", 128 characters, a NUL */

struct store;

struct store_options {
    const char *url;                           /* sqlite:PATH or mongodb://…/DATABASE */
    size_t      queue_max;                     /* calls waiting; past it ERR_BUSY */
    unsigned    threads;                       /* for MongoDB, and SQLite's readers: 8 */
    void      (*on_state)(bool is_up, void *arg);   /* optional; on the loop */
    void       *arg;
};

/* Open, and make what is missing (tables, indexes). SQLite: fails where another process
 * holds the file's lock. MongoDB: never fails for an absent server; it is waited for, and
 * calls are refused with ERR_STORE meanwhile. Returns 0, or an error with a sentence in `why`. */
int  store_open(uv_loop_t *loop, const struct store_options *o, struct metrics *m,
                struct store **out, struct buf *why);

/* What was begun is finished and called back, then `cb` runs and the store is gone. */
void store_close(struct store *s, void (*cb)(void *arg), void *arg);
bool store_is_up(const struct store *s);

/* Is it certain that no other process has it open? (SQLite: the file's lock.) */
bool store_is_exclusive(const struct store *s);

typedef void store_task_cb(int err, const struct task *t, void *arg);

/* Insert a new task with its first event (seq 1, marked unpublished).
 * err: 0 with the task; ERR_EXISTS with the task that has this id already. */
int store_create(struct store *s, const struct task *t, const struct event *first,
                 store_task_cb *cb, void *arg);

/* err: 0 with the task (its kept events included); ERR_NOT_FOUND. */
int store_get(struct store *s, const char *id, store_task_cb *cb, void *arg);

/* Write `after` (seq = before's + 1) and its event if, and only if, the task is still at
 * seq - 1 and no event with the same key was ever applied to it. One atomic write, marked
 * unpublished. Only fields that differ from `before` are written.
 * err: 0 with the task as stored (but published_seq and _bucket may be `before`'s: a mark made
 * meanwhile need not show); ERR_STALE with the task as it is now; ERR_REPEAT with the
 * task as it is now; ERR_NOT_FOUND. */
struct store_change {
    const struct task  *before;
    const struct task  *after;
    const struct event *event;
};
int store_apply(struct store *s, const struct store_change *c, store_task_cb *cb, void *arg);

/* --- the outbox --- */

/* Make every event of the task above its published_seq durable outside of the document, so that
 * it may leave the document's window. A store whose events live in a table of their own from
 * the start answers at once. err: 0, ERR_NOT_FOUND. The task is NULL: reading it would be most of
 * the cost. */
int store_settle(struct store *s, const struct task *t, store_task_cb *cb, void *arg);

/* Say that the task's transitions up to `seq` are published, `bucket` being its bucket after
 * that one. Never moves back. The outbox's mark goes if, and only if, the task is at `seq`.
 * err: 0. */
typedef void store_done_cb(int err, void *arg);
int store_mark(struct store *s, const char *id, int64_t seq, enum bucket bucket,
               store_done_cb *cb, void *arg);

/* Tasks marked unpublished whose updatedAt is `from_wall_ms` at least and before `before_wall_ms`,
 * oldest first; up to `limit`. */
struct store_pending {
    char    id[TASK_ID_LEN + 1];
    char    org[STORE_ORG_SIZE];
    int64_t updated_at;
};
typedef void store_pending_cb(int err, const struct store_pending *tasks, size_t count, void *arg);
int store_unpublished(struct store *s, int64_t from_wall_ms, int64_t before_wall_ms, size_t limit,
                      store_pending_cb *cb, void *arg);

/* How many tasks are marked unpublished. */
typedef void store_count_cb(int err, int64_t n, void *arg);
int store_unpublished_count(struct store *s, store_count_cb *cb, void *arg);

/* The counts of an org's *published* transitions, by published bucket. */
struct store_counts {
    int64_t org[BUCKETS_PER_SCOPE];            /* active, completed, failed */
    struct store_private_counts {
        char    sub[129];
        int64_t n[BUCKETS_PER_SCOPE];
    } *people;
    size_t people_count;
};
typedef void store_counts_cb(int err, const struct store_counts *c, void *arg);
int store_counts(struct store *s, const char *org, store_counts_cb *cb, void *arg);

/* --- reading --- */

enum store_sort { STORE_BY_CREATED, STORE_BY_UPDATED };          /* newest first */
enum store_scope {
    STORE_SCOPE_VISIBLE,                       /* the org's open ones and one's own private ones */
    STORE_SCOPE_ORG, STORE_SCOPE_PRIVATE,      /* either */
    STORE_SCOPE_ALL                            /* anybody's, for operators: no index is just this */
};

struct store_query {
    const char     *org;                       /* NULL, with SCOPE_ALL alone: every org */
    const char     *sub;                       /* who asks */
    enum store_scope scope;
    int             status;                    /* enum status, or -1: any */
    const char     *creator;                   /* a sub; NULL: any */
    int             active;                    /* 1 active, 0 not active, -1 any */
    const char     *words;                     /* q; NULL: none */
    enum store_sort sort;
    size_t          limit;
    int64_t         after_time;                /* go on below this (time, id) if after_id is given */
    const char     *after_id;                  /* NULL: from the start */
};

/* The tasks come without their events. Of `words` the first 16 count (store_words.h). */
typedef void store_tasks_cb(int err, const struct task *tasks, size_t count, bool has_more,
                            void *arg);
int store_list(struct store *s, const struct store_query *q, store_tasks_cb *cb, void *arg);

/* A task's timeline, events with after < seq < before (0: no such bound), oldest first; the
 * newest `limit` of them where `newest`, else the oldest. Also finds events that are still
 * only in the document. err: 0; ERR_NOT_FOUND where there is no such task. */
struct store_events_query {
    const char *id;
    int64_t     after, before;
    size_t      limit;
    bool        newest;
};
typedef void store_events_cb(int err, const struct event *events, size_t count, void *arg);
int store_events(struct store *s, const struct store_events_query *q, store_events_cb *cb,
                 void *arg);

/* The newest task (by createdAt) of a repository, small and capital letters meaning the same,
 * by the one of the three that is given: its githubBranch, issueNumber or prNumber.
 * err: 0 with the task; ERR_NOT_FOUND. ERR_INVALID also where it could be no task's. */
struct store_find_query {
    const char *repo;                          /* owner/name */
    const char *branch;                        /* NULL: not by it */
    int64_t     issue_number, pr_number;       /* 0: not by it */
};
int store_find(struct store *s, const struct store_find_query *q, store_task_cb *cb, void *arg);

/* The published seq of each task that exists, of up to STORE_SEQS_MAX ids, in any order. err: 0. */
#define STORE_SEQS_MAX 1000
struct store_seq {
    char    id[TASK_ID_LEN + 1];
    int64_t published_seq;
};
typedef void store_seqs_cb(int err, const struct store_seq *seqs, size_t count, void *arg);
int store_seqs(struct store *s, const char *const *ids, size_t count, store_seqs_cb *cb,
               void *arg);

/* Was an input with this key ever applied to the task? err: 0 (it was), ERR_NOT_FOUND. */
int store_has_key(struct store *s, const char *id, const char *key, store_done_cb *cb, void *arg);

/* --- notifications ---
 * Of a person, named by org and sub; kept until read. Bounded: of each person the newest
 * STORE_UNREAD_MAX that are unread, and none for longer than STORE_NOTIFICATION_DAYS. */
#define STORE_UNREAD_MAX        1000
#define STORE_NOTIFICATION_DAYS 90
#define STORE_READ_MAX          200            /* ids in one store_notifications_read */

struct store_notification {
    const char *id;                            /* task:seq:kind */
    const char *org, *sub;
    int64_t     created_at;                    /* wall ms */
    const char *json;                          /* what user:notification says */
};

/* Keep it, unread; one with this id that is there stays as it is, read or not. err: 0. */
int store_notify(struct store *s, const struct store_notification *n, store_done_cb *cb,
                 void *arg);

/* A person's unread ones, newest first (by created_at, then id), as their JSON texts. err: 0. */
struct store_notifications_query {
    const char *org, *sub;
    size_t      limit;
    int64_t     before_time;                   /* go on below this (time, id) if before_id is given */
    const char *before_id;                     /* NULL: from the newest */
};
typedef void store_texts_cb(int err, const char *const *texts, size_t count, bool has_more,
                            void *arg);
int store_notifications(struct store *s, const struct store_notifications_query *q,
                        store_texts_cb *cb, void *arg);

/* This person has read these; ids that are unknown or another's are passed over. err: 0. */
int store_notifications_read(struct store *s, const char *org, const char *sub,
                             const char *const *ids, size_t count, store_done_cb *cb, void *arg);

/* --- small records by kind and key, with an expiry ---
 * Idempotency answers, webhook delivery ids, revocations and flags: JSON values that one
 * replica writes and all may read. An expiry of 0 is never. */

/* Insert unless it is there. err: 0, or ERR_EXISTS with the value that is there. */
typedef void store_value_cb(int err, const char *json, void *arg);
int store_record_add(struct store *s, const char *kind, const char *key, const char *json,
                     int64_t expires_wall_ms, store_value_cb *cb, void *arg);
/* Insert or replace. err: 0. */
int store_record_put(struct store *s, const char *kind, const char *key, const char *json,
                     int64_t expires_wall_ms, store_done_cb *cb, void *arg);
/* err: 0 with the value; ERR_NOT_FOUND (also where it has expired). */
int store_record_get(struct store *s, const char *kind, const char *key, store_value_cb *cb,
                     void *arg);
int store_record_drop(struct store *s, const char *kind, const char *key, store_done_cb *cb,
                      void *arg);
/* All of a kind that have not expired: a JSON object key -> value. */
int store_record_all(struct store *s, const char *kind, store_value_cb *cb, void *arg);

#endif

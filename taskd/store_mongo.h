/* store_mongo.h -- what the files of the MongoDB backend share. Nobody else includes it.
 *
 * A document of `tasks`:
 *
 *   { _id: ObjectId, seq: 7, title: …, (all fields of task.def under their wire names)
 *     active: true, words: ["fix", "login"],          what pages and questions look for
 *     places: ["acme/site pr 43"],                    what webhooks look for (store_places.c)
 *     events: [ {seq, eventType, …, key, nonce}, … ], the newest TASK_EVENTS_KEPT
 *     settled: 5,                                     events up to this one are in `events` too
 *     unpublished: true,                              the outbox's mark; missing where published
 *     published: {seq: 4, bucket: "oa"},              seq 0 and "": nothing yet
 *     counted: {v: 12, bucket: "oa"},                 v 0 and "": not yet (store_mongo_counts.c)
 *     uncounted: true,                                published elsewhere than counted
 *     nonce: ObjectId }                               of the call that made it
 *
 * `events` holds every event once it is settled: _id "<task>:<seq, ten digits>", so that a
 * timeline is a range of the primary key. `records` is by _id "<kind>\n<key>", `counts` by org,
 * `notifications` by _id "<task>:<seq>:<kind>", with person "<org>/<sub>", unread, createdAt, json.
 *
 * A `nonce` names one call: after a time-out or a lost connection the call is sent again as it
 * was (its guard lets it happen once), and finds by the nonce whether it had happened. */
#ifndef TASKWIRE_TASKD_STORE_MONGO_H
#define TASKWIRE_TASKD_STORE_MONGO_H

#include <mongoc/mongoc.h>

#include "taskd/store_backend.h"

struct store_session {
    struct store_backend *backend;
    mongoc_client_t      *client;              /* NULL until the first call */
    mongoc_collection_t  *tasks, *events, *records, *counts, *notifications;
    unsigned              marks;               /* that it made */
};

/* One call's patience: it is made again after what may pass by. */
struct mg_try {
    struct store_session *s;
    uint64_t              began_ns;
    unsigned              failures;
    bool                  is_write;            /* waits longer: its outcome must be known */
    int                   err;                 /* why it ended: ERR_STORE, _CORRUPT, _EXISTS */
};

/* Begin: false (and `err`) where the pool has no client. */
bool mg_begin(struct mg_try *t, struct store_session *s, bool is_write);

/* After a failure: true where the call is to be made again (a pause has passed); otherwise
 * `err` says what to return: ERR_EXISTS for a duplicate key. */
bool mg_again(struct mg_try *t, const bson_error_t *error);

/* Options with maxTimeMS, for every find and aggregation. */
#define MG_READ_TIME_MS 8000

/* --- BSON (store_mongo_bson.c) --- */

/* A whole new document with its first event. */
void mg_task_to_bson(const struct task *t, const struct event *first, const bson_oid_t *nonce,
                     bson_t *out);

/* The update of a change: {$set, $unset, $push}. */
void mg_change_to_bson(const struct store_change *c, const bson_oid_t *nonce, bson_t *out);

/* The parts of a document that a call may look at beside the task. */
struct mg_extra {
    int64_t    settled;
    bson_oid_t nonce;
};

/* 0 or ERR_CORRUPT; `out` is valid and, but for 0, empty. extra may be NULL. */
int mg_task_from_bson(const bson_t *doc, struct task *out, struct mg_extra *extra);

/* An event's fields appended to `out`, and read from a document. nonce may be NULL. */
void mg_event_append(bson_t *out, const struct event *e, const bson_oid_t *nonce);
int  mg_event_from_bson(const bson_t *doc, struct event *out);

/* The document that `iter` stands at, borrowed; false where it is none. */
bool mg_iter_document(const bson_iter_t *iter, bson_t *out);

/* The nonce and key of the kept event `seq` of a task document: false where it is not kept. */
bool mg_kept_nonce(const bson_t *doc, int64_t seq, bson_oid_t *out);

/* _id of an event: "<task>:<seq>". */
#define MG_EVENT_ID_SIZE (TASK_ID_LEN + 24)
void mg_event_id(char out[MG_EVENT_ID_SIZE], const char *task, int64_t seq);
void mg_append_words(bson_t *out, const struct task *t);

/* --- reading one document --- */

/* The first document that matches (bson_destroy it): 0, ERR_NOT_FOUND, or the try's err.
 * `opts` may be NULL. */
int mg_find_one(struct mg_try *t, mongoc_collection_t *c, const bson_t *filter, bson_t *opts,
                bson_t *out);
int mg_load(struct mg_try *t, const char *id, struct task *out);
int mg_find_key(struct mg_try *t, const char *id, const char *key);      /* in `events` */

/* Walk a query: on_doc returns 0 to go on, or an err to end with. What it gathered is forgotten
 * by `restart` where the query has to be made again. */
struct mg_walk {
    mongoc_collection_t *collection;
    const bson_t        *filter;               /* or a pipeline */
    const bson_t        *opts;
    bool                 is_pipeline;
    int                (*on_doc)(const bson_t *doc, void *arg);
    void               (*restart)(void *arg);
    void                *arg;
};
int mg_walk(struct mg_try *t, const struct mg_walk *w);

/* --- writing --- */

/* Make one call until it is known to have happened: true, or the try's err. */
bool mg_make(struct mg_try *t, bool (*call)(void *arg, bson_error_t *error), void *arg);

/* update_one: 0 with how many matched, or the try's err. Made again until it is known to have
 * happened. */
int mg_update(struct mg_try *t, mongoc_collection_t *c, const bson_t *filter,
              const bson_t *update, int64_t *out_matched);

/* insert_one: 0, ERR_EXISTS, or the try's err. */
int mg_insert(struct mg_try *t, mongoc_collection_t *c, const bson_t *doc);

/* Indexes that are missing, of all collections: true, or the error. */
bool mg_make_indexes(struct store_session *s, bson_error_t *error);

int mg_create(struct store_session *s, const struct task *t, const struct event *first,
              struct task *out);
int mg_settle(struct store_session *s, const char *id);

/* What a change's update must match, appended to `out`. */
void mg_change_filter(const struct store_change *c, bson_t *out);

/* One change: the task after it, of the caller's own copies where they are whole. */
int mg_change_answer(struct mg_try *t, const struct store_change *c, struct task *out);

void mg_apply_group(struct store_session *s, struct store_attempt *attempts, size_t count);
int  mg_apply_again(struct store_session *s, const struct store_attempt *a);
int  mg_mark_group(struct store_session *s, const struct store_marking *marks, size_t count);

int mg_get(struct store_session *s, const char *id, struct task *out);
int mg_unpublished(struct store_session *s, int64_t from_wall_ms, int64_t before_wall_ms,
                   size_t limit, struct store_outbox *out);
int mg_unpublished_count(struct store_session *s, int64_t *out);
int mg_counts(struct store_session *s, const char *org, struct store_counts *out);
/* This task was marked: now and then, fold what moved into the total. */
void mg_counts_moved(struct store_session *s, const char *id);
int mg_events(struct store_session *s, const struct store_events_query *q,
              struct store_timeline *out);
int mg_find_place(struct store_session *s, const char *place, struct task *out);
int mg_has_key(struct store_session *s, const char *id, const char *key);
int mg_list(struct store_session *s, const struct store_query *q, struct store_page *out);

int mg_seqs(struct store_session *s, const struct store_ids *ids, struct store_seqs *out);

int mg_notify(struct store_session *s, const struct store_notice *n);
int mg_notifications(struct store_session *s, const struct store_notices_query *q,
                     struct store_ids *out);
int mg_notifications_read(struct store_session *s, const char *person,
                          const struct store_ids *ids);

int mg_record_add(struct store_session *s, const struct store_record *r, struct buf *out);
int mg_record_put(struct store_session *s, const struct store_record *r);
int mg_record_get(struct store_session *s, const char *kind, const char *key, struct buf *out);
int mg_record_drop(struct store_session *s, const char *kind, const char *key);
int mg_record_all(struct store_session *s, const char *kind, struct buf *out);

#endif

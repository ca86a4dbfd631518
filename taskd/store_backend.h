/* store_backend.h -- what a kind of store must be able to do: a handful of calls that block.
 *
 * store.c is the door: it queues, counts, and comes back to the loop. Behind it a backend knows
 * one database and nothing of loops. It opens once, and then gives out sessions; a session
 * belongs to one thread at a time, and sessions of one backend work side by side.
 *
 * Errors:  0; the refusals that store.h names for each call; ERR_STORE where the database is
 *          away or the outcome could not be found out (repeating is safe); ERR_CORRUPT where
 *          what was read makes no sense, or a value cannot be stored.
 * Memory:  arguments are lent for the call; what `out` receives belongs to the caller, who
 *          gives it back with the _deinit of its type. `out` is initialised (empty) before the
 *          call, and valid after it whatever the outcome.
 * Threads: open, close and the session calls from one thread; all else from the session's. */
#ifndef TASKWIRE_TASKD_STORE_BACKEND_H
#define TASKWIRE_TASKD_STORE_BACKEND_H

#include <stdatomic.h>

#include "taskd/store.h"

#define STORE_VALUE_MAX ((size_t)16 << 20)     /* one record_all: flags and revocations are small */

/* What a backend may tell its host while a call is still under way. Any thread. */
struct store_host {
    void      (*on_failure)(struct store_host *h);   /* the database does not answer: warn others */
    atomic_bool is_closing;                          /* do not wait for better times */
};

struct store_page     { struct task *tasks; size_t count; bool has_more; };
struct store_timeline { struct event *events; size_t count; };
struct store_ids      { char **ids; size_t count; };      /* or other short texts */
struct store_seqs     { struct store_seq *seqs; size_t count; };
struct store_outbox   { struct store_pending *tasks; size_t count; };

void store_page_deinit(struct store_page *p);
void store_timeline_deinit(struct store_timeline *t);
void store_ids_deinit(struct store_ids *i);
void store_seqs_deinit(struct store_seqs *q);
void store_outbox_deinit(struct store_outbox *o);
void store_counts_deinit(struct store_counts *c);

/* Make room for one more and return it, zeroed. */
struct task  *store_page_add(struct store_page *p);
struct event *store_timeline_add(struct store_timeline *t);
void          store_ids_add(struct store_ids *i, const char *id);
void          store_seqs_add(struct store_seqs *q, const char *id, int64_t published_seq);
void          store_outbox_add(struct store_outbox *o, const char *id, const char *org,
                               int64_t updated_at);
struct store_private_counts *store_counts_add(struct store_counts *c, const char *sub);

/* A small JSON value that all replicas may read. */
struct store_record {
    const char *kind, *key, *json;
    int64_t     expires_wall_ms;               /* 0: never */
};

/* What somebody is to be told; `person` is their scope (below): "org/sub". */
struct store_notice {
    const char *person, *id, *json;
    int64_t     created_at;
};

/* A page of those that are unread and not older than they may be. */
struct store_notices_query {
    const char *person;
    const char *before_id;                     /* "" from the newest */
    int64_t     before_time;                   /* INT64_MAX from the newest */
    int64_t     since;                         /* older ones have had their time */
    size_t      limit;
};

/* A change on its way, perhaps together with others. */
#define STORE_IN_DOUBT  1                      /* an err: it was made or not, and why not? */
#define STORE_NONCE_LEN 12
struct store_attempt {
    const struct store_change *change;
    uint8_t      nonce[STORE_NONCE_LEN];       /* names it, for who looks for it later */
    int          err;
    struct task *out;                          /* as store_apply answers it */
};

/* A mark among others. */
struct store_marking {
    const char *id;
    int64_t     seq;
    enum bucket bucket;
};

struct store_backend;                          /* a database that was opened */
struct store_session;                          /* one thread's way to it */

struct store_ops {
    /* One session writes, and commits what it did since begin() together; reads go beside it.
     * Otherwise every session does everything, begin, commit, rollback are NULL, and changes and
     * marks are made in groups: apply and mark are NULL. */
    bool has_one_writer;

    int  (*open)(const char *url, struct store_host *host, struct store_backend **out,
                 struct buf *why);
    void (*close)(struct store_backend *b);    /* after its sessions */
    int  (*session_open)(struct store_backend *b, bool is_writer, struct store_session **out);
    void (*session_close)(struct store_session *s);

    /* Does it answer (and, for one writer, can it write)? Makes indexes that are missing. */
    int  (*ping)(struct store_session *s);
    int  (*begin)(struct store_session *s);
    int  (*commit)(struct store_session *s);
    void (*rollback)(struct store_session *s);

    int (*create)(struct store_session *s, const struct task *t, const struct event *first,
                  struct task *out);
    int (*get)(struct store_session *s, const char *id, struct task *out);
    int (*apply)(struct store_session *s, const struct store_change *c, struct task *out);
    int (*settle)(struct store_session *s, const char *id);
    int (*mark)(struct store_session *s, const char *id, int64_t seq, enum bucket bucket);

    /* Make what can be made of the changes with one command, each alone in what comes of it:
     * fills every err and out. What is STORE_IN_DOUBT apply_again finds out, and makes if it
     * can be made. Marks are made all or, with an error, some. */
    void (*apply_group)(struct store_session *s, struct store_attempt *attempts, size_t count);
    int  (*apply_again)(struct store_session *s, const struct store_attempt *a);
    int  (*mark_group)(struct store_session *s, const struct store_marking *marks, size_t count);

    int (*unpublished)(struct store_session *s, int64_t from_wall_ms, int64_t before_wall_ms,
                       size_t limit, struct store_outbox *out);
    int (*unpublished_count)(struct store_session *s, int64_t *out);
    int (*counts)(struct store_session *s, const char *org, struct store_counts *out);
    int (*list)(struct store_session *s, const struct store_query *q, struct store_page *out);
    int (*events)(struct store_session *s, const struct store_events_query *q,
                  struct store_timeline *out);
    int (*find)(struct store_session *s, const char *place, struct task *out);
    int (*has_key)(struct store_session *s, const char *id, const char *key);
    int (*seqs)(struct store_session *s, const struct store_ids *ids, struct store_seqs *out);
    int (*notify)(struct store_session *s, const struct store_notice *n);
    int (*notifications)(struct store_session *s, const struct store_notices_query *q,
                         struct store_ids *out);
    int (*notifications_read)(struct store_session *s, const char *person,
                              const struct store_ids *ids);
    int (*record_add)(struct store_session *s, const struct store_record *r, struct buf *out);
    int (*record_put)(struct store_session *s, const struct store_record *r);
    int (*record_get)(struct store_session *s, const char *kind, const char *key,
                      struct buf *out);
    int (*record_drop)(struct store_session *s, const char *kind, const char *key);
    int (*record_all)(struct store_session *s, const char *kind, struct buf *out);
};

extern const struct store_ops store_sqlite_ops;      /* sqlite:PATH */
extern const struct store_ops store_mongo_ops;       /* mongodb://…/DATABASE, mongodb+srv://… */

/* --- what both backends compute alike --- */

/* Who sees a task, as one text: the org, or org/sub where it is private ('/' is in neither). */
#define STORE_SCOPE_SIZE 260
void store_scope(char out[STORE_SCOPE_SIZE], const char *org, const char *private_sub);

/* Notifications that were created at or before this have had their time. */
int64_t store_notifications_since(void);

/* The scopes that a query looks into: one or two. Returns how many. */
size_t store_query_scopes(const struct store_query *q, char out[2][STORE_SCOPE_SIZE]);

/* What a task is found by (store_find): up to three texts such as "acme/site pr 43". Returns how
 * many (store_places.c). */
#define STORE_PLACE_SIZE 512
#define STORE_PLACES_MAX 3
size_t store_places(const struct task *t, char out[STORE_PLACES_MAX][STORE_PLACE_SIZE]);
bool   store_places_differ(const struct task *a, const struct task *b);

/* What a question looks for: 0, or ERR_INVALID. */
int store_place(const struct store_find_query *q, char out[STORE_PLACE_SIZE]);

/* `t` as it stands after a change that was stored, its window of events included, built from
 * what the caller of apply gave. False where `before` does not hold its whole window. */
bool store_task_after(struct task *t, const struct store_change *c);

/* Two JSON members in a row of record_all: `,` as needed, the key, the value. */
void store_value_append(struct buf *out, const char *key, const char *json);

#endif

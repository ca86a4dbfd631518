/* suite.h -- what the files of the store's conformance suite share.
 *
 * One suite proves every backend: it knows store.h alone. The calls come back on a loop, so
 * each has a twin here that waits: `do_get` is store_get and its answer. Only where
 * calls must overlap (races, groups) does a test call the store itself. */
#ifndef TASKWIRE_TESTS_STORE_SUITE_H
#define TASKWIRE_TESTS_STORE_SUITE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <uv.h>

#include "common/err.h"
#include "taskd/store.h"

/* What a call was answered: err, and what belongs to it. Give back with answer_drop. */
struct answer {
    bool          is_done;
    int           err;
    bool          has_task;
    struct task   task;                        /* create, get, apply, settle */
    struct task  *tasks;                       /* list */
    struct event *events;                      /* events */
    char        **ids;                         /* unpublished; or texts of notifications */
    int64_t      *seqs;                        /* seqs: beside ids */
    struct store_pending *pending;             /* unpublished: beside ids */
    size_t        count;                       /* of these */
    bool          has_more;
    int64_t       n;                           /* unpublished_count */
    struct store_counts counts;
    char         *value;                       /* records; NULL: none */
};

void answer_drop(struct answer *a);

/* One open store with a loop of its own. */
struct bench {
    uv_loop_t       loop;
    struct store   *store;
    struct metrics *metrics;
    unsigned        ups, downs;                /* how often on_state said so */
};

struct suite {
    char  url[1024];                           /* of the database that this run made for itself */
    bool  is_mongo;
    const char *server;                        /* tests/mongo/server.sh, or NULL: not ours to kill */
    struct bench bench;                        /* open before each test that uses it */
};
extern struct suite suite;

/* Open `url`, wait until it is up. The threads are its workers. */
void bench_open(struct bench *b, const char *url, unsigned threads);
void bench_close(struct bench *b);             /* also proves that the loop ends empty */
void bench_run(struct bench *b, const bool *until);   /* turn the loop; fails the test after a minute */
bool bench_wait_state(struct bench *b, bool is_up, unsigned ms);

/* A database of its own beside the suite's, and the way to remove it. */
void fresh_url(char *out, size_t size, const char *name);
void drop_database(const char *url);

/* --- waiting twins --- */
int do_create(struct bench *b, struct answer *a, const struct task *t, const struct event *e);
int do_get(struct bench *b, struct answer *a, const char *id);
int do_apply(struct bench *b, struct answer *a, const struct store_change *c);
int do_settle(struct bench *b, struct answer *a, const struct task *t);
int do_mark(struct bench *b, const char *id, int64_t seq, enum bucket bucket);
int do_unpublished(struct bench *b, struct answer *a, int64_t from, int64_t before, size_t limit);
int64_t do_unpublished_count(struct bench *b);
int do_counts(struct bench *b, struct answer *a, const char *org);
int do_list(struct bench *b, struct answer *a, const struct store_query *q);
int do_events(struct bench *b, struct answer *a, const struct store_events_query *q);
int do_seqs(struct bench *b, struct answer *a, const char *const *ids, size_t count);
int do_notify(struct bench *b, const struct store_notification *n);
int do_notifications(struct bench *b, struct answer *a, const struct store_notifications_query *q);
int do_notifications_read(struct bench *b, const char *org, const char *sub,
                          const char *const *ids, size_t count);
int do_has_key(struct bench *b, const char *id, const char *key);
int do_record_add(struct bench *b, struct answer *a, const char *kind, const char *key,
                  const char *json, int64_t expires);
int do_record_put(struct bench *b, const char *kind, const char *key, const char *json,
                  int64_t expires);
int do_record_get(struct bench *b, struct answer *a, const char *kind, const char *key);
int do_record_drop(struct bench *b, const char *kind, const char *key);
int do_record_all(struct bench *b, struct answer *a, const char *kind);

/* The callbacks behind them, for tests that send several calls at once; arg is an answer. */
void on_task(int err, const struct task *t, void *arg);
void on_done(int err, void *arg);
void on_value(int err, const char *json, void *arg);

/* --- values --- */

/* An id that no other call in this run gave. */
const char *new_id(char out[TASK_ID_LEN + 1]);

/* A task with every required field, and its `created` event. */
void make_task(struct task *t, struct event *first, const char *org, const char *sub,
               bool is_private, int64_t at);

/* What follows `before`: a note (nothing but seq and time), or a move to `status`. The event
 * has `key` ("" for none). The change borrows `before`; drop_change gives the rest back. */
struct change {
    struct task         after;
    struct event        event;
    struct store_change c;
};
void make_change(struct change *c, const struct task *before, enum input input,
                 enum status status, const char *key);
void drop_change(struct change *c);

/* Make, store and drop; the stored task is in `out`. */
void stored_task(struct bench *b, struct task *out, const char *org, const char *sub,
                 bool is_private, int64_t at);

/* Apply a note with `key` and take the task after it; returns the call's err. */
int note(struct bench *b, struct task *t, const char *key);

/* `count` notes with keys "<prefix><n>", settling and marking as the publisher does. */
void many_notes(struct bench *b, struct task *t, const char *prefix, int count);

void assert_same_task(const struct task *a, const struct task *b);
void assert_same_event(const struct event *a, const struct event *b);

/* Run the server's script beside the test: shell commands in which "%s" is its path, at most four
 * times (away_test.c). Returns the process to wait for. */
pid_t server_command(const char *format);

/* --- the groups --- */
int run_tasks(void);
int run_timeline(void);
int run_outbox(void);
int run_pages(void);
int run_find(void);
int run_notices(void);
int run_records(void);
int run_races(void);
int run_open(void);
int run_crash(void);
int run_away(void);

#endif

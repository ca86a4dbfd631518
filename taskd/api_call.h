/* api_call.h -- one request on its way through the API, and how it is answered.
 *
 * A call owns all that its handler needs from step to step, and dies in its answer: each path
 * of a handler ends in exactly one of the call_answer functions (or call_problem), after which
 * the call is gone. */
#ifndef TASKWIRE_TASKD_API_CALL_H
#define TASKWIRE_TASKD_API_CALL_H

#include "common/json.h"
#include "proto/shapes.h"
#include "taskd/api.h"

#define CALL_PARAMS_MAX 2
#define CALL_PARAM_SIZE 160
#define CALL_ETAG_SIZE  24
#define CALL_BODY_MAX   ((size_t)1 << 20)      /* of a request */
#define CALL_ANSWER_MAX ((size_t)64 << 20)     /* of an answer */

enum route_auth { ROUTE_OPEN, ROUTE_USER, ROUTE_ADMIN, ROUTE_CLUSTER, ROUTE_SIGNED };

enum {
    ROUTE_BODY = 1,                            /* a JSON object must come */
    ROUTE_KEYED = 2,                           /* Idempotency-Key is honoured, for a day */
    ROUTE_KEYED_FOR_EVER = 4,                  /* for ever */
    ROUTE_SAFE_TWICE = 8,                      /* its effect knows its key: run twice, it is one */
    ROUTE_LARGE = 16                           /* a body may have WEBHOOK_BODY_MAX */
};

struct call;

struct route {
    enum http_method method;
    const char      *pattern;                  /* "/api/tasks/:id"; a ':' segment is a parameter */
    enum route_auth  auth;
    unsigned         flags;
    void           (*handle)(struct call *c);
};

struct call {
    struct api          *api;
    const struct api_parts *parts;
    struct http_request *request;
    const struct route  *route;
    struct claims        claims;               /* of USER, ADMIN and CLUSTER routes */
    bool                 sees_all;             /* an admin on taskd's own port (SPEC A2) */
    char                 params[CALL_PARAMS_MAX][CALL_PARAM_SIZE];
    json_t              *body;                 /* of ROUTE_BODY routes: an object */

    /* Idempotency-Key: its record, and what it makes an act's key */
    char                 record[65], fingerprint[65];
    char                *act_key;              /* "" where the request has none */
    bool                 is_repeat;            /* another with this key is under way */

    /* what handlers keep from step to step */
    json_t              *answer;
    struct buf           text;
    struct task          task;
    struct store_query   query;
    char                *texts[5];             /* freed with the call; what `query` points to */
    enum error_code      problem;
    struct position      at;
    size_t               index, pending;
    char                 etag[CALL_ETAG_SIZE];
    char                 location[64];
};

/* The routes, and who answers a path. */
const struct route *route_rows(size_t *count);

/* Find the row for `path` and `method`: fills `params` (decoded). NULL: `*out_known` says
 * whether the path is there with another method, and `allow` which ("GET, HEAD, OPTIONS"). */
const struct route *route_find(enum http_method method, struct slice path,
                               char params[CALL_PARAMS_MAX][CALL_PARAM_SIZE], bool *out_known,
                               struct buf *allow);

/* --- answering: the call is gone afterwards --- */

/* With c->answer, a JSON object, as the body; ETag and Location where they are set. */
void call_answer(struct call *c, int status);

/* With c->text as the body. */
void call_answer_text(struct call *c, int status, const char *content_type);
void call_answer_empty(struct call *c, int status);

/* Problem details; `detail` (may be NULL) is copied. */
void call_problem(struct call *c, enum error_code code, const char *detail);

/* The same with c->text, a JSON text, as member `task`. */
void call_problem_task(struct call *c, enum error_code code, const char *detail);

/* An error code of ours as a problem: the store or Redis is away, a queue is full ... */
void call_failed(struct call *c, int err);

/* A problem for a request that has no call (yet). The request is gone. */
void request_problem(struct http_request *r, enum error_code code, const char *detail,
                     const char *allow);

/* The one place where an answer leaves, with c->text as its body (api_send.c). `content_type`
 * lives for ever. */
void call_send(struct call *c, int status, const char *content_type);

/* Its end, for api.c and api_send.c alone. */
void call_free(struct call *c);

/* --- Idempotency-Key (api_idempotency.c) --- */

/* Look the key up; then the handler runs, or the kept answer goes out. */
void call_run_keyed(struct call *c);

/* Keep the answer of a keyed call, then send it. */
void call_keep(struct call *c, int status, const char *content_type);

/* --- small things for handlers --- */

/* SPEC A2: may they see the task? Where not, it is answered as one that is not there. */
static inline bool call_may_see(const struct call *c, const struct task *t)
{
    return c->sees_all || task_is_visible(t, c->claims.sub, c->claims.org);
}

/* Keep a text until the call is over; returns the copy. */
char *call_text(struct call *c, size_t slot, const char *text);

/* A query parameter; NULL where it is missing. False where it is malformed. */
bool call_query(struct call *c, const char *name, size_t slot, const char **out);

/* A whole number of the query; `*out` keeps what it holds where it is missing. False where it is
 * none from `from` to `to`. */
bool call_query_int(struct call *c, const char *name, int64_t from, int64_t to, int64_t *out);

/* The seq that an entity tag names: "7" or W/"7" (a proxy that compresses makes tags weak).
 * INT64_MAX for one that is none of ours, 0 where it is no entity tag. */
int64_t tag_seq(struct slice tag);

/* The list row of a task as the wire has it, seq second. New reference. */
json_t *row_of(const struct task *t);

/* Append "activeCount":…,"completedCount":…,"failedCount":…,"rev":… to an object. */
void put_counts(json_t *object, const int64_t counts[BUCKETS_PER_SCOPE], uint64_t rev);

/* Where a list goes on after `t`. New text (free()). */
char *cursor_after(const struct task *t, enum store_sort sort);

/* Read one: 0, or ERR_INVALID. `id` receives TASK_ID_LEN + 1 bytes. */
int cursor_read(const char *text, enum store_sort sort, int64_t *out_time, char *id);

/* Render c->task with its newest events as task:state into c->text (appended), then run
 * `then` with 0, or what the store answered: at once where all its events are at hand. */
void call_render_state(struct call *c, void (*then)(struct call *c, int err));

/* Is its body said to be JSON, in UTF-8 and not compressed? */
bool content_is_json(const struct http_request *r);

/* Is it the name of an org, or of one's own ("~<sub>")? (internal.c) */
bool org_is_sound(const char *org);

/* --- handlers, by file --- */
void on_task_create(struct call *c);           /* api_tasks.c */
void on_task_get(struct call *c);
void on_task_edit(struct call *c);
void on_task_clarify(struct call *c);
void on_task_list(struct call *c);             /* api_list.c */
void on_task_events(struct call *c);
void on_notifications(struct call *c);         /* api_notifications.c */
void on_notifications_read(struct call *c);
void on_internal_notifications_read(struct call *c);
void on_webhook(struct call *c);               /* webhook.c */
void on_me(struct call *c);                    /* api_admin.c */
void on_status(struct call *c);
void on_outbox(struct call *c);                /* api_outbox.c */
void on_outbox_push(struct call *c);
void on_position_list(struct call *c);
void on_position_get(struct call *c);
void on_dead_letters(struct call *c);          /* api_dead_letters.c */
void on_dead_letter_get(struct call *c);
void on_dead_letter_retry(struct call *c);
void on_dead_letter_drop(struct call *c);
void on_revocations(struct call *c);           /* api_control.c */
void on_revocation_add(struct call *c);
void on_revocation_drop(struct call *c);
void on_flags(struct call *c);
void on_flags_put(struct call *c);
void on_replicas(struct call *c);              /* api_replicas.c */
void on_health(struct call *c);                /* api_admin.c */
void on_health_live(struct call *c);
void on_health_ready(struct call *c);
void on_internal_task(struct call *c);         /* internal.c */
void on_internal_org(struct call *c);
void on_internal_person(struct call *c);
void on_internal_seqs(struct call *c);

#endif

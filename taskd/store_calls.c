/* store_calls.c -- the calls of store.h: check what is asked, copy it, send it on its way.
 *
 * Nothing here waits or decides. What cannot be stored is refused before it is queued; an id
 * that is none is simply not found. */
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "taskd/store_check.h"
#include "taskd/store_request.h"

int store_create(struct store *s, const struct task *t, const struct event *first,
                 store_task_cb *cb, void *arg)
{
    struct store_request *r;

    if (store_check_task(t) != 0 || store_check_event(first) != 0 || t->seq != 1
        || first->seq != 1)
        return ERR_INVALID;
    r = store_request_new(STORE_OP_CREATE, arg);
    task_copy(&r->after, t);
    event_copy(&r->event, first);
    r->id = mem_strdup(t->id);
    r->cb.task = cb;
    return store_submit(s, r);
}

int store_get(struct store *s, const char *id, store_task_cb *cb, void *arg)
{
    struct store_request *r = store_request_new(STORE_OP_GET, arg);

    r->id = mem_strdup(id);
    r->cb.task = cb;
    return store_submit(s, r);
}

int store_apply(struct store *s, const struct store_change *c, store_task_cb *cb, void *arg)
{
    struct store_request *r;

    if (store_check_task(c->after) != 0 || store_check_event(c->event) != 0
        || store_check_id(c->before->id) != 0 || strcmp(c->before->id, c->after->id) != 0
        || c->after->seq != c->before->seq + 1 || c->event->seq != c->after->seq)
        return ERR_INVALID;
    r = store_request_new(STORE_OP_APPLY, arg);
    task_copy(&r->before, c->before);
    task_copy(&r->after, c->after);
    event_copy(&r->event, c->event);
    r->change = (struct store_change){ &r->before, &r->after, &r->event };
    r->attempt = (struct store_attempt){ .change = &r->change, .out = &r->task };
    r->id = mem_strdup(c->after->id);
    r->cb.task = cb;
    return store_submit(s, r);
}

int store_settle(struct store *s, const struct task *t, store_task_cb *cb, void *arg)
{
    struct store_request *r = store_request_new(STORE_OP_SETTLE, arg);

    r->id = mem_strdup(t->id);
    r->cb.task = cb;
    return store_submit(s, r);
}

int store_mark(struct store *s, const char *id, int64_t seq, enum bucket bucket,
               store_done_cb *cb, void *arg)
{
    struct store_request *r;

    if (seq <= 0 || (unsigned)bucket >= BUCKET_COUNT)
        return ERR_INVALID;
    r = store_request_new(STORE_OP_MARK, arg);
    r->id = mem_strdup(id);
    r->number = seq;
    r->bucket = bucket;
    r->cb.done = cb;
    return store_submit(s, r);
}

int store_unpublished(struct store *s, int64_t from_wall_ms, int64_t before_wall_ms, size_t limit,
                      store_pending_cb *cb, void *arg)
{
    struct store_request *r = store_request_new(STORE_OP_UNPUBLISHED, arg);

    r->from = from_wall_ms;
    r->number = before_wall_ms;
    r->limit = limit;
    r->cb.pending = cb;
    return store_submit(s, r);
}

int store_unpublished_count(struct store *s, store_count_cb *cb, void *arg)
{
    struct store_request *r = store_request_new(STORE_OP_UNPUBLISHED_COUNT, arg);

    r->cb.count = cb;
    return store_submit(s, r);
}

int store_counts(struct store *s, const char *org, store_counts_cb *cb, void *arg)
{
    struct store_request *r;

    if (store_check_name(org) != 0)
        return ERR_INVALID;
    r = store_request_new(STORE_OP_COUNTS, arg);
    r->org = mem_strdup(org);
    r->cb.counts = cb;
    return store_submit(s, r);
}

static bool query_is_valid(const struct store_query *q)
{
    if (q->org == NULL ? q->scope != STORE_SCOPE_ALL : store_check_name(q->org) != 0)
        return false;
    if (q->sub != NULL && store_check_name(q->sub) != 0)
        return false;
    if (q->status >= STATUS_COUNT || (q->creator != NULL && store_check_text(q->creator) != 0))
        return false;
    if (q->words != NULL && store_check_text(q->words) != 0)
        return false;
    return q->after_id == NULL || store_check_id(q->after_id) == 0;
}

int store_list(struct store *s, const struct store_query *q, store_tasks_cb *cb, void *arg)
{
    struct store_request *r;

    if (!query_is_valid(q))
        return ERR_INVALID;
    r = store_request_new(STORE_OP_LIST, arg);
    store_request_take_query(r, q);
    r->cb.tasks = cb;
    return store_submit(s, r);
}

int store_events(struct store *s, const struct store_events_query *q, store_events_cb *cb,
                 void *arg)
{
    struct store_request *r = store_request_new(STORE_OP_EVENTS, arg);

    r->events = *q;
    r->id = mem_strdup(q->id);
    r->events.id = r->id;
    r->cb.events = cb;
    return store_submit(s, r);
}

int store_find(struct store *s, const struct store_find_query *q, store_task_cb *cb, void *arg)
{
    struct store_request *r;
    char place[STORE_PLACE_SIZE];

    if (store_place(q, place) != 0 || store_check_text(place) != 0)
        return ERR_INVALID;
    r = store_request_new(STORE_OP_FIND, arg);
    r->key = mem_strdup(place);
    r->cb.task = cb;
    return store_submit(s, r);
}

int store_has_key(struct store *s, const char *id, const char *key, store_done_cb *cb, void *arg)
{
    struct store_request *r;

    if (store_check_text(key) != 0)
        return ERR_INVALID;
    r = store_request_new(STORE_OP_HAS_KEY, arg);
    r->id = mem_strdup(id);
    r->key = mem_strdup(key);
    r->cb.done = cb;
    return store_submit(s, r);
}

static void copy_ids(struct store_ids *to, const char *const *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        store_ids_add(to, ids[i]);
}

int store_seqs(struct store *s, const char *const *ids, size_t count, store_seqs_cb *cb,
               void *arg)
{
    struct store_request *r;

    if (count > STORE_SEQS_MAX)
        return ERR_INVALID;
    for (size_t i = 0; i < count; i++)
        if (store_check_id(ids[i]) != 0)
            return ERR_INVALID;
    r = store_request_new(STORE_OP_SEQS, arg);
    copy_ids(&r->asked, ids, count);
    r->cb.seqs = cb;
    return store_submit(s, r);
}

/* --- notifications --- */

/* A request about somebody; NULL where there can be no such person. */
static struct store_request *person_request(enum store_op op, const char *org, const char *sub,
                                            void *arg)
{
    char person[STORE_SCOPE_SIZE];
    struct store_request *r;

    if (store_check_name(org) != 0 || store_check_name(sub) != 0)
        return NULL;
    store_scope(person, org, sub);
    r = store_request_new(op, arg);
    r->org = mem_strdup(person);
    return r;
}

int store_notify(struct store *s, const struct store_notification *n, store_done_cb *cb,
                 void *arg)
{
    struct store_request *r = store_check_text(n->id) != 0 || store_check_json(n->json) != 0
        || n->created_at < 0 ? NULL : person_request(STORE_OP_NOTIFY, n->org, n->sub, arg);

    if (r == NULL)
        return ERR_INVALID;
    r->key = mem_strdup(n->id);
    r->json = mem_strdup(n->json);
    r->number = n->created_at;
    r->cb.done = cb;
    return store_submit(s, r);
}

int store_notifications(struct store *s, const struct store_notifications_query *q,
                        store_texts_cb *cb, void *arg)
{
    struct store_request *r = q->before_id != NULL && store_check_text(q->before_id) != 0 ? NULL
        : person_request(STORE_OP_NOTIFICATIONS, q->org, q->sub, arg);

    if (r == NULL)
        return ERR_INVALID;
    r->key = mem_strdup(q->before_id != NULL ? q->before_id : "");
    r->number = q->before_id != NULL ? q->before_time : INT64_MAX;
    r->limit = q->limit;
    r->cb.texts = cb;
    return store_submit(s, r);
}

int store_notifications_read(struct store *s, const char *org, const char *sub,
                             const char *const *ids, size_t count, store_done_cb *cb, void *arg)
{
    struct store_request *r;

    if (count > STORE_READ_MAX)
        return ERR_INVALID;
    for (size_t i = 0; i < count; i++)
        if (store_check_text(ids[i]) != 0)
            return ERR_INVALID;
    r = person_request(STORE_OP_NOTIFICATIONS_READ, org, sub, arg);
    if (r == NULL)
        return ERR_INVALID;
    copy_ids(&r->asked, ids, count);
    r->cb.done = cb;
    return store_submit(s, r);
}

/* --- records --- */

static struct store_request *record_request(enum store_op op, const char *kind, const char *key,
                                            void *arg)
{
    struct store_request *r;

    /* A kind is a name of ours, and one line: backends put a line feed behind it. */
    if (store_check_text(kind) != 0 || strchr(kind, '\n') != NULL)
        return NULL;
    if (key != NULL && store_check_text(key) != 0)
        return NULL;
    r = store_request_new(op, arg);
    r->kind = mem_strdup(kind);
    r->key = mem_strdup(key);
    return r;
}

int store_record_add(struct store *s, const char *kind, const char *key, const char *json,
                     int64_t expires_wall_ms, store_value_cb *cb, void *arg)
{
    struct store_request *r = store_check_json(json) != 0 ? NULL
        : record_request(STORE_OP_RECORD_ADD, kind, key, arg);

    if (r == NULL)
        return ERR_INVALID;
    r->json = mem_strdup(json);
    r->number = expires_wall_ms;
    r->cb.value = cb;
    return store_submit(s, r);
}

int store_record_put(struct store *s, const char *kind, const char *key, const char *json,
                     int64_t expires_wall_ms, store_done_cb *cb, void *arg)
{
    struct store_request *r = store_check_json(json) != 0 ? NULL
        : record_request(STORE_OP_RECORD_PUT, kind, key, arg);

    if (r == NULL)
        return ERR_INVALID;
    r->json = mem_strdup(json);
    r->number = expires_wall_ms;
    r->cb.done = cb;
    return store_submit(s, r);
}

int store_record_get(struct store *s, const char *kind, const char *key, store_value_cb *cb,
                     void *arg)
{
    struct store_request *r = record_request(STORE_OP_RECORD_GET, kind, key, arg);

    if (r == NULL)
        return ERR_INVALID;
    r->cb.value = cb;
    return store_submit(s, r);
}

int store_record_drop(struct store *s, const char *kind, const char *key, store_done_cb *cb,
                      void *arg)
{
    struct store_request *r = record_request(STORE_OP_RECORD_DROP, kind, key, arg);

    if (r == NULL)
        return ERR_INVALID;
    r->cb.done = cb;
    return store_submit(s, r);
}

int store_record_all(struct store *s, const char *kind, store_value_cb *cb, void *arg)
{
    struct store_request *r = record_request(STORE_OP_RECORD_ALL, kind, NULL, arg);

    if (r == NULL)
        return ERR_INVALID;
    r->cb.value = cb;
    return store_submit(s, r);
}

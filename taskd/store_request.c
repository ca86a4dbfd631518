/* store_request.c -- see store_request.h.
 *
 * One struct for every call, with all that any of them asks or is answered: the fields that a
 * call does not use stay empty, and one function frees them all, so no path can forget one.
 * A union for each call would save a kilobyte in flight and cost seventeen ways to leak. */
#include "taskd/store_request.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"

struct store_request *store_request_new(enum store_op op, void *arg)
{
    struct store_request *r = mem_new(struct store_request);

    list_init(&r->node);
    r->op = op;
    r->arg = arg;
    task_init(&r->before);
    task_init(&r->after);
    task_init(&r->task);
    event_init(&r->event);
    buf_init(&r->value, STORE_VALUE_MAX);
    return r;
}

static void forget_answer(struct store_request *r)
{
    task_deinit(&r->task);
    store_page_deinit(&r->page);
    store_timeline_deinit(&r->timeline);
    store_ids_deinit(&r->ids);
    store_seqs_deinit(&r->seqs);
    store_outbox_deinit(&r->outbox);
    store_counts_deinit(&r->counts);
    buf_deinit(&r->value);
    r->count = 0;
}

void store_request_free(struct store_request *r)
{
    forget_answer(r);
    task_deinit(&r->before);
    task_deinit(&r->after);
    event_deinit(&r->event);
    store_ids_deinit(&r->asked);
    free(r->id);
    free(r->org);
    free(r->kind);
    free(r->key);
    free(r->json);
    free((char *)r->query.org);
    free((char *)r->query.sub);
    free((char *)r->query.creator);
    free((char *)r->query.words);
    free((char *)r->query.after_id);
    free(r);
}

void store_request_take_query(struct store_request *r, const struct store_query *q)
{
    r->query = *q;
    r->query.org = mem_strdup(q->org);
    r->query.sub = mem_strdup(q->sub);
    r->query.creator = mem_strdup(q->creator);
    r->query.words = mem_strdup(q->words);
    r->query.after_id = mem_strdup(q->after_id);
}

void store_request_fail(struct store_request *r, int err)
{
    forget_answer(r);
    r->err = err;
}

/* --- on a lane's thread --- */

typedef int run_fn(struct store_request *r, const struct store_ops *ops, struct store_session *s);

#define RUN(name)                                                              \
    static int run_##name(struct store_request *r, const struct store_ops *ops, \
                          struct store_session *s)

#define RECORD(r) (&(struct store_record){ (r)->kind, (r)->key, (r)->json, (r)->number })

RUN(ping)              { (void)r; return ops->ping(s); }
RUN(create)            { return ops->create(s, &r->after, &r->event, &r->task); }
RUN(get)               { return ops->get(s, r->id, &r->task); }
RUN(settle)            { return ops->settle(s, r->id); }
RUN(mark)              { return ops->mark(s, r->id, r->number, r->bucket); }
RUN(unpublished)
{
    return ops->unpublished(s, r->from, r->number, r->limit, &r->outbox);
}

RUN(unpublished_count) { return ops->unpublished_count(s, &r->count); }
RUN(counts)            { return ops->counts(s, r->org, &r->counts); }
RUN(list)              { return ops->list(s, &r->query, &r->page); }
RUN(events)            { return ops->events(s, &r->events, &r->timeline); }
RUN(find)              { return ops->find(s, r->key, &r->task); }
RUN(has_key)           { return ops->has_key(s, r->id, r->key); }
RUN(seqs)              { return ops->seqs(s, &r->asked, &r->seqs); }
RUN(notifications_read) { return ops->notifications_read(s, r->org, &r->asked); }
RUN(record_add)        { return ops->record_add(s, RECORD(r), &r->value); }
RUN(record_put)        { return ops->record_put(s, RECORD(r)); }
RUN(record_get)        { return ops->record_get(s, r->kind, r->key, &r->value); }
RUN(record_drop)       { return ops->record_drop(s, r->kind, r->key); }
RUN(record_all)        { return ops->record_all(s, r->kind, &r->value); }

RUN(apply)
{
    if (r->attempt.err == STORE_IN_DOUBT)
        return ops->apply_again(s, &r->attempt);
    return ops->apply(s, &r->change, &r->task);
}

RUN(notify)
{
    struct store_notice notice = { r->org, r->key, r->json, r->number };

    return ops->notify(s, &notice);
}

/* One more than the page, to know whether there is more. */
RUN(notifications)
{
    struct store_notices_query query = { r->org, r->key, r->number, store_notifications_since(),
                                         r->limit + 1 };

    return ops->notifications(s, &query, &r->ids);
}

void store_request_run(struct store_request *r, const struct store_ops *ops,
                       struct store_session *s)
{
    static run_fn *const RUNS[STORE_OP_COUNT] = {
#define STORE_OP(NAME, name, way) [STORE_OP_##NAME] = run_##name,
#include "taskd/store_ops.def"
#undef STORE_OP
    };

    if (r->id != NULL && !task_id_is_valid(slice_of(r->id)))
        r->err = ERR_NOT_FOUND;                /* what is no id names nothing */
    else
        r->err = RUNS[r->op](r, ops, s);
}

static void run_applies(struct list *requests, size_t count, const struct store_ops *ops,
                        struct store_session *s)
{
    struct store_attempt *attempts = mem_alloc(count * sizeof(*attempts));
    size_t n = 0;

    list_each(node, requests) {
        struct store_request *r = container_of(node, struct store_request, node);

        if (r->op == STORE_OP_APPLY)
            attempts[n++] = r->attempt;
    }
    ops->apply_group(s, attempts, n);
    n = 0;
    list_each(node, requests) {
        struct store_request *r = container_of(node, struct store_request, node);

        if (r->op != STORE_OP_APPLY)
            continue;
        r->attempt = attempts[n++];
        r->err = r->attempt.err;
    }
    free(attempts);
}

static void run_marks(struct list *requests, size_t count, const struct store_ops *ops,
                      struct store_session *s)
{
    struct store_marking *marks = mem_alloc(count * sizeof(*marks));
    size_t n = 0;
    int    err;

    list_each(node, requests) {
        struct store_request *r = container_of(node, struct store_request, node);

        if (r->op == STORE_OP_MARK)
            marks[n++] = (struct store_marking){ r->id, r->number, r->bucket };
    }
    err = ops->mark_group(s, marks, n);
    list_each(node, requests) {
        struct store_request *r = container_of(node, struct store_request, node);

        if (r->op == STORE_OP_MARK)
            r->err = err;
    }
    free(marks);
}

void store_requests_run(struct list *requests, const struct store_ops *ops,
                        struct store_session *s)
{
    size_t applies = 0, marks = 0;

    list_each(node, requests) {
        struct store_request *r = container_of(node, struct store_request, node);

        applies += r->op == STORE_OP_APPLY;
        marks += r->op == STORE_OP_MARK;
    }
    if (applies != 0)
        run_applies(requests, applies, ops, s);
    if (marks != 0)
        run_marks(requests, marks, ops, s);
}

/* --- on the loop --- */

typedef void answer_fn(struct store_request *r);

static void answer_task(struct store_request *r)
{
    r->cb.task(r->err, r->task.id != NULL ? &r->task : NULL, r->arg);
}

static void answer_done(struct store_request *r)
{
    r->cb.done(r->err, r->arg);
}

static void answer_value(struct store_request *r)
{
    bool has_value = r->err == 0 || r->err == ERR_EXISTS;

    r->cb.value(r->err, has_value && r->value.data != NULL ? r->value.data : NULL, r->arg);
}

static void answer_unpublished(struct store_request *r)
{
    r->cb.pending(r->err, r->outbox.tasks, r->outbox.count, r->arg);
}

static void answer_unpublished_count(struct store_request *r)
{
    r->cb.count(r->err, r->count, r->arg);
}

static void answer_seqs(struct store_request *r)
{
    r->cb.seqs(r->err, r->seqs.seqs, r->seqs.count, r->arg);
}

static void answer_notifications(struct store_request *r)
{
    bool has_more = r->ids.count > r->limit;

    r->cb.texts(r->err, (const char *const *)r->ids.ids, has_more ? r->limit : r->ids.count,
                has_more, r->arg);
}

static void answer_settle(struct store_request *r)
{
    r->cb.task(r->err, NULL, r->arg);
}

static void answer_counts(struct store_request *r)
{
    r->cb.counts(r->err, r->err == 0 ? &r->counts : NULL, r->arg);
}

static void answer_list(struct store_request *r)
{
    r->cb.tasks(r->err, r->page.tasks, r->page.count, r->page.has_more, r->arg);
}

static void answer_events(struct store_request *r)
{
    r->cb.events(r->err, r->timeline.events, r->timeline.count, r->arg);
}

#define answer_ping        answer_done
#define answer_create      answer_task
#define answer_get         answer_task
#define answer_apply       answer_task
#define answer_mark        answer_done
#define answer_find        answer_task
#define answer_has_key     answer_done
#define answer_notify      answer_done
#define answer_notifications_read answer_done
#define answer_record_add  answer_value
#define answer_record_put  answer_done
#define answer_record_get  answer_value
#define answer_record_drop answer_done
#define answer_record_all  answer_value

void store_request_answer(struct store_request *r)
{
    static answer_fn *const ANSWERS[STORE_OP_COUNT] = {
#define STORE_OP(NAME, name, way) [STORE_OP_##NAME] = answer_##name,
#include "taskd/store_ops.def"
#undef STORE_OP
    };

    ANSWERS[r->op](r);
}

/* harness.c -- see suite.h: the waiting twins of store.h's calls. */
#include "tests/integration/store/suite.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define PATIENCE_MS 60000                      /* a test that waits longer hangs */

void answer_drop(struct answer *a)
{
    for (size_t i = 0; i < a->count; i++) {
        if (a->tasks != NULL)
            task_deinit(&a->tasks[i]);
        if (a->events != NULL)
            event_deinit(&a->events[i]);
        if (a->ids != NULL)
            free(a->ids[i]);
    }
    task_deinit(&a->task);
    free(a->tasks);
    free(a->events);
    free(a->ids);
    free(a->pending);
    free(a->seqs);
    free(a->counts.people);
    free(a->value);
    *a = (struct answer){ .err = 0 };
    task_init(&a->task);
}

/* --- the loop --- */

static void on_late(uv_timer_t *timer)
{
    bool *is_late = timer->data;

    *is_late = true;
}

static void run_until(struct bench *b, const bool *until, uint64_t ms, bool *out_is_late)
{
    uv_timer_t timer;

    *out_is_late = false;
    assert_int_equal(uv_timer_init(&b->loop, &timer), 0);
    timer.data = out_is_late;
    uv_timer_start(&timer, on_late, ms, 0);
    while (!*until && !*out_is_late)
        uv_run(&b->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&b->loop, UV_RUN_NOWAIT);
}

void bench_run(struct bench *b, const bool *until)
{
    bool is_late;

    run_until(b, until, PATIENCE_MS, &is_late);
    assert_false(is_late);
}

bool bench_wait_state(struct bench *b, bool is_up, unsigned ms)
{
    uint64_t end = uv_hrtime() / 1000000 + ms;
    bool never = false, is_late;

    while (store_is_up(b->store) != is_up && uv_hrtime() / 1000000 < end)
        run_until(b, &never, 10, &is_late);
    return store_is_up(b->store) == is_up;
}

static void on_state(bool is_up, void *arg)
{
    struct bench *b = arg;

    b->ups += is_up;
    b->downs += !is_up;
}

void bench_open(struct bench *b, const char *url, unsigned threads)
{
    struct store_options o = { .url = url, .queue_max = 100000, .threads = threads,
                               .on_state = on_state, .arg = b };
    struct buf why;
    int err;

    *b = (struct bench){ .ups = 0 };
    buf_init(&why, 4096);
    assert_int_equal(uv_loop_init(&b->loop), 0);
    b->metrics = metrics_new();
    err = store_open(&b->loop, &o, b->metrics, &b->store, &why);
    if (err != 0)
        fail_msg("store_open(%s): %s", url, why.data != NULL ? why.data : "");
    buf_deinit(&why);
    assert_true(bench_wait_state(b, true, PATIENCE_MS));
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

void bench_close(struct bench *b)
{
    bool is_closed = false;

    store_close(b->store, on_closed, &is_closed);
    bench_run(b, &is_closed);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    metrics_free(b->metrics);
}

/* --- answers --- */

void on_task(int err, const struct task *t, void *arg)
{
    struct answer *a = arg;

    assert_false(a->is_done);                  /* exactly once */
    a->is_done = true;
    a->err = err;
    a->has_task = t != NULL;
    if (t != NULL)
        task_copy(&a->task, t);
}

void on_done(int err, void *arg)
{
    struct answer *a = arg;

    assert_false(a->is_done);
    a->is_done = true;
    a->err = err;
}

void on_value(int err, const char *json, void *arg)
{
    struct answer *a = arg;

    on_done(err, a);
    a->value = mem_strdup(json);
}

static void on_pending(int err, const struct store_pending *tasks, size_t count, void *arg)
{
    struct answer *a = arg;

    on_done(err, a);
    a->ids = mem_alloc((count + 1) * sizeof(*a->ids));
    a->pending = mem_alloc((count + 1) * sizeof(*tasks));
    if (count > 0)
        memcpy(a->pending, tasks, count * sizeof(*tasks));
    for (a->count = 0; a->count < count; a->count++)
        a->ids[a->count] = mem_strdup(tasks[a->count].id);
}

static void on_count(int err, int64_t n, void *arg)
{
    struct answer *a = arg;

    on_done(err, a);
    a->n = n;
}

static void on_counts(int err, const struct store_counts *c, void *arg)
{
    struct answer *a = arg;

    on_done(err, a);
    if (c == NULL)
        return;
    a->counts = *c;
    a->counts.people = mem_dup(c->people, c->people_count * sizeof(*c->people));
}

static void on_tasks(int err, const struct task *tasks, size_t count, bool has_more, void *arg)
{
    struct answer *a = arg;

    on_done(err, a);
    a->has_more = has_more;
    a->tasks = mem_alloc((count + 1) * sizeof(*a->tasks));
    for (a->count = 0; a->count < count; a->count++)
        task_copy(&a->tasks[a->count], &tasks[a->count]);
}

static void on_events(int err, const struct event *events, size_t count, void *arg)
{
    struct answer *a = arg;

    on_done(err, a);
    a->events = mem_alloc((count + 1) * sizeof(*a->events));
    for (a->count = 0; a->count < count; a->count++)
        event_copy(&a->events[a->count], &events[a->count]);
}

static void on_seqs(int err, const struct store_seq *seqs, size_t count, void *arg)
{
    struct answer *a = arg;

    on_done(err, a);
    a->ids = mem_alloc((count + 1) * sizeof(*a->ids));
    a->seqs = mem_alloc((count + 1) * sizeof(*a->seqs));
    for (a->count = 0; a->count < count; a->count++) {
        a->ids[a->count] = mem_strdup(seqs[a->count].id);
        a->seqs[a->count] = seqs[a->count].published_seq;
    }
}

static void on_texts(int err, const char *const *texts, size_t count, bool has_more, void *arg)
{
    struct answer *a = arg;

    on_done(err, a);
    a->has_more = has_more;
    a->ids = mem_alloc((count + 1) * sizeof(*a->ids));
    for (a->count = 0; a->count < count; a->count++)
        a->ids[a->count] = mem_strdup(texts[a->count]);
}

/* Begin with an empty answer; `call` may refuse at once. */
#define WAIT_FOR(b, a, call)             \
    do {                                 \
        *(a) = (struct answer){ .n = 0 }; \
        task_init(&(a)->task);           \
        (a)->err = (call);               \
        if ((a)->err == 0) {             \
            assert_false((a)->is_done);  \
            bench_run((b), &(a)->is_done); \
        }                                \
    } while (0)

int do_create(struct bench *b, struct answer *a, const struct task *t, const struct event *e)
{
    WAIT_FOR(b, a, store_create(b->store, t, e, on_task, a));
    return a->err;
}

int do_get(struct bench *b, struct answer *a, const char *id)
{
    WAIT_FOR(b, a, store_get(b->store, id, on_task, a));
    return a->err;
}

int do_apply(struct bench *b, struct answer *a, const struct store_change *c)
{
    WAIT_FOR(b, a, store_apply(b->store, c, on_task, a));
    return a->err;
}

int do_settle(struct bench *b, struct answer *a, const struct task *t)
{
    WAIT_FOR(b, a, store_settle(b->store, t, on_task, a));
    return a->err;
}

int do_mark(struct bench *b, const char *id, int64_t seq, enum bucket bucket)
{
    struct answer a;

    WAIT_FOR(b, &a, store_mark(b->store, id, seq, bucket, on_done, &a));
    return a.err;
}

int do_unpublished(struct bench *b, struct answer *a, int64_t from, int64_t before, size_t limit)
{
    WAIT_FOR(b, a, store_unpublished(b->store, from, before, limit, on_pending, a));
    return a->err;
}

int64_t do_unpublished_count(struct bench *b)
{
    struct answer a;

    WAIT_FOR(b, &a, store_unpublished_count(b->store, on_count, &a));
    assert_int_equal(a.err, 0);
    return a.n;
}

int do_counts(struct bench *b, struct answer *a, const char *org)
{
    WAIT_FOR(b, a, store_counts(b->store, org, on_counts, a));
    return a->err;
}

int do_list(struct bench *b, struct answer *a, const struct store_query *q)
{
    WAIT_FOR(b, a, store_list(b->store, q, on_tasks, a));
    return a->err;
}

int do_events(struct bench *b, struct answer *a, const struct store_events_query *q)
{
    WAIT_FOR(b, a, store_events(b->store, q, on_events, a));
    return a->err;
}

int do_seqs(struct bench *b, struct answer *a, const char *const *ids, size_t count)
{
    WAIT_FOR(b, a, store_seqs(b->store, ids, count, on_seqs, a));
    return a->err;
}

int do_notify(struct bench *b, const struct store_notification *n)
{
    struct answer a;

    WAIT_FOR(b, &a, store_notify(b->store, n, on_done, &a));
    return a.err;
}

int do_notifications(struct bench *b, struct answer *a, const struct store_notifications_query *q)
{
    WAIT_FOR(b, a, store_notifications(b->store, q, on_texts, a));
    return a->err;
}

int do_notifications_read(struct bench *b, const char *org, const char *sub,
                          const char *const *ids, size_t count)
{
    struct answer a;

    WAIT_FOR(b, &a, store_notifications_read(b->store, org, sub, ids, count, on_done, &a));
    return a.err;
}

int do_has_key(struct bench *b, const char *id, const char *key)
{
    struct answer a;

    WAIT_FOR(b, &a, store_has_key(b->store, id, key, on_done, &a));
    return a.err;
}

int do_record_add(struct bench *b, struct answer *a, const char *kind, const char *key,
                  const char *json, int64_t expires)
{
    WAIT_FOR(b, a, store_record_add(b->store, kind, key, json, expires, on_value, a));
    return a->err;
}

int do_record_put(struct bench *b, const char *kind, const char *key, const char *json,
                  int64_t expires)
{
    struct answer a;

    WAIT_FOR(b, &a, store_record_put(b->store, kind, key, json, expires, on_done, &a));
    return a.err;
}

int do_record_get(struct bench *b, struct answer *a, const char *kind, const char *key)
{
    WAIT_FOR(b, a, store_record_get(b->store, kind, key, on_value, a));
    return a->err;
}

int do_record_drop(struct bench *b, const char *kind, const char *key)
{
    struct answer a;

    WAIT_FOR(b, &a, store_record_drop(b->store, kind, key, on_done, &a));
    return a.err;
}

int do_record_all(struct bench *b, struct answer *a, const char *kind)
{
    WAIT_FOR(b, a, store_record_all(b->store, kind, on_value, a));
    return a->err;
}

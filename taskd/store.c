/* store.c -- the door to the database: from the loop to a lane's thread, and back.
 *
 * Every call becomes a request (store_request.h), waits in a lane, runs there, joins the list
 * of what is done, and is answered and freed in on_wake(), its only exit. A backend with one
 * writer (SQLite) gets a lane for it, whose thread commits all that gathered meanwhile as one
 * group, and lanes of readers beside it. Any other (MongoDB) gets a lane of workers, and beside
 * them one thread for changes and marks, which makes all that gathered meanwhile with one
 * command; what did not simply pass goes to the workers, so that it holds nobody up.
 *
 * When the database does not answer, whoever noticed says so, and from then on every call is
 * refused at once, also those already queued: a request that waits for a time-out helps
 * nobody, and forty of them would hold all workers long after the database is back. One
 * prober asks every quarter second, and opens the door again. (Rejected: a circuit breaker
 * that lets every n-th caller try: a person's request should not be the probe.) */
#include "taskd/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "taskd/store_lane.h"
#include "taskd/store_request.h"

#define PROBE_DOWN_MS   250                    /* how soon a store that is back is noticed */
#define PROBE_UP_MS     1000                   /* it is looked at every second (SPEC R) */
#define GROUP_MAX       256                    /* writes in one commit: some 10 ms of work */
#define QUEUE_MAX       1024
#define THREADS         8
#define THREADS_MAX     64

struct store {
    struct store_host       host;              /* what the backend may call; any thread */
    uv_loop_t              *loop;
    uv_thread_t             thread;            /* the loop's */
    const struct store_ops *ops;
    struct store_backend   *backend;
    struct store_session   *writer;            /* the one writer's, or the prober's */
    struct store_session   *grouper;           /* NULL where there is one writer */
    struct store_session  **sessions;          /* of the workers or readers */
    unsigned                threads;
    struct lane            *write;             /* the one writer's, or the workers' */
    struct lane            *group;             /* the one writer's, or the grouper's */
    struct lane            *read;              /* the readers', or the workers' */
    struct lane            *probe;             /* the one writer's, or the prober's own */
    uv_async_t              wake;
    uv_timer_t              probe_timer;
    unsigned                handles_open;
    uv_mutex_t              done_mutex;
    struct list             done;              /* requests to answer; guarded by done_mutex */
    atomic_bool             is_up;
    bool                    is_up_told;        /* what on_state heard last */
    bool                    is_probing;
    bool                    is_closing;
    size_t                  requests;          /* on their way */
    void                  (*on_state)(bool is_up, void *arg);
    void                   *state_arg;
    void                  (*on_closed)(void *arg);
    void                   *closed_arg;
    struct metric          *seconds[STORE_OP_COUNT];
    struct metric          *errors[STORE_OP_COUNT];
    struct metric          *refused;
    struct metric          *depth;
    struct metric          *up;
};

enum way { WAY_READ, WAY_WRITE };

static const struct op_spec {
    const char *labels;
    enum way    way;
} OPS[STORE_OP_COUNT] = {
#define STORE_OP(NAME, name, way) [STORE_OP_##NAME] = { "operation=\"" #name "\"", WAY_##way },
#include "taskd/store_ops.def"
#undef STORE_OP
};

static void on_wake(uv_async_t *handle);
static void on_probe_timer(uv_timer_t *timer);

/* --- on the lanes' threads --- */

static void on_failure(struct store_host *h)
{
    struct store *s = container_of(h, struct store, host);

    atomic_store(&s->is_up, false);
    uv_async_send(&s->wake);
}

/* The list is sent home in one go: one lock, one wake-up. */
static void pass_back(struct store *s, struct list *jobs)
{
    uv_mutex_lock(&s->done_mutex);
    list_splice(&s->done, jobs);
    uv_mutex_unlock(&s->done_mutex);
    uv_async_send(&s->wake);
}

static bool may_run(const struct store *s, const struct store_request *r)
{
    return r->op == STORE_OP_PING || atomic_load(&s->is_up);
}

/* A worker, or a reader: each request alone. */
static void work_each(struct list *jobs, unsigned thread, void *arg)
{
    struct store *s = arg;

    list_each(node, jobs) {
        struct store_request *r = container_of(node, struct store_request, node);

        if (!may_run(s, r)) {
            r->err = ERR_STORE;
            continue;
        }
        store_request_run(r, s->ops, s->sessions[thread]);
        if (r->err == ERR_STORE)
            on_failure(&s->host);
    }
    pass_back(s, jobs);
}

static void work_probe(struct list *jobs, unsigned thread, void *arg)
{
    struct store *s = arg;

    (void)thread;
    list_each(node, jobs)
        store_request_run(container_of(node, struct store_request, node), s->ops, s->writer);
    pass_back(s, jobs);
}

/* The grouper: all of them together. What is in doubt becomes a worker's. */
static void work_together(struct list *jobs, unsigned thread, void *arg)
{
    struct store *s = arg;
    struct list   refused = LIST_INIT(refused);

    (void)thread;
    list_each_safe(node, jobs) {
        struct store_request *r = container_of(node, struct store_request, node);

        r->err = !task_id_is_valid(slice_of(r->id)) ? ERR_NOT_FOUND
            : !may_run(s, r) ? ERR_STORE : 0;
        if (r->err == 0)
            continue;
        list_remove(node);
        list_append(&refused, node);
    }
    store_requests_run(jobs, s->ops, s->grouper);
    list_each_safe(node, jobs) {
        struct store_request *r = container_of(node, struct store_request, node);

        if (r->err == ERR_STORE)
            on_failure(&s->host);
        if (r->err != STORE_IN_DOUBT)
            continue;
        list_remove(node);
        if (lane_push(s->read, node) == 0)
            continue;
        r->err = ERR_STORE;                    /* too many wait: repeating it is safe */
        list_append(&refused, node);
    }
    list_splice(&refused, jobs);
    pass_back(s, &refused);
}

static bool has_failed(const struct store_request *r)
{
    return r->err == ERR_STORE || r->err == ERR_CORRUPT;
}

/* Run the jobs from `first` up to `end` in one transaction. On false none of them happened. */
static bool commit_group(struct store *s, struct list *first, const struct list *end)
{
    if (s->ops->begin(s->writer) != 0)
        return false;
    for (struct list *node = first; node != end; node = node->next) {
        struct store_request *r = container_of(node, struct store_request, node);

        store_request_run(r, s->ops, s->writer);
        if (has_failed(r)) {
            s->ops->rollback(s->writer);
            return false;
        }
    }
    if (s->ops->commit(s->writer) == 0)
        return true;
    s->ops->rollback(s->writer);
    return false;
}

/* A job that did not pass, alone in its transaction: it failed, or the commit did. */
static void fail_alone(struct store *s, struct store_request *r)
{
    store_request_fail(r, r->err == ERR_CORRUPT ? ERR_CORRUPT : ERR_STORE);
    if (r->err == ERR_STORE && r->op != STORE_OP_PING)
        on_failure(&s->host);
}

/* The one writer: all of them together; where that fails, each alone, so that one request that
 * cannot be stored takes no other with it. */
static void work_group(struct list *jobs, unsigned thread, void *arg)
{
    struct store *s = arg;
    bool is_one = jobs->next->next == jobs;

    (void)thread;
    if (!is_one && atomic_load(&s->is_up) && commit_group(s, jobs->next, jobs)) {
        pass_back(s, jobs);
        return;
    }
    list_each(node, jobs) {
        struct store_request *r = container_of(node, struct store_request, node);

        store_request_fail(r, 0);
        if (!may_run(s, r))
            r->err = ERR_STORE;
        else if (!commit_group(s, node, node->next))
            fail_alone(s, r);
    }
    pass_back(s, jobs);
}

/* --- on the loop: up and down --- */

static void tell_state(struct store *s, bool is_up)
{
    if (s->is_up_told == is_up || s->is_closing)
        return;
    s->is_up_told = is_up;
    metric_set(s->up, is_up ? 1 : 0);
    if (is_up)
        log_info("store-up", LOG_NUM("requests", s->requests));
    else
        log_warn("store-down", LOG_NUM("requests", s->requests));
    uv_timer_start(&s->probe_timer, on_probe_timer, is_up ? PROBE_UP_MS : 0,
                   is_up ? PROBE_UP_MS : PROBE_DOWN_MS);
    if (s->on_state != NULL)
        s->on_state(is_up, s->state_arg);
}

static void on_pinged(int err, void *arg)
{
    struct store *s = arg;

    s->is_probing = false;
    atomic_store(&s->is_up, err == 0);
    tell_state(s, err == 0);
}

static void on_probe_timer(uv_timer_t *timer)
{
    struct store *s = timer->data;
    struct store_request *r;

    /* One writer's probe is a write to disk; while writes succeed there is nothing to ask. */
    if (s->is_probing || (s->ops->has_one_writer && s->is_up_told))
        return;
    r = store_request_new(STORE_OP_PING, s);
    r->cb.done = on_pinged;
    s->is_probing = store_submit(s, r) == 0;
}

/* --- on the loop: a request's way --- */

static void assert_loop(const struct store *s)
{
    uv_thread_t self = uv_thread_self();

    assert(uv_thread_equal(&self, &s->thread));
}

int store_submit(struct store *s, struct store_request *r)
{
    struct lane *lane = r->op == STORE_OP_PING ? s->probe
        : r->op == STORE_OP_APPLY || r->op == STORE_OP_MARK ? s->group
        : OPS[r->op].way == WAY_WRITE ? s->write : s->read;
    int err;

    assert_loop(s);
    r->since_ns = uv_hrtime();
    if (s->is_closing || (r->op != STORE_OP_PING && !s->is_up_told))
        err = ERR_STORE;
    else
        err = lane_push(lane, &r->node);
    if (err != 0) {
        metric_inc(s->refused);
        store_request_free(r);
        return err;
    }
    s->requests++;
    metric_set(s->depth, (double)s->requests);
    return 0;
}

/* The one exit of every request. */
static void finish(struct store *s, struct store_request *r)
{
    s->requests--;
    metric_set(s->depth, (double)s->requests);
    metric_observe(s->seconds[r->op], (double)(uv_hrtime() - r->since_ns) / 1e9);
    if (r->err == ERR_STORE || r->err == ERR_CORRUPT)
        metric_inc(s->errors[r->op]);
    if (r->err == ERR_CORRUPT)
        log_error("store-corrupt", LOG_TEXT("operation", OPS[r->op].labels),
                  LOG_TEXT("task", r->id));
    store_request_answer(r);
    store_request_free(r);
}

/* --- the end --- */

static void store_free(struct store *s)
{
    void (*cb)(void *arg) = s->on_closed;
    void  *arg = s->closed_arg;

    uv_mutex_destroy(&s->done_mutex);
    free(s->sessions);
    free(s);
    if (cb != NULL)
        cb(arg);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct store *s = handle->data;

    if (--s->handles_open == 0)
        store_free(s);
}

static void close_handles(struct store *s)
{
    s->handles_open = 2;
    uv_close((uv_handle_t *)&s->wake, on_handle_closed);
    uv_close((uv_handle_t *)&s->probe_timer, on_handle_closed);
}

static void close_sessions(struct store *s)
{
    for (unsigned i = 0; i < s->threads; i++)
        if (s->sessions[i] != NULL)
            s->ops->session_close(s->sessions[i]);
    if (s->writer != NULL)
        s->ops->session_close(s->writer);
    if (s->grouper != NULL)
        s->ops->session_close(s->grouper);
    s->ops->close(s->backend);
}

/* Nothing is queued and nobody works: the threads end at once. */
static void shut_down(struct store *s)
{
    struct lane *extra = s->ops->has_one_writer ? s->write : s->probe;

    lane_close(s->read);
    lane_close(extra);
    if (s->grouper != NULL)
        lane_close(s->group);
    lane_free(s->read);
    lane_free(extra);
    if (s->grouper != NULL)
        lane_free(s->group);
    close_sessions(s);
    close_handles(s);
}

static void on_wake(uv_async_t *handle)
{
    struct store *s = handle->data;
    struct list done = LIST_INIT(done), *node;

    uv_mutex_lock(&s->done_mutex);
    list_splice(&done, &s->done);
    uv_mutex_unlock(&s->done_mutex);
    if (!atomic_load(&s->is_up))
        tell_state(s, false);                  /* first: who is answered may call again */
    while ((node = list_take_first(&done)) != NULL)
        finish(s, container_of(node, struct store_request, node));
    if (s->is_closing && s->requests == 0 && !uv_is_closing((uv_handle_t *)&s->wake))
        shut_down(s);
}

void store_close(struct store *s, void (*cb)(void *arg), void *arg)
{
    assert_loop(s);
    if (s->is_closing)
        return;                                /* closing twice is fine, and means once */
    s->is_closing = true;
    s->on_closed = cb;
    s->closed_arg = arg;
    atomic_store(&s->host.is_closing, true);
    uv_timer_stop(&s->probe_timer);
    uv_async_send(&s->wake);
}

/* --- the beginning --- */

static const struct store_ops *ops_of_url(const char *url)
{
    if (strncmp(url, "sqlite:", 7) == 0)
        return &store_sqlite_ops;
    if (strncmp(url, "mongodb:", 8) == 0 || strncmp(url, "mongodb+srv:", 12) == 0)
        return &store_mongo_ops;
    return NULL;
}

static void make_metrics(struct store *s, struct metrics *m)
{
    for (int i = 0; i < STORE_OP_COUNT; i++) {
        s->seconds[i] = metrics_histogram(m, "taskwire_store_seconds", OPS[i].labels,
                                          "Time from a call of the store to its answer");
        s->errors[i] = metrics_counter(m, "taskwire_store_errors_total", OPS[i].labels,
                                       "Calls that the database did not answer as it must");
    }
    s->refused = metrics_counter(m, "taskwire_store_refused_total", NULL,
                                 "Calls refused because the queue was full or the store away");
    s->depth = metrics_gauge(m, "taskwire_store_requests", NULL,
                             "Calls waiting or at work in the store");
    s->up = metrics_gauge(m, "taskwire_store_up", NULL, "1 while the database answers");
    metric_set(s->up, s->is_up_told ? 1 : 0);
}

static int open_sessions(struct store *s)
{
    int err = s->ops->session_open(s->backend, true, &s->writer);

    if (err == 0 && !s->ops->has_one_writer)
        err = s->ops->session_open(s->backend, true, &s->grouper);
    for (unsigned i = 0; err == 0 && i < s->threads; i++)
        err = s->ops->session_open(s->backend, false, &s->sessions[i]);
    return err;
}

static void start_lanes(struct store *s, size_t queue_max)
{
    struct lane_options many = { s->threads, queue_max, 1, work_each, s };
    struct lane_options one = { 1, queue_max, GROUP_MAX, work_group, s };

    s->read = lane_new(&many);
    if (s->ops->has_one_writer) {
        s->write = s->group = s->probe = lane_new(&one);
        return;
    }
    s->write = s->read;
    one.work = work_together;
    s->group = lane_new(&one);
    one.work = work_probe;
    s->probe = lane_new(&one);
}

int store_open(uv_loop_t *loop, const struct store_options *o, struct metrics *m,
               struct store **out, struct buf *why)
{
    const struct store_ops *ops = ops_of_url(o->url);
    struct store *s;
    int err;

    if (ops == NULL) {
        buf_append_text(why, "a store's URL begins with sqlite: or mongodb:");
        return ERR_INVALID;
    }
    s = mem_new(struct store);
    s->loop = loop;
    s->thread = uv_thread_self();
    s->ops = ops;
    s->host.on_failure = on_failure;
    s->threads = o->threads == 0 ? THREADS : o->threads > THREADS_MAX ? THREADS_MAX : o->threads;
    s->sessions = mem_alloc(s->threads * sizeof(struct store_session *));
    s->on_state = o->on_state;
    s->state_arg = o->arg;
    list_init(&s->done);
    err = ops->open(o->url, &s->host, &s->backend, why);
    if (err != 0)
        goto no_backend;
    err = open_sessions(s);
    if (err != 0) {
        buf_printf(why, "the store cannot be used: %s", err_text(err));
        goto no_sessions;
    }
    /* These fail where the machine is out of descriptors or memory, before anything ran. */
    if (uv_mutex_init(&s->done_mutex) != 0 || uv_async_init(loop, &s->wake, on_wake) != 0
        || uv_timer_init(loop, &s->probe_timer) != 0)
        abort();
    s->wake.data = s->probe_timer.data = s;
    s->is_up_told = ops->has_one_writer;       /* an open file; a server has yet to answer */
    atomic_store(&s->is_up, s->is_up_told);
    make_metrics(s, m);
    start_lanes(s, o->queue_max == 0 ? QUEUE_MAX : o->queue_max);
    uv_timer_start(&s->probe_timer, on_probe_timer, 0, PROBE_DOWN_MS);
    *out = s;
    return 0;
no_sessions:
    close_sessions(s);
no_backend:
    free(s->sessions);
    free(s);
    return err;
}

bool store_is_up(const struct store *s)
{
    return s->is_up_told && atomic_load(&s->is_up);
}

bool store_is_exclusive(const struct store *s)
{
    return s->ops->has_one_writer;
}

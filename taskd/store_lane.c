/* store_lane.c -- see store_lane.h.
 *
 * libuv's own pool was rejected: DNS and files share it, it knows no ceiling and keeps no
 * order, and a database that hangs would hold all of it. After redis's bio.c: a list, a
 * mutex, a condition. Whoever takes jobs takes what is there, up to batch_max, and waits for no
 * more: while one commit is under way the next group gathers by itself, and an idle store
 * answers a single write at once. */
#include "taskd/store_lane.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>

#include "common/err.h"
#include "common/mem.h"

struct lane_thread {
    struct lane *lane;
    unsigned     number;
    uv_thread_t  id;
};

struct lane {
    struct lane_options o;
    uv_mutex_t          mutex;                 /* guards what follows */
    uv_cond_t           wake;
    struct list         waiting;
    size_t              depth;
    bool                is_closing;
    struct lane_thread *threads;
};

/* Take up to batch_max jobs; false where there are none and there will be none. */
static bool take_jobs(struct lane *l, struct list *jobs)
{
    uv_mutex_lock(&l->mutex);
    while (list_is_empty(&l->waiting) && !l->is_closing)
        uv_cond_wait(&l->wake, &l->mutex);
    for (size_t n = 0; n < l->o.batch_max; n++) {
        struct list *job = list_take_first(&l->waiting);

        if (job == NULL)
            break;
        list_append(jobs, job);
        l->depth--;
    }
    uv_mutex_unlock(&l->mutex);
    return !list_is_empty(jobs);
}

static void on_thread(void *arg)
{
    struct lane_thread *t = arg;
    struct list jobs = LIST_INIT(jobs);

    while (take_jobs(t->lane, &jobs)) {
        t->lane->o.work(&jobs, t->number, t->lane->o.arg);
        list_init(&jobs);
    }
}

struct lane *lane_new(const struct lane_options *o)
{
    struct lane *l = mem_new(struct lane);

    assert(o->threads > 0 && o->batch_max > 0);
    l->o = *o;
    list_init(&l->waiting);
    if (uv_mutex_init(&l->mutex) != 0 || uv_cond_init(&l->wake) != 0)
        abort();
    l->threads = mem_alloc(o->threads * sizeof(*l->threads));
    for (unsigned i = 0; i < o->threads; i++) {
        l->threads[i] = (struct lane_thread){ .lane = l, .number = i };
        if (uv_thread_create(&l->threads[i].id, on_thread, &l->threads[i]) != 0)
            abort();
    }
    return l;
}

int lane_push(struct lane *l, struct list *job)
{
    int err = 0;

    uv_mutex_lock(&l->mutex);
    assert(!l->is_closing);
    if (l->depth >= l->o.queue_max) {
        err = ERR_BUSY;
    } else {
        list_append(&l->waiting, job);
        l->depth++;
        uv_cond_signal(&l->wake);
    }
    uv_mutex_unlock(&l->mutex);
    return err;
}

void lane_close(struct lane *l)
{
    uv_mutex_lock(&l->mutex);
    l->is_closing = true;
    uv_cond_broadcast(&l->wake);
    uv_mutex_unlock(&l->mutex);
}

void lane_free(struct lane *l)
{
    assert(l->is_closing);
    for (unsigned i = 0; i < l->o.threads; i++)
        uv_thread_join(&l->threads[i].id);
    assert(list_is_empty(&l->waiting));
    uv_cond_destroy(&l->wake);
    uv_mutex_destroy(&l->mutex);
    free(l->threads);
    free(l);
}

/* loop.c -- libuv's timers and our clocks, over virtual time; and what the services write
 * down about themselves, which nobody reads here.
 *
 * The services' code is linked as it is and calls uv_timer_start(); these definitions stand
 * in front of libuv's. Of an uv_timer_t only what libuv documents is touched, and the one
 * pointer in its private union: our timer. A dead node's timers never fire, but its close
 * callbacks do run, since they are what gives its memory back.
 *
 * A line logged as an error means that a human has to act: here that is a failed history. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "tests/sim/sim.h"

#define WALL_BASE_US INT64_C(1763700000000000)

/* --- nodes --- */

struct timer {
    struct list       in_node;
    uv_timer_t       *handle;
    struct node      *node;
    uv_timer_cb       cb;
    uint64_t          repeat_us;
    struct happening *due;
};

struct goodbye {
    struct list       in_node;
    struct node      *node;
    struct happening *due;
    void            (*fn)(void *arg);
    void             *arg;
};

struct node *node_of(const uv_loop_t *loop)
{
    return loop->data;
}

void node_init(struct node *n, const char *name, int64_t wall_skew_us)
{
    memset(n, 0, sizeof(*n));
    n->loop.data = n;
    snprintf(n->name, sizeof(n->name), "%s", name);
    n->wall_skew_us = wall_skew_us;
    list_init(&n->timers);
    list_init(&n->goodbyes);
}

static void goodbye_say(void *arg)
{
    struct goodbye *g = arg;
    void          (*fn)(void *) = g->fn;
    void           *fn_arg = g->arg;

    list_remove(&g->in_node);
    free(g);
    fn(fn_arg);
}

void node_goodbye(struct node *n, void (*fn)(void *), void *arg)
{
    struct goodbye *g = mem_new(struct goodbye);

    *g = (struct goodbye){ .node = n, .fn = fn, .arg = arg };
    list_append(&n->goodbyes, &g->in_node);
    if (!n->is_dead)
        g->due = sim_after(0, n, goodbye_say, g);
}

void node_kill(struct node *n)
{
    n->is_dead = true;
    list_each(at, &n->timers) {
        struct timer *t = container_of(at, struct timer, in_node);

        sim_cancel(t->due);
        t->due = NULL;
    }
    list_each(at, &n->goodbyes) {
        struct goodbye *g = container_of(at, struct goodbye, in_node);

        sim_cancel(g->due);
        g->due = NULL;
    }
}

void node_drain(struct node *n)
{
    struct node *outer = sim.node;

    assert(n->is_dead);
    sim.node = n;
    while (!list_is_empty(&n->goodbyes))
        goodbye_say(container_of(n->goodbyes.next, struct goodbye, in_node));
    sim.node = outer;
}

/* --- libuv's timers --- */

static struct timer *timer_of(const uv_handle_t *h)
{
    return h->u.reserved[0];
}

uint64_t uv_now(const uv_loop_t *loop)
{
    (void)loop;
    return sim.now_us / MS;
}

uint64_t uv_hrtime(void)
{
    return sim.now_us * 1000;
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *handle)
{
    struct timer *t = mem_new(struct timer);

    t->handle = handle;
    t->node = node_of(loop);
    list_append(&t->node->timers, &t->in_node);
    handle->loop = loop;
    handle->type = UV_TIMER;
    handle->u.reserved[0] = t;
    return 0;
}

static void on_due(void *arg)
{
    struct timer *t = arg;

    t->due = t->repeat_us > 0 ? sim_after(t->repeat_us, t->node, on_due, t) : NULL;
    t->cb(t->handle);
}

int uv_timer_start(uv_timer_t *handle, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
    struct timer *t = timer_of((uv_handle_t *)handle);

    if (t == NULL)
        return UV_EINVAL;
    sim_cancel(t->due);
    t->due = NULL;
    t->cb = cb;
    t->repeat_us = repeat * MS;
    if (!t->node->is_dead)
        t->due = sim_after(timeout * MS, t->node, on_due, t);
    return 0;
}

int uv_timer_stop(uv_timer_t *handle)
{
    struct timer *t = timer_of((uv_handle_t *)handle);

    if (t != NULL) {
        sim_cancel(t->due);
        t->due = NULL;
    }
    return 0;
}

int uv_is_active(const uv_handle_t *handle)
{
    const struct timer *t = timer_of(handle);

    return t != NULL && t->due != NULL;
}

struct closing {
    uv_handle_t *handle;
    uv_close_cb  cb;
};

static void on_closed(void *arg)
{
    struct closing c = *(struct closing *)arg;

    free(arg);
    c.cb(c.handle);
}

void uv_close(uv_handle_t *handle, uv_close_cb cb)
{
    struct timer   *t = timer_of(handle);
    struct node    *n = node_of(handle->loop);
    struct closing *c;

    assert(t != NULL);
    sim_cancel(t->due);
    list_remove(&t->in_node);
    free(t);
    handle->u.reserved[0] = NULL;
    if (cb == NULL)
        return;
    c = mem_new(struct closing);
    *c = (struct closing){ handle, cb };
    node_goodbye(n, on_closed, c);
}

/* --- clocks and chance: every call of these is turned here by the linker (--wrap) --- */

int64_t __wrap_clock_wall_us(void);
int64_t __wrap_clock_wall_ms(void);
void    __wrap_crypto_random(void *out, size_t len);

int64_t __wrap_clock_wall_us(void)
{
    return WALL_BASE_US + (int64_t)sim.now_us + (sim.node != NULL ? sim.node->wall_skew_us : 0);
}

int64_t __wrap_clock_wall_ms(void)
{
    return __wrap_clock_wall_us() / 1000;
}

void __wrap_crypto_random(void *out, size_t len)
{
    unsigned char *bytes = out;

    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)sim_dice(256);
}

/* --- logs and metrics --- */

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    char text[160];
    int  len = 0;

    if (level < LOG_LEVEL_ERROR && !sim.is_tracing)
        return;
    text[0] = '\0';
    for (; fields->key != NULL && len < (int)sizeof(text) - 1; fields++) {
        if (fields->kind == LOG_FIELD_NUM)
            len += snprintf(text + len, sizeof(text) - (size_t)len, " %s=%lld", fields->key,
                            (long long)fields->num);
        else
            len += snprintf(text + len, sizeof(text) - (size_t)len, " %s=%.*s", fields->key,
                            SLICE_ARG(fields->text));
    }
    if (level >= LOG_LEVEL_ERROR)
        sim_fail("nothing is logged as an error", "%s%s", event, text);
    sim_trace("%s logs %s%s", sim.node != NULL ? sim.node->name : "?", event, text);
}

struct metric {
    double value;
};

static struct metric nobody_reads;

struct metric *metrics_counter(struct metrics *m, const char *name, const char *labels,
                               const char *help)
{
    (void)m;
    (void)name;
    (void)labels;
    (void)help;
    return &nobody_reads;
}

struct metric *metrics_gauge(struct metrics *m, const char *name, const char *labels,
                             const char *help)
{
    return metrics_counter(m, name, labels, help);
}

struct metric *metrics_histogram(struct metrics *m, const char *name, const char *labels,
                                 const char *help)
{
    return metrics_counter(m, name, labels, help);
}

void metrics_read(struct metrics *m, const char *name, const char *labels, const char *help,
                  metric_read_cb *cb, void *arg)
{
    (void)m;
    (void)name;
    (void)labels;
    (void)help;
    (void)cb;
    (void)arg;
}

void metric_add(struct metric *m, double n)
{
    (void)m;
    (void)n;
}

void metric_observe(struct metric *m, double seconds)
{
    (void)m;
    (void)seconds;
}

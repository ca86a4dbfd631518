/* sio_mode.c -- starts and ends a Socket.IO server with its namespaces, and lets things
 * happen a little later. */
#include "tests/conformance/echo/sio_mode.h"

#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"

struct delay {
    uv_timer_t       timer;
    struct list      node;
    struct sio_mode *mode;
    sio_mode_fn     *fn, *drop;
    void            *arg;
};

static const char *ANY_ORIGIN[] = { "*", NULL };

void sio_mode_options(struct sio_options *out, bool is_fast, bool has_cors)
{
    *out = SIO_DEFAULTS;
    out->rooms_per_socket_max = 0;
    if (has_cors)
        out->eio.cors_origins = ANY_ORIGIN;
    if (is_fast) {
        out->eio.ping_interval_ms = 300;
        out->eio.ping_timeout_ms = 200;
        out->connect_timeout_ms = 1000;
    }
}

struct sio_mode *sio_mode_new(struct echo *e, const struct sio_options *options)
{
    struct sio_mode *m = mem_new(struct sio_mode);

    m->echo = e;
    m->server = sio_server_new(e->net, options, NULL);
    list_init(&m->delays);
    return m;
}

struct talker *sio_mode_namespace(struct sio_mode *m, const char *name,
                                  const struct sio_namespace_handlers *handlers, bool has_recovery)
{
    struct talker *t = &m->talkers[m->talker_count++];

    assert(m->talker_count <= SIO_MODE_NAMESPACES_MAX);
    t->mode = m;
    t->ns = sio_namespace_new(m->server, name, handlers, t);
    if (has_recovery)
        t->recovery = recovery_memory_new(m->echo->net, t->ns, &RECOVERY_MEMORY_DEFAULTS);
    return t;
}

void sio_mode_on_request(struct echo *e, struct http_request *r)
{
    struct sio_mode *m = e->state;

    if (!sio_server_handle(m->server, r))
        echo_not_found(r);
}

void sio_mode_on_head(struct echo *e, struct http_request *r)
{
    struct sio_mode *m = e->state;

    sio_server_head(m->server, r);
}

/* --- delays --- */

static void on_timer_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct delay, timer));
}

static void on_timer(uv_timer_t *timer)
{
    struct delay *d = container_of(timer, struct delay, timer);

    d->fn(d->mode, d->arg);
    sio_mode_forget(d);
}

struct delay *sio_mode_later(struct sio_mode *m, uint64_t ms, sio_mode_fn *fn, sio_mode_fn *drop,
                             void *arg)
{
    struct delay *d = mem_new(struct delay);

    d->mode = m;
    d->fn = fn;
    d->drop = drop;
    d->arg = arg;
    list_append(&m->delays, &d->node);
    uv_timer_init(m->echo->loop, &d->timer);
    uv_timer_start(&d->timer, on_timer, ms, 0);
    return d;
}

void sio_mode_forget(struct delay *d)
{
    list_remove(&d->node);
    uv_close((uv_handle_t *)&d->timer, on_timer_closed);
}

/* --- the end --- */

static void on_server_closed(void *arg)
{
    free(arg);
}

/* The log holds messages of the namespace, so it goes before the server. Sockets that end
 * now are not remembered any more. */
static void free_recovery(struct sio_mode *m)
{
    for (size_t i = 0; i < m->talker_count; i++) {
        if (m->talkers[i].recovery != NULL)
            recovery_memory_free(m->talkers[i].recovery);
        m->talkers[i].recovery = NULL;
    }
}

void sio_mode_stop(struct echo *e)
{
    struct sio_mode *m = e->state;

    m->is_closing = true;
    while (!list_is_empty(&m->delays)) {
        struct delay *d = container_of(m->delays.next, struct delay, node);

        d->drop(m, d->arg);
        sio_mode_forget(d);
    }
    free_recovery(m);
    sio_server_close(m->server, on_server_closed, m);
}

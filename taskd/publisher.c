/* publisher.c -- what goes where, and when.
 *
 * An org lives on one of the Redis servers (common/redis_shard.h), and each server has a
 * publisher of its own here, a shard: its outbox, its orgs, its questions. They share the loop's
 * timers and the store, and nothing that one could keep from another. One outbox for all was
 * rejected: what waits for a server that is away would fill it, and every task would have to be
 * asked whose it is before it is known.
 *
 * Nothing is done inside a caller's call: a kick or a question wakes a timer of zero, so that
 * all of one turn's transitions go to Redis together, in one write. */
#include "taskd/publisher_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "common/err.h"
#include "common/mem.h"

#define SWEEP_MS     1000
#define SWEEP_AGE_MS 2000
#define SWEEP_LIMIT  2048

/* All shards of a publisher. */
#define each_shard(p, sh) \
    for (struct shard *sh = (p)->shards; sh < (p)->shards + (p)->servers->count; sh++)

struct shard *shard_of(struct publisher *p, const char *org)
{
    return &p->shards[redis_servers_of(p->servers, slice_of(org))];
}

void publisher_kick(struct publisher *p, const struct task *t)
{
    shard_kick(shard_of(p, t->org), t);
}

void publisher_on_marked(struct publisher *p, publisher_marked_cb *cb, void *arg)
{
    p->on_marked = cb;
    p->marked_arg = arg;
}

void publisher_marked(struct publisher *p, const char *id, int64_t seq, enum bucket bucket)
{
    if (p->on_marked != NULL && !p->is_closing)
        p->on_marked(id, seq, bucket, p->marked_arg);
}

/* --- the turn --- */

static bool wants_time(struct publisher *p)
{
    each_shard (p, sh) {
        if (outbox_has_late(sh->outbox) || !list_is_empty(&sh->asks) ||
            !list_is_empty(&sh->awaiting))
            return true;
    }
    return false;
}

static void on_tick(uv_timer_t *timer)
{
    struct publisher *p = timer->data;

    each_shard (p, sh) {
        outbox_tick(sh->outbox, uv_now(p->loop));
        asks_tick(sh);
        orgs_tick(sh);
        shard_drain(sh);
    }
    if (!wants_time(p))
        uv_timer_stop(timer);
}

static void on_wake(uv_timer_t *timer)
{
    struct publisher *p = timer->data;

    each_shard (p, sh)
        shard_drain(sh);
    if (!uv_is_active((uv_handle_t *)&p->tick) && wants_time(p))
        uv_timer_start(&p->tick, on_tick, PUBLISHER_TICK_MS, PUBLISHER_TICK_MS);
}

void publisher_wake(struct publisher *p)
{
    if (!p->is_closing)
        uv_timer_start(&p->wake, on_wake, 0, 0);
}

/* --- the sweep: what a crash left behind, or what did not fit into memory --- */

static bool has_room(const struct shard *sh)
{
    return redis_is_up(sh->redis) && outbox_tasks(sh->outbox) <= OUTBOX_TASKS_MAX / 2;
}

static void on_unpublished(int err, const struct store_pending *tasks, size_t count, void *arg)
{
    struct publisher *p = arg;
    int64_t           from = p->swept_to;

    p->is_sweeping = false;
    p->swept_to = 0;
    if (err == 0 && !p->is_closing) {
        for (size_t i = 0; i < count; i++) {
            struct shard *sh = shard_of(p, tasks[i].org);

            if (has_room(sh))
                outbox_want(sh->outbox, tasks[i].id, NULL, uv_now(p->loop));
        }
        if (count == SWEEP_LIMIT)
            p->swept_to = tasks[count - 1].updated_at + (tasks[count - 1].updated_at == from);
        publisher_wake(p);
    }
    publisher_end_if_idle(p);
}

/* From the oldest on, a part each second: what cannot be helped now, as its server is away, must
 * not stand before what can. */
static void on_sweep(uv_timer_t *timer)
{
    struct publisher *p = timer->data;
    bool              has_any = false;

    each_shard (p, sh) {
        orgs_check(sh);
        has_any = has_any || has_room(sh);
    }
    if (!p->is_sweeping && has_any &&
        store_unpublished(p->store, p->swept_to, clock_wall_ms() - SWEEP_AGE_MS, SWEEP_LIMIT,
                          on_unpublished, p) == 0)
        p->is_sweeping = true;
}

/* --- the beginning --- */

static double read_tasks(void *arg)
{
    struct publisher *p = arg;
    size_t            n = 0;

    each_shard (p, sh)
        n += outbox_tasks(sh->outbox);
    return (double)n;
}

static void publisher_metrics(struct publisher *p, struct metrics *m)
{
    p->published = metrics_counter(m, "taskwire_published_total", NULL, "Transitions published");
    p->notified = metrics_counter(m, "taskwire_notifications_total", NULL,
                                  "Notifications stored, repeats included");
    p->repeats = metrics_counter(m, "taskwire_publish_repeats_total", NULL,
                                 "Transitions that had been published before");
    p->gaps = metrics_counter(m, "taskwire_publish_gaps_total", NULL,
                              "Answers that earlier transitions are missing");
    p->holds = metrics_counter(m, "taskwire_publish_holds_total", NULL,
                               "Publications put off while an org's counts were taken");
    p->epochs = metrics_counter(m, "taskwire_epochs_total", NULL, "New lives of an org's log");
    p->corrected = metrics_counter(m, "taskwire_counts_corrected_total", NULL,
                                   "Counts found wrong and put right");
    p->refused = metrics_counter(m, "taskwire_publish_refused_total", NULL,
                                 "Publications that Redis answered with an error");
    p->latency = metrics_histogram(m, "taskwire_publish_seconds", NULL,
                                   "From sending a transition to Redis to its answer");
    p->lag = metrics_histogram(m, "taskwire_commit_to_publish_seconds", NULL,
                               "From the store's answer to a transition to Redis's");
    metrics_read(m, "taskwire_outbox_tasks", NULL, "Tasks with something to publish in memory",
                 read_tasks, p);
}

static void make_token(char out[TOKEN_SIZE])
{
    uint8_t    random[(TOKEN_SIZE - 1) / 2];
    struct buf hex;

    crypto_random(random, sizeof(random));
    buf_init(&hex, TOKEN_SIZE);
    crypto_append_hex(&hex, random, sizeof(random));
    memcpy(out, hex.data, TOKEN_SIZE);
    buf_deinit(&hex);
}

struct publisher *publisher_new(uv_loop_t *loop, struct store *store,
                                const struct redis_servers *servers, struct redis *const *links,
                                struct metrics *m)
{
    struct publisher *p = mem_new(struct publisher);

    p->loop = loop;
    p->store = store;
    p->servers = servers;
    p->shards = mem_alloc(servers->count * sizeof(*p->shards));
    for (size_t i = 0; i < servers->count; i++) {
        p->shards[i] = (struct shard){ .publisher = p, .loop = loop, .store = store,
                                       .redis = links[i], .outbox = outbox_new() };
        list_init(&p->shards[i].asks);
        list_init(&p->shards[i].awaiting);
    }
    make_token(p->token);
    publisher_metrics(p, m);
    uv_timer_init(loop, &p->wake);
    uv_timer_init(loop, &p->tick);
    uv_timer_init(loop, &p->sweep);
    p->wake.data = p->tick.data = p->sweep.data = p;
    uv_timer_start(&p->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    return p;
}

void publisher_link_changed(struct publisher *p, size_t server, bool is_up)
{
    assert(server < p->servers->count);
    if (p->is_closing)
        return;
    outbox_link(p->shards[server].outbox, is_up, uv_now(p->loop));
    publisher_marked(p, NULL, 0, BUCKET_NONE);
    publisher_wake(p);
}

/* --- the end --- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct publisher *p = handle->data;
    void            (*cb)(void *) = p->on_closed;
    void             *arg = p->closed_arg;

    if (--p->handles_open > 0)
        return;
    each_shard (p, sh) {
        outbox_free(sh->outbox);
        orgs_free(sh);
    }
    free(p->shards);
    free(p);
    cb(arg);
}

static bool is_busy(const struct shard *sh)
{
    return sh->asks_under_way > 0 || sh->counts_under_way > 0 || sh->settles_under_way > 0 ||
           outbox_under_way(sh->outbox) > 0;
}

void publisher_end_if_idle(struct publisher *p)
{
    if (!p->is_closing || p->handles_open > 0 || p->is_sweeping)
        return;
    each_shard (p, sh) {
        if (is_busy(sh))
            return;
    }
    p->handles_open = 3;
    uv_close((uv_handle_t *)&p->wake, on_timer_closed);
    uv_close((uv_handle_t *)&p->tick, on_timer_closed);
    uv_close((uv_handle_t *)&p->sweep, on_timer_closed);
}

void publisher_close(struct publisher *p, void (*cb)(void *arg), void *arg)
{
    assert(!p->is_closing);
    p->is_closing = true;
    p->on_closed = cb;
    p->closed_arg = arg;
    uv_timer_stop(&p->wake);
    uv_timer_stop(&p->tick);
    uv_timer_stop(&p->sweep);
    each_shard (p, sh) {
        outbox_stop(sh->outbox);
        shard_drain(sh);                       /* those who wait are told */
        asks_fail(sh, ERR_CLOSED);
        orgs_stop(sh);
    }
    publisher_end_if_idle(p);
}

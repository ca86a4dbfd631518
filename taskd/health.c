/* health.c -- a question to each dependency every second; an answer that does not come
 * within two of them counts as none.
 *
 * The store's question is one that is worth asking anyway: how much waits in the outbox.
 * Probes of load balancers only read what is known, so that a thousand of them cost what one
 * does. */
#include "taskd/health.h"

#include <stdlib.h>

#include "common/mem.h"
#include "common/redis_shard.h"

#define ASK_EVERY_MS 1000
#define STALE_MS     2500

struct health {
    uv_timer_t    timer;
    uv_loop_t    *loop;
    struct store *store;
    struct server {
        struct health *health;
        struct redis  *redis;
        uint64_t       at_ms;                  /* of the last good answer */
        bool           is_asked;
    } servers[REDIS_SERVERS_MAX];
    size_t        server_count;
    uint64_t      store_at_ms;
    int64_t       unpublished;
    unsigned      asked;                       /* answers under way */
    bool          store_asked, redis_was_up;
    bool        (*is_met)(void *arg);          /* NULL: nothing more is needed */
    void         *needs_arg;
    health_look_cb *looked;                    /* or NULL */
    void         *looked_arg;
    bool          is_draining, is_closing, is_timer_closed;
};

static void end_if_idle(struct health *h)
{
    if (h->is_closing && h->is_timer_closed && h->asked == 0)
        free(h);
}

static void on_count(int err, int64_t n, void *arg)
{
    struct health *h = arg;

    h->asked--;
    h->store_asked = false;
    if (err == 0) {
        h->store_at_ms = uv_now(h->loop);
        h->unpublished = n;
    }
    end_if_idle(h);
}

static void on_ping(int err, const struct redis_reply *reply, void *arg)
{
    struct server *s = arg;
    struct health *h = s->health;

    (void)reply;
    h->asked--;
    s->is_asked = false;
    if (err == 0) {
        s->at_ms = uv_now(h->loop);
        h->redis_was_up = h->redis_was_up || s == h->servers;
    }
    end_if_idle(h);
}

static void on_timer(uv_timer_t *timer)
{
    struct health *h = timer->data;

    if (!h->store_asked && store_unpublished_count(h->store, on_count, h) == 0) {
        h->store_asked = true;
        h->asked++;
    }
    for (struct server *s = h->servers; s < h->servers + h->server_count; s++) {
        if (s->is_asked || redis_call(s->redis, on_ping, s, "PING", NULL) != 0)
            continue;
        s->is_asked = true;
        h->asked++;
    }
    if (h->looked != NULL)
        h->looked(health_is_ready(h), h->looked_arg);
}

bool health_store_ok(const struct health *h)
{
    return store_is_up(h->store) && h->store_at_ms != 0 &&
           uv_now(h->loop) - h->store_at_ms < STALE_MS;
}

bool health_redis_ok(const struct health *h)
{
    for (const struct server *s = h->servers; s < h->servers + h->server_count; s++) {
        if (!redis_is_up(s->redis) || s->at_ms == 0 || uv_now(h->loop) - s->at_ms >= STALE_MS)
            return false;
    }
    return true;
}

bool health_is_ready(const struct health *h)
{
    return !h->is_draining && h->redis_was_up && health_store_ok(h) &&
           (h->is_met == NULL || h->is_met(h->needs_arg));
}

void health_needs(struct health *h, bool (*is_met)(void *arg), void *arg)
{
    h->is_met = is_met;
    h->needs_arg = arg;
}

void health_watch(struct health *h, health_look_cb *cb, void *arg)
{
    h->looked = cb;
    h->looked_arg = arg;
}

int64_t health_unpublished(const struct health *h)
{
    return h->unpublished;
}

void health_drain(struct health *h)
{
    h->is_draining = true;
}

static double read_unpublished(void *arg)
{
    return (double)((struct health *)arg)->unpublished;
}

static double read_ready(void *arg)
{
    return health_is_ready(arg) ? 1 : 0;
}

static double read_store(void *arg)
{
    return health_store_ok(arg) ? 1 : 0;
}

static double read_redis(void *arg)
{
    return health_redis_ok(arg) ? 1 : 0;
}

struct health *health_new(uv_loop_t *loop, struct store *store, struct redis *const *links,
                          size_t count, struct metrics *m)
{
    static const char NAME[] = "taskwire_dependency_up";
    static const char HELP[] = "1 where the dependency answered within the last seconds";
    struct health    *h = mem_new(struct health);

    h->loop = loop;
    h->store = store;
    h->server_count = count;
    for (size_t i = 0; i < count; i++)
        h->servers[i] = (struct server){ .health = h, .redis = links[i] };
    metrics_read(m, "taskwire_ready", NULL, "1 where REST can be answered", read_ready, h);
    metrics_read(m, "taskwire_outbox_unpublished", NULL, "Tasks with transitions to publish",
                 read_unpublished, h);
    metrics_read(m, NAME, "dependency=\"store\"", HELP, read_store, h);
    metrics_read(m, NAME, "dependency=\"redis\"", HELP, read_redis, h);
    uv_timer_init(loop, &h->timer);
    h->timer.data = h;
    uv_timer_start(&h->timer, on_timer, 0, ASK_EVERY_MS);
    return h;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct health *h = handle->data;

    h->is_timer_closed = true;
    end_if_idle(h);
}

void health_close(struct health *h)
{
    if (h->is_closing)
        return;
    h->is_closing = true;
    uv_close((uv_handle_t *)&h->timer, on_timer_closed);
}

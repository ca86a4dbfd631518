/* backlog.c -- see backlog.h.
 *
 * An entry's id begins with the time at which Redis took it, and what was handled is deleted, so
 * the stream's first entry tells how far the ingest is behind: by Redis' clock and ours, which
 * may differ a little. Every taskd looks, not the holder of the lease alone: the worst lag is that
 * of a stream which nobody reads. While Redis does not answer the figures stay what they were;
 * taskwire_dependency_up says so. */
#include "taskd/backlog.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/mem.h"
#include "proto/keys.h"

#define LOOK_MS 1000

struct backlog {
    uv_timer_t     timer;
    struct redis  *redis;
    struct metric *entries, *dead, *lag;
    unsigned       asked;                      /* answers under way */
    bool           is_closing, is_timer_closed;
};

static void end_if_idle(struct backlog *b)
{
    if (b->is_closing && b->is_timer_closed && b->asked == 0)
        free(b);
}

static void on_entries(int err, const struct redis_reply *reply, void *arg)
{
    struct backlog *b = arg;

    b->asked--;
    if (err == 0)
        metric_set(b->entries, (double)redis_reply_int(reply));
    end_if_idle(b);
}

static void on_dead(int err, const struct redis_reply *reply, void *arg)
{
    struct backlog *b = arg;

    b->asked--;
    if (err == 0)
        metric_set(b->dead, (double)redis_reply_int(reply));
    end_if_idle(b);
}

/* The time in "1732155360000-0"; 0: there is none. */
static int64_t time_of(struct slice id)
{
    int64_t ms = 0;

    for (size_t i = 0; i < id.len && i < 15 && id.data[i] >= '0' && id.data[i] <= '9'; i++)
        ms = ms * 10 + (id.data[i] - '0');
    return ms;
}

int64_t backlog_lag_ms(const struct redis_reply *oldest)
{
    int64_t at = time_of(redis_reply_text(redis_reply_at(redis_reply_at(oldest, 0), 0)));
    int64_t now = clock_wall_ms();

    return at == 0 || at > now ? 0 : now - at;
}

static void on_oldest(int err, const struct redis_reply *reply, void *arg)
{
    struct backlog *b = arg;

    b->asked--;
    if (err == 0)
        metric_set(b->lag, (double)backlog_lag_ms(reply) / 1000);
    end_if_idle(b);
}

static void ask(struct backlog *b, redis_cb *cb, const char *command, const char *key)
{
    int err = cb == on_oldest
        ? redis_call(b->redis, cb, b, command, key, "-", "+", "COUNT", "1", NULL)
        : redis_call(b->redis, cb, b, command, key, NULL);

    b->asked += err == 0;
}

static void on_timer(uv_timer_t *timer)
{
    struct backlog *b = timer->data;

    if (b->asked > 0)
        return;
    ask(b, on_entries, "XLEN", KEY_INGEST);
    ask(b, on_dead, "XLEN", KEY_INGEST_DEAD);
    ask(b, on_oldest, "XRANGE", KEY_INGEST);
}

struct backlog *backlog_new(uv_loop_t *loop, struct redis *redis, struct metrics *m)
{
    struct backlog *b = mem_new(struct backlog);

    b->redis = redis;
    b->entries = metrics_gauge(m, "taskwire_ingest_stream_entries", NULL,
                               "Inputs in the stream that are not handled yet");
    b->lag = metrics_gauge(m, "taskwire_ingest_lag_seconds", NULL,
                           "Since the oldest of them was published");
    b->dead = metrics_gauge(m, "taskwire_dead_letters", NULL, "Dead letters kept");
    uv_timer_init(loop, &b->timer);
    b->timer.data = b;
    uv_timer_start(&b->timer, on_timer, 0, LOOK_MS);
    return b;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct backlog *b = handle->data;

    b->is_timer_closed = true;
    end_if_idle(b);
}

void backlog_close(struct backlog *b)
{
    if (b->is_closing)
        return;
    b->is_closing = true;
    uv_close((uv_handle_t *)&b->timer, on_timer_closed);
}

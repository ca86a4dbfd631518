/* link.c -- see link.h.
 *
 * The canary is counted in beats: each beat first looks whether the one before came back,
 * then sends the next. Only one that Redis says it has published counts as missed: while the
 * ordinary link is down, or hangs, the subscriber need not be the reason. (What hangs there is
 * noticed by the link itself, COMMAND_TIMEOUT_MS after the canary.) Resetting goes through the
 * subscriber's own reconnect, so that what follows (subscriptions confirmed again, positions
 * asked) is the same path as after any other loss. */
#include "gateway/link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "proto/keys.h"

#define COMMANDS_MAX       65536               /* under way at once; past it ERR_BUSY */
#define COMMAND_TIMEOUT_MS 4000
#define SILENT_MAX         2                   /* beats without a reply: not healthy */

struct link {
    struct redis            *redis;
    struct redis_subscriber *subscriber;
    uv_timer_t               timer;
    const struct link_handlers *handlers;
    void                    *arg;
    char                    *channel;          /* the canary's */
    unsigned                 missed;
    bool                     is_awaited;       /* a canary is out, and was not heard yet */
    bool                     is_publishing;    /* Redis has not said yet that it took it */
    unsigned                 silent;           /* beats since when */
    bool                     was_heard;        /* since the subscriber came up */
    uint64_t                 heard_ms;         /* when last, or the beginning */
    bool                     is_closing;
    struct metric           *resets;
};

static void on_published(int err, const struct redis_reply *reply, void *arg)
{
    struct link *l = arg;

    (void)reply;
    l->is_publishing = false;
    l->silent = 0;
    if (err != 0)
        l->is_awaited = false;
}

static void beat(struct link *l)
{
    if (!redis_is_up(l->redis) || l->is_closing) {
        l->is_awaited = false;
        return;
    }
    if (l->is_publishing) {
        l->silent++;
        return;
    }
    if (l->is_awaited && ++l->missed >= CANARY_MISSED_MAX) {
        log_warn("canary-missed", LOG_NUM("times", l->missed));
        metric_inc(l->resets);
        l->missed = 0;
        l->is_awaited = false;
        l->was_heard = false;
        redis_subscriber_reset(l->subscriber);
        return;
    }
    if (redis_call(l->redis, on_published, l, "PUBLISH", l->channel, "1", NULL) == 0)
        l->is_awaited = l->is_publishing = true;
}

static void on_beat(uv_timer_t *timer)
{
    beat(timer->data);
}

static void on_link_state(struct redis *r, bool is_up, void *arg)
{
    (void)r;
    if (is_up)
        beat(arg);
}

static void on_message(struct redis_subscriber *s, struct slice channel, struct slice message,
                       void *arg)
{
    struct link *l = arg;

    (void)s;
    if (l->is_closing)
        return;
    if (slice_is(channel, l->channel)) {
        l->is_awaited = false;
        l->was_heard = true;
        l->heard_ms = uv_now(l->timer.loop);
        l->missed = 0;
        return;
    }
    l->handlers->on_message(l, channel, message, l->arg);
}

static void on_subscribed(struct redis_subscriber *s, struct slice channel, void *arg)
{
    struct link *l = arg;

    (void)s;
    if (l->is_closing)
        return;
    if (slice_is(channel, l->channel))
        beat(l);                               /* ready a second earlier */
    else
        l->handlers->on_subscribed(l, channel, l->arg);
}

static void on_subscriber_state(struct redis_subscriber *s, bool is_up, void *arg)
{
    struct link *l = arg;

    (void)s;
    if (is_up || l->is_closing)
        return;
    l->was_heard = false;
    l->is_awaited = false;
    l->missed = 0;
    l->handlers->on_lost(l, l->arg);
}

static const struct redis_subscriber_handlers SUBSCRIBER_HANDLERS = {
    .on_message = on_message,
    .on_subscribed = on_subscribed,
    .on_state = on_subscriber_state,
};

static char *canary_channel(const char *gateway)
{
    int   len = snprintf(NULL, 0, KEY_CANARY_FORMAT, gateway);
    char *text = mem_alloc((size_t)len + 1);

    snprintf(text, (size_t)len + 1, KEY_CANARY_FORMAT, gateway);
    return text;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct link *l = handle->data;

    free(l->channel);
    free(l);
}

struct link *link_new(uv_loop_t *loop, const struct link_options *options,
                      const struct link_handlers *handlers, void *arg)
{
    struct link *l = mem_new(struct link);
    const struct redis_options ro = {
        .url = options->url, .name = "gateway", .pending_max = COMMANDS_MAX,
        .timeout_ms = COMMAND_TIMEOUT_MS, .on_state = on_link_state, .arg = l,
        .seconds = metrics_histogram(options->metrics, "taskwire_redis_call_seconds", NULL,
                                     "From a command to its reply, all servers."),
    };

    l->handlers = handlers;
    l->arg = arg;
    l->redis = redis_new(loop, &ro);
    if (l->redis == NULL) {
        free(l);
        return NULL;
    }
    l->subscriber = redis_subscriber_new(loop, options->url, "gateway-live", &SUBSCRIBER_HANDLERS,
                                         l);
    assert(l->subscriber != NULL);             /* the same URL was fine a moment ago */
    l->resets = metrics_counter(options->metrics, "taskwire_canary_resets_total", NULL,
                                "Subscriber connections given up because canaries were missed.");
    l->channel = canary_channel(options->gateway);
    redis_subscribe(l->subscriber, slice_of(l->channel));
    l->heard_ms = uv_now(loop);
    uv_timer_init(loop, &l->timer);
    l->timer.data = l;
    uv_timer_start(&l->timer, on_beat, CANARY_EVERY_MS, CANARY_EVERY_MS);
    return l;
}

void link_close(struct link *l)
{
    if (l->is_closing)
        return;
    l->is_closing = true;
    redis_subscriber_close(l->subscriber);
    redis_close(l->redis);
    uv_close((uv_handle_t *)&l->timer, on_timer_closed);
}

struct redis *link_redis(const struct link *l)
{
    return l->redis;
}

void link_subscribe(struct link *l, struct slice channel)
{
    redis_subscribe(l->subscriber, channel);
}

void link_unsubscribe(struct link *l, struct slice channel)
{
    redis_unsubscribe(l->subscriber, channel);
}

bool link_is_healthy(const struct link *l)
{
    return redis_is_up(l->redis) && l->was_heard && l->missed < CANARY_MISSED_MAX - 1 &&
           l->silent < SILENT_MAX;
}

uint64_t link_canary_ms(const struct link *l)
{
    return uv_now(l->timer.loop) - l->heard_ms;
}

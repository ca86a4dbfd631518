/* wire_channels.c -- subscriptions: what is published comes, in order, as long as the
 * connection holds; what was on its way when it broke is lost.
 *
 * A subscription may also go mute: it looks alive and hears nothing, until its owner's canary
 * misses. That is the loss which no event announces. And it may hear blanks: what nobody knows
 * how to do, and what the comparison with the store (gateway/compare.h) is there for. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "proto/envelope.h"
#include "tests/sim/wire_internal.h"

struct channel {
    struct list in_subscriber;
    char        name[CHANNEL_SIZE];
    bool        is_heard;                      /* by the server: it sends what is published */
};

struct delivery {                              /* something on its way to a subscriber */
    struct list               in_subscriber;
    struct redis_subscriber  *subscriber;
    struct happening         *due;
    char                      channel[CHANNEL_SIZE];
    struct rcbuf             *text;            /* NULL: the subscription is confirmed */
};

struct redis_subscriber {
    struct list   in_all;
    struct node  *node;
    const struct redis_subscriber_handlers *handlers;
    void         *arg;
    bool          is_up, is_mute, is_blind;
    struct list   channels, coming;
    uint64_t      last_us;                     /* when the last delivery arrives */
    struct happening *retry, *reset;
};

static struct list all;

void subscribers_begin(void)
{
    list_init(&all);
}

static struct channel *channel_find(struct redis_subscriber *s, const char *name)
{
    list_each(at, &s->channels) {
        struct channel *c = container_of(at, struct channel, in_subscriber);

        if (strcmp(c->name, name) == 0)
            return c;
    }
    return NULL;
}

static void delivery_free(struct delivery *d)
{
    sim_cancel(d->due);
    list_remove(&d->in_subscriber);
    rcbuf_unref(d->text);
    free(d);
}

/* An envelope without its lines, as a message of the org; NULL: it is told as it is. */
static struct rcbuf *blank_of(struct slice text)
{
    struct envelope e;
    struct buf      b;
    struct rcbuf   *made;

    if (envelope_parse(text, &e) != 0 || e.routing.seq < 2 ||
        memmem(text.data, text.len, "\nevict ", 7) != NULL)
        return NULL;
    buf_init(&b, 256);
    buf_printf(&b, "%llu %llu\n1 - %.*s - - 0\n", (unsigned long long)e.at.epoch,
               (unsigned long long)e.at.number, SLICE_ARG(e.routing.org));
    made = buf_rcbuf(&b);
    buf_deinit(&b);
    return made;
}

static void hear(struct redis_subscriber *s, const struct delivery *d)
{
    struct rcbuf *blank = s->is_blind ? blank_of(rcbuf_slice(d->text)) : NULL;

    s->handlers->on_message(s, slice_of(d->channel), rcbuf_slice(blank != NULL ? blank : d->text),
                            s->arg);
    rcbuf_unref(blank);
}

static void on_arrived(void *arg)
{
    struct delivery         *d = arg;
    struct redis_subscriber *s = d->subscriber;

    d->due = NULL;
    list_remove(&d->in_subscriber);
    if (channel_find(s, d->channel) != NULL && !s->is_mute) {
        if (d->text == NULL)
            s->handlers->on_subscribed(s, slice_of(d->channel), s->arg);
        else
            hear(s, d);
    }
    delivery_free(d);
}

static void deliver(struct redis_subscriber *s, const char *channel, struct rcbuf *text)
{
    struct delivery *d = mem_new(struct delivery);
    uint64_t         at_us = sim.now_us + wire_delay_us();

    d->subscriber = s;
    memcpy(d->channel, channel, strlen(channel) + 1);
    d->text = rcbuf_ref(text);
    list_append(&s->coming, &d->in_subscriber);
    s->last_us = at_us > s->last_us ? at_us : s->last_us;
    d->due = sim_at(s->last_us, s->node, on_arrived, d);
}

void wire_publish(const char *channel, struct rcbuf *text)
{
    list_each(at, &all) {
        struct redis_subscriber *s = container_of(at, struct redis_subscriber, in_all);
        struct channel          *c = channel_find(s, channel);

        if (c != NULL && c->is_heard && s->is_up && !s->is_mute)
            deliver(s, channel, text);
    }
}

/* The server has read SUBSCRIBE. (The way there is part of the way back.) */
static void channel_ask(struct redis_subscriber *s, struct channel *c)
{
    c->is_heard = true;
    deliver(s, c->name, NULL);
}

static void on_connected(void *arg)
{
    struct redis_subscriber *s = arg;

    s->retry = NULL;
    if (!server_is_up()) {
        s->retry = sim_after(sim_between(100, 500) * MS, s->node, on_connected, s);
        return;
    }
    s->is_up = true;
    s->is_mute = false;
    if (s->handlers->on_state != NULL)
        s->handlers->on_state(s, true, s->arg);
    list_each(at, &s->channels)
        channel_ask(s, container_of(at, struct channel, in_subscriber));
}

struct redis_subscriber *redis_subscriber_new(uv_loop_t *loop, const char *url, const char *name,
                                              const struct redis_subscriber_handlers *handlers,
                                              void *arg)
{
    struct redis_subscriber *s = mem_new(struct redis_subscriber);

    (void)url;
    (void)name;
    s->node = node_of(loop);
    s->handlers = handlers;
    s->arg = arg;
    list_init(&s->channels);
    list_init(&s->coming);
    list_append(&all, &s->in_all);
    s->retry = sim_after(wire_delay_us(), s->node, on_connected, s);
    return s;
}

void redis_subscribe(struct redis_subscriber *s, struct slice channel)
{
    struct channel *c = mem_new(struct channel);

    assert(channel.len < CHANNEL_SIZE);
    memcpy(c->name, channel.data, channel.len);
    if (channel_find(s, c->name) != NULL) {
        free(c);
        return;
    }
    list_append(&s->channels, &c->in_subscriber);
    if (s->is_up && !s->is_mute && !s->node->is_dead)
        channel_ask(s, c);
}

void redis_unsubscribe(struct redis_subscriber *s, struct slice channel)
{
    char            name[CHANNEL_SIZE];
    struct channel *c;

    snprintf(name, sizeof(name), "%.*s", SLICE_ARG(channel));
    c = channel_find(s, name);
    if (c == NULL)
        return;
    list_each_safe(at, &s->coming) {
        struct delivery *d = container_of(at, struct delivery, in_subscriber);

        if (strcmp(d->channel, name) == 0)
            delivery_free(d);
    }
    list_remove(&c->in_subscriber);
    free(c);
}

static void subscriber_cut(struct redis_subscriber *s)
{
    s->is_up = false;
    list_each_safe(at, &s->coming)
        delivery_free(container_of(at, struct delivery, in_subscriber));
    list_each(at, &s->channels)
        container_of(at, struct channel, in_subscriber)->is_heard = false;
}

static void subscriber_break(struct redis_subscriber *s)
{
    struct node *outer = sim.node;

    if (!s->is_up)
        return;
    sim_trace("%s: its subscription breaks", s->node->name);
    subscriber_cut(s);
    s->retry = sim_after(sim_between(100, 2000) * MS, s->node, on_connected, s);
    sim.node = s->node;
    if (s->handlers->on_state != NULL)
        s->handlers->on_state(s, false, s->arg);
    sim.node = outer;
}

static void on_reset(void *arg)
{
    struct redis_subscriber *s = arg;

    s->reset = NULL;
    subscriber_break(s);
}

void redis_subscriber_reset(struct redis_subscriber *s)
{
    if (s->is_up && s->reset == NULL && !s->node->is_dead)
        s->reset = sim_after(0, s->node, on_reset, s);
}

static void subscriber_quiet(struct redis_subscriber *s)
{
    sim_cancel(s->retry);
    sim_cancel(s->reset);
    s->retry = s->reset = NULL;
    subscriber_cut(s);
}

void redis_subscriber_close(struct redis_subscriber *s)
{
    struct list *node;

    subscriber_quiet(s);
    while ((node = list_take_first(&s->channels)) != NULL)
        free(container_of(node, struct channel, in_subscriber));
    list_remove(&s->in_all);
    node_goodbye(s->node, free, s);
}

/* --- what may happen --- */

static struct redis_subscriber *by_chance(void)
{
    size_t count = 0, pick;

    list_each(at, &all)
        count++;
    if (count == 0)
        return NULL;
    pick = sim_dice(count);
    list_each(at, &all) {
        if (pick-- == 0)
            return container_of(at, struct redis_subscriber, in_all);
    }
    return NULL;
}

void wire_break_subscriber(void)
{
    struct redis_subscriber *s = by_chance();

    if (s != NULL)
        subscriber_break(s);
}

void wire_mute_subscriber(void)
{
    struct redis_subscriber *s = by_chance();

    if (s == NULL || !s->is_up)
        return;
    sim_trace("%s: its subscription goes mute", s->node->name);
    s->is_mute = true;
}

void wire_blind_subscribers(void)
{
    list_each(at, &all) {
        struct redis_subscriber *s = container_of(at, struct redis_subscriber, in_all);

        s->is_blind = sim_chance(500);
        if (s->is_blind)
            sim_trace("%s: its subscription hears blanks", s->node->name);
    }
}

void wire_unblind_subscribers(void)
{
    list_each(at, &all)
        container_of(at, struct redis_subscriber, in_all)->is_blind = false;
}

void subscribers_break_all(void)
{
    list_each(at, &all)
        subscriber_break(container_of(at, struct redis_subscriber, in_all));
}

void subscribers_kill_node(struct node *n)
{
    list_each(at, &all) {
        struct redis_subscriber *s = container_of(at, struct redis_subscriber, in_all);

        if (s->node == n)
            subscriber_quiet(s);
    }
}

/* redis_subscriber.c -- wanting channels; see redis.h.
 *
 * What is wanted outlives connections: a table of channels, subscribed anew at each "up".
 * A channel that was given up and wanted again has two confirmations to come, and only the
 * last one says that from now on nothing is missed; so each channel counts the confirmations
 * it awaits, and what is published before the last is dropped.
 *
 *     wanted  awaited
 *       yes      0      heard: messages are handed over
 *       yes     > 0     the last confirmation makes it heard
 *       no      > 0     kept until the confirmations are in, then forgotten
 *       no       0      forgotten: no such channel in the table */
#include "common/redis.h"

#include <stdlib.h>
#include <uthash.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/redis_internal.h"

struct channel {
    UT_hash_handle hh;
    bool           is_wanted;
    uint32_t       awaited;                    /* SUBSCRIBEs sent and not yet confirmed */
    size_t         len;
    char           name[];
};

struct redis_subscriber {
    struct redis_link                      *link;
    const struct redis_subscriber_handlers *handlers;
    void                                   *arg;
    struct channel                         *channels;
    bool                                    is_closing;
};

/* --- the table --- */

static struct channel *find(struct redis_subscriber *s, struct slice name)
{
    struct channel *c = NULL;

    HASH_FIND(hh, s->channels, name.data, name.len, c);
    return c;
}

static struct channel *add(struct redis_subscriber *s, struct slice name)
{
    struct channel *c = mem_alloc(sizeof(*c) + name.len + 1);

    c->len = name.len;
    if (name.len != 0)
        memcpy(c->name, name.data, name.len);
    HASH_ADD_KEYPTR(hh, s->channels, c->name, c->len, c);
    return c;
}

static void forget(struct redis_subscriber *s, struct channel *c)
{
    HASH_DEL(s->channels, c);
    free(c);
}

/* --- asking --- */

static void send_channel(struct redis_subscriber *s, const char *verb, const struct channel *c)
{
    struct buf *out = redis_link_begin(s->link);

    redis_resp_head(out, 2);
    redis_resp_arg(out, slice_of(verb));
    redis_resp_arg(out, slice_make(c->name, c->len));
    if (redis_link_end(s->link) != 0)          /* the server takes nothing: begin anew */
        redis_link_drop(s->link, "too much is waiting to be written");
}

static void send_subscribe(struct redis_subscriber *s, struct channel *c)
{
    c->awaited++;
    send_channel(s, "SUBSCRIBE", c);
}

void redis_subscribe(struct redis_subscriber *s, struct slice channel)
{
    struct channel *c = find(s, channel);

    if (s->is_closing || (c != NULL && c->is_wanted))
        return;
    if (c == NULL)
        c = add(s, channel);
    c->is_wanted = true;
    if (redis_link_is_up(s->link))
        send_subscribe(s, c);
}

void redis_unsubscribe(struct redis_subscriber *s, struct slice channel)
{
    struct channel *c = find(s, channel);

    if (s->is_closing || c == NULL || !c->is_wanted)
        return;
    c->is_wanted = false;
    if (redis_link_is_up(s->link))
        send_channel(s, "UNSUBSCRIBE", c);
    if (c->awaited == 0)
        forget(s, c);
}

void redis_subscriber_reset(struct redis_subscriber *s)
{
    if (!s->is_closing)
        redis_link_drop(s->link, "reset by its owner");
}

/* --- hearing --- */

/* The handlers may do anything to the subscriber and its table: nothing of a channel is
 * touched after they were called, and the names they get are the reply's. */
static void on_confirmed(struct redis_subscriber *s, struct slice name)
{
    struct channel *c = find(s, name);

    if (c == NULL || c->awaited == 0 || --c->awaited != 0)
        return;
    if (c->is_wanted)
        s->handlers->on_subscribed(s, name, s->arg);
    else
        forget(s, c);
}

static void on_published(struct redis_subscriber *s, struct slice name, struct slice message)
{
    const struct channel *c = find(s, name);

    if (c != NULL && c->is_wanted && c->awaited == 0)
        s->handlers->on_message(s, name, message, s->arg);
}

static void on_reply(const redisReply *reply, void *arg)
{
    struct redis_subscriber  *s = arg;
    const struct redis_reply *r = (const struct redis_reply *)reply;
    struct slice              kind = redis_reply_text(redis_reply_at(r, 0));
    struct slice              name = redis_reply_text(redis_reply_at(r, 1));

    if (redis_reply_count(r) != 3) {
        log_error("redis-subscribe-refused", LOG_SLICE("reply", redis_reply_text(r)));
        redis_link_drop(s->link, "a reply that is no message");
    } else if (slice_is(kind, "message")) {
        on_published(s, name, redis_reply_text(redis_reply_at(r, 2)));
    } else if (slice_is(kind, "subscribe")) {
        on_confirmed(s, name);
    }                                          /* "unsubscribe": it was forgotten when sent */
}

static void on_up(void *arg)
{
    struct redis_subscriber *s = arg;

    for (struct channel *c = s->channels; c != NULL; c = c->hh.next)
        send_subscribe(s, c);
    if (s->handlers->on_state != NULL)
        s->handlers->on_state(s, true, s->arg);
}

static void on_down(void *arg)
{
    struct redis_subscriber *s = arg;
    struct channel          *c, *next;

    HASH_ITER(hh, s->channels, c, next) {
        c->awaited = 0;
        if (!c->is_wanted)
            forget(s, c);
    }
    if (s->handlers->on_state != NULL)
        s->handlers->on_state(s, false, s->arg);
}

/* --- life --- */

static void on_closed(void *arg)
{
    free(arg);
}

static const struct redis_link_ops LINK_OPS = {
    .on_up = on_up,
    .on_reply = on_reply,
    .on_down = on_down,
    .on_closed = on_closed,
};

struct redis_subscriber *redis_subscriber_new(uv_loop_t *loop, const char *url, const char *name,
                                              const struct redis_subscriber_handlers *handlers,
                                              void *arg)
{
    struct redis_subscriber *s = mem_new(struct redis_subscriber);

    s->handlers = handlers;
    s->arg = arg;
    s->link = redis_link_new(loop, url, name, &LINK_OPS, s);
    if (s->link == NULL) {
        free(s);
        return NULL;
    }
    return s;
}

void redis_subscriber_close(struct redis_subscriber *s)
{
    struct channel *c, *next;

    if (s == NULL || s->is_closing)
        return;
    s->is_closing = true;
    HASH_ITER(hh, s->channels, c, next)
        forget(s, c);
    redis_link_close(s->link);
}

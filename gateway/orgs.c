/* orgs.c -- feeds on Redis.
 *
 * What Redis answers is given to the feed of the org it was asked for; what the feed orders
 * is asked of Redis. Every command under way holds a reference to its org, so an answer
 * always finds it; the feed's tickets tell answers that are of no interest any more.
 *
 * Each org lives on one of the Redis servers (common/redis_shard.h): its channel is heard there,
 * its log and position are read there, and a server that is lost takes no other's feeds along.
 * Channels that are no org's are the first one's.
 *
 * Time is needed only by feeds that wait for something (a retry, an announced message) and
 * by orgs that linger: one timer serves both, and rests while neither exists. */
#include "gateway/orgs.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <uthash.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/redis_shard.h"
#include "gateway/feed.h"
#include "gateway/link.h"
#include "proto/keys.h"

#define TICK_MS       50
#define KEY_MAX       (ORG_NAME_MAX + 32)
#define LISTENERS_MAX 4                        /* our own channels, and everybody's */

/* A format of keys.h with one %s, filled in. */
#define key_of(o, format, out) snprintf((out), KEY_MAX, format, (o)->name)

struct org {
    struct orgs   *orgs;
    struct link   *link;                       /* to the server where it lives */
    char           name[ORG_NAME_MAX];
    unsigned       refs;
    struct feed    feed;
    struct list    followers;
    struct list    in_ticking;
    struct list    in_lingering;
    uint64_t       free_at_ms;
    UT_hash_handle hh;
};

struct listener {                              /* to a channel that is no org's */
    char         *channel;
    orgs_news_cb *cb;
    void         *arg;
};

struct orgs {
    uv_loop_t     *loop;
    struct redis_servers servers;
    struct link   *links[REDIS_SERVERS_MAX];
    uv_timer_t     timer;
    const struct orgs_handlers *handlers;
    void          *arg;
    uint64_t       linger_ms;
    struct org    *table;
    struct list    ticking;                    /* feeds that want time */
    struct list    lingering;                  /* orgs nobody holds, in order of their end */
    struct listener listeners[LISTENERS_MAX];
    size_t         listener_count;
    char           reported[ORG_NAME_MAX];     /* the last that orgs_report told of; "": none */
    struct metric *gaps, *resyncs, *repeats, *refused, *frames;
    bool           is_closing;
};

static void on_tick(uv_timer_t *timer);

static uint64_t now_ms(const struct orgs *orgs)
{
    return uv_now(orgs->loop);
}

static void timer_wake(struct orgs *orgs)
{
    if (!orgs->is_closing && !uv_is_active((uv_handle_t *)&orgs->timer))
        uv_timer_start(&orgs->timer, on_tick, TICK_MS, TICK_MS);
}

/* After every input of a feed. */
static void moved(struct org *o)
{
    if (feed_wants_tick(&o->feed) && list_is_empty(&o->in_ticking)) {
        list_append(&o->orgs->ticking, &o->in_ticking);
        timer_wake(o->orgs);
    }
    o->orgs->handlers->on_moved(o, o->orgs->arg);
}

/* --- what the feed orders --- */

struct command {                               /* one command under way */
    struct org  *org;
    uint64_t     ticket;
    org_ask_cb  *cb;                           /* both NULL: the feed asked */
    org_log_cb  *log_cb;
    void        *arg;
};

static struct command *command_new(struct org *o, uint64_t ticket)
{
    struct command *c = mem_new(struct command);

    c->org = org_ref(o);
    c->ticket = ticket;
    return c;
}

static void command_done(struct command *c)
{
    org_unref(c->org);
    free(c);
}

static void on_deliver(struct slice text, void *arg)
{
    struct org   *o = arg;
    struct frame *f = frame_new(text);

    if (f == NULL) {
        metric_inc(o->orgs->refused);
        log_error("envelope-refused", LOG_TEXT("org", o->name), LOG_NUM("bytes", text.len));
        return;
    }
    metric_inc(o->orgs->frames);
    o->orgs->handlers->on_frame(o, f, o->orgs->arg);
    frame_unref(f);
}

static void on_resync(struct position at, void *arg)
{
    struct org *o = arg;

    log_info("feed-resync", LOG_TEXT("org", o->name), LOG_NUM("number", at.number));
    metric_inc(o->orgs->resyncs);
    o->orgs->handlers->on_resync(o, o->orgs->arg);
}

/* The log's entries: [[id, [field, value, ...]], ...] */
static struct slice entry_text(const struct redis_reply *entry)
{
    const struct redis_reply *fields = redis_reply_at(entry, 1);

    for (size_t i = 0; i + 1 < redis_reply_count(fields); i += 2) {
        if (slice_is(redis_reply_text(redis_reply_at(fields, i)), KEY_LOG_FIELD))
            return redis_reply_text(redis_reply_at(fields, i + 1));
    }
    return (struct slice){ NULL, 0 };
}

static void on_log(int err, const struct redis_reply *reply, void *arg)
{
    struct command *c = arg;
    struct org     *o = c->org;
    struct slice    texts[FEED_LOG_BATCH];
    size_t          count = redis_reply_count(reply);

    if (count > FEED_LOG_BATCH)
        count = FEED_LOG_BATCH;
    for (size_t i = 0; i < count; i++)
        texts[i] = entry_text(redis_reply_at(reply, i));
    if (err != 0)
        count = 0;
    if (!o->orgs->is_closing && c->log_cb != NULL) {
        c->log_cb(o, err, texts, count, c->ticket, c->arg);
    } else if (!o->orgs->is_closing) {
        feed_log(&o->feed, (uint32_t)c->ticket, err, texts, count, now_ms(o->orgs));
        moved(o);
    }
    command_done(c);
}

static int log_read(struct command *c, uint64_t from)
{
    char key[KEY_MAX], start[32], count[16];

    key_of(c->org, KEY_LOG_FORMAT, key);
    snprintf(start, sizeof(start), "%llu-0", (unsigned long long)from);
    snprintf(count, sizeof(count), "%d", FEED_LOG_BATCH);
    return redis_call(link_redis(c->org->link), on_log, c, "XRANGE", key, start, "+",
                      "COUNT", count, NULL);
}

int org_read_log(struct org *o, uint64_t from, org_log_cb *cb, uint64_t ticket, void *arg)
{
    struct command *c = command_new(o, ticket);
    int             err;

    c->log_cb = cb;
    c->arg = arg;
    err = log_read(c, from);
    if (err != 0)
        command_done(c);
    return err;
}

static void on_read_log(uint64_t from, uint32_t ticket, void *arg)
{
    struct org     *o = arg;
    struct command *c = command_new(o, ticket);
    int             err;

    metric_inc(o->orgs->gaps);
    err = log_read(c, from);
    if (err != 0) {
        feed_log(&o->feed, ticket, err, NULL, 0, now_ms(o->orgs));
        command_done(c);
    }
}

static struct position reply_position(const struct redis_reply *reply, int *err)
{
    struct slice    epoch = redis_reply_text(redis_reply_at(reply, 0));
    struct slice    number = redis_reply_text(redis_reply_at(reply, 1));
    struct position at = { 0, 0 };
    char            line[64];
    int             len;

    if (*err != 0 || epoch.len == 0 || number.len == 0)
        return at;                             /* an org without a position is no error */
    len = snprintf(line, sizeof(line), "%.*s %.*s", SLICE_ARG(epoch), SLICE_ARG(number));
    if (len >= (int)sizeof(line) || position_parse(slice_make(line, (size_t)len), &at) != 0)
        *err = ERR_REPLY;
    return at;
}

static void on_position(int err, const struct redis_reply *reply, void *arg)
{
    struct command *c = arg;
    struct org     *o = c->org;
    struct position at = reply_position(reply, &err);

    if (!o->orgs->is_closing) {
        if (c->cb == NULL) {
            feed_position(&o->feed, (uint32_t)c->ticket, err, at, now_ms(o->orgs));
            moved(o);
        } else {
            if (err == 0)
                org_expect(o, at);
            c->cb(o, err, at, (uint32_t)c->ticket, c->arg);
        }
    }
    command_done(c);
}

static int position_ask(struct command *c)
{
    char key[KEY_MAX];

    key_of(c->org, KEY_ORG_FORMAT, key);
    return redis_call(link_redis(c->org->link), on_position, c, "HMGET", key, "epoch",
                      "number", NULL);
}

static void on_ask(uint32_t ticket, void *arg)
{
    struct org     *o = arg;
    struct command *c = command_new(o, ticket);
    int             err = position_ask(c);

    if (err != 0) {
        feed_position(&o->feed, ticket, err, (struct position){ 0, 0 }, now_ms(o->orgs));
        command_done(c);
    }
}

static const struct feed_handlers FEED_HANDLERS = {
    .deliver = on_deliver,
    .read_log = on_read_log,
    .ask = on_ask,
    .resync = on_resync,
};

int org_ask(struct org *o, org_ask_cb *cb, uint32_t ticket, void *arg)
{
    struct command *c = command_new(o, ticket);
    int             err;

    c->cb = cb;
    c->arg = arg;
    err = position_ask(c);
    if (err != 0)
        command_done(c);
    return err;
}

void org_expect(struct org *o, struct position at)
{
    feed_expect(&o->feed, at, now_ms(o->orgs));
    moved(o);
}

/* --- what Redis says --- */

/* "tasks:live:<org>" */
static struct org *org_of_channel(struct orgs *orgs, struct slice channel)
{
    size_t       prefix = sizeof(KEY_LIVE_FORMAT) - 1 - 2;
    struct slice name = slice_from(channel, prefix);
    struct org  *o = NULL;

    HASH_FIND(hh, orgs->table, name.data, name.len, o);
    return o;
}

static const struct listener *listener_of_channel(const struct orgs *orgs, struct slice channel)
{
    for (size_t i = 0; i < orgs->listener_count; i++) {
        if (slice_is(channel, orgs->listeners[i].channel))
            return &orgs->listeners[i];
    }
    return NULL;
}

static void on_message(struct link *l, struct slice channel, struct slice message, void *arg)
{
    struct orgs           *orgs = arg;
    const struct listener *listener = listener_of_channel(orgs, channel);
    struct org            *o = listener == NULL ? org_of_channel(orgs, channel) : NULL;
    uint64_t               repeats;

    (void)l;
    if (listener != NULL)
        listener->cb(message, listener->arg);
    if (o == NULL)
        return;
    repeats = o->feed.repeats;
    if (feed_message(&o->feed, message) != 0) {
        metric_inc(orgs->refused);
        log_error("message-refused", LOG_TEXT("org", o->name), LOG_NUM("bytes", message.len));
        return;
    }
    metric_add(orgs->repeats, (double)(o->feed.repeats - repeats));
    moved(o);
}

static void on_subscribed(struct link *l, struct slice channel, void *arg)
{
    const struct listener *listener = listener_of_channel(arg, channel);
    struct org            *o = listener == NULL ? org_of_channel(arg, channel) : NULL;

    (void)l;
    if (listener != NULL)
        listener->cb((struct slice){ NULL, 0 }, listener->arg);
    if (o != NULL) {
        feed_subscribed(&o->feed);
        moved(o);
    }
}

static void on_lost(struct link *l, void *arg)
{
    struct orgs *orgs = arg;
    struct org  *o, *next;

    HASH_ITER(hh, orgs->table, o, next) {
        if (o->link != l)
            continue;
        feed_lost(&o->feed);
        moved(o);
    }
}

static const struct link_handlers LINK_HANDLERS = {
    .on_message = on_message,
    .on_subscribed = on_subscribed,
    .on_lost = on_lost,
};

/* --- orgs --- */

static void org_free(struct org *o)
{
    assert(list_is_empty(&o->followers));
    HASH_DELETE(hh, o->orgs->table, o);
    list_remove(&o->in_ticking);
    list_remove(&o->in_lingering);
    feed_deinit(&o->feed);
    free(o);
}

static void org_end(struct org *o)
{
    char key[KEY_MAX];

    key_of(o, KEY_LIVE_FORMAT, key);
    link_unsubscribe(o->link, slice_of(key));
    org_free(o);
}

static void on_tick(uv_timer_t *timer)
{
    struct orgs *orgs = timer->data;
    struct list  due = LIST_INIT(due);
    struct list *node;
    uint64_t     now = now_ms(orgs);

    list_splice(&due, &orgs->ticking);
    while ((node = list_take_first(&due)) != NULL) {
        struct org *o = container_of(node, struct org, in_ticking);

        feed_tick(&o->feed, now);
        moved(o);                              /* puts it back where it still waits */
    }
    while (!list_is_empty(&orgs->lingering)) {
        struct org *o = container_of(orgs->lingering.next, struct org, in_lingering);

        if (o->free_at_ms > now)
            break;
        org_end(o);
    }
    if (list_is_empty(&orgs->ticking) && list_is_empty(&orgs->lingering))
        uv_timer_stop(&orgs->timer);
}

struct org *org_ref(struct org *o)
{
    o->refs++;
    list_remove(&o->in_lingering);
    return o;
}

void org_unref(struct org *o)
{
    assert(o->refs > 0);
    if (--o->refs > 0)
        return;
    o->free_at_ms = now_ms(o->orgs) + o->orgs->linger_ms;
    list_append(&o->orgs->lingering, &o->in_lingering);
    timer_wake(o->orgs);
}

struct org *orgs_ref(struct orgs *orgs, struct slice name)
{
    struct org *o = NULL;
    char        key[KEY_MAX];

    HASH_FIND(hh, orgs->table, name.data, name.len, o);
    if (o != NULL)
        return org_ref(o);
    assert(name.len > 0 && name.len < ORG_NAME_MAX && !orgs->is_closing);
    o = mem_new(struct org);
    o->orgs = orgs;
    o->link = orgs->links[redis_servers_of(&orgs->servers, name)];
    memcpy(o->name, name.data, name.len);
    feed_init(&o->feed, &FEED_HANDLERS, o);
    list_init(&o->followers);
    list_init(&o->in_ticking);
    list_init(&o->in_lingering);
    HASH_ADD_KEYPTR(hh, orgs->table, o->name, name.len, o);
    key_of(o, KEY_LIVE_FORMAT, key);
    link_subscribe(o->link, slice_of(key));
    return org_ref(o);
}

struct slice org_name(const struct org *o)
{
    return slice_of(o->name);
}

struct position org_position(const struct org *o)
{
    return o->feed.at;
}

bool org_is_live(const struct org *o)
{
    return feed_is_live(&o->feed);
}

struct list *org_followers(struct org *o)
{
    return &o->followers;
}

/* --- all of them --- */

static double read_canary(void *arg)
{
    return (double)orgs_canary_ms(arg) / 1000;
}

static double read_orgs(void *arg)
{
    return HASH_COUNT(((struct orgs *)arg)->table);
}

struct orgs *orgs_new(uv_loop_t *loop, const struct orgs_options *options,
                      const struct orgs_handlers *handlers, void *arg)
{
    struct orgs    *orgs = mem_new(struct orgs);
    struct metrics *m = options->metrics;

    if (redis_servers_init(&orgs->servers, options->redis_url, NULL) != 0) {
        free(orgs);
        return NULL;
    }
    orgs->loop = loop;
    orgs->handlers = handlers;
    orgs->arg = arg;
    orgs->linger_ms = options->linger_ms;
    list_init(&orgs->ticking);
    list_init(&orgs->lingering);
    orgs->gaps = metrics_counter(m, "taskwire_feed_log_reads_total", NULL,
                                 "Reads of an org's log to fill a gap.");
    orgs->resyncs = metrics_counter(m, "taskwire_feed_resyncs_total", NULL,
                                    "Times that an org's truth had to be asked for.");
    orgs->repeats = metrics_counter(m, "taskwire_feed_repeats_total", NULL,
                                    "Messages that had been delivered before.");
    orgs->refused = metrics_counter(m, "taskwire_feed_refused_total", NULL,
                                    "Messages that were no envelopes.");
    orgs->frames = metrics_counter(m, "taskwire_feed_envelopes_total", NULL,
                                   "Envelopes delivered in order.");
    for (size_t i = 0; i < orgs->servers.count; i++) {
        struct link_options lo = { orgs->servers.urls[i], options->gateway, m };

        orgs->links[i] = link_new(loop, &lo, &LINK_HANDLERS, orgs);
        assert(orgs->links[i] != NULL);        /* the same URL was fine a moment ago */
    }
    metrics_read(m, "taskwire_canary_age_seconds", NULL,
                 "Since the subscriber that is worst heard its own canary.", read_canary, orgs);
    metrics_read(m, "taskwire_feed_orgs", NULL, "Orgs listened to.", read_orgs, orgs);
    uv_timer_init(loop, &orgs->timer);
    orgs->timer.data = orgs;
    return orgs;
}

void orgs_listen(struct orgs *orgs, struct slice channel, orgs_news_cb *cb, void *arg)
{
    assert(orgs->listener_count < LISTENERS_MAX);
    orgs->listeners[orgs->listener_count++] =
        (struct listener){ mem_strndup(channel.data, channel.len), cb, arg };
    link_subscribe(orgs->links[0], channel);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct orgs *orgs = handle->data;

    for (size_t i = 0; i < orgs->listener_count; i++)
        free(orgs->listeners[i].channel);
    redis_servers_deinit(&orgs->servers);
    free(orgs);
}

void orgs_close(struct orgs *orgs)
{
    struct org *o, *next;

    assert(!orgs->is_closing);
    orgs->is_closing = true;
    for (size_t i = 0; i < orgs->servers.count; i++)
        link_close(orgs->links[i]);            /* commands under way give their references back */
    HASH_ITER(hh, orgs->table, o, next) {
        assert(o->refs == 0);
        org_free(o);
    }
    uv_close((uv_handle_t *)&orgs->timer, on_timer_closed);
}

bool orgs_is_healthy(const struct orgs *orgs)
{
    for (size_t i = 0; i < orgs->servers.count; i++) {
        if (!link_is_healthy(orgs->links[i]))
            return false;
    }
    return true;
}

uint64_t orgs_canary_ms(const struct orgs *orgs)
{
    uint64_t longest = 0;

    for (size_t i = 0; i < orgs->servers.count; i++) {
        uint64_t ms = link_canary_ms(orgs->links[i]);

        longest = ms > longest ? ms : longest;
    }
    return longest;
}

static void report_one(const struct org *o, struct buf *out)
{
    if (out->len > 0)
        buf_append_char(out, ' ');
    buf_printf(out, "%s=%llu-%llu%s", o->name, (unsigned long long)o->feed.at.epoch,
               (unsigned long long)o->feed.at.number, feed_is_live(&o->feed) ? "" : "?");
}

size_t orgs_report(struct orgs *orgs, size_t max, struct buf *out)
{
    size_t      count = HASH_COUNT(orgs->table);
    struct org *o = NULL;

    HASH_FIND_STR(orgs->table, orgs->reported, o);
    for (size_t i = 0; i < count && i < max; i++) {
        o = o != NULL ? o->hh.next : NULL;
        if (o == NULL)
            o = orgs->table;                   /* round again, or the last one told has gone */
        report_one(o, out);
        memcpy(orgs->reported, o->name, sizeof(orgs->reported));
    }
    return count;
}

struct redis *orgs_redis(const struct orgs *orgs)
{
    return link_redis(orgs->links[0]);
}

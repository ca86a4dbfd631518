/* control.c -- see control.h.
 *
 * The store holds the truth; a message is only the quickest way to hear of a change. So whoever
 * cannot be sure to have heard everything reads the truth again: at the start, after each
 * (re)subscription, every 5 s while not hearing, and every 30 s anyway (common/truth.h). A
 * connection can die without a word, so this taskd hears itself once a second (a canary), or
 * does not hear. A change that could not be told, because Redis was away from here but perhaps
 * not from others, is owed: everybody is told to read again as soon as it is back.
 *
 * Rejected: a version number in Redis to compare with. It would be one more thing that a Redis
 * without memory can take back. */
#include "taskd/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/truth.h"
#include "proto/keys.h"

#define TICK_MS        250
#define BEAT_MS        1000
#define DEAF_MS        3500                    /* three canaries that did not come */
#define NAME_BYTES     8
#define CHANNEL_SIZE   64
#define HEARD_MAX      (2 * REVOCATIONS_MAX)   /* whatever is published, until the store is read */

struct control {
    uv_timer_t               timer;
    uv_loop_t               *loop;
    struct store            *store;
    struct redis            *redis;
    struct redis_subscriber *subscriber;
    struct revocations      *revoked;
    char                     canary[CHANNEL_SIZE];
    uint64_t                 heard_ms;         /* the last of anything; 0: nothing since it came up */
    uint64_t                 beat_ms;
    struct truth             truth;            /* the store's revocations */
    bool                     owes_news;
    bool                     is_closing, is_timer_closed;
    unsigned                 telling;          /* under way */
    struct metric           *resets;
};

static void end_if_idle(struct control *c)
{
    if (!c->is_closing || !c->is_timer_closed || c->truth.is_reading || c->telling > 0)
        return;
    revocations_free(c->revoked);
    free(c);
}

static bool is_hearing(const struct control *c)
{
    return c->heard_ms != 0 && uv_now(c->loop) - c->heard_ms < DEAF_MS;
}

/* --- reading the truth --- */

static void read_into(struct revocations *all, const char *json)
{
    json_t     *records = json_parse(slice_of(json), NULL);
    const char *id;
    json_t     *record;

    json_object_foreach (records, id, record) {
        struct revocation one;

        if (revocation_read(record, clock_wall_ms(), &one, NULL) == 0)
            revocations_add(all, &one);
        else
            log_error("revocation-unreadable", LOG_TEXT("id", id));
    }
    json_decref(records);
}

static void on_read(int err, const char *json, void *arg)
{
    struct control   *c = arg;
    bool              was_known = c->truth.is_known;
    enum truth_answer answer = truth_end(&c->truth, err, uv_now(c->loop));

    if (c->is_closing) {
        end_if_idle(c);
        return;
    }
    if (answer == TRUTH_FAILED || answer == TRUTH_STALE)
        return;
    if (answer == TRUTH_WHOLE) {
        revocations_free(c->revoked);
        c->revoked = revocations_new();
    }
    read_into(c->revoked, json);
    if (!was_known)
        log_info("revocations-read", LOG_NUM("count", revocations_count(c->revoked)));
}

static void read_truth(struct control *c)
{
    int err;

    truth_begin(&c->truth);
    err = store_record_all(c->store, CONTROL_REVOCATION, on_read, c);
    if (err != 0)
        (void)truth_end(&c->truth, err, uv_now(c->loop));
}

/* --- telling --- */

static void on_told(int err, const struct redis_reply *reply, void *arg)
{
    struct control *c = arg;

    (void)reply;
    c->telling--;
    if (err != 0)
        c->owes_news = true;
    end_if_idle(c);
}

static void tell(struct control *c, const char *news)
{
    if (redis_call(c->redis, on_told, c, "PUBLISH", KEY_CONTROL, news, NULL) == 0)
        c->telling++;
    else
        c->owes_news = true;
}

static void tell_with(struct control *c, const char *word, json_t *what)
{
    struct buf news;

    buf_init(&news, 65536);
    buf_printf(&news, "1 %s ", word);
    (void)json_append(&news, what);            /* small: it fits */
    tell(c, news.data);
    json_decref(what);
    buf_deinit(&news);
}

/* --- hearing --- */

static void hear_one(struct control *c, struct slice word, struct slice json)
{
    json_t           *what = json_parse(json, NULL);
    struct revocation one;

    if (slice_is(word, "revoked") && revocation_read(what, clock_wall_ms(), &one, NULL) == 0) {
        truth_change(&c->truth);
        if (revocations_count(c->revoked) < HEARD_MAX)
            revocations_add(c->revoked, &one);
    } else if (slice_is(word, "restored") && json_text(what, "id") != NULL) {
        truth_change(&c->truth);
        revocations_drop(c->revoked, json_text(what, "id"));
    }
    json_decref(what);
}

static void on_message(struct redis_subscriber *s, struct slice channel, struct slice message,
                       void *arg)
{
    struct control *c = arg;
    struct slice    version;
    struct slice    word;

    (void)s;
    c->heard_ms = uv_now(c->loop);
    if (!slice_is(channel, KEY_CONTROL))
        return;                                /* the canary */
    version = slice_cut(&message, ' ');
    word = slice_cut(&message, ' ');
    if (!slice_is(version, "1"))
        return;                                /* of a newer taskd; the store is read in time */
    if (slice_is(word, "reload"))
        truth_doubt(&c->truth);
    else
        hear_one(c, word, message);
}

static void on_subscribed(struct redis_subscriber *s, struct slice channel, void *arg)
{
    struct control *c = arg;

    (void)s;
    c->heard_ms = uv_now(c->loop);
    if (slice_is(channel, KEY_CONTROL))
        truth_doubt(&c->truth);                /* what was told before was missed */
}

static void on_link(struct redis_subscriber *s, bool is_up, void *arg)
{
    struct control *c = arg;

    (void)s;
    if (!is_up)
        c->heard_ms = 0;
}

static const struct redis_subscriber_handlers HANDLERS = { on_message, on_subscribed, on_link };

/* --- the clock --- */

static void beat(struct control *c)
{
    c->beat_ms = uv_now(c->loop);
    if (c->heard_ms != 0 && !is_hearing(c) && redis_is_up(c->redis)) {
        log_warn("control-deaf", LOG_TEXT("channel", KEY_CONTROL));
        metric_inc(c->resets);
        c->heard_ms = 0;
        redis_subscriber_reset(c->subscriber);
    }
    (void)redis_call(c->redis, NULL, NULL, "PUBLISH", c->canary, "1", NULL);
}

static void on_tick(uv_timer_t *timer)
{
    struct control *c = timer->data;

    if (uv_now(c->loop) >= c->beat_ms + BEAT_MS)
        beat(c);
    if (c->owes_news && redis_is_up(c->redis)) {
        c->owes_news = false;
        tell(c, "1 reload");
    }
    if (truth_is_due(&c->truth, uv_now(c->loop), is_hearing(c)))
        read_truth(c);
}

/* --- asking --- */

bool control_is_known(const struct control *c)
{
    return c->truth.is_known;
}

bool control_is_revoked(const struct control *c, const struct claims *claims, struct slice token)
{
    return revocations_cover(c->revoked, claims, token, clock_wall_ms());
}

/* --- decisions --- */

struct decision {
    struct control   *control;
    struct revocation revocation;              /* of a restoration its id alone */
    void            (*then)(struct decision *d);
    store_done_cb    *cb;
    void             *arg;
};

static struct decision *decision_new(struct control *c, void (*then)(struct decision *d),
                                     store_done_cb *cb, void *arg)
{
    struct decision *d = mem_new(struct decision);

    d->control = c;
    d->then = then;
    d->cb = cb;
    d->arg = arg;
    return d;
}

/* The only exit. Where the outcome is unknown it is in force if it was stored: read. */
static void on_decided(int err, void *arg)
{
    struct decision *d = arg;

    truth_change(&d->control->truth);
    if (err == 0)
        d->then(d);
    else
        truth_doubt(&d->control->truth);
    d->cb(err, d->arg);
    free(d);
}

static void revoked(struct decision *d)
{
    revocations_add(d->control->revoked, &d->revocation);
    log_info("revoked", LOG_TEXT("revocation", d->revocation.id));
    tell_with(d->control, "revoked", revocation_to_json(&d->revocation));
}

int control_revoke(struct control *c, const struct revocation *r, store_done_cb *cb, void *arg)
{
    struct decision *d;
    json_t          *record;
    char            *json;
    int              err;

    if (revocations_count(c->revoked) >= REVOCATIONS_MAX)
        return ERR_BUSY;
    d = decision_new(c, revoked, cb, arg);
    d->revocation = *r;
    record = revocation_to_json(r);
    json = task_json_text(record);
    json_decref(record);
    err = store_record_put(c->store, CONTROL_REVOCATION, r->id, json, r->expires_at, on_decided,
                           d);
    free(json);
    if (err != 0)
        free(d);
    return err;
}

static void restored(struct decision *d)
{
    json_t *what = json_object();

    revocations_drop(d->control->revoked, d->revocation.id);
    log_info("restored", LOG_TEXT("revocation", d->revocation.id));
    json_put_text(what, "id", d->revocation.id);
    tell_with(d->control, "restored", what);
}

int control_restore(struct control *c, const char *id, store_done_cb *cb, void *arg)
{
    struct decision *d = decision_new(c, restored, cb, arg);
    int              err;

    snprintf(d->revocation.id, sizeof(d->revocation.id), "%s", id);
    err = store_record_drop(c->store, CONTROL_REVOCATION, id, on_decided, d);
    if (err != 0)
        free(d);
    return err;
}

static void flag_set(struct decision *d)
{
    tell(d->control, "1 flags");
}

int control_set_flag(struct control *c, const char *name, const char *json, store_done_cb *cb,
                     void *arg)
{
    struct decision *d = decision_new(c, flag_set, cb, arg);
    int              err;

    err = json != NULL ? store_record_put(c->store, CONTROL_FLAG, name, json, 0, on_decided, d)
                       : store_record_drop(c->store, CONTROL_FLAG, name, on_decided, d);
    if (err != 0)
        free(d);
    return err;
}

/* --- the beginning and the end --- */

static double read_count(void *arg)
{
    return (double)revocations_count(((struct control *)arg)->revoked);
}

static void name_canary(struct control *c)
{
    uint8_t    random[NAME_BYTES];
    struct buf name;

    crypto_random(random, sizeof(random));
    buf_init(&name, CHANNEL_SIZE);
    buf_append_text(&name, "taskd-");
    crypto_append_hex(&name, random, sizeof(random));
    snprintf(c->canary, sizeof(c->canary), KEY_CANARY_FORMAT, name.data);
    buf_deinit(&name);
}

struct control *control_new(const struct control_options *o)
{
    struct control *c = mem_new(struct control);

    c->loop = o->loop;
    c->store = o->store;
    c->redis = o->redis;
    c->revoked = revocations_new();
    truth_init(&c->truth);
    name_canary(c);
    c->resets = metrics_counter(o->metrics, "taskwire_control_resets_total", NULL,
                                "Connections to the control channel that had gone silent");
    metrics_read(o->metrics, "taskwire_revocations", NULL, "Revocations that are in force",
                 read_count, c);
    c->subscriber = redis_subscriber_new(o->loop, o->redis_url, "taskd-control", &HANDLERS, c);
    if (c->subscriber == NULL)
        abort();                               /* the URL was checked with the settings */
    redis_subscribe(c->subscriber, SLICE(KEY_CONTROL));
    redis_subscribe(c->subscriber, slice_of(c->canary));
    uv_timer_init(o->loop, &c->timer);
    c->timer.data = c;
    uv_timer_start(&c->timer, on_tick, 0, TICK_MS);
    return c;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct control *c = handle->data;

    c->is_timer_closed = true;
    end_if_idle(c);
}

void control_close(struct control *c)
{
    if (c->is_closing)
        return;
    c->is_closing = true;
    redis_subscriber_close(c->subscriber);
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

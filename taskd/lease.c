/* lease.c -- the lease of lease.h.
 *
 * The danger of every lease is the holder who does not know that it is over: its process was
 * stopped, its packets were on the way. Three things stand against it: the clock begins
 * when the question was sent; whoever writes asks lease_left_ms right before (or lets a script
 * compare the token, where the write goes to the same Redis); and a successor sits still for a
 * second after it was given the lease.
 *
 *     SEEKING --SET NX: OK--> SETTLING --a second later--> HELD --lost, or over--> SEEKING */
#include "taskd/lease.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define TICK_MS        100
#define RENEW_EVERY_MS 1000
#define SETTLE_MS      1000
#define TOKEN_BYTES    16

static struct redis_script renew_script = { .text =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then\n"
    "  return redis.call('PEXPIRE', KEYS[1], ARGV[2])\n"
    "end\n"
    "return 0\n"
};
static struct redis_script drop_script = { .text =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end\n"
    "return 0\n"
};

enum lease_state { LEASE_SEEKING, LEASE_SETTLING, LEASE_HELD };

struct lease {
    uv_timer_t       timer;
    struct redis    *redis;
    const char      *key;
    uint64_t         ttl_ms;
    bool             is_alone;
    lease_cb        *cb;
    void            *arg;
    enum lease_state state;
    char             token[TOKEN_BYTES * 2 + 1];
    char             ttl_text[24];
    uint64_t         asked_ms;                 /* when the question under way was sent */
    uint64_t         since_ms;                 /* when the lease was asked for, or renewed */
    uint64_t         settled_ms;               /* from when on it may be used */
    bool             is_asking, is_resigned, is_closing, is_timer_closed;
};

static uint64_t clock_ms(void)
{
    return uv_hrtime() / 1000000;              /* not uv_now: that stands still while we work */
}

uint64_t lease_left_ms(const struct lease *l)
{
    uint64_t over_ms = l->since_ms + l->ttl_ms;
    uint64_t now_ms = clock_ms();

    return l->state == LEASE_HELD && now_ms < over_ms ? over_ms - now_ms : 0;
}

const char *lease_token(const struct lease *l)
{
    return l->token;
}

static void lease_enter(struct lease *l, enum lease_state state)
{
    bool was_held = l->state == LEASE_HELD;

    if (l->state == state)
        return;
    l->state = state;
    if (state == LEASE_HELD)
        log_info("lease-held", LOG_TEXT("key", l->key));
    else if (was_held && l->is_resigned)
        log_info("lease-resigned", LOG_TEXT("key", l->key));
    else if (was_held)
        log_warn("lease-lost", LOG_TEXT("key", l->key));
    if (was_held != (state == LEASE_HELD))
        l->cb(state == LEASE_HELD, l->arg);
}

static void end_if_idle(struct lease *l)
{
    if (l->is_closing && l->is_timer_closed && !l->is_asking)
        free(l);
}

static void lease_drop(struct lease *l)
{
    struct slice argv[] = { slice_of(l->key), slice_of(l->token) };

    (void)redis_eval(l->redis, &drop_script, NULL, NULL, 1, 2, argv);   /* or it expires */
}

static void on_taken(int err, const struct redis_reply *reply, void *arg)
{
    struct lease *l = arg;
    bool          is_ours = err == 0 && slice_is(redis_reply_text(reply), "OK");

    l->is_asking = false;
    if (is_ours && l->is_resigned) {
        lease_drop(l);                         /* it came too late to be wanted */
    } else if (is_ours && !l->is_closing) {
        l->since_ms = l->asked_ms;
        l->settled_ms = clock_ms() + (l->is_alone ? 0 : SETTLE_MS);
        lease_enter(l, LEASE_SETTLING);
    }
    end_if_idle(l);
}

static void on_renewed(int err, const struct redis_reply *reply, void *arg)
{
    struct lease *l = arg;

    l->is_asking = false;
    if (!l->is_closing && err == 0) {
        if (redis_reply_int(reply) == 1)
            l->since_ms = l->asked_ms;
        else
            lease_enter(l, LEASE_SEEKING);     /* another has it, or Redis forgot it */
    }
    end_if_idle(l);
}

static void lease_seek(struct lease *l)
{
    l->asked_ms = clock_ms();
    l->is_asking = redis_call(l->redis, on_taken, l, "SET", l->key, l->token, "PX", l->ttl_text,
                              l->is_alone ? NULL : "NX", NULL) == 0;
}

static void lease_renew(struct lease *l)
{
    struct slice argv[] = { slice_of(l->key), slice_of(l->token), slice_of(l->ttl_text) };

    l->asked_ms = clock_ms();
    l->is_asking = redis_eval(l->redis, &renew_script, on_renewed, l, 1, 3, argv) == 0;
}

static void on_tick(uv_timer_t *timer)
{
    struct lease *l = timer->data;
    uint64_t      now_ms = clock_ms();

    if (l->state != LEASE_SEEKING && now_ms >= l->since_ms + l->ttl_ms)
        lease_enter(l, LEASE_SEEKING);
    if (l->state == LEASE_SETTLING && now_ms >= l->settled_ms)
        lease_enter(l, LEASE_HELD);
    if (l->is_asking || l->is_resigned)
        return;
    if (l->state == LEASE_SEEKING)
        lease_seek(l);
    else if (now_ms >= l->asked_ms + RENEW_EVERY_MS)
        lease_renew(l);
}

struct lease *lease_new(uv_loop_t *loop, struct redis *redis, const struct lease_options *o)
{
    struct lease *l = mem_new(struct lease);
    uint8_t       random[TOKEN_BYTES];
    struct buf    hex;

    l->redis = redis;
    l->key = o->key;
    l->ttl_ms = o->ttl_ms;
    l->is_alone = o->is_alone;
    l->cb = o->cb;
    l->arg = o->arg;
    snprintf(l->ttl_text, sizeof(l->ttl_text), "%llu", (unsigned long long)l->ttl_ms);
    crypto_random(random, sizeof(random));
    buf_init(&hex, sizeof(l->token));
    crypto_append_hex(&hex, random, sizeof(random));
    memcpy(l->token, hex.data, hex.len);
    buf_deinit(&hex);
    uv_timer_init(loop, &l->timer);
    l->timer.data = l;
    uv_timer_start(&l->timer, on_tick, 0, TICK_MS);
    return l;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct lease *l = handle->data;

    l->is_timer_closed = true;
    end_if_idle(l);
}

void lease_resign(struct lease *l)
{
    if (l->is_resigned || l->is_closing)
        return;
    l->is_resigned = true;
    if (l->state != LEASE_SEEKING)
        lease_drop(l);
    lease_enter(l, LEASE_SEEKING);
}

void lease_close(struct lease *l)
{
    if (l->is_closing)
        return;
    l->is_closing = true;
    if (l->state != LEASE_SEEKING)
        lease_drop(l);
    uv_close((uv_handle_t *)&l->timer, on_timer_closed);
}

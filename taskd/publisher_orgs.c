/* publisher_orgs.c -- where an org stands: its counts, and the beginning of an epoch.
 *
 * The sequencer keeps an org's counts as it goes. Where they come from at first, and after
 * Redis lost them, is a count in the store of what was *marked*: so nobody may mark between
 * the count and its arrival in Redis, or a task would be counted before its move and its
 * move never be heard of again.
 *
 *     STEADY --recount--> AWAIT_MARKS --no mark under way--> COUNTING --begin--> STEADY
 *        \---- quiet for half a minute: hold, count, correct ----/
 *
 * What was sent in the old epoch and not marked is sent again (outbox_restart): the new
 * epoch's counts do not have it yet. Another taskd's marks cannot be seen: while Redis holds
 * the org back nobody sends, so those that were sent in an epoch before are given a moment to be
 * marked. What is later than that is found by the check of quiet orgs. */
#include "taskd/publisher_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "taskd/fault.h"

#define OTHERS_MARK_MS   50
#define CHECK_EVERY_MS   30000
#define QUIET_US         5000000
#define FORGET_AFTER_MS  3600000
#define CHECKS_AT_ONCE   8

struct org *org_of(struct shard *sh, const char *name)
{
    struct org *o;

    HASH_FIND_STR(sh->orgs, name, o);
    if (o == NULL) {
        o = mem_new(struct org);
        strncpy(o->name, name, sizeof(o->name) - 1);
        list_init(&o->awaiting);
        o->shard = sh;
        o->checked_at_ms = uv_now(sh->loop);
        HASH_ADD_STR(sh->orgs, name, o);
    }
    o->used_at_ms = uv_now(sh->loop);
    return o;
}

struct script_caller org_caller(struct org *o)
{
    uint64_t clock = (uint64_t)clock_wall_us();

    return (struct script_caller){
        .org = o->name, .token = o->shard->publisher->token,
        .floor_us = clock > o->highest ? clock : o->highest + 1,
    };
}

bool org_may_mark(const struct org *o)
{
    return o->state == ORG_STEADY || !o->is_beginning;
}

/* --- counting --- */

static void count_done(struct org *o)
{
    o->state = ORG_STEADY;
    o->checked_at_ms = uv_now(o->shard->loop);
    o->shard->counts_under_way--;
    publisher_wake(o->shard->publisher);
    publisher_end_if_idle(o->shard->publisher);
}

static void on_count_installed(int err, const struct redis_reply *reply, void *arg)
{
    struct org          *o = arg;
    struct shard        *sh = o->shard;
    struct script_answer a;

    script_answer_read(err, reply, &a);
    if (a.outcome == SCRIPT_OK && o->is_beginning) {
        FAULT_POINT("after-begin");
        metric_inc(sh->publisher->epochs);
        log_info("epoch-begun", LOG_TEXT("org", o->name), LOG_NUM("epoch", a.at.epoch));
        org_answered(o, &a);
    } else if (a.outcome == SCRIPT_OK && a.known > 0) {
        metric_add(sh->publisher->corrected, (double)a.known);
        log_warn("counts-corrected", LOG_TEXT("org", o->name), LOG_NUM("scopes", a.known));
        org_answered(o, &a);
    } else if (a.outcome == SCRIPT_FAILED) {
        log_warn("count-refused", LOG_TEXT("org", o->name), LOG_ERR(err));
    }
    count_done(o);
}

/* Somebody else may take the hold at once; otherwise it expires. */
static void count_give_up(struct org *o)
{
    struct script_caller who = org_caller(o);

    (void)script_release(o->shard->redis, &who, NULL, NULL);
}

static void on_counted(int err, const struct store_counts *c, void *arg)
{
    struct org          *o = arg;
    struct redis        *r = o->shard->redis;
    struct script_caller who = org_caller(o);

    FAULT_POINT("before-begin");
    if (err == 0 && o->is_beginning)
        err = script_begin(r, &who, c, on_count_installed, o);
    else if (err == 0)
        err = script_correct(r, &who, c, on_count_installed, o);
    else
        count_give_up(o);
    if (err != 0)
        count_done(o);
}

static void count_begin(struct org *o)
{
    list_remove(&o->awaiting);
    o->state = ORG_COUNTING;
    if (store_counts(o->shard->store, o->name, on_counted, o) == 0)
        return;
    count_give_up(o);
    count_done(o);
}

static void count_if_due(struct org *o)
{
    if (o->state == ORG_AWAIT_MARKS && o->marks == 0 && uv_now(o->shard->loop) >= o->count_at_ms)
        count_begin(o);
}

static void count_want(struct org *o, bool is_beginning)
{
    if (o->state != ORG_STEADY)
        return;
    if (o->shard->publisher->is_closing) {
        count_give_up(o);
        return;
    }
    o->is_beginning = is_beginning;
    o->shard->counts_under_way++;
    o->state = ORG_AWAIT_MARKS;
    o->count_at_ms = uv_now(o->shard->loop) + (is_beginning && o->epoch != 0 ? OTHERS_MARK_MS : 0);
    list_append(&o->shard->awaiting, &o->awaiting);
    if (is_beginning)
        outbox_restart(o->shard->outbox, o->name, uv_now(o->shard->loop));
    count_if_due(o);
    publisher_wake(o->shard->publisher);
}

void orgs_tick(struct shard *sh)
{
    list_each_safe(node, &sh->awaiting)
        count_if_due(container_of(node, struct org, awaiting));
}

void orgs_stop(struct shard *sh)
{
    list_each_safe(node, &sh->awaiting) {
        struct org *o = container_of(node, struct org, awaiting);

        list_remove(&o->awaiting);
        o->state = ORG_STEADY;
        sh->counts_under_way--;
        count_give_up(o);
    }
}

void org_mark_began(struct org *o)
{
    o->marks++;
}

void org_mark_ended(struct org *o)
{
    o->marks--;
    count_if_due(o);
}

void org_answered(struct org *o, const struct script_answer *a)
{
    if (a->at.number > o->highest)
        o->highest = a->at.number;
    if (a->at.epoch != 0) {
        if (o->epoch != 0 && o->epoch != a->at.epoch) {
            outbox_restart(o->shard->outbox, o->name, uv_now(o->shard->loop));
            publisher_marked(o->shard->publisher, NULL, 0, BUCKET_NONE);
        }
        o->epoch = a->at.epoch;
    }
    if (a->outcome == SCRIPT_RECOUNT)
        count_want(o, true);
}

/* --- checking --- */

struct check {
    struct shard *shard;
    char          org[ORG_NAME_SIZE];
};

static void on_check_held(int err, const struct redis_reply *reply, void *arg)
{
    struct check        *c = arg;
    struct shard        *sh = c->shard;
    struct org          *o = org_of(sh, c->org);
    struct script_answer a;
    struct script_caller who = org_caller(o);

    script_answer_read(err, reply, &a);
    sh->counts_under_way--;
    if (a.outcome == SCRIPT_OK && o->state == ORG_STEADY && o->marks == 0 &&
        !sh->publisher->is_closing)
        count_want(o, false);
    else if (a.outcome == SCRIPT_OK)
        (void)script_release(sh->redis, &who, NULL, NULL);
    free(c);
    publisher_end_if_idle(sh->publisher);
}

static void check_begin(struct org *o)
{
    struct check        *c = mem_new(struct check);
    struct script_caller who = org_caller(o);

    c->shard = o->shard;
    memcpy(c->org, o->name, sizeof(c->org));
    if (script_hold(o->shard->redis, &who, QUIET_US, on_check_held, c) == 0)
        o->shard->counts_under_way++;
    else
        free(c);
}

void orgs_check(struct shard *sh)
{
    uint64_t    now_ms = uv_now(sh->loop);
    unsigned    begun = 0;
    struct org *o;
    struct org *next;

    if (!redis_is_up(sh->redis) || !store_is_up(sh->store))
        return;
    HASH_ITER (hh, sh->orgs, o, next) {
        if (o->state != ORG_STEADY || o->marks > 0 || now_ms - o->checked_at_ms < CHECK_EVERY_MS)
            continue;
        if (now_ms - o->used_at_ms > FORGET_AFTER_MS && !outbox_has_org(sh->outbox, o->name)) {
            HASH_DEL(sh->orgs, o);
            free(o);
            continue;
        }
        if (begun++ >= CHECKS_AT_ONCE)
            break;
        o->checked_at_ms = now_ms;
        if (!outbox_has_org(sh->outbox, o->name))
            check_begin(o);
    }
}

void orgs_free(struct shard *sh)
{
    struct org *o;
    struct org *next;

    HASH_ITER (hh, sh->orgs, o, next) {
        HASH_DEL(sh->orgs, o);
        free(o);
    }
}

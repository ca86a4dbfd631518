/* publisher_org.c -- where an org stands: positions, counts, and the beginning of an epoch.
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
 * epoch's counts do not have it yet. Another taskd's marks cannot be waited for; that is what
 * the check of quiet orgs is for. */
#include "taskd/publisher_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "taskd/fault.h"

#define CHECK_EVERY_MS   30000
#define QUIET_US         5000000
#define FORGET_AFTER_MS  3600000
#define CHECKS_AT_ONCE   8
#define ASK_PATIENCE_MS  6000                  /* a hold lasts at most five seconds */
#define ASK_PAUSE_MS     50
#define ASKS_MAX         10000

struct org *org_of(struct publisher *p, const char *name)
{
    struct org *o;

    HASH_FIND_STR(p->orgs, name, o);
    if (o == NULL) {
        o = mem_new(struct org);
        strncpy(o->name, name, sizeof(o->name) - 1);
        o->publisher = p;
        o->checked_at_ms = uv_now(p->loop);
        HASH_ADD_STR(p->orgs, name, o);
    }
    o->used_at_ms = uv_now(p->loop);
    return o;
}

struct script_caller org_caller(struct org *o)
{
    uint64_t clock = (uint64_t)clock_wall_us();

    return (struct script_caller){
        .org = o->name, .token = o->publisher->token,
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
    o->checked_at_ms = uv_now(o->publisher->loop);
    o->publisher->counts_under_way--;
    publisher_wake(o->publisher);
    publisher_end_if_idle(o->publisher);
}

static void on_count_installed(int err, const struct redis_reply *reply, void *arg)
{
    struct org          *o = arg;
    struct publisher    *p = o->publisher;
    struct script_answer a;

    script_answer_read(err, reply, &a);
    if (a.outcome == SCRIPT_OK && o->is_beginning) {
        FAULT_POINT("after-begin");
        metric_inc(p->epochs);
        log_info("epoch-begun", LOG_TEXT("org", o->name), LOG_NUM("epoch", a.at.epoch));
        org_answered(o, &a);
    } else if (a.outcome == SCRIPT_OK && a.known > 0) {
        metric_add(p->corrected, (double)a.known);
        log_warn("counts-corrected", LOG_TEXT("org", o->name), LOG_NUM("scopes", a.known));
        org_answered(o, &a);
    } else if (a.outcome == SCRIPT_FAILED) {
        log_warn("count-refused", LOG_TEXT("org", o->name), LOG_ERR(err));
    }
    count_done(o);
}

static void on_counted(int err, const struct store_counts *c, void *arg)
{
    struct org          *o = arg;
    struct redis        *r = o->publisher->redis;
    struct script_caller who = org_caller(o);

    FAULT_POINT("before-begin");
    if (err == 0 && o->is_beginning)
        err = script_begin(r, &who, c, on_count_installed, o);
    else if (err == 0)
        err = script_correct(r, &who, c, on_count_installed, o);
    else
        (void)script_release(r, &who, NULL, NULL);   /* or it expires */
    if (err != 0)
        count_done(o);
}

static void count_begin(struct org *o)
{
    struct script_caller who = org_caller(o);

    o->state = ORG_COUNTING;
    if (store_counts(o->publisher->store, o->name, on_counted, o) == 0)
        return;
    (void)script_release(o->publisher->redis, &who, NULL, NULL);
    count_done(o);
}

static void count_want(struct org *o, bool is_beginning)
{
    if (o->state != ORG_STEADY)
        return;
    o->is_beginning = is_beginning;
    o->publisher->counts_under_way++;
    o->state = ORG_AWAIT_MARKS;
    if (is_beginning)
        outbox_restart(o->publisher->outbox, o->name, uv_now(o->publisher->loop));
    if (o->marks == 0)
        count_begin(o);
}

void org_mark_began(struct org *o)
{
    o->marks++;
}

void org_mark_ended(struct org *o)
{
    o->marks--;
    if (o->marks == 0 && o->state == ORG_AWAIT_MARKS)
        count_begin(o);
}

void org_answered(struct org *o, const struct script_answer *a)
{
    if (a->at.number > o->highest)
        o->highest = a->at.number;
    if (a->at.epoch != 0) {
        if (o->epoch != 0 && o->epoch != a->at.epoch)
            outbox_restart(o->publisher->outbox, o->name, uv_now(o->publisher->loop));
        o->epoch = a->at.epoch;
    }
    if (a->outcome == SCRIPT_RECOUNT)
        count_want(o, true);
}

/* --- checking --- */

struct check {
    struct publisher *publisher;
    char              org[ORG_NAME_SIZE];
};

static void on_check_held(int err, const struct redis_reply *reply, void *arg)
{
    struct check        *c = arg;
    struct publisher    *p = c->publisher;
    struct org          *o = org_of(p, c->org);
    struct script_answer a;
    struct script_caller who = org_caller(o);

    script_answer_read(err, reply, &a);
    p->counts_under_way--;
    if (a.outcome == SCRIPT_OK && o->state == ORG_STEADY && o->marks == 0 && !p->is_closing)
        count_want(o, false);
    else if (a.outcome == SCRIPT_OK)
        (void)script_release(p->redis, &who, NULL, NULL);
    free(c);
    publisher_end_if_idle(p);
}

static void check_begin(struct org *o)
{
    struct check        *c = mem_new(struct check);
    struct script_caller who = org_caller(o);

    c->publisher = o->publisher;
    memcpy(c->org, o->name, sizeof(c->org));
    if (script_hold(o->publisher->redis, &who, QUIET_US, on_check_held, c) == 0)
        o->publisher->counts_under_way++;
    else
        free(c);
}

void orgs_check(struct publisher *p)
{
    uint64_t    now_ms = uv_now(p->loop);
    unsigned    begun = 0;
    struct org *o;
    struct org *next;

    if (!redis_is_up(p->redis) || !store_is_up(p->store))
        return;
    HASH_ITER (hh, p->orgs, o, next) {
        if (o->state != ORG_STEADY || o->marks > 0 || now_ms - o->checked_at_ms < CHECK_EVERY_MS)
            continue;
        if (now_ms - o->used_at_ms > FORGET_AFTER_MS && !outbox_has_org(p->outbox, o->name)) {
            HASH_DEL(p->orgs, o);
            free(o);
            continue;
        }
        if (begun++ >= CHECKS_AT_ONCE)
            break;
        o->checked_at_ms = now_ms;
        if (!outbox_has_org(p->outbox, o->name))
            check_begin(o);
    }
}

void orgs_free(struct publisher *p)
{
    struct org *o;
    struct org *next;

    HASH_ITER (hh, p->orgs, o, next) {
        HASH_DEL(p->orgs, o);
        free(o);
    }
}

/* --- positions --- */

struct ask {
    struct list            node;
    struct publisher      *publisher;
    char                   org[ORG_NAME_SIZE];
    char                   sub[ORG_NAME_SIZE];
    uint64_t               deadline_ms, wake_at_ms;
    bool                   has_sub;
    bool                   is_waiting;         /* for the outbox, or for a script's answer */
    publisher_position_cb *on_position;
    publisher_counts_cb   *on_counts;
    void                  *arg;
};

/* The only exit. */
static void ask_done(struct ask *a, int err, const struct script_answer *answer)
{
    struct publisher_counts c;

    list_remove(&a->node);
    if (a->on_position != NULL) {
        a->on_position(err, answer->at, a->arg);
    } else {
        c.at = answer->at;
        c.people = answer->people;
        memcpy(c.org, answer->org, sizeof(c.org));
        memcpy(c.own, answer->own, sizeof(c.own));
        c.rev = answer->rev;
        c.own_rev = answer->own_rev;
        a->on_counts(err, err == 0 ? &c : NULL, a->arg);
    }
    free(a);
}

static void ask_fail(struct ask *a, int err)
{
    static const struct script_answer nothing;

    ask_done(a, err, &nothing);
}

static void on_ask_answered(int err, const struct redis_reply *reply, void *arg)
{
    struct ask          *a = arg;
    struct publisher    *p = a->publisher;
    struct script_answer answer;

    p->asks_under_way--;
    a->is_waiting = false;
    script_answer_read(err, reply, &answer);
    org_answered(org_of(p, a->org), &answer);
    if (answer.outcome == SCRIPT_OK)
        ask_done(a, 0, &answer);
    else if (p->is_closing)
        ask_fail(a, ERR_CLOSED);
    else if (answer.outcome == SCRIPT_FAILED || uv_now(p->loop) >= a->deadline_ms)
        ask_fail(a, ERR_REDIS);
    else
        a->wake_at_ms = uv_now(p->loop) + ASK_PAUSE_MS;
    publisher_wake(p);
    publisher_end_if_idle(p);
}

static void ask_run(struct ask *a)
{
    struct publisher    *p = a->publisher;
    struct script_caller who = org_caller(org_of(p, a->org));

    if (script_position(p->redis, &who, a->has_sub ? a->sub : NULL, on_ask_answered, a) != 0) {
        ask_fail(a, ERR_REDIS);
        return;
    }
    a->is_waiting = true;
    p->asks_under_way++;
}

void ask_settled(struct ask *a, int err)
{
    a->is_waiting = false;
    if (err != 0)
        ask_fail(a, err);
    else
        ask_run(a);
}

void asks_tick(struct publisher *p)
{
    uint64_t now_ms = uv_now(p->loop);

    list_each_safe (node, &p->asks) {
        struct ask *a = container_of(node, struct ask, node);

        if (!a->is_waiting && a->wake_at_ms <= now_ms)
            ask_run(a);
    }
}

/* Those who wait for a script are told when it answers. */
void asks_fail(struct publisher *p, int err)
{
    list_each_safe (node, &p->asks) {
        struct ask *a = container_of(node, struct ask, node);

        if (!a->is_waiting)
            ask_fail(a, err);
    }
}

static struct ask *ask_new(struct publisher *p, const char *org, void *arg)
{
    struct ask *a = mem_new(struct ask);

    a->publisher = p;
    a->arg = arg;
    strncpy(a->org, org, sizeof(a->org) - 1);
    a->deadline_ms = uv_now(p->loop) + ASK_PATIENCE_MS;
    list_append(&p->asks, &a->node);
    return a;
}

static int ask_allowed(const struct publisher *p)
{
    if (p->is_closing)
        return ERR_CLOSED;
    if (!redis_is_up(p->redis))
        return ERR_REDIS;
    return p->asks_under_way >= ASKS_MAX ? ERR_BUSY : 0;
}

/* A script's answer comes later in any case; only a refusal to send could come at once, and
 * asks_tick takes care of it: the first try is made there or right here, never answered here. */
static int ask_begin(struct ask *a)
{
    struct publisher    *p = a->publisher;
    struct script_caller who = org_caller(org_of(p, a->org));
    int err = script_position(p->redis, &who, a->has_sub ? a->sub : NULL, on_ask_answered, a);

    if (err != 0) {
        list_remove(&a->node);
        free(a);
        return err;
    }
    a->is_waiting = true;
    p->asks_under_way++;
    return 0;
}

int publisher_settle(struct publisher *p, const char *org, const char *task_id,
                     publisher_position_cb *cb, void *arg)
{
    struct ask *a;
    int         err = ask_allowed(p);

    if (err != 0)
        return err;
    a = ask_new(p, org, arg);
    a->on_position = cb;
    a->has_sub = true;                         /* of nobody: only the position is wanted */
    if (task_id == NULL)
        return ask_begin(a);
    a->is_waiting = true;
    outbox_want(p->outbox, task_id, a, uv_now(p->loop));
    publisher_wake(p);
    return 0;
}

int publisher_counts(struct publisher *p, const char *org, const char *sub,
                     publisher_counts_cb *cb, void *arg)
{
    struct ask *a;
    int         err = ask_allowed(p);

    if (err != 0)
        return err;
    a = ask_new(p, org, arg);
    a->on_counts = cb;
    a->has_sub = sub != NULL;
    if (sub != NULL)
        strncpy(a->sub, sub, sizeof(a->sub) - 1);
    return ask_begin(a);
}

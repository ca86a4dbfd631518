/* publisher_asks.c -- where is this org now? Snapshots and lists ask.
 *
 * A position is only worth something once what its asker may see was published: an ask waits
 * for its task in the outbox first, then for the script, and for as long as the org's counts are
 * being taken. All on the loop. */
#include "taskd/publisher_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"

#define ASK_PATIENCE_MS 6000                   /* a hold lasts at most five seconds */
#define ASK_PAUSE_MS    50
#define ASKS_MAX        10000                  /* of one server */

struct ask {
    struct list            node;
    struct shard          *shard;
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
    struct shard        *sh = a->shard;
    struct script_answer answer;

    sh->asks_under_way--;
    a->is_waiting = false;
    script_answer_read(err, reply, &answer);
    org_answered(org_of(sh, a->org), &answer);
    if (answer.outcome == SCRIPT_OK)
        ask_done(a, 0, &answer);
    else if (sh->publisher->is_closing)
        ask_fail(a, ERR_CLOSED);
    else if (answer.outcome == SCRIPT_FAILED || uv_now(sh->loop) >= a->deadline_ms)
        ask_fail(a, ERR_REDIS);
    else
        a->wake_at_ms = uv_now(sh->loop) + ASK_PAUSE_MS;
    publisher_wake(sh->publisher);
    publisher_end_if_idle(sh->publisher);
}

static void ask_run(struct ask *a)
{
    struct shard        *sh = a->shard;
    struct script_caller who = org_caller(org_of(sh, a->org));

    if (script_position(sh->redis, &who, a->has_sub ? a->sub : NULL, on_ask_answered, a) != 0) {
        ask_fail(a, ERR_REDIS);
        return;
    }
    a->is_waiting = true;
    sh->asks_under_way++;
}

void ask_settled(struct ask *a, int err)
{
    a->is_waiting = false;
    if (err != 0)
        ask_fail(a, err);
    else
        ask_run(a);
}

void asks_tick(struct shard *sh)
{
    uint64_t now_ms = uv_now(sh->loop);

    list_each_safe (node, &sh->asks) {
        struct ask *a = container_of(node, struct ask, node);

        if (!a->is_waiting && a->wake_at_ms <= now_ms)
            ask_run(a);
    }
}

/* Those who wait for a script are told when it answers. */
void asks_fail(struct shard *sh, int err)
{
    list_each_safe (node, &sh->asks) {
        struct ask *a = container_of(node, struct ask, node);

        if (!a->is_waiting)
            ask_fail(a, err);
    }
}

static struct ask *ask_new(struct shard *sh, const char *org, void *arg)
{
    struct ask *a = mem_new(struct ask);

    a->shard = sh;
    a->arg = arg;
    strncpy(a->org, org, sizeof(a->org) - 1);
    a->deadline_ms = uv_now(sh->loop) + ASK_PATIENCE_MS;
    list_append(&sh->asks, &a->node);
    return a;
}

static int ask_allowed(const struct shard *sh)
{
    if (sh->publisher->is_closing)
        return ERR_CLOSED;
    if (!redis_is_up(sh->redis))
        return ERR_REDIS;
    return sh->asks_under_way >= ASKS_MAX ? ERR_BUSY : 0;
}

/* A script's answer comes later in any case; only a refusal to send could come at once, and
 * asks_tick takes care of it: the first try is made there or right here, never answered here. */
static int ask_begin(struct ask *a)
{
    struct shard        *sh = a->shard;
    struct script_caller who = org_caller(org_of(sh, a->org));
    int err = script_position(sh->redis, &who, a->has_sub ? a->sub : NULL, on_ask_answered, a);

    if (err != 0) {
        list_remove(&a->node);
        free(a);
        return err;
    }
    a->is_waiting = true;
    sh->asks_under_way++;
    return 0;
}

int publisher_settle(struct publisher *p, const char *org, const char *task_id,
                     publisher_position_cb *cb, void *arg)
{
    struct shard *sh = shard_of(p, org);
    struct ask   *a;
    int           err = ask_allowed(sh);

    if (err != 0)
        return err;
    a = ask_new(sh, org, arg);
    a->on_position = cb;
    a->has_sub = true;                         /* of nobody: only the position is wanted */
    if (task_id == NULL)
        return ask_begin(a);
    a->is_waiting = true;
    outbox_want(sh->outbox, task_id, a, uv_now(sh->loop));
    publisher_wake(sh->publisher);
    return 0;
}

int publisher_counts(struct publisher *p, const char *org, const char *sub,
                     publisher_counts_cb *cb, void *arg)
{
    struct shard *sh = shard_of(p, org);
    struct ask   *a;
    int           err = ask_allowed(sh);

    if (err != 0)
        return err;
    a = ask_new(sh, org, arg);
    a->on_counts = cb;
    a->has_sub = sub != NULL;
    if (sub != NULL)
        strncpy(a->sub, sub, sizeof(a->sub) - 1);
    return ask_begin(a);
}

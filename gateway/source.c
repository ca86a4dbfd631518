/* source.c -- see source.h.
 *
 * Only active sources follow their org's feed and the timer; a thousand rooms whose people
 * all have their snapshot cost nothing here. Becoming active and idle is derived from the
 * join machine after every call (`look`), so no path can forget it.
 *
 * A question to Redis cannot be taken back. It is a small struct of its own that knows its
 * source, and is told when the source has lost interest. */
#include "gateway/source.h"

#include <assert.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"

#define TICK_MS 50

struct source_ask {
    struct source *source;                     /* NULL: nobody waits for the answer any more */
};

static void on_tick(uv_timer_t *timer);

static uint64_t now_ms(const struct source *s)
{
    return uv_now(s->all->loop);
}

/* Is it on the lists that it should be on? */
static void look(struct source *s)
{
    if (!join_is_active(&s->join))
        return;                                /* leaves its lists with the next tick */
    if (list_is_empty(&s->in_org))
        list_append(org_followers(s->org), &s->in_org);
    if (list_is_empty(&s->in_active))
        list_append(&s->all->active, &s->in_active);
    if (!s->all->is_closing && !uv_is_active((uv_handle_t *)&s->all->timer))
        uv_timer_start(&s->all->timer, on_tick, TICK_MS, TICK_MS);
}

static void let_go(struct source *s)
{
    if (s->call != NULL)
        taskd_call_cancel(s->call);
    s->call = NULL;
    if (s->ask != NULL)
        s->ask->source = NULL;
    s->ask = NULL;
}

/* --- what the join machine orders --- */

static void on_fetched(int err, const struct http_result *result, void *arg)
{
    struct source  *s = arg;
    struct slice    rest;
    struct position at;

    s->call = NULL;
    if (err == 0 && result->status != 200)
        err = result->status == 404 ? ERR_NOT_FOUND : ERR_REPLY;
    if (err == 0 && s->handlers->fetched != NULL &&
        !s->handlers->fetched(s, result->body, s->arg)) {
        look(s);
        return;
    }
    rest = err == 0 ? result->body : (struct slice){ NULL, 0 };
    if (err == 0 && position_parse(slice_cut(&rest, '\n'), &at) == 0)
        org_expect(s->org, at);
    join_fetched(&s->join, s->join.ticket, err,
                 err == 0 ? result->body : (struct slice){ NULL, 0 }, now_ms(s));
    look(s);
}

static void on_fetch(uint32_t ticket, void *arg)
{
    struct source *s = arg;
    int            err;

    let_go(s);
    err = taskd_client_internal(s->all->taskd, slice_of(s->target), (struct slice){ NULL, 0 },
                                on_fetched, s, &s->call);
    if (err != 0)
        join_fetched(&s->join, ticket, err, (struct slice){ NULL, 0 }, now_ms(s));
}

static void on_asked(struct org *o, int err, struct position at, uint32_t ticket, void *arg)
{
    struct source_ask *ask = arg;
    struct source     *s = ask->source;

    (void)o;
    free(ask);
    if (s == NULL)
        return;
    s->ask = NULL;
    join_fenced(&s->join, ticket, err, at, now_ms(s));
    look(s);
}

static void on_fence(uint32_t ticket, void *arg)
{
    struct source     *s = arg;
    struct source_ask *ask = mem_new(struct source_ask);
    int                err;

    ask->source = s;
    s->ask = ask;
    err = org_ask(s->org, on_asked, ticket, ask);
    if (err == 0)
        return;
    s->ask = NULL;
    free(ask);
    join_fenced(&s->join, ticket, err, (struct position){ 0, 0 }, now_ms(s));
}

static bool on_ready(bool is_last, void *arg)
{
    struct source *s = arg;

    return s->handlers->ready(s, is_last, s->arg);
}

static void on_failed(int err, void *arg)
{
    struct source *s = arg;

    s->handlers->failed(s, err, s->arg);
}

static const struct join_handlers JOIN_HANDLERS = {
    .fetch = on_fetch,
    .fence = on_fence,
    .ready = on_ready,
    .failed = on_failed,
};

/* --- calls --- */

void source_init(struct source *s, struct sources *all, struct org *org, const char *target,
                 const struct source_handlers *handlers, void *arg)
{
    *s = (struct source){ .all = all, .handlers = handlers, .arg = arg };
    s->org = org_ref(org);
    s->target = mem_strdup(target);
    list_init(&s->in_org);
    list_init(&s->in_active);
    join_init(&s->join, &JOIN_HANDLERS, s);
    join_feed(&s->join, org_is_live(org), org_position(org), now_ms(s));
}

void source_deinit(struct source *s)
{
    let_go(s);
    list_remove(&s->in_org);
    list_remove(&s->in_active);
    join_deinit(&s->join);
    org_unref(s->org);
    free(s->target);
}

/* Where it was idle it heard nothing of the feed; it hears now. */
static void catch_up(struct source *s)
{
    join_feed(&s->join, org_is_live(s->org), org_position(s->org), now_ms(s));
}

void source_move(struct source *s, struct org *org)
{
    struct org *old = s->org;

    s->org = org_ref(org);
    list_remove(&s->in_org);
    let_go(s);                                 /* before the new org's fetch begins */
    catch_up(s);
    join_reset(&s->join);
    look(s);
    org_unref(old);
}

void source_want(struct source *s)
{
    catch_up(s);
    join_want(&s->join, now_ms(s));
    look(s);
}

void source_forget(struct source *s)
{
    join_forget(&s->join);
    if (s->join.state == JOIN_IDLE)
        let_go(s);
}

/* Where we are is noted, but nobody comes in because of it: a reset may stand in the middle of
 * a frame whose lines are yet to be told, and who came in now would hear them again. */
void source_reset(struct source *s)
{
    s->join.feed_is_live = org_is_live(s->org);
    s->join.feed_at = org_position(s->org);
    join_reset(&s->join);
    look(s);
}

void source_stale(struct source *s)
{
    join_stale(&s->join, now_ms(s));
    look(s);
}

void source_retry(struct source *s, uint64_t delay_ms)
{
    join_retry(&s->join, delay_ms, now_ms(s));
    look(s);
}

void source_frame(struct source *s, struct frame *f)
{
    join_frame(&s->join, f);
    look(s);
}

bool source_is_older(const struct source *s, struct position least)
{
    const struct join *j = &s->join;

    if (least.epoch == 0 || j->frames.count == 0)
        return false;
    return j->at.epoch < least.epoch ||
           (j->at.epoch == least.epoch && j->at.number < least.number);
}

/* Handlers may end other sources, so lists are walked by taking the first. */
void sources_moved(struct org *org)
{
    struct list  due = LIST_INIT(due);
    struct list *node;

    list_splice(&due, org_followers(org));
    while ((node = list_take_first(&due)) != NULL) {
        struct source *s = container_of(node, struct source, in_org);

        list_append(org_followers(org), node);
        catch_up(s);
        look(s);
    }
}

/* --- all of them --- */

static void on_tick(uv_timer_t *timer)
{
    struct sources *all = timer->data;
    struct list     due = LIST_INIT(due);
    struct list    *node;

    list_splice(&due, &all->active);
    while ((node = list_take_first(&due)) != NULL) {
        struct source *s = container_of(node, struct source, in_active);

        list_append(&all->active, node);
        join_tick(&s->join, now_ms(s));
        if (join_is_active(&s->join))
            continue;
        list_remove(&s->in_active);
        list_remove(&s->in_org);
        let_go(s);
        s->handlers->idle(s, s->arg);
    }
    if (list_is_empty(&all->active))
        uv_timer_stop(&all->timer);
}

void sources_init(struct sources *all, uv_loop_t *loop, struct taskd_client *taskd)
{
    *all = (struct sources){ .loop = loop, .taskd = taskd };
    list_init(&all->active);
    uv_timer_init(loop, &all->timer);
    all->timer.data = all;
}

void sources_close(struct sources *all)
{
    assert(list_is_empty(&all->active));
    all->is_closing = true;
    uv_close((uv_handle_t *)&all->timer, NULL);
}

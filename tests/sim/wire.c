/* wire.c -- see wire.h.
 *
 * A command is one struct from its call to its callback: it arrives, is executed by server.c,
 * and its answer travels back. Where the link breaks in between, the command is cut in two:
 * its callback is told ERR_REDIS at once, and the other half may still arrive at the server (a
 * late script of somebody who has given it up is what the sequencer must survive). */
#include "tests/sim/wire.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "proto/keys.h"
#include "tests/sim/server.h"
#include "tests/sim/wire_internal.h"

struct weather weather;

static struct {
    struct list links;
} wire;

uint64_t wire_delay_us(void)
{
    if (sim.now_us >= sim.calm_from_us)
        return 300;
    if (sim_chance(weather.slow_per_mille))
        return sim_between(weather.to_us, weather.slow_us);
    return sim_between(weather.from_us, weather.to_us);
}

/* --- links --- */

struct redis {
    struct list          in_all;
    struct node         *node;
    struct redis_options options;
    bool                 is_up;
    char                 run[SERVER_NAME_SIZE + 1];
    struct list          pending;              /* commands, in order */
    uint64_t             there_us, back_us;    /* when the last one arrives, is answered */
    struct happening    *retry;
};

void wire_begin(void)
{
    list_init(&wire.links);
    subscribers_begin();
}

void wire_end(void)
{
    assert(list_is_empty(&wire.links));
}

static void link_connect(void *arg)
{
    struct redis *r = arg;

    r->retry = NULL;
    if (!server_is_up()) {
        r->retry = sim_after(sim_between(100, 500) * MS, r->node, link_connect, r);
        return;
    }
    r->is_up = true;
    memcpy(r->run, server_run_id(), sizeof(r->run));
    sim_trace("%s: its link is up", r->node->name);
    if (r->options.on_state != NULL)
        r->options.on_state(r, true, r->options.arg);
}

struct redis *redis_new(uv_loop_t *loop, const struct redis_options *options)
{
    struct redis *r = mem_new(struct redis);

    r->node = node_of(loop);
    r->options = *options;
    list_init(&r->pending);
    list_append(&wire.links, &r->in_all);
    r->retry = sim_after(wire_delay_us(), r->node, link_connect, r);
    return r;
}

bool redis_is_up(const struct redis *r)
{
    return r->is_up && !r->node->is_dead;
}

const char *redis_run_id(const struct redis *r)
{
    return r->is_up ? r->run : "";
}

static void command_free(struct wire_command *c)
{
    sim_cancel(c->due);
    list_remove(&c->in_link);
    if (c->is_script)
        rcbuf_unref(c->publication.body);
    rcbuf_unref(c->text);
    free(c);
}

static void command_run(struct wire_command *c)
{
    c->is_done = true;
    switch (c->kind) {
    case COMMAND_POSITION:
        c->at = server_position(c->who.org);
        break;
    case COMMAND_LOG:
        command_read_log(c);
        break;
    case COMMAND_PUBLISH:
        wire_publish(c->channel, c->text);
        break;
    case COMMAND_SEND:
        server_publish(&c->who, &c->publication, &c->answer);
        break;
    case COMMAND_ASK:
        server_ask(&c->who, c->has_sub ? c->sub : NULL, &c->answer);
        break;
    case COMMAND_BEGIN:
        server_begin_epoch(&c->who, &c->counts, &c->answer);
        break;
    case COMMAND_HOLD:
        server_hold(&c->who, c->quiet_us, &c->answer);
        break;
    case COMMAND_CORRECT:
        server_correct(&c->who, &c->counts, &c->answer);
        break;
    case COMMAND_RELEASE:
        server_release(&c->who, &c->answer);
        break;
    }
}

/* What arrives of a command that nobody waits for any more. */
static void on_orphan(void *arg)
{
    struct wire_command *c = arg;

    c->due = NULL;
    if (server_is_up()) {
        sim_trace("redis: a late command of a broken link arrives");
        command_run(c);
    }
    command_reply_free(c);
    command_free(c);
}

static void on_back(void *arg)
{
    struct wire_command *c = arg;

    c->due = NULL;
    list_remove(&c->in_link);
    if (c->cb != NULL)
        c->cb(0, command_reply(c), c->arg);
    command_reply_free(c);
    command_free(c);
}

static void on_there(void *arg)
{
    struct wire_command *c = arg;
    struct redis        *r = c->link;

    uint64_t             back = sim.now_us + wire_delay_us();

    command_run(c);
    r->back_us = back > r->back_us ? back : r->back_us;
    c->due = sim_at(r->back_us, r->node, on_back, c);
}

int wire_send(struct redis *r, struct wire_command *c, redis_cb *cb, void *arg)
{
    uint64_t there = sim.now_us + wire_delay_us();

    if (!redis_is_up(r)) {
        command_free(c);
        return ERR_REDIS;
    }
    c->link = r;
    c->cb = cb;
    c->arg = arg;
    memcpy(c->who.run, r->run, sizeof(c->who.run));
    list_append(&r->pending, &c->in_link);
    r->there_us = there > r->there_us ? there : r->there_us;
    c->due = sim_at(r->there_us, NULL, on_there, c);
    return 0;
}

/* The half of a command that is still on its way to the server. */
static void command_orphan(struct wire_command *c)
{
    struct wire_command *o = mem_dup(c, sizeof(*c));

    list_init(&o->in_link);
    rcbuf_ref(o->publication.body);
    rcbuf_ref(o->text);
    o->link = NULL;
    o->cb = NULL;
    o->due = sim_after(sim_between(0, 2000) * MS, NULL, on_orphan, o);
}

static void link_cut(struct redis *r, int err)
{
    struct list  gone = LIST_INIT(gone);
    struct list *node;
    bool         may_arrive = server_is_up() && sim_chance(500);

    r->is_up = false;
    list_splice(&gone, &r->pending);
    list_each(at, &gone) {                     /* a prefix arrives */
        struct wire_command *c = container_of(at, struct wire_command, in_link);

        may_arrive = may_arrive && sim_chance(700);
        if (may_arrive && !c->is_done)
            command_orphan(c);
    }
    while ((node = list_take_first(&gone)) != NULL) {
        struct wire_command *c = container_of(node, struct wire_command, in_link);

        if (c->cb != NULL)
            c->cb(err, NULL, c->arg);
        command_reply_free(c);
        command_free(c);
    }
}

static void link_break(struct redis *r)
{
    struct node *outer = sim.node;

    if (!r->is_up)
        return;
    sim_trace("%s: its link breaks", r->node->name);
    sim.node = r->node;
    link_cut(r, ERR_REDIS);
    if (r->options.on_state != NULL)
        r->options.on_state(r, false, r->options.arg);
    sim.node = outer;
    r->retry = sim_after(sim_between(100, 2000) * MS, r->node, link_connect, r);
}

void redis_close(struct redis *r)
{
    sim_cancel(r->retry);
    r->retry = NULL;
    link_cut(r, ERR_CLOSED);
    list_remove(&r->in_all);
    node_goodbye(r->node, free, r);
}

/* --- what may happen --- */

static struct redis *link_by_chance(void)
{
    size_t count = 0, pick;

    list_each(at, &wire.links)
        count++;
    if (count == 0)
        return NULL;
    pick = sim_dice(count);
    list_each(at, &wire.links) {
        if (pick-- == 0)
            return container_of(at, struct redis, in_all);
    }
    return NULL;
}

void wire_break_link(void)
{
    struct redis *r = link_by_chance();

    if (r != NULL && !r->node->is_dead)
        link_break(r);
}

void wire_break_all(void)
{
    list_each(at, &wire.links)
        link_break(container_of(at, struct redis, in_all));
    subscribers_break_all();
}

void wire_kill_node(struct node *n)
{
    list_each(at, &wire.links) {
        struct redis *r = container_of(at, struct redis, in_all);

        if (r->node != n)
            continue;
        sim_cancel(r->retry);
        r->retry = NULL;
        link_cut(r, ERR_REDIS);
    }
    subscribers_kill_node(n);
}

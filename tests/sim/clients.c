/* clients.c -- what people do: see clients.h. */
#include "tests/sim/clients.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define PEOPLE      8
#define SETTLE_US   (500 * MS)                 /* it looks for what is missing ... */
#define RESTING_US  (4 * S)                    /* ... and less often when nothing is */

static struct {
    struct client    *all;
    size_t            count;
    struct happening *dues[CLIENTS_MAX];
    uint64_t          pace_us;                 /* between two things that one does */
    bool              is_settling;
} clients;

static void on_whim(void *arg);

static void whim_later(struct client *c)
{
    uint64_t us = sim_between(clients.pace_us / 4, clients.pace_us * 2);

    if (c->is_settling)
        us = c->socket == NULL || c->asked_count > 0 ? SETTLE_US : RESTING_US;
    clients.dues[c->index] = sim_after(us, NULL, on_whim, c);
}

/* --- asking --- */

static void ask(struct client *c, enum request_kind kind, size_t task)
{
    struct asked *a;

    if (c->asked_count == sizeof(c->asked) / sizeof(c->asked[0]))
        return;
    a = &c->asked[c->asked_count++];
    *a = (struct asked){ ++c->acks, kind, task };
    sim_trace("client %zu (%s of %s) asks: %d %s", c->index, c->sub, c->org, (int)kind,
              kind == REQUEST_JOIN || kind == REQUEST_LEAVE ? truth_at(task)->id : "");
    switch (kind) {
    case REQUEST_JOIN:
        view_ask_task(c, task);
        break;
    case REQUEST_LEAVE:
        c->tasks[task].is_leaving = true;
        break;
    case REQUEST_DASH:
        view_ask_dashboard(c);
        break;
    case REQUEST_UNDASH:
        c->dash.is_leaving = true;
        break;
    case REQUEST_RESYNC:
        a->task = truth_count();
        for (size_t i = 0; i < a->task; i++)
            view_ask_task(c, i);
        view_ask_dashboard(c);
        break;
    }
    gateway_request(c->socket, kind,
                    kind == REQUEST_JOIN || kind == REQUEST_LEAVE ? truth_at(task)->id : "",
                    a->ack);
}

void client_hear_ack(struct client *c, int64_t ack, bool is_ok, struct slice json)
{
    for (size_t i = 0; i < c->asked_count; i++) {
        struct asked a = c->asked[i];

        if (a.ack != ack)
            continue;
        memmove(&c->asked[i], &c->asked[i + 1], (--c->asked_count - i) * sizeof(a));
        sim_trace("client %zu is answered: %.*s", c->index, SLICE_ARG(json));
        view_answered(c, &a, is_ok, json);
        return;
    }
    sim_fail("each request is answered once", "client %zu ack %lld", c->index, (long long)ack);
}

void client_hear(struct client *c, const struct heard *h)
{
    view_hear(c, h);
}

/* --- coming and going --- */

static void connect_somewhere(struct client *c)
{
    size_t i = sim_dice(gateways_count());

    if (!gateway_is_up(i))
        return;
    c->socket = gateway_connect(i, c, c->sub, c->org, c->extra_us);
    sim_trace("client %zu (%s of %s) connects to %s", c->index, c->sub, c->org,
              socket_node(c->socket)->name);
}

void client_cut(struct client *c)
{
    sim_trace("client %zu loses its connection", c->index);
    c->socket = NULL;
    view_clear(c);
}

static void leave_gateway(struct client *c)
{
    gateway_disconnect(c->socket);
    client_cut(c);
}

void client_lose(size_t i)
{
    if (clients.all[i].socket != NULL)
        leave_gateway(&clients.all[i]);
}

/* --- whims --- */

static void wander(struct client *c)
{
    size_t            task = truth_count() > 0 ? sim_dice(truth_count()) : 0;
    struct task_view *v = &c->tasks[task];
    uint64_t          dice = sim_dice(100);

    if (dice < 45 && truth_count() > 0) {
        if (!v->is_leaving && (!v->is_in || sim_chance(100)))
            ask(c, REQUEST_JOIN, task);
    } else if (dice < 60 && truth_count() > 0) {
        if ((v->is_in || v->joins > 0) && !v->is_leaving)
            ask(c, REQUEST_LEAVE, task);
    } else if (dice < 80) {
        if (!c->dash.is_in && c->dash.joins == 0 && !c->dash.is_leaving)
            ask(c, REQUEST_DASH, 0);
    } else if (dice < 86) {
        if (c->dash.is_in && c->dash.joins == 0 && !c->dash.is_leaving)
            ask(c, REQUEST_UNDASH, 0);
    } else if (dice < 89) {
        if (c->asked_count == 0)
            ask(c, REQUEST_RESYNC, 0);
    } else if (dice < 92) {
        leave_gateway(c);
    }
}

/* Ask for what is missing, until nothing is. What it may not see is asked for too, once. */
static void settle(struct client *c)
{
    if (c->asked_count > 0)
        return;
    if (!c->dash.is_in)
        ask(c, REQUEST_DASH, 0);
    for (size_t i = 0; i < truth_count(); i++) {
        const struct truth *t = truth_at(i);

        if (!c->tasks[i].is_in && truth_may_see(t, t->seq, c->sub, c->org))
            ask(c, REQUEST_JOIN, i);
    }
}

static void on_whim(void *arg)
{
    struct client *c = arg;

    clients.dues[c->index] = NULL;
    c->is_settling = clients.is_settling;
    if (c->socket == NULL)
        connect_somewhere(c);
    else if (c->is_settling)
        settle(c);
    else
        wander(c);
    whim_later(c);
}

void clients_settle(void)
{
    clients.is_settling = true;
}

bool clients_are_settled(void)
{
    for (size_t i = 0; i < clients.count; i++) {
        const struct client *c = &clients.all[i];

        if (c->socket == NULL || c->asked_count > 0 || !c->dash.is_in)
            return false;
    }
    return true;
}

/* --- life --- */

void clients_begin(size_t count)
{
    clients.all = mem_alloc(count * sizeof(struct client));
    clients.count = count;
    clients.is_settling = false;
    clients.pace_us = sim_between(150, 1500) * MS;
    for (size_t i = 0; i < count; i++) {
        struct client *c = &clients.all[i];
        uint64_t       where = sim_dice(10);

        c->index = i;
        snprintf(c->sub, sizeof(c->sub), "u%llu", (unsigned long long)sim_dice(PEOPLE));
        if (where == 0)
            snprintf(c->org, sizeof(c->org), "~%s", c->sub);
        else
            snprintf(c->org, sizeof(c->org), "%s", where < 8 ? "acme" : "zeta");
        c->extra_us = sim_chance(100) ? sim_between(50, 800) * MS : sim_dice(5) * MS;
        clients.dues[i] = sim_after(sim_dice(3 * S), NULL, on_whim, c);
    }
}

void clients_end(void)
{
    for (size_t i = 0; i < clients.count; i++)
        sim_cancel(clients.dues[i]);
    free(clients.all);
}

size_t clients_count(void)
{
    return clients.count;
}

void clients_check_end(void)
{
    for (size_t i = 0; i < clients.count; i++)
        view_check_end(&clients.all[i]);
}

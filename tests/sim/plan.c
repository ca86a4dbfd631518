/* plan.c -- see plan.h.
 *
 * Each seed draws its own weather: how far away things are, which kinds of failure there are
 * at all and how often. Histories in which everything fails all the time find less than ones
 * with two or three kinds of failure, as little work gets done in them. */
#include "tests/sim/plan.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/bus.h"
#include "tests/sim/clients.h"
#include "tests/sim/server.h"
#include "tests/sim/taskds.h"
#include "tests/sim/wire.h"
#include "tests/sim/work.h"

#define SETTLE_AFTER_US  (8 * S)               /* Redis, canaries and services are back by then */
#define END_AFTER_US     (76 * S)              /* counts have been checked and put right */
#define LAST_AFTER_US    (14 * S)              /* the last words; what missed them has a minute */
#define BLIND_US         (2 * S)

enum fault {
    FAULT_GATEWAY, FAULT_TASKD, FAULT_LINK, FAULT_SUBSCRIBER, FAULT_MUTE, FAULT_FLUSH,
    FAULT_RESTART, FAULT_COPY, FAULT_STORE, FAULT_CLIENT, FAULT_COUNT
};

static struct {
    unsigned          weights[FAULT_COUNT];
    uint64_t          pace_us;
    struct happening *next, *server, *store;
    uint64_t          faults;
} plan;

static void on_server_back(void *arg)
{
    static const enum server_memory MEMORIES[] = { SERVER_EMPTY, SERVER_OLDER, SERVER_WHOLE };

    (void)arg;
    plan.server = NULL;
    server_start(MEMORIES[sim_dice(3)]);
    sim_trace("redis: up again, run %s", server_run_id());
}

static void on_store_back(void *arg)
{
    (void)arg;
    plan.store = NULL;
    model_store_away(false);
}

static void restart_server(void)
{
    if (plan.server != NULL)
        return;
    sim_trace("redis: stops");
    server_stop();
    wire_break_all();
    plan.server = sim_after(sim_between(20, 3000) * MS, NULL, on_server_back, NULL);
}

static void strike(enum fault f)
{
    plan.faults++;
    switch (f) {
    case FAULT_GATEWAY:
        gateway_crash(sim_dice(gateways_count()));
        break;
    case FAULT_TASKD:
        taskd_crash(sim_dice(taskds_count()));
        break;
    case FAULT_LINK:
        wire_break_link();
        break;
    case FAULT_SUBSCRIBER:
        wire_break_subscriber();
        break;
    case FAULT_MUTE:
        wire_mute_subscriber();
        break;
    case FAULT_FLUSH:
        sim_trace("redis: FLUSHALL");
        server_flush();
        break;
    case FAULT_RESTART:
        restart_server();
        break;
    case FAULT_COPY:
        server_keep_copy();
        break;
    case FAULT_STORE:
        if (plan.store == NULL) {
            model_store_away(true);
            plan.store = sim_after(sim_between(50, 2500) * MS, NULL, on_store_back, NULL);
        }
        break;
    default:
        client_lose(sim_dice(clients_count()));
    }
}

static void on_fault(void *arg)
{
    unsigned total = 0, pick;

    (void)arg;
    plan.next = NULL;
    if (sim.now_us >= sim.calm_from_us)
        return;
    for (int f = 0; f < FAULT_COUNT; f++)
        total += plan.weights[f];
    if (total > 0) {
        pick = (unsigned)sim_dice(total);
        for (int f = 0; f < FAULT_COUNT; f++) {
            if (pick < plan.weights[f]) {
                strike((enum fault)f);
                break;
            }
            pick -= plan.weights[f];
        }
    }
    plan.next = sim_after(sim_between(plan.pace_us / 4, plan.pace_us * 2), NULL, on_fault, NULL);
}

static void weather_draw(void)
{
    static const unsigned USUAL[FAULT_COUNT] = { 2, 3, 4, 4, 2, 1, 2, 3, 2, 4 };

    weather = (struct weather){ .from_us = 100, .to_us = sim_between(300, 3000) };
    weather.slow_per_mille = sim_chance(700) ? (unsigned)sim_dice(60) : 0;
    weather.slow_us = sim_between(10, 400) * MS;
    if (weather.slow_us < weather.to_us)
        weather.slow_us = weather.to_us;
    for (int f = 0; f < FAULT_COUNT; f++)
        plan.weights[f] = sim_chance(350) ? USUAL[f] : 0;
    plan.pace_us = sim_between(150, 3000) * MS;
}

/* Subscriptions that come and go under traffic, and hardly anything else: what a feed has to
 * notice by its numbers. */
static void weather_storm(void)
{
    memset(plan.weights, 0, sizeof(plan.weights));
    plan.weights[FAULT_SUBSCRIBER] = 8;
    plan.weights[FAULT_LINK] = 1;
    plan.weights[FAULT_MUTE] = 1;
    plan.pace_us = sim_between(40, 300) * MS;
    weather.slow_per_mille = (unsigned)sim_between(50, 200);
}

static void all_begin(bool is_large)
{
    bool is_stormy = sim_chance(120);

    weather_draw();
    if (is_stormy)
        weather_storm();
    server_begin(sim_chance(300) ? sim_between(3, 12) : 1000);
    wire_begin();
    model_store_begin();
    store_lost_per_mille = sim_chance(300) ? (unsigned)sim_dice(80) : 0;
    bus_begin();
    taskds_begin(sim_between(1, TASKDS_MAX));
    gateways_begin(sim_between(2, GATEWAYS_MAX));
    clients_begin(is_large ? sim_between(200, CLIENTS_MAX) : sim_between(12, 24));
    work_begin(is_large ? 6 : sim_between(2, 7), is_stormy);
    plan.next = sim_after(plan.pace_us, NULL, on_fault, NULL);
}

static void all_end(void)
{
    work_end();
    sim_cancel(plan.next);
    sim_cancel(plan.server);
    sim_cancel(plan.store);
    gateways_end();
    clients_end();
    taskds_end();
    bus_end();
    while (sim_step())                         /* what was sent by those who are gone now */
        continue;
    wire_end();
    server_end();
    model_store_end();
    sim_end();
}

static void heal(void)
{
    sim_trace("--- from here on nothing fails ---");
    if (plan.server != NULL) {
        sim_cancel(plan.server);
        on_server_back(NULL);
    }
    if (plan.store != NULL) {
        sim_cancel(plan.store);
        on_store_back(NULL);
    }
}

/* Nothing is said after it that could show that it was missed. */
static void last_words(void)
{
    sim_run_until(sim.calm_from_us + LAST_AFTER_US);
    wire_blind_subscribers();
    work_last_words();
    sim_run_until(sim.now_us + BLIND_US);
    wire_unblind_subscribers();
}

static void check_end(struct plan_sum *sum)
{
    if (bus_waiting() > 0)
        sim_fail("no input is dropped silently", "%zu inputs neither acted on nor dead",
                 bus_waiting());
    for (size_t i = 0; i < truth_count(); i++) {
        const struct truth *t = truth_at(i);

        if (t->published != t->seq || t->marked != t->seq)
            sim_fail("what was stored is published", "%s at %lld, published %lld, marked %lld",
                     t->id, (long long)t->seq, (long long)t->published, (long long)t->marked);
        sum->transitions += (uint64_t)t->seq;
    }
    clients_check_end();
}

uint64_t plan_run(uint64_t seed, struct plan_sum *sum)
{
    uint64_t digest;

    memset(&plan, 0, sizeof(plan));
    views_heard = 0;
    sim_begin(seed);
    sim.calm_from_us = sim.now_us + sim_between(4, 12) * S;
    all_begin(seed % 100 == 0);
    sim_run_until(sim.calm_from_us);
    heal();
    sim_run_until(sim.calm_from_us + SETTLE_AFTER_US);
    clients_settle();
    if (sim_chance(200))
        last_words();
    sim_run_until(sim.calm_from_us + END_AFTER_US);
    check_end(sum);
    digest = sim.digest;
    sum->histories++;
    sum->events += views_heard;
    sum->faults += plan.faults;
    sum->happenings += sim.happened;
    all_end();
    return digest;
}

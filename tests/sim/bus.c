/* bus.c -- see bus.h.
 *
 * The holder of the lease reads what is not over, in order. Where it dies, or is believed
 * dead, another takes the lease some seconds later and begins with everything that is not
 * over, while acts of the first may still be under way: what is acted on twice must have one
 * effect. Acknowledgements may be lost; then the entry is read again. */
#include "tests/sim/bus.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "taskd/ingest_order.h"
#include "tests/sim/taskds.h"
#include "tests/sim/wire.h"

#define ENTRIES_MAX   1024
#define PUMP_US       (50 * MS)
#define LEASE_US      (3 * S)
#define RESCAN_US     (2 * S)

struct bus_entry {
    char       task[25];
    enum input input;
    json_t    *data;
    char      *key;
    bool       is_over;
};

struct ingestion {
    struct list          in_bus;
    struct node         *node;
    struct tasks        *tasks;
    struct ingest_order *order;
    bool                 is_dead;
    unsigned             term;                 /* of the lease; what began in another is not ours */
    size_t               acts, next;           /* the first entry not read */
    uint64_t             scanned_us;
    struct happening    *pump;
    bool                 held[ENTRIES_MAX];    /* by entry: it is in the order */
};

struct held_input {
    struct ingest_item item;
    struct ingestion  *ingestion;
    unsigned           term;
    size_t             entry;
};

static struct {
    struct bus_entry  entries[ENTRIES_MAX];
    size_t            count, dead;
    struct list       readers;
    struct ingestion *holder;
    struct happening *lease;
} bus;

static void on_pump(void *arg);

static void pump_later(struct ingestion *in, uint64_t us)
{
    if (in->pump == NULL && !in->is_dead)
        in->pump = sim_after(us, in->node, on_pump, in);
}

/* --- the lease --- */

static void drop_item(struct ingest_item *i, void *arg)
{
    (void)arg;
    free(container_of(i, struct held_input, item));
}

static void stop_holding(struct ingestion *in)
{
    in->term++;
    ingest_order_clear(in->order, drop_item, NULL);
    memset(in->held, 0, sizeof(in->held));
    if (bus.holder == in)
        bus.holder = NULL;
}

static void on_lease(void *arg)
{
    size_t count = 0, pick;

    (void)arg;
    bus.lease = NULL;
    if (bus.holder != NULL && !(sim.now_us < sim.calm_from_us && sim_chance(100))) {
        bus.lease = sim_after(LEASE_US, NULL, on_lease, NULL);
        return;
    }
    if (bus.holder != NULL)
        stop_holding(bus.holder);
    list_each(at, &bus.readers)
        count++;
    pick = count > 0 ? sim_dice(count) : 0;
    list_each(at, &bus.readers) {
        if (pick-- == 0)
            bus.holder = container_of(at, struct ingestion, in_bus);
    }
    if (bus.holder != NULL) {
        sim_trace("%s reads the bus", bus.holder->node->name);
        bus.holder->next = 0;
        bus.holder->scanned_us = sim.now_us;
        pump_later(bus.holder, wire_delay_us());
    }
    bus.lease = sim_after(LEASE_US, NULL, on_lease, NULL);
}

/* --- acting --- */

static void entry_over(struct ingestion *in, const struct held_input *h, bool is_dead)
{
    struct bus_entry *e = &bus.entries[h->entry];

    in->held[h->entry] = false;
    if (is_dead && !e->is_over) {
        bus.dead++;
        sim_trace("bus: %s of %s is a dead letter", input_wire(e->input), e->task);
    }
    if (is_dead || sim.now_us >= sim.calm_from_us || !sim_chance(30))
        e->is_over = true;
}

static void ingestion_free(struct ingestion *in)
{
    ingest_order_free(in->order);
    free(in);
}

static void on_acted(enum act_outcome outcome, const struct task *t, const char *why, void *arg)
{
    struct held_input  *h = arg;
    struct ingestion   *in = h->ingestion;
    bool                is_ours = h->term == in->term && !in->is_dead;
    enum ingest_outcome o = is_ours && outcome == ACT_EARLY  ? INGEST_EARLY
                            : is_ours && outcome == ACT_AWAY ? INGEST_AWAY
                                                             : INGEST_OVER;

    (void)why;
    in->acts--;
    ingest_order_result(in->order, &h->item, o, t != NULL ? t->status : STATUS_RECEIVED,
                        t != NULL && t->failed_by != NULL && strcmp(t->failed_by, "pr_closed") == 0,
                        sim.now_us / MS);
    if (o == INGEST_OVER) {
        if (is_ours)
            entry_over(in, h, outcome != ACT_DONE && outcome != ACT_REPEAT);
        free(h);
    }
    if (in->is_dead && in->acts == 0)
        ingestion_free(in);
    else
        pump_later(in, 0);
}

static void act(struct ingestion *in, struct held_input *h)
{
    const struct bus_entry *e = &bus.entries[h->entry];
    struct act              a = {
        .task_id = e->task,
        .input = { .input = e->input, .data = e->data, .actor = "/sim", .key = e->key,
                   .at = clock_wall_ms() },
    };

    in->acts++;
    if (tasks_act(in->tasks, &a, on_acted, h) == 0)
        return;
    in->acts--;
    ingest_order_result(in->order, &h->item, INGEST_AWAY, STATUS_RECEIVED, false, sim.now_us / MS);
}

static void read_more(struct ingestion *in)
{
    if (sim.now_us - in->scanned_us > RESCAN_US && ingest_order_count(in->order) == 0) {
        in->scanned_us = sim.now_us;
        in->next = 0;                          /* what was lost on the way? */
    }
    for (; in->next < bus.count; in->next++) {
        struct bus_entry  *e = &bus.entries[in->next];
        struct held_input *h;

        if (e->is_over || in->held[in->next])
            continue;
        h = mem_new(struct held_input);
        h->ingestion = in;
        h->term = in->term;
        h->entry = in->next;
        h->item.input = e->input;
        memcpy(h->item.task_id, e->task, sizeof(h->item.task_id));
        in->held[in->next] = true;
        ingest_order_add(in->order, &h->item, sim.now_us / MS);
    }
}

static void on_pump(void *arg)
{
    struct ingestion    *in = arg;
    struct ingest_action a;

    in->pump = NULL;
    if (bus.holder != in)
        return;
    read_more(in);
    while (ingest_order_next(in->order, sim.now_us / MS, &a)) {
        struct held_input *h = container_of(a.item, struct held_input, item);

        if (a.kind == INGEST_ACT) {
            act(in, h);
        } else {
            entry_over(in, h, true);
            free(h);
        }
    }
    if (ingest_order_count(in->order) > 0 || bus_waiting() > 0)
        pump_later(in, PUMP_US);
}

/* --- life --- */

struct ingestion *ingestion_new(struct node *n, struct tasks *t)
{
    struct ingestion *in = mem_new(struct ingestion);

    in->node = n;
    in->tasks = t;
    in->order = ingest_order_new();
    list_append(&bus.readers, &in->in_bus);
    return in;
}

void ingestion_kill(struct ingestion *in)
{
    stop_holding(in);
    in->is_dead = true;
    list_remove(&in->in_bus);
    sim_cancel(in->pump);
    in->pump = NULL;
    if (in->acts == 0)
        ingestion_free(in);
}

void bus_begin(void)
{
    bus.count = bus.dead = 0;
    bus.holder = NULL;
    list_init(&bus.readers);
    bus.lease = sim_after(100 * MS, NULL, on_lease, NULL);
}

void bus_end(void)
{
    assert(list_is_empty(&bus.readers));
    sim_cancel(bus.lease);
    for (size_t i = 0; i < bus.count; i++) {
        json_decref(bus.entries[i].data);
        free(bus.entries[i].key);
    }
}

void bus_add(const char *task, enum input input, json_t *data, const char *key)
{
    struct bus_entry *e = &bus.entries[bus.count++];

    assert(bus.count <= ENTRIES_MAX);
    *e = (struct bus_entry){ .input = input, .data = json_incref(data), .key = mem_strdup(key) };
    memcpy(e->task, task, sizeof(e->task));
    if (bus.holder != NULL)
        pump_later(bus.holder, wire_delay_us());
}

size_t bus_waiting(void)
{
    size_t n = 0;

    for (size_t i = 0; i < bus.count; i++)
        n += !bus.entries[i].is_over;
    return n;
}

size_t bus_dead(void)
{
    return bus.dead;
}

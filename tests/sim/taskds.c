/* taskds.c -- see taskds.h.
 *
 * A snapshot is made by taskd/internal.c itself: the model puts a `struct call` together as
 * the API would and takes the answer where the API would send it (call_send). */
#include "tests/sim/taskds.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "taskd/api_call.h"
#include "taskd/publisher.h"
#include "tests/sim/bus.h"
#include "tests/sim/store.h"
#include "tests/sim/wire.h"

/* Clocks agree: an epoch is named by the clock of the taskd that begins it, and would go back
 * where one whose clock is behind begins the next within the difference. */
#define SKEW_US 0
#define HTTP_US (10 * S)                       /* a call that nobody answers ends by then */

struct taskd {
    struct node       node;
    struct store     *store;
    struct redis     *redis;
    struct publisher *publisher;
    struct tasks     *tasks;
    struct ingestion *ingestion;
    struct api_parts  parts;
    struct list       calls;                   /* of gateways, being answered */
    unsigned          open;                    /* closings under way */
};

static struct {
    struct taskd     *lives[TASKDS_MAX];
    struct happening *births[TASKDS_MAX];
    size_t            count;
    unsigned          names;
    struct list       clients;
} taskds;

/* --- calls of gateways --- */

struct taskd_client {
    struct list  in_all;
    struct node *node;
    struct list  calls;
};

struct taskd_call {                            /* the gateway's half */
    struct list          in_client;
    struct taskd_client *client;
    struct happening    *due;
    struct served       *served;               /* the other half, while there is one */
    char                *target;
    json_t              *question;             /* NULL: none */
    taskd_cb            *cb;
    void                *arg;
    int                  status;
    struct rcbuf        *body;
};

struct served {                                /* taskd's half */
    struct call        call;                   /* first: call_send knows this much */
    struct route       route;
    struct taskd_call *from;                   /* NULL: nobody waits for it any more */
};

struct taskd_client *taskds_client_new(struct node *n)
{
    struct taskd_client *c = mem_new(struct taskd_client);

    c->node = n;
    list_init(&c->calls);
    list_append(&taskds.clients, &c->in_all);
    return c;
}

static void call_forget(struct taskd_call *c)
{
    sim_cancel(c->due);
    if (c->served != NULL)
        c->served->from = NULL;
    list_remove(&c->in_client);
    rcbuf_unref(c->body);
    json_decref(c->question);
    free(c->target);
    free(c);
}

void taskds_client_free(struct taskd_client *c)
{
    while (!list_is_empty(&c->calls))
        call_forget(container_of(c->calls.next, struct taskd_call, in_client));
    list_remove(&c->in_all);
    free(c);
}

void taskd_call_cancel(struct taskd_call *c)
{
    call_forget(c);
}

static void on_call_answered(void *arg)
{
    struct taskd_call *c = arg;
    struct http_result result = { .status = c->status };
    taskd_cb          *cb = c->cb;
    void              *cb_arg = c->arg;
    struct rcbuf      *body = rcbuf_ref(c->body);
    bool               is_lost = c->status == 0;

    c->due = NULL;
    if (body != NULL)
        result.body = rcbuf_slice(body);
    call_forget(c);
    cb(is_lost ? ERR_CLOSED : 0, is_lost ? NULL : &result, cb_arg);
    rcbuf_unref(body);
}

/* The connection is gone, or nobody was there. */
static void call_fail(struct taskd_call *c, uint64_t us)
{
    c->status = 0;
    c->due = sim_after(us, c->client->node, on_call_answered, c);
}

void call_send(struct call *c, int status, const char *content_type)
{
    struct served     *s = container_of(c, struct served, call);
    struct taskd_call *from = s->from;

    (void)content_type;
    if (from != NULL) {
        from->served = NULL;
        from->status = status;
        from->body = rcbuf_copy(buf_peek(&c->text));
        from->due = sim_after(wire_delay_us(), from->client->node, on_call_answered, from);
    }
    buf_deinit(&c->text);
    task_deinit(&c->task);
    for (size_t i = 0; i < sizeof(c->texts) / sizeof(c->texts[0]); i++)
        free(c->texts[i]);
    json_decref(c->answer);
    json_decref(c->body);
    free(s);
}

/* Nothing here is keyed. */
void call_keep(struct call *c, int status, const char *content_type)
{
    call_send(c, status, content_type);
}

/* Nor has anything a query. */
struct slice http_request_query(const struct http_request *r)
{
    (void)r;
    return (struct slice){ NULL, 0 };
}

static struct taskd *by_chance(void)
{
    struct taskd *t = taskds.lives[sim_dice(taskds.count)];

    for (size_t i = 0; t == NULL && i < taskds.count; i++)
        t = taskds.lives[i];
    return t;
}

/* "/internal/tasks/<id>", "/internal/orgs/<org>", "/internal/orgs/<org>/people/<sub>",
 * "/internal/seqs" */
static void (*route_target(const char *target, struct call *c))(struct call *)
{
    struct slice rest = slice_from(slice_of(target), strlen("/internal/"));
    struct slice kind = slice_cut(&rest, '/');
    struct slice first = slice_cut(&rest, '/');

    snprintf(c->params[0], CALL_PARAM_SIZE, "%.*s", SLICE_ARG(first));
    if (slice_is(kind, "seqs"))
        return on_internal_seqs;
    if (slice_is(kind, "tasks"))
        return on_internal_task;
    if (rest.len == 0)
        return on_internal_org;
    (void)slice_cut(&rest, '/');
    snprintf(c->params[1], CALL_PARAM_SIZE, "%.*s", SLICE_ARG(rest));
    return on_internal_person;
}

static void on_call_arrived(void *arg)
{
    struct taskd_call *from = arg;
    struct taskd      *t = by_chance();
    struct served     *s;
    struct node       *outer = sim.node;

    from->due = NULL;
    if (t == NULL) {
        call_fail(from, wire_delay_us());
        return;
    }
    s = mem_new(struct served);
    s->from = from;
    from->served = s;
    s->call.parts = &t->parts;
    s->call.body = json_incref(from->question);
    buf_init(&s->call.text, CALL_ANSWER_MAX);
    task_init(&s->call.task);
    sim.node = &t->node;
    route_target(from->target, &s->call)(&s->call);
    sim.node = outer;
}

int taskd_client_internal(struct taskd_client *client, struct slice target, struct slice body,
                          taskd_cb *cb, void *arg, struct taskd_call **out)
{
    struct taskd_call *c = mem_new(struct taskd_call);

    c->client = client;
    c->question = body.len > 0 ? json_parse(body, NULL) : NULL;
    c->target = mem_strndup(target.data, target.len);
    c->cb = cb;
    c->arg = arg;
    list_append(&client->calls, &c->in_client);
    *out = c;
    if (!client->node->is_dead)
        c->due = sim_after(wire_delay_us(), NULL, on_call_arrived, c);
    return 0;
}

/* --- people's requests --- */

static void on_acted(enum act_outcome outcome, const struct task *task, const char *why, void *arg)
{
    (void)outcome;
    (void)task;
    (void)why;
    (void)arg;
}

void taskds_act(const struct act *a)
{
    struct taskd *t = by_chance();

    if (t == NULL)
        return;
    sim.node = &t->node;
    (void)tasks_act(t->tasks, a, on_acted, NULL);
    sim.node = NULL;
}

void taskds_create(const struct new_task *n)
{
    struct taskd *t = by_chance();

    if (t == NULL)
        return;
    sim.node = &t->node;
    (void)tasks_create(t->tasks, n, on_acted, NULL);
    sim.node = NULL;
}

/* --- lives --- */

static void on_link(struct redis *r, bool is_up, void *arg)
{
    struct taskd *t = arg;

    (void)r;
    publisher_link_changed(t->publisher, 0, is_up);
}

static const struct redis_servers ONE_SERVER = { .count = 1, .names = { "sim:6379" } };

static void on_birth(void *arg)
{
    size_t               i = (size_t)(uintptr_t)arg;
    struct taskd        *t = mem_new(struct taskd);
    struct redis_options options = { .on_state = on_link, .arg = t };
    char                 name[16];

    taskds.births[i] = NULL;
    taskds.lives[i] = t;
    snprintf(name, sizeof(name), "taskd-%u", ++taskds.names);
    node_init(&t->node, name, (int64_t)sim_dice(2 * SKEW_US + 1) - SKEW_US);
    sim.node = &t->node;
    list_init(&t->calls);
    t->store = model_store_new(&t->node);
    t->redis = redis_new(&t->node.loop, &options);
    t->publisher = publisher_new(&t->node.loop, t->store, &ONE_SERVER, &t->redis, NULL);
    t->tasks = tasks_new(&t->node.loop, t->store, t->publisher, NULL);
    t->ingestion = ingestion_new(&t->node, t->tasks);
    t->parts = (struct api_parts){ .loop = &t->node.loop, .store = t->store, .redis = t->redis,
                                   .publisher = t->publisher, .tasks = t->tasks };
    sim.node = NULL;
    sim_trace("%s is there, its clock %+lld ms", name, (long long)t->node.wall_skew_us / 1000);
}

static void on_closed(void *arg)
{
    struct taskd *t = arg;

    t->open--;
}

static void calls_lose(const struct taskd *t)
{
    list_each(client, &taskds.clients) {
        struct taskd_client *c = container_of(client, struct taskd_client, in_all);

        list_each(at, &c->calls) {
            struct taskd_call *call = container_of(at, struct taskd_call, in_client);

            if (call->served == NULL || call->served->call.parts != &t->parts)
                continue;
            call->served->from = NULL;
            call->served = NULL;
            call_fail(call, sim_chance(800) ? wire_delay_us() : sim_dice(HTTP_US));
        }
    }
}

static void life_end(struct taskd *t)
{
    struct node *outer = sim.node;

    calls_lose(t);
    node_kill(&t->node);
    sim.node = &t->node;
    t->open = 2;
    ingestion_kill(t->ingestion);
    wire_kill_node(&t->node);
    model_store_kill(t->store);
    tasks_close(t->tasks, on_closed, t);
    publisher_close(t->publisher, on_closed, t);
    redis_close(t->redis);
    node_drain(&t->node);
    assert(t->open == 0);
    free(t);
    sim.node = outer;
}

void taskds_begin(size_t count)
{
    memset(&taskds, 0, sizeof(taskds));
    taskds.count = count;
    list_init(&taskds.clients);
    for (size_t i = 0; i < count; i++)
        on_birth((void *)(uintptr_t)i);
}

void taskds_end(void)
{
    for (size_t i = 0; i < taskds.count; i++) {
        sim_cancel(taskds.births[i]);
        if (taskds.lives[i] != NULL)
            life_end(taskds.lives[i]);
    }
}

size_t taskds_count(void)
{
    return taskds.count;
}

void taskd_crash(size_t i)
{
    struct taskd *t = taskds.lives[i];

    if (t == NULL)
        return;
    sim_trace("%s crashes", t->node.name);
    taskds.lives[i] = NULL;
    life_end(t);
    taskds.births[i] = sim_after(sim_between(100, 4000) * MS, NULL, on_birth,
                                 (void *)(uintptr_t)i);
}

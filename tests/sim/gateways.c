/* gateways.c -- see gateways.h.
 *
 * on_frame, on_resync and the end of a socket are app.c's, line by line; requests do what
 * events.c does. A crash first cuts all connections, then kills the node (nothing that
 * happens there has an effect any more), and then takes it apart by the ordinary calls, so
 * that ten thousand crashes leak nothing. */
#include "tests/sim/gateways.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "gateway/boards.h"
#include "gateway/compare_rooms.h"
#include "gateway/lines.h"
#include "gateway/orgs.h"
#include "gateway/peer.h"
#include "gateway/source.h"
#include "gateway/topics.h"
#include "gateway/users.h"
#include "tests/sim/taskds.h"
#include "tests/sim/wire.h"

#define TICK_MS      250
#define COMPARE_MS   30000
#define HALF_OPEN_US (20 * S)                  /* a dead connection is noticed by then */

struct life {                                  /* a gateway while it runs */
    struct node           node;
    struct orgs          *orgs;
    struct taskd_client  *taskd;
    struct sources        sources;
    struct lines          lines;
    struct topics         topics;
    struct boards         boards;
    struct compare_rooms  compare;
    struct peers          peers;
    struct users          users;
    struct sio_namespace *ns;
    uv_timer_t            timer;
    struct list           guests;
};

struct guest {                                 /* a socket, as its gateway knows it */
    struct list        in_life;
    struct life       *life;
    struct sio_socket *socket;
    struct peer       *peer;
    struct list        coming;                 /* requests on their way */
    uint64_t           last_us;
    struct happening  *end;
};

struct coming {
    struct list       in_guest;
    struct guest     *guest;
    struct happening *due;
    enum request_kind kind;
    char              task[25];
    int64_t           ack;
};

static struct {
    struct life      *lives[GATEWAYS_MAX];
    struct happening *births[GATEWAYS_MAX];
    size_t            count;
    unsigned          names;
} gateways;

/* --- as app.c --- */

static void on_frame(struct org *o, struct frame *f, void *arg)
{
    struct life *l = arg;
    bool         tell_task = topics_admit(&l->topics, f);
    bool         tell_rows = boards_admit(&l->boards, f);

    (void)o;
    lines_tell(&l->lines, f, tell_task, tell_rows);
}

static void on_resync(struct org *o, void *arg)
{
    struct life *l = arg;

    sim_trace("%s: resync", l->node.name);
    topics_resync(&l->topics, o);
    boards_resync(&l->boards, o);
}

static void on_moved(struct org *o, void *arg)
{
    (void)arg;
    sources_moved(o);
}

static const struct orgs_handlers ORGS_HANDLERS = {
    .on_frame = on_frame,
    .on_resync = on_resync,
    .on_moved = on_moved,
};

static void waits_end_due(struct life *l)
{
    struct wait *w;

    while ((w = waits_due(&l->peers)) != NULL) {
        char         task[sizeof(w->task)];
        struct slice org = user_org(w->peer->user);

        memcpy(task, w->task, sizeof(task));
        wait_end(w, ERROR_UNAVAILABLE);
        if (task[0] != '\0')
            topics_look(&l->topics, slice_of(task));
        else
            boards_look(&l->boards, org);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct life *l = timer->data;

    waits_end_due(l);
    compare_rooms_tick(&l->compare);
    users_sweep(&l->users, sim.now_us / MS);
}

static void leave_task(struct peer *p, struct slice task, void *arg)
{
    topics_leave(arg, p, task);
}

static void guest_end(struct guest *g)
{
    struct life *l = g->life;
    struct peer *p = g->peer;
    struct list *node;

    topics_each_of(p, leave_task, &l->topics);
    boards_leave(&l->boards, p);
    while (!list_is_empty(&p->waits)) {
        struct wait *w = container_of(p->waits.next, struct wait, in_peer);
        char         task[sizeof(w->task)];

        memcpy(task, w->task, sizeof(task));
        topics_leave(&l->topics, p, slice_of(task));
    }
    users_leave(&l->users, p->user);
    org_unref(p->org);
    peer_free(p);
    while ((node = list_take_first(&g->coming)) != NULL) {
        sim_cancel(container_of(node, struct coming, in_guest)->due);
        free(container_of(node, struct coming, in_guest));
    }
    sim_cancel(g->end);
    list_remove(&g->in_life);
    socket_close(g->socket);
    free(g);
}

/* --- as events.c --- */

static void resync_one(struct peer *p, struct slice task, void *arg)
{
    char **at = arg;

    (void)p;
    memcpy(*at, task.data, task.len);
    *at += 25;
}

static void resync(struct life *l, struct peer *p, struct request *r)
{
    char  ids[64 * 25] = "";
    char *end = ids;

    topics_each_of(p, resync_one, &end);
    for (char *id = ids; id < end; id += 25)
        topics_join(&l->topics, wait_new(p, r, slice_of(id)));
    if (boards_has(p))
        boards_join(&l->boards, wait_new(p, r, (struct slice){ NULL, 0 }));
}

static void on_request(void *arg)
{
    struct coming  *c = arg;
    struct guest   *g = c->guest;
    struct life    *l = g->life;
    struct request *r = NULL;

    list_remove(&c->in_guest);
    switch (c->kind) {
    case REQUEST_LEAVE:
        topics_leave(&l->topics, g->peer, slice_of(c->task));
        peer_answer(g->peer, c->ack, OUTCOME_OK);
        break;
    case REQUEST_UNDASH:
        boards_leave(&l->boards, g->peer);
        peer_answer(g->peer, c->ack, OUTCOME_OK);
        break;
    default:
        r = request_new(g->peer, c->ack, c->kind == REQUEST_RESYNC);
        if (c->kind == REQUEST_JOIN)
            topics_join(&l->topics, wait_new(g->peer, r, slice_of(c->task)));
        else if (c->kind == REQUEST_DASH)
            boards_join(&l->boards, wait_new(g->peer, r, (struct slice){ NULL, 0 }));
        else
            resync(l, g->peer, r);
        request_seal(r);
    }
    free(c);
}

/* --- clients --- */

static struct guest *guest_of(struct sio_socket *s)
{
    const struct peer *p = sio_socket_data(s);
    struct life       *l = container_of(p->all, struct life, peers);

    list_each(at, &l->guests) {
        struct guest *g = container_of(at, struct guest, in_life);

        if (g->socket == s)
            return g;
    }
    return NULL;
}

void gateway_request(struct sio_socket *s, enum request_kind kind, const char *task, int64_t ack)
{
    struct guest  *g = guest_of(s);
    struct coming *c = mem_new(struct coming);
    uint64_t       at_us = sim.now_us + wire_delay_us();

    *c = (struct coming){ .guest = g, .kind = kind, .ack = ack };
    memcpy(c->task, task, strlen(task) + 1);
    list_append(&g->coming, &c->in_guest);
    g->last_us = at_us > g->last_us ? at_us : g->last_us;
    c->due = sim_at(g->last_us, &g->life->node, on_request, c);
}

struct sio_socket *gateway_connect(size_t i, struct client *client, const char *sub,
                                   const char *org, uint64_t extra_us)
{
    struct life  *l = gateways.lives[i];
    struct guest *g;
    struct claims claims = { .exp_s = INT64_MAX };

    if (l == NULL)
        return NULL;
    g = mem_new(struct guest);
    g->life = l;
    list_init(&g->coming);
    list_append(&l->guests, &g->in_life);
    snprintf(claims.sub, sizeof(claims.sub), "%s", sub);
    snprintf(claims.org, sizeof(claims.org), "%s", org);
    g->socket = socket_open(l->ns, client, extra_us);
    g->peer = peer_new(&l->peers, g->socket, users_enter(&l->users, &claims, sim.now_us / MS),
                       orgs_ref(l->orgs, slice_of(claims.org)));
    return g->socket;
}

static void on_guest_end(void *arg)
{
    struct guest *g = arg;

    g->end = NULL;
    guest_end(g);
}

void gateway_disconnect(struct sio_socket *s)
{
    struct guest *g = guest_of(s);
    uint64_t      late = sim_chance(300) ? sim_between(0, HALF_OPEN_US) : wire_delay_us();

    socket_drop(s);
    g->end = sim_after(late, &g->life->node, on_guest_end, g);
}

/* --- lives --- */

static void on_birth(void *arg)
{
    size_t              i = (size_t)(uintptr_t)arg;
    struct life        *l = mem_new(struct life);
    char                name[16];
    struct orgs_options options = { .redis_url = "redis://sim", .gateway = l->node.name,
                                    .linger_ms = 30000 };

    gateways.births[i] = NULL;
    gateways.lives[i] = l;
    snprintf(name, sizeof(name), "gateway-%u", ++gateways.names);
    node_init(&l->node, name, 0);
    list_init(&l->guests);
    l->orgs = orgs_new(&l->node.loop, &options, &ORGS_HANDLERS, l);
    l->ns = sockets_new(&l->node);
    l->taskd = taskds_client_new(&l->node);
    sources_init(&l->sources, &l->node.loop, l->taskd);
    peers_init(&l->peers, &l->node.loop, NULL);
    users_init(&l->users, 0);
    lines_init(&l->lines, l->ns, &l->peers, NULL);
    topics_init(&l->topics, &l->lines, l->orgs, &l->sources, NULL);
    boards_init(&l->boards, &l->lines, &l->sources, NULL);
    compare_rooms_init(&l->compare, &l->topics, &l->boards, COMPARE_MS, NULL);
    uv_timer_init(&l->node.loop, &l->timer);
    l->timer.data = l;
    uv_timer_start(&l->timer, on_timer, TICK_MS, TICK_MS);
    sim_trace("%s is there", name);
}

static void life_end(struct life *l)
{
    struct node *outer = sim.node;

    list_each(at, &l->guests) {
        struct guest *g = container_of(at, struct guest, in_life);

        if (!socket_is_dropped(g->socket)) {
            socket_drop(g->socket);
            client_cut(socket_client(g->socket));
        }
    }
    node_kill(&l->node);
    sim.node = &l->node;
    wire_kill_node(&l->node);
    while (!list_is_empty(&l->guests))
        guest_end(container_of(l->guests.next, struct guest, in_life));
    compare_rooms_deinit(&l->compare);
    topics_deinit(&l->topics);
    boards_deinit(&l->boards);
    sources_close(&l->sources);
    orgs_close(l->orgs);
    users_deinit(&l->users);
    uv_close((uv_handle_t *)&l->timer, NULL);
    node_drain(&l->node);
    taskds_client_free(l->taskd);
    sockets_free(l->ns);
    free(l);
    sim.node = outer;
}

void gateways_begin(size_t count)
{
    memset(&gateways, 0, sizeof(gateways));
    gateways.count = count;
    for (size_t i = 0; i < count; i++)
        on_birth((void *)(uintptr_t)i);
}

void gateways_end(void)
{
    for (size_t i = 0; i < gateways.count; i++) {
        sim_cancel(gateways.births[i]);
        if (gateways.lives[i] != NULL)
            life_end(gateways.lives[i]);
    }
}

size_t gateways_count(void)
{
    return gateways.count;
}

bool gateway_is_up(size_t i)
{
    return gateways.lives[i] != NULL;
}

void gateway_crash(size_t i)
{
    struct life *l = gateways.lives[i];

    if (l == NULL)
        return;
    sim_trace("%s crashes", l->node.name);
    gateways.lives[i] = NULL;
    life_end(l);
    gateways.births[i] = sim_after(sim_between(100, 3000) * MS, NULL, on_birth,
                                   (void *)(uintptr_t)i);
}

/* simulate.c -- `taskctl simulate`: plays the internal services.
 *
 * It hears of new tasks on an org's live feed, and says over `tasks:ingest` what an analyser, a
 * dispatcher and an agent would say of them, at a human pace. With --rate it publishes that many
 * inputs a second, makes the tasks it needs itself over REST, and answers the questions it asks:
 * a load for tests. An event that Redis did not acknowledge is sent again with the same id,
 * which has one effect however often it comes; so nothing is lost whoever crashes.
 *
 * The lives wait in one ring: each tick takes from its front those that are due. */
#include <uthash.h>
#include <uv.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "common/err.h"
#include "common/http_client.h"
#include "common/json.h"
#include "common/list.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/redis.h"
#include "common/redis_shard.h"
#include "proto/envelope.h"
#include "proto/keys.h"
#include "taskd/ctl/cli/out.h"
#include "taskd/ctl/commands.h"
#include "taskd/ctl/identity.h"
#include "taskd/ctl/scenario.h"
#include "taskd/ctl/views.h"

#define TICK_MS          20
#define RETRY_MS         250
#define LIVES_MAX        20000
#define EVENT_BYTES_MAX  65536
#define TOKEN_TTL_S      (30LL * 86400)

struct simulation;

struct callback {
    http_client_cb *fn;
    void           *arg;
};

struct life {
    struct list        ring;                   /* in simulation.ring while waiting its turn */
    struct scenario    scenario;
    char              *unsent;                 /* an event not acknowledged yet */
    char               unsent_name[32];
    uint64_t           due_ms;
    bool               is_mine;                /* made here: questions are answered here */
    bool               is_answering;
    struct simulation *sim;
    UT_hash_handle     hh;                     /* by scenario.task_id */
};

struct simulation {
    uv_loop_t                loop;
    uv_timer_t               tick;
    uv_signal_t              signals[2];
    struct net              *net;
    struct redis            *redis;
    struct redis_subscriber *feed;
    struct http_client      *taskd;
    char                    *authorization;    /* "Bearer …" */
    struct life             *lives;
    struct list              ring;
    const char              *org;
    int64_t                  rate, pace_ms, lives_wanted;
    uint64_t                 seed, run, end_ms, last_tick_ms;
    double                   budget;           /* inputs that --rate allows by now */
    bool                     is_quiet, is_stopping;
    size_t                   creating;
    uint64_t                 create_after_ms;  /* taskd refused or was away: not before then */
    uint64_t                 created, published, repeated;
};

/* --- lives --- */

static void life_free(struct life *l)
{
    HASH_DEL(l->sim->lives, l);
    list_remove(&l->ring);
    free(l->unsent);
    free(l);
}

static uint64_t next_due(struct simulation *sim)
{
    uint8_t r[2];

    if (sim->rate > 0)
        return 0;
    crypto_random(r, sizeof(r));
    /* Between half and one and a half of the pace: people do not work like clocks. */
    return uv_now(&sim->loop) + (uint64_t)sim->pace_ms / 2 +
           (uint64_t)sim->pace_ms * (uint64_t)(r[0] | r[1] << 8) / 65536;
}

static struct life *life_find(struct simulation *sim, struct slice id)
{
    struct life *l = NULL;

    HASH_FIND(hh, sim->lives, id.data, id.len, l);
    return l;
}

static struct life *life_add(struct simulation *sim, struct slice id, bool is_mine)
{
    struct life *l = life_find(sim, id);

    if (l != NULL) {
        l->is_mine |= is_mine;
        return l;
    }
    if (id.len != 24 || HASH_COUNT(sim->lives) >= LIVES_MAX)
        return NULL;
    l = mem_new(struct life);
    l->sim = sim;
    l->is_mine = is_mine;
    l->due_ms = next_due(sim);
    scenario_init(&l->scenario, id, sim->seed, sim->run);
    list_append(&sim->ring, &l->ring);
    HASH_ADD_KEYPTR(hh, sim->lives, l->scenario.task_id, 24, l);
    return l;
}

/* --- publishing --- */

static void life_go_on(struct life *l)
{
    if (scenario_is_over(&l->scenario) && l->unsent == NULL)
        life_free(l);
    else
        list_append(&l->sim->ring, &l->ring);
}

static void on_published(int err, const struct redis_reply *reply, void *arg)
{
    struct life       *l = arg;
    struct simulation *sim = l->sim;

    (void)reply;
    if (err == ERR_CLOSED)
        return;                                /* the end: lives are freed with the simulation */
    if (err != 0) {
        sim->repeated++;
        l->due_ms = uv_now(&sim->loop) + RETRY_MS;
    } else {
        sim->published++;
        if (!sim->is_quiet)
            out_line("%s %s", l->scenario.task_id, l->unsent_name);
        free(l->unsent);
        l->unsent = NULL;
        l->due_ms = next_due(sim);
    }
    life_go_on(l);
}

/* Send the life's next event, or again the one that was not acknowledged. */
static void life_publish(struct life *l)
{
    struct buf event;

    if (l->unsent == NULL) {
        snprintf(l->unsent_name, sizeof(l->unsent_name), "%s", scenario_next_name(&l->scenario));
        buf_init(&event, EVENT_BYTES_MAX);
        scenario_take(&l->scenario, &event);
        l->unsent = buf_take(&event);
    }
    if (redis_call(l->sim->redis, on_published, l, "XADD", KEY_INGEST, "*", KEY_INGEST_FIELD,
                   l->unsent, NULL) != 0) {
        l->due_ms = uv_now(&l->sim->loop) + RETRY_MS;
        list_append(&l->sim->ring, &l->ring);
    }
}

/* --- REST: making tasks, answering, finding those already there --- */

/* POST `body`, or GET where it is NULL. `key`: the Idempotency-Key, or NULL. */
static int call(struct simulation *sim, const char *target, const char *body, const char *key,
                struct callback cb)
{
    struct http_header headers[] = {
        { SLICE("Authorization"), slice_of(sim->authorization) },
        { SLICE("Content-Type"), SLICE("application/json") },
        { SLICE("Idempotency-Key"), slice_of(key) },
    };
    struct http_call_options o = {
        .method = body != NULL ? HTTP_POST : HTTP_GET, .target = slice_of(target),
        .headers = headers, .header_count = key != NULL ? 3 : 2, .body = slice_of(body),
    };

    return http_client_call(sim->taskd, &o, cb.fn, cb.arg, NULL);
}

static void on_created(int err, const struct http_result *result, void *arg)
{
    struct simulation *sim = arg;
    json_t            *answer;
    const char        *id;

    sim->creating--;
    if (err != 0 || result->status != 202) {
        sim->create_after_ms = uv_now(&sim->loop) + RETRY_MS;
        return;
    }
    answer = json_parse(result->body, NULL);
    id = json_text(answer, "taskId");
    if (id != NULL && life_add(sim, slice_of(id), true) != NULL)
        sim->created++;
    json_decref(answer);
}

static void make_tasks(struct simulation *sim)
{
    char body[160];

    if (uv_now(&sim->loop) < sim->create_after_ms)
        return;
    while ((int64_t)(HASH_COUNT(sim->lives) + sim->creating) < sim->lives_wanted) {
        snprintf(body, sizeof(body), "{\"description\":\"Simulated task %llu of run %llx\"}",
                 (unsigned long long)(sim->created + sim->creating), (unsigned long long)sim->run);
        if (call(sim, "/api/tasks", body, NULL, (struct callback){ on_created, sim }) != 0)
            return;
        sim->creating++;
    }
}

static void on_answered(int err, const struct http_result *result, void *arg)
{
    struct life *l = arg;

    l->is_answering = false;
    if (err == 0 && result->status == 202)
        scenario_answered(&l->scenario);
    l->due_ms = uv_now(&l->sim->loop) + (l->scenario.is_waiting ? RETRY_MS : 0);
}

/* Answer a task of our own until it is taken: the question may still be on its way, and taskd
 * may be away. The key makes asking again harmless. */
static void life_answer(struct life *l)
{
    char target[80], key[80];

    snprintf(target, sizeof(target), "/api/tasks/%s/clarify", l->scenario.task_id);
    snprintf(key, sizeof(key), "sim-%s-%u", l->scenario.task_id, l->scenario.at);
    l->is_answering = call(l->sim, target,
                           "{\"answers\":[\"The dashboard.\",\"Yes, all of them.\"]}", key,
                           (struct callback){ on_answered, l }) == 0;
    if (!l->is_answering)
        l->due_ms = uv_now(&l->sim->loop) + RETRY_MS;
}

static void on_found(int err, const struct http_result *result, void *arg)
{
    struct simulation *sim = arg;
    json_t            *list, *row;
    size_t             i;

    if (err != 0 || result->status != 200) {
        log_warn("tasks-not-listed", LOG_NUM("status", result != NULL ? result->status : 0),
                 LOG_ERR(err));
        return;
    }
    list = json_parse(result->body, NULL);
    json_array_foreach(json_object_get(list, "tasks"), i, row) {
        const char  *id = json_text(row, "taskId"), *status = json_text(row, "status");
        enum status  s;
        struct life *l;

        if (id == NULL || status == NULL || status_parse(slice_of(status), &s) != 0)
            continue;
        l = life_add(sim, slice_of(id), false);
        if (l != NULL && l->scenario.at == 0)
            scenario_resume(&l->scenario, s);
    }
    json_decref(list);
}

/* --- the feed --- */

static void hear(struct simulation *sim, struct slice id, struct slice json)
{
    struct life *l;

    if (slice_starts(json, "[\"task:created\"")) {
        life_add(sim, id, false);
        return;
    }
    l = life_find(sim, id);
    if (l != NULL && l->scenario.is_waiting && slice_starts(json, "[\"task:analyzing\"")) {
        scenario_answered(&l->scenario);
        l->due_ms = next_due(sim);
    }
}

static void on_message(struct redis_subscriber *s, struct slice channel, struct slice message,
                       void *arg)
{
    struct envelope e;
    struct slice    address, json;

    (void)s;
    (void)channel;
    if (envelope_parse(message, &e) != 0)
        return;
    while (envelope_next(&e.lines, &address, &json))
        hear(arg, e.routing.task, json);
}

static void on_subscribed(struct redis_subscriber *s, struct slice channel, void *arg)
{
    struct simulation *sim = arg;

    (void)s;
    (void)channel;
    /* What was created before we listened, or while the feed was away. */
    if (!sim->is_stopping)
        (void)call(sim, "/api/tasks?active=true&limit=100", NULL, NULL,
                   (struct callback){ on_found, sim });
}

static const struct redis_subscriber_handlers FEED = {
    .on_message = on_message, .on_subscribed = on_subscribed,
};

/* --- the clock --- */

/* Give one life its turn. Returns false where it is not its time yet. */
static bool life_turn(struct life *l, uint64_t now)
{
    if (l->due_ms > now || l->is_answering)
        return false;
    if (l->unsent == NULL && scenario_is_over(&l->scenario)) {
        life_free(l);
    } else if (l->unsent == NULL && l->scenario.is_waiting) {
        if (l->is_mine)
            life_answer(l);
        return false;
    } else {
        l->sim->budget -= 1;
        life_publish(l);
    }
    return true;
}

static void publish_due(struct simulation *sim)
{
    uint64_t     now = uv_now(&sim->loop);
    struct list  later = LIST_INIT(later);
    struct list *node;

    while ((sim->rate == 0 || sim->budget >= 1) && (node = list_take_first(&sim->ring)) != NULL) {
        if (!life_turn(container_of(node, struct life, ring), now))
            list_append(&later, node);
    }
    list_splice(&sim->ring, &later);
}

/* Close what is open. */
static void disconnect(struct simulation *sim)
{
    if (sim->taskd != NULL)
        http_client_close(sim->taskd);
    if (sim->feed != NULL)
        redis_subscriber_close(sim->feed);
    if (sim->redis != NULL)
        redis_close(sim->redis);
    if (sim->net != NULL)
        net_close(sim->net);
}

static void stop(struct simulation *sim)
{
    if (sim->is_stopping)
        return;
    sim->is_stopping = true;
    uv_close((uv_handle_t *)&sim->tick, NULL);
    uv_close((uv_handle_t *)&sim->signals[0], NULL);
    uv_close((uv_handle_t *)&sim->signals[1], NULL);
    disconnect(sim);
}

static void on_tick(uv_timer_t *timer)
{
    struct simulation *sim = timer->data;
    uint64_t           now = uv_now(&sim->loop);
    double             most = (double)sim->rate;   /* never more than a second's worth behind */

    sim->budget += (double)sim->rate * (double)(now - sim->last_tick_ms) / 1000.0;
    if (sim->budget > most)
        sim->budget = most;
    sim->last_tick_ms = now;
    if (sim->rate > 0)
        make_tasks(sim);
    publish_due(sim);
    out_flush();
    if (sim->end_ms != 0 && now >= sim->end_ms)
        stop(sim);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    stop(handle->data);
}

/* --- the command --- */

static const char *setting(const struct args *a, const char *option, const char *variable,
                           const char *fallback)
{
    const char *value = args_value(a, option);

    if (value == NULL)
        value = getenv(variable);
    return value != NULL && *value != '\0' ? value : fallback;
}

static bool read_options(struct simulation *sim, const struct args *a, struct buf *why)
{
    int64_t seconds, seed;

    if (args_number(a, "pace", 1, 3600000, &sim->pace_ms, why) != 0 ||
        args_number(a, "rate", 0, 100000, &sim->rate, why) != 0 ||
        args_number(a, "seconds", 0, 864000, &seconds, why) != 0 ||
        args_number(a, "seed", 0, INT64_MAX, &seed, why) != 0)
        return false;
    sim->org = args_given(a, "org") ? args_value(a, "org") : "demo";
    sim->seed = (uint64_t)seed;
    sim->is_quiet = args_flag(a, "quiet");
    sim->end_ms = seconds == 0 ? 0 : uv_now(&sim->loop) + (uint64_t)seconds * 1000;
    /* A task takes about ten inputs; with a quarter of the rate in motion, one task moves
     * about four times a second. */
    sim->lives_wanted = sim->rate == 0 ? 0 : sim->rate / 4 + 8;
    return true;
}

static bool identify(struct simulation *sim)
{
    struct identity who = { .sub = "simulator", .org = sim->org, .name = "simulator",
                            .ttl_s = TOKEN_TTL_S };
    struct buf      header;
    int             err;

    buf_init(&header, 16384);
    buf_append_text(&header, "Bearer ");
    err = identity_token(&who, &header);
    sim->authorization = buf_take(&header);
    return err == 0;
}

/* The stream is on the first server, the org's feed where the org lives. */
static bool connect_redis(struct simulation *sim, const char *urls)
{
    struct redis_servers servers;
    struct redis_options o = { .name = "simulate", .pending_max = 100000 };
    struct buf           why;
    size_t               own;

    buf_init(&why, 4096);
    if (redis_servers_init(&servers, urls, &why) != 0) {
        say("%s", why.data);
        buf_deinit(&why);
        return false;
    }
    own = redis_servers_of(&servers, slice_of(sim->org));
    o.url = servers.urls[0];
    sim->redis = redis_new(&sim->loop, &o);
    sim->feed = redis_subscriber_new(&sim->loop, servers.urls[own], "simulate-feed", &FEED, sim);
    redis_servers_deinit(&servers);
    buf_deinit(&why);
    return sim->redis != NULL && sim->feed != NULL;
}

static bool connect_all(struct simulation *sim, const char *redis_urls, const char *taskd_url)
{
    char channel[200];

    sim->net = net_new(&sim->loop);
    sim->taskd = http_client_new(sim->net, taskd_url, &HTTP_CLIENT_DEFAULTS);
    if (sim->taskd == NULL) {
        say("TASKD_URL is not of the form http://host:port: '%s'", taskd_url);
        return false;
    }
    if (!connect_redis(sim, redis_urls))
        return false;
    snprintf(channel, sizeof(channel), KEY_LIVE_FORMAT, sim->org);
    redis_subscribe(sim->feed, slice_of(channel));
    return true;
}

static void start(struct simulation *sim)
{
    static const int SIGNALS[2] = { SIGINT, SIGTERM };

    crypto_random(&sim->run, sizeof(sim->run));
    sim->last_tick_ms = uv_now(&sim->loop);
    uv_timer_init(&sim->loop, &sim->tick);
    sim->tick.data = sim;
    uv_timer_start(&sim->tick, on_tick, TICK_MS, TICK_MS);
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&sim->loop, &sim->signals[i]);
        sim->signals[i].data = sim;
        uv_signal_start(&sim->signals[i], on_signal, SIGNALS[i]);
    }
}

/* Everything that was begun ends, and its memory goes. */
static int finish(struct simulation *sim)
{
    struct life *l, *next;

    uv_run(&sim->loop, UV_RUN_DEFAULT);
    HASH_ITER(hh, sim->lives, l, next)
        life_free(l);
    free(sim->authorization);
    return uv_loop_close(&sim->loop) == 0 ? EXIT_OK : EXIT_FAILED;
}

static bool set_up(struct simulation *sim, const struct args *a)
{
    struct buf why;
    bool       is_fine;

    buf_init(&why, 1024);
    is_fine = read_options(sim, a, &why);
    if (!is_fine)
        usage(a, "%s", why.data);
    buf_deinit(&why);
    return is_fine && identify(sim) &&
           connect_all(sim, setting(a, "redis", "REDIS_URL", "redis://127.0.0.1:6379"),
                       setting(a, "taskd", "TASKD_URL", "http://127.0.0.1:3001"));
}

int command_simulate(const struct args *a)
{
    struct simulation sim = { 0 };
    int               code;

    log_setup("simulate", LOG_LEVEL_WARN, LOG_FORMAT_KV);
    uv_loop_init(&sim.loop);
    list_init(&sim.ring);
    if (!set_up(&sim, a)) {
        disconnect(&sim);
        (void)finish(&sim);
        return EXIT_USAGE;
    }
    start(&sim);
    code = finish(&sim);
    fprintf(stderr, "published=%llu repeated=%llu created=%llu\n",
            (unsigned long long)sim.published, (unsigned long long)sim.repeated,
            (unsigned long long)sim.created);
    return code;
}

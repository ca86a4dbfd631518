/* main.c -- taskd: settings, resources, run, and the same backwards.
 *
 * Everything happens on one loop; what blocks, the store's own threads do. On SIGTERM it is not
 * ready at once and gives the ingest's lease back as soon as what acts has been written; it
 * serves on until gateways have noticed (DRAIN_NOTICE_SECONDS; kept connections end with their
 * next answer, so that none is closed under a request), then takes no new connections,
 * finishes what it began, and ends with an empty loop: a second signal ends it on the spot. */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "common/runtime.h"
#include "common/supervisor.h"
#include "taskd/api.h"
#include "taskd/backlog.h"
#include "taskd/settings.h"

#ifndef TASKWIRE_VERSION
#define TASKWIRE_VERSION "unknown"
#endif

#define STORE_QUEUE_MAX   20000
#define STORE_THREADS     8
#define REDIS_PENDING_MAX 50000
#define REDIS_TIMEOUT_MS  5000
#define STOP_TICK_MS      10
#define LEAVE_MS          1000                 /* for connections that are about to end */

struct taskd {
    uv_loop_t         loop;
    struct settings   settings;
    struct net       *net;
    struct metrics   *metrics;
    struct redis     *redis;                   /* the first server's: what belongs to no org */
    struct server {
        struct taskd *taskd;
        struct redis *redis;
    } servers[REDIS_SERVERS_MAX];              /* all of them, each with its share of the orgs */
    struct store     *store;
    struct publisher *publisher;
    struct tasks     *tasks;
    struct ingest    *ingest;
    struct health    *health;
    struct control   *control;
    struct api       *api;
    uv_signal_t       on_term, on_int;
    uv_timer_t        stop;
    uint64_t          listens_until_ms;        /* while stopping */
    bool              is_stopping, is_leaving, knows_aof;
    struct supervisor *supervisor;
    struct runtime   *runtime;
    struct backlog   *backlog;
};

/* --- Redis --- */

static void on_persistence(int err, const struct redis_reply *reply, void *arg)
{
    struct slice info = redis_reply_text(reply);

    (void)arg;
    if (err == 0 && memmem(info.data, info.len, "aof_enabled:0", 13) != NULL)
        log_warn("redis-forgets", LOG_TEXT("why", "it runs without an append-only file; inputs "
                 "that were not handled yet are lost if it restarts"));
}

static void on_redis_state(struct redis *r, bool is_up, void *arg)
{
    struct server *s = arg;
    struct taskd  *d = s->taskd;

    if (d->publisher != NULL && !d->is_stopping)
        publisher_link_changed(d->publisher, (size_t)(s - d->servers), is_up);
    if (is_up && r == d->redis && !d->knows_aof)
        d->knows_aof = redis_call(r, on_persistence, d, "INFO", "persistence", NULL) == 0;
}

static void on_store_state(bool is_up, void *arg)
{
    (void)arg;
    if (is_up)
        log_info("store-up", LOG_TEXT("why", "it answers"));
    else
        log_error("store-down", LOG_TEXT("why", "it does not answer; it is asked until it does"));
}

/* --- the end --- */

static void close_loop_handles(struct taskd *d)
{
    uv_close((uv_handle_t *)&d->on_term, NULL);
    uv_close((uv_handle_t *)&d->on_int, NULL);
    uv_close((uv_handle_t *)&d->stop, NULL);
}

static void on_store_closed(void *arg)
{
    struct taskd *d = arg;

    for (size_t i = 0; i < d->settings.redis.count; i++)
        redis_close(d->servers[i].redis);
    net_close(d->net);
    close_loop_handles(d);
}

static void on_publisher_closed(void *arg)
{
    struct taskd *d = arg;

    store_close(d->store, on_store_closed, d);
}

static void on_tasks_closed(void *arg)
{
    struct taskd *d = arg;

    publisher_close(d->publisher, on_publisher_closed, d);
}

/* Requests under way wait for the store and for Redis alone, never for their clients. */
static void on_stop_tick(uv_timer_t *timer)
{
    struct taskd *d = timer->data;

    uint64_t      now_ms = uv_now(&d->loop);

    if (!d->is_leaving && now_ms >= d->listens_until_ms) {
        d->is_leaving = true;
        api_drain(d->api);
    }
    if (!d->is_leaving || api_calls(d->api) > 0 || !ingest_is_drained(d->ingest) ||
        (api_connections(d->api) > 0 && now_ms < d->listens_until_ms + LEAVE_MS))
        return;
    uv_timer_stop(timer);
    api_close(d->api);
    ingest_close(d->ingest);
    supervisor_close(d->supervisor);
    runtime_close(d->runtime);
    backlog_close(d->backlog);
    health_close(d->health);
    control_close(d->control);
    tasks_close(d->tasks, on_tasks_closed, d);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct taskd *d = handle->data;

    if (d->is_stopping)
        _Exit(EXIT_FAILURE);
    d->is_stopping = true;
    log_info("stopping", LOG_NUM("signal", number),
             LOG_NUM("notice_seconds", d->settings.drain_notice_seconds));
    supervisor_stopping(d->supervisor);
    health_drain(d->health);
    api_wind_down(d->api);
    ingest_drain(d->ingest);
    d->listens_until_ms = uv_now(&d->loop) + (uint64_t)d->settings.drain_notice_seconds * 1000;
    uv_timer_start(&d->stop, on_stop_tick, 0, STOP_TICK_MS);
}

/* --- the beginning --- */

static int open_store(struct taskd *d)
{
    struct store_options o = { .url = d->settings.store_url, .queue_max = STORE_QUEUE_MAX,
                               .threads = STORE_THREADS, .on_state = on_store_state, .arg = d };
    struct buf           why;
    int                  err;

    buf_init(&why, 1024);
    err = store_open(&d->loop, &o, d->metrics, &d->store, &why);
    if (err != 0)
        fprintf(stderr, "taskd: the store cannot be opened: %s\n",
                why.data != NULL ? why.data : err_text(err));
    buf_deinit(&why);
    return err;
}

static void on_looked(bool is_ready, void *arg)
{
    struct taskd *d = arg;

    if (!d->is_stopping)
        supervisor_ready(d->supervisor, is_ready);
    log_flush(false);
}

static bool knows_revocations(void *arg)
{
    return control_is_known(((struct taskd *)arg)->control);
}

static void make_control(struct taskd *d)
{
    d->control = control_new(&(struct control_options){
        .loop = &d->loop, .store = d->store, .redis = d->redis,
        .redis_url = d->settings.redis.urls[0], .metrics = d->metrics });
    health_needs(d->health, knows_revocations, d);
}

/* Links to all servers; `out` is for who wants no more than that. */
static void make_links(struct taskd *d, struct redis *out[REDIS_SERVERS_MAX])
{
    struct redis_options o = { .name = "taskd", .pending_max = REDIS_PENDING_MAX,
                               .timeout_ms = REDIS_TIMEOUT_MS, .on_state = on_redis_state };

    o.seconds = metrics_histogram(d->metrics, "taskwire_redis_call_seconds", NULL,
                                  "From a command to its reply, all servers");

    for (size_t i = 0; i < d->settings.redis.count; i++) {
        struct server *s = &d->servers[i];

        o.url = d->settings.redis.urls[i];
        o.arg = s;
        s->taskd = d;
        out[i] = s->redis = redis_new(&d->loop, &o);
        assert(s->redis != NULL);              /* the settings were checked */
    }
    d->redis = d->servers[0].redis;
}

static void make_parts(struct taskd *d)
{
    const struct redis_servers *servers = &d->settings.redis;
    struct redis         *links[REDIS_SERVERS_MAX];
    struct ingest_options ingest = { .redis_url = servers->urls[0],
                                     .is_alone = store_is_exclusive(d->store) };

    make_links(d, links);
    d->backlog = backlog_new(&d->loop, d->redis, d->metrics);
    d->publisher = publisher_new(&d->loop, d->store, servers, links, d->metrics);
    d->tasks = tasks_new(&d->loop, d->store, d->publisher, d->metrics);
    d->health = health_new(&d->loop, d->store, links, servers->count, d->metrics);
    health_watch(d->health, on_looked, d);
    make_control(d);
    ingest.redis = d->redis;
    d->ingest = ingest_new(&d->loop, &ingest, d->tasks, d->metrics);
    d->api = api_new(&(struct api_parts){
        .loop = &d->loop, .net = d->net, .store = d->store, .redis = d->redis,
        .publisher = d->publisher, .tasks = d->tasks, .ingest = d->ingest, .health = d->health,
        .control = d->control,
        .metrics = d->metrics, .user_key = d->settings.keys.user,
        .cluster_key = d->settings.keys.cluster,
        .github_secret = d->settings.github_secret });
}

static void listen_or_exit(const char *what, int err, const char *address, int64_t port)
{
    if (err == 0)
        return;
    fprintf(stderr, "taskd: cannot listen on %s port %lld for %s: %s\n", address,
            (long long)port, what, err_text(err));
    exit(EXIT_FAILURE);                        /* nothing was begun that an exit would hurt */
}

static void start_listening(struct taskd *d)
{
    const struct settings *s = &d->settings;
    int                    port;
    int                    metrics_port = 0;
    int                    metrics_fd = supervisor_take_socket(d->supervisor, "metrics");
    int                    fd = supervisor_take_socket(d->supervisor, NULL);

    listen_or_exit("REST", api_listen(d->api, s->bind_address, (int)s->port, fd, &port),
                   s->bind_address, s->port);
    if (s->metrics_port != 0 || metrics_fd >= 0)
        listen_or_exit("metrics",
                       api_listen_metrics(d->api, s->metrics_bind_address, (int)s->metrics_port,
                                          metrics_fd, &metrics_port),
                       s->metrics_bind_address, s->metrics_port);
    log_info("listening", LOG_TEXT("address", s->bind_address), LOG_NUM("port", port),
             LOG_NUM("metrics_port", metrics_port), LOG_TEXT("version", TASKWIRE_VERSION));
}

static void watch_signals(struct taskd *d)
{
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(&d->loop, &d->on_term);
    uv_signal_init(&d->loop, &d->on_int);
    uv_timer_init(&d->loop, &d->stop);
    d->on_term.data = d->on_int.data = d->stop.data = d;
    uv_signal_start(&d->on_term, on_signal, SIGTERM);
    uv_signal_start(&d->on_int, on_signal, SIGINT);
}

static int run(struct taskd *d)
{
    int err;

    uv_loop_init(&d->loop);
    d->supervisor = supervisor_new(&d->loop);
    d->net = net_new(&d->loop);
    d->metrics = metrics_new();
    d->runtime = runtime_new(&d->loop, d->metrics);
    net_metrics(d->net, d->metrics);
    if (open_store(d) != 0)
        return EXIT_FAILURE;
    make_parts(d);
    start_listening(d);
    watch_signals(d);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    err = uv_loop_close(&d->loop);
    metrics_free(d->metrics);
    settings_deinit(&d->settings);
    log_flush(true);
    log_info("stopped", LOG_NUM("loop", err));
    return err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int usage(FILE *to, int code)
{
    fprintf(to, "usage: taskd [--settings | --version | --help]\n"
                "taskd owns the tasks. It is set up by environment variables: --settings.\n");
    return code;
}

int main(int argc, char **argv)
{
    static struct taskd d;
    struct buf          problems;

    if (argc > 1 && strcmp(argv[1], "--settings") == 0) {
        settings_print(stdout);
        return EXIT_SUCCESS;
    }
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("taskd %s\n", TASKWIRE_VERSION);
        return EXIT_SUCCESS;
    }
    if (argc > 1)
        return usage(strcmp(argv[1], "--help") == 0 ? stdout : stderr,
                     strcmp(argv[1], "--help") == 0 ? EXIT_SUCCESS : 2);
    buf_init(&problems, 65536);
    if (settings_load(&d.settings, &problems) != 0) {
        fprintf(stderr, "taskd cannot start:\n%s", problems.data);
        buf_deinit(&problems);
        return 2;
    }
    buf_deinit(&problems);
    log_setup("taskd", d.settings.log_level, d.settings.log_format);
    return run(&d);
}

/* gateway.c -- see gateway.h.
 *
 * Stopping takes its time (SPEC F4), a step after the other:
 *
 *     NOTICE   we say that we are not ready, and serve on: load balancers take a moment to hear it;
 *              connections that are kept between requests end with their next answer
 *     MOVING   no new sessions; clients are closed a few at a time, without a DISCONNECT packet, so
 *              that they go on elsewhere (DESIGN 13); requests of others' sessions still pass
 *     LEAVING  the last has gone, or the time is over: no new connections; answers under way end,
 *              and those of taskd are waited for: a call that was cut may have been acted on
 *     CLOSED   everything is closed: first the doors, then what is behind them; the loop then
 *              runs empty by itself
 *
 * The doors stay open while clients move: a connection that was refused would be an error for
 * whoever was sent here meanwhile, and so would a poll of another gateway's session. */
#include "gateway/gateway.h"

#include <signal.h>
#include <stdlib.h>

#include "common/crypto.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/runtime.h"
#include "common/supervisor.h"
#include "gateway/cluster.h"
#include "gateway/front.h"
#include "gateway/report.h"

#define ID_BYTES      9                        /* of randomness in a gateway's id */
#define STOP_LOOK_MS  50
#define LEAVE_MS      1000                     /* for answers that are under way */
#define PASSING_MS    9000                     /* more for REST calls that taskd has not answered */

enum stage { STAGE_SERVING, STAGE_NOTICE, STAGE_MOVING, STAGE_LEAVING, STAGE_CLOSED };

struct gateway {
    struct settings     *settings;
    struct supervisor   *supervisor;
    struct runtime      *runtime;
    char                *id;
    struct net          *net;
    struct metrics      *metrics;
    struct taskd_client *taskd;
    struct app           app;
    struct cluster       cluster;
    struct health        health;
    struct pages         pages;
    struct proxy         proxy;
    struct front         front;
    uv_signal_t          sigterm, sigint;
    uv_timer_t           stop_timer;
    enum stage           stage;
    uint64_t             until_ms;             /* of this stage */
};

static char *id_make(void)
{
    uint8_t    random[ID_BYTES];
    struct buf b;

    crypto_random(random, sizeof(random));
    buf_init(&b, 64);
    crypto_append_base64url(&b, random, sizeof(random));
    return buf_take(&b);
}

static struct sio_options sio_options_of(struct gateway *g)
{
    struct settings   *s = g->settings;
    struct sio_options o = SIO_DEFAULTS;
    bool               has_origins = s->origins.list[0] != NULL;

    o.eio.owner = g->id;
    o.eio.ping_interval_ms = (uint64_t)s->ping_interval_ms;
    o.eio.ping_timeout_ms = (uint64_t)s->ping_timeout_ms;
    o.eio.max_payload_bytes = (size_t)s->max_payload_bytes;
    o.eio.queue_bytes_max = (size_t)s->queue_bytes_max;
    o.eio.cors_origins = has_origins ? s->origins.list : NULL;
    o.eio.cors_credentials = has_origins;
    o.eio.upgrade_timeout_ms = (uint64_t)s->upgrade_timeout_ms;
    o.eio.packets_per_payload_max = (size_t)s->packets_per_post_max;
    o.eio.fragments_max = (size_t)s->fragments_max;
    o.eio.deflate = s->deflate_threshold_bytes != 0;
    o.eio.deflate_threshold_bytes = (size_t)s->deflate_threshold_bytes;
    o.connect_timeout_ms = (uint64_t)s->connect_timeout_ms;
    o.attachments_max = (size_t)s->attachments_max;
    /* The rooms that a socket is in without having joined a task: its person's, and two of
     * the dashboard. */
    o.rooms_per_socket_max = s->rooms_per_socket == 0 ? 0 : (size_t)s->rooms_per_socket + 3;
    o.events_per_second_max = (uint32_t)s->events_per_second;
    return o;
}

static struct http_server_options http_options_of(const struct settings *s)
{
    struct http_server_options o = HTTP_SERVER_DEFAULTS;

    o.connections_max = (uint32_t)s->connections_max;
    o.header_bytes_max = (size_t)s->header_bytes_max;
    o.header_count_max = (size_t)s->headers_max;
    o.head_timeout_ms = (uint64_t)s->head_timeout_ms;
    o.body_timeout_ms = (uint64_t)s->body_timeout_ms;
    return o;
}

static int app_make(struct gateway *g)
{
    struct settings         *s = g->settings;
    const struct app_options o = {
        .gateway = g->id,
        .redis_url = s->redis_url,
        .user_key = s->keys.user,
        .taskd = g->taskd,
        .features = s->features,
        .origins = &s->origins,
        .cluster = &g->cluster,
        .sio = sio_options_of(g),
        .joins_per_second = (uint32_t)s->joins_per_second,
        .connections_per_address = (uint32_t)s->connections_per_address,
        .connections_per_user = (uint32_t)s->connections_per_user,
        .drain_ms = (uint64_t)s->drain_seconds * 1000,
        .linger_ms = (uint64_t)s->org_linger_ms,
        .compare_ms = (uint64_t)s->compare_interval_ms,
        .metrics = g->metrics,
    };

    return app_init(&g->app, g->net, &o);
}

static void describe(struct buf *fields, void *arg)
{
    struct gateway *g = arg;

    report_say(fields, &g->app, &g->health);
}

static void cluster_make(struct gateway *g)
{
    const struct settings       *s = g->settings;
    const struct cluster_options o = {
        .id = g->id,
        .secret = slice_of(s->cluster_secret),
        .sio = g->app.sio,
        .redis = orgs_redis(g->app.orgs),
        .describe = describe,
        .arg = g,
        .poll_ms = (uint64_t)s->ping_interval_ms + (uint64_t)s->ping_timeout_ms,
        /* A queue of binary messages grows by a third in a poll's base64. */
        .answer_bytes_max = 2 * (size_t)(s->queue_bytes_max + s->max_payload_bytes),
        .metrics = g->metrics,
    };

    cluster_init(&g->cluster, g->net, &o);
}

static void pages_make(struct gateway *g)
{
    int err = pages_load(&g->pages, g->settings->web_root);

    if (err != 0)
        log_warn("no-page", LOG_TEXT("web_root", g->settings->web_root), LOG_ERR(err));
}

/* The sockets that a supervisor opened are taken by their names; the clients' is the one that is
 * left. */
static int listen_on(struct gateway *g)
{
    const struct settings *s = g->settings;
    int metrics_fd = supervisor_take_socket(g->supervisor, "metrics");
    int err = cluster_listen(&g->cluster, s->bind_address, (int)s->internal_port,
                             s->advertise_url);

    if (err != 0) {
        log_error("listen-failed", LOG_TEXT("address", s->bind_address),
                  LOG_NUM("internal_port", s->internal_port), LOG_ERR(err));
        return err;
    }
    err = front_listen(&g->front, s->bind_address, (int)s->port,
                       supervisor_take_socket(g->supervisor, NULL));
    if (err != 0) {
        log_error("listen-failed", LOG_TEXT("address", s->bind_address), LOG_NUM("port", s->port),
                  LOG_ERR(err));
        return err;
    }
    if (s->metrics_port == 0 && metrics_fd < 0)
        return 0;
    err = front_listen_metrics(&g->front, g->net, s->metrics_bind_address, (int)s->metrics_port,
                               metrics_fd);
    if (err != 0)
        log_error("listen-failed", LOG_TEXT("address", s->metrics_bind_address),
                  LOG_NUM("port", s->metrics_port), LOG_ERR(err));
    return err;
}

/* --- stopping --- */

static void on_app_closed(void *arg)
{
    struct gateway *g = arg;

    cluster_deinit(&g->cluster);
    taskd_client_close(g->taskd);
    health_close(&g->health);
    net_close(g->net);
}

static void close_all(struct gateway *g)
{
    if (g->stage == STAGE_CLOSED)
        return;
    g->stage = STAGE_CLOSED;
    supervisor_close(g->supervisor);
    runtime_close(g->runtime);
    uv_close((uv_handle_t *)&g->sigterm, NULL);
    uv_close((uv_handle_t *)&g->sigint, NULL);
    uv_close((uv_handle_t *)&g->stop_timer, NULL);
    front_close(&g->front);                    /* nobody may ask what is being closed */
    cluster_close(&g->cluster);
    app_close(&g->app, on_app_closed, g);
}

static void enter(struct gateway *g, enum stage stage, uint64_t within_ms)
{
    g->stage = stage;
    g->until_ms = net_now_ms(g->net) + within_ms;
}

static void begin_moving(struct gateway *g)
{
    uint64_t ms = (uint64_t)g->settings->drain_seconds * 1000;

    log_info("drain", LOG_NUM("clients", sio_namespace_size(g->app.ns)),
             LOG_NUM("seconds", g->settings->drain_seconds));
    app_drain(&g->app);
    cluster_drain(&g->cluster, ms);
    enter(g, STAGE_MOVING, ms);
}

/* Nobody's socket is here, and no websocket goes through us. */
static bool has_moved(const struct gateway *g)
{
    return app_is_drained(&g->app) && cluster_is_drained(&g->cluster);
}

static bool has_left(const struct gateway *g, uint64_t now_ms)
{
    if (has_moved(g) && front_is_drained(&g->front))
        return true;
    return now_ms >= g->until_ms &&
           (proxy_calls(&g->proxy) == 0 || now_ms >= g->until_ms + PASSING_MS);
}

static void on_stop_look(uv_timer_t *timer)
{
    struct gateway *g = timer->data;
    uint64_t        now_ms = net_now_ms(g->net);
    bool            is_over = now_ms >= g->until_ms;

    if (g->stage == STAGE_NOTICE && is_over) {
        begin_moving(g);
    } else if (g->stage == STAGE_MOVING && (is_over || has_moved(g))) {
        app_log_drained(&g->app);
        front_drain(&g->front);
        enter(g, STAGE_LEAVING, LEAVE_MS);
    } else if (g->stage == STAGE_LEAVING && has_left(g, now_ms)) {
        close_all(g);
    }
}

void gateway_stop(struct gateway *g)
{
    if (g->stage == STAGE_CLOSED)
        return;
    if (g->stage != STAGE_SERVING) {
        log_info("stop-at-once", LOG_NUM("clients", sio_namespace_size(g->app.ns)));
        close_all(g);
        return;
    }
    log_info("stopping", LOG_NUM("notice_seconds", g->settings->drain_notice_seconds));
    supervisor_stopping(g->supervisor);
    health_drain(&g->health);
    front_wind_down(&g->front);
    enter(g, STAGE_NOTICE, (uint64_t)g->settings->drain_notice_seconds * 1000);
    uv_timer_start(&g->stop_timer, on_stop_look, 0, STOP_LOOK_MS);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    gateway_stop(handle->data);
}

static void signals_watch(struct gateway *g, uv_loop_t *loop)
{
    uv_signal_init(loop, &g->sigterm);
    uv_signal_init(loop, &g->sigint);
    uv_timer_init(loop, &g->stop_timer);
    g->sigterm.data = g;
    g->sigint.data = g;
    g->stop_timer.data = g;
    uv_signal_start(&g->sigterm, on_signal, SIGTERM);
    uv_signal_start(&g->sigint, on_signal, SIGINT);
}

/* --- making --- */

static void on_looked(bool is_ready, void *arg)
{
    struct gateway *g = arg;

    if (g->stage == STAGE_SERVING)
        supervisor_ready(g->supervisor, is_ready);
    log_flush(false);
}

static void front_make(struct gateway *g)
{
    const struct front_parts parts = {
        .app = &g->app, .health = &g->health, .pages = &g->pages, .proxy = &g->proxy,
        .user_key = g->settings->keys.user, .dev_login = g->settings->dev_login,
        .metrics = g->metrics, .http = http_options_of(g->settings),
    };

    health_init(&g->health, net_loop(g->net), &g->app, g->taskd, g->metrics);
    health_watch(&g->health, on_looked, g);
    proxy_init(&g->proxy, g->taskd, g->metrics);
    pages_make(g);
    front_init(&g->front, g->net, &parts);
}

static int fail(struct gateway *g, const char *what)
{
    log_error("start-failed", LOG_TEXT("why", what));
    supervisor_close(g->supervisor);
    runtime_close(g->runtime);
    if (g->taskd != NULL)
        taskd_client_close(g->taskd);
    net_close(g->net);
    return ERR_INVALID;
}

int gateway_new(uv_loop_t *loop, struct settings *settings, struct gateway **out)
{
    struct gateway             *g = mem_new(struct gateway);
    struct taskd_client_options to = { .urls = settings->taskd_url,
                                       .cluster_key = settings->keys.cluster };
    struct buf                  why;
    int                         err;

    *out = g;
    g->settings = settings;
    g->id = id_make();
    g->supervisor = supervisor_new(loop);
    g->net = net_new(loop);
    g->metrics = metrics_new();
    g->runtime = runtime_new(loop, g->metrics);
    net_metrics(g->net, g->metrics);
    to.metrics = g->metrics;
    buf_init(&why, 512);
    g->taskd = taskd_client_new(g->net, &to, &why);
    err = g->taskd == NULL ? fail(g, why.data) : 0;
    buf_deinit(&why);
    if (err != 0)
        return err;
    if (app_make(g) != 0)
        return fail(g, "REDIS_URL cannot be used");
    cluster_make(g);
    front_make(g);
    signals_watch(g, loop);
    err = listen_on(g);
    if (err != 0) {
        close_all(g);
        return err;
    }
    log_info("gateway-up", LOG_TEXT("id", g->id), LOG_TEXT("address", settings->bind_address),
             LOG_NUM("port", http_server_port(g->front.clients)),
             LOG_NUM("metrics_port",
                     g->front.metrics != NULL ? http_server_port(g->front.metrics) : 0));
    return 0;
}

void gateway_free(struct gateway *g)
{
    health_deinit(&g->health);
    pages_deinit(&g->pages);
    metrics_free(g->metrics);
    free(g->id);
    free(g);
}

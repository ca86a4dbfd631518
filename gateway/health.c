/* health.c -- see health.h.
 *
 * Ready means that a client that comes now can be served: Redis is there (and the canary
 * comes back), the other gateways can find us, and some taskd answers. A taskd that answers but
 * is not ready itself (its store is away) makes the service degraded: live updates go on, and
 * taking every gateway out of service would help nobody. */
#include "gateway/health.h"

#include <stdio.h>

#include "common/clock.h"
#include "gateway/problem.h"

#define LOOK_EVERY_MS 1000

static uint64_t messages(const struct health *h)
{
    return h->app->peers.traffic.sent + h->app->peers.traffic.received;
}

static void look(struct health *h)
{
    h->redis_ok = orgs_is_healthy(h->app->orgs);
    h->is_announced = cluster_is_announced(h->app->options.cluster);
    h->taskd_reachable = taskd_client_is_reachable(h->taskd);
    h->taskd_ready = taskd_client_is_ready(h->taskd);
}

static void on_timer(uv_timer_t *timer)
{
    struct health *h = timer->data;

    look(h);
    memmove(h->samples + 1, h->samples, HEALTH_SECONDS * sizeof(h->samples[0]));
    h->samples[0] = messages(h);
    if (h->looks <= HEALTH_SECONDS)
        h->looks++;
    others_tick(&h->others);
    if (h->looked != NULL)
        h->looked(health_is_ready(h), h->looked_arg);
}

static void answer_all(struct http_request *r, void *arg);

static double read_ready(void *arg)
{
    return health_is_ready(arg) ? 1 : 0;
}

static double read_redis(void *arg)
{
    return ((struct health *)arg)->redis_ok ? 1 : 0;
}

static double read_taskd(void *arg)
{
    return ((struct health *)arg)->taskd_reachable ? 1 : 0;
}

void health_init(struct health *h, uv_loop_t *loop, struct app *app, struct taskd_client *taskd,
                 struct metrics *m)
{
    static const char NAME[] = "taskwire_dependency_up";
    static const char HELP[] = "1 where the dependency answered within the last seconds.";

    *h = (struct health){ .app = app, .taskd = taskd };
    others_init(&h->others, loop, &app->options.cluster->replicas, answer_all, h);
    metrics_read(m, "taskwire_ready", NULL, "1 where clients can be served.", read_ready, h);
    metrics_read(m, NAME, "dependency=\"redis\"", HELP, read_redis, h);
    metrics_read(m, NAME, "dependency=\"taskd\"", HELP, read_taskd, h);
    uv_timer_init(loop, &h->timer);
    h->timer.data = h;
    uv_timer_start(&h->timer, on_timer, LOOK_EVERY_MS / 4, LOOK_EVERY_MS);
}

void health_watch(struct health *h, health_look_cb *cb, void *arg)
{
    h->looked = cb;
    h->looked_arg = arg;
}

void health_deinit(struct health *h)
{
    others_deinit(&h->others);
}

void health_close(struct health *h)
{
    others_close(&h->others);
    uv_close((uv_handle_t *)&h->timer, NULL);
}

void health_drain(struct health *h)
{
    h->is_draining = true;
}

const char *health_state(const struct health *h)
{
    return health_is_ready(h) ? "ready" : h->is_draining ? "draining" : "not ready";
}

bool health_is_ready(const struct health *h)
{
    return !h->is_draining && h->redis_ok && h->is_announced && h->taskd_reachable &&
           control_is_known(h->app->control);
}

static void answer_json(struct http_request *r, int status, const struct buf *json)
{
    static const struct http_header NO_STORE[] = { { SLICE("Cache-Control"), SLICE("no-store") } };
    struct http_answer a = {
        .status = status, .content_type = "application/json", .headers = NO_STORE,
        .header_count = 1, .body = buf_rcbuf(json),
    };

    http_request_answer(r, &a);
    rcbuf_unref(a.body);
}

static const char *truth(bool b)
{
    return b ? "true" : "false";
}

static bool is_whole(const struct health *h)
{
    return health_is_ready(h) && h->taskd_ready;
}

double health_message_rate(const struct health *h)
{
    unsigned seconds = h->looks > 1 ? h->looks - 1 : 1;

    return (double)(h->samples[0] - h->samples[h->looks > 1 ? seconds : 0]) / seconds;
}

static void append_head(struct buf *b, bool is_ok)
{
    buf_printf(b, "{\"status\":\"%s\",\"version\":\"%s\",", is_ok ? "ok" : "degraded",
               TASKWIRE_VERSION);
}

static void append_figures(struct buf *b, uint64_t users, double per_second, uint64_t errors)
{
    buf_printf(b, "\"connectedUsers\":%llu,\"messagesPerSecond\":%.1f,\"totalErrors\":%llu",
               (unsigned long long)users, per_second, (unsigned long long)errors);
}

static void append_dependencies(struct buf *b, const struct health *h)
{
    buf_printf(b, "\"dependencies\":{\"redis\":%s,\"taskd\":%s,\"taskdReady\":%s}",
               truth(h->redis_ok), truth(h->taskd_reachable), truth(h->taskd_ready));
}

static void answer_health(struct health *h, struct http_request *r)
{
    struct buf b;

    buf_init(&b, 1024);
    append_head(&b, is_whole(h));
    buf_append_text(&b, "\"websocket\":{");
    append_figures(&b, h->app->users.online, health_message_rate(h), h->app->peers.traffic.errors);
    buf_append_text(&b, "},");
    append_dependencies(&b, h);
    buf_append_char(&b, '}');
    answer_json(r, 200, &b);
    buf_deinit(&b);
}

/* --- all replicas --- */

static struct figures own_figures(const struct health *h)
{
    struct figures f = { .users = h->app->users.online, .sockets = sio_namespace_size(h->app->ns),
                         .per_second = (uint64_t)(health_message_rate(h) + 0.5),
                         .errors = h->app->peers.traffic.errors };

    snprintf(f.id, sizeof(f.id), "%s", h->app->options.gateway);
    snprintf(f.version, sizeof(f.version), "%s", TASKWIRE_VERSION);
    snprintf(f.state, sizeof(f.state), "%s", health_state(h));
    clock_format(clock_wall_ms(), f.at);
    return f;
}

static void append_text(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "\"%s\":", name);
    buf_append_json(b, slice_of(value));
    buf_append_char(b, ',');
}

static void append_replica(struct buf *b, const struct figures *f)
{
    buf_append_char(b, '{');
    append_text(b, "id", f->id);
    append_text(b, "version", f->version);
    append_text(b, "state", f->state);
    append_text(b, "at", f->at);
    buf_printf(b, "\"connections\":%llu,", (unsigned long long)f->sockets);
    append_figures(b, f->users, (double)f->per_second, f->errors);
    buf_append_char(b, '}');
}

/* Ours, then those of the others. */
static void append_all(struct buf *b, const struct health *h, const struct figures *own,
                       const struct figures *sum)
{
    buf_append_text(b, "\"websocket\":{");
    append_figures(b, sum->users, (double)sum->per_second, sum->errors);
    buf_append_text(b, "},");
    append_dependencies(b, h);
    buf_printf(b, ",\"isComplete\":%s,\"replicas\":[", truth(others_are_fresh(&h->others)));
    append_replica(b, own);
    for (size_t i = 0; i < h->others.count; i++) {
        if (strcmp(h->others.list[i].id, own->id) == 0)
            continue;
        buf_append_char(b, ',');
        append_replica(b, &h->others.list[i]);
    }
    buf_append_text(b, "]}");
}

static void answer_all(struct http_request *r, void *arg)
{
    struct health *h = arg;
    struct figures own = own_figures(h), sum = own;
    bool           is_ok = is_whole(h) && others_are_fresh(&h->others);
    struct buf     b;

    for (size_t i = 0; i < h->others.count; i++) {
        const struct figures *f = &h->others.list[i];

        if (strcmp(f->id, own.id) == 0)
            continue;
        sum.users += f->users;
        sum.per_second += f->per_second;
        sum.errors += f->errors;
        is_ok = is_ok && strcmp(f->state, "ready") == 0;
    }
    buf_init(&b, 1024 + (h->others.count + 1) * 512);
    append_head(&b, is_ok);
    append_all(&b, h, &own, &sum);
    answer_json(r, 200, &b);
    buf_deinit(&b);
}

static bool is_for_all(struct http_request *r)
{
    struct slice rest = http_request_query(r);

    while (rest.len > 0) {
        if (slice_is(slice_cut(&rest, '&'), "cluster=1"))
            return true;
    }
    return false;
}

static void reason(struct buf *b, bool is_so, const char *text)
{
    if (!is_so)
        return;
    if (b->data[b->len - 1] != '[')
        buf_append_char(b, ',');
    buf_append_json(b, slice_of(text));
}

static void answer_ready(struct health *h, struct http_request *r)
{
    bool       is_ready = health_is_ready(h);
    struct buf b;

    buf_init(&b, 1024);
    buf_printf(&b, "{\"status\":\"%s\",\"reasons\":[", is_ready ? "ready" : "not ready");
    reason(&b, h->is_draining, "shutting down");
    reason(&b, !h->redis_ok, "Redis does not answer, or does not deliver");
    reason(&b, !h->is_announced, "not announced to the other gateways yet");
    reason(&b, !h->taskd_reachable, "no taskd answers");
    reason(&b, !control_is_known(h->app->control), "revocations and flags are not known yet");
    buf_append_text(&b, "]}");
    answer_json(r, is_ready ? 200 : 503, &b);
    buf_deinit(&b);
}

static void answer_live(struct http_request *r)
{
    struct buf b;

    buf_init(&b, 64);
    buf_append_text(&b, "{\"status\":\"live\"}");
    answer_json(r, 200, &b);
    buf_deinit(&b);
}

void health_handle(struct health *h, struct http_request *r)
{
    struct slice path = http_request_path(r);

    if (http_request_method(r) != HTTP_GET && http_request_method(r) != HTTP_HEAD)
        problem_answer_method(r, "GET, HEAD, OPTIONS");
    else if (slice_is(path, "/api/health") && is_for_all(r))
        others_ask(&h->others, r, h->redis_ok);
    else if (slice_is(path, "/api/health"))
        answer_health(h, r);
    else if (slice_is(path, "/api/health/live"))
        answer_live(r);
    else if (slice_is(path, "/api/health/ready"))
        answer_ready(h, r);
    else
        problem_answer(r, ERROR_NOT_FOUND, NULL);
}

/* health.c -- see health.h.
 *
 * Ready means that a client that comes now can be served: Redis is there (and the canary
 * comes back), the other gateways can find us, and some taskd answers. A taskd that answers but
 * is not ready itself (its store is away) makes the service degraded: live updates go on, and
 * taking every gateway out of service would help nobody. */
#include "gateway/health.h"

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
    if (h->looked != NULL)
        h->looked(health_is_ready(h), h->looked_arg);
}

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

void health_close(struct health *h)
{
    uv_close((uv_handle_t *)&h->timer, NULL);
}

void health_drain(struct health *h)
{
    h->is_draining = true;
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

static void answer_health(struct health *h, struct http_request *r)
{
    bool       is_ok = health_is_ready(h) && h->taskd_ready;
    double     rate = (double)(h->samples[0] - h->samples[HEALTH_SECONDS]) / HEALTH_SECONDS;
    struct buf b;

    buf_init(&b, 1024);
    buf_printf(&b, "{\"status\":\"%s\",\"version\":\"%s\",\"websocket\":{\"connectedUsers\":%zu,"
               "\"messagesPerSecond\":%.1f,\"totalErrors\":%llu},\"dependencies\":{"
               "\"redis\":%s,\"taskd\":%s,\"taskdReady\":%s}}",
               is_ok ? "ok" : "degraded", TASKWIRE_VERSION, h->app->users.online, rate,
               (unsigned long long)h->app->peers.traffic.errors, truth(h->redis_ok),
               truth(h->taskd_reachable), truth(h->taskd_ready));
    answer_json(r, 200, &b);
    buf_deinit(&b);
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
    else if (slice_is(path, "/api/health"))
        answer_health(h, r);
    else if (slice_is(path, "/api/health/live"))
        answer_live(r);
    else if (slice_is(path, "/api/health/ready"))
        answer_ready(h, r);
    else
        problem_answer(r, ERROR_NOT_FOUND, NULL);
}

/* front.c -- see front.h.
 *
 * The order matters only once: /api/health, /api/config and the streams are ours, the rest of
 * /api is taskd's. What nobody else knows is the page's. */
#include "gateway/front.h"

#include "common/err.h"
#include "gateway/dev_login.h"
#include "gateway/problem.h"

#define SMALL_BODY_MAX    4096                 /* of what is answered here */
#define METRICS_BYTES_MAX (4u << 20)

/* --- /api/config --- */

static void config_handle(struct front *f, struct http_request *r)
{
    const struct app *a = f->parts.app;
    struct slice      token = access_bearer(http_request_header(r, "Authorization"));
    struct claims     claims;
    enum error_code   why;
    struct buf        b;

    if (http_request_method(r) != HTTP_GET && http_request_method(r) != HTTP_HEAD) {
        problem_answer_method(r, "GET, HEAD, OPTIONS");
        return;
    }
    if (!access_check(&a->access, token, &claims, &why)) {
        problem_answer(r, why, NULL);
        return;
    }
    buf_init(&b, 512);
    features_print(control_features(a->control), claims.sub, &b);
    http_request_answer_text(r, 200, "application/json", buf_peek(&b));
    buf_deinit(&b);
}

/* --- clients --- */

static bool is_health(struct slice path)
{
    return slice_is(path, "/api/health") || slice_starts(path, "/api/health/");
}

static void on_head(struct http_request *r, void *arg)
{
    struct front *f = arg;
    struct slice  path = http_request_path(r);

    if (slice_starts(path, "/api/") && !is_health(path))
        proxy_head(r);
    else
        http_request_set_body_max(r, SMALL_BODY_MAX);
    sio_server_head(f->parts.app->sio, r);     /* has its own limit where it is its */
}

static void on_request(struct http_request *r, void *arg)
{
    struct front *f = arg;
    struct slice  path = http_request_path(r);

    if (sio_server_handle(f->parts.app->sio, r))
        return;
    if (is_health(path))
        health_handle(f->parts.health, r);
    else if (slice_is(path, "/api/config"))
        config_handle(f, r);
    else if (sse_handle(&f->parts.app->sse, r))
        return;
    else if (slice_starts(path, "/api/") || slice_is(path, "/api"))
        proxy_handle(f->parts.proxy, r);
    else if (f->parts.dev_login && slice_is(path, "/dev/login"))
        dev_login_handle(f->parts.user_key, r);
    else
        pages_handle(f->parts.pages, r);
}

static const struct http_server_handlers CLIENT_HANDLERS = {
    .on_head = on_head, .on_request = on_request, .on_refusal = problem_on_refusal,
};

/* --- metrics --- */

static void on_metrics_request(struct http_request *r, void *arg)
{
    struct front *f = arg;
    struct buf    b;

    if (!slice_is(http_request_path(r), "/metrics")) {
        problem_answer(r, ERROR_NOT_FOUND, NULL);
        return;
    }
    if (http_request_method(r) != HTTP_GET && http_request_method(r) != HTTP_HEAD) {
        problem_answer_method(r, "GET, HEAD, OPTIONS");
        return;
    }
    buf_init(&b, METRICS_BYTES_MAX);
    metrics_print(f->parts.metrics, &b);
    http_request_answer_text(r, 200, METRICS_CONTENT_TYPE, buf_peek(&b));
    buf_deinit(&b);
}

static const struct http_server_handlers METRICS_HANDLERS = { .on_request = on_metrics_request };

/* --- life --- */

void front_init(struct front *f, struct net *net, const struct front_parts *parts)
{
    *f = (struct front){ .parts = *parts };
    f->clients = http_server_new(net, "clients", &parts->http, &CLIENT_HANDLERS, f,
                                 parts->metrics);
}

static int listen_on(struct http_server *s, const char *address, int port, int fd)
{
    return fd >= 0 ? http_server_listen_on(s, fd) : http_server_listen(s, address, port);
}

int front_listen(struct front *f, const char *address, int port, int fd)
{
    return listen_on(f->clients, address, port, fd);
}

int front_listen_metrics(struct front *f, struct net *net, const char *address, int port, int fd)
{
    f->metrics = http_server_new(net, "metrics", &HTTP_SERVER_DEFAULTS, &METRICS_HANDLERS, f,
                                 f->parts.metrics);
    return listen_on(f->metrics, address, port, fd);
}

void front_wind_down(struct front *f)
{
    http_server_wind_down(f->clients);
}

void front_drain(struct front *f)
{
    http_server_drain(f->clients);
}

bool front_is_drained(const struct front *f)
{
    return http_server_connections(f->clients) == 0;
}

void front_close(struct front *f)
{
    http_server_close(f->clients);
    if (f->metrics != NULL)
        http_server_close(f->metrics);
}

/* api.c -- a request comes in, is checked, and is handed to the row that answers it.
 *
 * The order of the checks is the order of what a stranger may learn: is there such a path,
 * does it take the method, who are you, may you, is the body one, and only then what the
 * handler says. Two keys, two doors: tokens of people open /api, tokens made from the cluster
 * secret open /internal, and neither opens the other.
 *
 * A call never watches its client: a POST whose sender has gone is finished all the same. */
#include "taskd/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/service_keys.h"
#include "proto/problem.h"
#include "taskd/api_call.h"
#include "taskd/webhook.h"

#define PROBLEM_BYTES_MAX 4096
#define METRICS_BYTES_MAX ((size_t)8 << 20)
#define CLUSTER_AUDIENCE  "taskd"
#define CLUSTER_EXP_MAX_S 65                   /* a minute, and clocks that differ a little */

struct api {
    struct api_parts    parts;
    struct http_server *server, *metrics_server;
    size_t              calls;
    bool                is_closing;
    struct metric      *unauthorized;
};

void call_free(struct call *c)
{
    struct api *a = c->api;

    json_decref(c->body);
    json_decref(c->answer);
    buf_deinit(&c->text);
    task_deinit(&c->task);
    for (size_t i = 0; i < sizeof(c->texts) / sizeof(c->texts[0]); i++)
        free(c->texts[i]);
    free(c->act_key);
    free(c);
    a->calls--;
    if (a->is_closing && a->calls == 0)
        free(a);
}

void request_problem(struct http_request *r, enum error_code code, const char *detail,
                     const char *allow)
{
    int                status = error_spec(code)->http;
    struct http_header headers[4];
    size_t             n = 0;
    struct buf         text;
    struct rcbuf      *body;

    headers[n++] = (struct http_header){ SLICE("Cache-Control"), SLICE("no-store") };
    if (allow != NULL)
        headers[n++] = (struct http_header){ SLICE("Allow"), slice_of(allow) };
    if (status == 401)
        headers[n++] = (struct http_header){ SLICE("WWW-Authenticate"), SLICE("Bearer") };
    if (status == 503)
        headers[n++] = (struct http_header){ SLICE("Retry-After"), SLICE("1") };
    buf_init(&text, PROBLEM_BYTES_MAX);
    problem_append(&text, code, detail);
    body = buf_rcbuf(&text);
    http_request_answer(r, &(struct http_answer){
        .status = status, .content_type = PROBLEM_CONTENT_TYPE, .headers = headers,
        .header_count = n, .body = body });
    rcbuf_unref(body);
    buf_deinit(&text);
}

/* --- who asks --- */

static struct slice bearer_of(const struct http_request *r)
{
    struct slice value = http_request_header(r, "Authorization");
    struct slice scheme = slice_cut(&value, ' ');

    if (!slice_is_nocase(scheme, "Bearer"))
        return (struct slice){ NULL, 0 };
    while (value.len > 0 && value.data[0] == ' ')
        value = slice_from(value, 1);
    return value;
}

/* A webhook's key is its signature. */
static enum error_code authenticate_signed(const struct api *a, const struct http_request *r)
{
    int err = webhook_check(a->parts.github_secret, r);

    if (err == 0)
        return ERROR_COUNT;
    metric_inc(a->unauthorized);
    return err == ERR_FORBIDDEN ? ERROR_FEATURE_OFF : ERROR_SIGNATURE;
}

/* Returns ERROR_COUNT where the caller may come in, else why not. */
static enum error_code authenticate(const struct api *a, const struct route *route,
                                    const struct http_request *r, struct claims *out)
{
    const struct jwt_key *key = route->auth == ROUTE_CLUSTER ? a->parts.cluster_key
                                                             : a->parts.user_key;
    struct slice          token = bearer_of(r);
    int64_t               now_s = clock_wall_ms() / 1000;
    int                   err;

    if (route->auth == ROUTE_OPEN)
        return ERROR_COUNT;
    if (route->auth == ROUTE_SIGNED)
        return authenticate_signed(a, r);
    err = token.len == 0 ? ERR_TOKEN : jwt_verify(key, token, now_s, out);
    if (err == 0 && route->auth == ROUTE_CLUSTER &&
        (strcmp(out->aud, CLUSTER_AUDIENCE) != 0 || out->exp_s > now_s + CLUSTER_EXP_MAX_S))
        err = ERR_TOKEN;
    if (err != 0) {
        metric_inc(a->unauthorized);
        return err == ERR_EXPIRED ? ERROR_TOKEN_EXPIRED : ERROR_UNAUTHORIZED;
    }
    if (route->auth != ROUTE_CLUSTER && !control_is_known(a->parts.control))
        return ERROR_UNAVAILABLE;              /* it could be a revoked one */
    if (route->auth != ROUTE_CLUSTER && control_is_revoked(a->parts.control, out, token)) {
        metric_inc(a->unauthorized);
        return ERROR_REVOKED;
    }
    return route->auth == ROUTE_ADMIN && !out->is_admin ? ERROR_FORBIDDEN : ERROR_COUNT;
}

/* Did a gateway pass it on? Every gateway names itself in a Via of its own (RFC 9110 §7.6.3), which
 * no client can take out again; whoever names one without need only gives up a right. */
static bool came_through_gateway(const struct http_request *r)
{
    size_t                    count;
    const struct http_header *headers = http_request_headers(r, &count);

    for (size_t i = 0; i < count; i++) {
        if (slice_is_nocase(headers[i].name, "Via") &&
            memmem(headers[i].value.data, headers[i].value.len, GATEWAY_NAME,
                   sizeof(GATEWAY_NAME) - 1) != NULL)
            return true;
    }
    return false;
}

/* --- what was sent --- */

static struct slice trim(struct slice s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_from(s, 1);
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* JSON is UTF-8 (RFC 8259 §8.1): a charset may say so, and nothing else. */
static bool parameter_is_fine(struct slice parameter)
{
    struct slice value = parameter;
    struct slice name = slice_cut(&value, '=');

    return !slice_is_nocase(trim(name), "charset") || slice_is_nocase(value, "utf-8") ||
           slice_is_nocase(value, "\"utf-8\"");
}

bool content_is_json(const struct http_request *r)
{
    struct slice rest = http_request_header(r, "Content-Type");
    struct slice coding = http_request_header(r, "Content-Encoding");

    if (coding.len > 0 && !slice_is_nocase(coding, "identity"))
        return false;
    if (!slice_is_nocase(trim(slice_cut(&rest, ';')), "application/json"))
        return false;
    while (rest.len > 0) {
        if (!parameter_is_fine(trim(slice_cut(&rest, ';'))))
            return false;
    }
    return true;
}

/* Parse the body. Returns ERROR_COUNT, or what is wrong with it. */
static enum error_code read_body(struct call *c, struct buf *why)
{
    struct http_request *r = c->request;

    if (http_request_header(r, "Content-Length").data == NULL &&
        http_request_header(r, "Transfer-Encoding").data == NULL)
        return ERROR_LENGTH;
    if (!content_is_json(r))
        return ERROR_MEDIA_TYPE;
    c->body = json_parse(http_request_body(r), why);
    if (c->body == NULL)
        return ERROR_BAD_REQUEST;
    if (!json_is_object(c->body)) {
        buf_append_text(why, "The body must be a JSON object");
        return ERROR_BAD_REQUEST;
    }
    return ERROR_COUNT;
}

static void call_begin(struct call *c)
{
    enum error_code problem = ERROR_COUNT;
    struct buf      why;

    buf_init(&why, 1024);
    if (c->route->flags & ROUTE_BODY)
        problem = read_body(c, &why);
    if (problem != ERROR_COUNT)
        call_problem(c, problem, why.data);
    else if ((c->route->flags & ROUTE_KEYED) &&
             http_request_header(c->request, "Idempotency-Key").data != NULL)
        call_run_keyed(c);
    else
        c->route->handle(c);
    buf_deinit(&why);
}

static struct call *call_new(struct api *a, struct http_request *r)
{
    struct call *c = mem_new(struct call);

    c->api = a;
    c->parts = &a->parts;
    c->request = r;
    c->act_key = mem_strdup("");
    buf_init(&c->text, CALL_ANSWER_MAX);
    task_init(&c->task);
    a->calls++;
    return c;
}

/* What a path takes is no secret: browsers and proxies ask before anybody has signed in. */
static void answer_options(struct http_request *r, const char *allow)
{
    struct http_header header = { SLICE("Allow"), slice_of(allow) };

    http_request_answer(r, &(struct http_answer){ .status = 204, .headers = &header,
                                                  .header_count = 1 });
}

/* No row takes this method there. */
static void answer_no_route(struct http_request *r, bool is_known, const char *allow)
{
    bool is_question = http_request_method(r) == HTTP_OPTIONS;

    if (is_question && (is_known || slice_is(http_request_path(r), "*")))
        answer_options(r, allow);
    else
        request_problem(r, is_known ? ERROR_METHOD : ERROR_NOT_FOUND, NULL,
                        is_known ? allow : NULL);
}

static void on_request(struct http_request *r, void *arg)
{
    struct api     *a = arg;
    struct call    *c = call_new(a, r);
    struct buf      allow;
    bool            is_known;
    enum error_code problem = ERROR_COUNT;

    buf_init(&allow, 256);
    c->route = route_find(http_request_method(r), http_request_path(r), c->params, &is_known,
                          &allow);
    if (c->route != NULL)
        problem = authenticate(a, c->route, r, &c->claims);
    if (c->route != NULL && problem == ERROR_COUNT) {
        c->sees_all = c->claims.is_admin && !came_through_gateway(r);
        call_begin(c);
    } else {
        if (c->route == NULL)
            answer_no_route(r, is_known, allow.data != NULL ? allow.data : "");
        else
            request_problem(r, problem, NULL, NULL);
        call_free(c);
    }
    buf_deinit(&allow);
}

static size_t body_max(const struct http_request *r)
{
    char                params[CALL_PARAMS_MAX][CALL_PARAM_SIZE];
    bool                is_known;
    struct buf          allow;
    const struct route *route;

    buf_init(&allow, 256);
    route = route_find(http_request_method(r), http_request_path(r), params, &is_known, &allow);
    buf_deinit(&allow);
    return route != NULL && (route->flags & ROUTE_LARGE) ? WEBHOOK_BODY_MAX : CALL_BODY_MAX;
}

/* A body that is too large is refused before it is sent. */
static void on_head(struct http_request *r, void *arg)
{
    size_t             max = body_max(r);
    struct slice       length = http_request_header(r, "Content-Length");
    unsigned long long n;
    char               text[24];

    (void)arg;
    http_request_set_body_max(r, max);
    if (length.data == NULL)
        return;
    snprintf(text, sizeof(text), "%.*s", SLICE_ARG(length));
    n = strtoull(text, NULL, 10);
    if (n > max)
        request_problem(r, ERROR_TOO_LARGE, NULL, NULL);
}

/* What never became a request is told in the same words. */
static void on_refusal(int status, struct http_answer *out, void *arg)
{
    struct buf text;

    (void)arg;
    buf_init(&text, PROBLEM_BYTES_MAX);
    problem_append(&text, problem_of_refusal(status), NULL);
    out->content_type = PROBLEM_CONTENT_TYPE;
    out->body = buf_rcbuf(&text);
    buf_deinit(&text);
}

static void on_metrics(struct http_request *r, void *arg)
{
    struct api *a = arg;
    struct buf  page;

    if (!slice_is(http_request_path(r), "/metrics")) {
        request_problem(r, ERROR_NOT_FOUND, NULL, NULL);
        return;
    }
    if (http_request_method(r) != HTTP_GET && http_request_method(r) != HTTP_HEAD) {
        request_problem(r, ERROR_METHOD, NULL, "GET, HEAD");
        return;
    }
    buf_init(&page, METRICS_BYTES_MAX);
    metrics_print(a->parts.metrics, &page);
    http_request_answer_text(r, 200, METRICS_CONTENT_TYPE, buf_peek(&page));
    buf_deinit(&page);
}

static const struct http_server_handlers HANDLERS = { .on_head = on_head,
                                                      .on_request = on_request,
                                                      .on_refusal = on_refusal };
static const struct http_server_handlers METRICS_HANDLERS = { .on_request = on_metrics };

static double read_calls(void *arg)
{
    return (double)((struct api *)arg)->calls;
}

struct api *api_new(const struct api_parts *parts)
{
    struct api *a = mem_new(struct api);

    a->parts = *parts;
    a->unauthorized = metrics_counter(parts->metrics, "taskwire_unauthorized_total", NULL,
                                      "Requests without a token that opens their door");
    webhook_metrics(parts->metrics);
    metrics_read(parts->metrics, "taskwire_api_calls", NULL, "Requests under way", read_calls, a);
    a->server = http_server_new(parts->net, "api", &HTTP_SERVER_DEFAULTS, &HANDLERS, a,
                                parts->metrics);
    a->metrics_server = http_server_new(parts->net, "metrics", &HTTP_SERVER_DEFAULTS,
                                        &METRICS_HANDLERS, a, parts->metrics);
    return a;
}

static int listen_on(struct http_server *s, const char *address, int port, int fd, int *out_port)
{
    int err = fd >= 0 ? http_server_listen_on(s, fd) : http_server_listen(s, address, port);

    *out_port = err == 0 ? http_server_port(s) : 0;
    return err;
}

int api_listen(struct api *a, const char *address, int port, int fd, int *out_port)
{
    return listen_on(a->server, address, port, fd, out_port);
}

int api_listen_metrics(struct api *a, const char *address, int port, int fd, int *out_port)
{
    return listen_on(a->metrics_server, address, port, fd, out_port);
}

void api_wind_down(struct api *a)
{
    http_server_wind_down(a->server);
}

void api_drain(struct api *a)
{
    http_server_drain(a->server);
    http_server_drain(a->metrics_server);
}

void api_close(struct api *a)
{
    http_server_close(a->server);
    http_server_close(a->metrics_server);
    a->is_closing = true;
    if (a->calls == 0)
        free(a);
}

size_t api_calls(const struct api *a)
{
    return a->calls;
}

size_t api_connections(const struct api *a)
{
    return http_server_connections(a->server);
}

/* taskd_client.c -- see taskd_client.h.
 *
 * A target is "up" until a call to it fails below HTTP; the probe, once a second, brings it
 * back, and says whether it is ready. While any is up and ready the others are not asked: one
 * that is about to stop says so in time (SPEC F4). Where none is, those that are up are, and
 * where none of these is, all are tried in turn, so that the first call after a start, or after
 * everything was away, need not wait for a probe.
 *
 * A call keeps a copy of what it sends, since it may have to be sent again when the caller's
 * request is long gone. Only errors that say "no connection was made" allow a POST to be
 * tried elsewhere: after anything else taskd may have acted.
 *
 * A connection that hangs (a frozen process, a firewall that forgot it) says nothing. A probe that
 * fails raises the doubt, and connections that nobody uses are given up. If the next fails, too,
 * what waits there is sent again, once, to another taskd at once, or to the same one as soon as
 * it answers. If the next two are answered, on a new connection, the process is well, and what still
 * waits since before the doubt waits in vain: that is sent again, once. (Not sooner, and not more
 * often: a taskd that is merely slow must not get more to do for it.)
 *
 * Rejected: probing before each call, weights, and hedged requests; taskd is close by, and a
 * refused connection is known in microseconds. */
#include "gateway/taskd_client.h"

#include <assert.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include "common/mem.h"

#define TARGETS_MAX       16
#define CONNECT_MS        1000
#define CALL_MS           10000
#define MOVES_MAX         1                    /* of a call, beside one try per target */
#define PROBES_HUNG       2                    /* failed in a row: what waits there waits in vain */
#define PROBES_WELL       2                    /* answered in a row: what does not answer is dead */
#define PROBE_TIMEOUT_MS  900
#define CONNECTIONS       32
#define QUEUE             8192
#define ANSWER_BYTES_MAX  (32u << 20)
#define TOKEN_LIFE_S      60
#define TOKEN_RENEW_S     30                   /* a token is used so long of its life */
#define HEADERS_MAX       72

struct target {
    struct taskd_client *client;
    struct http_client  *http;
    char                *url;
    bool                 is_up;                /* no call to it has failed since it answered */
    bool                 is_ready;
    bool                 is_probing;
    unsigned             probes_failed, probes_well;   /* in a row */
    uint64_t             doubt_ms;             /* when a probe failed last; 0: all is well since */
    struct http_call    *probe;
};

struct taskd_client {
    struct net    *net;
    struct jwt_key *key;
    uv_timer_t     timer;
    struct target  targets[TARGETS_MAX];
    size_t         target_count;
    size_t         turn;
    struct buf     authorization;              /* "Bearer …", renewed */
    int64_t        token_until_s;
    struct list    calls;
    struct metric *failures, *failovers, *seconds;
    bool           is_closing;
};

struct taskd_call {
    struct taskd_client *client;
    struct list          in_client;
    struct target       *target;
    struct http_call    *http;
    size_t               tried;                /* targets so far */
    uint64_t             began_ms;
    enum http_method     method;
    uint64_t             timeout_ms;
    bool                 is_repeatable;        /* it may reach taskd twice */
    struct buf           text;                 /* target, body, header names and values, in a row */
    size_t               target_len, body_len;
    struct { size_t name_len, value_len; } headers[HEADERS_MAX];
    size_t               header_count;
    taskd_cb            *cb;
    void                *arg;
};

/* --- choosing --- */

/* The next target in turn that is up (and ready); NULL: none is. */
static struct target *target_next(struct taskd_client *c, bool is_ready)
{
    for (size_t i = 0; i < c->target_count; i++) {
        struct target *t = &c->targets[(c->turn + i) % c->target_count];

        if (t->is_up && (t->is_ready || !is_ready)) {
            c->turn = (c->turn + i + 1) % c->target_count;
            return t;
        }
    }
    return NULL;
}

static struct target *target_choose(struct taskd_client *c)
{
    struct target *t = target_next(c, true);

    if (t == NULL)
        t = target_next(c, false);
    if (t != NULL)
        return t;
    c->turn = (c->turn + 1) % c->target_count;
    return &c->targets[c->turn];
}

static void target_mark(struct target *t, bool is_up)
{
    if (t->is_up == is_up)
        return;
    t->is_up = is_up;
    if (is_up)
        log_info("taskd-up", LOG_TEXT("url", t->url));
    else
        log_warn("taskd-down", LOG_TEXT("url", t->url));
}

/* --- calls --- */

static void call_free(struct taskd_call *call)
{
    list_remove(&call->in_client);
    buf_deinit(&call->text);
    free(call);
}

static bool nobody_was_reached(int err)
{
    return err == UV_ECONNREFUSED || err == UV_EHOSTUNREACH || err == UV_ENETUNREACH ||
           err == UV_ENOENT || err == UV_EAI_NONAME || err == UV_EAI_AGAIN || err == UV_EAI_FAIL;
}

static bool is_idempotent(enum http_method m)
{
    return m == HTTP_GET || m == HTTP_HEAD || m == HTTP_PUT || m == HTTP_DELETE ||
           m == HTTP_OPTIONS;
}

static int call_send(struct taskd_call *call);

static void call_end(struct taskd_call *call, int err, const struct http_result *result)
{
    struct taskd_client *c = call->client;

    metric_observe(c->seconds, (double)(net_now_ms(c->net) - call->began_ms) / 1000.0);
    call->cb(err, result, call->arg);
    call_free(call);
}

static void on_answer(int err, const struct http_result *result, void *arg)
{
    struct taskd_call   *call = arg;
    struct taskd_client *c = call->client;

    call->http = NULL;
    if (err == 0) {
        target_mark(call->target, true);
    } else if (!c->is_closing) {
        bool is_safe = nobody_was_reached(err) || (call->is_repeatable && err != ERR_TOO_BIG);

        if (err != ERR_TOO_BIG)
            target_mark(call->target, false);
        metric_inc(c->failures);
        if (is_safe && call->tried < c->target_count && call_send(call) == 0) {
            metric_inc(c->failovers);
            return;
        }
    }
    call_end(call, err, result);
}

static int call_send(struct taskd_call *call)
{
    struct http_header       headers[HEADERS_MAX];
    struct http_call_options o = { .method = call->method, .timeout_ms = call->timeout_ms };
    struct slice             rest = buf_peek(&call->text);

    o.target = slice_make(rest.data, call->target_len);
    rest = slice_from(rest, call->target_len);
    o.body = slice_make(rest.data, call->body_len);
    rest = slice_from(rest, call->body_len);
    for (size_t i = 0; i < call->header_count; i++) {
        headers[i].name = slice_make(rest.data, call->headers[i].name_len);
        rest = slice_from(rest, call->headers[i].name_len);
        headers[i].value = slice_make(rest.data, call->headers[i].value_len);
        rest = slice_from(rest, call->headers[i].value_len);
    }
    o.headers = headers;
    o.header_count = call->header_count;
    call->target = target_choose(call->client);
    call->tried++;
    return http_client_call(call->target->http, &o, on_answer, call, &call->http);
}

/* With a copy of all that is sent. */
static struct taskd_call *call_new(struct taskd_client *c, const struct http_call_options *o)
{
    struct taskd_call *call = mem_new(struct taskd_call);

    call->client = c;
    call->began_ms = net_now_ms(c->net);
    call->method = o->method;
    call->timeout_ms = o->timeout_ms;
    call->is_repeatable = is_idempotent(o->method);
    call->target_len = o->target.len;
    call->body_len = o->body.len;
    call->header_count = o->header_count;
    buf_init(&call->text, SIZE_MAX / 2);
    buf_append_slice(&call->text, o->target);
    buf_append_slice(&call->text, o->body);
    for (size_t i = 0; i < o->header_count; i++) {
        call->headers[i].name_len = o->headers[i].name.len;
        call->headers[i].value_len = o->headers[i].value.len;
        buf_append_slice(&call->text, o->headers[i].name);
        buf_append_slice(&call->text, o->headers[i].value);
    }
    list_append(&c->calls, &call->in_client);
    return call;
}

static int call_begin(struct taskd_call *call, taskd_cb *cb, void *arg, struct taskd_call **out)
{
    int err;

    call->cb = cb;
    call->arg = arg;
    err = call_send(call);
    if (err != 0) {
        call_free(call);
        return err;
    }
    if (out != NULL)
        *out = call;
    return 0;
}

static int refusal(const struct taskd_client *c, const struct http_call_options *o)
{
    if (c->is_closing)
        return ERR_CLOSED;
    return o->header_count > HEADERS_MAX ? ERR_TOO_BIG : 0;
}

int taskd_client_pass(struct taskd_client *c, const struct http_call_options *o, taskd_cb *cb,
                      void *arg, struct taskd_call **out)
{
    int err = refusal(c, o);

    return err != 0 ? err : call_begin(call_new(c, o), cb, arg, out);
}

void taskd_call_cancel(struct taskd_call *call)
{
    if (call->http != NULL)
        http_call_cancel(call->http);
    call_free(call);
}

/* --- /internal --- */

static struct slice authorization(struct taskd_client *c)
{
    int64_t    now_s = clock_wall_ms() / 1000;
    struct buf claims;

    if (now_s < c->token_until_s && now_s > c->token_until_s - TOKEN_LIFE_S)
        return buf_peek(&c->authorization);
    buf_init(&claims, 256);
    buf_printf(&claims, "{\"sub\":\"gateway\",\"aud\":\"taskd\",\"iat\":%lld,\"exp\":%lld}",
               (long long)now_s, (long long)(now_s + TOKEN_LIFE_S));
    buf_reset(&c->authorization);
    buf_append_text(&c->authorization, "Bearer ");
    if (jwt_sign(c->key, buf_peek(&claims), &c->authorization) != 0)
        log_error("cluster-token-unsigned", LOG_NUM("bytes", claims.len));
    else
        c->token_until_s = now_s + TOKEN_RENEW_S;
    buf_deinit(&claims);
    return buf_peek(&c->authorization);
}

int taskd_client_internal(struct taskd_client *c, struct slice target, struct slice body,
                          taskd_cb *cb, void *arg, struct taskd_call **out)
{
    const struct http_header headers[] = {
        { SLICE("Authorization"), authorization(c) },
        { SLICE("Content-Type"), SLICE("application/json") },
    };
    const struct http_call_options o = {
        .method = body.len > 0 ? HTTP_POST : HTTP_GET, .target = target, .body = body,
        .headers = headers, .header_count = body.len > 0 ? 2 : 1,
    };
    struct taskd_call *call;
    int                err = refusal(c, &o);

    if (err != 0)
        return err;
    call = call_new(c, &o);
    call->is_repeatable = true;
    return call_begin(call, cb, arg, out);
}

/* --- probing --- */

static bool may_move(const struct taskd_call *call, const struct target *t, uint64_t before_ms)
{
    return call->target == t && call->http != NULL && call->is_repeatable &&
           call->began_ms <= before_ms && call->tried < call->client->target_count + MOVES_MAX;
}

/* What waits there since `before_ms` waits in vain: ask again. */
static void calls_move(struct target *t, uint64_t before_ms)
{
    struct taskd_client *c = t->client;
    struct list          all = LIST_INIT(all);
    struct list         *node;

    list_splice(&all, &c->calls);
    while ((node = list_take_first(&all)) != NULL) {
        struct taskd_call *call = container_of(node, struct taskd_call, in_client);
        int                err;

        list_append(&c->calls, node);
        if (!may_move(call, t, before_ms))
            continue;
        http_call_cancel(call->http);
        call->http = NULL;
        metric_inc(c->failovers);
        err = call_send(call);
        if (err != 0)
            call_end(call, err, NULL);
    }
}

static void probe_failed(struct target *t)
{
    t->probes_well = 0;
    t->probes_failed++;
    t->doubt_ms = net_now_ms(t->client->net);
    target_mark(t, false);
    http_client_drop_idle(t->http);
    /* Where it is the only one there is no use in asking again before it answers. */
    if (t->probes_failed >= PROBES_HUNG && taskd_client_is_reachable(t->client))
        calls_move(t, t->doubt_ms);
}

static void probe_answered(struct target *t)
{
    uint64_t doubt_ms = t->doubt_ms;
    bool     is_over = t->probes_failed >= PROBES_HUNG || ++t->probes_well >= PROBES_WELL;

    t->probes_failed = 0;
    target_mark(t, true);
    if (doubt_ms == 0 || !is_over)
        return;
    t->doubt_ms = 0;
    calls_move(t, doubt_ms);
}

static void on_probed(int err, const struct http_result *result, void *arg)
{
    struct target *t = arg;

    t->is_probing = false;
    t->probe = NULL;
    if (t->client->is_closing)
        return;
    t->is_ready = err == 0 && result->status == 200;
    if (err != 0)
        probe_failed(t);
    else
        probe_answered(t);
}

static void on_timer(uv_timer_t *timer)
{
    struct taskd_client           *c = timer->data;
    const struct http_call_options o = {
        .method = HTTP_GET, .target = SLICE("/api/health/ready"), .timeout_ms = PROBE_TIMEOUT_MS,
    };

    for (size_t i = 0; i < c->target_count; i++) {
        struct target *t = &c->targets[i];

        if (t->is_probing)
            continue;
        t->is_probing = http_client_call(t->http, &o, on_probed, t, &t->probe) == 0;
    }
}

bool taskd_client_is_reachable(const struct taskd_client *c)
{
    for (size_t i = 0; i < c->target_count; i++) {
        if (c->targets[i].is_up)
            return true;
    }
    return false;
}

bool taskd_client_is_ready(const struct taskd_client *c)
{
    for (size_t i = 0; i < c->target_count; i++) {
        if (c->targets[i].is_up && c->targets[i].is_ready)
            return true;
    }
    return false;
}

/* --- life --- */

static void targets_free(struct taskd_client *c)
{
    for (size_t i = 0; i < c->target_count; i++) {
        if (c->targets[i].http != NULL)
            http_client_close(c->targets[i].http);
        free(c->targets[i].url);
    }
    c->target_count = 0;
}

static int targets_make(struct taskd_client *c, const char *urls, struct buf *why)
{
    struct http_client_options o = HTTP_CLIENT_DEFAULTS;
    struct slice               rest = slice_of(urls);

    o.connect_timeout_ms = CONNECT_MS;
    o.timeout_ms = CALL_MS;
    o.connections_max = CONNECTIONS;
    o.queue_max = QUEUE;
    o.answer_bytes_max = ANSWER_BYTES_MAX;
    while (rest.len > 0) {
        struct slice   url = slice_cut(&rest, ',');
        struct target *t = &c->targets[c->target_count];

        while (url.len > 0 && (url.data[0] == ' '))
            url = slice_from(url, 1);
        while (url.len > 0 && (url.data[url.len - 1] == ' ' || url.data[url.len - 1] == '/'))
            url.len--;
        if (c->target_count == TARGETS_MAX) {
            buf_printf(why, "TASKD_URL names more than %d addresses.", TARGETS_MAX);
            return ERR_INVALID;
        }
        t->client = c;
        t->url = mem_strndup(url.data, url.len);
        c->target_count++;
        t->http = http_client_new(c->net, t->url, &o);
        if (t->http == NULL) {
            buf_printf(why, "TASKD_URL: \"%s\" is no http:// address.", t->url);
            return ERR_INVALID;
        }
    }
    return 0;
}

struct taskd_client *taskd_client_new(struct net *net, const struct taskd_client_options *o,
                                      struct buf *why)
{
    struct taskd_client *c = mem_new(struct taskd_client);

    c->net = net;
    c->key = o->cluster_key;
    list_init(&c->calls);
    if (targets_make(c, o->urls, why) != 0) {
        targets_free(c);
        free(c);
        return NULL;
    }
    buf_init(&c->authorization, 1024);
    c->failures = metrics_counter(o->metrics, "taskwire_taskd_failures_total", NULL,
                                  "Calls to a taskd that failed below HTTP.");
    c->failovers = metrics_counter(o->metrics, "taskwire_taskd_failovers_total", NULL,
                                   "Calls that were sent again, to another taskd or on "
                                   "another connection.");
    c->seconds = metrics_histogram(o->metrics, "taskwire_taskd_call_seconds", NULL,
                                   "How long calls to taskd took.");
    uv_timer_init(net_loop(net), &c->timer);
    c->timer.data = c;
    uv_timer_start(&c->timer, on_timer, 0, TASKD_PROBE_MS);
    return c;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct taskd_client *c = handle->data;

    buf_deinit(&c->authorization);
    free(c);
}

void taskd_client_close(struct taskd_client *c)
{
    if (c->is_closing)
        return;
    c->is_closing = true;
    targets_free(c);
    assert(list_is_empty(&c->calls));
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

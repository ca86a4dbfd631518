/* proxy.c -- see proxy.h.
 *
 * Whole requests and whole answers: both have limits of a few MiB, and a proxy that streams
 * has many more states to get wrong. What belongs to one connection alone (RFC 9110 §7.6.1)
 * stays on it.
 *
 * The path is judged as it was sent. Decoding it here and again in taskd is how one of them
 * comes to see /internal where the other saw something harmless, so paths that would have to
 * be decoded to be understood are refused. */
#include "gateway/proxy.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/service_keys.h"
#include "gateway/forwarded.h"
#include "gateway/problem.h"

#define BODY_MAX         (1u << 20)
#define WEBHOOK_BODY_MAX (4u << 20)
#define WEBHOOK_PATH     "/api/webhooks/github"
#define HEADERS_MAX      70

struct passage {                               /* one call on its way */
    struct proxy        *proxy;
    struct http_request *request;
    struct taskd_call   *call;
};

void proxy_init(struct proxy *p, struct taskd_client *taskd, struct metrics *m)
{
    p->taskd = taskd;
    p->calls = 0;
    p->passed = metrics_counter(m, "taskwire_proxy_passed_total", NULL,
                                "REST calls that taskd answered.");
    p->failed = metrics_counter(m, "taskwire_proxy_failed_total", NULL,
                                "REST calls that no taskd answered.");
}

void proxy_head(struct http_request *r)
{
    bool is_webhook = slice_is(http_request_path(r), WEBHOOK_PATH);

    http_request_set_body_max(r, is_webhook ? WEBHOOK_BODY_MAX : BODY_MAX);
}

/* --- what may pass --- */

static bool segment_is_plain(struct slice s)
{
    if (s.len == 0 || slice_is(s, ".") || slice_is(s, ".."))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_' || c == '.' || c == '~' || c == ':' || c == '@' || c == '+'))
            return false;
    }
    return true;
}

/* With what is below it: the page's operators send letters in again. */
#define DEAD_LETTERS "/api/admin/dead-letters"

bool proxy_may_pass(struct slice path)
{
    struct slice rest, first;

    if (!slice_starts(path, "/api/"))
        return false;
    rest = slice_from(path, 5);
    first = rest;
    first = slice_cut(&first, '/');
    if (slice_is(first, "health") || slice_is(first, "config") || slice_is(first, "internal"))
        return false;
    if (slice_is(first, "admin") && !slice_is(path, "/api/admin/status") &&
        !slice_is(path, DEAD_LETTERS) && !slice_starts(path, DEAD_LETTERS "/"))
        return false;
    while (rest.data != NULL) {
        if (!segment_is_plain(slice_cut(&rest, '/')))
            return false;
    }
    return true;
}

static bool is_hop_by_hop(struct slice name, struct slice connection)
{
    static const char *const NAMES[] = {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect",
    };
    struct slice rest = connection;

    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (slice_is_nocase(name, NAMES[i]))
            return true;
    }
    while (rest.len > 0) {
        struct slice one = slice_cut(&rest, ',');

        while (one.len > 0 && (one.data[0] == ' ' || one.data[0] == '\t'))
            one = slice_from(one, 1);
        while (one.len > 0 && (one.data[one.len - 1] == ' ' || one.data[one.len - 1] == '\t'))
            one.len--;
        if (one.len == name.len && one.len > 0 && strncasecmp(one.data, name.data, one.len) == 0)
            return true;
    }
    return false;
}

/* --- there --- */

/* The client's headers but those that end here; ours about where it came from. */
static size_t headers_there(struct http_request *r, struct buf *forwarded,
                            struct http_header out[HEADERS_MAX])
{
    size_t                    count, n = 0;
    const struct http_header *in = http_request_headers(r, &count);
    struct slice              connection = http_request_header(r, "Connection");

    for (size_t i = 0; i < count && n < HEADERS_MAX - 2; i++) {
        if (is_hop_by_hop(in[i].name, connection) || slice_is_nocase(in[i].name, "host") ||
            slice_is_nocase(in[i].name, "content-length") ||
            slice_is_nocase(in[i].name, "x-forwarded-for"))
            continue;
        out[n++] = in[i];
    }
    forwarded_append(r, forwarded);
    out[n++] = (struct http_header){ SLICE(FORWARDED_HEADER), buf_peek(forwarded) };
    out[n++] = (struct http_header){ SLICE("Via"), SLICE(GATEWAY_VIA) };
    return n;
}

/* --- and back --- */

static void answer_result(struct http_request *r, const struct http_result *result)
{
    struct http_header headers[HEADERS_MAX];
    struct slice       connection = http_header_find(result->headers, result->header_count,
                                                     "Connection");
    struct http_answer a = { .status = result->status, .headers = headers };

    for (size_t i = 0; i < result->header_count && a.header_count < HEADERS_MAX; i++) {
        if (!is_hop_by_hop(result->headers[i].name, connection))
            headers[a.header_count++] = result->headers[i];
    }
    a.body = rcbuf_copy(result->body);
    http_request_answer(r, &a);
    rcbuf_unref(a.body);
}

static void answer_failure(struct http_request *r, int err)
{
    int status = err == ERR_TIMEOUT ? 504 : 503;

    if (err == ERR_FRAME || err == ERR_TOO_BIG || err == UV_ECONNRESET || err == UV_EOF)
        status = 502;                          /* taskd was there, and its answer was none */
    problem_answer_status(r, status, ERROR_UNAVAILABLE, NULL);
}

static void passage_free(struct passage *p)
{
    p->proxy->calls--;
    free(p);
}

static void on_answer(int err, const struct http_result *result, void *arg)
{
    struct passage *p = arg;

    if (err == 0) {
        metric_inc(p->proxy->passed);
        answer_result(p->request, result);
    } else {
        metric_inc(p->proxy->failed);
        log_warn("proxy-failed", LOG_ERR(err));
        answer_failure(p->request, err);
    }
    passage_free(p);
}

static void on_gone(struct http_request *r, void *arg)
{
    struct passage *p = arg;

    (void)r;
    taskd_call_cancel(p->call);
    passage_free(p);
}

void proxy_handle(struct proxy *p, struct http_request *r)
{
    struct http_header       headers[HEADERS_MAX];
    struct http_call_options o = { .method = http_request_method(r) };
    struct buf               forwarded;
    struct passage          *passage;
    int                      err;

    if (!proxy_may_pass(http_request_path(r))) {
        problem_answer(r, ERROR_NOT_FOUND, NULL);
        return;
    }
    buf_init(&forwarded, 4096);
    passage = mem_new(struct passage);
    passage->proxy = p;
    p->calls++;
    passage->request = r;
    o.target = http_request_target(r);
    o.body = http_request_body(r);
    o.headers = headers;
    o.header_count = headers_there(r, &forwarded, headers);
    err = taskd_client_pass(p->taskd, &o, on_answer, passage, &passage->call);
    buf_deinit(&forwarded);
    if (err != 0) {
        metric_inc(p->failed);
        passage_free(passage);
        answer_failure(r, err);
        return;
    }
    http_request_on_gone(r, on_gone, passage);
}

size_t proxy_calls(const struct proxy *p)
{
    return p->calls;
}

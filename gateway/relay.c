/* relay.c -- see relay.h.
 *
 * A passage is one request on its way: it may first wait for the registry, then for an answer
 * or for a connection to tunnel through. It has one exit, passage_free; the client's request
 * may be gone before.
 *
 * When a client goes away, its poll at the owner must end too: that is how an owner learns
 * that a polling client is gone. So a GET is cancelled, which closes its connection. A POST is
 * not: it has arrived, only its sender did not wait for the answer (a page that is being
 * closed says good-bye like that).
 *
 * What an error means to the client: where the owner cannot be reached, or its connection
 * broke, the session is gone, or its owner will end it for the broken poll: code 1. Where it
 * may be alive (no registry, no answer in time, too busy) the client is told to come again: 503.
 *
 * Of the client's headers only those go along that the owner looks at; its Authorization and
 * cookies have nothing to do there. */
#include "gateway/relay.h"

#include <stdlib.h>

#include <uthash.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/engineio/sids.h"
#include "gateway/forwarded.h"

#define SID_READ_MAX    128
#define CONNECT_MS      2000
#define ANSWER_MS       10000                  /* to anything but a poll */
#define WAY_IDLE_MS     30000
#define SWEEP_MS        5000
#define HEADERS_MAX     24
#define HEAD_BYTES_MAX  (48 * 1024)
#define OWNER_CHARS_MAX (REPLICA_ID_MAX - 1)

struct way {                                   /* connections to one owner */
    char                id[REPLICA_ID_MAX];
    char               *url;
    struct http_client *http;
    size_t              calls;
    uint64_t            used_ms;
    UT_hash_handle      hh;
};

struct passage {
    struct list          link;                 /* in relay->passages */
    struct relay        *relay;
    struct http_request *request;              /* NULL: its client is gone, or it is answered */
    struct replicas_wait wait;
    struct way          *way;                  /* while `call` is under way */
    struct http_call    *call;
    bool                 is_connecting;        /* a tunnel's connection; on_connect frees */
    char                 owner[REPLICA_ID_MAX];
};

/* --- refusing --- */

static void refuse(struct relay *r, struct http_request *request, enum relay_reason why)
{
    static const char LATER[] = "Try again";

    metric_inc(r->refused[why]);
    if (why == RELAY_MALFORMED || why == RELAY_UNKNOWN || why == RELAY_DEAD ||
        why == RELAY_DENIED)
        eio_server_refuse_unknown(r->options.eio, request);
    else
        eio_server_refuse_now(r->options.eio, request, LATER);
}

static void passage_free(struct passage *p)
{
    list_remove(&p->link);
    free(p);
}

/* The client's request, to be answered or taken; NULL where the client is gone. */
static struct http_request *request_take(struct passage *p)
{
    struct http_request *request = p->request;

    p->request = NULL;
    if (request != NULL)
        http_request_on_gone(request, NULL, NULL);
    return request;
}

static void passage_refuse(struct passage *p, enum relay_reason why)
{
    struct http_request *request = request_take(p);

    if (request != NULL)
        refuse(p->relay, request, why);
    else
        metric_inc(p->relay->refused[why]);
}

static bool owner_is_gone(int err)
{
    return err == UV_ECONNREFUSED || err == UV_ECONNRESET || err == UV_EOF || err == UV_EPIPE ||
           err == UV_EHOSTUNREACH || err == UV_ENETUNREACH || err == UV_EAI_NONAME ||
           err == ERR_FRAME;
}

static enum relay_reason reason_of(int err)
{
    if (owner_is_gone(err))
        return RELAY_DEAD;
    return err == ERR_TIMEOUT || err == UV_ETIMEDOUT ? RELAY_TIMEOUT : RELAY_BUSY;
}

static void passage_fail(struct passage *p, int err)
{
    enum relay_reason why = p->relay->is_closing ? RELAY_CLOSING : reason_of(err);

    log_info("relay-failed", LOG_TEXT("owner", p->owner), LOG_ERR(err));
    if (why == RELAY_DEAD)
        replicas_forget(p->relay->options.replicas, slice_of(p->owner));
    passage_refuse(p, why);
    passage_free(p);
}

/* --- ways --- */

static void way_free(struct relay *r, struct way *w)
{
    HASH_DEL(r->ways, w);
    http_client_close(w->http);                /* its calls end before this returns */
    free(w->url);
    free(w);
}

/* The one that has been idle for longest; NULL where all are in use. */
static struct way *way_idle(struct relay *r)
{
    struct way *oldest = NULL;

    for (struct way *w = r->ways; w != NULL; w = w->hh.next) {
        if (w->calls == 0 && (oldest == NULL || w->used_ms < oldest->used_ms))
            oldest = w;
    }
    return oldest;
}

static struct way *way_new(struct relay *r, const char *id, const char *url)
{
    struct http_client_options o = HTTP_CLIENT_DEFAULTS;
    struct http_client        *http;
    struct way                *w;

    if (HASH_COUNT(r->ways) >= RELAY_WAYS_MAX) {
        w = way_idle(r);
        if (w == NULL)
            return NULL;
        way_free(r, w);
    }
    o.connect_timeout_ms = CONNECT_MS;
    o.timeout_ms = ANSWER_MS;
    o.connections_max = RELAY_WAY_CONNECTIONS;
    o.queue_max = RELAY_WAY_CONNECTIONS;
    o.answer_bytes_max = r->options.answer_bytes_max;
    http = http_client_new(r->net, url, &o);
    if (http == NULL)
        return NULL;
    w = mem_new(struct way);
    memcpy(w->id, id, strlen(id) + 1);
    w->url = mem_strdup(url);
    w->http = http;
    HASH_ADD_STR(r->ways, id, w);
    return w;
}

static struct way *way_to(struct relay *r, const char *id, const char *url)
{
    struct way *w = NULL;

    HASH_FIND_STR(r->ways, id, w);
    if (w != NULL && strcmp(w->url, url) != 0 && w->calls == 0) {
        way_free(r, w);
        w = NULL;
    }
    if (w == NULL)
        w = way_new(r, id, url);
    if (w != NULL)
        w->used_ms = net_now_ms(r->net);
    return w;
}

static void on_sweep(uv_timer_t *timer)
{
    struct relay *r = timer->data;
    struct way   *w, *next;

    HASH_ITER(hh, r->ways, w, next) {
        if (w->calls == 0 && net_now_ms(r->net) - w->used_ms >= WAY_IDLE_MS)
            way_free(r, w);
    }
}

/* --- what goes along --- */

static bool goes_along(struct slice name, bool is_upgrade)
{
    if (slice_is_nocase(name, "origin") || slice_is_nocase(name, "content-type") ||
        slice_is_nocase(name, "user-agent"))
        return true;
    return is_upgrade &&
           (slice_is_nocase(name, "upgrade") ||
            (name.len > 14 && strncasecmp(name.data, "sec-websocket-", 14) == 0));
}

struct outgoing {                              /* a request as the owner gets it */
    struct buf         target, forwarded, hop;
    struct http_header headers[HEADERS_MAX];
    size_t             header_count;
};

static void outgoing_deinit(struct outgoing *o)
{
    buf_deinit(&o->target);
    buf_deinit(&o->forwarded);
    buf_deinit(&o->hop);
}

static void sign(struct passage *p, struct outgoing *o)
{
    const struct hop_request r = {
        .recipient = slice_of(p->owner), .method = http_request_method_text(p->request),
        .target = buf_peek(&o->target), .forwarded = buf_peek(&o->forwarded),
    };
    uint64_t nonce;

    do
        crypto_random(&nonce, sizeof(nonce));
    while (nonce == 0);
    hop_sign(p->relay->options.key, &r, http_request_body(p->request), clock_wall_ms(), nonce,
             &o->hop);
}

static void outgoing_init(struct passage *p, bool is_upgrade, struct outgoing *o)
{
    size_t                    count, n = 0;
    const struct http_header *in = http_request_headers(p->request, &count);

    buf_init(&o->target, HEAD_BYTES_MAX);
    buf_init(&o->forwarded, HEAD_BYTES_MAX);
    buf_init(&o->hop, HOP_VALUE_MAX);
    buf_append_slice(&o->target, http_request_path(p->request));
    buf_append_char(&o->target, '?');
    buf_append_slice(&o->target, http_request_query(p->request));
    forwarded_append(p->request, &o->forwarded);
    sign(p, o);
    o->headers[n++] = (struct http_header){ SLICE(HOP_HEADER), buf_peek(&o->hop) };
    o->headers[n++] = (struct http_header){ SLICE(FORWARDED_HEADER), buf_peek(&o->forwarded) };
    for (size_t i = 0; i < count && n < HEADERS_MAX; i++) {
        if (goes_along(in[i].name, is_upgrade))
            o->headers[n++] = in[i];
    }
    o->header_count = n;
}

/* --- polling --- */

static void answer(struct passage *p, const struct http_result *result)
{
    struct http_request *request = request_take(p);
    struct http_answer   a = {
        .status = result->status, .headers = result->headers,
        .header_count = result->header_count,
    };

    metric_inc(p->relay->passed);
    if (request == NULL)
        return;
    a.body = rcbuf_copy(result->body);
    http_request_answer(request, &a);          /* framing is the connection's own */
    rcbuf_unref(a.body);
}

/* The listener itself refused (cluster.c), not the session's server, which never says so to a
 * request with a sid. */
static bool is_denied(const struct http_result *result)
{
    return result->status == 403;
}

static void on_answer(int err, const struct http_result *result, void *arg)
{
    struct passage *p = arg;

    p->call = NULL;
    p->way->calls--;
    if (err != 0) {
        passage_fail(p, err);
        return;
    }
    if (is_denied(result)) {
        log_warn("relay-denied", LOG_TEXT("owner", p->owner), LOG_SLICE("why", result->body));
        replicas_forget(p->relay->options.replicas, slice_of(p->owner));
        passage_refuse(p, RELAY_DENIED);
    } else {
        answer(p, result);
    }
    passage_free(p);
}

static void call(struct passage *p, const char *url)
{
    struct relay            *r = p->relay;
    struct http_call_options o = { .method = http_request_method(p->request) };
    struct outgoing          out;
    int                      err;

    p->way = way_to(r, p->owner, url);
    if (p->way == NULL) {
        passage_fail(p, ERR_BUSY);
        return;
    }
    outgoing_init(p, false, &out);
    o.target = buf_peek(&out.target);
    o.headers = out.headers;
    o.header_count = out.header_count;
    o.body = http_request_body(p->request);
    o.timeout_ms = o.method == HTTP_GET ? r->options.poll_ms : ANSWER_MS;
    err = http_client_call(p->way->http, &o, on_answer, p, &p->call);
    outgoing_deinit(&out);
    if (err != 0)
        passage_fail(p, err);
    else
        p->way->calls++;
}

/* --- tunnels --- */

static void append_head(struct passage *p, struct buf *head)
{
    struct outgoing out;

    outgoing_init(p, true, &out);
    buf_append_text(head, "GET ");
    buf_append_slice(head, buf_peek(&out.target));
    buf_append_text(head, " HTTP/1.1\r\n");
    http_append_header(head, SLICE("Host"), slice_of(p->owner));
    http_append_header(head, SLICE("Connection"), SLICE("Upgrade"));
    for (size_t i = 0; i < out.header_count; i++)
        http_append_header(head, out.headers[i].name, out.headers[i].value);
    buf_append_text(head, "\r\n");
    outgoing_deinit(&out);
}

static void tie(struct passage *p, struct stream *owner)
{
    struct stream *client;
    struct buf     head, rest;

    buf_init(&head, HEAD_BYTES_MAX);
    buf_init(&rest, SIZE_MAX / 2);
    append_head(p, &head);
    client = http_request_take_stream(request_take(p), &rest);
    if (client == NULL) {
        stream_close(owner);
    } else {
        tunnel_open(&p->relay->tunnels, client, owner, buf_peek(&head), buf_peek(&rest));
        if (buf_failed(&head))                 /* cannot be: the client's own was smaller */
            stream_close(owner);
    }
    buf_deinit(&head);
    buf_deinit(&rest);
}

static void on_connect(int err, struct stream *owner, void *arg)
{
    struct passage *p = arg;

    p->is_connecting = false;
    if (err != 0) {
        passage_fail(p, err);
        return;
    }
    if (p->request == NULL || p->relay->is_closing)
        stream_close(owner);
    else
        tie(p, owner);
    passage_free(p);
}

static void connect_through(struct passage *p, const char *url)
{
    struct http_url at;
    char           *host;
    int             err;

    if (http_request_method(p->request) != HTTP_GET) {
        passage_refuse(p, RELAY_MALFORMED);
        passage_free(p);
        return;
    }
    if (tunnels_is_full(&p->relay->tunnels) || http_url_parse(url, 80, &at) != 0) {
        passage_fail(p, ERR_BUSY);
        return;
    }
    host = mem_strndup(at.host.data, at.host.len);
    err = net_connect(p->relay->net, host, at.port, CONNECT_MS, on_connect, p);
    free(host);
    if (err != 0)
        passage_fail(p, err);
    else
        p->is_connecting = true;
}

/* --- passages --- */

static void go(struct passage *p, const char *url)
{
    if (http_request_wants_upgrade(p->request))
        connect_through(p, url);
    else
        call(p, url);
}

static void on_found(int err, const char *url, void *arg)
{
    struct passage *p = arg;

    if (err == 0) {
        go(p, url);
        return;
    }
    passage_refuse(p, err == ERR_NOT_FOUND ? RELAY_UNKNOWN : RELAY_REGISTRY);
    passage_free(p);
}

static void on_gone(struct http_request *request, void *arg)
{
    struct passage *p = arg;
    bool            is_post = http_request_method(request) != HTTP_GET;

    p->request = NULL;
    if (p->is_connecting || (p->call != NULL && is_post))
        return;
    if (p->call != NULL) {
        http_call_cancel(p->call);
        p->way->calls--;
    }
    replicas_cancel(&p->wait);
    passage_free(p);
}

static struct passage *passage_new(struct relay *r, struct http_request *request,
                                   struct slice owner)
{
    struct passage *p = mem_new(struct passage);

    p->relay = r;
    p->request = request;
    memcpy(p->owner, owner.data, owner.len);
    list_init(&p->wait.link);
    list_append(&r->passages, &p->link);
    http_request_on_gone(request, on_gone, p);
    return p;
}

static bool sid_is_fine(struct http_request *request)
{
    struct slice owner;
    struct buf   sid;
    bool         is_fine;

    buf_init(&sid, SID_READ_MAX);
    is_fine = relay_sid_read(relay_sid_of(http_request_query(request), &sid), &owner);
    buf_deinit(&sid);
    return is_fine;
}

void relay_pass(struct relay *r, struct http_request *request, struct slice owner)
{
    struct passage *p;
    const char     *url;
    int             err;

    if (r->is_closing) {
        refuse(r, request, RELAY_CLOSING);
        return;
    }
    if (!sid_is_fine(request)) {
        refuse(r, request, RELAY_MALFORMED);
        return;
    }
    p = passage_new(r, request, owner);
    err = replicas_look(r->options.replicas, owner, &url);
    if (err == 0) {
        go(p, url);
        return;
    }
    if (err == ERR_BUSY)
        err = replicas_ask(r->options.replicas, owner, &p->wait, on_found, p);
    if (err != 0)
        on_found(err, NULL, p);
}

/* --- sids --- */

static bool is_base64url(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

bool relay_sid_read(struct slice sid, struct slice *owner)
{
    struct slice rest = sid;

    *owner = slice_cut(&rest, '.');
    return owner->len > 0 && owner->len <= OWNER_CHARS_MAX && rest.len == SID_RANDOM_CHARS &&
           is_base64url(*owner) && is_base64url(rest);
}

struct slice relay_sid_of(struct slice query, struct buf *out)
{
    if (http_query_get(query, "sid", out) != 0)
        buf_reset(out);
    return buf_peek(out);
}

/* --- life --- */

static void metrics_make(struct relay *r, struct metrics *m)
{
    static const char *const LABELS[RELAY_REASON_COUNT] = {
#define X(name, text) [RELAY_##name] = "reason=\"" text "\"",
        RELAY_REASON_MAP(X)
#undef X
    };

    r->passed = metrics_counter(m, "taskwire_relay_passed_total", NULL,
                                "Requests of other gateways' sessions that their owners answered.");
    for (int i = 0; i < RELAY_REASON_COUNT; i++)
        r->refused[i] = metrics_counter(m, "taskwire_relay_refused_total", LABELS[i],
                                        "Requests of other gateways' sessions that came to "
                                        "nothing, by reason.");
}

void relay_init(struct relay *r, struct net *net, const struct relay_options *options)
{
    *r = (struct relay){ .options = *options, .net = net };
    list_init(&r->passages);
    tunnels_init(&r->tunnels, net, options->metrics);
    metrics_make(r, options->metrics);
    uv_timer_init(net_loop(net), &r->timer);
    r->timer.data = r;
    uv_timer_start(&r->timer, on_sweep, SWEEP_MS, SWEEP_MS);
}

/* Those that wait for the registry or for a connection; calls end with their ways. */
static void passages_end(struct relay *r)
{
    list_each_safe(node, &r->passages) {
        struct passage *p = container_of(node, struct passage, link);

        if (p->call != NULL)
            continue;
        replicas_cancel(&p->wait);
        passage_refuse(p, RELAY_CLOSING);
        if (!p->is_connecting)
            passage_free(p);
    }
}

void relay_close(struct relay *r)
{
    struct way *w, *next;

    if (r->is_closing)
        return;
    r->is_closing = true;
    passages_end(r);
    HASH_ITER(hh, r->ways, w, next)
        way_free(r, w);
    tunnels_close(&r->tunnels);
    uv_close((uv_handle_t *)&r->timer, NULL);
}

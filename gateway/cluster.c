/* cluster.c -- see cluster.h.
 *
 * A request at the internal listener is judged twice: at its head, so that a stranger's body
 * is not even read, and when it is whole, when the body must be the one that was signed and
 * the nonce a new one. Then it is the session's server's like any other request, which answers
 * it without knowing that it came over a hop; but a request for a session that is not ours
 * ends here (`foreign`): who sent it believes that we own it, somebody else may believe the same
 * of them, and a request must not go round in circles. */
#include "gateway/cluster.h"

#include <assert.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/forwarded.h"

#define HOP_HEADERS_BYTES (8 * 1024)           /* what a hop adds to a client's head, at most */
#define HOP_HEADERS_COUNT 8
#define POLL_GRACE_MS     5000
#define SID_MAX           128

/* --- strangers --- */

static void deny(struct http_request *r, struct metric *why, const char *text)
{
    const struct http_header no_store = { SLICE("Cache-Control"), SLICE("no-store") };
    struct http_answer       a = {
        .status = 403, .content_type = "text/plain", .headers = &no_store, .header_count = 1,
        .body = rcbuf_copy(slice_of(text)), .close = true,
    };

    metric_inc(why);
    log_warn("hop-refused", LOG_TEXT("why", text));
    http_request_answer(r, &a);
    rcbuf_unref(a.body);
}

/* Does the head prove a gateway? If not it is answered. */
static bool head_is_fine(struct cluster *c, struct http_request *r, struct hop *hop)
{
    const struct hop_request request = {
        .recipient = slice_of(c->options.id), .method = http_request_method_text(r),
        .target = http_request_target(r), .forwarded = http_request_header(r, FORWARDED_HEADER),
    };

    switch (hop_check(&c->key, &request, http_request_header(r, HOP_HEADER), clock_wall_ms(),
                      hop)) {
    case HOP_FINE:
        return true;
    case HOP_MISSING:
        deny(r, c->missing, "unsigned");
        return false;
    case HOP_EXPIRED:
        deny(r, c->expired, "expired: do the clocks agree?");
        return false;
    default:
        deny(r, c->forged, "not signed for this gateway");
        return false;
    }
}

static bool whole_is_fine(struct cluster *c, struct http_request *r)
{
    struct hop hop;
    int        err;

    if (!head_is_fine(c, r, &hop))
        return false;
    if (!hop_fits_body(&hop, http_request_body(r))) {
        deny(r, c->forged, "another body than was signed");
        return false;
    }
    err = nonces_add(&c->nonces, hop.at_ms, hop.nonce);
    if (err == ERR_REPEAT)
        deny(r, c->replayed, "repeated");
    else if (err != 0)
        deny(r, c->crowded, "too many to remember");
    return err == 0;
}

/* --- what others pass on --- */

static bool is_of_a_session(struct http_request *r)
{
    struct buf sid;
    bool       is;

    buf_init(&sid, SID_MAX);
    is = relay_sid_of(http_request_query(r), &sid).len > 0;
    buf_deinit(&sid);
    return is;
}

static void on_head(struct http_request *r, void *arg)
{
    struct cluster *c = arg;
    struct hop      hop;

    http_request_set_body_max(r, eio_server_body_max(sio_server_eio(c->options.sio)));
    (void)head_is_fine(c, r, &hop);            /* else it is answered */
}

static void on_request(struct http_request *r, void *arg)
{
    struct cluster *c = arg;

    if (!whole_is_fine(c, r))
        return;
    metric_inc(c->received);
    if (!is_of_a_session(r) || !sio_server_handle(c->options.sio, r))
        eio_server_refuse_unknown(sio_server_eio(c->options.sio), r);
}

static const struct http_server_handlers HANDLERS = {
    .on_head = on_head, .on_request = on_request,
};

/* --- what we pass on --- */

void cluster_on_foreign(struct cluster *c, struct http_request *r, struct slice owner)
{
    if (http_request_server(r) == c->server) {
        metric_inc(c->foreign);
        eio_server_refuse_unknown(sio_server_eio(c->options.sio), r);
        return;
    }
    relay_pass(&c->relay, r, owner);
}

/* --- where we are --- */

static void url_of(const char *host, int port, struct buf *out)
{
    buf_printf(out, strchr(host, ':') != NULL ? "http://[%s]:%d" : "http://%s:%d", host, port);
}

/* Of this machine, neither loopback nor link-local (which means nothing without its zone). */
static bool is_reachable(const uv_interface_address_t *a, bool is_v6, char host[NET_ADDRESS_SIZE])
{
    if (a->is_internal || (a->address.address4.sin_family == AF_INET6) != is_v6)
        return false;
    if (uv_ip_name((const struct sockaddr *)&a->address, host, NET_ADDRESS_SIZE) != 0)
        return false;
    return strncasecmp(host, "fe80:", 5) != 0 && strncmp(host, "169.254.", 8) != 0;
}

static bool first_address(bool is_v6, char host[NET_ADDRESS_SIZE])
{
    uv_interface_address_t *all;
    int                     count;
    bool                    found = false;

    if (uv_interface_addresses(&all, &count) != 0)
        return false;
    for (int i = 0; i < count && !found; i++)
        found = is_reachable(&all[i], is_v6, host);
    uv_free_interface_addresses(all, count);
    return found;
}

void cluster_url(const char *address, int port, struct buf *out)
{
    char host[NET_ADDRESS_SIZE];
    bool is_any_v6 = strcmp(address, "::") == 0;

    if (strcmp(address, "0.0.0.0") != 0 && !is_any_v6)
        url_of(address, port, out);
    else if (first_address(false, host) || (is_any_v6 && first_address(true, host)))
        url_of(host, port, out);
    else
        url_of(is_any_v6 ? "::1" : "127.0.0.1", port, out);
}

int cluster_listen(struct cluster *c, const char *address, int port, const char *advertise)
{
    struct replicas_options o = {
        .redis = c->options.redis, .id = c->options.id, .describe = c->options.describe,
        .arg = c->options.arg,
    };
    struct buf url;
    int        err = http_server_listen(c->server, address, port);

    if (err != 0)
        return err;
    buf_init(&url, 1024);
    if (advertise != NULL)
        buf_append_text(&url, advertise);
    else
        cluster_url(address, http_server_port(c->server), &url);
    c->url = buf_take(&url);
    o.url = c->url;
    replicas_init(&c->replicas, net_loop(c->net), &o);
    c->is_listening = true;
    return 0;
}

bool cluster_is_announced(const struct cluster *c)
{
    return c->is_listening && replicas_is_announced(&c->replicas);
}

/* --- life --- */

static void metrics_make(struct cluster *c, struct metrics *m)
{
    static const char NAME[] = "taskwire_hop_refused_total";
    static const char HELP[] = "Requests refused at the internal listener, by reason.";

    c->received = metrics_counter(m, "taskwire_hop_received_total", NULL,
                                  "Requests of our sessions that other gateways passed on.");
    c->missing = metrics_counter(m, NAME, "reason=\"unsigned\"", HELP);
    c->forged = metrics_counter(m, NAME, "reason=\"forged\"", HELP);
    c->expired = metrics_counter(m, NAME, "reason=\"expired\"", HELP);
    c->replayed = metrics_counter(m, NAME, "reason=\"repeated\"", HELP);
    c->crowded = metrics_counter(m, NAME, "reason=\"too many\"", HELP);
    c->foreign = metrics_counter(m, NAME, "reason=\"not ours\"", HELP);
}

void cluster_init(struct cluster *c, struct net *net, const struct cluster_options *options)
{
    struct http_server_options so = HTTP_SERVER_DEFAULTS;
    struct relay_options       ro = {
        .eio = sio_server_eio(options->sio), .replicas = &c->replicas, .key = &c->key,
        .poll_ms = options->poll_ms + POLL_GRACE_MS,
        .answer_bytes_max = options->answer_bytes_max, .metrics = options->metrics,
    };

    *c = (struct cluster){ .options = *options, .net = net };
    hop_key_make(options->secret, &c->key);
    nonces_init(&c->nonces);
    metrics_make(c, options->metrics);
    so.header_bytes_max += HOP_HEADERS_BYTES;
    so.header_count_max += HOP_HEADERS_COUNT;
    c->server = http_server_new(net, "internal", &so, &HANDLERS, c, options->metrics);
    relay_init(&c->relay, net, &ro);
}

void cluster_drain(struct cluster *c, uint64_t ms)
{
    tunnels_drain(&c->relay.tunnels, ms);
}

bool cluster_is_drained(const struct cluster *c)
{
    return c->relay.tunnels.count == 0;
}

void cluster_close(struct cluster *c)
{
    if (c->is_closing)
        return;
    c->is_closing = true;
    http_server_close(c->server);
    relay_close(&c->relay);
    if (c->is_listening)
        replicas_close(&c->replicas);
}

void cluster_deinit(struct cluster *c)
{
    replicas_deinit(&c->replicas);
    nonces_deinit(&c->nonces);
    free(c->url);
}

/* app.c -- see app.h.
 *
 * A frame takes one path: topics and boards keep what joiners will need and decide whether
 * their rooms are owed it, its lines are said; then, position moved, whoever waited for
 * exactly that comes in. Everything runs in one turn of the loop, so nobody can come in
 * between a line and the next. */
#include "gateway/app.h"

#include <assert.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/events.h"
#include "gateway/rooms.h"

#define TICK_MS        100
#define TICKS_A_SECOND (1000 / TICK_MS)

/* --- the feed --- */

static void on_frame(struct org *o, struct frame *f, void *arg)
{
    struct app *a = arg;
    bool        tell_task = topics_admit(&a->topics, f);
    bool        tell_rows = boards_admit(&a->boards, f);

    lines_tell(&a->lines, f, tell_task, tell_rows);
    arrivals_frame(&a->arrivals, o, f);
}

static void on_resync(struct org *o, void *arg)
{
    struct app *a = arg;

    arrivals_resync(&a->arrivals, o);
    topics_resync(&a->topics, o);
    boards_resync(&a->boards, o);
}

static void on_moved(struct org *o, void *arg)
{
    struct app *a = arg;

    sources_moved(o);
    arrivals_moved(&a->arrivals, o);
}

static const struct orgs_handlers ORGS_HANDLERS = {
    .on_frame = on_frame,
    .on_resync = on_resync,
    .on_moved = on_moved,
};

/* --- clients --- */

struct visitor {                               /* a client whose handshake said something */
    struct address *address;
    char           *bearer;                    /* of the Authorization header, or NULL */
};

static int on_handshake(struct http_request *r, const char **why, void *arg)
{
    struct app *a = arg;
    char        peer[NET_ADDRESS_SIZE];

    http_request_peer(r, peer);
    if (a->drain_began_ms != 0 || a->is_closing)
        return 503;
    if (!origins_allow(a->options.origins, http_request_header(r, "Origin"),
                       http_request_header(r, "Host"))) {
        metric_inc(a->refused);
        *why = "Origin not allowed";
        return 403;
    }
    if (addresses_is_full(&a->addresses, peer)) {
        metric_inc(a->refused);
        *why = "Too many connections";
        return 403;
    }
    return 0;
}

static void *on_open(struct eio_session *session, struct http_request *r, void *arg)
{
    struct app     *a = arg;
    struct visitor *v;
    struct slice    authorization = http_request_header(r, "Authorization");
    bool            has_bearer = authorization.len > 7 &&
                                 strncasecmp(authorization.data, "Bearer ", 7) == 0;
    char            peer[NET_ADDRESS_SIZE];

    (void)session;
    if (!has_bearer && a->addresses.clients_max == 0)
        return NULL;
    v = mem_new(struct visitor);
    http_request_peer(r, peer);
    v->address = address_enter(&a->addresses, peer);
    if (has_bearer)
        v->bearer = mem_strndup(authorization.data + 7, authorization.len - 7);
    return v;
}

static void on_gone(void *data, void *arg)
{
    struct app     *a = arg;
    struct visitor *v = data;

    if (v == NULL)
        return;
    address_leave(&a->addresses, v->address);
    free(v->bearer);
    free(v);
}

static void on_foreign(struct http_request *r, struct slice owner, void *arg)
{
    struct app *a = arg;

    cluster_on_foreign(a->options.cluster, r, owner);
}

/* --- sockets --- */

static void refuse(struct app *a, struct sio_socket *s, enum error_code code)
{
    const struct error_spec *spec = error_spec(code);
    struct buf               data;

    buf_init(&data, 256);
    buf_printf(&data, "{\"code\":\"%s\"}", spec->code);
    peers_count_error(&a->peers, code);
    metric_inc(a->refused);
    sio_refuse(s, spec->text, buf_peek(&data));
    buf_deinit(&data);
}

/* Who is it? Returns 0, or the error to refuse with (an enum error_code) in `out_code`. */
static int authorise(struct app *a, struct sio_socket *s, struct slice auth, struct claims *out,
                     enum error_code *out_code)
{
    const struct visitor *v = sio_socket_client_data(s);
    json_t               *object = json_parse(auth, NULL);
    const char           *token = json_text(object, "token");
    int                   err;

    if (token == NULL && v != NULL)
        token = v->bearer;
    err = token == NULL ? ERR_TOKEN
                        : jwt_verify(a->options.user_key, slice_of(token),
                                     clock_wall_ms() / 1000, out);
    json_decref(object);
    *out_code = err == ERR_EXPIRED ? ERROR_TOKEN_EXPIRED : ERROR_UNAUTHORIZED;
    if (err == 0 && !features_let_in(&a->options.features, out->sub)) {
        *out_code = ERROR_FEATURE_OFF;
        err = ERR_FORBIDDEN;
    }
    return err;
}

/* What a client says that wants to go on with its session. */
static void arrive(struct app *a, struct peer *p, struct slice auth)
{
    json_t *object = json_parse(auth, NULL);

    if (json_bool(object, "trace", false))
        peer_trace(p);
    arrival_begin(&a->arrivals, p, slice_of(json_text(object, "pid")),
                  slice_of(json_text(object, "offset")));
    json_decref(object);
}

static void on_connect(struct sio_socket *s, struct slice auth, void *arg)
{
    struct app     *a = arg;
    struct claims   claims;
    enum error_code code;
    struct peer    *p;

    if (a->is_closing) {
        sio_close_transport(s);
        return;
    }
    if (authorise(a, s, auth, &claims, &code) != 0) {
        refuse(a, s, code);
        return;
    }
    p = peer_new(&a->peers, s, users_enter(&a->users, &claims, net_now_ms(a->net)),
                 orgs_ref(a->orgs, slice_of(claims.org)));
    p->exp_s = claims.exp_s;
    expiry_add(&a->expiry, &p->in_expiry, claims.exp_s);
    arrive(a, p, auth);
}

static void on_event(struct sio_socket *s, const struct sio_event *e, void *arg)
{
    struct peer *p = sio_socket_data(s);

    if (p != NULL)
        events_handle(arg, p, e);
}

static void leave_task(struct peer *p, struct slice task, void *arg)
{
    topics_leave(arg, p, task);
}

static void on_disconnect(struct sio_socket *s, enum sio_reason reason, void *arg)
{
    struct app  *a = arg;
    struct peer *p = sio_socket_data(s);

    if (p == NULL)
        return;
    log_debug("socket-closed", LOG_TEXT("socket", sio_socket_sid(s)),
              LOG_TEXT("why", sio_reason_text(reason)));
    arrival_end(&a->arrivals, p,
                reason != SIO_REASON_CLIENT_LEFT && reason != SIO_REASON_SERVER_LEFT);
    topics_each_of(p, leave_task, &a->topics);
    boards_leave(&a->boards, p);
    while (!list_is_empty(&p->waits)) {
        struct wait *w = container_of(p->waits.next, struct wait, in_peer);
        char         task[sizeof(w->task)];

        memcpy(task, w->task, sizeof(task));
        topics_leave(&a->topics, p, slice_of(task));
    }
    list_remove(&p->in_expiry);
    users_leave(&a->users, p->user);
    org_unref(p->org);
    peer_free(p);
}

static const struct sio_namespace_handlers NAMESPACE_HANDLERS = {
    .on_connect = on_connect,
    .on_event = on_event,
    .on_disconnect = on_disconnect,
};

/* --- time --- */

static int64_t expires_when(const struct list *node)
{
    return container_of(node, struct peer, in_expiry)->exp_s;
}

static void on_expired(struct list *node, void *arg)
{
    struct peer *p = container_of(node, struct peer, in_expiry);

    (void)arg;
    sio_disconnect(p->socket, true);
}

static const struct expiry_calls EXPIRY_CALLS = { .when = expires_when, .over = on_expired };

static void waits_end_due(struct app *a)
{
    struct wait *w;

    while ((w = waits_due(&a->peers)) != NULL) {
        char         task[sizeof(w->task)];
        struct slice org = user_org(w->peer->user);

        memcpy(task, w->task, sizeof(task));
        wait_end(w, ERROR_UNAVAILABLE);
        if (task[0] != '\0')
            topics_look(&a->topics, slice_of(task));
        else
            boards_look(&a->boards, org);
    }
}

struct drain {
    size_t left;                               /* to be closed in this tick */
};

static void drain_one(struct sio_socket *s, void *arg)
{
    struct drain *d = arg;

    if (d->left == 0)
        return;
    d->left--;
    sio_close_transport(s);
}

/* So many of those who are left that the last goes when the time is over. */
static void drain_some(struct app *a)
{
    uint64_t     passed = net_now_ms(a->net) - a->drain_began_ms;
    uint64_t     left_ms = passed < a->options.drain_ms ? a->options.drain_ms - passed : 0;
    size_t       turns = (size_t)(left_ms / TICK_MS) + 1;
    struct drain d = { (sio_namespace_size(a->ns) + turns - 1) / turns };

    sio_each_socket(a->ns, drain_one, &d);
}

static void on_timer(uv_timer_t *timer)
{
    struct app *a = timer->data;

    waits_end_due(a);
    arrivals_tick(&a->arrivals);
    presence_link_tick(&a->presence);
    compare_rooms_tick(&a->compare);
    expiry_turn(&a->expiry, clock_wall_ms() / 1000, &EXPIRY_CALLS, a);
    if (++a->tick % TICKS_A_SECOND == 0)
        users_sweep(&a->users, net_now_ms(a->net));
    if (a->drain_began_ms != 0)
        drain_some(a);
}

void app_drain(struct app *a)
{
    if (a->drain_began_ms != 0)
        a->options.drain_ms = 0;
    else
        a->drain_began_ms = net_now_ms(a->net);
    drain_some(a);
}

bool app_is_drained(const struct app *a)
{
    return sio_namespace_size(a->ns) == 0;
}

/* --- life --- */

static double read_users(void *arg)
{
    return (double)((struct app *)arg)->users.online;
}

static double read_sent(void *arg)
{
    return (double)((struct app *)arg)->peers.traffic.sent;
}

static double read_received(void *arg)
{
    return (double)((struct app *)arg)->peers.traffic.received;
}

static double read_errors(void *arg)
{
    return (double)((struct app *)arg)->peers.traffic.errors;
}

static void metrics_make(struct app *a, struct metrics *m)
{
    a->refused = metrics_counter(m, "taskwire_connections_refused_total", NULL,
                                 "Handshakes and sockets that were refused.");
    metrics_read(m, "taskwire_users_online", NULL, "People with a socket here.", read_users, a);
    metrics_read(m, "taskwire_events_sent_total", NULL, "Events sent to clients.", read_sent, a);
    metrics_read(m, "taskwire_events_received_total", NULL, "Events from clients.",
                 read_received, a);
    metrics_read(m, "taskwire_client_errors_total", NULL, "Errors that clients were told.",
                 read_errors, a);
}

int app_init(struct app *a, struct net *net, const struct app_options *options)
{
    const struct sio_hooks    hooks = {
        .on_handshake = on_handshake, .on_open = on_open, .on_gone = on_gone,
        .on_foreign = on_foreign,
    };
    const struct orgs_options oo = { options->redis_url, options->gateway, options->metrics };
    struct arrivals_options   ao = { options->gateway, &a->peers, NULL, &a->topics, &a->boards,
                                     NULL, options->metrics };
    uv_loop_t                *loop = net_loop(net);

    *a = (struct app){ .net = net, .options = *options };
    a->orgs = orgs_new(loop, &oo, &ORGS_HANDLERS, a);
    if (a->orgs == NULL)
        return ERR_INVALID;
    a->sio = sio_server_new(net, &a->options.sio, options->metrics);
    sio_server_hooks(a->sio, &hooks, a);
    a->ns = sio_namespace_new(a->sio, "/", &NAMESPACE_HANDLERS, a);
    ao.orgs = a->orgs;
    ao.ns = a->ns;
    sources_init(&a->sources, loop, options->taskd);
    peers_init(&a->peers, loop, options->metrics);
    lines_init(&a->lines, a->ns, &a->peers, options->metrics);
    topics_init(&a->topics, &a->lines, a->orgs, &a->sources, options->metrics);
    boards_init(&a->boards, &a->lines, &a->sources, options->metrics);
    compare_rooms_init(&a->compare, &a->topics, &a->boards, options->compare_ms,
                       options->metrics);
    arrivals_init(&a->arrivals, &ao);
    presence_link_init(&a->presence, &a->lines, a->orgs, options->gateway, options->metrics);
    users_init(&a->users, options->joins_per_second);
    addresses_init(&a->addresses, options->connections_per_address);
    expiry_init(&a->expiry, clock_wall_ms() / 1000);
    metrics_make(a, options->metrics);
    uv_timer_init(loop, &a->timer);
    a->timer.data = a;
    uv_timer_start(&a->timer, on_timer, TICK_MS, TICK_MS);
    return 0;
}

/* All clients are gone, so no room has members and nobody waits. */
static void on_sio_closed(void *arg)
{
    struct app *a = arg;

    arrivals_close(&a->arrivals);
    presence_link_close(&a->presence);
    compare_rooms_deinit(&a->compare);
    topics_deinit(&a->topics);
    boards_deinit(&a->boards);
    sources_close(&a->sources);
    orgs_close(a->orgs);
    users_deinit(&a->users);
    uv_close((uv_handle_t *)&a->timer, NULL);
    a->on_closed(a->on_closed_arg);
}

void app_close(struct app *a, void (*cb)(void *arg), void *arg)
{
    assert(!a->is_closing);
    a->is_closing = true;
    a->on_closed = cb;
    a->on_closed_arg = arg;
    sio_server_close(a->sio, on_sio_closed, a);
}

/* app.c -- see app.h.
 *
 * A frame takes one path: topics and boards keep what joiners will need and decide whether
 * their rooms are owed it, its lines are said; then, position moved, whoever waited for
 * exactly that comes in. Everything runs in one turn of the loop, so nobody can come in
 * between a line and the next. */
#include "gateway/app.h"

#include <assert.h>
#include <stdlib.h>

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

struct visitor {                               /* a client of whom more is to be known */
    struct app     *app;
    struct address *address;
    char           *bearer;                    /* of the Authorization header, or NULL */
    struct claim   *claim;                     /* of its socket: its place among its person's */
    json_t         *auth;                      /* what that said, until it has its place */
};

static int on_handshake(struct http_request *r, const char **why, void *arg)
{
    struct app *a = arg;
    char        peer[NET_ADDRESS_SIZE];

    http_request_peer(r, peer);
    if (a->drain_began_ms != 0 || a->is_closing || !control_is_known(a->control)) {
        metric_inc(a->refused[REFUSAL_NOT_READY]);
        return 503;
    }
    if (!origins_allow(a->options.origins, http_request_header(r, "Origin"),
                       http_request_header(r, "Host"))) {
        metric_inc(a->refused[REFUSAL_ORIGIN]);
        *why = "Origin not allowed";
        return 403;
    }
    if (addresses_is_full(&a->addresses, peer)) {
        metric_inc(a->refused[REFUSAL_ADDRESS]);
        *why = "Too many connections";
        return 403;
    }
    return 0;
}

static void *on_open(struct eio_session *session, struct http_request *r, void *arg)
{
    struct app     *a = arg;
    struct visitor *v;
    struct slice    bearer = access_bearer(http_request_header(r, "Authorization"));
    char            peer[NET_ADDRESS_SIZE];

    (void)session;
    if (bearer.len == 0 && a->addresses.clients_max == 0 && a->quota.options.max == 0)
        return NULL;
    v = mem_new(struct visitor);
    v->app = a;
    http_request_peer(r, peer);
    v->address = address_enter(&a->addresses, peer);
    if (bearer.len > 0)
        v->bearer = mem_strndup(bearer.data, bearer.len);
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

static enum refusal refusal_of(enum error_code code)
{
    switch (code) {
    case ERROR_TOKEN_EXPIRED: return REFUSAL_EXPIRED;
    case ERROR_REVOKED:       return REFUSAL_REVOKED;
    case ERROR_FEATURE_OFF:   return REFUSAL_FEATURE;
    case ERROR_CONNECTIONS:   return REFUSAL_CROWD;
    case ERROR_UNAVAILABLE:   return REFUSAL_NOT_READY;
    default:                  return REFUSAL_TOKEN;
    }
}

void app_refuse(struct app *a, struct sio_socket *s, enum error_code code)
{
    const struct error_spec *spec = error_spec(code);
    struct buf               data;

    if (sio_socket_session(s) == NULL)
        sse_refuse(s, code);
    buf_init(&data, 256);
    buf_printf(&data, "{\"code\":\"%s\"}", spec->code);
    peers_count_error(&a->peers, code);
    metric_inc(a->refused[refusal_of(code)]);
    sio_refuse(s, spec->text, buf_peek(&data));
    buf_deinit(&data);
}

struct showing {                               /* what a client shows to come in */
    json_t       *auth;
    struct slice  token;                       /* of auth, or of its handshake */
    struct claims claims;
};

/* Who is it? Returns whether they may come in; else `why` not. */
static bool authorise(struct app *a, struct sio_socket *s, struct showing *it,
                      enum error_code *why)
{
    const struct visitor *v = sio_socket_client_data(s);

    it->token = slice_of(json_text(it->auth, "token"));
    if (it->token.data == NULL && v != NULL)
        it->token = slice_of(v->bearer);
    if (!access_check(&a->access, it->token, &it->claims, why))
        return false;
    *why = ERROR_FEATURE_OFF;
    return features_let_in(control_features(a->control), it->claims.sub);
}

/* It has its place: as the one that it was, or as a new one? */
static void arrive(struct app *a, struct peer *p, const json_t *auth)
{
    arrival_begin(&a->arrivals, p, slice_of(json_text(auth, "pid")),
                  slice_of(json_text(auth, "offset")));
}

static void auth_forget(struct visitor *v)
{
    json_decref(v->auth);
    v->auth = NULL;
}

/* Is there a place for one more of this person's? First before it is let in; for one that comes
 * back perhaps once more, when the one that it replaces must be gone. */
static void on_counted(enum quota_answer answer, void *arg)
{
    struct peer    *p = arg;
    struct visitor *v = sio_socket_client_data(p->socket);
    struct app     *a = v->app;

    p->is_for_now = answer == QUOTA_FOR_NOW;
    if (answer == QUOTA_FULL) {
        standing_end(a, p, STANDING_CROWD);
    } else if (v->auth != NULL) {
        arrive(a, p, v->auth);
        auth_forget(v);
    }
}

static void take_place(struct app *a, struct peer *p, json_t *auth)
{
    struct visitor *v = sio_socket_client_data(p->socket);
    bool            may_replace = seat_pid_is_well_formed(slice_of(json_text(auth, "pid")));

    if (a->quota.options.max == 0) {
        arrive(a, p, auth);
        return;
    }
    v->auth = json_incref(auth);
    v->claim = quota_claim(&a->quota, user_key(p->user), may_replace, on_counted, p);
}

/* A client that comes back as nobody in particular replaces nobody. */
static bool may_begin(struct peer *p, void *arg)
{
    if (!p->is_for_now)
        return true;
    standing_end(arg, p, STANDING_CROWD);
    return false;
}

static void on_connect(struct sio_socket *s, struct slice auth, void *arg)
{
    struct app     *a = arg;
    struct showing  it = { .auth = json_parse(auth, NULL) };
    enum error_code why;
    struct peer    *p;

    if (a->is_closing) {
        sio_close_transport(s);
    } else if (!authorise(a, s, &it, &why)) {
        app_refuse(a, s, why);
    } else {
        p = peer_new(&a->peers, s, users_enter(&a->users, &it.claims, net_now_ms(a->net)),
                     orgs_ref(a->orgs, slice_of(it.claims.org)));
        standing_begin(a, p, &it.claims, it.token);
        if (json_bool(it.auth, "trace", false))
            peer_trace(p);
        take_place(a, p, it.auth);
    }
    json_decref(it.auth);
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

static void visitor_release(struct visitor *v)
{
    if (v == NULL)
        return;
    claim_release(v->claim);
    v->claim = NULL;
    auth_forget(v);
}

void app_release(struct app *a, struct peer *p, bool is_kept)
{
    if (p->is_stream)
        sse_release(p);
    else
        visitor_release(sio_socket_client_data(p->socket));
    notices_forget(&a->notices, p);
    arrival_end(&a->arrivals, p, is_kept);
    topics_each_of(p, leave_task, &a->topics);
    boards_leave(&a->boards, p);
    while (!list_is_empty(&p->waits)) {
        struct wait *w = container_of(p->waits.next, struct wait, in_peer);
        char         task[sizeof(w->task)];

        memcpy(task, w->task, sizeof(task));
        topics_leave(&a->topics, p, slice_of(task));
    }
    guard_remove(&p->guard);
    users_leave(&a->users, p->user);
    org_unref(p->org);
    peer_free(p);
}

static void on_disconnect(struct sio_socket *s, enum sio_reason reason, void *arg)
{
    struct peer *p = sio_socket_data(s);

    if (p == NULL)
        return;
    log_debug("socket-closed", LOG_TEXT("socket", sio_socket_sid(s)),
              LOG_TEXT("why", sio_reason_text(reason)));
    app_release(arg, p, reason != SIO_REASON_CLIENT_LEFT && reason != SIO_REASON_SERVER_LEFT);
}

/* Who has come back to their rooms: may they be there? */
static void on_recovered(struct peer *p, void *arg)
{
    standing_check(arg, p);
}

static const struct sio_namespace_handlers NAMESPACE_HANDLERS = {
    .on_connect = on_connect,
    .on_event = on_event,
    .on_disconnect = on_disconnect,
};

/* --- time --- */

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

static void pace_note(struct drain_pace *p, uint64_t passed_ms, size_t moved)
{
    if (passed_ms / 1000 != p->second)
        p->in_second = 0;
    p->second = passed_ms / 1000;
    p->in_second += moved;
    p->moved += moved;
    if (p->in_second > p->peak)
        p->peak = p->in_second;
}

/* As many are still here as the time that is left is of the whole: they come back elsewhere at
 * one steady rate. A loop that was held up makes good for it at twice that rate, not at once,
 * until the time is over. */
static void drain_some(struct app *a)
{
    uint64_t     whole_ms = a->options.drain_ms;
    uint64_t     passed = net_now_ms(a->net) - a->drain_began_ms;
    uint64_t     left_ms = passed < whole_ms ? whole_ms - passed : 0;
    size_t       here = sio_namespace_size(a->ns);
    size_t       stay = left_ms == 0 ? 0 : (size_t)(a->drain_clients * left_ms / whole_ms);
    size_t       pace = left_ms == 0 ? here : 1 + (size_t)(2 * a->drain_clients * TICK_MS / whole_ms);
    struct drain d = { here > stay ? here - stay : 0 };

    if (d.left > pace)
        d.left = pace;
    pace_note(&a->drain_pace, passed, d.left);
    if (d.left > 0)
        sio_each_socket(a->ns, drain_one, &d);
}

void app_log_drained(const struct app *a)
{
    log_info("drained", LOG_NUM("clients", a->drain_pace.moved),
             LOG_NUM("ms", net_now_ms(a->net) - a->drain_began_ms),
             LOG_NUM("peak_per_second", a->drain_pace.peak));
}

static void on_timer(uv_timer_t *timer)
{
    struct app *a = timer->data;

    waits_end_due(a);
    arrivals_tick(&a->arrivals);
    presence_link_tick(&a->presence);
    sse_tick(&a->sse);
    compare_rooms_tick(&a->compare);
    control_tick(a->control);
    standing_tick(a);
    quota_tick(&a->quota);
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
    a->drain_clients = sio_namespace_size(a->ns);
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
#define X(name, label)                                                                      \
    a->refused[REFUSAL_##name] = metrics_counter(m, "taskwire_connections_refused_total",    \
                                                 "reason=\"" label "\"",                     \
                                                 "Handshakes and sockets that were refused.");
    REFUSAL_MAP(X)
#undef X
    metrics_read(m, "taskwire_users_online", NULL, "People with a socket here.", read_users, a);
    metrics_read(m, "taskwire_events_sent_total", NULL, "Events sent to clients.", read_sent, a);
    metrics_read(m, "taskwire_events_received_total", NULL, "Events from clients.",
                 read_received, a);
    metrics_read(m, "taskwire_client_errors_total", NULL, "Errors that clients were told.",
                 read_errors, a);
}

static void on_revoked(const struct revocation *r, void *arg)
{
    standing_revoke(arg, r);
}

static void on_features(void *arg)
{
    standing_recheck(arg);
}

static const struct control_handlers CONTROL_HANDLERS = {
    .on_revoked = on_revoked, .on_features = on_features,
};

static void quota_make(struct app *a)
{
    const struct quota_options o = {
        .redis = orgs_redis(a->orgs), .gateway = a->options.gateway,
        .max = a->options.connections_per_user, .metrics = a->options.metrics,
    };

    quota_init(&a->quota, net_loop(a->net), &o);
}

static void control_make(struct app *a)
{
    const struct control_options o = {
        .loop = net_loop(a->net), .orgs = a->orgs, .taskd = a->options.taskd,
        .features = a->options.features, .metrics = a->options.metrics,
    };

    standing_init(a);
    a->control = control_new(&o, &CONTROL_HANDLERS, a);
    a->access = (struct access){ a->options.user_key, a->control };
}

int app_init(struct app *a, struct net *net, const struct app_options *options)
{
    const struct sio_hooks    hooks = {
        .on_handshake = on_handshake, .on_open = on_open, .on_gone = on_gone,
        .on_foreign = on_foreign,
    };
    const struct orgs_options oo = { options->redis_url, options->gateway, options->linger_ms,
                                      options->metrics };
    struct arrivals_options   ao = { options->gateway, &a->peers, NULL, &a->topics, &a->boards,
                                     NULL, may_begin, on_recovered, a, options->metrics };
    uv_loop_t                *loop = net_loop(net);

    *a = (struct app){ .net = net, .options = *options };
    a->orgs = orgs_new(loop, &oo, &ORGS_HANDLERS, a);
    if (a->orgs == NULL)
        return ERR_INVALID;
    a->sio = sio_server_new(net, &a->options.sio, options->metrics);
    sio_server_hooks(a->sio, &hooks, a);
    a->ns = sio_namespace_new(a->sio, "/", &NAMESPACE_HANDLERS, a);
    control_make(a);
    quota_make(a);
    notices_init(&a->notices, options->taskd);
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
    sse_init(&a->sse, a, options->metrics);
    users_init(&a->users, options->joins_per_second);
    addresses_init(&a->addresses, options->connections_per_address);
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
    sse_deinit(&a->sse);
    compare_rooms_deinit(&a->compare);
    topics_deinit(&a->topics);
    boards_deinit(&a->boards);
    sources_close(&a->sources);
    notices_close(&a->notices);
    control_free(a->control);
    orgs_close(a->orgs);
    quota_deinit(&a->quota);
    standing_deinit(a);
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

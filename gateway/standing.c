/* standing.c -- see standing.h.
 *
 * Why `41` also for those whose feature was switched off, and not a closed transport: a stock
 * client would come back at once from that, be refused, and ten thousand of them would ask for
 * what was just switched off. After a `41` it stays away until the page decides; the `error`
 * before it says that fetching is the way, and GET /api/config says when live updates are on
 * again. Those who come back all the same are refused with the same code, which ends a stock
 * client's attempts, too.
 *
 * A client that may stay but for some rooms is told by an `error` for each, as if it had just
 * asked to join them. */
#include "gateway/standing.h"

#include "common/clock.h"
#include "common/log.h"
#include "gateway/app.h"

#define MORE_MS 8

static const struct {
    const char     *label;
    enum error_code code;
    bool            is_said;
} ENDS[] = {
#define X(name, label, code, is_said) [STANDING_##name] = { "reason=\"" label "\"", code, is_said },
    STANDING_END_MAP(X)
#undef X
};

static int64_t now_s(void)
{
    return clock_wall_ms() / 1000;
}

/* --- ending --- */

void standing_end(struct app *a, struct peer *p, enum standing_end why)
{
    struct sio_socket *s = p->socket;

    metric_inc(a->standing.ended[why]);
    guard_remove(&p->guard);
    if (!sio_socket_is_accepted(s)) {
        app_release(a, p, false);
        app_refuse(a, s, ENDS[why].code);
        return;
    }
    if (ENDS[why].is_said)
        peer_tell_error(p, ENDS[why].code, "");
    sio_disconnect(s, true);
}

/* --- tokens --- */

static struct peer *peer_of(struct guarded *g)
{
    return container_of(g, struct peer, guard);
}

/* One that is not let in yet is told later: what it hears before may get lost. */
static bool on_expiring(struct guarded *g, void *arg)
{
    struct peer *p = peer_of(g);
    char         at[CLOCK_TEXT_SIZE];
    struct buf   b;

    (void)arg;
    if (!sio_socket_is_accepted(p->socket))
        return false;
    clock_format(guard_ends_s(g) * 1000, at);
    buf_init(&b, 256);
    buf_printf(&b, "[\"auth:expiring\",{\"expiresAt\":\"%s\"}]", at);
    peer_emit(p, buf_peek(&b));
    buf_deinit(&b);
    return true;
}

static void on_over(struct guarded *g, enum guard_end why, void *arg)
{
    static const enum standing_end WHY[] = {
        [GUARD_EXPIRED] = STANDING_EXPIRED, [GUARD_REVOKED] = STANDING_REVOKED,
        [GUARD_UNFIT] = STANDING_FEATURE,
    };

    standing_end(arg, peer_of(g), WHY[why]);
}

static struct slice sub_of(const struct guarded *g)
{
    return user_sub(container_of(g, const struct peer, guard)->user);
}

void standing_begin(struct app *a, struct peer *p, const struct claims *claims,
                    struct slice token)
{
    guard_add(&p->guard, &a->standing.calls, claims, token);
}

/* --- time --- */

static void on_more(uv_timer_t *timer);

/* The loop has others to serve: what is left waits a few milliseconds. */
static void turn(struct app *a)
{
    struct standing *s = &a->standing;

    guards_turn(&s->guards, now_s());
    if (guards_are_busy(&s->guards) && !uv_is_closing((uv_handle_t *)&s->more))
        uv_timer_start(&s->more, on_more, MORE_MS, 0);
}

static void on_more(uv_timer_t *timer)
{
    turn(timer->data);
}

void standing_tick(struct app *a)
{
    if (!uv_is_active((uv_handle_t *)&a->standing.more))
        turn(a);
}

void standing_revoke(struct app *a, const struct revocation *r)
{
    log_debug("revoked", LOG_TEXT("revocation", r->id));
    guards_revoke(&a->standing.guards, r, now_s());
}

/* --- features --- */

/* A wait for the dashboard, or for any task; NULL: none. */
static struct wait *wait_for(struct peer *p, bool is_dashboard)
{
    list_each(node, &p->waits) {
        struct wait *w = container_of(node, struct wait, in_peer);

        if ((w->task[0] == '\0') == is_dashboard)
            return w;
    }
    return NULL;
}

static void dashboard_end(struct app *a, struct peer *p)
{
    struct wait *w;

    while ((w = wait_for(p, true)) != NULL) {
        wait_end(w, ERROR_FEATURE_OFF);
        boards_look(&a->boards, user_org(p->user));
    }
    if (!boards_has(p))
        return;
    boards_leave(&a->boards, p);
    peer_tell_error(p, ERROR_FEATURE_OFF, "");
}

static void task_end(struct peer *p, struct slice task, void *arg)
{
    char id[sizeof(((struct wait *)NULL)->task)];

    snprintf(id, sizeof(id), "%.*s", SLICE_ARG(task));
    topics_leave(arg, p, slice_of(id));
    peer_tell_error(p, ERROR_FEATURE_OFF, id);
}

static void tasks_end(struct app *a, struct peer *p)
{
    struct wait *w;

    while ((w = wait_for(p, false)) != NULL) {
        char id[sizeof(w->task)];

        memcpy(id, w->task, sizeof(id));
        wait_end(w, ERROR_FEATURE_OFF);
        topics_look(&a->topics, slice_of(id));
    }
    topics_each_of(p, task_end, &a->topics);
}

/* It leaves the rooms that are switched off. Returns whether it may stay at all. Who is not let
 * in yet is looked at when they are. */
static bool is_fit(struct app *a, struct peer *p)
{
    const struct features *f = control_features(a->control);

    if (!features_let_in(f, user_sub(p->user).data))
        return false;
    if (!f->dashboard && sio_socket_is_accepted(p->socket))
        dashboard_end(a, p);
    if (!f->task_detail && sio_socket_is_accepted(p->socket))
        tasks_end(a, p);
    return true;
}

static bool on_recheck(struct guarded *g, void *arg)
{
    return is_fit(arg, peer_of(g));
}

void standing_check(struct app *a, struct peer *p)
{
    if (!is_fit(a, p))
        standing_end(a, p, STANDING_FEATURE);
}

void standing_recheck(struct app *a)
{
    guards_recheck(&a->standing.guards);
    standing_tick(a);
}

/* --- life --- */

void standing_deinit(struct app *a)
{
    uv_close((uv_handle_t *)&a->standing.more, NULL);
    guards_deinit(&a->standing.guards);
}

void standing_init(struct app *a)
{
    struct standing *s = &a->standing;

    guards_init(&s->guards, now_s());
    uv_timer_init(net_loop(a->net), &s->more);
    s->more.data = a;
    s->calls = (struct guard_calls){ &s->guards, sub_of, on_expiring, on_recheck, on_over, a };
    for (int i = 0; i < STANDING_END_COUNT; i++)
        s->ended[i] = metrics_counter(a->options.metrics, "taskwire_sockets_ended_total",
                                      ENDS[i].label,
                                      "Sockets that were ended though their clients would stay.");
}

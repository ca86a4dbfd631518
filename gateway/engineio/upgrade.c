/* upgrade.c -- see upgrade.h. Source: Engine.IO protocol 4, "Upgrade"; the reference where that
 * is silent.
 *
 * There is one queue, the session's, and at any moment one transport that takes from it: polling
 * until `5`, the websocket after it. That is the whole of "none lost, none twice". A POST whose
 * body is still coming at `5` is let finish, and counts.
 *
 * A websocket that comes second, or too late, is accepted and then closed: clients listen for a
 * close, not for a refused handshake. */
#include "gateway/engineio/upgrade.h"

#include "gateway/engineio/heartbeat.h"
#include "gateway/engineio/polling.h"
#include "gateway/engineio/websocket_codec.h"

/* Forget the probe and what was waiting for it. */
static struct websocket *probe_take(struct polling *p)
{
    struct websocket *ws = p->probe;

    p->probe = NULL;
    p->is_probed = false;
    deadline_clear(&p->upgrade);
    deadline_clear(&p->noop);
    return ws;
}

void upgrade_drop(struct polling *p)
{
    struct websocket *ws = probe_take(p);

    if (ws == NULL)
        return;
    websocket_set_owner(ws, NULL, NULL);
    websocket_close(ws, 0);
}

void upgrade_on_due(struct deadline *d)
{
    upgrade_drop(container_of(d, struct polling, upgrade));
}

static void answer_probe(struct eio_session *s, struct websocket *ws)
{
    struct rcbuf *pong = websocket_frame_join(SLICE("3probe"), NULL, 0, false);

    (void)websocket_send(ws, pong);
    rcbuf_unref(pong);
    s->polling->is_probed = true;
    if (s->queue != NULL)
        polling_flush(s);
    else
        polling_answer(s->polling, SLICE("6"));
}

static void switch_over(struct eio_session *s)
{
    struct eio_server *server = s->server;
    struct polling    *p = s->polling;
    struct websocket  *ws = probe_take(p);

    websocket_set_owner(ws, &SESSION_WEBSOCKET_OPS, s);
    polling_answer(p, SLICE("1"));             /* a client that does as it should has none */
    s->is_websocket = true;
    server->counts[EIO_POLLING]--;
    server->counts[EIO_WEBSOCKET]++;
    metric_add(server->metrics.sessions[EIO_POLLING], -1);
    metric_add(server->metrics.sessions[EIO_WEBSOCKET], 1);
    metric_inc(server->metrics.upgraded);
    if (p->post == NULL) {
        polling_free(p);
        s->polling = NULL;
    }
    session_set_websocket(s, ws);
    heartbeat_on_upgrade(s);
}

static void on_probe_message(struct websocket *w, struct slice data, bool is_binary, void *arg)
{
    struct eio_session *s = arg;

    if (!is_binary && slice_is(data, "2probe"))
        answer_probe(s, w);
    else if (!is_binary && slice_starts(data, "5"))
        switch_over(s);
    else
        upgrade_drop(s->polling);
}

static void on_probe_close(struct websocket *w, int code, void *arg)
{
    struct eio_session *s = arg;

    (void)w;
    (void)code;
    (void)probe_take(s->polling);
}

static const struct websocket_ops PROBE_OPS = {
    .on_message = on_probe_message,
    .on_close = on_probe_close,
};

void upgrade_begin(struct eio_session *s, struct http_request *r)
{
    struct websocket *ws;

    if (!websocket_check(r))
        return;
    ws = websocket_accept(s->server->websockets, r, NULL, 0);
    if (!s->is_open || s->is_websocket || s->polling->probe != NULL) {
        websocket_close(ws, 0);
        websocket_start(ws, NULL, NULL);
        return;
    }
    s->polling->probe = ws;
    timers_set(&s->server->timers, TIMER_UPGRADE, &s->polling->upgrade,
               session_now_ms(s) + s->server->options.upgrade_timeout_ms);
    websocket_start(ws, &PROBE_OPS, s);
}

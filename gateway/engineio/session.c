/* session.c -- an Engine.IO session: packets in, messages out, the end. See session.h.
 *
 * Sending is the hot path: to a websocket that keeps up it is one reference pushed onto its
 * stream. A queue of the session's own comes into being only where something has to wait: for
 * a poll, for an upgrade, or for a reader whose stream holds more than STREAM_LOW_MARK already.
 * There messages are conflated and counted, and past the limit the session is cut: memory for a
 * slow reader is bounded by the low mark, one message, and queue_bytes_max.
 *
 * The end is the other delicate part, since it can begin inside any handler. session_end()
 * changes the state and lets go of the transport at once; on_close and freeing wait for a turn
 * of the loop (session_turn), where no caller can be in the middle of the session. Calling
 * on_close directly was rejected: the layer above would be torn down below its own feet. */
#include "gateway/engineio/session.h"

#include <assert.h>
#include <stdlib.h>

#include "common/crypto.h"
#include "common/err.h"
#include "common/mem.h"
#include "gateway/engineio/heartbeat.h"
#include "gateway/engineio/message.h"
#include "gateway/engineio/polling.h"
#include "gateway/engineio/websocket_codec.h"

#define LINGER_MS 30000                        /* how long a last payload waits for its poll */

_Static_assert(sizeof(struct eio_session) + SID_RANDOM_CHARS <= 160,
               "an idle session must stay small");

const char *eio_reason_text(enum eio_reason reason)
{
    static const char *const TEXTS[EIO_REASON_COUNT] = {
#define X(name, text) [EIO_##name] = text,
        EIO_REASON_MAP(X)
#undef X
    };

    assert(reason < EIO_REASON_COUNT);
    return TEXTS[reason];
}

/* --- looking --- */

uint64_t session_now_ms(const struct eio_session *s)
{
    return timers_now_ms(&s->server->timers);
}

void eio_session_set_data(struct eio_session *s, void *data)
{
    s->data = data;
}

void *eio_session_data(const struct eio_session *s)
{
    return s->data;
}

struct slice eio_session_sid(const struct eio_session *s)
{
    return slice_make(s->sid, s->sid_len);
}

enum eio_transport eio_session_transport(const struct eio_session *s)
{
    return s->is_websocket ? EIO_WEBSOCKET : EIO_POLLING;
}

bool eio_session_is_open(const struct eio_session *s)
{
    return s->is_open;
}

struct eio_server *eio_session_server(const struct eio_session *s)
{
    return s->server;
}

static size_t stream_bytes(const struct eio_session *s)
{
    return s->ws == NULL ? 0 : stream_queued_bytes(websocket_stream(s->ws));
}

size_t eio_session_queued_bytes(const struct eio_session *s)
{
    return queue_bytes(s->queue) + stream_bytes(s);
}

void eio_session_peer(const struct eio_session *s, char out[NET_ADDRESS_SIZE])
{
    out[0] = '\0';
    if (s->ws != NULL)
        stream_peer(websocket_stream(s->ws), out);
    else if (s->polling != NULL)
        polling_peer(s->polling, out);
    else if (s->server->opening != NULL)
        http_request_peer(s->server->opening, out);
}

/* --- life --- */

static size_t sid_write(const struct eio_server *server, char sid[EIO_SID_MAX])
{
    uint8_t    random[SID_RANDOM_BYTES];
    struct buf text;
    size_t     len;

    crypto_random(random, sizeof(random));
    buf_init(&text, EIO_SID_MAX);
    if (server->options.owner != NULL) {
        buf_append_text(&text, server->options.owner);
        buf_append_char(&text, '.');
    }
    crypto_append_base64url(&text, random, sizeof(random));
    assert(!buf_failed(&text));
    len = text.len;
    memcpy(sid, text.data, len);
    buf_deinit(&text);
    return len;
}

struct eio_session *session_new(struct eio_server *server, bool is_websocket)
{
    char                sid[EIO_SID_MAX];
    size_t              len = sid_write(server, sid);
    struct eio_session *s = mem_alloc(sizeof(*s) + len);

    s->server = server;
    s->sid_len = (uint8_t)len;
    memcpy(s->sid, sid, len);
    s->is_open = true;
    s->is_websocket = is_websocket;
    deadline_init(&s->deadline);
    list_init(&s->turn);
    sids_add(&server->sids, s);
    server->memory_count++;
    server->counts[is_websocket]++;
    metric_add(server->metrics.sessions[is_websocket], 1);
    metric_inc(server->metrics.opened[is_websocket]);
    heartbeat_start(s);
    return s;
}

static void session_free(struct eio_session *s)
{
    struct eio_server *server = s->server;

    assert(!s->is_open && !s->is_listed && s->ws == NULL);
    deadline_clear(&s->deadline);
    list_remove(&s->turn);
    polling_free(s->polling);
    queue_free(s->queue);
    free(s);
    server->memory_count--;
}

void session_turn(struct eio_session *s)
{
    if (s->is_open) {
        polling_flush(s);
        return;
    }
    if (!s->is_closed) {
        s->is_closed = true;
        s->server->handlers->on_close(s, (enum eio_reason)s->reason, s->server->arg);
    }
    if (!s->is_lingering)
        session_free(s);
}

/* --- sending --- */

static struct rcbuf *frame_for(const struct eio_session *s, struct eio_message *m)
{
    const struct rcbuf *known = m->deflated;
    struct rcbuf       *frame;

    if (!websocket_deflates(s->ws))
        return m->frame;
    frame = message_deflated(m, websocket_host_deflater(s->server->websockets),
                             s->server->options.deflate_threshold_bytes);
    if (m->deflated != known)
        metric_inc(s->server->metrics.deflated);
    return frame;
}

static int send_now(struct eio_session *s, struct eio_message *m)
{
    return websocket_send(s->ws, frame_for(s, m));
}

/* May its stream take more? A burst within one turn is no slow reader: before the first message
 * has to wait, the kernel is asked. */
static bool has_room(const struct eio_session *s)
{
    if (s->ws == NULL || s->queue != NULL)
        return false;
    if (stream_bytes(s) <= STREAM_LOW_MARK)
        return true;
    stream_flush(websocket_stream(s->ws));
    return stream_bytes(s) <= STREAM_LOW_MARK;
}

static void enqueue(struct eio_session *s, struct eio_message *m)
{
    size_t before = queue_count(s->queue);

    if (s->queue == NULL)
        s->queue = queue_new(&s->server->waiting);
    queue_push(s->queue, m);
    if (queue_count(s->queue) == before)
        metric_inc(s->server->metrics.conflated);
    if (queue_bytes(s->queue) > s->server->options.queue_bytes_max)
        session_end(s, EIO_SLOW_READER, END_CUT);
    else if (s->polling != NULL)
        polling_want_flush(s);
}

int eio_session_send(struct eio_session *s, struct eio_message *m)
{
    if (!s->is_open)
        return ERR_CLOSED;
    metric_inc(s->server->metrics.sent);
    if (has_room(s))
        return send_now(s, m);
    enqueue(s, m);
    return 0;
}

void session_send_ping(struct eio_session *s)
{
    /* Over a websocket a ping overtakes what waits here: a client that saw none for interval +
     * timeout would leave, however much is on its way. */
    if (s->ws != NULL)
        (void)send_now(s, s->server->ping);
    else
        enqueue(s, s->server->ping);
}

/* Move what waits to the websocket: as much as its stream should hold, or all of it. */
static void flush_to_websocket(struct eio_session *s, struct websocket *ws, bool all)
{
    struct eio_message *m;

    s->ws = ws;
    while ((all || stream_bytes(s) <= STREAM_LOW_MARK) && (m = queue_take(s->queue)) != NULL) {
        (void)send_now(s, m);
        eio_message_unref(m);
    }
    if (s->queue != NULL && queue_count(s->queue) == 0) {
        queue_free(s->queue);
        s->queue = NULL;
    }
}

/* --- websocket --- */

static void on_websocket_message(struct websocket *w, struct slice data, bool is_binary, void *arg)
{
    struct eio_session *s = arg;
    struct packet       p = { PACKET_MESSAGE, is_binary, data };

    (void)w;
    if (!s->is_open)
        return;
    if (!is_binary && packet_parse(data, &p) != 0)
        session_end(s, EIO_PARSE_ERROR, END_PLAIN);
    else
        session_packet(s, &p);
}

static void on_websocket_drain(struct websocket *w, void *arg)
{
    struct eio_session *s = arg;

    if (s->queue == NULL)
        return;
    flush_to_websocket(s, w, false);
    if (s->queue == NULL && s->is_open && s->server->handlers->on_drain != NULL)
        s->server->handlers->on_drain(s, s->server->arg);
}

/* Codes for what a peer did wrong (RFC 6455 §7.4.1). */
static bool is_fault(int code)
{
    return code == 1002 || code == 1007 || code == 1008 || code == 1009;
}

static void on_websocket_close(struct websocket *w, int code, void *arg)
{
    struct eio_session *s = arg;

    (void)w;
    s->ws = NULL;
    session_end(s, is_fault(code) ? EIO_TRANSPORT_ERROR : EIO_TRANSPORT_CLOSE, END_CUT);
}

const struct websocket_ops SESSION_WEBSOCKET_OPS = {
    .on_message = on_websocket_message,
    .on_drain = on_websocket_drain,
    .on_close = on_websocket_close,
};

/* Let go of a websocket; it ends by itself. */
static void websocket_leave(struct eio_session *s, struct websocket *ws, enum session_ending how)
{
    websocket_set_owner(ws, NULL, NULL);
    if (how == END_FLUSHED)
        flush_to_websocket(s, ws, true);
    s->ws = NULL;
    if (how == END_CUT)
        websocket_abort(ws);
    else
        websocket_close(ws, 0);                /* without a code, as the reference does */
}

void session_set_websocket(struct eio_session *s, struct websocket *ws)
{
    assert(s->ws == NULL);
    if (s->is_open)
        flush_to_websocket(s, ws, false);
    else                                       /* it ended inside on_open */
        websocket_leave(s, ws, s->reason == EIO_FORCED_CLOSE ? END_FLUSHED : END_CUT);
}

/* --- packets --- */

void session_packet(struct eio_session *s, const struct packet *p)
{
    if (!s->is_open)
        return;
    heartbeat_heard(s, p->type);
    switch (p->type) {
    case PACKET_MESSAGE:
        metric_inc(s->server->metrics.received);
        s->server->handlers->on_message(s, p->data, p->is_binary, s->server->arg);
        break;
    case PACKET_CLOSE:
        session_end(s, EIO_TRANSPORT_CLOSE, END_NOOP);
        break;
    case PACKET_PING:                          /* in revision 4 the server pings */
        session_end(s, EIO_TRANSPORT_ERROR, END_PLAIN);
        break;
    default:                                   /* pong was noted; the others mean nothing here */
        break;
    }
}

/* --- the end --- */

void session_end(struct eio_session *s, enum eio_reason reason, enum session_ending how)
{
    struct eio_server *server = s->server;

    if (!s->is_open)
        return;
    s->is_open = false;
    s->reason = (uint8_t)reason;
    server->counts[s->is_websocket]--;
    metric_add(server->metrics.sessions[s->is_websocket], -1);
    metric_inc(server->metrics.closed[reason]);
    deadline_clear(&s->deadline);
    if (s->ws != NULL)
        websocket_leave(s, s->ws, how);
    if (s->polling != NULL)
        s->is_lingering = polling_end(s, how);
    if (s->is_lingering)
        timers_set(&server->timers, TIMER_LINGER, &s->deadline, session_now_ms(s) + LINGER_MS);
    else
        sids_remove(&server->sids, s);
    session_want_turn(s);
}

void session_stop_lingering(struct eio_session *s)
{
    s->is_lingering = false;
    deadline_clear(&s->deadline);
    sids_remove(&s->server->sids, s);
    session_want_turn(s);
}

void session_on_linger_due(struct deadline *d)
{
    session_stop_lingering(container_of(d, struct eio_session, deadline));
}

void eio_session_close(struct eio_session *s)
{
    session_end(s, EIO_FORCED_CLOSE, END_FLUSHED);
}

void eio_session_abort(struct eio_session *s, enum eio_reason reason)
{
    session_end(s, reason, END_CUT);
}

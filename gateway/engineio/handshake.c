/* handshake.c -- see handshake.h.
 *
 * The order of the checks is visible to clients (a request with two faults gets the first one's
 * answer), so it is the reference's: transport; then for a request with a sid the session, its
 * transport, its revision; for one without the method, the upgrade, allowRequest, and the
 * revision last. (The reference notices a wrong revision over websocket only after its 101, and
 * then writes HTTP into the websocket; we refuse before.) */
#include "gateway/engineio/handshake.h"

#include <assert.h>

#include "common/err.h"
#include "gateway/engineio/answer.h"
#include "gateway/engineio/heartbeat.h"
#include "gateway/engineio/message.h"
#include "gateway/engineio/polling.h"
#include "gateway/engineio/upgrade.h"

#define PARAM_MAX 128                          /* longer values of what we look at are unknown */
#define OPEN_MAX  512

struct query {                                 /* what we look at of a query string */
    bool                      has_transport;   /* one that we serve */
    enum eio_transport        transport;
    bool                      is_revision_4;
    struct buf                sid;             /* empty: none */
};

/* A parameter; empty where it is missing, "?" where it is malformed or far too long (which is
 * unknown as a transport and as a sid). */
static struct slice param(struct http_request *r, const char *key, struct buf *value)
{
    int err;

    buf_reset(value);
    err = http_query_get(http_request_query(r), key, value);
    if (err != 0)
        buf_reset(value);
    if (err != 0 && err != ERR_NOT_FOUND)
        buf_append_char(value, '?');
    return buf_peek(value);
}

static void query_read(const struct eio_server *server, struct http_request *r, struct query *q)
{
    struct buf   value;
    struct slice text;

    buf_init(&value, PARAM_MAX);
    buf_init(&q->sid, PARAM_MAX);
    text = param(r, "transport", &value);
    q->transport = slice_is(text, "websocket") ? EIO_WEBSOCKET : EIO_POLLING;
    q->has_transport = q->transport == EIO_WEBSOCKET
                           ? server->options.allow_websocket
                           : slice_is(text, "polling") && server->options.allow_polling;
    q->is_revision_4 = slice_is(param(r, "EIO", &value), "4");
    (void)param(r, "sid", &q->sid);
    buf_deinit(&value);
}

static void query_deinit(struct query *q)
{
    buf_deinit(&q->sid);
}

static void refuse(struct eio_server *server, struct http_request *r, enum eio_error error)
{
    answer_refusal(server, r, error, 400, NULL);
}

/* --- requests with a sid --- */

/* Is it another server's? `*owner` is then whose. */
static bool is_foreign(const struct eio_server *server, struct slice sid, struct slice *owner)
{
    struct slice rest = sid;

    if (server->options.owner == NULL || server->handlers->on_foreign == NULL)
        return false;
    *owner = slice_cut(&rest, '.');
    return rest.data != NULL && owner->len != 0 && !slice_is(*owner, server->options.owner);
}

static void handle_known(struct eio_server *server, struct http_request *r, struct query *q,
                         struct eio_session *s)
{
    bool wants_upgrade = http_request_wants_upgrade(r);
    bool was_under_way = polling_arrived(s, r);

    heartbeat_check(s);
    if (!s->is_listed)
        refuse(server, r, EIO_ERROR_UNKNOWN_SID);
    else if (!q->is_revision_4)
        refuse(server, r, EIO_ERROR_BAD_REQUEST);
    else if (wants_upgrade && q->transport == EIO_WEBSOCKET)
        upgrade_begin(s, r);
    else if (was_under_way)
        polling_handle(s, r);                  /* it counts though an upgrade overtook it */
    else if (wants_upgrade || q->transport == EIO_WEBSOCKET || s->is_websocket)
        refuse(server, r, EIO_ERROR_BAD_REQUEST);
    else
        polling_handle(s, r);
}

static void handle_sid(struct eio_server *server, struct http_request *r, struct query *q)
{
    struct slice        sid = buf_peek(&q->sid), owner;
    struct eio_session *s;

    if (is_foreign(server, sid, &owner)) {
        server->handlers->on_foreign(r, owner, server->arg);
        return;
    }
    s = sids_find(&server->sids, sid);
    if (s == NULL)
        refuse(server, r, EIO_ERROR_UNKNOWN_SID);
    else
        handle_known(server, r, q, s);
}

/* --- new sessions --- */

static void open_packet(const struct eio_session *s, bool can_upgrade, struct buf *out)
{
    const struct eio_options *o = &s->server->options;

    buf_init(out, OPEN_MAX);
    buf_append_text(out, "0{\"sid\":");
    buf_append_json(out, eio_session_sid(s));
    buf_printf(out, ",\"upgrades\":[%s],\"pingInterval\":%llu,\"pingTimeout\":%llu,"
                    "\"maxPayload\":%zu}",
               can_upgrade ? "\"websocket\"" : "", (unsigned long long)o->ping_interval_ms,
               (unsigned long long)o->ping_timeout_ms, o->max_payload_bytes);
    assert(!buf_failed(out));
}

static size_t extra_headers(const struct eio_server *server, struct http_request *r,
                            struct http_header out[ANSWER_HEADERS_MAX])
{
    size_t count;

    if (server->handlers->on_headers == NULL)
        return 0;
    count = server->handlers->on_headers(r, out, ANSWER_HEADERS_MAX, server->arg);
    assert(count <= ANSWER_HEADERS_MAX);
    return count;
}

static void tell_open(struct eio_session *s, struct http_request *r)
{
    struct eio_server *server = s->server;

    server->opening = r;
    server->handlers->on_open(s, r, server->arg);
    server->opening = NULL;
}

static void open_polling(struct eio_server *server, struct http_request *r)
{
    struct http_header  headers[ANSWER_HEADERS_MAX];
    size_t              count = extra_headers(server, r, headers);
    struct eio_session *s = session_new(server, false);
    struct buf          packet;

    polling_begin(s, r);
    tell_open(s, r);
    /* Whatever on_open sent waits for the next poll: clients expect this packet alone. */
    open_packet(s, server->options.allow_websocket, &packet);
    answer_payload(server, r, buf_peek(&packet), headers, count);
    buf_deinit(&packet);
}

static void open_websocket(struct eio_server *server, struct http_request *r)
{
    struct http_header  headers[ANSWER_HEADERS_MAX];
    size_t              count = extra_headers(server, r, headers);
    struct eio_session *s = session_new(server, true);
    struct eio_message *open;
    struct websocket   *ws;
    struct buf          packet;

    tell_open(s, r);
    ws = websocket_accept(server->websockets, r, headers, count);
    open_packet(s, false, &packet);
    open = message_packet(buf_peek(&packet));
    buf_deinit(&packet);
    (void)websocket_send(ws, open->frame);
    eio_message_unref(open);
    session_set_websocket(s, ws);
    if (s->is_open)
        websocket_start(ws, &SESSION_WEBSOCKET_OPS, s);
    else
        websocket_start(ws, NULL, NULL);
}

/* Is this request allowed by the application? If not it is refused. */
static bool is_allowed(struct eio_server *server, struct http_request *r)
{
    const char *why = NULL;
    int         status = 0;

    if (server->handlers->on_handshake != NULL)
        status = server->handlers->on_handshake(r, &why, server->arg);
    if (status == 0)
        return true;
    answer_refusal(server, r, EIO_ERROR_FORBIDDEN, status, why);
    return false;
}

static void handle_new(struct eio_server *server, struct http_request *r, const struct query *q)
{
    bool wants_upgrade = http_request_wants_upgrade(r);

    if (http_request_method(r) != HTTP_GET) {
        refuse(server, r, EIO_ERROR_BAD_HANDSHAKE_METHOD);
    } else if ((q->transport == EIO_WEBSOCKET) != wants_upgrade) {
        refuse(server, r, EIO_ERROR_BAD_REQUEST);
    } else if (server->is_closing) {
        answer_refusal(server, r, EIO_ERROR_FORBIDDEN, 503, "Server shutting down");
    } else if (is_allowed(server, r)) {
        if (!q->is_revision_4)
            refuse(server, r, EIO_ERROR_UNSUPPORTED_PROTOCOL);
        else if (q->transport == EIO_POLLING)
            open_polling(server, r);
        else if (websocket_check(r))
            open_websocket(server, r);
    }
}

/* --- both --- */

void handshake_handle(struct eio_server *server, struct http_request *r)
{
    struct query q;

    if (http_request_method(r) == HTTP_OPTIONS && server->options.cors_origins != NULL) {
        answer_preflight(server, r);
        return;
    }
    query_read(server, r, &q);
    if (!q.has_transport)
        refuse(server, r, EIO_ERROR_UNKNOWN_TRANSPORT);
    else if (q.sid.len != 0)
        handle_sid(server, r, &q);
    else
        handle_new(server, r, &q);
    query_deinit(&q);
}

/* A body a little over the limit is read to its end and answered by us (413, the session lives);
 * only one far over it is cut short by the HTTP server. */
size_t eio_server_body_max(const struct eio_server *server)
{
    return server->options.max_payload_bytes * 2 + 64 * 1024;
}

void handshake_head(struct eio_server *server, struct http_request *r)
{
    struct eio_session *s;
    struct query        q;

    http_request_set_body_max(r, eio_server_body_max(server));
    if (http_request_method(r) != HTTP_POST)
        return;
    query_read(server, r, &q);
    s = sids_find(&server->sids, buf_peek(&q.sid));
    if (s != NULL && s->is_open && q.is_revision_4 && q.has_transport &&
        q.transport == EIO_POLLING)
        polling_head(s, r);
    query_deinit(&q);
}

/* mode_ws.c -- ws: every websocket message comes back as it came: for the Autobahn cases.
 *
 * They send 16 MiB and a million fragments, and ask for permessage-deflate of every size, so
 * the limits are far above the gateway's and nothing is too small to be compressed. */
#include <stdlib.h>

#include "common/list.h"
#include "common/mem.h"
#include "gateway/engineio/websocket.h"
#include "tests/conformance/echo/echo.h"

struct room {
    struct websocket_host *host;
    struct list            guests;
    bool                   is_closing;
};

struct guest {
    struct list       node;
    struct room      *room;
    struct websocket *websocket;
};

static const struct websocket_options OPTIONS = {
    .message_bytes_max = 64u << 20,
    .deflate = true,
    .inflated_bytes_max = 64u << 20,
};

static void *start(struct echo *e)
{
    struct room *room = mem_new(struct room);

    (void)e;
    room->host = websocket_host_new(&OPTIONS);
    list_init(&room->guests);
    return room;
}

static void on_message(struct websocket *w, struct slice data, bool is_binary, void *arg)
{
    (void)arg;
    websocket_send_message(w, data, is_binary);    /* closed: then nobody waits for it */
}

static void on_close(struct websocket *w, int code, void *arg)
{
    struct guest *g = arg;
    struct room *room = g->room;

    (void)w;
    (void)code;
    list_remove(&g->node);
    free(g);
    if (room->is_closing && list_is_empty(&room->guests))
        free(room);
}

static const struct websocket_ops OPS = { .on_message = on_message, .on_close = on_close };

static void on_request(struct echo *e, struct http_request *r)
{
    struct room *room = e->state;
    struct guest *g;

    if (!http_request_wants_upgrade(r)) {
        echo_not_found(r);
        return;
    }
    if (!websocket_check(r))
        return;
    g = mem_new(struct guest);
    g->room = room;
    list_append(&room->guests, &g->node);
    g->websocket = websocket_accept(room->host, r, NULL, 0);
    websocket_start(g->websocket, &OPS, g);
}

static void stop(struct echo *e)
{
    struct room *room = e->state;

    room->is_closing = true;
    list_each(node, &room->guests)
        websocket_abort(container_of(node, struct guest, node)->websocket);
    websocket_host_close(room->host);
    if (list_is_empty(&room->guests))
        free(room);
}

const struct mode MODE_WS = { "ws", start, on_request, NULL, stop };

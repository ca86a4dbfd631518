/* websocket_link.h -- what websocket_accept.c and websocket_link.c share: nobody else's. */
#ifndef TASKWIRE_ENGINEIO_WEBSOCKET_LINK_H
#define TASKWIRE_ENGINEIO_WEBSOCKET_LINK_H

#include "common/buf.h"
#include "gateway/engineio/websocket.h"

/* Adopt a stream whose handshake is answered. `window_bits`: of what we may compress, 0
 * without compression. `rest` is what has come after the handshake; its contents are taken. */
struct websocket *websocket_adopt(struct websocket_host *h, struct stream *stream,
                                  int window_bits, struct buf *rest);

bool websocket_host_has_deflate(const struct websocket_host *h);

/* --- negotiation, pure --- */

struct ws_extension {
    int window_bits;                           /* 0: no compression */
};

/* Find the first offer of one Sec-WebSocket-Extensions header that we can accept. Returns
 * whether there was one. */
bool websocket_negotiate(struct slice header, struct ws_extension *out);

#endif

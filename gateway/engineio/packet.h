/* packet.h -- Engine.IO packets and payloads as text: pure, no session, no I/O.
 *
 * A packet is one digit and its data ("4hello"); a binary message is `b` and base64 (polling)
 * or a bare binary frame (websocket). A payload is what one poll carries: packets joined with
 * 0x1e. Source: Engine.IO protocol 4, "Packet encoding". Slices handed out point into the
 * input or into the scratch buffer named. Any thread. */
#ifndef TASKWIRE_ENGINEIO_PACKET_H
#define TASKWIRE_ENGINEIO_PACKET_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/slice.h"

#define PACKET_SEPARATOR '\x1e'

/* In the order of their digits. */
enum packet_type {
    PACKET_OPEN, PACKET_CLOSE, PACKET_PING, PACKET_PONG, PACKET_MESSAGE, PACKET_UPGRADE,
    PACKET_NOOP, PACKET_TYPE_COUNT
};

struct packet {
    enum packet_type type;
    bool             is_binary;                /* only of messages */
    struct slice     data;
};

/* Parse a websocket's text message. Returns 0, or ERR_FRAME for the empty packet and unknown
 * types. */
int packet_parse(struct slice text, struct packet *out);

/* The same for one packet of a payload, where `b` may stand: `scratch` is reset and takes the
 * decoded bytes. Returns 0, ERR_FRAME, or ERR_TOO_BIG where scratch is too small. */
int packet_parse_polled(struct slice text, struct buf *scratch, struct packet *out);

/* Cut the next packet off `*rest`; false where nothing is left. A payload always has at least
 * one packet, which may be empty (and is then malformed). Begin with `*rest` the whole body
 * and `*more` true. */
bool payload_next(struct slice *rest, bool *more, struct slice *out);

/* Append a packet's text to a payload, after a separator where it is not the first. Returns 0
 * or ERR_TOO_BIG. */
int payload_append(struct buf *payload, struct slice text);

#endif

/* packet.h -- Socket.IO packets as text: `<type>[<n>-][/nsp,][<ack id>][<json>]`.
 *
 * Pure: bytes in, a struct out. What a parsed packet points to lives as long as the text.
 * Source: Socket.IO protocol 5, "Packet encoding". */
#ifndef TASKWIRE_SOCKETIO_PACKET_H
#define TASKWIRE_SOCKETIO_PACKET_H

#include <stdint.h>

#include "common/buf.h"
#include "common/slice.h"

enum sio_packet_type {
    SIO_CONNECT, SIO_DISCONNECT, SIO_EVENT, SIO_ACK, SIO_CONNECT_ERROR, SIO_BINARY_EVENT,
    SIO_BINARY_ACK
};

struct sio_packet {
    enum sio_packet_type type;
    size_t       attachments;                  /* binary messages that follow; 0 unless binary */
    struct slice nsp;                          /* "/" where none is written */
    int64_t      id;                           /* of an acknowledgement; -1: none */
    struct slice payload;                      /* JSON without white space around; empty: none */
    struct slice name;                         /* of an event: decoded; a number as written */
};

/* Parse, and check the payload as the type demands it. `scratch` holds the name where it had
 * escapes; it is reset first. Returns 0, ERR_FRAME where it is no packet that a client may
 * send, or ERR_TOO_BIG past `attachments_max`. */
int sio_packet_parse(struct slice text, size_t attachments_max, struct buf *scratch,
                     struct sio_packet *out);

/* Does every {"_placeholder":true,"num":N} in `payload` (valid JSON) name one of `count`
 * attachments? Returns 0 or ERR_FRAME. */
int sio_placeholders_check(struct slice payload, size_t count);

#define SIO_HEAD_SIZE 24

/* The text before the namespace: "2" or "51-"; returns its length. */
size_t sio_packet_head(char out[SIO_HEAD_SIZE], enum sio_packet_type type, size_t attachments);

/* Append a packet up to its payload, e.g. `51-/nsp,12`. `prefix` is "" or "/nsp,". */
int sio_packet_append_head(struct buf *out, enum sio_packet_type type, size_t attachments,
                           struct slice prefix, int64_t id);

#endif

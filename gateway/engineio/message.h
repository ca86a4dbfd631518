/* message.h -- what an eio_message is made of, for the modules of this library.
 *
 * A message's websocket frame is made at once, since that is how most sessions take it; the
 * compressed frame and the text of a binary message for polling are made when the first session
 * needs them and kept for the others. One thread. */
#ifndef TASKWIRE_ENGINEIO_MESSAGE_H
#define TASKWIRE_ENGINEIO_MESSAGE_H

#include "gateway/engineio/deflate.h"
#include "gateway/engineio/engineio.h"

struct eio_message {
    uint32_t      refs;
    bool          is_binary;
    uint64_t      key;
    struct rcbuf *frame;                       /* the plain websocket frame */
    struct rcbuf *deflated;                    /* the same compressed, or `frame` where that is
                                                  no smaller; NULL until needed */
    struct rcbuf *polled;                      /* `b` and base64; NULL until needed */
};

/* A packet that is no message ("2", "6", "0{...}"), which can be sent like one. */
struct eio_message *message_packet(struct slice text);

/* The frame for a session with compression: compressed where the message has at least
 * `threshold` bytes and gets smaller. Lent as long as the message lives. */
struct rcbuf *message_deflated(struct eio_message *m, struct deflater *d, size_t threshold);

/* The packet as polling carries it. Lent as long as the message lives. */
struct slice message_polled(struct eio_message *m);

/* What it counts for in a queue. */
static inline size_t message_bytes(const struct eio_message *m)
{
    return m->frame->len;
}

#endif

/* websocket_codec.h -- websocket frames (RFC 6455 §5) as bytes: pure, no stream, no clock.
 *
 * Reading: a `ws_reader` is fed bytes as they come and answers with whole messages and control
 * frames. It needs about 4.5 KB and a buffer, so connections lease one only while something
 * is in flight (ws_reader_is_idle). Writing: whole frames as rcbufs, made once for many.
 *
 * One thread per object. */
#ifndef TASKWIRE_ENGINEIO_WEBSOCKET_CODEC_H
#define TASKWIRE_ENGINEIO_WEBSOCKET_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rcbuf.h"
#include "common/slice.h"
#include "gateway/engineio/deflate.h"

/* --- writing --- */

enum ws_opcode {                               /* RFC 6455 §5.2 */
    WS_CONTINUATION = 0x0, WS_TEXT = 0x1, WS_BINARY = 0x2,
    WS_CLOSE = 0x8, WS_PING = 0x9, WS_PONG = 0xa
};

/* One unmasked frame with FIN: `first` and then the parts as its payload. */
struct rcbuf *websocket_frame_join(struct slice first, const struct slice *parts, size_t count,
                                   bool is_binary);

/* A compressed message (RFC 7692 §7.2.1); NULL where it would be no smaller than plain. */
struct rcbuf *websocket_frame_deflated(struct deflater *d, struct slice payload, bool is_binary,
                                       int window_bits);

/* A control frame; at most 125 bytes of payload. */
struct rcbuf *websocket_frame_control(enum ws_opcode opcode, struct slice payload);

/* A close frame; code 0 sends none. */
struct rcbuf *websocket_frame_close(int code);

/* The payload of a frame made here. */
struct slice websocket_frame_payload(const struct rcbuf *frame);

/* --- reading --- */

struct ws_limits {
    size_t message_bytes_max;                  /* of one message as it travels */
    size_t inflated_bytes_max;                 /* of one message after inflating */
    size_t fragments_max;                      /* of one message; 0: no limit */
};

enum ws_event {
    WS_EVENT_MORE,                             /* all bytes are used up */
    WS_EVENT_MESSAGE,                          /* data, is_binary */
    WS_EVENT_PING, WS_EVENT_PONG,              /* data */
    WS_EVENT_CLOSE,                            /* code (1005: none was given), data: the reason */
    WS_EVENT_FAILED                            /* code to close with; the reader is of no more use */
};

struct ws_input {
    struct slice data;                         /* lent until the next call on the reader */
    bool         is_binary;
    int          code;
};

struct ws_reader;

struct ws_reader *ws_reader_new(void);
void              ws_reader_free(struct ws_reader *r);

/* Begin with a connection. `limits` (and `deflater`, NULL where compression was not
 * negotiated) must stay while the reader serves it. */
void ws_reader_attach(struct ws_reader *r, const struct ws_limits *limits,
                      struct deflater *deflater);

/* Give the next bytes. They must stay until WS_EVENT_MORE was answered. */
void ws_reader_feed(struct ws_reader *r, struct slice bytes);

/* What comes next? Call until WS_EVENT_MORE; nothing may be called after CLOSE or FAILED
 * but ws_reader_free. Client frames must be masked; text is valid UTF-8. */
enum ws_event ws_reader_next(struct ws_reader *r, struct ws_input *out);

/* After WS_EVENT_MORE: is nothing half-received? Then it may serve another connection. */
bool ws_reader_is_idle(const struct ws_reader *r);

/* Give back the memory of big messages; call when idle. */
void ws_reader_trim(struct ws_reader *r);

#endif

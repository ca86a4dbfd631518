/* websocket.h -- server websockets (RFC 6455, RFC 7692) over streams, with or without
 * Engine.IO.
 *
 *     if (websocket_check(r)) {                          in on_request; else it was refused
 *         w = websocket_accept(host, r, NULL, 0);        101; the request is gone
 *         websocket_start(w, &OPS, arg);                 now it speaks
 *     }
 *
 * An idle websocket is one small struct beside its stream: what reading needs is leased from
 * the host while a message is in flight. Control frames are answered here. All calls on the
 * loop's thread; handlers may close the websocket they are called for. */
#ifndef TASKWIRE_ENGINEIO_WEBSOCKET_H
#define TASKWIRE_ENGINEIO_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include "common/http_server.h"
#include "common/net.h"
#include "common/rcbuf.h"

struct websocket;
struct websocket_host;
struct deflater;

#define WEBSOCKET_NO_CODE  1005                /* the peer closed without a code */
#define WEBSOCKET_ABNORMAL 1006                /* the connection ended without a close frame */

struct websocket_options {
    size_t message_bytes_max;                  /* of one message as it travels; past it 1009 */
    size_t fragments_max;                      /* of one message, past it 1008; 0: no limit */
    bool   deflate;                            /* accept permessage-deflate, without context
                                                  takeover in either direction */
    size_t deflate_threshold_bytes;            /* websocket_send_message leaves smaller ones */
    size_t inflated_bytes_max;                 /* after inflating, past it 1009;
                                                  0: message_bytes_max */
};

struct websocket_ops {
    /* A whole message; `data` is lent for the call. Text is valid UTF-8. */
    void (*on_message)(struct websocket *w, struct slice data, bool is_binary, void *arg);
    /* Optional: what was queued, having been over STREAM_LOW_MARK, is written. */
    void (*on_drain)(struct websocket *w, void *arg);
    /* Over, once: forget the pointer. `code` is the peer's close code, the one that we failed
     * it with, WEBSOCKET_NO_CODE or WEBSOCKET_ABNORMAL. */
    void (*on_close)(struct websocket *w, int code, void *arg);
};

/* What all websockets of a server share: options, compressor, spare readers. */
struct websocket_host *websocket_host_new(const struct websocket_options *options);

/* The memory goes with the last websocket; closing those is their owners' affair. */
void websocket_host_close(struct websocket_host *h);

/* The compressor of a host. Never NULL. */
struct deflater *websocket_host_deflater(struct websocket_host *h);

/* Is this request a proper websocket handshake? If not it is answered (400, as the reference
 * server words it) and gone. */
bool websocket_check(struct http_request *r);

/* Answer a checked request with 101 and these extra headers (copied); the request is invalid
 * afterwards. Nothing is heard before websocket_start, which must follow in this turn. */
struct websocket *websocket_accept(struct websocket_host *h, struct http_request *r,
                                   const struct http_header *headers, size_t header_count);

/* Set who listens, and handle what has come already: handlers may run inside. */
void websocket_start(struct websocket *w, const struct websocket_ops *ops, void *arg);

/* Let another owner listen from now on; ops NULL: nobody (it will be gone by itself once it is
 * closed). `ops` must outlive the websocket. */
void websocket_set_owner(struct websocket *w, const struct websocket_ops *ops, void *arg);

/* Send a ready frame (websocket_codec.h): a reference is taken. Returns 0 or ERR_CLOSED. */
int websocket_send(struct websocket *w, struct rcbuf *frame);

/* Frame, compress where that was negotiated, and send; the data is copied. */
int websocket_send_message(struct websocket *w, struct slice data, bool is_binary);

/* Send a close frame (code 0: without a code), end our side after it, and wait a moment for
 * the peer's. No message is heard any more; on_close runs later. Idempotent. */
void websocket_close(struct websocket *w, int code);

/* Cut the connection; on_close runs later. */
void websocket_abort(struct websocket *w);

/* May compressed frames be sent that were made for the full window? */
bool websocket_deflates(const struct websocket *w);

bool           websocket_is_open(const struct websocket *w);
struct stream *websocket_stream(const struct websocket *w);   /* for its queue and flow control */

#endif

/* websocket_link.c -- websockets on streams: leases, control frames, the end. See websocket.h.
 *
 * The end of a websocket is one path: a close frame goes out, our side of the TCP connection
 * ends after it (stream_finish), what still comes is dropped until the peer ends its side. We
 * need not parse the peer's own close frame for that, so the same path serves a polite close
 * and a protocol error after which the frames make no sense any more, and no timer of ours
 * waits for it. FIN after a close frame tells the peer nothing new: nothing may follow it.
 *
 * Readers are leased: a hundred thousand idle websockets share a handful. */
#include "gateway/engineio/websocket_link.h"

#include <assert.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/pool.h"
#include "gateway/engineio/websocket_codec.h"

#define SPARE_READERS_MAX 32                   /* about 4.5 KB each */
#define LINGER_MS         5000                 /* how long a peer may take to end its side */

struct websocket_host {
    struct websocket_options options;
    struct ws_limits         limits;
    struct deflater         *deflater;
    struct pool              websockets;
    struct ws_reader        *spares[SPARE_READERS_MAX];
    size_t                   spare_count;
    size_t                   refs;             /* websockets, and the owner */
};

struct websocket {
    struct websocket_host      *host;
    struct stream              *stream;
    const struct websocket_ops *ops;           /* NULL: nobody listens */
    void                       *arg;
    struct ws_reader           *reader;        /* only while a message is in flight */
    struct rcbuf               *rest;          /* came with the handshake; until it is started */
    uint16_t                    code;          /* for on_close */
    uint8_t                     window_bits;
    bool                        is_open;
};

/* --- host --- */

struct websocket_host *websocket_host_new(const struct websocket_options *options)
{
    struct websocket_host *h = mem_new(struct websocket_host);

    h->options = *options;
    h->limits.message_bytes_max = options->message_bytes_max;
    h->limits.fragments_max = options->fragments_max;
    h->limits.inflated_bytes_max = options->inflated_bytes_max != 0
                                       ? options->inflated_bytes_max
                                       : options->message_bytes_max;
    h->deflater = deflater_new();
    pool_init(&h->websockets, sizeof(struct websocket));
    h->refs = 1;
    return h;
}

static void host_unref(struct websocket_host *h)
{
    if (--h->refs != 0)
        return;
    while (h->spare_count != 0)
        ws_reader_free(h->spares[--h->spare_count]);
    deflater_free(h->deflater);
    pool_deinit(&h->websockets);
    free(h);
}

void websocket_host_close(struct websocket_host *h)
{
    if (h != NULL)
        host_unref(h);
}

struct deflater *websocket_host_deflater(struct websocket_host *h)
{
    return h->deflater;
}

bool websocket_host_has_deflate(const struct websocket_host *h)
{
    return h->options.deflate;
}

static void reader_lease(struct websocket *w)
{
    struct websocket_host *h = w->host;

    if (w->reader != NULL)
        return;
    w->reader = h->spare_count != 0 ? h->spares[--h->spare_count] : ws_reader_new();
    ws_reader_attach(w->reader, &h->limits, w->window_bits != 0 ? h->deflater : NULL);
}

static void reader_return(struct websocket *w)
{
    struct websocket_host *h = w->host;
    struct ws_reader      *r = w->reader;

    w->reader = NULL;
    if (r == NULL)
        return;
    if (!ws_reader_is_idle(r) || h->spare_count == SPARE_READERS_MAX) {
        ws_reader_free(r);
        return;
    }
    ws_reader_trim(r);
    h->spares[h->spare_count++] = r;
}

/* --- ending --- */

/* The close frame and the end of our side; `code` is what on_close will say. */
static void finish(struct websocket *w, struct rcbuf *close_frame, int code)
{
    w->is_open = false;
    w->code = (uint16_t)code;
    (void)stream_send(w->stream, close_frame); /* a stream that is closing says so in on_close */
    rcbuf_unref(close_frame);
    stream_finish(w->stream, LINGER_MS);
}

void websocket_close(struct websocket *w, int code)
{
    if (!w->is_open)
        return;
    finish(w, websocket_frame_close(code), code == 0 ? WEBSOCKET_NO_CODE : code);
}

void websocket_abort(struct websocket *w)
{
    w->is_open = false;
    stream_close(w->stream);
}

/* The owner hears of the end once, as soon as it is certain; the rest is ours. */
static void tell_closed(struct websocket *w)
{
    const struct websocket_ops *ops = w->ops;

    w->ops = NULL;
    if (ops != NULL)
        ops->on_close(w, w->code, w->arg);
}

static void on_stream_close(struct stream *s, int err, void *arg)
{
    struct websocket      *w = arg;
    struct websocket_host *host = w->host;

    (void)s;
    (void)err;
    w->is_open = false;
    tell_closed(w);
    ws_reader_free(w->reader);
    rcbuf_unref(w->rest);
    pool_give(&host->websockets, w);
    host_unref(host);
}

/* --- receiving --- */

/* A peer that pings and does not read gets no pongs: they would pile up without a limit. Only
 * the newest ping needs an answer anyway (§5.5.3). */
static void answer_ping(struct websocket *w, struct slice data)
{
    struct rcbuf *pong;

    if (stream_queued_bytes(w->stream) > STREAM_LOW_MARK)
        return;
    pong = websocket_frame_control(WS_PONG, data);
    (void)websocket_send(w, pong);
    rcbuf_unref(pong);
}

static void handle(struct websocket *w, enum ws_event event, const struct ws_input *in)
{
    switch (event) {
    case WS_EVENT_MESSAGE:
        if (w->ops != NULL)
            w->ops->on_message(w, in->data, in->is_binary, w->arg);
        break;
    case WS_EVENT_PING:
        answer_ping(w, in->data);
        break;
    case WS_EVENT_CLOSE:                       /* §5.5.1: echo the code */
        finish(w, websocket_frame_close(in->code == WEBSOCKET_NO_CODE ? 0 : in->code), in->code);
        tell_closed(w);
        break;
    case WS_EVENT_FAILED:
        finish(w, websocket_frame_close(in->code), in->code);
        tell_closed(w);
        break;
    case WS_EVENT_PONG:
    case WS_EVENT_MORE:
        break;
    }
}

static void receive(struct websocket *w, struct slice data)
{
    struct ws_input in;
    enum ws_event   event;

    reader_lease(w);
    ws_reader_feed(w->reader, data);
    do {
        event = ws_reader_next(w->reader, &in);
        handle(w, event, &in);
    } while (w->is_open && event != WS_EVENT_MORE);
    if (!w->is_open || ws_reader_is_idle(w->reader))
        reader_return(w);
}

static void on_stream_data(struct stream *s, struct slice data, void *arg)
{
    struct websocket *w = arg;

    (void)s;
    if (w->is_open)
        receive(w, data);
}

static void on_stream_drain(struct stream *s, void *arg)
{
    struct websocket *w = arg;

    (void)s;
    if (w->is_open && w->ops != NULL && w->ops->on_drain != NULL)
        w->ops->on_drain(w, w->arg);
}

/* --- life --- */

static const struct stream_ops STREAM_OPS = {
    .on_data = on_stream_data,
    .on_drain = on_stream_drain,
    .on_close = on_stream_close,
};

struct websocket *websocket_adopt(struct websocket_host *h, struct stream *stream,
                                  int window_bits, struct buf *rest)
{
    struct websocket *w = pool_take(&h->websockets);

    w->host = h;
    h->refs++;
    w->stream = stream;
    w->window_bits = (uint8_t)window_bits;
    w->code = WEBSOCKET_ABNORMAL;
    w->is_open = true;
    if (rest->len != 0)
        w->rest = buf_rcbuf(rest);
    stream_start(stream, &STREAM_OPS, w);
    return w;
}

void websocket_start(struct websocket *w, const struct websocket_ops *ops, void *arg)
{
    struct rcbuf *rest = w->rest;

    websocket_set_owner(w, ops, arg);
    w->rest = NULL;
    if (rest != NULL && w->is_open)
        receive(w, rcbuf_slice(rest));
    rcbuf_unref(rest);
}

void websocket_set_owner(struct websocket *w, const struct websocket_ops *ops, void *arg)
{
    w->ops = ops;
    w->arg = arg;
}

/* --- sending --- */

int websocket_send(struct websocket *w, struct rcbuf *frame)
{
    return w->is_open ? stream_send(w->stream, frame) : ERR_CLOSED;
}

int websocket_send_message(struct websocket *w, struct slice data, bool is_binary)
{
    struct rcbuf *frame = NULL;
    int           err;

    if (!w->is_open)
        return ERR_CLOSED;
    if (w->window_bits != 0 && data.len >= w->host->options.deflate_threshold_bytes)
        frame = websocket_frame_deflated(w->host->deflater, data, is_binary, w->window_bits);
    if (frame == NULL)
        frame = websocket_frame_join(slice_make(NULL, 0), &data, 1, is_binary);
    err = websocket_send(w, frame);
    rcbuf_unref(frame);
    return err;
}

bool websocket_deflates(const struct websocket *w)
{
    return w->window_bits == DEFLATE_WINDOW_MAX;
}

bool websocket_is_open(const struct websocket *w)
{
    return w->is_open;
}

struct stream *websocket_stream(const struct websocket *w)
{
    return w->stream;
}

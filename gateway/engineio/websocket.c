/* websocket.c -- the websocket codec; the one door to wslay. See websocket_codec.h.
 *
 * wslay has two faces. Its event API keeps an 8.8 KB context for each connection, allocates
 * for each fragment, copies each message that is sent, and buffers compressed messages without
 * a limit of their own. So this uses the frame API below it: wslay reads headers, enforces
 * their form and unmasks, and hands over payload in pieces; putting fragments together,
 * limits, UTF-8 and inflating are done here, over buffers that belong to a reader, not to a
 * connection.
 *
 * Leasing needs to know when a frame context is clean, and wslay does not say: it reads ahead
 * up to 4 KB. But it insists on minimal lengths, so each frame's header size follows from
 * its payload length, and the context is clean exactly when the frames it has delivered add up
 * to the bytes that it was given. Parsing small frames by hand beside wslay was rejected: the
 * detour costs tens of nanoseconds, the kernel's read costs microseconds.
 *
 * Frames are written by hand: an unmasked server header is four lines, and a frame is made
 * once for all who get it. */
#include "gateway/engineio/websocket_codec.h"

#include <wslay/wslay.h>

#include <assert.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/utf8.h"
#include "gateway/engineio/utf8_feed.h"

#define CONTROL_MAX   125                      /* RFC 6455 §5.5 */
#define HEADER_MAX    10                       /* of an unmasked frame */
#define KEPT_BUF_MAX  8192                     /* an idle reader keeps buffers up to this size */
#define CODE_PROTOCOL 1002
#define CODE_NONE     1005
#define CODE_INVALID  1007
#define CODE_POLICY   1008
#define CODE_TOO_BIG  1009

/* --- writing --- */

static size_t header_write(uint8_t out[HEADER_MAX], uint8_t first, size_t len)
{
    out[0] = first;
    if (len < 126) {
        out[1] = (uint8_t)len;
        return 2;
    }
    if (len <= UINT16_MAX) {
        out[1] = 126;
        out[2] = (uint8_t)(len >> 8);
        out[3] = (uint8_t)len;
        return 4;
    }
    out[1] = 127;
    for (int i = 0; i < 8; i++)
        out[2 + i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
    return 10;
}

/* A frame with room for its payload; `*at` is where that goes. */
static struct rcbuf *frame_new(uint8_t first, size_t len, char **at)
{
    uint8_t       header[HEADER_MAX];
    size_t        n = header_write(header, first, len);
    struct rcbuf *frame = rcbuf_new(n + len);

    memcpy(frame->data, header, n);
    *at = frame->data + n;
    return frame;
}

static char *put(char *at, struct slice bytes)
{
    if (bytes.len != 0)
        memcpy(at, bytes.data, bytes.len);
    return at + bytes.len;
}

#define FIN  0x80
#define RSV1 0x40

static uint8_t data_opcode(bool is_binary)
{
    return is_binary ? WS_BINARY : WS_TEXT;
}

struct rcbuf *websocket_frame_join(struct slice first, const struct slice *parts, size_t count,
                                   bool is_binary)
{
    size_t        len = first.len;
    struct rcbuf *frame;
    char         *at;

    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    frame = frame_new(FIN | data_opcode(is_binary), len, &at);
    at = put(at, first);
    for (size_t i = 0; i < count; i++)
        at = put(at, parts[i]);
    return frame;
}

struct rcbuf *websocket_frame_deflated(struct deflater *d, struct slice payload, bool is_binary,
                                       int window_bits)
{
    struct buf    packed;
    struct rcbuf *frame = NULL;
    char         *at;

    /* The ceiling makes it stop as soon as compressing does not pay. zlib needs a little room
     * for its flush marker. */
    buf_init(&packed, payload.len + 16);
    if (deflater_compress(d, payload, window_bits, &packed) == 0 && packed.len < payload.len) {
        frame = frame_new(FIN | RSV1 | data_opcode(is_binary), packed.len, &at);
        put(at, buf_peek(&packed));
    }
    buf_deinit(&packed);
    return frame;
}

struct rcbuf *websocket_frame_control(enum ws_opcode opcode, struct slice payload)
{
    struct rcbuf *frame;
    char         *at;

    assert(payload.len <= CONTROL_MAX);
    frame = frame_new((uint8_t)(FIN | opcode), payload.len, &at);
    put(at, payload);
    return frame;
}

struct rcbuf *websocket_frame_close(int code)
{
    char bytes[2] = { (char)(code >> 8), (char)code };

    return websocket_frame_control(WS_CLOSE, slice_make(bytes, code == 0 ? 0 : sizeof(bytes)));
}

struct slice websocket_frame_payload(const struct rcbuf *frame)
{
    uint8_t len = (uint8_t)frame->data[1];

    return slice_from(rcbuf_slice(frame), len < 126 ? 2 : len == 126 ? 4 : 10);
}

/* --- reading --- */

struct ws_reader {
    wslay_frame_context_ptr frames;
    const struct ws_limits *limits;
    struct deflater        *deflater;          /* NULL: not negotiated */
    struct slice            input;             /* not yet taken by wslay */
    uint64_t                given, delivered;  /* bytes into wslay, and out of it in frames */
    uint64_t                frame_left;        /* payload of this frame still to come */
    bool                    in_frame;          /* its beginning was seen */
    bool                    in_message;        /* a data frame without FIN was seen */
    bool                    is_binary, is_deflated;
    struct utf8_feed        utf8;
    size_t                  fragments;
    struct buf              message;           /* what is there of a message in pieces */
    struct buf              inflated;
    size_t                  control_len;
    char                    control[CONTROL_MAX];
};

static ssize_t on_wslay_read(uint8_t *to, size_t len, int flags, void *arg)
{
    struct ws_reader *r = arg;

    (void)flags;
    if (r->input.len == 0)
        return -1;
    if (len > r->input.len)
        len = r->input.len;
    memcpy(to, r->input.data, len);
    r->input = slice_from(r->input, len);
    r->given += len;
    return (ssize_t)len;
}

struct ws_reader *ws_reader_new(void)
{
    static const struct wslay_frame_callbacks CALLBACKS = { .recv_callback = on_wslay_read };
    struct ws_reader *r = mem_new(struct ws_reader);

    if (wslay_frame_context_init(&r->frames, &CALLBACKS, r) != 0)
        abort();                               /* out of memory, as mem.h has it */
    buf_init(&r->message, 0);
    buf_init(&r->inflated, 0);
    return r;
}

void ws_reader_free(struct ws_reader *r)
{
    if (r == NULL)
        return;
    wslay_frame_context_free(r->frames);
    buf_deinit(&r->message);
    buf_deinit(&r->inflated);
    free(r);
}

void ws_reader_attach(struct ws_reader *r, const struct ws_limits *limits,
                      struct deflater *deflater)
{
    assert(ws_reader_is_idle(r));
    r->limits = limits;
    r->deflater = deflater;
    r->message.max = limits->message_bytes_max;
    r->inflated.max = limits->inflated_bytes_max;
}

void ws_reader_feed(struct ws_reader *r, struct slice bytes)
{
    assert(r->input.len == 0);
    r->input = bytes;
}

bool ws_reader_is_idle(const struct ws_reader *r)
{
    return r->given == r->delivered && !r->in_frame && !r->in_message && r->input.len == 0;
}

void ws_reader_trim(struct ws_reader *r)
{
    if (r->message.cap > KEPT_BUF_MAX)
        buf_deinit(&r->message);
    if (r->inflated.cap > KEPT_BUF_MAX)
        buf_deinit(&r->inflated);
}

static enum ws_event fail(struct ws_input *out, int code)
{
    out->code = code;
    return WS_EVENT_FAILED;
}

static size_t header_size(uint64_t payload_len)
{
    return 2 + (payload_len < 126 ? 0 : payload_len <= UINT16_MAX ? 2 : 8) + 4;
}

/* The beginning of a data frame. Returns 0, or the code to fail with. */
static int data_begin(struct ws_reader *r, const struct wslay_frame_iocb *f)
{
    if ((f->opcode == WS_CONTINUATION) != r->in_message)
        return CODE_PROTOCOL;                  /* §5.4: fragments of messages do not mix */
    if (f->opcode == WS_CONTINUATION) {
        if (f->rsv != 0)
            return CODE_PROTOCOL;              /* RFC 7692 §6: on the first fragment only */
        r->fragments++;
    } else {
        if (f->rsv != 0 && (f->rsv != WSLAY_RSV1_BIT || r->deflater == NULL))
            return CODE_PROTOCOL;
        r->is_binary = f->opcode == WS_BINARY;
        r->is_deflated = f->rsv != 0;
        r->utf8 = (struct utf8_feed){ 0 };
        r->fragments = 1;
        buf_reset(&r->message);
    }
    if (r->limits->fragments_max != 0 && r->fragments > r->limits->fragments_max)
        return CODE_POLICY;
    if (f->payload_length > r->limits->message_bytes_max - r->message.len)
        return CODE_TOO_BIG;
    r->in_message = true;
    return 0;
}

static int frame_begin(struct ws_reader *r, const struct wslay_frame_iocb *f)
{
    r->in_frame = true;
    r->frame_left = f->payload_length;
    r->delivered += header_size(f->payload_length);
    if (!f->mask)
        return CODE_PROTOCOL;                  /* §5.1 */
    switch (f->opcode) {
    case WS_CONTINUATION:
    case WS_TEXT:
    case WS_BINARY:
        return data_begin(r, f);
    case WS_CLOSE:
    case WS_PING:
    case WS_PONG:
        r->control_len = 0;
        return f->rsv == 0 ? 0 : CODE_PROTOCOL;
    default:
        return CODE_PROTOCOL;
    }
}

/* §7.4: codes that may stand in a close frame. */
static bool is_close_code(int code)
{
    if (code >= 3000 && code <= 4999)
        return true;
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

static enum ws_event close_end(struct ws_reader *r, struct ws_input *out)
{
    const uint8_t *bytes = (const uint8_t *)r->control;

    out->code = CODE_NONE;
    out->data = slice_from(slice_make(r->control, r->control_len), 2);
    if (r->control_len == 0)
        return WS_EVENT_CLOSE;
    if (r->control_len == 1)
        return fail(out, CODE_PROTOCOL);
    out->code = bytes[0] << 8 | bytes[1];
    if (!is_close_code(out->code))
        return fail(out, CODE_PROTOCOL);
    return utf8_is_valid(out->data) ? WS_EVENT_CLOSE : fail(out, CODE_INVALID);
}

static enum ws_event control_piece(struct ws_reader *r, const struct wslay_frame_iocb *f,
                                   struct ws_input *out)
{
    assert(r->control_len + f->data_length <= CONTROL_MAX);    /* wslay refuses longer ones */
    put(r->control + r->control_len, slice_make((const char *)f->data, f->data_length));
    r->control_len += f->data_length;
    if (r->in_frame)
        return WS_EVENT_MORE;
    out->data = slice_make(r->control, r->control_len);
    if (f->opcode == WS_CLOSE)
        return close_end(r, out);
    return f->opcode == WS_PING ? WS_EVENT_PING : WS_EVENT_PONG;
}

static enum ws_event inflate_message(struct ws_reader *r, struct ws_input *out)
{
    int err;

    buf_reset(&r->inflated);
    err = deflater_inflate(r->deflater, out->data, &r->inflated);
    if (err != 0)
        return fail(out, err == ERR_TOO_BIG ? CODE_TOO_BIG : CODE_INVALID);
    out->data = buf_peek(&r->inflated);
    if (!r->is_binary && !utf8_is_valid(out->data))
        return fail(out, CODE_INVALID);
    return WS_EVENT_MESSAGE;
}

static enum ws_event data_piece(struct ws_reader *r, const struct wslay_frame_iocb *f,
                                struct ws_input *out)
{
    struct slice piece = slice_make((const char *)f->data, f->data_length);
    bool         is_text = !r->is_binary && !r->is_deflated;
    bool         is_end = f->fin && !r->in_frame;

    if (is_text && !utf8_feed(&r->utf8, piece))
        return fail(out, CODE_INVALID);
    if (!is_end || r->message.len != 0) {      /* a message in one piece needs no copy */
        int err = buf_append_slice(&r->message, piece);

        assert(err == 0);                      /* data_begin looked at the length */
        piece = buf_peek(&r->message);
    }
    if (!is_end)
        return WS_EVENT_MORE;
    r->in_message = false;
    if (is_text && !utf8_feed_is_whole(&r->utf8))
        return fail(out, CODE_INVALID);
    out->data = piece;
    out->is_binary = r->is_binary;
    return r->is_deflated ? inflate_message(r, out) : WS_EVENT_MESSAGE;
}

enum ws_event ws_reader_next(struct ws_reader *r, struct ws_input *out)
{
    for (;;) {
        struct wslay_frame_iocb f;
        enum ws_event           event;
        ssize_t                 n = wslay_frame_recv(r->frames, &f);
        int                     code;

        if (n == WSLAY_ERR_WANT_READ)
            return WS_EVENT_MORE;
        if (n < 0)
            return fail(out, CODE_PROTOCOL);
        code = r->in_frame ? 0 : frame_begin(r, &f);
        if (code != 0)
            return fail(out, code);
        r->delivered += f.data_length;
        r->frame_left -= f.data_length;
        r->in_frame = r->frame_left != 0;
        event = wslay_is_ctrl_frame(f.opcode) ? control_piece(r, &f, out)
                                              : data_piece(r, &f, out);
        if (event != WS_EVENT_MORE)
            return event;
    }
}

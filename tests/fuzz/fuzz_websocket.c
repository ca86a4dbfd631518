/* fuzz_websocket.c -- what a client may send over a websocket, whole and cut in pieces.
 *
 * Bit 0 of the first byte negotiates compression, its other bits are the size of the pieces;
 * the rest is the stream. Both ways must tell the same story, byte for byte; texts must be
 * UTF-8; nothing may be larger than the limits; and a reader that says it is idle must be able to
 * serve another connection. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "gateway/engineio/websocket_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ws_limits LIMITS = { 5000, 20000, 16 };

static void must(int is_true)
{
    if (!is_true)
        abort();
}

static void tell(struct buf *story, enum ws_event event, const struct ws_input *in)
{
    must(buf_printf(story, "[%d", (int)event) == 0);
    switch (event) {
    case WS_EVENT_MESSAGE:
        must(in->data.len <= LIMITS.inflated_bytes_max);
        must(in->is_binary || utf8_is_valid(in->data));
        must(buf_printf(story, " %d %zu ", in->is_binary, in->data.len) == 0);
        must(buf_append_slice(story, in->data) == 0);
        break;
    case WS_EVENT_PING:
    case WS_EVENT_PONG:
        must(in->data.len <= 125);
        must(buf_append_slice(story, in->data) == 0);
        break;
    case WS_EVENT_CLOSE:
        must(in->data.len <= 123 && utf8_is_valid(in->data));
        must(in->code >= 1000 && in->code <= 4999);
        must(buf_append_slice(story, in->data) == 0);
        break;
    default:
        must(in->code == 1002 || in->code == 1007 || in->code == 1008 || in->code == 1009);
        break;
    }
    if (event == WS_EVENT_CLOSE || event == WS_EVENT_FAILED)
        must(buf_printf(story, " %d", in->code) == 0);
    must(buf_append_char(story, ']') == 0);
}

/* Returns false where the connection has ended. */
static bool feed(struct ws_reader *r, struct slice bytes, struct buf *story)
{
    struct ws_input in;
    enum ws_event   event;

    ws_reader_feed(r, bytes);
    while ((event = ws_reader_next(r, &in)) != WS_EVENT_MORE) {
        tell(story, event, &in);
        if (event == WS_EVENT_CLOSE || event == WS_EVENT_FAILED)
            return false;
    }
    return true;
}

/* An idle reader serves anybody: a plain message goes through. */
static void check_idle(struct ws_reader *r)
{
    struct buf story;

    buf_init(&story, 100);
    ws_reader_trim(r);
    ws_reader_attach(r, &LIMITS, NULL);
    must(feed(r, slice_make("\x81\x82\0\0\0\0ok", 8), &story));
    must(slice_is(buf_peek(&story), "[1 0 2 ok]"));
    must(ws_reader_is_idle(r));
    buf_deinit(&story);
}

static void run(struct slice bytes, size_t piece, struct deflater *d, struct buf *story)
{
    struct ws_reader *r = ws_reader_new();
    bool              is_open = true;

    ws_reader_attach(r, &LIMITS, d);
    while (is_open && bytes.len != 0) {
        size_t n = piece < bytes.len ? piece : bytes.len;

        is_open = feed(r, slice_make(bytes.data, n), story);
        bytes = slice_from(bytes, n);
    }
    if (is_open && ws_reader_is_idle(r))
        check_idle(r);
    ws_reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice     bytes = { (const char *)data + 1, size - 1 };
    struct deflater *d;
    struct buf       whole, cut;

    if (size < 2 || size > 20000)
        return 0;
    d = (data[0] & 1) != 0 ? deflater_new() : NULL;
    buf_init(&whole, 64 << 20);
    buf_init(&cut, 64 << 20);
    run(bytes, bytes.len, d, &whole);
    run(bytes, (size_t)(data[0] >> 1) + 1, d, &cut);
    must(slice_eq(buf_peek(&whole), buf_peek(&cut)));
    buf_deinit(&whole);
    buf_deinit(&cut);
    deflater_free(d);
    return 0;
}

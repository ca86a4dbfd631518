/* message.c -- see message.h and engineio.h.
 *
 * One message for a thousand sessions is one frame with a thousand references. The bytes are
 * copied once, into the frame; the text for polling is a slice of it, since a text message's
 * websocket payload and its polled packet are the same bytes ("4..."). Only binary messages
 * need base64, which is made once. Keeping the message's own bytes beside its frame was
 * rejected: nobody asks for them again. */
#include "gateway/engineio/message.h"

#include <assert.h>
#include <stdlib.h>

#include "common/crypto.h"
#include "common/mem.h"
#include "gateway/engineio/websocket_codec.h"

static struct eio_message *message_of(struct rcbuf *frame, bool is_binary, uint64_t key)
{
    struct eio_message *m = mem_new(struct eio_message);

    m->refs = 1;
    m->is_binary = is_binary;
    m->key = key;
    m->frame = frame;
    return m;
}

struct eio_message *eio_message_join(const struct slice *parts, size_t count, bool is_binary,
                                     uint64_t key)
{
    return message_of(websocket_frame_join(is_binary ? slice_make(NULL, 0) : SLICE("4"), parts,
                                           count, is_binary),
                      is_binary, key);
}

struct eio_message *eio_message_new(struct slice data, bool is_binary, uint64_t key)
{
    return eio_message_join(&data, 1, is_binary, key);
}

struct eio_message *message_packet(struct slice text)
{
    return message_of(websocket_frame_join(text, NULL, 0, false), false, 0);
}

struct slice eio_message_text(const struct eio_message *m)
{
    assert(!m->is_binary);
    return slice_from(websocket_frame_payload(m->frame), 1);   /* behind its "4" */
}

struct eio_message *eio_message_ref(struct eio_message *m)
{
    assert(m->refs > 0 && m->refs < UINT32_MAX);
    m->refs++;
    return m;
}

void eio_message_unref(struct eio_message *m)
{
    if (m == NULL)
        return;
    assert(m->refs > 0);
    if (--m->refs != 0)
        return;
    rcbuf_unref(m->frame);
    rcbuf_unref(m->deflated);
    rcbuf_unref(m->polled);
    free(m);
}

struct rcbuf *message_deflated(struct eio_message *m, struct deflater *d, size_t threshold)
{
    struct slice payload;

    if (m->deflated != NULL)
        return m->deflated;
    payload = websocket_frame_payload(m->frame);
    if (payload.len < threshold)
        return m->frame;                       /* another server's threshold may be lower */
    m->deflated = websocket_frame_deflated(d, payload, m->is_binary, DEFLATE_WINDOW_MAX);
    if (m->deflated == NULL)
        m->deflated = rcbuf_ref(m->frame);
    return m->deflated;
}

struct slice message_polled(struct eio_message *m)
{
    struct slice payload = websocket_frame_payload(m->frame);
    struct buf   text;

    if (!m->is_binary)
        return payload;
    if (m->polled == NULL) {
        buf_init(&text, 1 + (payload.len + 2) / 3 * 4);
        buf_append_char(&text, 'b');
        crypto_append_base64(&text, payload.data, payload.len);
        assert(!buf_failed(&text));
        m->polled = buf_rcbuf(&text);
        buf_deinit(&text);
    }
    return rcbuf_slice(m->polled);
}

/* message.c -- events made once, for one socket or for fifty thousand.
 *
 * A Socket.IO message is one Engine.IO message of text and one more per attachment. Engine.IO
 * frames each once per encoding and counts references, so what a broadcast costs per member
 * is an increment and a place in a queue. */
#include "gateway/socketio/internal.h"

#include <assert.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/mem.h"

#define TAIL_QUOTES 4                          /* `,"` and `"]` around an offset */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* `["a",1]` and an offset become `["a",1` `,"offset"]`; without one the array is left alone.
 * Returns what to send of the array. */
static struct slice add_offset(struct slice array, struct slice offset, struct buf *out)
{
    if (offset.len == 0)
        return array;
    while (array.len != 0 && is_space(array.data[array.len - 1]))
        array.len--;
    assert(array.len > 2 && array.data[array.len - 1] == ']');
    array.len--;
    buf_append_char(out, ',');
    buf_append_json(out, offset);
    buf_append_char(out, ']');
    return array;
}

struct sio_message *message_build(struct sio_namespace *n, enum sio_packet_type type, int64_t id,
                                  struct slice array, struct slice offset, uint64_t key,
                                  const struct slice *attachments, size_t count)
{
    struct sio_message *m = mem_alloc(sizeof(*m) + (count + 1) * sizeof(struct eio_message *));
    struct slice parts[3];
    struct buf head, tail;

    buf_init(&head, SIZE_MAX / 2);
    buf_init(&tail, SIZE_MAX / 2);
    sio_packet_append_head(&head, type, count, slice_of(n->prefix), id);
    parts[1] = add_offset(array, offset, &tail);
    parts[0] = buf_peek(&head);
    parts[2] = buf_peek(&tail);
    m->refs = 1;
    m->ns = n;
    m->parts[m->count++] = eio_message_join(parts, 3, false, key);
    m->bytes = head.len + parts[1].len + tail.len;
    m->array_at = (uint32_t)head.len;
    m->array_len = (uint32_t)parts[1].len;
    m->tail_len = (uint32_t)tail.len;
    for (size_t i = 0; i < count; i++) {
        m->parts[m->count++] = eio_message_new(attachments[i], true, 0);
        m->bytes += attachments[i].len;
    }
    buf_deinit(&head);
    buf_deinit(&tail);
    return m;
}

struct sio_message *sio_message_new(struct sio_namespace *n, struct slice array,
                                    struct slice offset, uint64_t key)
{
    return message_build(n, SIO_EVENT, -1, array, offset, key, NULL, 0);
}

struct sio_message *sio_message_new_binary(struct sio_namespace *n, struct slice array,
                                           struct slice offset, const struct slice *attachments,
                                           size_t count)
{
    assert(count > 0);
    return message_build(n, SIO_BINARY_EVENT, -1, array, offset, 0, attachments, count);
}

struct sio_message *sio_message_ref(struct sio_message *m)
{
    assert(m->refs > 0 && m->refs < UINT32_MAX);
    m->refs++;
    return m;
}

void sio_message_on_done(struct sio_message *m, void (*cb)(void *arg), void *arg)
{
    assert(m->done == NULL);
    m->done = cb;
    m->done_arg = arg;
}

void sio_message_unref(struct sio_message *m)
{
    if (m == NULL)
        return;
    assert(m->refs > 0);
    if (--m->refs != 0)
        return;
    if (m->done != NULL)
        m->done(m->done_arg);
    for (uint32_t i = 0; i < m->count; i++)
        eio_message_unref(m->parts[i]);
    rcbuf_unref(m->form);
    free(m);
}

/* The packet is `2`, the namespace, the array up to its last bracket, and either that bracket or
 * `,"<offset>"]`: an offset is plain text of ours, so nothing of it was escaped. */
struct rcbuf *sio_message_form(struct sio_message *m,
                               struct rcbuf *(*make)(struct slice open_array, struct slice offset))
{
    struct slice text, array, offset = { NULL, 0 };

    if (m->form != NULL)
        return m->form;
    text = eio_message_text(m->parts[0]);
    array = slice_make(text.data + m->array_at, m->array_len);
    if (m->tail_len > TAIL_QUOTES)
        offset = slice_make(array.data + array.len + 2, m->tail_len - TAIL_QUOTES);
    else if (array.len > 0)
        array.len--;                           /* arrays are passed on as they are, `]` last */
    m->form = make(array, offset);
    return m->form;
}

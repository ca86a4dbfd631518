/* sse_frame.c -- see sse_frame.h.
 *
 * JSON on one line needs no more than a field name before it: there is no line feed in it to be
 * split at, and nothing is parsed. */
#include "gateway/sse_frame.h"

#include <string.h>

#include "common/buf.h"

#define EVENT "event: "

/* What stands between the first two quotes; `rest` is behind the second. Our names have no escapes. */
static struct slice name_of(struct slice *rest)
{
    (void)slice_cut(rest, '"');
    return slice_cut(rest, '"');
}

struct rcbuf *sse_frame(struct slice open_array, struct slice offset)
{
    struct slice  rest = open_array, name = name_of(&rest);
    struct slice  payload = slice_from(rest, 1);            /* behind the comma */
    struct buf    b;
    struct rcbuf *frame;

    buf_init(&b, SIZE_MAX / 2);
    buf_append_text(&b, EVENT);
    buf_append_slice(&b, name);
    if (offset.len > 0) {
        buf_append_text(&b, "\nid: ");
        buf_append_slice(&b, offset);
    }
    buf_append_text(&b, "\ndata: ");
    buf_append_slice(&b, payload.len > 0 ? payload : SLICE("null"));
    buf_append_text(&b, "\n\n");
    frame = buf_rcbuf(&b);
    buf_deinit(&b);
    return frame;
}

bool sse_frame_is(struct slice frame, const char *name)
{
    size_t len = strlen(name);

    return frame.len > sizeof(EVENT) - 1 + len && slice_starts(frame, EVENT) &&
           memcmp(frame.data + sizeof(EVENT) - 1, name, len) == 0 &&
           frame.data[sizeof(EVENT) - 1 + len] == '\n';
}

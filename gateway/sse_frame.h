/* sse_frame.h -- an event as Server-Sent Events write it (WHATWG HTML, "Server-sent events").
 *
 * Pure. Any thread. */
#ifndef TASKWIRE_GATEWAY_SSE_FRAME_H
#define TASKWIRE_GATEWAY_SSE_FRAME_H

#include <stdbool.h>

#include "common/rcbuf.h"
#include "common/slice.h"

/* `open_array` is `["name",payload` without the closing bracket, on one line; `offset` may be empty.
 * Returns a reference to
 *
 *     event: name
 *     id: offset            (where there is one)
 *     data: payload
 *     (an empty line)
 */
struct rcbuf *sse_frame(struct slice open_array, struct slice offset);

/* Is a frame of this event? */
bool sse_frame_is(struct slice frame, const char *name);

#endif

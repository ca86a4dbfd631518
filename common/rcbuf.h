/* rcbuf.h -- bytes that are written once and then shared: one allocation, a count of
 * holders, never changed after they were shared (after nghttp2's rcbuf).
 *
 * A message for a thousand sockets is one rcbuf with a thousand references. The count is
 * not atomic: an rcbuf lives on the loop's thread. */
#ifndef TASKWIRE_COMMON_RCBUF_H
#define TASKWIRE_COMMON_RCBUF_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

struct rcbuf {
    uint32_t refs;
    uint32_t len;                              /* bytes of data */
    char     data[];
};

/* `len` bytes with one reference, contents undefined: fill them before sharing. */
struct rcbuf *rcbuf_new(size_t len);

/* A copy of `bytes` with one reference. */
struct rcbuf *rcbuf_copy(struct slice bytes);

/* One more holder; returns `b` (NULL stays NULL). */
struct rcbuf *rcbuf_ref(struct rcbuf *b);

/* One holder less; the last one out frees. NULL is ignored. */
void rcbuf_unref(struct rcbuf *b);

/* All its bytes; valid as long as a reference is held. */
static inline struct slice rcbuf_slice(const struct rcbuf *b)
{
    return slice_make(b->data, b->len);
}

#endif

/* buf.h -- a growing byte buffer with a ceiling (after curl's dynbuf).
 *
 * A buf that would pass its ceiling refuses the append, keeps what it has, and remembers
 * the refusal (buf_failed), so that a run of appends needs one check at its end. The data
 * is always followed by a NUL that does not count. One thread at a time. */
#ifndef TASKWIRE_COMMON_BUF_H
#define TASKWIRE_COMMON_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rcbuf.h"
#include "common/slice.h"

struct buf {
    char  *data;                               /* NULL until the first append */
    size_t len;                                /* bytes in use */
    size_t cap;                                /* bytes allocated, the NUL included */
    size_t max;                                /* ceiling for len */
    bool   failed;                             /* an append was refused */
};

/* An empty buf for at most `max` bytes; allocates nothing. */
void buf_init(struct buf *b, size_t max);

/* Give the memory back; the buf is empty and usable again, with the same ceiling. */
void buf_deinit(struct buf *b);

/* Forget the contents, keep the memory, clear the failure. */
void buf_reset(struct buf *b);

/* Append. Returns 0, or ERR_TOO_BIG where the ceiling would be passed (nothing is added). */
int buf_append(struct buf *b, const void *data, size_t len);
int buf_append_slice(struct buf *b, struct slice s);
int buf_append_text(struct buf *b, const char *text);
int buf_append_char(struct buf *b, char c);
int buf_append_u64(struct buf *b, uint64_t n);
int buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Append `text` as a JSON string with its quotes (RFC 8259 §7). `text` is valid UTF-8. */
int buf_append_json(struct buf *b, struct slice text);

/* Make room for `len` bytes more; returns where to write them, NULL past the ceiling. The
 * caller writes and then calls buf_added(). */
char *buf_reserve(struct buf *b, size_t len);
void  buf_added(struct buf *b, size_t len);

/* Drop the first `len` bytes (at most all), moving the rest down. */
void buf_consume(struct buf *b, size_t len);

/* A look; valid until the next call on the buf. */
static inline struct slice buf_peek(const struct buf *b)
{
    return slice_make(b->data, b->len);
}

/* The caller becomes the owner of the NUL-terminated data (free()); the buf is left empty.
 * Never NULL. */
char *buf_take(struct buf *b);

/* The contents as a new rcbuf with one reference; the buf keeps its own copy. */
struct rcbuf *buf_rcbuf(const struct buf *b);

static inline bool buf_failed(const struct buf *b)
{
    return b->failed;
}

#endif

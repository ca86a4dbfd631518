/* deflate.h -- raw DEFLATE of single messages, as permessage-deflate without context takeover
 * wants it (RFC 7692 §7.2); the one door to zlib.
 *
 * A `deflater` keeps zlib's states between messages (about 300 KB once both directions were
 * used) and serves any number of connections, since no message refers to an earlier one. One
 * thread. */
#ifndef TASKWIRE_ENGINEIO_DEFLATE_H
#define TASKWIRE_ENGINEIO_DEFLATE_H

#include "common/buf.h"
#include "common/slice.h"

#define DEFLATE_WINDOW_MIN 9                   /* zlib has no raw window of 8 bits */
#define DEFLATE_WINDOW_MAX 15

struct deflater;

struct deflater *deflater_new(void);           /* allocates zlib's states when first needed */
void             deflater_free(struct deflater *d);

/* Append `data` compressed for a window of 2^window_bits, without the tail 00 00 ff ff.
 * Returns 0, or ERR_TOO_BIG where `out` would pass its ceiling: what is in it then is
 * useless. */
int deflater_compress(struct deflater *d, struct slice data, int window_bits, struct buf *out);

/* Append what `data` (without its tail) was made from. Returns 0, ERR_TOO_BIG where `out` would
 * pass its ceiling, or ERR_FRAME where it is no DEFLATE stream. */
int deflater_inflate(struct deflater *d, struct slice data, struct buf *out);

#endif

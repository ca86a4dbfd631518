/* gzip.h -- answers made smaller for whoever can read them so (RFC 1952, RFC 9110 §8.4).
 *
 * Any thread; nothing is kept between calls. */
#ifndef TASKWIRE_COMMON_GZIP_H
#define TASKWIRE_COMMON_GZIP_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/slice.h"

/* May an answer to a request with this Accept-Encoding (data NULL: it has none) be gzip? By
 * RFC 9110 §12.5.3: named with a q above 0, or meant by "*", and not liked less than
 * "identity" where that is named. A header that makes no sense asks for nothing. */
bool gzip_is_accepted(struct slice accept_encoding);

/* The same for another coding, "br" say. */
bool coding_is_accepted(struct slice accept_encoding, const char *coding);

/* Append `data` as one gzip member. Returns 0, or ERR_TOO_BIG (nothing is added) where `out`
 * might not hold it: leave it room for a little more than `data`. */
int gzip_append(struct slice data, struct buf *out);

#endif

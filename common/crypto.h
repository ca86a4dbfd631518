/* crypto.h -- the few primitives the services need; the one door to OpenSSL (with jwt.c).
 *
 * Nothing here blocks for long; any thread. */
#ifndef TASKWIRE_COMMON_CRYPTO_H
#define TASKWIRE_COMMON_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/slice.h"

#define SHA1_BYTES   20
#define SHA256_BYTES 32

/* Unguessable bytes. Aborts where the system has none: nothing safe can be done then. */
void crypto_random(void *out, size_t len);

void crypto_sha1(struct slice data, uint8_t out[SHA1_BYTES]);      /* for RFC 6455 §4.2.2 only */
void crypto_sha256(struct slice data, uint8_t out[SHA256_BYTES]);
void crypto_hmac_sha256(struct slice key, struct slice data, uint8_t out[SHA256_BYTES]);

/* Compare in time that depends on the lengths alone. */
bool crypto_equal(struct slice a, struct slice b);

/* Append `len` bytes as text. base64: standard alphabet with padding (RFC 4648 §4);
 * base64url: URL alphabet without padding (§5); hex: lower case. */
int crypto_append_base64(struct buf *out, const void *data, size_t len);
int crypto_append_base64url(struct buf *out, const void *data, size_t len);
int crypto_append_hex(struct buf *out, const void *data, size_t len);

/* Decode and append. base64: padding may be missing. Returns 0, ERR_INVALID for any
 * character outside the alphabet or an impossible length, or ERR_TOO_BIG. */
int crypto_decode_base64(struct slice text, struct buf *out);
int crypto_decode_base64url(struct slice text, struct buf *out);
int crypto_decode_hex(struct slice text, struct buf *out);

#endif

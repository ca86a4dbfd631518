/* jwt_stage.h -- tokens made by hand, well and badly, for the tests of jwt.h. */
#ifndef TASKWIRE_TESTS_JWT_STAGE_H
#define TASKWIRE_TESTS_JWT_STAGE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/err.h"
#include "common/jwt.h"
#include "tests/unit/common/jwt_vectors.h"

#define NOW  INT64_C(1800000000)
#define HS   "{\"alg\":\"HS256\"}"
#define GOOD "{\"sub\":\"u\",\"exp\":4000000000}"

static inline struct jwt_key *secret_key(void)
{
    struct jwt_key *key = jwt_key_from_secret(SLICE(VECTOR_SECRET), NULL);

    assert_non_null(key);
    return key;
}

/* header.payload, both as text, encoded. */
static inline void append_signed_part(struct buf *out, const char *header, struct slice payload)
{
    crypto_append_base64url(out, header, strlen(header));
    buf_append_char(out, '.');
    crypto_append_base64url(out, payload.data, payload.len);
}

/* A token with a good HS256 signature, whatever header and payload are. */
static inline void make_token(struct buf *out, const char *header, struct slice payload)
{
    uint8_t signature[SHA256_BYTES];

    buf_init(out, 100000);
    append_signed_part(out, header, payload);
    crypto_hmac_sha256(SLICE(VECTOR_SECRET), buf_peek(out), signature);
    buf_append_char(out, '.');
    crypto_append_base64url(out, signature, sizeof(signature));
}

static inline int verify_signed(const char *header, struct slice payload, struct claims *out)
{
    struct jwt_key *key = secret_key();
    struct buf      token;
    int             err;

    make_token(&token, header, payload);
    err = jwt_verify(key, buf_peek(&token), NOW, out);
    buf_deinit(&token);
    jwt_key_free(key);
    return err;
}

static inline int verify_payload(const char *payload, struct claims *out)
{
    return verify_signed(HS, slice_of(payload), out);
}

static inline int verify_header(const char *header)
{
    struct claims claims;

    return verify_signed(header, SLICE(GOOD), &claims);
}

static inline int verify_text(const struct jwt_key *key, struct slice token)
{
    struct claims claims;

    return jwt_verify(key, token, NOW, &claims);
}

#endif

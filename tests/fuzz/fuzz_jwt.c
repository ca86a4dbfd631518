/* fuzz_jwt.c -- tokens from strangers.
 *
 * The first byte chooses what the rest is: a whole token for one of three keys; the header
 * of a token that is otherwise good; or a payload that carries a good signature (a fuzzer
 * could never find one by itself, and most of the code lies behind it). What is accepted is
 * held against the promises of jwt.h. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/err.h"
#include "common/jwt.h"
#include "common/utf8.h"
#include "tests/unit/common/jwt_vectors.h"

#define NOW INT64_C(1800000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
    if (!is_true)
        abort();
}

static void check(const struct jwt_key *key, struct slice token)
{
    struct claims c;
    char          fingerprint[JWT_FINGERPRINT_SIZE];
    int           err = jwt_verify(key, token, NOW, &c);

    jwt_fingerprint(token, fingerprint);
    must(strlen(fingerprint) == JWT_FINGERPRINT_SIZE - 1);
    must(err == 0 || err == ERR_EXPIRED || err == ERR_TOKEN);
    if (err == ERR_TOKEN) {
        must(c.sub[0] == '\0' && !c.is_admin);
        return;
    }
    must(jwt_id_is_valid(slice_of(c.sub)));
    must(c.org[0] == '~' ? strcmp(c.org + 1, c.sub) == 0 : jwt_id_is_valid(slice_of(c.org)));
    must(c.name[0] != '\0' && utf8_is_valid(slice_of(c.name)));
    must(!utf8_has_control(slice_of(c.name)) && !utf8_has_control(slice_of(c.jti)));
    must(err == ERR_EXPIRED || c.exp_s > NOW);
    must(token.len <= JWT_TOKEN_MAX);
}

/* A token with a good HS256 signature over whatever it is made of. */
static void check_signed(const struct jwt_key *key, struct slice header, struct slice payload)
{
    uint8_t    signature[SHA256_BYTES];
    struct buf token;

    buf_init(&token, 1 << 20);
    crypto_append_base64url(&token, header.data, header.len);
    buf_append_char(&token, '.');
    crypto_append_base64url(&token, payload.data, payload.len);
    crypto_hmac_sha256(SLICE(VECTOR_SECRET), buf_peek(&token), signature);
    buf_append_char(&token, '.');
    crypto_append_base64url(&token, signature, sizeof(signature));
    if (!buf_failed(&token))
        check(key, buf_peek(&token));
    buf_deinit(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct jwt_key *keys[3];
    struct slice           rest;

    if (keys[0] == NULL) {
        keys[0] = jwt_key_from_secret(SLICE(VECTOR_SECRET), NULL);
        keys[1] = jwt_key_from_pem(SLICE(VECTOR_RSA_PEM), NULL);
        keys[2] = jwt_key_from_pem(SLICE(VECTOR_P256_PEM), NULL);
        must(keys[0] != NULL && keys[1] != NULL && keys[2] != NULL);
    }
    if (size == 0)
        return 0;
    rest = slice_make((const char *)data + 1, size - 1);
    switch (data[0]) {
    case 'h': check(keys[0], rest); break;
    case 'r': check(keys[1], rest); break;
    case 'e': check(keys[2], rest); break;
    case 'k': jwt_key_free(jwt_key_from_pem(rest, NULL)); break;
    case 'H': check_signed(keys[0], rest, SLICE("{\"sub\":\"u\",\"exp\":4000000000}")); break;
    default:  check_signed(keys[0], SLICE("{\"alg\":\"HS256\"}"), rest); break;
    }
    return 0;
}

/* Keys of every kind, made here with OpenSSL, and tokens that we sign. */
#include "tests/unit/common/jwt_stage.h"

/* --- keys, made here --- */

static struct jwt_key *public_of(EVP_PKEY *pair, struct buf *why)
{
    BIO            *bio = BIO_new(BIO_s_mem());
    char           *pem;
    long            len;
    struct jwt_key *key;

    assert_int_equal(PEM_write_bio_PUBKEY(bio, pair), 1);
    len = BIO_get_mem_data(bio, &pem);
    key = jwt_key_from_pem(slice_make(pem, (size_t)len), why);
    BIO_free(bio);
    return key;
}

static size_t sign_der(EVP_PKEY *pair, struct slice text, uint8_t *out, size_t size)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pair), 1);
    assert_int_equal(EVP_DigestSign(ctx, out, &size, (const uint8_t *)text.data, text.len), 1);
    EVP_MD_CTX_free(ctx);
    return size;
}

static int verify_with_signature(const struct jwt_key *key, const char *header,
                                 const void *signature, size_t len)
{
    struct buf token;
    int        err;

    buf_init(&token, 10000);
    append_signed_part(&token, header, SLICE(GOOD));
    buf_append_char(&token, '.');
    crypto_append_base64url(&token, signature, len);
    err = verify_text(key, buf_peek(&token));
    buf_deinit(&token);
    return err;
}

/* Sign GOOD with a P-256 key; writes r and s side by side. Returns the length of the DER. */
static size_t sign_es256(EVP_PKEY *pair, uint8_t raw[64], uint8_t *der, size_t size)
{
    struct buf     text;
    const uint8_t *at = der;
    ECDSA_SIG     *sig;
    size_t         len;

    buf_init(&text, 1000);
    append_signed_part(&text, "{\"alg\":\"ES256\"}", SLICE(GOOD));
    len = sign_der(pair, buf_peek(&text), der, size);
    sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
    assert_non_null(sig);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32), 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32), 32);
    ECDSA_SIG_free(sig);
    buf_deinit(&text);
    return len;
}

static void es256_signatures_are_read_raw_and_only_so(void **state)
{
    EVP_PKEY       *pair = EVP_EC_gen("P-256");
    struct jwt_key *key = public_of(pair, NULL);
    uint8_t         raw[65], der[128];
    size_t          der_len;

    (void)state;
    assert_non_null(key);
    for (int i = 0; i < 50; i++) {              /* some of these have leading zero bytes */
        der_len = sign_es256(pair, raw, der, sizeof(der));
        assert_int_equal(verify_with_signature(key, "{\"alg\":\"ES256\"}", raw, 64), 0);
    }
    assert_int_equal(verify_with_signature(key, "{\"alg\":\"ES256\"}", der, der_len), ERR_TOKEN);
    assert_int_equal(verify_with_signature(key, "{\"alg\":\"ES256\"}", raw, 63), ERR_TOKEN);
    raw[64] = 0;
    assert_int_equal(verify_with_signature(key, "{\"alg\":\"ES256\"}", raw, 65), ERR_TOKEN);
    memset(raw, 0, sizeof(raw));               /* r = s = 0: the "psychic signature" */
    assert_int_equal(verify_with_signature(key, "{\"alg\":\"ES256\"}", raw, 64), ERR_TOKEN);
    memset(raw, 0xff, sizeof(raw));
    assert_int_equal(verify_with_signature(key, "{\"alg\":\"ES256\"}", raw, 64), ERR_TOKEN);
    jwt_key_free(key);
    EVP_PKEY_free(pair);
}

static void rs256_signatures_of_a_fresh_key_hold(void **state)
{
    EVP_PKEY       *pair = EVP_RSA_gen(2048), *other = EVP_RSA_gen(2048);
    struct jwt_key *key = public_of(pair, NULL), *other_key = public_of(other, NULL);
    uint8_t         signature[512];
    struct buf      text;
    size_t          len;

    (void)state;
    buf_init(&text, 1000);
    append_signed_part(&text, "{\"alg\":\"RS256\"}", SLICE(GOOD));
    len = sign_der(pair, buf_peek(&text), signature, sizeof(signature));
    assert_int_equal(verify_with_signature(key, "{\"alg\":\"RS256\"}", signature, len), 0);
    assert_int_equal(verify_with_signature(other_key, "{\"alg\":\"RS256\"}", signature, len),
                     ERR_TOKEN);
    assert_int_equal(verify_with_signature(key, "{\"alg\":\"RS256\"}", signature, len - 1),
                     ERR_TOKEN);
    assert_int_equal(verify_with_signature(key, "{\"alg\":\"HS256\"}", signature, len), ERR_TOKEN);
    buf_deinit(&text);
    jwt_key_free(key);
    jwt_key_free(other_key);
    EVP_PKEY_free(pair);
    EVP_PKEY_free(other);
}

static void assert_key_is_refused(EVP_PKEY *pair, const char *why)
{
    struct buf problem;

    buf_init(&problem, 1000);
    assert_null(public_of(pair, &problem));
    assert_non_null(strstr(problem.data, why));
    buf_deinit(&problem);
    EVP_PKEY_free(pair);
}

static void weak_or_foreign_keys_are_refused_with_a_reason(void **state)
{
    struct buf why;

    (void)state;
    assert_key_is_refused(EVP_RSA_gen(1024), "2048");
    assert_key_is_refused(EVP_EC_gen("P-384"), "P-256");
    assert_key_is_refused(EVP_EC_gen("secp256k1"), "P-256");
    assert_key_is_refused(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "neither");
    buf_init(&why, 1000);
    assert_null(jwt_key_from_secret(SLICE("0123456789abcdef0123456789abcde"), &why));
    assert_non_null(strstr(why.data, "32 bytes"));
    assert_null(jwt_key_from_pem(SLICE("not a key"), &why));
    assert_null(jwt_key_from_pem(slice_make(NULL, 0), NULL));
    assert_null(jwt_key_from_pem(SLICE("-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\n"
                                       "DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\n"
                                       "AAAA\n-----END PUBLIC KEY-----\n"), NULL));
    buf_deinit(&why);
}

static void a_private_key_is_no_public_key(void **state)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    BIO      *bio = BIO_new(BIO_s_mem());
    char     *pem;
    long      len;

    (void)state;
    assert_int_equal(PEM_write_bio_PrivateKey(bio, pair, NULL, NULL, 0, NULL, NULL), 1);
    len = BIO_get_mem_data(bio, &pem);
    assert_null(jwt_key_from_pem(slice_make(pem, (size_t)len), NULL));
    BIO_free(bio);
    EVP_PKEY_free(pair);
}

/* --- making --- */

static void what_we_sign_we_accept(void **state)
{
    struct jwt_key *key = secret_key();
    struct buf      token;
    struct claims   c;

    (void)state;
    buf_init(&token, 1000);
    buf_append_text(&token, "Bearer ");
    assert_int_equal(
        jwt_sign(key, SLICE("{\"sub\":\"g\",\"aud\":\"taskd\",\"exp\":4000000000}"), &token), 0);
    assert_int_equal(jwt_verify(key, slice_from(buf_peek(&token), 7), NOW, &c), 0);
    assert_string_equal(c.aud, "taskd");
    buf_deinit(&token);
    buf_init(&token, 60);
    assert_int_equal(jwt_sign(key, SLICE(GOOD), &token), ERR_TOO_BIG);
    buf_deinit(&token);
    jwt_key_free(key);
}

static void a_fingerprint_leaves_the_signature_out(void **state)
{
    char a[JWT_FINGERPRINT_SIZE], b[JWT_FINGERPRINT_SIZE];

    (void)state;
    jwt_fingerprint(SLICE(VECTOR_HS256), a);
    assert_string_equal(a, VECTOR_HS256_FINGERPRINT);
    jwt_fingerprint(slice_make(VECTOR_HS256, sizeof(VECTOR_HS256) - 5), b);
    assert_string_equal(a, b);
    jwt_fingerprint(SLICE("x.y"), a);
    jwt_fingerprint(SLICE("x.y."), b);
    assert_string_equal(a, b);
    jwt_fingerprint(slice_make(NULL, 0), a);
    assert_int_equal(strlen(a), 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(es256_signatures_are_read_raw_and_only_so),
        cmocka_unit_test(rs256_signatures_of_a_fresh_key_hold),
        cmocka_unit_test(weak_or_foreign_keys_are_refused_with_a_reason),
        cmocka_unit_test(a_private_key_is_no_public_key),
        cmocka_unit_test(what_we_sign_we_accept),
        cmocka_unit_test(a_fingerprint_leaves_the_signature_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

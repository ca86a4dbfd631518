/* jwt.c -- see jwt.h.
 *
 * Libraries for JWT exist (libjwt), and their history is a list of what goes wrong: `none`,
 * an RSA key taken for an HMAC secret, two spellings of one signature. What is needed here
 * is small enough to be read whole, so it is our own, over OpenSSL's verification:
 *
 *     split at two dots -> header: alg is the key's, no crit -> signature over the first
 *     two parts as they came -> claims, in one pass -> time, last
 *
 * Nothing of the payload is looked at before the signature holds. Nothing in a header is
 * ever used to find a key. JSON with repeated keys or anything after it is refused, and so
 * is base64url that is not in its one canonical form, so that what was signed has one
 * spelling and its hash can stand on a list of revoked tokens. */
#include "common/jwt.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/err.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/utf8.h"

#define SECRET_BYTES_MIN 32
#define RSA_BITS_MIN     2048
#define RSA_BITS_MAX     8192                  /* verifying costs with the cube of it */
#define P256_BYTES       32                    /* of r, and of s */
#define PEM_BYTES_MAX    65536
#define TIME_S_MAX       (INT64_C(1) << 53)

enum alg { ALG_HS256, ALG_RS256, ALG_ES256 };

static const char *const ALGS[] = { "HS256", "RS256", "ES256" };

struct jwt_key {
    enum alg  alg;
    char     *secret;                          /* HS256 */
    size_t    secret_len;
    EVP_PKEY *public;                          /* RS256, ES256 */
};

/* The three parts of a token as they came, and what was signed: the first two and their dot. */
struct parts {
    struct slice header, payload, signature, is_signed;
};

/* --- keys --- */

static void say(struct buf *why, const char *text)
{
    if (why != NULL)
        buf_append_text(why, text);
}

struct jwt_key *jwt_key_from_secret(struct slice secret, struct buf *why)
{
    struct jwt_key *key;

    if (secret.len < SECRET_BYTES_MIN) {
        say(why, "the secret is shorter than 32 bytes");
        return NULL;
    }
    if (secret.len > INT_MAX) {
        say(why, "the secret is too long");
        return NULL;
    }
    key = mem_new(struct jwt_key);
    key->alg = ALG_HS256;
    key->secret = mem_dup(secret.data, secret.len);
    key->secret_len = secret.len;
    return key;
}

/* Without this, OpenSSL would ask for a pass phrase on the terminal. */
static int on_pass_phrase(char *to, int size, int is_writing, void *arg)
{
    (void)to, (void)size, (void)is_writing, (void)arg;
    return -1;
}

static EVP_PKEY *read_public(struct slice pem)
{
    BIO      *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    EVP_PKEY *public;

    if (bio == NULL)
        abort();                               /* out of memory: mem.h */
    public = PEM_read_bio_PUBKEY(bio, NULL, on_pass_phrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    return public;
}

static bool is_p256(const EVP_PKEY *public)
{
    char   group[64];
    size_t len = 0;

    return EVP_PKEY_get_utf8_string_param(public, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
                                          &len) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

/* Which algorithm a public key takes. Returns NULL, or what is wrong with the key. */
static const char *alg_of(const EVP_PKEY *public, enum alg *out)
{
    int bits = EVP_PKEY_get_bits(public);

    if (EVP_PKEY_is_a(public, "RSA")) {
        *out = ALG_RS256;
        return bits < RSA_BITS_MIN ? "the RSA key has fewer than 2048 bits" :
               bits > RSA_BITS_MAX ? "the RSA key has more than 8192 bits" : NULL;
    }
    *out = ALG_ES256;
    if (EVP_PKEY_is_a(public, "EC"))
        return is_p256(public) ? NULL : "the elliptic curve is not P-256";
    return "the key is neither RSA nor EC";
}

struct jwt_key *jwt_key_from_pem(struct slice pem, struct buf *why)
{
    struct jwt_key *key;
    const char     *problem;
    EVP_PKEY       *public = pem.len == 0 || pem.len > PEM_BYTES_MAX ? NULL : read_public(pem);
    enum alg        alg;

    if (public == NULL) {
        say(why, "it is no PEM public key (\"BEGIN PUBLIC KEY\")");
        return NULL;
    }
    problem = alg_of(public, &alg);
    ERR_clear_error();
    if (problem != NULL) {
        say(why, problem);
        EVP_PKEY_free(public);
        return NULL;
    }
    key = mem_new(struct jwt_key);
    key->alg = alg;
    key->public = public;
    return key;
}

void jwt_key_free(struct jwt_key *key)
{
    if (key == NULL)
        return;
    if (key->secret != NULL)
        OPENSSL_cleanse(key->secret, key->secret_len);
    free(key->secret);
    EVP_PKEY_free(key->public);
    free(key);
}

/* --- signatures --- */

static bool verify_hs256(const struct jwt_key *key, struct slice text, struct slice signature)
{
    uint8_t want[SHA256_BYTES];

    crypto_hmac_sha256(slice_make(key->secret, key->secret_len), text, want);
    return crypto_equal(signature, slice_make((const char *)want, sizeof(want)));
}

static bool verify_public(const struct jwt_key *key, struct slice text, const unsigned char *der,
                          size_t der_len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool        is_good;

    if (ctx == NULL)
        abort();                               /* out of memory: mem.h */
    is_good = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key->public) == 1 &&
              EVP_DigestVerify(ctx, der, der_len, (const unsigned char *)text.data, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return is_good;
}

/* JWS writes r and s side by side (RFC 7518 §3.4), OpenSSL reads a DER sequence of the two. */
static bool verify_es256(const struct jwt_key *key, struct slice text, struct slice signature)
{
    const unsigned char *raw = (const unsigned char *)signature.data;
    unsigned char       *der = NULL;
    ECDSA_SIG           *pair;
    BIGNUM              *r, *s;
    int                  der_len;
    bool                 is_good;

    if (signature.len != 2 * P256_BYTES)
        return false;
    pair = ECDSA_SIG_new();
    r = BN_bin2bn(raw, P256_BYTES, NULL);
    s = BN_bin2bn(raw + P256_BYTES, P256_BYTES, NULL);
    if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1)
        abort();                               /* out of memory: mem.h */
    der_len = i2d_ECDSA_SIG(pair, &der);
    is_good = der_len > 0 && verify_public(key, text, der, (size_t)der_len);
    OPENSSL_free(der);
    ECDSA_SIG_free(pair);
    return is_good;
}

static bool is_signature_good(const struct jwt_key *key, struct slice text, struct slice signature)
{
    switch (key->alg) {
    case ALG_HS256:
        return verify_hs256(key, text, signature);
    case ALG_RS256:
        return verify_public(key, text, (const unsigned char *)signature.data, signature.len);
    case ALG_ES256:
        return verify_es256(key, text, signature);
    }
    return false;
}

/* --- parts --- */

static bool split(struct slice token, struct parts *out)
{
    struct slice rest = token;

    if (token.len == 0 || token.len > JWT_TOKEN_MAX)
        return false;
    out->header = slice_cut(&rest, '.');
    out->payload = slice_cut(&rest, '.');
    out->signature = rest;                     /* a third dot is outside base64url's alphabet */
    if (out->header.len == 0 || out->payload.len == 0 || out->signature.len == 0)
        return false;
    out->is_signed = slice_make(token.data, out->header.len + 1 + out->payload.len);
    return true;
}

/* A part as a JSON object, a new reference; NULL where it is none. */
static json_t *decode_object(struct slice part, struct buf *scratch)
{
    json_t *value;

    buf_reset(scratch);
    if (crypto_decode_base64url(part, scratch) != 0)
        return NULL;
    value = json_parse(buf_peek(scratch), NULL);
    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

static bool is_header_good(const struct jwt_key *key, struct slice part, struct buf *scratch)
{
    json_t       *header = decode_object(part, scratch);
    const char   *alg = json_text(header, "alg");
    const json_t *typ = json_object_get(header, "typ");
    bool          is_good;

    /* We understand no extension, so every crit is one we must refuse (RFC 7515 §4.1.11). */
    is_good = alg != NULL && strcmp(alg, ALGS[key->alg]) == 0 &&
              (typ == NULL || json_is_string(typ)) && json_object_get(header, "crit") == NULL;
    json_decref(header);
    return is_good;
}

/* The payload of a token whose signature holds, a new reference; else NULL. */
static json_t *payload_of(const struct jwt_key *key, struct slice token)
{
    struct parts parts;
    struct buf   scratch;
    json_t      *payload = NULL;

    if (!split(token, &parts))
        return NULL;
    buf_init(&scratch, JWT_TOKEN_MAX);
    if (is_header_good(key, parts.header, &scratch)) {
        buf_reset(&scratch);
        if (crypto_decode_base64url(parts.signature, &scratch) == 0 &&
            is_signature_good(key, parts.is_signed, buf_peek(&scratch)))
            payload = decode_object(parts.payload, &scratch);
    }
    buf_deinit(&scratch);
    return payload;
}

/* --- claims: each reader returns whether the claim is well-formed or, if it may be, missing --- */

bool jwt_id_is_valid(struct slice text)
{
    if (text.len < 1 || text.len > JWT_ID_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool is_alnum = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (!is_alnum && (c == '\0' || strchr("._:@|+-", c) == NULL))
            return false;
    }
    return true;
}

static void copy_text(char *to, struct slice text)
{
    memcpy(to, text.data, text.len);
    to[text.len] = '\0';
}

/* sub and org: `out` has room for JWT_ID_MAX bytes and a NUL. */
static bool read_id(const json_t *claim, char *out)
{
    struct slice text = slice_of(json_string_value(claim));

    if (!json_is_string(claim) || !jwt_id_is_valid(text))
        return false;
    copy_text(out, text);
    return true;
}

/* jti and aud: any short text without control characters. */
static bool read_label(const json_t *claim, char *out)
{
    struct slice text = slice_of(json_string_value(claim));

    if (claim == NULL)
        return true;
    if (!json_is_string(claim) || text.len > JWT_ID_MAX || utf8_has_control(text))
        return false;
    copy_text(out, text);
    return true;
}

static bool read_org(const json_t *claim, const char *sub, char *out)
{
    if (claim != NULL)
        return read_id(claim, out);
    out[0] = '~';                              /* in no org's alphabet: nobody else's */
    copy_text(out + 1, slice_of(sub));
    return true;
}

static bool read_name(const json_t *claim, const char *sub, char *out)
{
    struct slice text = slice_of(json_string_value(claim));

    if (claim != NULL && (!json_is_string(claim) || utf8_has_control(text)))
        return false;
    copy_text(out, utf8_cut(text.len != 0 ? text : slice_of(sub), JWT_NAME_MAX));
    return true;
}

static bool read_aud(const json_t *claim, char *out)
{
    size_t        i;
    const json_t *one;

    if (!json_is_array(claim))
        return read_label(claim, out);
    json_array_foreach(claim, i, one) {
        if (!json_is_string(one))
            return false;
    }
    return true;
}

static bool read_roles(const json_t *claim, bool *out_is_admin)
{
    size_t        i;
    const json_t *role;

    if (claim == NULL)
        return true;
    if (!json_is_array(claim))
        return false;
    json_array_foreach(claim, i, role) {
        if (!json_is_string(role))
            return false;
        if (strcmp(json_string_value(role), "admin") == 0)
            *out_is_admin = true;
    }
    return true;
}

/* A NumericDate (RFC 7519 §2): whole or not, rounded by `round` to whole seconds. */
static bool read_time(const json_t *claim, double round(double), int64_t *out)
{
    if (json_is_integer(claim)) {
        *out = json_integer_value(claim);
    } else {
        double value = json_is_real(claim) ? json_real_value(claim) : -1;

        if (!(value >= 0 && value <= (double)TIME_S_MAX))
            return false;
        *out = (int64_t)round(value);
    }
    return *out >= 0 && *out <= TIME_S_MAX;
}

/* Returns 0, ERR_TOKEN, or ERR_EXPIRED. */
static int read_times(const json_t *payload, int64_t now_s, struct claims *out)
{
    const json_t *iat = json_object_get(payload, "iat");
    const json_t *nbf = json_object_get(payload, "nbf");
    int64_t       nbf_s = 0;

    if (!read_time(json_object_get(payload, "exp"), floor, &out->exp_s) ||
        (iat != NULL && !read_time(iat, floor, &out->iat_s)) ||
        (nbf != NULL && !read_time(nbf, ceil, &nbf_s)))
        return ERR_TOKEN;
    return now_s >= out->exp_s || now_s < nbf_s ? ERR_EXPIRED : 0;
}

static int read_claims(const json_t *payload, int64_t now_s, struct claims *out)
{
    if (!read_id(json_object_get(payload, "sub"), out->sub) ||
        !read_org(json_object_get(payload, "org"), out->sub, out->org) ||
        !read_name(json_object_get(payload, "name"), out->sub, out->name) ||
        !read_label(json_object_get(payload, "jti"), out->jti) ||
        !read_aud(json_object_get(payload, "aud"), out->aud) ||
        !read_roles(json_object_get(payload, "roles"), &out->is_admin))
        return ERR_TOKEN;
    return read_times(payload, now_s, out);
}

int jwt_verify(const struct jwt_key *key, struct slice token, int64_t now_s, struct claims *out)
{
    json_t *payload = payload_of(key, token);
    int     err;

    memset(out, 0, sizeof(*out));
    if (payload == NULL)
        return ERR_TOKEN;
    err = read_claims(payload, now_s, out);
    json_decref(payload);
    if (err == ERR_TOKEN)
        memset(out, 0, sizeof(*out));          /* nothing of a bad token is ever used */
    return err;
}

int jwt_sign(const struct jwt_key *key, struct slice payload_json, struct buf *out_token)
{
    static const char HEADER[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    size_t            before = out_token->len;
    uint8_t           signature[SHA256_BYTES];

    if (key->alg != ALG_HS256)
        return ERR_INVALID;
    crypto_append_base64url(out_token, HEADER, sizeof(HEADER) - 1);
    buf_append_char(out_token, '.');
    crypto_append_base64url(out_token, payload_json.data, payload_json.len);
    if (buf_failed(out_token))
        return ERR_TOO_BIG;
    crypto_hmac_sha256(slice_make(key->secret, key->secret_len),
                       slice_from(buf_peek(out_token), before), signature);
    buf_append_char(out_token, '.');
    crypto_append_base64url(out_token, signature, sizeof(signature));
    return buf_failed(out_token) ? ERR_TOO_BIG : 0;
}

void jwt_fingerprint(struct slice token, char out[JWT_FINGERPRINT_SIZE])
{
    struct slice rest = token, header, payload;
    uint8_t      digest[SHA256_BYTES];
    struct buf   hex;

    header = slice_cut(&rest, '.');
    payload = slice_cut(&rest, '.');
    if (rest.data != NULL)                     /* else it has fewer than two dots: hash it all */
        token.len = header.len + 1 + payload.len;
    crypto_sha256(token, digest);
    buf_init(&hex, JWT_FINGERPRINT_SIZE);
    crypto_append_hex(&hex, digest, sizeof(digest));
    copy_text(out, buf_peek(&hex));
    buf_deinit(&hex);
}

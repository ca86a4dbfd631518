/* crypto.c -- see crypto.h.
 *
 * Hashes come from OpenSSL 3's one-shot calls (nothing deprecated, so newer versions build
 * too). The text codecs are our own: OpenSSL's base64 skips blanks and newlines, wants
 * padding and has no URL alphabet, and a codec that accepts two spellings of the same bytes
 * lets a token pass a deny list that holds its other spelling. So base64url, which tokens
 * use, is read in its one canonical form; base64, which comes from many encoders, may have
 * stray bits in its last character. */
#include "common/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <limits.h>
#include <stdlib.h>

#include "common/err.h"

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char BASE64URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* What cannot fail but for a broken library or machine: nothing safe can be done then. */
static void must(bool is_ok)
{
    if (!is_ok)
        abort();
}

void crypto_random(void *out, size_t len)
{
    must(len <= INT_MAX && RAND_bytes(out, (int)len) == 1);
}

static const void *data_of(struct slice s)
{
    return s.data != NULL ? s.data : "";
}

void crypto_sha1(struct slice data, uint8_t out[SHA1_BYTES])
{
    must(EVP_Digest(data_of(data), data.len, out, NULL, EVP_sha1(), NULL) == 1);
}

void crypto_sha256(struct slice data, uint8_t out[SHA256_BYTES])
{
    must(EVP_Digest(data_of(data), data.len, out, NULL, EVP_sha256(), NULL) == 1);
}

void crypto_hmac_sha256(struct slice key, struct slice data, uint8_t out[SHA256_BYTES])
{
    unsigned int len = SHA256_BYTES;

    must(key.len <= INT_MAX);
    must(HMAC(EVP_sha256(), data_of(key), (int)key.len, data_of(data), data.len, out, &len) !=
         NULL);
}

bool crypto_equal(struct slice a, struct slice b)
{
    return a.len == b.len && CRYPTO_memcmp(data_of(a), data_of(b), a.len) == 0;
}

/* --- text --- */

static int append_base64(struct buf *out, const void *data, size_t len, const char *alphabet,
                         bool is_padded)
{
    const uint8_t *in = data;
    size_t         tail = len % 3, text_len;
    char          *to;

    if (len > SIZE_MAX / 2)
        return ERR_TOO_BIG;
    text_len = len / 3 * 4 + (tail == 0 ? 0 : is_padded ? 4 : tail + 1);
    to = buf_reserve(out, text_len);
    if (to == NULL)
        return ERR_TOO_BIG;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t three = (uint32_t)in[i] << 16;

        if (i + 1 < len)
            three |= (uint32_t)in[i + 1] << 8;
        if (i + 2 < len)
            three |= in[i + 2];
        *to++ = alphabet[three >> 18];
        *to++ = alphabet[three >> 12 & 63];
        if (i + 1 < len)
            *to++ = alphabet[three >> 6 & 63];
        else if (is_padded)
            *to++ = '=';
        if (i + 2 < len)
            *to++ = alphabet[three & 63];
        else if (is_padded)
            *to++ = '=';
    }
    buf_added(out, text_len);
    return 0;
}

int crypto_append_base64(struct buf *out, const void *data, size_t len)
{
    return append_base64(out, data, len, BASE64, true);
}

int crypto_append_base64url(struct buf *out, const void *data, size_t len)
{
    return append_base64(out, data, len, BASE64URL, false);
}

int crypto_append_hex(struct buf *out, const void *data, size_t len)
{
    static const char DIGITS[] = "0123456789abcdef";
    const uint8_t    *in = data;
    char             *to = len > SIZE_MAX / 2 ? NULL : buf_reserve(out, len * 2);

    if (to == NULL)
        return ERR_TOO_BIG;
    for (size_t i = 0; i < len; i++) {
        *to++ = DIGITS[in[i] >> 4];
        *to++ = DIGITS[in[i] & 15];
    }
    buf_added(out, len * 2);
    return 0;
}

/* What a character stands for, -1 for none. `c62` and `c63` are the last two of the alphabet. */
static int base64_value(char c, char c62, char c63)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == c62 ? 62 : c == c63 ? 63 : -1;
}

static int decode_base64(struct slice text, struct buf *out, const char *alphabet, bool is_strict)
{
    size_t   tail = text.len % 4;
    size_t   len = text.len / 4 * 3 + (tail == 0 ? 0 : tail - 1);
    uint8_t *to;
    uint32_t bits = 0;
    int      held = 0;                         /* bits in `bits` not yet written */

    if (tail == 1)
        return ERR_INVALID;
    to = (uint8_t *)buf_reserve(out, len);
    if (to == NULL)
        return ERR_TOO_BIG;
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_value(text.data[i], alphabet[62], alphabet[63]);

        if (value < 0)
            return ERR_INVALID;                /* what was written is past the buf's end */
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *to++ = (uint8_t)(bits >> held);
        }
        bits &= (1u << held) - 1;
    }
    if (is_strict && bits != 0)
        return ERR_INVALID;
    buf_added(out, len);
    return 0;
}

int crypto_decode_base64(struct slice text, struct buf *out)
{
    if (text.len % 4 == 0 && text.len != 0 && text.data[text.len - 1] == '=')
        text.len -= text.data[text.len - 2] == '=' ? 2 : 1;
    return decode_base64(text, out, BASE64, false);
}

int crypto_decode_base64url(struct slice text, struct buf *out)
{
    return decode_base64(text, out, BASE64URL, true);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int crypto_decode_hex(struct slice text, struct buf *out)
{
    char *to;

    if (text.len % 2 != 0)
        return ERR_INVALID;
    to = buf_reserve(out, text.len / 2);
    if (to == NULL)
        return ERR_TOO_BIG;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_value(text.data[i]), low = hex_value(text.data[i + 1]);

        if (high < 0 || low < 0)
            return ERR_INVALID;
        *to++ = (char)(high << 4 | low);
    }
    buf_added(out, text.len / 2);
    return 0;
}

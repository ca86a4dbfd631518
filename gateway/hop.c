/* hop.c -- see hop.h.
 *
 * The HMAC is over lines, none of which can hold a line feed (they are parts of an HTTP head,
 * or made here):
 *
 *     recipient, method, target, X-Forwarded-For, ms, nonce, hash of the body
 *
 * The recipient's name is in it, so that what was said to one gateway cannot be said to
 * another, whose memory of nonces is its own; a gateway that starts again has another name.
 * The body goes in by its hash: so the head can be judged before a byte of the body is kept.
 *
 * Rejected: a JWT as taskd gets (it says who asks, not what is asked: whoever saw one could say
 * something else with it for a minute), and TLS between gateways (that is the network's to
 * give; this keeps strangers out where it does not). */
#include "gateway/hop.h"

#include <inttypes.h>

#define HEX64_CHARS   16
#define SHA256_CHARS  (2 * SHA256_BYTES)
#define MS_CHARS_MAX  15
#define FIELDS        4

void hop_key_make(struct slice secret, struct hop_key *out)
{
    crypto_hmac_sha256(secret, SLICE("taskwire hop 1"), out->bytes);
}

/* --- the HMAC --- */

static void line(struct buf *b, struct slice text)
{
    buf_append_slice(b, text);
    buf_append_char(b, '\n');
}

/* In hex, appended to `out`. */
static void append_mac(const struct hop_key *key, const struct hop_request *r, struct slice ms,
                       struct slice nonce, struct slice body_hash, struct buf *out)
{
    struct buf text;
    uint8_t    mac[SHA256_BYTES];

    buf_init(&text, SIZE_MAX / 2);             /* heads have limits of their own */
    line(&text, r->recipient);
    line(&text, r->method);
    line(&text, r->target);
    line(&text, r->forwarded);
    line(&text, ms);
    line(&text, nonce);
    line(&text, body_hash);
    crypto_hmac_sha256(slice_make((const char *)key->bytes, sizeof(key->bytes)),
                       buf_peek(&text), mac);
    buf_deinit(&text);
    crypto_append_hex(out, mac, sizeof(mac));
}

static void append_hash(struct slice body, struct buf *out)
{
    uint8_t hash[SHA256_BYTES];

    crypto_sha256(body, hash);
    crypto_append_hex(out, hash, sizeof(hash));
}

void hop_sign(const struct hop_key *key, const struct hop_request *r, struct slice body,
              int64_t now_ms, uint64_t nonce, struct buf *out)
{
    struct buf ms, hex, hash;

    buf_init(&ms, MS_CHARS_MAX + 1);
    buf_init(&hex, HEX64_CHARS);
    buf_init(&hash, SHA256_CHARS);
    buf_printf(&ms, "%" PRId64, now_ms);
    buf_printf(&hex, "%016" PRIx64, nonce);
    append_hash(body, &hash);
    buf_printf(out, "%s %s %s ", ms.data, hex.data, hash.data);
    append_mac(key, r, buf_peek(&ms), buf_peek(&hex), buf_peek(&hash), out);
    buf_deinit(&ms);
    buf_deinit(&hex);
    buf_deinit(&hash);
}

/* --- checking --- */

/* Digits of `base`, lower case; false where there is anything else. */
static bool number_read(struct slice text, unsigned base, uint64_t *out)
{
    uint64_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        char     c = text.data[i];
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 99;

        if (digit >= base)
            return false;
        n = n * base + digit;
    }
    *out = n;
    return text.len > 0;
}

/* The four fields, each of its form. */
static bool fields_read(struct slice header, struct slice out[FIELDS], struct hop *h)
{
    uint64_t ms;

    for (size_t i = 0; i < FIELDS; i++)
        out[i] = slice_cut(&header, ' ');
    if (header.data != NULL || out[0].len > MS_CHARS_MAX || out[1].len != HEX64_CHARS ||
        out[2].len != SHA256_CHARS || out[3].len != SHA256_CHARS ||
        !number_read(out[0], 10, &ms) || !number_read(out[1], 16, &h->nonce))
        return false;
    h->at_ms = (int64_t)ms;
    h->body_hash = out[2];
    return true;
}

enum hop_verdict hop_check(const struct hop_key *key, const struct hop_request *r,
                           struct slice header, int64_t now_ms, struct hop *out)
{
    struct slice field[FIELDS];
    struct buf   mac;
    bool         is_genuine;

    if (header.len > HOP_VALUE_MAX || !fields_read(header, field, out))
        return HOP_MISSING;
    buf_init(&mac, SHA256_CHARS);
    append_mac(key, r, field[0], field[1], field[2], &mac);
    is_genuine = crypto_equal(buf_peek(&mac), field[3]);
    buf_deinit(&mac);
    if (!is_genuine)
        return HOP_FORGED;
    if (out->at_ms < now_ms - HOP_WINDOW_MS || out->at_ms > now_ms + HOP_WINDOW_MS)
        return HOP_EXPIRED;
    return HOP_FINE;
}

bool hop_fits_body(const struct hop *h, struct slice body)
{
    struct buf hash;
    bool       fits;

    buf_init(&hash, SHA256_CHARS);
    append_hash(body, &hash);
    fits = crypto_equal(buf_peek(&hash), h->body_hash);
    buf_deinit(&hash);
    return fits;
}

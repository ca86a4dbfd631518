/* crypto_test.c -- published vectors, and codecs there and back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/err.h"

static void assert_hex(const void *data, size_t len, const char *want)
{
    struct buf b;

    buf_init(&b, 1000);
    assert_int_equal(crypto_append_hex(&b, data, len), 0);
    assert_string_equal(b.data, want);
    buf_deinit(&b);
}

static void digests_match_published_vectors(void **state)
{
    uint8_t d[SHA256_BYTES];

    (void)state;
    crypto_sha1(SLICE("abc"), d);              /* FIPS 180 */
    assert_hex(d, SHA1_BYTES, "a9993e364706816aba3e25717850c26c9cd0d89d");
    crypto_sha256(SLICE("abc"), d);
    assert_hex(d, SHA256_BYTES, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_sha256(slice_make(NULL, 0), d);
    assert_hex(d, SHA256_BYTES, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    crypto_hmac_sha256(SLICE("Jefe"), SLICE("what do ya want for nothing?"), d);   /* RFC 4231 */
    assert_hex(d, SHA256_BYTES, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    crypto_hmac_sha256(slice_make(NULL, 0), slice_make(NULL, 0), d);
    assert_hex(d, SHA256_BYTES, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void the_websocket_handshake_of_rfc_6455_comes_out(void **state)
{
    uint8_t    d[SHA1_BYTES];
    struct buf b;

    (void)state;
    crypto_sha1(SLICE("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"), d);
    buf_init(&b, 100);
    crypto_append_base64(&b, d, sizeof(d));
    assert_string_equal(b.data, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    buf_deinit(&b);
}

static void base64_of_rfc_4648_goes_there_and_back(void **state)
{
    static const char *const CASES[][3] = {
        { "", "", "" },
        { "f", "Zg==", "Zg" },
        { "fo", "Zm8=", "Zm8" },
        { "foo", "Zm9v", "Zm9v" },
        { "foob", "Zm9vYg==", "Zm9vYg" },
        { "fooba", "Zm9vYmE=", "Zm9vYmE" },
        { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
        { "\xfb\xff\xfe", "+//+", "-__-" },
    };
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const char *plain = CASES[i][0];

        buf_reset(&b);
        crypto_append_base64(&b, plain, strlen(plain));
        assert_true(slice_is(buf_peek(&b), CASES[i][1]));
        buf_reset(&b);
        crypto_append_base64url(&b, plain, strlen(plain));
        assert_true(slice_is(buf_peek(&b), CASES[i][2]));
        buf_reset(&b);
        assert_int_equal(crypto_decode_base64(slice_of(CASES[i][1]), &b), 0);
        assert_true(slice_is(buf_peek(&b), plain));
        buf_reset(&b);
        assert_int_equal(crypto_decode_base64url(slice_of(CASES[i][2]), &b), 0);
        assert_true(slice_is(buf_peek(&b), plain));
    }
    buf_reset(&b);
    assert_int_equal(crypto_decode_base64(SLICE("Zg"), &b), 0);       /* padding may be missing */
    assert_true(slice_is(buf_peek(&b), "f"));
    buf_deinit(&b);
}

static void all_bytes_survive_every_codec(void **state)
{
    uint8_t    bytes[256];
    struct buf text, back;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    buf_init(&text, 1000);
    buf_init(&back, 1000);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        struct slice want = slice_make((const char *)bytes + (256 - len), len);

        buf_reset(&text), buf_reset(&back);
        crypto_append_base64(&text, want.data, len);
        assert_int_equal(crypto_decode_base64(buf_peek(&text), &back), 0);
        assert_true(slice_eq(buf_peek(&back), want));
        buf_reset(&text), buf_reset(&back);
        crypto_append_base64url(&text, want.data, len);
        assert_int_equal(crypto_decode_base64url(buf_peek(&text), &back), 0);
        assert_true(slice_eq(buf_peek(&back), want));
        buf_reset(&text), buf_reset(&back);
        crypto_append_hex(&text, want.data, len);
        assert_int_equal(crypto_decode_hex(buf_peek(&text), &back), 0);
        assert_true(slice_eq(buf_peek(&back), want));
    }
    buf_deinit(&text);
    buf_deinit(&back);
}

static void what_is_outside_the_alphabet_is_refused_and_nothing_added(void **state)
{
    static const char *const BAD_BASE64[] = {
        "Z",        "Zm9vY", "Zg=",   "Zg===", "=",    "==",    "====",
        "Zm9v====", "Zm 9",  "Zm9\n", "Zm-_",  "Z=g=", "Zm9v=",
    };
    static const char *const BAD_BASE64URL[] = {
        "Z", "Zg==", "Zm8=", "Zm+/", "Zm9v ", "Zh", "Zm9", "Zm9vYmF=", ".", "\xc3\xa4",
    };
    static const char *const BAD_HEX[] = { "0", "0g", " 0", "0x", "000" };
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    buf_append_text(&b, "x");
    for (size_t i = 0; i < sizeof(BAD_BASE64) / sizeof(BAD_BASE64[0]); i++)
        assert_int_equal(crypto_decode_base64(slice_of(BAD_BASE64[i]), &b), ERR_INVALID);
    for (size_t i = 0; i < sizeof(BAD_BASE64URL) / sizeof(BAD_BASE64URL[0]); i++)
        assert_int_equal(crypto_decode_base64url(slice_of(BAD_BASE64URL[i]), &b), ERR_INVALID);
    for (size_t i = 0; i < sizeof(BAD_HEX) / sizeof(BAD_HEX[0]); i++)
        assert_int_equal(crypto_decode_hex(slice_of(BAD_HEX[i]), &b), ERR_INVALID);
    assert_int_equal(crypto_decode_base64url(slice_make("Zm9v\0", 5), &b), ERR_INVALID);
    assert_int_equal(b.len, 1);
    assert_int_equal(crypto_decode_hex(SLICE("aAfF"), &b), 0);
    assert_true(slice_is(buf_peek(&b), "x\xaa\xff"));
    buf_deinit(&b);
}

static void exactly_one_spelling_of_base64url_is_accepted(void **state)
{
    static const char ALPHABET[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char       text[3] = "A?";
    int        accepted = 0;
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    for (int i = 0; i < 64; i++) {
        text[1] = ALPHABET[i];
        buf_reset(&b);
        accepted += crypto_decode_base64url(slice_of(text), &b) == 0;
    }
    assert_int_equal(accepted, 4);             /* two bits of data are left in it */
    buf_deinit(&b);
}

static void ceilings_hold(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 3);
    assert_int_equal(crypto_append_base64(&b, "a", 1), ERR_TOO_BIG);
    assert_int_equal(crypto_append_hex(&b, "ab", 2), ERR_TOO_BIG);
    assert_int_equal(crypto_decode_base64(SLICE("AAAAAAAA"), &b), ERR_TOO_BIG);
    assert_int_equal(crypto_decode_hex(SLICE("00000000"), &b), ERR_TOO_BIG);
    assert_int_equal(b.len, 0);
    buf_deinit(&b);
}

static void equality_needs_every_byte(void **state)
{
    (void)state;
    assert_true(crypto_equal(SLICE("abc"), SLICE("abc")));
    assert_false(crypto_equal(SLICE("abc"), SLICE("abd")));
    assert_false(crypto_equal(SLICE("abc"), SLICE("ab")));
    assert_true(crypto_equal(slice_make(NULL, 0), SLICE("")));
}

static void random_bytes_differ(void **state)
{
    uint8_t a[32] = { 0 }, b[32] = { 0 };

    (void)state;
    crypto_random(a, sizeof(a));
    crypto_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    crypto_random(a, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_match_published_vectors),
        cmocka_unit_test(the_websocket_handshake_of_rfc_6455_comes_out),
        cmocka_unit_test(base64_of_rfc_4648_goes_there_and_back),
        cmocka_unit_test(all_bytes_survive_every_codec),
        cmocka_unit_test(what_is_outside_the_alphabet_is_refused_and_nothing_added),
        cmocka_unit_test(exactly_one_spelling_of_base64url_is_accepted),
        cmocka_unit_test(ceilings_hold),
        cmocka_unit_test(equality_needs_every_byte),
        cmocka_unit_test(random_bytes_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

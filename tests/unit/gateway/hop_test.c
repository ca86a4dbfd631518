/* hop_test.c -- what a hop's header proves, and what it does not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "gateway/hop.h"

#define NOW INT64_C(1700000000000)

static const struct hop_request REQUEST = {
    .recipient = { "aaaaaaaaaaaa", 12 }, .method = { "POST", 4 },
    .target = { "/socket.io/?sid=x", 17 }, .forwarded = { "192.0.2.1", 9 },
};

static struct hop_key key_of(const char *secret)
{
    struct hop_key key;

    hop_key_make(slice_of(secret), &key);
    return key;
}

static enum hop_verdict check(const struct hop_request *r, struct slice header, int64_t now)
{
    struct hop_key key = key_of("secret");
    struct hop     hop;

    return hop_check(&key, r, header, now, &hop);
}

static void signed_header(struct buf *out)
{
    struct hop_key key = key_of("secret");

    buf_init(out, HOP_VALUE_MAX);
    hop_sign(&key, &REQUEST, SLICE("3"), NOW, 0xfedcba9876543210, out);
    assert_false(buf_failed(out));
}

static void what_was_signed_is_fine_and_says_when_and_what(void **state)
{
    struct hop_key key = key_of("secret");
    struct hop     hop;
    struct buf     header;

    (void)state;
    signed_header(&header);
    assert_int_equal(hop_check(&key, &REQUEST, buf_peek(&header), NOW + 5, &hop), HOP_FINE);
    assert_int_equal(hop.at_ms, NOW);
    assert_true(hop.nonce == 0xfedcba9876543210);
    assert_true(hop_fits_body(&hop, SLICE("3")));
    assert_false(hop_fits_body(&hop, SLICE("4")));
    assert_false(hop_fits_body(&hop, SLICE("")));
    buf_deinit(&header);
}

static void another_request_does_not_fit_a_header(void **state)
{
    struct buf header;

    (void)state;
    signed_header(&header);
    for (int i = 0; i < 4; i++) {
        struct hop_request r = REQUEST;
        struct slice      *part[] = { &r.recipient, &r.method, &r.target, &r.forwarded };

        part[i]->len--;
        assert_int_equal(check(&r, buf_peek(&header), NOW), HOP_FORGED);
    }
    buf_deinit(&header);
}

static void parts_cannot_be_shifted_into_each_other(void **state)
{
    struct hop_request r = REQUEST;
    struct buf         header;

    (void)state;
    signed_header(&header);
    r.recipient = SLICE("aaaaaaaaaaaaPOST");
    r.method = SLICE("");
    assert_int_equal(check(&r, buf_peek(&header), NOW), HOP_FORGED);
    buf_deinit(&header);
}

static void another_secret_fits_nothing(void **state)
{
    struct hop_key key = key_of("secres");
    struct hop     hop;
    struct buf     header;

    (void)state;
    signed_header(&header);
    assert_int_equal(hop_check(&key, &REQUEST, buf_peek(&header), NOW, &hop), HOP_FORGED);
    buf_deinit(&header);
}

static void the_window_is_half_a_minute_either_way(void **state)
{
    struct buf header;

    (void)state;
    signed_header(&header);
    assert_int_equal(check(&REQUEST, buf_peek(&header), NOW + HOP_WINDOW_MS), HOP_FINE);
    assert_int_equal(check(&REQUEST, buf_peek(&header), NOW - HOP_WINDOW_MS), HOP_FINE);
    assert_int_equal(check(&REQUEST, buf_peek(&header), NOW + HOP_WINDOW_MS + 1), HOP_EXPIRED);
    assert_int_equal(check(&REQUEST, buf_peek(&header), NOW - HOP_WINDOW_MS - 1), HOP_EXPIRED);
    buf_deinit(&header);
}

/* Every header with one byte changed, left out or added is refused. */
static void no_byte_of_a_header_can_be_changed(void **state)
{
    struct buf header, other;

    (void)state;
    signed_header(&header);
    buf_init(&other, 2 * HOP_VALUE_MAX);
    for (size_t i = 0; i < header.len; i++) {
        for (int c = 1; c < 256; c++) {
            buf_reset(&other);
            buf_append_slice(&other, buf_peek(&header));
            if (other.data[i] == (char)c)
                continue;
            other.data[i] = (char)c;
            assert_int_not_equal(check(&REQUEST, buf_peek(&other), NOW), HOP_FINE);
        }
        assert_int_equal(check(&REQUEST, slice_make(header.data, i), NOW), HOP_MISSING);
    }
    buf_reset(&other);
    buf_append_slice(&other, buf_peek(&header));
    buf_append_char(&other, ' ');
    assert_int_equal(check(&REQUEST, buf_peek(&other), NOW), HOP_MISSING);
    assert_int_equal(check(&REQUEST, slice_make(NULL, 0), NOW), HOP_MISSING);
    buf_deinit(&header);
    buf_deinit(&other);
}

/* proto/internal.md shows this header. */
static void the_header_is_what_the_page_says(void **state)
{
    struct buf header;

    (void)state;
    signed_header(&header);
    assert_string_equal(
        header.data,
        "1700000000000 fedcba9876543210 "
        "4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce "
        "45585cb31b15fe02c836f8593d68da38cc7437242c2fc78666c774f73bd5ea5c");
    buf_deinit(&header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_signed_is_fine_and_says_when_and_what),
        cmocka_unit_test(another_request_does_not_fit_a_header),
        cmocka_unit_test(parts_cannot_be_shifted_into_each_other),
        cmocka_unit_test(another_secret_fits_nothing),
        cmocka_unit_test(the_window_is_half_a_minute_either_way),
        cmocka_unit_test(no_byte_of_a_header_can_be_changed),
        cmocka_unit_test(the_header_is_what_the_page_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* packet_test.c -- Engine.IO packets and payloads (gateway/engineio/packet.c). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/err.h"
#include "gateway/engineio/packet.h"

static void every_first_byte_is_a_type_or_refused(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char          text[] = { (char)c, 'x' };
        struct packet p;
        int           err = packet_parse(slice_make(text, 2), &p);

        if (c >= '0' && c <= '6') {
            assert_int_equal(err, 0);
            assert_int_equal(p.type, c - '0');
            assert_true(slice_is(p.data, "x"));
            assert_false(p.is_binary);
        } else {
            assert_int_equal(err, ERR_FRAME);
        }
    }
}

static void the_empty_packet_is_refused(void **state)
{
    struct packet p;

    (void)state;
    assert_int_equal(packet_parse(SLICE(""), &p), ERR_FRAME);
}

static void a_polled_binary_message_may_come_without_padding_or_in_lines(void **state)
{
    /* The last two as the Java client writes them. */
    static const char *const TEXTS[] = { "bAQIDBA==", "bAQIDBA", "bAQIDBA==\n", "bAQID\r\nBA==\n" };
    struct buf               scratch;

    (void)state;
    buf_init(&scratch, 16);
    for (size_t i = 0; i < 4; i++) {
        struct packet p;

        assert_int_equal(packet_parse_polled(slice_of(TEXTS[i]), &scratch, &p), 0);
        assert_int_equal(p.type, PACKET_MESSAGE);
        assert_true(p.is_binary);
        assert_true(slice_eq(p.data, SLICE("\x01\x02\x03\x04")));
    }
    buf_deinit(&scratch);
}

static void bad_base64_and_too_much_of_it_are_refused(void **state)
{
    struct packet p;
    struct buf    scratch;

    (void)state;
    buf_init(&scratch, 3);
    assert_int_equal(packet_parse_polled(SLICE("b%%%%"), &scratch, &p), ERR_FRAME);
    assert_int_equal(packet_parse_polled(SLICE("bA"), &scratch, &p), ERR_FRAME);
    assert_int_equal(packet_parse_polled(SLICE("bAQIDBA=="), &scratch, &p), ERR_TOO_BIG);
    assert_int_equal(packet_parse_polled(SLICE("4AQIDBA=="), &scratch, &p), 0);
    assert_false(p.is_binary);
    buf_deinit(&scratch);
}

static void a_payload_splits_at_separators_and_keeps_empty_packets(void **state)
{
    static const struct {
        const char *body;
        const char *packets[4];
    } CASES[] = {
        { "", { "" } },
        { "4a", { "4a" } },
        { "4a\x1e", { "4a", "" } },
        { "\x1e""4a", { "", "4a" } },
        { "4a\x1e""2\x1e""bAQ", { "4a", "2", "bAQ" } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct slice rest = slice_of(CASES[i].body), text;
        bool         more = true;
        size_t       n = 0;

        while (payload_next(&rest, &more, &text)) {
            assert_non_null(CASES[i].packets[n]);
            assert_true(slice_is(text, CASES[i].packets[n]));
            n++;
        }
        assert_null(CASES[i].packets[n]);
    }
}

static void what_was_joined_splits_again(void **state)
{
    struct buf   payload;
    struct slice rest, text;
    bool         more = true;

    (void)state;
    buf_init(&payload, 16);
    assert_int_equal(payload_append(&payload, SLICE("4hello")), 0);
    assert_int_equal(payload_append(&payload, SLICE("2")), 0);
    assert_true(slice_is(buf_peek(&payload), "4hello\x1e""2"));
    assert_int_equal(payload_append(&payload, SLICE("4too long now")), ERR_TOO_BIG);
    rest = slice_make(payload.data, 8);
    assert_true(payload_next(&rest, &more, &text) && slice_is(text, "4hello"));
    assert_true(payload_next(&rest, &more, &text) && slice_is(text, "2"));
    assert_false(payload_next(&rest, &more, &text));
    buf_deinit(&payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_first_byte_is_a_type_or_refused),
        cmocka_unit_test(the_empty_packet_is_refused),
        cmocka_unit_test(a_polled_binary_message_may_come_without_padding_or_in_lines),
        cmocka_unit_test(bad_base64_and_too_much_of_it_are_refused),
        cmocka_unit_test(a_payload_splits_at_separators_and_keeps_empty_packets),
        cmocka_unit_test(what_was_joined_splits_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

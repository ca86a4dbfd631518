/* utf8_test.c -- well-formed and not, walked rather than sampled. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>

#include "common/utf8.h"

/* Encode as RFC 3629 §3 says, without asking whether the code point may be encoded. */
static size_t encode(uint32_t c, size_t len, char *out)
{
    static const unsigned char MARKS[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };

    for (size_t i = len; i-- > 1;) {
        out[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    out[0] = (char)(MARKS[len] | c);
    return len;
}

static size_t shortest(uint32_t c)
{
    return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

static void every_code_point_but_surrogates_is_well_formed(void **state)
{
    char text[4];

    (void)state;
    for (uint32_t c = 0; c < 0x200000; c++) {
        bool   may = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
        size_t len = encode(c, shortest(c), text);

        if (utf8_is_valid(slice_make(text, len)) != may)
            fail_msg("U+%04X", c);
    }
}

static void overlong_forms_are_refused(void **state)
{
    char text[4];

    (void)state;
    for (uint32_t c = 0; c < 0x10000; c++) {
        for (size_t len = shortest(c) + 1; len <= 4; len++) {
            if (utf8_is_valid(slice_make(text, encode(c, len, text))))
                fail_msg("U+%04X in %zu bytes", c, len);
        }
    }
}

static void cut_off_sequences_are_refused_at_every_place(void **state)
{
    static const char TEXT[] = "01234567\xc3\xa4 89\xe2\x82\xac-\xf0\x9f\x98\x80";
    const size_t      len = sizeof(TEXT) - 1;

    (void)state;
    for (size_t i = 0; i <= len; i++) {
        bool is_border = i == len || ((unsigned char)TEXT[i] & 0xc0) != 0x80;

        assert_int_equal(utf8_is_valid(slice_make(TEXT, i)), is_border);
    }
}

static void a_bad_byte_is_found_wherever_it_stands(void **state)
{
    char text[40];

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++) {
        memset(text, 'a', sizeof(text));
        assert_true(utf8_is_valid(slice_make(text, sizeof(text))));
        text[i] = (char)0x80;
        assert_false(utf8_is_valid(slice_make(text, sizeof(text))));
        text[i] = (char)0xff;
        assert_false(utf8_is_valid(slice_make(text, sizeof(text))));
    }
}

static void the_empty_text_is_well_formed(void **state)
{
    (void)state;
    assert_true(utf8_is_valid(slice_make(NULL, 0)));
    assert_int_equal(utf8_length(slice_make(NULL, 0)), 0);
}

static void length_counts_code_points(void **state)
{
    (void)state;
    assert_int_equal(utf8_length(SLICE("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")), 4);
}

static void a_cut_never_splits_a_code_point(void **state)
{
    static const size_t WANT[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10 };
    struct slice        text = SLICE("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");

    (void)state;
    for (size_t i = 0; i < sizeof(WANT) / sizeof(WANT[0]); i++)
        assert_int_equal(utf8_cut(text, i).len, WANT[i]);
}

static void control_characters_are_found(void **state)
{
    char text[4];

    (void)state;
    for (uint32_t c = 0; c < 0x3000; c++) {
        bool is_control = c < 0x20 || (c >= 0x7f && c <= 0x9f);

        assert_int_equal(utf8_has_control(slice_make(text, encode(c, shortest(c), text))),
                         is_control);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_but_surrogates_is_well_formed),
        cmocka_unit_test(overlong_forms_are_refused),
        cmocka_unit_test(cut_off_sequences_are_refused_at_every_place),
        cmocka_unit_test(a_bad_byte_is_found_wherever_it_stands),
        cmocka_unit_test(the_empty_text_is_well_formed),
        cmocka_unit_test(length_counts_code_points),
        cmocka_unit_test(a_cut_never_splits_a_code_point),
        cmocka_unit_test(control_characters_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* text_test.c -- widths, cleaning and breaking of text for a terminal. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "taskd/ctl/cli/text.h"
#include "common/utf8.h"

static void expect_clean(const char *text, size_t len, const char *clean)
{
    struct buf out;

    buf_init(&out, 4096);
    text_clean(slice_make(text, len), &out);
    assert_string_equal(out.data != NULL ? out.data : "", clean);
    buf_deinit(&out);
}
#define CLEAN(text, clean) expect_clean((text), sizeof(text) - 1, (clean))
#define BAD "\xef\xbf\xbd"

static void what_is_harmless_stays(void **state)
{
    (void)state;
    CLEAN("", "");
    CLEAN("Make the door blue", "Make the door blue");
    CLEAN("Größe 日本語 🎉 e\xcc\x81", "Größe 日本語 🎉 e\xcc\x81");
    CLEAN("one\ntwo\tthree\r\n", "one two three  ");
}

static void nothing_can_steer_the_terminal(void **state)
{
    (void)state;
    CLEAN("\x1b[31mred", BAD "[31mred");
    CLEAN("\x1b]0;title\x07", BAD "]0;title" BAD);
    CLEAN("a\0b", "a" BAD "b");
    CLEAN("\x7f", BAD);
    CLEAN("\xc2\x9b" "31m", BAD "31m");                       /* U+009B, the C1 CSI */
    CLEAN("\x9b" "31m", BAD "31m");                           /* as a bare byte */
    CLEAN("abc\xe2\x80\xae" "fed", "abc" BAD "fed");          /* right-to-left override */
    CLEAN("\xe2\x81\xa6x\xe2\x81\xa9", BAD "x" BAD);          /* isolates */
    CLEAN("\xf3\xa0\x81\xa5", BAD);                           /* a tag character */
}

static void what_is_no_utf8_is_replaced(void **state)
{
    (void)state;
    CLEAN("\xc3", BAD);
    CLEAN("\xc3(", BAD "(");
    CLEAN("\xc0\xaf", BAD BAD);                               /* overlong */
    CLEAN("\xe0\x80\x80", BAD BAD BAD);
    CLEAN("\xed\xa0\x80", BAD BAD BAD);                       /* a surrogate */
    CLEAN("\xf4\x90\x80\x80", BAD BAD BAD BAD);               /* past U+10FFFF */
    CLEAN("\xf0\x9f\x8e", BAD BAD BAD);                       /* cut short */
}

static void every_byte_gives_something_clean(void **state)
{
    (void)state;
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            const char pair[2] = { (char)a, (char)b };
            struct buf out;

            buf_init(&out, 64);
            text_clean(slice_make(pair, 2), &out);
            assert_true(utf8_is_valid(buf_peek(&out)));
            assert_false(utf8_has_control(buf_peek(&out)));
            assert_true(text_width(buf_peek(&out)) <= 4);
            buf_deinit(&out);
        }
    }
}

static void widths_are_columns(void **state)
{
    (void)state;
    assert_int_equal(text_width(SLICE("")), 0);
    assert_int_equal(text_width(SLICE("abc")), 3);
    assert_int_equal(text_width(SLICE("äöü")), 3);
    assert_int_equal(text_width(SLICE("日本")), 4);
    assert_int_equal(text_width(SLICE("🎉")), 2);
    assert_int_equal(text_width(SLICE("e\xcc\x81")), 1);
}

static void expect_fit(const char *text, size_t columns, const char *fitted)
{
    struct buf out;

    buf_init(&out, 4096);
    text_fit(slice_of(text), columns, &out);
    assert_string_equal(out.data != NULL ? out.data : "", fitted);
    assert_true(text_width(buf_peek(&out)) <= columns);
    buf_deinit(&out);
}

static void what_is_cut_says_so_and_fits(void **state)
{
    (void)state;
    expect_fit("blue", 4, "blue");
    expect_fit("blue door", 8, "blue do…");
    expect_fit("日本語", 6, "日本語");
    expect_fit("日本語", 5, "日本…");
    expect_fit("日本語", 4, "日…");                           /* half of one does not fit */
    expect_fit("日本語", 2, "…");
    expect_fit("blue", 1, "…");
    expect_fit("blue", 0, "");
}

static void paragraphs_are_broken_at_blanks(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    text_wrap("one two three four\n\n  left alone as it is\nunbreakableword x", 2, 12, &out);
    assert_string_equal(out.data, "  one two\n  three four\n\n    left alone as it is\n"
                                  "  unbreakableword\n  x\n");
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_harmless_stays),
        cmocka_unit_test(nothing_can_steer_the_terminal),
        cmocka_unit_test(what_is_no_utf8_is_replaced),
        cmocka_unit_test(every_byte_gives_something_clean),
        cmocka_unit_test(widths_are_columns),
        cmocka_unit_test(what_is_cut_says_so_and_fits),
        cmocka_unit_test(paragraphs_are_broken_at_blanks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

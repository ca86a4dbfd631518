/* buf_test.c -- growth, ceilings and JSON strings of common/buf. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"

static void an_empty_buf_allocates_nothing(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    assert_null(b.data);
    assert_int_equal(buf_peek(&b).len, 0);
    buf_deinit(&b);
}

static void appends_are_followed_by_a_nul(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    assert_int_equal(buf_append(&b, "ab", 2), 0);
    assert_int_equal(buf_append_text(&b, "cd"), 0);
    assert_int_equal(buf_append_char(&b, 'e'), 0);
    assert_int_equal(buf_append_slice(&b, SLICE("fg")), 0);
    assert_int_equal(buf_printf(&b, "-%d-", 42), 0);
    assert_string_equal(b.data, "abcdefg-42-");
    assert_int_equal(b.len, 11);
    buf_deinit(&b);
}

static void the_ceiling_is_exact_and_the_refusal_remembered(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 4);
    assert_int_equal(buf_append_text(&b, "abcd"), 0);
    assert_false(buf_failed(&b));
    assert_int_equal(buf_append_char(&b, 'e'), ERR_TOO_BIG);
    assert_true(buf_failed(&b));
    assert_string_equal(b.data, "abcd");
    assert_int_equal(buf_printf(&b, "%s", "x"), ERR_TOO_BIG);
    assert_null(buf_reserve(&b, SIZE_MAX));
    buf_reset(&b);
    assert_false(buf_failed(&b));
    assert_int_equal(buf_append_text(&b, "wxyz"), 0);
    buf_deinit(&b);
}

static void numbers_are_written_to_their_last_digit(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    buf_append_u64(&b, 0);
    buf_append_char(&b, ' ');
    buf_append_u64(&b, UINT64_MAX);
    assert_string_equal(b.data, "0 18446744073709551615");
    buf_deinit(&b);
}

static void json_strings_are_escaped(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    assert_int_equal(buf_append_json(&b, slice_make("a\"b\\c\n\r\t\x01\0\xc3\xa4", 12)), 0);
    assert_string_equal(b.data, "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u0000\xc3\xa4\"");
    buf_reset(&b);
    assert_int_equal(buf_append_json(&b, slice_make(NULL, 0)), 0);
    assert_string_equal(b.data, "\"\"");
    buf_deinit(&b);
}

static void a_json_string_past_the_ceiling_fails(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 5);
    assert_int_equal(buf_append_json(&b, SLICE("abcd")), ERR_TOO_BIG);
    buf_deinit(&b);
}

static void consuming_moves_the_rest_down(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    buf_append_text(&b, "abcdef");
    buf_consume(&b, 2);
    assert_string_equal(b.data, "cdef");
    buf_consume(&b, 100);
    assert_int_equal(b.len, 0);
    buf_deinit(&b);
}

static void taking_leaves_it_empty_and_usable(void **state)
{
    struct buf b;
    char      *text;

    (void)state;
    buf_init(&b, 100);
    text = buf_take(&b);
    assert_string_equal(text, "");
    free(text);
    buf_append_text(&b, "abc");
    text = buf_take(&b);
    assert_string_equal(text, "abc");
    free(text);
    assert_int_equal(b.len, 0);
    buf_append_text(&b, "d");
    assert_string_equal(b.data, "d");
    buf_deinit(&b);
}

static void an_rcbuf_of_it_is_a_copy(void **state)
{
    struct buf    b;
    struct rcbuf *r;

    (void)state;
    buf_init(&b, 100);
    buf_append_text(&b, "abc");
    r = buf_rcbuf(&b);
    buf_append_text(&b, "d");
    assert_true(slice_is(rcbuf_slice(r), "abc"));
    assert_ptr_equal(rcbuf_ref(r), r);
    rcbuf_unref(r);
    rcbuf_unref(r);
    rcbuf_unref(NULL);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buf_allocates_nothing),
        cmocka_unit_test(appends_are_followed_by_a_nul),
        cmocka_unit_test(the_ceiling_is_exact_and_the_refusal_remembered),
        cmocka_unit_test(numbers_are_written_to_their_last_digit),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(a_json_string_past_the_ceiling_fails),
        cmocka_unit_test(consuming_moves_the_rest_down),
        cmocka_unit_test(taking_leaves_it_empty_and_usable),
        cmocka_unit_test(an_rcbuf_of_it_is_a_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

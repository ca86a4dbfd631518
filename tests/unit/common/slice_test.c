/* slice_test.c -- comparing and cutting with common/slice. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/slice.h"

static void slices_compare_by_length_and_bytes(void **state)
{
    (void)state;
    assert_true(slice_eq(SLICE("ab"), slice_make("abc", 2)));
    assert_false(slice_eq(SLICE("ab"), SLICE("abc")));
    assert_false(slice_eq(SLICE("ab"), SLICE("ax")));
    assert_true(slice_eq(slice_make(NULL, 0), SLICE("")));
    assert_true(slice_is(slice_of(NULL), ""));
    assert_true(slice_is(SLICE("x"), "x"));
    assert_true(slice_eq(slice_make("a\0b", 3), slice_make("a\0b", 3)));
    assert_false(slice_eq(slice_make("a\0b", 3), slice_make("a\0c", 3)));
}

static void case_is_folded_only_where_asked(void **state)
{
    (void)state;
    assert_true(slice_is_nocase(SLICE("Content-TYPE"), "content-type"));
    assert_false(slice_is(SLICE("A"), "a"));
    assert_false(slice_is_nocase(SLICE("ab"), "abc"));
    assert_true(slice_is_nocase(slice_make(NULL, 0), ""));
}

static void a_prefix_may_be_all_or_nothing(void **state)
{
    (void)state;
    assert_true(slice_starts(SLICE("abc"), "ab"));
    assert_true(slice_starts(SLICE("abc"), ""));
    assert_true(slice_starts(slice_make(NULL, 0), ""));
    assert_false(slice_starts(SLICE("a"), "ab"));
}

static void the_rest_never_passes_the_end(void **state)
{
    (void)state;
    assert_true(slice_is(slice_from(SLICE("abc"), 1), "bc"));
    assert_int_equal(slice_from(SLICE("abc"), 3).len, 0);
    assert_int_equal(slice_from(SLICE("abc"), 99).len, 0);
}

static void cutting_yields_every_field(void **state)
{
    struct slice rest = SLICE("a,,bc");

    (void)state;
    assert_true(slice_is(slice_cut(&rest, ','), "a"));
    assert_true(slice_is(slice_cut(&rest, ','), ""));
    assert_non_null(rest.data);
    assert_true(slice_is(slice_cut(&rest, ','), "bc"));
    assert_null(rest.data);
    assert_int_equal(rest.len, 0);
}

static void cutting_at_the_end_leaves_an_empty_field(void **state)
{
    struct slice rest = SLICE("a,");

    (void)state;
    assert_true(slice_is(slice_cut(&rest, ','), "a"));
    assert_int_equal(rest.len, 0);
    assert_non_null(rest.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_compare_by_length_and_bytes),
        cmocka_unit_test(case_is_folded_only_where_asked),
        cmocka_unit_test(a_prefix_may_be_all_or_nothing),
        cmocka_unit_test(the_rest_never_passes_the_end),
        cmocka_unit_test(cutting_yields_every_field),
        cmocka_unit_test(cutting_at_the_end_leaves_an_empty_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

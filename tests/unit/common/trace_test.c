/* trace_test.c -- traceparents, as the standard's own examples have them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/trace.h"

#define ID     "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define GOOD   "00-" ID "-" PARENT "-01"

static void a_good_one_is_cut_into_its_parts(void **state)
{
    char out[TRACE_SIZE];

    (void)state;
    assert_true(trace_parse(SLICE(GOOD), out));
    assert_string_equal(out, GOOD);
    assert_true(slice_is(trace_id(out), ID));
    assert_true(slice_is(trace_parent_id(out), PARENT));
    assert_true(trace_is_sampled(out));
    assert_true(trace_parse(SLICE("00-" ID "-" PARENT "-00"), out));
    assert_false(trace_is_sampled(out));
}

static void later_versions_are_read_by_their_beginning(void **state)
{
    char out[TRACE_SIZE];

    (void)state;
    assert_true(trace_parse(SLICE("cc-" ID "-" PARENT "-01"), out));
    assert_string_equal(out, GOOD);
    assert_true(trace_parse(SLICE("cc-" ID "-" PARENT "-01-what-else"), out));
    assert_string_equal(out, GOOD);
    assert_false(trace_parse(SLICE("cc-" ID "-" PARENT "-01.what"), out));
}

static void what_is_not_exactly_right_is_none(void **state)
{
    static const char *const BAD[] = {
        "", "00", GOOD "-", GOOD "0", "00-" ID "-" PARENT "-1", "00-" ID "-" PARENT "-0g",
        "ff-" ID "-" PARENT "-01", "0-" ID "-" PARENT "-01x", "00_" ID "-" PARENT "-01",
        "00-" ID "_" PARENT "-01", "00-" ID "-" PARENT "_01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01",
        "00-00000000000000000000000000000000-" PARENT "-01", "00-" ID "-0000000000000000-01",
    };
    char out[TRACE_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        if (trace_parse(slice_of(BAD[i]), out))
            fail_msg("accepted: %s", BAD[i]);
        assert_string_equal(out, "");
    }
    assert_false(trace_parse(slice_make(NULL, 0), out));
    assert_int_equal(trace_id("").len, 0);
    assert_int_equal(trace_parent_id(NULL).len, 0);
    assert_false(trace_is_sampled(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_one_is_cut_into_its_parts),
        cmocka_unit_test(later_versions_are_read_by_their_beginning),
        cmocka_unit_test(what_is_not_exactly_right_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* age_test.c -- spans of time as people read them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "taskd/ctl/cli/age.h"

#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static void expect(int64_t ms, const char *text)
{
    char age[AGE_SIZE];

    age_format(ms, age);
    assert_string_equal(age, text);
}

static void small_spans_are_exact(void **state)
{
    (void)state;
    expect(0, "0s");
    expect(999, "0s");
    expect(SECOND, "1s");
    expect(119 * SECOND, "119s");
    expect(2 * MINUTE, "2m");
    expect(2 * MINUTE + SECOND, "2m1s");
    expect(10 * MINUTE - 1, "9m59s");
}

static void large_ones_lose_what_nobody_asks(void **state)
{
    (void)state;
    expect(10 * MINUTE + 59 * SECOND, "10m");
    expect(3 * HOUR - 1, "179m");
    expect(3 * HOUR, "3h");
    expect(3 * HOUR + 5 * MINUTE, "3h5m");
    expect(47 * HOUR + 59 * MINUTE, "47h");
    expect(2 * DAY + 4 * HOUR, "2d4h");
    expect(8 * DAY + 4 * HOUR, "8d");
    expect(729 * DAY, "729d");
    expect(730 * DAY, "2y");
    expect(730 * DAY + 3 * DAY, "2y3d");
    expect(8 * 365 * DAY + 3 * DAY, "8y");
}

static void clocks_that_differ_and_nonsense_do_no_harm(void **state)
{
    (void)state;
    expect(-1, "0s");
    expect(INT64_MIN, "0s");
    expect(INT64_MAX, "9999y");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_spans_are_exact),
        cmocka_unit_test(large_ones_lose_what_nobody_asks),
        cmocka_unit_test(clocks_that_differ_and_nonsense_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

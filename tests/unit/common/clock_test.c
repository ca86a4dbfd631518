/* clock_test.c -- wall time and its spelling. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "common/clock.h"
#include "common/err.h"

static int64_t parsed(const char *text)
{
    int64_t ms = INT64_MIN;

    return clock_parse(slice_of(text), &ms) == 0 ? ms : INT64_MIN;
}

static void times_are_written_with_milliseconds(void **state)
{
    char text[CLOCK_TEXT_SIZE];

    (void)state;
    clock_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_format(INT64_C(1795227360123), text);
    assert_string_equal(text, "2026-11-21T02:16:00.123Z");
    clock_format(INT64_C(951782399999), text);
    assert_string_equal(text, "2000-02-28T23:59:59.999Z");
    clock_format(INT64_C(951782400000), text);
    assert_string_equal(text, "2000-02-29T00:00:00.000Z");
}

static void times_outside_are_clamped(void **state)
{
    char text[CLOCK_TEXT_SIZE];

    (void)state;
    clock_format(-1, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

static void every_day_of_five_centuries_agrees_with_the_c_library(void **state)
{
    char text[CLOCK_TEXT_SIZE], want[128];

    (void)state;
    for (int64_t day = 0; day < 500 * 366; day++) {
        time_t    t = day * 86400 + day % 86400;
        struct tm tm;

        gmtime_r(&t, &tm);
        strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
        clock_format((int64_t)t * 1000, text);
        assert_string_equal(text, want);
        assert_int_equal(parsed(text), (int64_t)t * 1000);
    }
}

static void offsets_and_decimals_are_understood(void **state)
{
    (void)state;
    assert_int_equal(parsed("2026-11-21T02:16:00.123Z"), INT64_C(1795227360123));
    assert_int_equal(parsed("2026-11-21t02:16:00z"), INT64_C(1795227360000));
    assert_int_equal(parsed("2026-11-21 02:16:00Z"), INT64_C(1795227360000));
    assert_int_equal(parsed("2026-11-21T04:16:00+02:00"), INT64_C(1795227360000));
    assert_int_equal(parsed("2026-11-20T20:46:00-05:30"), INT64_C(1795227360000));
    assert_int_equal(parsed("2026-11-21T02:16:00.1Z"), INT64_C(1795227360100));
    assert_int_equal(parsed("2026-11-21T02:16:00.123999999999Z"), INT64_C(1795227360123));
    assert_int_equal(parsed("1969-12-31T23:59:59.5Z"), -500);
    assert_int_equal(parsed("0000-01-01T00:00:00Z"), INT64_C(-62167219200000));
    assert_int_equal(parsed("2016-12-31T23:59:60Z"), INT64_C(1483228800000));
    assert_int_equal(parsed("2017-01-01T00:59:60+01:00"), INT64_C(1483228800000));
}

static void what_is_no_date_time_is_refused(void **state)
{
    static const char *const BAD[] = {
        "", "2026", "2026-11-21", "2026-11-21T02:16:00", "2026-11-21T02:16Z",
        "2026-11-21T02:16:00.Z", "2026-13-21T02:16:00Z", "2026-00-21T02:16:00Z",
        "2026-11-31T02:16:00Z", "2026-11-00T02:16:00Z", "2025-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T02:60:00Z",
        "2026-11-21T02:16:61Z", "2026-11-21T02:16:60Z", "2026-11-21T02:16:00+24:00",
        "2026-11-21T02:16:00+0200", "2026-11-21T02:16:00+02:60", "2026-11-21T02:16:00Zx",
        "2026-11-21T02:16:00Z ", " 2026-11-21T02:16:00Z", "+026-11-21T02:16:00Z",
        "2026-1-21T02:16:00Z", "2026/11/21T02:16:00Z", "2026-11-21T02:16:00,5Z",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        int64_t ms = 7;

        assert_int_equal(clock_parse(slice_of(BAD[i]), &ms), ERR_INVALID);
        assert_int_equal(ms, 7);
    }
    assert_int_equal(clock_parse(slice_make("2026-11-21T02:16:00\0Z", 21), &(int64_t){ 0 }),
                     ERR_INVALID);
}

static void now_is_now(void **state)
{
    int64_t s = (int64_t)time(NULL);

    (void)state;
    assert_in_range(clock_wall_ms(), (s - 1) * 1000, (s + 60) * 1000);
    assert_in_range(clock_wall_us(), (s - 1) * 1000000, (s + 60) * 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_with_milliseconds),
        cmocka_unit_test(times_outside_are_clamped),
        cmocka_unit_test(every_day_of_five_centuries_agrees_with_the_c_library),
        cmocka_unit_test(offsets_and_decimals_are_understood),
        cmocka_unit_test(what_is_no_date_time_is_refused),
        cmocka_unit_test(now_is_now),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

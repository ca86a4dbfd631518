/* truth_test.c -- when the truth is read again, and what an answer is worth. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/truth.h"

static void the_first_reading_is_due_at_once_and_failures_are_tried_again(void **state)
{
    struct truth t;

    (void)state;
    truth_init(&t);
    assert_true(truth_is_due(&t, 0, true));
    truth_begin(&t);
    assert_false(truth_is_due(&t, 99999, false));
    assert_int_equal(truth_end(&t, -1, 100), TRUTH_FAILED);
    assert_false(t.is_known);
    assert_false(truth_is_due(&t, 100 + TRUTH_RETRY_MS - 1, true));
    assert_true(truth_is_due(&t, 100 + TRUTH_RETRY_MS, true));
    truth_begin(&t);
    assert_int_equal(truth_end(&t, 0, 700), TRUTH_WHOLE);
    assert_true(t.is_known);
}

static void it_is_read_now_and_then_and_often_while_nothing_is_heard(void **state)
{
    struct truth t;

    (void)state;
    truth_init(&t);
    truth_begin(&t);
    (void)truth_end(&t, 0, 1000);
    assert_false(truth_is_due(&t, 1000 + TRUTH_DEAF_MS - 1, false));
    assert_true(truth_is_due(&t, 1000 + TRUTH_DEAF_MS, false));
    assert_false(truth_is_due(&t, 1000 + TRUTH_HEARING_MS - 1, true));
    assert_true(truth_is_due(&t, 1000 + TRUTH_HEARING_MS, true));
    truth_doubt(&t);
    assert_true(truth_is_due(&t, 1001, true));
}

static void an_answer_that_a_change_overtook_is_read_again(void **state)
{
    struct truth t;

    (void)state;
    truth_init(&t);
    truth_begin(&t);
    truth_change(&t);
    assert_int_equal(truth_end(&t, 0, 1), TRUTH_FIRST);
    assert_true(t.is_known && truth_is_due(&t, 1, true));
    truth_begin(&t);
    truth_change(&t);
    assert_int_equal(truth_end(&t, 0, 2), TRUTH_STALE);
    assert_true(truth_is_due(&t, 2, true));
    truth_begin(&t);
    truth_doubt(&t);                           /* "read everything", while it is read */
    assert_int_equal(truth_end(&t, 0, 3), TRUTH_STALE);
    truth_begin(&t);
    assert_int_equal(truth_end(&t, 0, 4), TRUTH_WHOLE);
    assert_false(truth_is_due(&t, 5, true));
}

static void a_change_between_readings_needs_none(void **state)
{
    struct truth t;

    (void)state;
    truth_init(&t);
    truth_begin(&t);
    (void)truth_end(&t, 0, 0);
    truth_change(&t);
    assert_false(truth_is_due(&t, 1, true));
    truth_begin(&t);
    assert_int_equal(truth_end(&t, 0, 2), TRUTH_WHOLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_reading_is_due_at_once_and_failures_are_tried_again),
        cmocka_unit_test(it_is_read_now_and_then_and_often_while_nothing_is_heard),
        cmocka_unit_test(an_answer_that_a_change_overtook_is_read_again),
        cmocka_unit_test(a_change_between_readings_needs_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* deadlines_test.c -- ordered deadlines (gateway/engineio/deadlines.c). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/engineio/deadlines.h"

static void they_come_out_in_order_of_time_whatever_order_they_were_set_in(void **state)
{
    static const uint64_t TIMES[] = { 50, 10, 40, 40, 20, 30, 60, 10 };
    enum { N = sizeof(TIMES) / sizeof(TIMES[0]) };
    struct deadlines l;
    struct deadline  d[N];
    uint64_t         last = 0;

    (void)state;
    deadlines_init(&l);
    for (size_t i = 0; i < N; i++) {
        deadline_init(&d[i]);
        deadlines_set(&l, &d[i], TIMES[i]);
    }
    for (size_t i = 0; i < N; i++) {
        struct deadline *first = deadlines_take(&l, 100);

        assert_non_null(first);
        assert_true(first->at_ms >= last);
        last = first->at_ms;
        assert_false(deadline_is_set(first));
    }
    assert_null(deadlines_take(&l, 100));
    assert_true(deadlines_next(&l) == DEADLINE_NEVER);
}

static void equal_times_keep_the_order_of_setting(void **state)
{
    struct deadlines l;
    struct deadline  a, b;

    (void)state;
    deadlines_init(&l);
    deadline_init(&a);
    deadline_init(&b);
    deadlines_set(&l, &a, 5);
    deadlines_set(&l, &b, 5);
    assert_ptr_equal(deadlines_take(&l, 5), &a);
    assert_ptr_equal(deadlines_take(&l, 5), &b);
}

static void nothing_is_due_a_millisecond_early(void **state)
{
    struct deadlines l;
    struct deadline  d;

    (void)state;
    deadlines_init(&l);
    deadline_init(&d);
    deadlines_set(&l, &d, 500);
    assert_null(deadlines_take(&l, 499));
    assert_ptr_equal(deadlines_take(&l, 500), &d);
}

static void setting_again_moves_also_between_lists(void **state)
{
    struct deadlines one, two;
    struct deadline  d;

    (void)state;
    deadlines_init(&one);
    deadlines_init(&two);
    deadline_init(&d);
    deadlines_set(&one, &d, 10);
    deadlines_set(&one, &d, 20);
    assert_true(deadlines_next(&one) == 20);
    deadlines_set(&two, &d, 30);
    assert_true(deadlines_next(&one) == DEADLINE_NEVER);
    assert_true(deadlines_next(&two) == 30);
}

static void clearing_twice_is_harmless(void **state)
{
    struct deadlines l;
    struct deadline  d;

    (void)state;
    deadlines_init(&l);
    deadline_init(&d);
    deadlines_set(&l, &d, 10);
    deadline_clear(&d);
    deadline_clear(&d);
    assert_false(deadline_is_set(&d));
    assert_null(deadlines_take(&l, 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_come_out_in_order_of_time_whatever_order_they_were_set_in),
        cmocka_unit_test(equal_times_keep_the_order_of_setting),
        cmocka_unit_test(nothing_is_due_a_millisecond_early),
        cmocka_unit_test(setting_again_moves_also_between_lists),
        cmocka_unit_test(clearing_twice_is_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

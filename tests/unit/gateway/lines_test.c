/* lines_test.c -- what a slow reader may miss, and what not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/lines.h"

#define T1 SLICE("65f0c0ffee65f0c0ffee6501")
#define T2 SLICE("65f0c0ffee65f0c0ffee6502")
#define ROW SLICE("[\"dashboard:task_list_updated\",{}]")
#define COUNTS SLICE("[\"dashboard:task_count_changed\",{}]")

static void rows_of_a_task_replace_each_other_and_no_others(void **state)
{
    (void)state;
    assert_true(lines_key(ROW, T1, false) != 0);
    assert_true(lines_key(ROW, T1, false) == lines_key(ROW, T1, true));
    assert_true(lines_key(ROW, T1, false) != lines_key(ROW, T2, false));
}

static void counts_replace_each_other_within_their_scope(void **state)
{
    (void)state;
    assert_true(lines_key(COUNTS, T1, false) != 0);
    assert_true(lines_key(COUNTS, T1, false) == lines_key(COUNTS, T2, false));
    assert_true(lines_key(COUNTS, T1, false) != lines_key(COUNTS, T1, true));
    assert_true(lines_key(COUNTS, T1, false) != lines_key(ROW, T1, false));
}

static void everything_else_is_kept(void **state)
{
    (void)state;
    assert_true(lines_key(SLICE("[\"task:created\",{}]"), T1, false) == 0);
    assert_true(lines_key(SLICE("[\"dashboard:task_removed\",{}]"), T1, false) == 0);
    assert_true(lines_key(SLICE("[\"dashboard:task_list_updatedx\",{}]"), T1, false) == 0);
    assert_true(lines_key(SLICE(""), T1, false) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_a_task_replace_each_other_and_no_others),
        cmocka_unit_test(counts_replace_each_other_within_their_scope),
        cmocka_unit_test(everything_else_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

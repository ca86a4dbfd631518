/* seen_test.c -- the newest seq of each task, and forgetting the oldest. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "gateway/seen.h"

static struct slice id(char out[25], unsigned n)
{
    snprintf(out, 25, "%024u", n);
    return slice_make(out, 24);
}

static void the_newest_seq_wins(void **state)
{
    struct seen s;
    char        a[25];

    (void)state;
    seen_init(&s);
    assert_int_equal(seen_get(&s, id(a, 1)), 0);
    seen_put(&s, id(a, 1), 5);
    seen_put(&s, id(a, 1), 3);
    assert_int_equal(seen_get(&s, id(a, 1)), 5);
    seen_put(&s, SLICE("short"), 9);
    assert_int_equal(seen_get(&s, SLICE("short")), 0);
    seen_deinit(&s);
    assert_int_equal(seen_get(&s, id(a, 1)), 0);
}

static void what_was_not_heard_of_for_longest_is_forgotten_first(void **state)
{
    struct seen s;
    char        a[25];

    (void)state;
    seen_init(&s);
    for (unsigned n = 0; n < SEEN_MAX; n++)
        seen_put(&s, id(a, n), n + 1);
    seen_put(&s, id(a, 0), 1);                 /* heard of again */
    seen_put(&s, id(a, SEEN_MAX), 7);
    assert_int_equal(seen_get(&s, id(a, 0)), 1);
    assert_int_equal(seen_get(&s, id(a, 1)), 0);
    assert_int_equal(seen_get(&s, id(a, 2)), 3);
    assert_int_equal(seen_get(&s, id(a, SEEN_MAX)), 7);
    seen_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_seq_wins),
        cmocka_unit_test(what_was_not_heard_of_for_longest_is_forgotten_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* users_test.c -- who is here, and the bucket of joins (SPEC A3). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "gateway/users.h"

static struct claims who(const char *org, const char *sub)
{
    struct claims c = { 0 };

    snprintf(c.sub, sizeof(c.sub), "%s", sub);
    snprintf(c.org, sizeof(c.org), "%s", org);
    return c;
}

static int joins(const struct users *u, struct user *p, int tries, uint64_t now_ms)
{
    int n = 0;

    for (int i = 0; i < tries; i++)
        n += users_may_join(u, p, now_ms);
    return n;
}

static void ten_joins_a_second_and_no_more(void **state)
{
    struct claims ann = who("acme", "ann");
    struct users  u;
    struct user  *p;

    (void)state;
    users_init(&u, 10);
    p = users_enter(&u, &ann, 1000);
    assert_int_equal(joins(&u, p, 30, 1000), 10);
    assert_int_equal(joins(&u, p, 30, 1099), 0);
    assert_int_equal(joins(&u, p, 30, 1100), 1);
    assert_int_equal(joins(&u, p, 30, 1600), 5);
    assert_int_equal(joins(&u, p, 30, 60000), 10);
    users_leave(&u, p);
    users_deinit(&u);
}

static void the_bucket_is_shared_by_all_sockets_and_survives_a_reconnect(void **state)
{
    struct claims ann = who("acme", "ann"), other = who("evil", "ann");
    struct users  u;
    struct user  *first, *second, *third;

    (void)state;
    users_init(&u, 10);
    first = users_enter(&u, &ann, 0);
    second = users_enter(&u, &ann, 0);
    assert_ptr_equal(first, second);
    assert_int_equal(joins(&u, first, 6, 0) + joins(&u, second, 6, 0), 10);
    users_leave(&u, first);
    users_leave(&u, second);
    assert_int_equal(u.online, 0);
    users_sweep(&u, 500);
    first = users_enter(&u, &ann, 500);
    assert_int_equal(joins(&u, first, 10, 500), 5);
    third = users_enter(&u, &other, 500);      /* the same sub in another org is somebody else */
    assert_int_equal(joins(&u, third, 20, 500), 10);
    assert_int_equal(u.online, 2);
    users_leave(&u, first);
    users_leave(&u, third);
    users_deinit(&u);
}

static void people_who_left_are_forgotten(void **state)
{
    struct claims ann = who("acme", "ann");
    struct users  u;
    struct user  *p;

    (void)state;
    users_init(&u, 10);
    p = users_enter(&u, &ann, 0);
    users_sweep(&u, 5000);
    assert_non_null(u.table);
    users_leave(&u, p);
    users_sweep(&u, 5000);
    assert_null(u.table);
}

static void zero_is_no_limit(void **state)
{
    struct claims ann = who("acme", "ann");
    struct users  u;
    struct user  *p;

    (void)state;
    users_init(&u, 0);
    p = users_enter(&u, &ann, 0);
    assert_int_equal(joins(&u, p, 1000, 0), 1000);
    users_leave(&u, p);
    users_deinit(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_joins_a_second_and_no_more),
        cmocka_unit_test(the_bucket_is_shared_by_all_sockets_and_survives_a_reconnect),
        cmocka_unit_test(people_who_left_are_forgotten),
        cmocka_unit_test(zero_is_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

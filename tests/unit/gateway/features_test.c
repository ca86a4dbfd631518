/* features_test.c -- the roll-out by a stable hash (SPEC F1). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "gateway/features.h"

static unsigned let_in(unsigned percent)
{
    struct features f = { .websocket = true, .rollout_percent = percent };
    unsigned        n = 0;
    char            sub[32];

    for (int i = 0; i < 2000; i++) {
        snprintf(sub, sizeof(sub), "user-%d@acme", i);
        n += features_let_in(&f, sub);
    }
    return n;
}

static void the_share_is_what_was_asked_for(void **state)
{
    (void)state;
    assert_int_equal(let_in(0), 0);
    assert_in_range(let_in(10), 140, 260);
    assert_in_range(let_in(50), 900, 1100);
    assert_int_equal(let_in(100), 2000);
}

static void who_is_in_stays_in_as_it_grows(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        char sub[32];
        bool was_in = false;

        snprintf(sub, sizeof(sub), "user-%d", i);
        for (unsigned percent = 0; percent <= 100; percent++) {
            struct features f = { .websocket = true, .rollout_percent = percent };
            bool            is_in = features_let_in(&f, sub);

            assert_true(is_in || !was_in);
            was_in = is_in;
        }
        assert_true(was_in);
    }
}

static void off_is_off_and_every_replica_agrees(void **state)
{
    struct features off = { .rollout_percent = 100 };
    struct features part = { .websocket = true, .rollout_percent = 91 };

    (void)state;
    assert_false(features_let_in(&off, "ann"));
    assert_false(features_let_in(&part, "bob"));       /* SHA-256("bob") begins 81b637: place 91 */
    part.rollout_percent = 92;
    assert_true(features_let_in(&part, "bob"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_share_is_what_was_asked_for),
        cmocka_unit_test(who_is_in_stays_in_as_it_grows),
        cmocka_unit_test(off_is_off_and_every_replica_agrees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

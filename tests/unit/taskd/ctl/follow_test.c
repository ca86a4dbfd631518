/* follow_test.c -- how far a task has come, and what it can never come to. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/err.h"
#include "taskd/ctl/follow.h"

#define BIT(status) (1u << STATUS_##status)

static void statuses_are_named_by_their_wire_names(void **state)
{
    unsigned set;

    (void)state;
    assert_int_equal(statuses_read("merged", &set), 0);
    assert_int_equal(set, BIT(MERGED));
    assert_int_equal(statuses_read("merged,failed", &set), 0);
    assert_int_equal(set, BIT(MERGED) | BIT(FAILED));
    assert_int_equal(statuses_read("", &set), ERR_INVALID);
    assert_int_equal(statuses_read("merged,", &set), ERR_INVALID);
    assert_int_equal(statuses_read("Merged", &set), ERR_INVALID);
}

static void events_tell_where_they_led(void **state)
{
    json_t *events = json_parse(SLICE("[{\"eventType\":\"created\"},{\"eventType\":\"note\"},"
                                      "{\"eventType\":\"dispatched\"},{\"eventType\":\"of the "
                                      "future\"},{}]"),
                                NULL);

    (void)state;
    assert_int_equal(statuses_of(events), BIT(RECEIVED) | BIT(DISPATCHED));
    assert_int_equal(statuses_of(NULL), 0);
    json_decref(events);
}

static void what_can_still_be_is_not_hopeless(void **state)
{
    (void)state;
    for (int s = 0; s < STATUS_COUNT; s++) {
        if (s == STATUS_MERGED || s == STATUS_FAILED)
            continue;
        assert_false(is_hopeless((enum status)s, INPUT_COUNT, BIT(MERGED)));
        assert_false(is_hopeless((enum status)s, INPUT_COUNT, BIT(FAILED)));
    }
    assert_false(is_hopeless(STATUS_FAILED, INPUT_PR_CLOSED, BIT(MERGED)));
    assert_false(is_hopeless(STATUS_FAILED, INPUT_COUNT, BIT(PR_OPEN)));    /* not known how it failed */
}

static void what_is_final_is_hopeless(void **state)
{
    (void)state;
    assert_true(is_hopeless(STATUS_MERGED, INPUT_PR_MERGED, BIT(FAILED) | BIT(CODING)));
    assert_true(is_hopeless(STATUS_FAILED, INPUT_FAILED, BIT(MERGED)));
    assert_true(is_hopeless(STATUS_CODING, INPUT_CODING, BIT(ANALYZING) | BIT(RECEIVED)));
    assert_true(is_hopeless(STATUS_FAILED, INPUT_PR_CLOSED, BIT(CODING)));
    assert_false(is_hopeless(STATUS_MERGED, INPUT_PR_MERGED, BIT(MERGED)));
}

static void who_fails_again_waits_longer(void **state)
{
    (void)state;
    assert_int_equal(backoff_ms(1), 250);
    assert_int_equal(backoff_ms(2), 500);
    assert_int_equal(backoff_ms(5), 4000);
    assert_int_equal(backoff_ms(6), 5000);
    assert_int_equal(backoff_ms(4000000000u), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_are_named_by_their_wire_names),
        cmocka_unit_test(events_tell_where_they_led),
        cmocka_unit_test(what_can_still_be_is_not_hopeless),
        cmocka_unit_test(what_is_final_is_hopeless),
        cmocka_unit_test(who_fails_again_waits_longer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

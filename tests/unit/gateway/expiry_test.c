/* expiry_test.c -- the wheel of tokens: each ends once, in its second. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "gateway/expiry.h"

struct node {
    struct list in;
    int64_t     at;
    int64_t     ended;
};

static int64_t now;

static int64_t when(const struct list *l)
{
    return container_of(l, struct node, in)->at;
}

static void over(struct list *l, void *arg)
{
    struct node *n = container_of(l, struct node, in);

    ++*(int *)arg;
    assert_int_equal(n->ended, 0);
    n->ended = now;
}

static const struct expiry_calls CALLS = { .when = when, .over = over };

static int turn(struct expiry *e, int64_t to)
{
    int count = 0;

    now = to;
    expiry_turn(e, to, &CALLS, &count);
    return count;
}

static void each_ends_in_its_second_however_far_away(void **state)
{
    struct expiry *e = malloc(sizeof(*e));
    struct node    nodes[500];
    unsigned       seed = 3;
    int            ended = 0;

    (void)state;
    expiry_init(e, 100000);
    for (int i = 0; i < 500; i++) {
        seed = seed * 1103515245u + 12345u;
        nodes[i] = (struct node){ .at = 100001 + (seed >> 8) % (5 * EXPIRY_SLOTS) };
        list_init(&nodes[i].in);
        expiry_add(e, &nodes[i].in, nodes[i].at);
    }
    for (int64_t s = 100001; s <= 100001 + 5 * EXPIRY_SLOTS; s++)
        ended += turn(e, s);
    assert_int_equal(ended, 500);
    for (int i = 0; i < 500; i++)
        assert_int_equal(nodes[i].ended, nodes[i].at);
    free(e);
}

static void a_clock_that_jumps_ends_all_that_are_over(void **state)
{
    struct expiry *e = malloc(sizeof(*e));
    struct node    near = { .at = 1010 }, far = { .at = 1000 + 10 * EXPIRY_SLOTS };

    (void)state;
    expiry_init(e, 1000);
    expiry_add(e, &near.in, near.at);
    expiry_add(e, &far.in, far.at);
    assert_int_equal(turn(e, 1000 + 3 * EXPIRY_SLOTS + 7), 1);
    assert_int_equal(turn(e, 500), 0);         /* back: waits */
    assert_int_equal(turn(e, far.at - 1), 0);
    assert_int_equal(turn(e, far.at), 1);
    free(e);
}

static void one_that_is_over_already_ends_at_the_next_turn(void **state)
{
    struct expiry *e = malloc(sizeof(*e));
    struct node    late = { .at = 900 };

    (void)state;
    expiry_init(e, 1000);
    expiry_add(e, &late.in, late.at);
    assert_int_equal(turn(e, 1001), 1);
    free(e);
}

static void a_removed_one_never_ends(void **state)
{
    struct expiry *e = malloc(sizeof(*e));
    struct node    n = { .at = 1003 };

    (void)state;
    expiry_init(e, 1000);
    expiry_add(e, &n.in, n.at);
    list_remove(&n.in);
    assert_int_equal(turn(e, 1100), 0);
    free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_ends_in_its_second_however_far_away),
        cmocka_unit_test(a_clock_that_jumps_ends_all_that_are_over),
        cmocka_unit_test(one_that_is_over_already_ends_at_the_next_turn),
        cmocka_unit_test(a_removed_one_never_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

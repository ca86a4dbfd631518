/* nonces_test.c -- each nonce once, for as long as it could be used again. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/err.h"
#include "gateway/nonces.h"

#define NOW INT64_C(1700000010000)

static void a_nonce_is_good_once(void **state)
{
    struct nonces n;

    (void)state;
    nonces_init(&n);
    assert_int_equal(nonces_add(&n, NOW, 7), 0);
    assert_int_equal(nonces_add(&n, NOW, 7), ERR_REPEAT);
    assert_int_equal(nonces_add(&n, NOW, 8), 0);
    assert_int_equal(nonces_add(&n, NOW, 0), ERR_REPEAT);
    assert_int_equal(nonces_add(&n, -1, 9), ERR_REPEAT);
    nonces_deinit(&n);
}

/* With the same low bits, so that all of them meet in one place of the table. */
static void thousands_are_told_apart(void **state)
{
    struct nonces n;

    (void)state;
    nonces_init(&n);
    for (uint64_t i = 1; i <= 5000; i++)
        assert_int_equal(nonces_add(&n, NOW, i << 40 | 1), 0);
    for (uint64_t i = 1; i <= 5000; i++)
        assert_int_equal(nonces_add(&n, NOW, i << 40 | 1), ERR_REPEAT);
    nonces_deinit(&n);
}

/* A nonce made at any time that is let in now is still remembered at the last moment at which
 * it would be let in. */
static void a_nonce_is_remembered_as_long_as_it_could_come_again(void **state)
{
    (void)state;
    for (int64_t off = -NONCES_SPAN_MS; off <= NONCES_SPAN_MS; off += 500) {
        struct nonces n;
        int64_t       made = NOW + off;

        nonces_init(&n);
        assert_int_equal(nonces_add(&n, made, 1), 0);
        for (int64_t now = NOW; now <= made + NONCES_SPAN_MS; now += 500) {
            assert_int_not_equal(nonces_add(&n, now + NONCES_SPAN_MS, (uint64_t)now), ERR_BUSY);
            assert_int_equal(nonces_add(&n, made, 1), ERR_REPEAT);
        }
        nonces_deinit(&n);
    }
}

static void what_is_over_is_forgotten(void **state)
{
    struct nonces n;

    (void)state;
    nonces_init(&n);
    assert_int_equal(nonces_add(&n, NOW, 1), 0);
    assert_int_equal(nonces_add(&n, NOW + 3 * NONCES_SPAN_MS, 1), 0);
    assert_int_equal(n.sets[0].count + n.sets[1].count + n.sets[2].count, 1);
    nonces_deinit(&n);
}

static void there_is_a_bound_and_it_lets_go_with_time(void **state)
{
    struct nonces n;

    (void)state;
    nonces_init(&n);
    for (uint64_t i = 1; i <= NONCES_MAX; i++)
        assert_int_equal(nonces_add(&n, NOW, i * 0x9e3779b97f4a7c15), 0);
    assert_int_equal(nonces_add(&n, NOW, 3), ERR_BUSY);
    assert_int_equal(nonces_add(&n, NOW + NONCES_SPAN_MS, 3), 0);
    nonces_deinit(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_nonce_is_good_once),
        cmocka_unit_test(thousands_are_told_apart),
        cmocka_unit_test(a_nonce_is_remembered_as_long_as_it_could_come_again),
        cmocka_unit_test(what_is_over_is_forgotten),
        cmocka_unit_test(there_is_a_bound_and_it_lets_go_with_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* pool_test.c -- objects of one size, given and taken. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/pool.h"

#define MANY (3 * POOL_SLAB_COUNT + 5)

static void objects_are_zeroed_apart_and_aligned(void **state)
{
    struct pool p;
    char       *objects[MANY];

    (void)state;
    pool_init(&p, 21);
    for (size_t i = 0; i < MANY; i++) {
        objects[i] = pool_take(&p);
        assert_int_equal((uintptr_t)objects[i] % 8, 0);
        for (size_t k = 0; k < 21; k++)
            assert_int_equal(objects[i][k], 0);
        memset(objects[i], (int)i, 21);
    }
    for (size_t i = 0; i < MANY; i++) {
        for (size_t k = 0; k < 21; k++)
            assert_int_equal(objects[i][k], (char)i);
        pool_give(&p, objects[i]);
    }
    pool_deinit(&p);
}

static void what_was_given_back_is_zeroed_again(void **state)
{
    struct pool p;
    char       *objects[MANY];

    (void)state;
    pool_init(&p, 40);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < MANY; i++) {
            objects[i] = pool_take(&p);
            for (size_t k = 0; k < 40; k++)
                assert_int_equal(objects[i][k], 0);
            memset(objects[i], 0xff, 40);
        }
        assert_int_equal(p.used, MANY);
        for (size_t i = 0; i < MANY; i++)
            pool_give(&p, objects[(i * 7) % MANY]);
    }
    pool_deinit(&p);
}

static void the_same_memory_serves_again(void **state)
{
    struct pool       p;
    struct pool_slab *slabs;
    void             *object;

    (void)state;
    pool_init(&p, 8);
    object = pool_take(&p);
    slabs = p.slabs;
    for (size_t i = 0; i < 10 * POOL_SLAB_COUNT; i++) {
        pool_give(&p, object);
        object = pool_take(&p);
    }
    assert_ptr_equal(p.slabs, slabs);
    pool_give(&p, object);
    pool_deinit(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_zeroed_apart_and_aligned),
        cmocka_unit_test(what_was_given_back_is_zeroed_again),
        cmocka_unit_test(the_same_memory_serves_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

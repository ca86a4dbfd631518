/* sample_test.c -- how many different people several sets hold, from samples of them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "gateway/sample.h"

static uint64_t hash_of(int person)
{
    char text[32];

    snprintf(text, sizeof(text), "person-%d@acme", person);
    return sample_hash(slice_of(text));
}

static void fill(struct sample *s, int from, int to)
{
    sample_init(s);
    for (int i = from; i < to; i++)
        sample_add(s, hash_of(i));
}

static uint64_t union_of_two(int from_a, int to_a, int from_b, int to_b)
{
    struct sample        a, b;
    const struct sample *sets[] = { &a, &b };
    const uint64_t       counts[] = { (uint64_t)(to_a - from_a), (uint64_t)(to_b - from_b) };
    uint64_t             n;

    fill(&a, from_a, to_a);
    fill(&b, from_b, to_b);
    n = sample_union(sets, counts, 2);
    sample_deinit(&a);
    sample_deinit(&b);
    return n;
}

static void small_sets_are_counted_exactly(void **state)
{
    (void)state;
    assert_int_equal(union_of_two(0, 0, 0, 0), 0);
    assert_int_equal(union_of_two(0, 3, 0, 3), 3);
    assert_int_equal(union_of_two(0, 3, 2, 5), 5);
    assert_int_equal(union_of_two(0, 60, 40, 100), 100);
    assert_int_equal(union_of_two(0, 128, 0, 128), 128);
}

static void large_sets_without_a_person_in_common_are_counted_exactly(void **state)
{
    (void)state;
    assert_int_equal(union_of_two(0, 5000, 5000, 9000), 9000);
    assert_int_equal(union_of_two(0, 5000, 5000, 5001), 5001);
}

static void the_same_large_set_twice_counts_once(void **state)
{
    (void)state;
    assert_int_equal(union_of_two(0, 5000, 0, 5000), 5000);
}

static void sets_in_part_the_same_are_counted_nearly(void **state)
{
    uint64_t n = union_of_two(0, 5000, 4500, 9500);   /* 500 in common */

    (void)state;
    assert_in_range(n, 9500 - 500, 9500 + 500);
    n = union_of_two(0, 4000, 2000, 6000);            /* half of each in common */
    assert_in_range(n, 6000 - 600, 6000 + 600);
}

static void a_sample_is_the_same_whatever_the_order(void **state)
{
    struct sample a, b;

    (void)state;
    fill(&a, 0, 1000);
    sample_init(&b);
    for (int i = 1000; i-- > 0;)
        sample_add(&b, hash_of(i));
    assert_int_equal(a.count, SAMPLE_MAX);
    assert_int_equal(b.count, SAMPLE_MAX);
    assert_int_equal(a.bound, b.bound);
    assert_memory_equal(a.at, b.at, a.count * sizeof(a.at[0]));
    sample_deinit(&a);
    sample_deinit(&b);
}

/* People go; what is left below the bound is still all that is there. */
static void a_sample_that_loses_people_says_when_it_is_poor(void **state)
{
    struct sample s;
    bool          is_poor = false;
    int           gone = 0;

    (void)state;
    fill(&s, 0, 1000);
    while (!is_poor) {
        assert_true(s.count >= SAMPLE_MIN);
        is_poor = sample_remove(&s, hash_of(gone++));
    }
    assert_int_equal(s.count, SAMPLE_MIN - 1);
    for (int i = gone; i < 1000; i++) {
        bool is_in = false;

        for (size_t k = 0; k < s.count; k++)
            is_in = is_in || s.at[k] == hash_of(i);
        assert_int_equal(is_in, hash_of(i) < s.bound);
    }
    sample_deinit(&s);
    fill(&s, 0, 30);
    for (int i = 0; i < 30; i++)
        assert_false(sample_remove(&s, hash_of(i)));   /* a whole set is never poor */
    assert_int_equal(s.count, 0);
    sample_deinit(&s);
}

static void text_and_back(void **state)
{
    const int sizes[] = { 0, 1, 2, 127, 128, 129, 3000 };

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct sample a, b;
        struct buf    text;

        fill(&a, 0, sizes[i]);
        buf_init(&text, SAMPLE_TEXT_MAX);
        sample_append(&a, &text);
        assert_false(buf_failed(&text));
        assert_int_equal(sample_parse(&b, buf_peek(&text)), 0);
        assert_int_equal(a.count, b.count);
        assert_int_equal(a.bound, b.bound);
        if (a.count > 0)
            assert_memory_equal(a.at, b.at, a.count * sizeof(a.at[0]));
        buf_deinit(&text);
        sample_deinit(&a);
        sample_deinit(&b);
    }
}

static void what_is_no_sample_is_refused(void **state)
{
    static const char *const TEXTS[] = {
        "", "A", "AAAAAAA", "AAAAAAAAA", "!!!!!!!!",
        "AAAAAAAAAAAAAAAA",                    /* a hash that is not below the bound */
        "________BBBBBBBBAAAAAAAA",            /* hashes out of order */
        "________BBBBBBBBBBBBBBBB",            /* the same twice */
    };
    struct sample s;
    struct buf    long_text;

    (void)state;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        assert_int_equal(sample_parse(&s, slice_of(TEXTS[i])), ERR_INVALID);
        assert_int_equal(s.count, 0);
    }
    buf_init(&long_text, 1 << 16);
    for (int i = 0; i < SAMPLE_MAX + 2; i++)
        buf_append_text(&long_text, "AAAAAAAA");
    assert_int_equal(sample_parse(&s, buf_peek(&long_text)), ERR_INVALID);
    buf_deinit(&long_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_sets_are_counted_exactly),
        cmocka_unit_test(large_sets_without_a_person_in_common_are_counted_exactly),
        cmocka_unit_test(the_same_large_set_twice_counts_once),
        cmocka_unit_test(sets_in_part_the_same_are_counted_nearly),
        cmocka_unit_test(a_sample_is_the_same_whatever_the_order),
        cmocka_unit_test(a_sample_that_loses_people_says_when_it_is_poor),
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(what_is_no_sample_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

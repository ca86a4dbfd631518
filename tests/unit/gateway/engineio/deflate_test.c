/* deflate_test.c -- compression of single messages (gateway/engineio/deflate.c). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/err.h"
#include "common/mem.h"
#include "gateway/engineio/deflate.h"

static void round_trip(struct deflater *d, struct slice data, int window_bits)
{
    struct buf packed, out;

    buf_init(&packed, data.len * 2 + 1024);
    buf_init(&out, data.len);                  /* the ceiling is exactly what is needed */
    assert_int_equal(deflater_compress(d, data, window_bits, &packed), 0);
    assert_int_equal(deflater_inflate(d, buf_peek(&packed), &out), 0);
    assert_true(slice_eq(buf_peek(&out), data));
    buf_deinit(&packed);
    buf_deinit(&out);
}

static void every_size_and_window_comes_back_as_it_was(void **state)
{
    static const size_t SIZES[] = { 0, 1, 2, 125, 126, 255, 256, 257, 4096, 65535, 65536, 300000 };
    struct deflater    *d = deflater_new();
    char               *data = mem_alloc(300000);

    (void)state;
    srand(7);
    for (size_t i = 0; i < 300000; i++)
        data[i] = (char)(i < 100000 ? 'a' + (int)(i % 7) : rand());
    for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); i++) {
        round_trip(d, slice_make(data, SIZES[i]), DEFLATE_WINDOW_MAX);
        round_trip(d, slice_make(data + 300000 - SIZES[i], SIZES[i]), DEFLATE_WINDOW_MIN);
    }
    free(data);
    deflater_free(d);
}

static void messages_do_not_depend_on_earlier_ones(void **state)
{
    struct deflater *d = deflater_new(), *other = deflater_new();
    struct buf       one, two, out;

    (void)state;
    buf_init(&one, 256);
    buf_init(&two, 256);
    buf_init(&out, 256);
    assert_int_equal(deflater_compress(d, SLICE("the same text twice"), 15, &one), 0);
    assert_int_equal(deflater_compress(d, SLICE("the same text twice"), 15, &two), 0);
    assert_true(slice_eq(buf_peek(&one), buf_peek(&two)));
    assert_int_equal(deflater_inflate(other, buf_peek(&two), &out), 0);
    assert_true(slice_is(buf_peek(&out), "the same text twice"));
    buf_deinit(&one);
    buf_deinit(&two);
    buf_deinit(&out);
    deflater_free(d);
    deflater_free(other);
}

/* The examples of RFC 7692 §7.2.3. */
static void the_standards_examples_are_understood(void **state)
{
    static const struct slice HELLO[] = {
        { "\xf2\x48\xcd\xc9\xc9\x07\x00", 7 },                         /* one block */
        { "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11 },        /* not compressed */
        { "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8 },                     /* BFINAL */
        { "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13 },/* two blocks */
    };
    struct deflater *d = deflater_new();
    struct buf       out;

    (void)state;
    buf_init(&out, 5);
    for (size_t i = 0; i < 4; i++) {
        buf_reset(&out);
        assert_int_equal(deflater_inflate(d, HELLO[i], &out), 0);
        assert_true(slice_is(buf_peek(&out), "Hello"));
    }
    buf_deinit(&out);
    deflater_free(d);
}

static void a_bomb_stops_at_the_ceiling(void **state)
{
    struct deflater *d = deflater_new();
    char            *zeros = mem_alloc(1 << 20);
    struct buf       packed, out;

    (void)state;
    buf_init(&packed, 1 << 20);
    buf_init(&out, 65536);
    assert_int_equal(deflater_compress(d, slice_make(zeros, 1 << 20), 15, &packed), 0);
    assert_true(packed.len < 2048);
    assert_int_equal(deflater_inflate(d, buf_peek(&packed), &out), ERR_TOO_BIG);
    assert_true(out.len <= 65536);
    buf_reset(&out);
    out.max = 1 << 20;                         /* exactly as much as there is */
    assert_int_equal(deflater_inflate(d, buf_peek(&packed), &out), 0);
    assert_true(out.len == 1 << 20);
    buf_reset(&out);
    out.max = (1 << 20) - 1;
    assert_int_equal(deflater_inflate(d, buf_peek(&packed), &out), ERR_TOO_BIG);
    free(zeros);
    buf_deinit(&packed);
    buf_deinit(&out);
    deflater_free(d);
}

static void rubbish_is_refused_and_leaves_the_next_message_alone(void **state)
{
    struct deflater *d = deflater_new();
    struct buf       out;

    (void)state;
    buf_init(&out, 1000);
    assert_int_equal(deflater_inflate(d, SLICE("\xff\xff\xff\xff\xff"), &out), ERR_FRAME);
    buf_reset(&out);
    assert_int_equal(deflater_inflate(d, slice_make("\xf2\x48\xcd\xc9\xc9\x07\x00", 7), &out), 0);
    assert_true(slice_is(buf_peek(&out), "Hello"));
    buf_deinit(&out);
    deflater_free(d);
}

static void compressing_stops_where_it_does_not_pay(void **state)
{
    struct deflater *d = deflater_new();
    char             noise[1000];
    struct buf       packed;

    (void)state;
    srand(11);
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)rand();
    buf_init(&packed, 100);
    assert_int_equal(deflater_compress(d, slice_make(noise, sizeof(noise)), 15, &packed),
                     ERR_TOO_BIG);
    buf_deinit(&packed);
    round_trip(d, SLICE("and then it works again"), 15);
    deflater_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_and_window_comes_back_as_it_was),
        cmocka_unit_test(messages_do_not_depend_on_earlier_ones),
        cmocka_unit_test(the_standards_examples_are_understood),
        cmocka_unit_test(a_bomb_stops_at_the_ceiling),
        cmocka_unit_test(rubbish_is_refused_and_leaves_the_next_message_alone),
        cmocka_unit_test(compressing_stops_where_it_does_not_pay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

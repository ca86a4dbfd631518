/* message_test.c -- messages and their encodings (gateway/engineio/message.c). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/mem.h"
#include "gateway/engineio/message.h"
#include "gateway/engineio/websocket_codec.h"

static void a_text_message_is_one_frame_and_a_slice_of_it(void **state)
{
    struct slice        parts[] = { SLICE("he"), SLICE(""), SLICE("llo") };
    struct eio_message *m = eio_message_join(parts, 3, false, 0);

    (void)state;
    assert_true(slice_eq(rcbuf_slice(m->frame), SLICE("\x81\x06""4hello")));
    assert_true(slice_is(message_polled(m), "4hello"));
    assert_ptr_equal(message_polled(m).data, m->frame->data + 2);
    eio_message_unref(m);
}

static void a_binary_message_is_bare_in_a_frame_and_base64_in_a_poll(void **state)
{
    struct eio_message *m = eio_message_new(SLICE("\x01\x02\x03\x04"), true, 0);
    const char         *first;

    (void)state;
    assert_true(slice_eq(rcbuf_slice(m->frame), SLICE("\x82\x04\x01\x02\x03\x04")));
    assert_true(slice_is(message_polled(m), "bAQIDBA=="));
    first = message_polled(m).data;
    assert_ptr_equal(message_polled(m).data, first);       /* made once */
    eio_message_unref(m);
}

static void an_empty_message_has_both_encodings(void **state)
{
    struct eio_message *text = eio_message_new(SLICE(""), false, 0);
    struct eio_message *binary = eio_message_new(SLICE(""), true, 0);

    (void)state;
    assert_true(slice_is(message_polled(text), "4"));
    assert_true(slice_is(message_polled(binary), "b"));
    assert_true(slice_eq(rcbuf_slice(binary->frame), slice_make("\x82\x00", 2)));
    eio_message_unref(text);
    eio_message_unref(binary);
}

static void frame_headers_grow_with_the_length(void **state)
{
    static const struct {
        size_t len, header;
    } CASES[] = { { 124, 2 }, { 125, 4 }, { 65534, 4 }, { 65535, 10 }, { 70000, 10 } };
    char *data = mem_alloc(70000);

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct eio_message *m = eio_message_new(slice_make(data, CASES[i].len), false, 0);

        assert_int_equal(m->frame->len, CASES[i].header + 1 + CASES[i].len);
        assert_int_equal(message_polled(m).len, 1 + CASES[i].len);
        eio_message_unref(m);
    }
    free(data);
}

static void compression_is_done_once_and_only_where_it_pays(void **state)
{
    struct deflater    *d = deflater_new();
    char                same[2000], noise[2000];
    struct eio_message *small = eio_message_new(SLICE("small"), false, 0);
    struct eio_message *large, *random;
    struct rcbuf       *packed;

    (void)state;
    srand(3);
    for (size_t i = 0; i < sizeof(same); i++) {
        same[i] = 'x';
        noise[i] = (char)rand();
    }
    large = eio_message_new(slice_make(same, sizeof(same)), false, 0);
    random = eio_message_new(slice_make(noise, sizeof(noise)), true, 0);
    assert_ptr_equal(message_deflated(small, d, 1024), small->frame);
    packed = message_deflated(large, d, 1024);
    assert_ptr_not_equal(packed, large->frame);
    assert_true(packed->len < 100);
    assert_int_equal((uint8_t)packed->data[0], 0xc1);      /* FIN, RSV1, text */
    assert_ptr_equal(message_deflated(large, d, 1024), packed);
    assert_ptr_equal(message_deflated(random, d, 1024), random->frame);
    eio_message_unref(small);
    eio_message_unref(large);
    eio_message_unref(random);
    deflater_free(d);
}

static void the_last_reference_frees(void **state)
{
    struct eio_message *m = eio_message_new(SLICE("x"), false, 0);

    (void)state;
    assert_ptr_equal(eio_message_ref(m), m);
    eio_message_unref(m);
    assert_int_equal(m->refs, 1);
    eio_message_unref(m);
    eio_message_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_message_is_one_frame_and_a_slice_of_it),
        cmocka_unit_test(a_binary_message_is_bare_in_a_frame_and_base64_in_a_poll),
        cmocka_unit_test(an_empty_message_has_both_encodings),
        cmocka_unit_test(frame_headers_grow_with_the_length),
        cmocka_unit_test(compression_is_done_once_and_only_where_it_pays),
        cmocka_unit_test(the_last_reference_frees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

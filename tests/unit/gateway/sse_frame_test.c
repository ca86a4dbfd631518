/* sse_frame_test.c -- events as Server-Sent Events write them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/sse_frame.h"

static void assert_frame(const char *open_array, const char *offset, const char *want)
{
    struct rcbuf *frame = sse_frame(slice_of(open_array), slice_of(offset));

    assert_int_equal(frame->len, slice_of(want).len);
    assert_memory_equal(frame->data, want, frame->len);
    rcbuf_unref(frame);
}

static void an_event_has_its_name_its_position_and_its_payload(void **state)
{
    (void)state;
    assert_frame("[\"task:coding\",{\"taskId\":\"a\",\"text\":\"b, \\\"c\\\"\"}", "1-2.3",
                 "event: task:coding\nid: 1-2.3\n"
                 "data: {\"taskId\":\"a\",\"text\":\"b, \\\"c\\\"\"}\n\n");
}

static void one_without_a_position_leaves_the_readers_where_it_is(void **state)
{
    (void)state;
    assert_frame("[\"task:presence\",{}", "", "event: task:presence\ndata: {}\n\n");
}

static void one_without_a_payload_has_data_all_the_same(void **state)
{
    (void)state;
    assert_frame("[\"x\"", "", "event: x\ndata: null\n\n");
}

static void it_is_told_by_its_name(void **state)
{
    struct rcbuf *frame = sse_frame(SLICE("[\"task:evicted\",{\"error\":1}"), SLICE("1-2.3"));

    (void)state;
    assert_true(sse_frame_is(rcbuf_slice(frame), "task:evicted"));
    assert_false(sse_frame_is(rcbuf_slice(frame), "task:evict"));
    assert_false(sse_frame_is(rcbuf_slice(frame), "error"));
    assert_false(sse_frame_is(SLICE(""), "error"));
    rcbuf_unref(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_has_its_name_its_position_and_its_payload),
        cmocka_unit_test(one_without_a_position_leaves_the_readers_where_it_is),
        cmocka_unit_test(one_without_a_payload_has_data_all_the_same),
        cmocka_unit_test(it_is_told_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

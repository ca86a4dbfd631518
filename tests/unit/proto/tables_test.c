/* tables_test.c -- the registry: names, buckets, shapes and their fields, moves. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/err.h"
#include "proto/shapes.h"

static void every_status_is_found_by_its_wire_name(void **state)
{
    static const char *const WIRE[] = { "received", "analyzing", "needs_clarification", "dispatched",
                                        "coding", "pr_open", "merged", "failed" };
    enum status found;

    (void)state;
    assert_int_equal(STATUS_COUNT, sizeof(WIRE) / sizeof(WIRE[0]));
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        assert_string_equal(status_wire((enum status)i), WIRE[i]);
        assert_int_equal(status_parse(slice_of(WIRE[i]), &found), 0);
        assert_int_equal(found, i);
        assert_true(strlen(status_text((enum status)i)) > 0);
    }
}

static void what_is_no_status_is_refused(void **state)
{
    static const char *const NAMES[] = { "", "Received", "received ", "pr-open", "merge", "mergedd" };
    enum status found;

    (void)state;
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        assert_int_equal(status_parse(slice_of(NAMES[i]), &found), ERR_INVALID);
    assert_int_equal(status_parse(slice_make(NULL, 0), &found), ERR_INVALID);
}

static void all_but_merged_and_failed_are_active(void **state)
{
    (void)state;
    for (int s = 0; s < STATUS_COUNT; s++)
        assert_int_equal(status_is_active(s), s != STATUS_MERGED && s != STATUS_FAILED);
}

static void buckets_are_of_a_scope_and_a_kind(void **state)
{
    (void)state;
    assert_int_equal(status_bucket(STATUS_CODING, false), BUCKET_ORG_ACTIVE);
    assert_int_equal(status_bucket(STATUS_CODING, true), BUCKET_PRIVATE_ACTIVE);
    assert_int_equal(status_bucket(STATUS_MERGED, false), BUCKET_ORG_COMPLETED);
    assert_int_equal(status_bucket(STATUS_MERGED, true), BUCKET_PRIVATE_COMPLETED);
    assert_int_equal(status_bucket(STATUS_FAILED, false), BUCKET_ORG_FAILED);
    assert_int_equal(status_bucket(STATUS_FAILED, true), BUCKET_PRIVATE_FAILED);
}

static void bucket_names_go_there_and_back(void **state)
{
    enum bucket found;

    (void)state;
    for (int b = 0; b < BUCKET_COUNT; b++) {
        assert_int_equal(bucket_parse(slice_of(bucket_wire(b)), &found), 0);
        assert_int_equal(found, b);
    }
    assert_string_equal(bucket_wire(BUCKET_PRIVATE_COMPLETED), "pc");
    assert_int_equal(bucket_parse(SLICE("xx"), &found), ERR_INVALID);
}

static void inputs_of_people_are_told_apart(void **state)
{
    (void)state;
    for (int i = 0; i < INPUT_COUNT; i++) {
        enum input found;

        assert_int_equal(input_parse(slice_of(input_wire(i)), &found), 0);
        assert_int_equal(found, i);
        assert_int_equal(input_is_rest_only(i), i == INPUT_CREATED || i == INPUT_EDITED ||
                                                    i == INPUT_CLARIFICATION_SUBMITTED);
    }
    assert_int_equal(INPUT_COUNT, 16);
}

static void error_codes_are_unique(void **state)
{
    (void)state;
    assert_int_equal(error_spec(ERROR_NOT_FOUND)->http, 404);
    assert_string_equal(error_spec(ERROR_BAD_MESSAGE)->text, "Invalid message format");
    assert_string_equal(error_spec(ERROR_BAD_TASK_ID)->text, "taskId must be a non-empty string");
    assert_string_equal(error_spec(ERROR_TOO_MANY)->text, "Too many requests");
    for (int a = 0; a < ERROR_COUNT; a++) {
        for (int b = 0; b < a; b++)
            assert_string_not_equal(error_spec(a)->code, error_spec(b)->code);
    }
}

static void every_field_stands_below_its_shape(void **state)
{
    size_t total = 0;

    (void)state;
    for (int s = 0; s < SHAPE_COUNT; s++) {
        size_t              count;
        const struct field *fields = shape_fields(s, &count);

        for (size_t i = 0; i < count; i++)
            assert_int_equal(fields[i].shape, s);
        total += count;
    }
    assert_true(total > 100);
}

static void wire_names_are_unique_in_each_direction(void **state)
{
    (void)state;
    for (int a = 0; a < SHAPE_COUNT; a++) {
        for (int b = 0; b < a; b++) {
            if (shape_spec(a)->kind == shape_spec(b)->kind)
                assert_string_not_equal(shape_spec(a)->wire, shape_spec(b)->wire);
        }
    }
}

static void events_are_found_by_name_and_direction(void **state)
{
    enum shape found;

    (void)state;
    assert_int_equal(shape_parse_event(SLICE("task:join"), KIND_UP, &found), 0);
    assert_int_equal(found, SHAPE_TASK_JOIN);
    assert_int_equal(shape_parse_event(SLICE("task:join"), KIND_DOWN, &found), ERR_INVALID);
    assert_int_equal(shape_parse_event(SLICE("task:state"), KIND_DOWN, &found), 0);
    assert_int_equal(found, SHAPE_TASK_STATE);
    assert_int_equal(shape_parse_event(SLICE("connect"), KIND_UP, &found), ERR_INVALID);
}

/* SPEC E: every task payload carries seq; presence alone has none. */
static void every_event_of_a_task_carries_seq(void **state)
{
    (void)state;
    for (int s = 0; s < SHAPE_COUNT; s++) {
        const struct shape_spec *spec = shape_spec(s);
        size_t                   count;
        const struct field      *fields = shape_fields(s, &count);

        if (spec->kind != KIND_DOWN || strncmp(spec->wire, "task:", 5) != 0)
            continue;
        assert_string_equal(fields[0].name, "taskId");
        assert_int_equal(strcmp(fields[1].name, "seq") == 0, s != SHAPE_TASK_PRESENCE);
    }
}

static void every_input_has_its_data(void **state)
{
    (void)state;
    for (int i = 0; i < INPUT_COUNT; i++) {
        const struct shape_spec *spec = shape_spec(shape_of_data(i));

        assert_int_equal(spec->kind, KIND_DATA);
        assert_string_equal(spec->wire, input_wire(i));
    }
}

/* Which row decides must not depend on the order of the rows. */
static void no_two_rows_decide_the_same_move(void **state)
{
    size_t             count;
    const struct move *rows = move_rows(&count);

    (void)state;
    for (size_t a = 0; a < count; a++) {
        for (size_t b = 0; b < a; b++)
            assert_false(rows[a].input == rows[b].input && (rows[a].from & rows[b].from) != 0);
    }
}

static void only_merged_and_failed_are_final(void **state)
{
    (void)state;
    for (int s = 0; s < STATUS_COUNT; s++) {
        assert_int_equal(move_is_final(s, false), s == STATUS_MERGED || s == STATUS_FAILED);
        assert_int_equal(move_is_final(s, true), s == STATUS_MERGED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_is_found_by_its_wire_name),
        cmocka_unit_test(what_is_no_status_is_refused),
        cmocka_unit_test(all_but_merged_and_failed_are_active),
        cmocka_unit_test(buckets_are_of_a_scope_and_a_kind),
        cmocka_unit_test(bucket_names_go_there_and_back),
        cmocka_unit_test(inputs_of_people_are_told_apart),
        cmocka_unit_test(error_codes_are_unique),
        cmocka_unit_test(every_field_stands_below_its_shape),
        cmocka_unit_test(wire_names_are_unique_in_each_direction),
        cmocka_unit_test(events_are_found_by_name_and_direction),
        cmocka_unit_test(every_event_of_a_task_carries_seq),
        cmocka_unit_test(every_input_has_its_data),
        cmocka_unit_test(no_two_rows_decide_the_same_move),
        cmocka_unit_test(only_merged_and_failed_are_final),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

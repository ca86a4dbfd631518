/* json_test.c -- what is parsed, what is refused, what is written. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/json.h"

static void any_json_text_is_parsed(void **state)
{
    static const char *const GOOD[] = {
        "{}",
        "[]",
        "null",
        "true",
        "1",
        "-1.5e3",
        "\"x\"",
        " { \"a\" : [1, 2] } ",
        "\"\\ud83d\\ude00\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
        json_t *value = json_parse(slice_of(GOOD[i]), NULL);

        assert_non_null(value);
        json_decref(value);
    }
}

static void whole_numbers_that_fit_nowhere_are_reals(void **state)
{
    static const char TEXT[] =
        "{\"a\":9223372036854775807,\"b\":-9223372036854775808,\"c\":9223372036854775808,"
        "\"d\":[-340282366920938463463374607431768211456,1.0000000000000000000001,"
        "1000000000000000000000E-21,1e0000000000000000000002],"
        "\"e \\\"99999999999999999999\\\\\":\"99999999999999999999\",\"f\":99999999999999999999}";
    json_t *value = json_parse(slice_of(TEXT), NULL);
    json_t *d = json_object_get(value, "d");

    (void)state;
    assert_non_null(value);
    assert_true(json_int(value, "a", 0) == INT64_MAX && json_int(value, "b", 0) == INT64_MIN);
    assert_true(json_real_value(json_object_get(value, "c")) == 9223372036854775808.0);
    assert_true(json_real_value(json_array_get(d, 0)) == -340282366920938463463374607431768211456.0);
    assert_true(json_real_value(json_array_get(d, 1)) == 1.0);
    assert_true(json_real_value(json_array_get(d, 2)) == 1.0);
    assert_true(json_real_value(json_array_get(d, 3)) == 100.0);
    assert_string_equal(json_text(value, "e \"99999999999999999999\\"), "99999999999999999999");
    assert_true(json_real_value(json_object_get(value, "f")) == 1e20);
    json_decref(value);
}

static void what_is_not_strict_json_is_refused_with_a_reason(void **state)
{
    static const char *const BAD[] = {
        "",
        " ",
        "{",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{} {}",
        "{}x",
        "[1,]",
        "{'a':1}",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\\ud800\"",
        "\"a\nb\"",
        "\"\\u0000\"",
        "01",
        "+1",
        "1e999",
        "NaN",
        "// x\n1",
        "nul",
        "\xef\xbb\xbf{}",
    };
    struct buf why;

    (void)state;
    buf_init(&why, 1000);
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        buf_reset(&why);
        if (json_parse(slice_of(BAD[i]), &why) != NULL)
            fail_msg("accepted: %s", BAD[i]);
        assert_true(why.len > 0);
    }
    assert_null(json_parse(slice_make("{}\0", 3), NULL));
    assert_null(json_parse(slice_make(NULL, 0), NULL));
    buf_deinit(&why);
}

static void the_reason_never_quotes_the_text(void **state)
{
    struct buf why;

    (void)state;
    buf_init(&why, 1000);
    assert_null(json_parse(SLICE("{\"secret\xc3\xa4\\xtoken\":1}"), &why));
    assert_null(strstr(why.data, "secret"));
    buf_reset(&why);
    assert_null(json_parse(SLICE("{\"a\":hunter2}"), &why));
    assert_string_equal(why.data, "invalid token at byte 11");
    buf_deinit(&why);
}

static json_t *nested(int depth, const char *around)
{
    struct buf text;
    json_t    *value;

    buf_init(&text, 10000);
    for (int i = 0; i < depth; i++)
        buf_append_char(&text, '[');
    buf_append_text(&text, around);
    for (int i = 0; i < depth; i++)
        buf_append_char(&text, ']');
    value = json_parse(buf_peek(&text), NULL);
    buf_deinit(&text);
    return value;
}

static void depth_ends_at_sixty_four(void **state)
{
    json_t *value = nested(64, "1");

    (void)state;
    assert_non_null(value);
    json_decref(value);
    assert_null(nested(65, "1"));
    assert_null(nested(4000, "1"));
}

static void brackets_in_strings_are_not_depth(void **state)
{
    char    text[300];
    json_t *value;

    (void)state;
    memset(text, '[', sizeof(text));
    text[0] = '"';
    memcpy(text + 10, "\\\"", 2);
    text[sizeof(text) - 1] = '"';
    value = json_parse(slice_make(text, sizeof(text)), NULL);
    assert_non_null(value);
    json_decref(value);
}

static void members_are_read_or_fall_back(void **state)
{
    json_t *o = json_parse(SLICE("{\"t\":\"x\",\"n\":-7,\"b\":true,\"r\":1.5,\"z\":null}"), NULL);

    (void)state;
    assert_string_equal(json_text(o, "t"), "x");
    assert_null(json_text(o, "n"));
    assert_null(json_text(o, "missing"));
    assert_int_equal(json_int(o, "n", 1), -7);
    assert_int_equal(json_int(o, "r", 1), 1);
    assert_int_equal(json_int(o, "missing", 5), 5);
    assert_true(json_bool(o, "b", false));
    assert_true(json_bool(o, "n", true));
    assert_false(json_bool(o, "z", false));
    assert_null(json_text(NULL, "t"));
    json_decref(o);
}

static void members_are_set_in_order(void **state)
{
    json_t    *o = json_object(), *copy = json_object();
    struct buf b;

    (void)state;
    json_put_text(o, "t", "h\xc3\xa4\"");
    json_put_text(o, "none", NULL);
    json_put_text(o, "bad", "\xff");
    json_put_int(o, "n", INT64_MIN);
    json_put_bool(o, "b", true);
    json_put_time(o, "at", 1795227360123);
    json_put_same(copy, o, "n");
    json_put_same(copy, o, "missing");
    buf_init(&b, 1000);
    assert_int_equal(json_append(&b, o), 0);
    assert_int_equal(json_append(&b, copy), 0);
    assert_string_equal(b.data, "{\"t\":\"h\xc3\xa4\\\"\",\"n\":-9223372036854775808,\"b\":true,"
                                "\"at\":\"2026-11-21T02:16:00.123Z\"}{\"n\":-9223372036854775808}");
    buf_deinit(&b);
    json_decref(o);
    json_decref(copy);
}

static void half_a_value_is_never_left_behind(void **state)
{
    json_t    *o = json_parse(SLICE("{\"a\":\"0123456789\"}"), NULL);
    struct buf b;

    (void)state;
    for (size_t max = 0; max < 20; max++) {
        int want = max >= 19 ? 0 : ERR_TOO_BIG;      /* "x" and 18 bytes of JSON */

        buf_init(&b, max);
        buf_append_text(&b, max > 0 ? "x" : "");
        assert_int_equal(json_append(&b, o), want);
        assert_int_equal(b.len, want == 0 ? 19 : (max > 0));
        assert_int_equal(buf_failed(&b), want != 0);
        buf_deinit(&b);
    }
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_json_text_is_parsed),
        cmocka_unit_test(the_reason_never_quotes_the_text),
        cmocka_unit_test(whole_numbers_that_fit_nowhere_are_reals),
        cmocka_unit_test(what_is_not_strict_json_is_refused_with_a_reason),
        cmocka_unit_test(depth_ends_at_sixty_four),
        cmocka_unit_test(brackets_in_strings_are_not_depth),
        cmocka_unit_test(members_are_read_or_fall_back),
        cmocka_unit_test(members_are_set_in_order),
        cmocka_unit_test(half_a_value_is_never_left_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

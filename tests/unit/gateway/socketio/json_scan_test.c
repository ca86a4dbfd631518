/* json_scan_test.c -- the tokenizer against texts that are JSON and texts that are not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "common/err.h"
#include "gateway/socketio/json_scan.h"

static const char *const GOOD[] = {
    "null", "true", "false", "0", "-0", "1", "-12.5e+3", "1E9", "0.1", "\"\"", "\"a\\u00e4\\n\"",
    "[]", "{}", " [ 1 , 2 ] ", "{\"a\":1,\"a\":2}", "[[[]],{}]", "{\"a\":{\"b\":[{}]}}",
    "\"\\ud800\"", "123456789012345678901234567890", "\t\r\n1", "\"\x7f\"", "\"\\\\\\\"\\/\"",
};

static const char *const BAD[] = {
    "", " ", "nul", "truee", "tru", "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x1", "--1", "'a'", "\"",
    "\"a", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "\"\\", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]",
    "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{1:2}", "{\"a\" 1}",
    "{\"a\":1 \"b\":2}", "[}", "{]", "[1}", "{\"a\":1]", "1 2", "[] []", "]", "}", ",", ":", "NaN",
    "[1]x", "//", "\"a\"\"b\"",
};

/* A copy without a NUL behind it, so that reading past the end is seen by ASan. */
static bool is_valid(const char *text, size_t len, struct slice *out)
{
    char *copy = malloc(len + 1);
    bool valid;

    assert_non_null(copy);
    memcpy(copy, text, len);
    copy = realloc(copy, len == 0 ? 1 : len);
    assert_non_null(copy);
    valid = json_scan_is_valid(slice_make(copy, len), out);
    free(copy);
    return valid;
}

static void what_is_json_is_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++)
        if (!is_valid(GOOD[i], strlen(GOOD[i]), NULL))
            fail_msg("refused: %s", GOOD[i]);
}

static void what_is_not_json_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        if (is_valid(BAD[i], strlen(BAD[i]), NULL))
            fail_msg("accepted: %s", BAD[i]);
    assert_false(is_valid("\"a\0b\"", 5, NULL));
    assert_false(is_valid("\"\\\0\"", 4, NULL));
}

static void a_bracketed_text_cut_anywhere_is_refused(void **state)
{
    static const char TEXT[] = "[\"e\\u00e4\",{\"a\":[1.5e3,true,null,\"x\\n\"],\"b\":{}},-7]";

    (void)state;
    for (size_t len = 0; len < sizeof(TEXT) - 1; len++)
        assert_false(is_valid(TEXT, len, NULL));
    assert_true(is_valid(TEXT, sizeof(TEXT) - 1, NULL));
}

static void nesting_has_a_limit(void **state)
{
    char text[2 * JSON_SCAN_DEPTH_MAX + 2];

    (void)state;
    memset(text, '[', JSON_SCAN_DEPTH_MAX);
    memset(text + JSON_SCAN_DEPTH_MAX, ']', JSON_SCAN_DEPTH_MAX);
    assert_true(is_valid(text, 2 * JSON_SCAN_DEPTH_MAX, NULL));
    memset(text, '[', JSON_SCAN_DEPTH_MAX + 1);
    memset(text + JSON_SCAN_DEPTH_MAX + 1, ']', JSON_SCAN_DEPTH_MAX + 1);
    assert_false(is_valid(text, 2 * JSON_SCAN_DEPTH_MAX + 2, NULL));
}

static void white_space_around_is_cut_off(void **state)
{
    struct slice out;

    (void)state;
    assert_true(json_scan_is_valid(SLICE(" \n[1, 2]\t "), &out));
    assert_true(slice_is(out, "[1, 2]"));
}

static void tokens_come_in_order_with_their_text(void **state)
{
    static const struct { enum token_kind kind; const char *text; } WANT[] = {
        { TOKEN_ARRAY, "[" }, { TOKEN_STRING, "\"e\"" }, { TOKEN_OBJECT, "{" },
        { TOKEN_KEY, "\"k\"" }, { TOKEN_NUMBER, "-1.5" }, { TOKEN_KEY, "\"l\"" },
        { TOKEN_ARRAY, "[" }, { TOKEN_ARRAY_END, "]" }, { TOKEN_OBJECT_END, "}" },
        { TOKEN_TRUE, "true" }, { TOKEN_FALSE, "false" }, { TOKEN_NULL, "null" },
        { TOKEN_ARRAY_END, "]" },
    };
    struct json_scanner s;

    (void)state;
    json_scan_init(&s, SLICE("[\"e\", {\"k\" : -1.5,\"l\":[]},true,false,null]"));
    for (size_t i = 0; i < sizeof(WANT) / sizeof(WANT[0]); i++) {
        struct token t = json_scan_next(&s);

        assert_int_equal(t.kind, WANT[i].kind);
        assert_true(slice_is(t.text, WANT[i].text));
    }
    assert_int_equal(json_scan_next(&s).kind, TOKEN_END);
    assert_int_equal(json_scan_next(&s).kind, TOKEN_END);
}

static void a_part_can_be_skipped(void **state)
{
    struct json_scanner s;

    (void)state;
    json_scan_init(&s, SLICE("[{\"a\":[1,{}]},7]"));
    json_scan_next(&s);
    assert_int_equal(json_scan_next(&s).kind, TOKEN_OBJECT);
    assert_int_equal(json_scan_skip(&s), 0);
    assert_true(slice_is(json_scan_next(&s).text, "7"));
    json_scan_init(&s, SLICE("[{\"a\":"));
    json_scan_next(&s);
    assert_int_equal(json_scan_skip(&s), ERR_INVALID);
}

static void strings_are_decoded(void **state)
{
    static const struct { const char *json, *text; } ROWS[] = {
        { "\"plain\"", "plain" }, { "\"\"", "" }, { "\"a\\u0062c\"", "abc" },
        { "\"\\b\\f\\n\\r\\t\\\"\\\\\\/\"", "\b\f\n\r\t\"\\/" }, { "\"\\u00e4\\u20AC\"", "ä€" },
        { "\"\\ud83d\\ude00\"", "😀" }, { "\"\\ud83d\"", "\xef\xbf\xbd" },
        { "\"\\ude00x\"", "\xef\xbf\xbdx" }, { "\"\\ud83d\\u0041\"", "\xef\xbf\xbd" "A" },
    };
    struct json_scanner s;
    struct token t;
    struct buf out;

    (void)state;
    buf_init(&out, 64);
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        json_scan_init(&s, slice_of(ROWS[i].json));
        t = json_scan_next(&s);
        assert_int_equal(t.kind, TOKEN_STRING);
        buf_reset(&out);
        assert_int_equal(json_scan_decode(&t, &out), 0);
        if (!slice_is(buf_peek(&out), ROWS[i].text))
            fail_msg("%s gave %.*s", ROWS[i].json, SLICE_ARG(buf_peek(&out)));
    }
    buf_deinit(&out);
    buf_init(&out, 3);
    json_scan_init(&s, SLICE("\"four\""));
    t = json_scan_next(&s);
    assert_int_equal(json_scan_decode(&t, &out), ERR_TOO_BIG);
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_json_is_accepted),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(a_bracketed_text_cut_anywhere_is_refused),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(white_space_around_is_cut_off),
        cmocka_unit_test(tokens_come_in_order_with_their_text),
        cmocka_unit_test(a_part_can_be_skipped),
        cmocka_unit_test(strings_are_decoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

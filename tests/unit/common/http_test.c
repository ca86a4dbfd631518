/* http_test.c -- the words of HTTP: lists, headers, queries, URLs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "common/err.h"
#include "common/http.h"

static void methods_and_statuses_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < HTTP_METHOD_COUNT; i++) {
        const char *text = http_method_text((enum http_method)i);

        assert_int_equal(http_method_parse(slice_of(text)), i);
    }
    assert_int_equal(http_method_parse(SLICE("get")), HTTP_METHOD_COUNT);
    assert_int_equal(http_method_parse(SLICE("PROPFIND")), HTTP_METHOD_COUNT);
    assert_string_equal(http_method_text(HTTP_PATCH), "PATCH");
    assert_string_equal(http_method_text(HTTP_METHOD_COUNT), "UNKNOWN");
    assert_string_equal(http_status_text(404), "Not Found");
    assert_string_equal(http_status_text(299), "Unknown");
}

static void a_header_is_found_whatever_its_case(void **state)
{
    const struct http_header headers[] = { { SLICE("Host"), SLICE("x") },
                                           { SLICE("X-A"), SLICE("1") },
                                           { SLICE("x-a"), SLICE("2") },
                                           { SLICE("Empty"), { NULL, 0 } } };

    (void)state;
    assert_true(slice_is(http_header_find(headers, 4, "x-a"), "1"));
    assert_true(slice_is(http_header_find(headers, 4, "HOST"), "x"));
    assert_null(http_header_find(headers, 4, "X-B").data);
    assert_non_null(http_header_find(headers, 4, "empty").data);
    assert_null(http_header_find(NULL, 0, "x").data);
}

static void a_list_holds_whole_tokens(void **state)
{
    (void)state;
    assert_true(http_list_has(SLICE("keep-alive, Upgrade"), "upgrade"));
    assert_true(http_list_has(SLICE("\tUPGRADE "), "upgrade"));
    assert_true(http_list_has(SLICE(",,a ,upgrade,"), "upgrade"));
    assert_false(http_list_has(SLICE("upgrades, xupgrade, up grade"), "upgrade"));
    assert_false(http_list_has(slice_make(NULL, 0), "upgrade"));
}

static void expect_query(const char *query, const char *key, int err, const char *value)
{
    struct buf out;

    buf_init(&out, 64);
    assert_int_equal(http_query_get(slice_of(query), key, &out), err);
    if (err == 0)
        assert_true(slice_is(buf_peek(&out), value));
    else
        assert_int_equal(out.len, 0);
    buf_deinit(&out);
}

static void a_query_is_decoded(void **state)
{
    (void)state;
    expect_query("a=1&b=2", "b", 0, "2");
    expect_query("a=1&a=2", "a", 0, "1");
    expect_query("a=1&b", "b", 0, "");
    expect_query("a=1&b=", "b", 0, "");
    expect_query("q=a+b%20c%2B", "q", 0, "a b c+");
    expect_query("%73id=x", "sid", 0, "x");
    expect_query("EIO=4&transport=polling", "transport", 0, "polling");
    expect_query("a=b=c", "a", 0, "b=c");
    expect_query("&&a=1", "a", 0, "1");
    expect_query("", "a", ERR_NOT_FOUND, NULL);
    expect_query("sid=1", "si", ERR_NOT_FOUND, NULL);
    expect_query("%zz=1&a=2", "a", 0, "2");
    expect_query("a=%", "a", ERR_INVALID, NULL);
    expect_query("a=%4", "a", ERR_INVALID, NULL);
    expect_query("a=%4g", "a", ERR_INVALID, NULL);
    expect_query("a=0123456789012345678901234567890123456789012345678901234567890123456789", "a",
                 ERR_TOO_BIG, NULL);
}

static void every_byte_survives_encoding_and_decoding(void **state)
{
    char       all[256];
    struct buf coded, back;

    (void)state;
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    buf_init(&coded, 4096);
    buf_init(&back, 4096);
    buf_append_text(&coded, "k=");
    assert_int_equal(http_append_encoded(&coded, slice_make(all, 256)), 0);
    assert_int_equal(http_query_get(buf_peek(&coded), "k", &back), 0);
    assert_true(slice_eq(buf_peek(&back), slice_make(all, 256)));
    buf_reset(&coded);
    http_append_encoded(&coded, SLICE("a/b ~é"));
    assert_true(slice_is(buf_peek(&coded), "a%2Fb%20~%C3%A9"));
    buf_deinit(&coded);
    buf_deinit(&back);
}

static void no_header_value_can_begin_another_header(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    http_append_header(&out, SLICE("A"), SLICE("x\r\nSet-Cookie: y\n\0z\r"));
    assert_true(slice_is(buf_peek(&out), "A: xSet-Cookie: yz\r\n"));
    buf_reset(&out);
    http_append_header(&out, SLICE("A\r\nB"), SLICE("x"));
    http_append_header(&out, SLICE("A:"), SLICE("x"));
    http_append_header(&out, SLICE(""), SLICE("x"));
    assert_int_equal(out.len, 0);
    http_append_header(&out, SLICE("A"), slice_make(NULL, 0));
    assert_true(slice_is(buf_peek(&out), "A: \r\n"));
    buf_deinit(&out);
}

static void expect_url(const char *url, const char *parts)
{
    struct http_url u;
    char            text[256];

    assert_int_equal(http_url_parse(url, 7, &u), 0);
    snprintf(text, sizeof(text), "%.*s|%.*s|%.*s|%.*s|%d|%.*s", SLICE_ARG(u.scheme),
             SLICE_ARG(u.user), SLICE_ARG(u.password), SLICE_ARG(u.host), u.port,
             SLICE_ARG(u.path));
    assert_string_equal(text, parts);
}

static void a_url_falls_into_its_parts(void **state)
{
    static const char *const BAD[] = {
        "", "x", "://x", "http://", "http://:80", "http://x:0", "http://x:65536", "http://x:8a",
        "http://x:123456", "http://[::1", "http://[::1]80", "http://[]:80", "http://a b",
        "http://x\r\n", "http://x]:1"
    };
    struct http_url u;

    (void)state;
    expect_url("http://host:80/a/b?c", "http|||host|80|/a/b?c");
    expect_url("http://host", "http|||host|7|");
    expect_url("http://host:", "http|||host|7|");
    expect_url("redis://me:se@cret@[::1]:6379/0", "redis|me|se@cret|::1|6379|/0");
    expect_url("redis://:secret@h", "redis||secret|h|7|");
    expect_url("http://[::1]", "http|||::1|7|");
    expect_url("http://h?x=a@b", "http|||h|7|?x=a@b");
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_int_equal(http_url_parse(BAD[i], 7, &u), ERR_INVALID);
    assert_int_equal(http_url_parse(NULL, 7, &u), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_and_statuses_have_names),
        cmocka_unit_test(a_header_is_found_whatever_its_case),
        cmocka_unit_test(a_list_holds_whole_tokens),
        cmocka_unit_test(a_query_is_decoded),
        cmocka_unit_test(every_byte_survives_encoding_and_decoding),
        cmocka_unit_test(no_header_value_can_begin_another_header),
        cmocka_unit_test(a_url_falls_into_its_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

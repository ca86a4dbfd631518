/* origins_test.c -- which pages may connect (SPEC A5). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/err.h"
#include "gateway/origins.h"

static const struct slice NONE = { NULL, 0 };

static void only_named_origins_and_the_pages_own_may_connect(void **state)
{
    struct origins o;

    (void)state;
    assert_int_equal(origins_init(&o, "https://a.example, http://b.example:8080", NULL), 0);
    assert_true(origins_allow(&o, SLICE("https://a.example"), SLICE("t.example")));
    assert_true(origins_allow(&o, SLICE("http://b.example:8080"), SLICE("t.example")));
    assert_true(origins_allow(&o, SLICE("https://t.example"), SLICE("t.example")));
    assert_true(origins_allow(&o, SLICE("http://T.example:3000"), SLICE("t.example:3000")));
    assert_true(origins_allow(&o, NONE, SLICE("t.example")));
    assert_false(origins_allow(&o, SLICE("http://a.example"), SLICE("t.example")));
    assert_false(origins_allow(&o, SLICE("https://a.example.evil"), SLICE("t.example")));
    assert_false(origins_allow(&o, SLICE("https://evil/t.example"), SLICE("t.example")));
    assert_false(origins_allow(&o, SLICE("http://t.example:81"), SLICE("t.example")));
    assert_false(origins_allow(&o, SLICE("null"), SLICE("t.example")));
    assert_false(origins_allow(&o, SLICE("null"), NONE));
    assert_false(origins_allow(&o, SLICE(""), NONE));
    assert_false(origins_allow(&o, SLICE("https://"), NONE));
    origins_deinit(&o);
}

static void what_is_no_origin_stops_the_start(void **state)
{
    static const char *const BAD[] = {
        "*", "example.com", "https://a.example/", "https://A.example", "ftp://a.example",
        "https://", "https://a.example,*", "https://a b",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct origins o;
        struct buf     why;

        buf_init(&why, 512);
        assert_int_equal(origins_init(&o, BAD[i], &why), ERR_INVALID);
        assert_true(slice_starts(buf_peek(&why), "WEBSOCKET_CORS_ORIGIN"));
        buf_deinit(&why);
        origins_deinit(&o);
    }
}

static void no_list_allows_the_pages_own_alone(void **state)
{
    struct origins o;

    (void)state;
    assert_int_equal(origins_init(&o, NULL, NULL), 0);
    assert_null(o.list[0]);
    assert_true(origins_allow(&o, SLICE("http://127.0.0.1:3000"), SLICE("127.0.0.1:3000")));
    assert_false(origins_allow(&o, SLICE("http://127.0.0.1:4000"), SLICE("127.0.0.1:3000")));
    origins_deinit(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_named_origins_and_the_pages_own_may_connect),
        cmocka_unit_test(what_is_no_origin_stops_the_start),
        cmocka_unit_test(no_list_allows_the_pages_own_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

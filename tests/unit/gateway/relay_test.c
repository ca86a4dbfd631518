/* relay_test.c -- whose session a sid names, and where a gateway says that it is. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "gateway/cluster.h"

#define RANDOM "abcdefghijklmnop-_12"

static void a_sid_of_ours_names_its_owner(void **state)
{
    struct slice owner;

    (void)state;
    assert_true(relay_sid_read(SLICE("AbC-_3456789." RANDOM), &owner));
    assert_true(slice_is(owner, "AbC-_3456789"));
    assert_true(relay_sid_read(SLICE("a." RANDOM), &owner));
    assert_true(slice_is(owner, "a"));
}

static void what_no_gateway_makes_is_no_sid(void **state)
{
    static const char *const BAD[] = {
        "", ".", "a", RANDOM, "." RANDOM, "a." RANDOM "x", "a.abcdefghijklmnop-_1",
        "a.b." RANDOM, "a..abcdefghijklmnop-_1", "a b." RANDOM, "a%2e." RANDOM, "\xc3\xa4." RANDOM,
        "a.abcdefghijklmnop-_1 ", "a.abcdefghijklmnop-_1/", "__proto__", "../../x." RANDOM "\n",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa." RANDOM,
    };
    struct slice owner;

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_false(relay_sid_read(slice_of(BAD[i]), &owner));
}

static void a_sid_is_found_wherever_it_stands_in_a_query(void **state)
{
    struct buf sid;

    (void)state;
    buf_init(&sid, 64);
    assert_true(slice_is(relay_sid_of(SLICE("EIO=4&sid=a.b&t=1"), &sid), "a.b"));
    assert_true(slice_is(relay_sid_of(SLICE("s%69d=a%2Eb"), &sid), "a.b"));
    assert_int_equal(relay_sid_of(SLICE("EIO=4&sid="), &sid).len, 0);
    assert_int_equal(relay_sid_of(SLICE("EIO=4"), &sid).len, 0);
    assert_int_equal(relay_sid_of(SLICE("sid=%"), &sid).len, 0);
    assert_int_equal(relay_sid_of(SLICE(""), &sid).len, 0);
    buf_deinit(&sid);
}

static void a_gateway_says_where_it_listens(void **state)
{
    struct buf url;

    (void)state;
    buf_init(&url, 256);
    cluster_url("127.0.0.1", 4000, &url);
    assert_string_equal(url.data, "http://127.0.0.1:4000");
    buf_reset(&url);
    cluster_url("2001:db8::1", 4000, &url);
    assert_string_equal(url.data, "http://[2001:db8::1]:4000");
    buf_deinit(&url);
}

/* "Any" is no address for others: whatever this machine has, it is a URL of a real one. */
static void a_gateway_on_all_addresses_names_one_of_them(void **state)
{
    static const char *const ANY[] = { "0.0.0.0", "::" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct http_url at;
        struct buf      url;

        buf_init(&url, 256);
        cluster_url(ANY[i], 4000, &url);
        assert_int_equal(http_url_parse(url.data, 80, &at), 0);
        assert_int_equal(at.port, 4000);
        assert_false(slice_is(at.host, "0.0.0.0"));
        assert_false(slice_is(at.host, "::"));
        buf_deinit(&url);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sid_of_ours_names_its_owner),
        cmocka_unit_test(what_no_gateway_makes_is_no_sid),
        cmocka_unit_test(a_sid_is_found_wherever_it_stands_in_a_query),
        cmocka_unit_test(a_gateway_says_where_it_listens),
        cmocka_unit_test(a_gateway_on_all_addresses_names_one_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

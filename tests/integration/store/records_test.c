/* records_test.c -- small values by kind and key: added once, replaced, expired, listed. */
#include <string.h>

#include "common/clock.h"
#include "tests/integration/store/suite.h"

static int64_t soon(void)
{
    return clock_wall_ms() + 3600000;
}

static void expect(const char *kind, const char *key, const char *json)
{
    struct answer a;

    assert_int_equal(do_record_get(&suite.bench, &a, kind, key), json == NULL ? ERR_NOT_FOUND : 0);
    if (json == NULL)
        assert_null(a.value);
    else
        assert_string_equal(a.value, json);
    answer_drop(&a);
}

static int add(const char *kind, const char *key, const char *json, int64_t expires)
{
    struct answer a;
    int err = do_record_add(&suite.bench, &a, kind, key, json, expires);

    answer_drop(&a);
    return err;
}

static void a_record_is_added_once(void **state)
{
    struct answer a;
    (void)state;

    expect("r1", "k", NULL);
    assert_int_equal(add("r1", "k", "{\"n\":1}", soon()), 0);
    expect("r1", "k", "{\"n\":1}");
    assert_int_equal(do_record_add(&suite.bench, &a, "r1", "k", "{\"n\":2}", soon()), ERR_EXISTS);
    assert_string_equal(a.value, "{\"n\":1}");
    answer_drop(&a);
    expect("r1", "k", "{\"n\":1}");
}

static void put_replaces_whatever_is_there(void **state)
{
    (void)state;
    assert_int_equal(do_record_put(&suite.bench, "r2", "k", "1", soon()), 0);
    expect("r2", "k", "1");
    assert_int_equal(do_record_put(&suite.bench, "r2", "k", "[2]", 0), 0);
    expect("r2", "k", "[2]");
    assert_int_equal(do_record_put(&suite.bench, "r2", "k", "\"three\"", clock_wall_ms() - 1), 0);
    expect("r2", "k", NULL);
    assert_int_equal(do_record_put(&suite.bench, "r2", "k", "null", 0), 0);
    expect("r2", "k", "null");
}

static void what_has_expired_is_not_there(void **state)
{
    (void)state;
    assert_int_equal(add("r3", "past", "1", clock_wall_ms() - 10), 0);
    expect("r3", "past", NULL);
    assert_int_equal(add("r3", "past", "2", soon()), 0);     /* and may be added again */
    expect("r3", "past", "2");
    assert_int_equal(add("r3", "past", "3", soon()), ERR_EXISTS);
}

static void a_record_expires_while_one_waits(void **state)
{
    int64_t at = clock_wall_ms() + 150;
    (void)state;

    assert_int_equal(add("r4", "k", "1", at), 0);
    if (clock_wall_ms() < at)
        expect("r4", "k", "1");
    while (clock_wall_ms() <= at)
        uv_sleep(5);
    expect("r4", "k", NULL);
}

static void an_expiry_of_zero_is_never(void **state)
{
    (void)state;
    assert_int_equal(add("r5", "k", "1", 0), 0);
    expect("r5", "k", "1");
    assert_int_equal(add("r5", "k", "2", 0), ERR_EXISTS);
}

static void dropping_is_final_and_harmless(void **state)
{
    (void)state;
    assert_int_equal(add("r6", "k", "1", soon()), 0);
    assert_int_equal(do_record_drop(&suite.bench, "r6", "k"), 0);
    expect("r6", "k", NULL);
    assert_int_equal(do_record_drop(&suite.bench, "r6", "k"), 0);
    assert_int_equal(add("r6", "k", "2", soon()), 0);
    expect("r6", "k", "2");
}

static void kinds_do_not_mix(void **state)
{
    (void)state;
    assert_int_equal(add("r7", "k", "1", soon()), 0);
    expect("r7b", "k", NULL);
    expect("r", "7\nk", NULL);
    expect("r7", "K", NULL);
    expect("r7", "k ", NULL);
}

static void all_of_a_kind_come_as_one_object(void **state)
{
    struct answer a;
    json_t *all;
    (void)state;

    assert_int_equal(do_record_all(&suite.bench, &a, "r8"), 0);
    assert_string_equal(a.value, "{}");
    answer_drop(&a);
    assert_int_equal(add("r8", "b", "{\"x\":[1,2]}", soon()), 0);
    assert_int_equal(add("r8", "a\"quote\\", "true", 0), 0);
    assert_int_equal(add("r8", "gone", "1", clock_wall_ms() - 1), 0);
    assert_int_equal(add("r8b", "other", "1", 0), 0);
    assert_int_equal(do_record_all(&suite.bench, &a, "r8"), 0);
    all = json_parse(slice_of(a.value), NULL);
    assert_int_equal(json_object_size(all), 2);
    assert_true(json_is_true(json_object_get(all, "a\"quote\\")));
    assert_true(json_is_object(json_object_get(all, "b")));
    json_decref(all);
    answer_drop(&a);
}

static void hostile_keys_and_values_come_back(void **state)
{
    static const char *const TEXTS[] = { "", "'", "\"", "$set", "a.b", "\n", "\\", "%s",
        "\xf0\x9f\x9a\x80", "{\"$ne\":1}", "\x01" };
    (void)state;

    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        assert_int_equal(add("r9", TEXTS[i], "{\"$set\":{\"a.b\":\"\\ud83d\\ude80\"}}", 0), 0);
        expect("r9", TEXTS[i], "{\"$set\":{\"a.b\":\"\\ud83d\\ude80\"}}");
        assert_int_equal(add("r9", TEXTS[i], "1", 0), ERR_EXISTS);
    }
}

static void what_is_no_json_is_refused_at_once(void **state)
{
    (void)state;
    assert_int_equal(add("r10", "k", "{", 0), ERR_INVALID);
    assert_int_equal(add("r10", "k", "", 0), ERR_INVALID);
    assert_int_equal(add("r10", "\xff", "1", 0), ERR_INVALID);
    assert_int_equal(add("two\nlines", "k", "1", 0), ERR_INVALID);
    assert_int_equal(do_record_put(&suite.bench, "r10", "k", "\"\\u0000\"", 0), ERR_INVALID);
    expect("r10", "k", NULL);
}

/* A webhook's delivery that arrives eight times at once is handled once. */
static void of_many_at_once_one_adds(void **state)
{
    struct answer a[32];
    int winners = 0;
    (void)state;

    for (int round = 0; round < 5; round++) {
        char key[8] = { 'd', (char)('0' + round), '\0' };

        winners = 0;
        for (int i = 0; i < 32; i++) {
            a[i] = (struct answer){ .n = 0 };
            assert_int_equal(store_record_add(suite.bench.store, "r11", key, "1", soon(), on_value,
                                              &a[i]), 0);
        }
        for (int i = 0; i < 32; i++) {
            bench_run(&suite.bench, &a[i].is_done);
            assert_true(a[i].err == 0 || a[i].err == ERR_EXISTS);
            winners += a[i].err == 0;
            answer_drop(&a[i]);
        }
        assert_int_equal(winners, 1);
    }
}

/* The same where what is there has expired. */
static void of_many_at_once_one_renews(void **state)
{
    struct answer a[16];
    int winners = 0;
    (void)state;

    assert_int_equal(add("r12", "k", "0", clock_wall_ms() - 1000), 0);
    for (int i = 0; i < 16; i++) {
        a[i] = (struct answer){ .n = 0 };
        assert_int_equal(store_record_add(suite.bench.store, "r12", "k", "1", soon(), on_value,
                                          &a[i]), 0);
    }
    for (int i = 0; i < 16; i++) {
        bench_run(&suite.bench, &a[i].is_done);
        assert_true(a[i].err == 0 || a[i].err == ERR_EXISTS);
        winners += a[i].err == 0;
        answer_drop(&a[i]);
    }
    assert_int_equal(winners, 1);
}

int run_records(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_added_once),
        cmocka_unit_test(put_replaces_whatever_is_there),
        cmocka_unit_test(what_has_expired_is_not_there),
        cmocka_unit_test(a_record_expires_while_one_waits),
        cmocka_unit_test(an_expiry_of_zero_is_never),
        cmocka_unit_test(dropping_is_final_and_harmless),
        cmocka_unit_test(kinds_do_not_mix),
        cmocka_unit_test(all_of_a_kind_come_as_one_object),
        cmocka_unit_test(hostile_keys_and_values_come_back),
        cmocka_unit_test(what_is_no_json_is_refused_at_once),
        cmocka_unit_test(of_many_at_once_one_adds),
        cmocka_unit_test(of_many_at_once_one_renews),
    };

    return cmocka_run_group_tests_name("records", tests, NULL, NULL);
}

/* redis_shard_test.c -- which server is an org's: numbers that others can compute, fair shares,
 * and few orgs that move. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/redis_shard.h"

#define ORGS 3000

static const char THREE[] = "redis://10.0.0.7, redis://app:se%20cret@10.0.0.8:6379/2,"
                            "redis://Redis-3.Example:6380";

static size_t of(const struct redis_servers *s, const char *org)
{
    return redis_servers_of(s, slice_of(org));
}

static void a_server_is_its_host_and_port(void **state)
{
    struct redis_servers s;
    (void)state;

    assert_int_equal(redis_servers_init(&s, THREE, NULL), 0);
    assert_int_equal(s.count, 3);
    assert_string_equal(s.names[0], "10.0.0.7:6379");
    assert_string_equal(s.names[1], "10.0.0.8:6379");
    assert_string_equal(s.names[2], "redis-3.example:6380");
    assert_string_equal(s.urls[1], "redis://app:se%20cret@10.0.0.8:6379/2");
    redis_servers_deinit(&s);
    assert_int_equal(redis_servers_init(&s, "redis://[::1]:7000/3", NULL), 0);
    assert_string_equal(s.names[0], "[::1]:7000");
    redis_servers_deinit(&s);
}

/* printf '%s %s' 10.0.0.7:6379 acme | sha256sum: the greatest first half of these wins. */
static void anybody_can_compute_it(void **state)
{
    static const struct { const char *org; size_t server; } ROWS[] = {
        { "acme", 2 }, { "globex", 2 }, { "initech", 0 }, { "~ann@acme", 0 },
        { "umbrella", 2 }, { "hooli", 1 },
    };
    struct redis_servers s;
    (void)state;

    assert_int_equal(redis_servers_init(&s, THREE, NULL), 0);
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
        assert_int_equal(of(&s, ROWS[i].org), ROWS[i].server);
    redis_servers_deinit(&s);
}

static void one_server_has_all(void **state)
{
    struct redis_servers s;
    (void)state;

    assert_int_equal(redis_servers_init(&s, "redis://127.0.0.1:6379", NULL), 0);
    assert_int_equal(of(&s, "acme"), 0);
    assert_int_equal(of(&s, ""), 0);
    redis_servers_deinit(&s);
}

static void the_order_of_the_names_does_not_matter(void **state)
{
    struct redis_servers a, b;
    char                 org[32];
    (void)state;

    assert_int_equal(redis_servers_init(&a, "redis://x,redis://y,redis://z", NULL), 0);
    assert_int_equal(redis_servers_init(&b, "redis://u:p@z/1,redis://X:6379,redis://y", NULL), 0);
    for (int i = 0; i < ORGS; i++) {
        snprintf(org, sizeof(org), "org%d", i);
        assert_string_equal(a.names[of(&a, org)], b.names[of(&b, org)]);
    }
    redis_servers_deinit(&a);
    redis_servers_deinit(&b);
}

static void each_server_has_its_share(void **state)
{
    struct redis_servers s;
    size_t               counts[4] = { 0 };
    char                 org[32];
    (void)state;

    assert_int_equal(redis_servers_init(&s, "redis://a,redis://b,redis://c,redis://d", NULL), 0);
    for (int i = 0; i < ORGS; i++) {
        snprintf(org, sizeof(org), "org%d", i);
        counts[of(&s, org)]++;
    }
    for (size_t i = 0; i < 4; i++) {
        assert_true(counts[i] > ORGS / 4 * 85 / 100);
        assert_true(counts[i] < ORGS / 4 * 115 / 100);
    }
    redis_servers_deinit(&s);
}

static void a_new_server_takes_its_share_and_moves_no_other(void **state)
{
    struct redis_servers before, after;
    size_t               moved = 0;
    char                 org[32];
    (void)state;

    assert_int_equal(redis_servers_init(&before, "redis://a,redis://b,redis://c", NULL), 0);
    assert_int_equal(redis_servers_init(&after, "redis://a,redis://b,redis://c,redis://d", NULL), 0);
    for (int i = 0; i < ORGS; i++) {
        snprintf(org, sizeof(org), "org%d", i);
        if (of(&before, org) == of(&after, org))
            continue;
        assert_int_equal(of(&after, org), 3);
        moved++;
    }
    assert_true(moved > 0 && moved < ORGS / 3);
    redis_servers_deinit(&before);
    redis_servers_deinit(&after);
}

static void refused(const char *urls, const char *because)
{
    struct redis_servers s;
    struct buf           why;

    buf_init(&why, 1024);
    assert_int_equal(redis_servers_init(&s, urls, &why), ERR_INVALID);
    assert_non_null(strstr(why.data, because));
    assert_null(strstr(why.data, "hush"));
    assert_int_equal(s.count, 0);
    buf_deinit(&why);
}

static void what_is_no_list_of_servers_is_refused(void **state)
{
    (void)state;
    refused("", "form");
    refused("redis://a,", "form");
    refused(",redis://a", "form");
    refused("redis://a,,redis://b", "form");
    refused("redis://a,rediss://b", "form");
    refused("redis://a,redis://:hush@", "form");
    refused("redis://a,redis://A:6379", "twice");
    refused("redis://x:hush@a/0,redis://a/1", "twice");
    refused("redis://a:1,redis://a:2,redis://a:3,redis://a:4,redis://a:5,redis://a:6,redis://a:7,"
            "redis://a:8,redis://a:9,redis://a:10,redis://a:11,redis://a:12,redis://a:13,"
            "redis://a:14,redis://a:15,redis://a:16,redis://a:17", "16");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_is_its_host_and_port),
        cmocka_unit_test(anybody_can_compute_it),
        cmocka_unit_test(one_server_has_all),
        cmocka_unit_test(the_order_of_the_names_does_not_matter),
        cmocka_unit_test(each_server_has_its_share),
        cmocka_unit_test(a_new_server_takes_its_share_and_moves_no_other),
        cmocka_unit_test(what_is_no_list_of_servers_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

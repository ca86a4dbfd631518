/* notices_test.c -- what people are told: kept once, until read, newest first, bounded; and
 * the seqs of many tasks at once. */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "tests/integration/store/suite.h"

#define DAY_MS INT64_C(86400000)

static int tell(const char *sub, const char *id, int64_t at)
{
    char json[128];
    struct store_notification n = { .id = id, .org = "acme", .sub = sub, .created_at = at,
                                    .json = json };

    snprintf(json, sizeof(json), "{\"id\":\"%s\",\"message\":\"It's \\\"done\\\" \xf0\x9f\x9a\x80\"}", id);
    return do_notify(&suite.bench, &n);
}

static struct store_notifications_query unread_of(const char *sub)
{
    return (struct store_notifications_query){ .org = "acme", .sub = sub, .limit = 50 };
}

/* The ids of a person's unread ones, with spaces between. */
static void expect(const char *sub, const char *ids)
{
    struct store_notifications_query q = unread_of(sub);
    struct answer a;
    char got[1024] = "";

    assert_int_equal(do_notifications(&suite.bench, &a, &q), 0);
    for (size_t i = 0; i < a.count; i++) {
        json_t *one = json_parse(slice_of(a.ids[i]), NULL);
        size_t  len = strlen(got);

        snprintf(got + len, sizeof(got) - len, "%s%s", i > 0 ? " " : "", json_text(one, "id"));
        json_decref(one);
    }
    assert_string_equal(got, ids);
    answer_drop(&a);
}

static void read_one(const char *sub, const char *id)
{
    assert_int_equal(do_notifications_read(&suite.bench, "acme", sub, &id, 1), 0);
}

static void they_come_newest_first_and_as_they_were(void **state)
{
    int64_t now = clock_wall_ms();
    struct store_notifications_query q = unread_of("n1");
    struct answer a;

    (void)state;
    expect("n1", "");
    assert_int_equal(tell("n1", "a1:1:x", now - 20), 0);
    assert_int_equal(tell("n1", "a1:3:x", now), 0);
    assert_int_equal(tell("n1", "a1:2:x", now - 10), 0);
    expect("n1", "a1:3:x a1:2:x a1:1:x");
    assert_int_equal(do_notifications(&suite.bench, &a, &q), 0);
    assert_string_equal(a.ids[0], "{\"id\":\"a1:3:x\",\"message\":\"It's \\\"done\\\" \xf0\x9f\x9a\x80\"}");
    assert_false(a.has_more);
    answer_drop(&a);
}

static void one_that_is_made_again_is_one_and_stays_read(void **state)
{
    int64_t now = clock_wall_ms();

    (void)state;
    assert_int_equal(tell("n2", "a2:1:x", now), 0);
    assert_int_equal(tell("n2", "a2:1:x", now), 0);
    expect("n2", "a2:1:x");
    read_one("n2", "a2:1:x");
    expect("n2", "");
    assert_int_equal(tell("n2", "a2:1:x", now), 0);
    expect("n2", "");
}

static void only_ones_own_are_read(void **state)
{
    int64_t now = clock_wall_ms();
    const char *const many[] = { "a3:1:x", "never was", "", "a3:2:x", "a3:1:x" };

    (void)state;
    assert_int_equal(tell("n3", "a3:1:x", now), 0);
    assert_int_equal(tell("n3", "a3:2:x", now), 0);
    assert_int_equal(tell("n3", "a3:3:x", now), 0);
    read_one("n3b", "a3:1:x");
    assert_int_equal(do_notifications_read(&suite.bench, "other", "n3", many, 1), 0);
    expect("n3", "a3:3:x a3:2:x a3:1:x");
    expect("n3b", "");
    assert_int_equal(do_notifications_read(&suite.bench, "acme", "n3", many, 5), 0);
    expect("n3", "a3:3:x");
    assert_int_equal(do_notifications_read(&suite.bench, "acme", "n3", many, 0), 0);
    expect("n3", "a3:3:x");
}

/* Ten, three of them in the same millisecond, by pages of each size. */
static void pages_miss_none_and_repeat_none(void **state)
{
    int64_t now = clock_wall_ms();

    (void)state;
    for (int i = 0; i < 10; i++) {
        char id[16];

        snprintf(id, sizeof(id), "a4:%d:x", i);
        assert_int_equal(tell("n4", id, now + (i < 4 ? 0 : i)), 0);
    }
    for (size_t limit = 1; limit <= 11; limit++) {
        struct store_notifications_query q = unread_of("n4");
        struct answer a;
        char id[24] = "";
        int  seen = 0;
        bool has_more = true;

        for (q.limit = limit; has_more; q.before_id = id) {
            assert_int_equal(do_notifications(&suite.bench, &a, &q), 0);
            has_more = a.has_more;
            for (size_t i = 0; i < a.count; i++, seen++) {
                snprintf(id, sizeof(id), "a4:%d:x", 9 - seen);
                assert_non_null(strstr(a.ids[i], id));
            }
            q.before_time = now + (9 - seen + 1 < 4 ? 0 : 9 - seen + 1);
            assert_true(a.count == limit || !has_more);
            answer_drop(&a);
        }
        assert_int_equal(seen, 10);
    }
}

static void what_is_too_old_is_not_told(void **state)
{
    int64_t now = clock_wall_ms();

    (void)state;
    assert_int_equal(tell("n5", "a5:1:x", now - STORE_NOTIFICATION_DAYS * DAY_MS - 1000), 0);
    assert_int_equal(tell("n5", "a5:2:x", now - STORE_NOTIFICATION_DAYS * DAY_MS + 60000), 0);
    expect("n5", "a5:2:x");
}

/* Of 1,010 the newest thousand stay, in whatever order they come. */
static void past_the_newest_thousand_the_oldest_go(void **state)
{
    enum { COUNT = STORE_UNREAD_MAX + 10, AT_ONCE = 101 };
    static struct answer answers[AT_ONCE];
    struct store_notifications_query q = unread_of("n6");
    int64_t now = clock_wall_ms();
    struct answer a;

    (void)state;
    for (int from = 0; from < COUNT; from += AT_ONCE) {
        for (int i = 0; i < AT_ONCE; i++) {
            int  which = (from + i) * 7 % COUNT;
            char id[16], json[32];
            struct store_notification n = { .id = id, .org = "acme", .sub = "n6", .json = json,
                                            .created_at = now - COUNT + which };

            snprintf(id, sizeof(id), "a6:%d:x", which);
            snprintf(json, sizeof(json), "%d", which);
            answers[i] = (struct answer){ .n = 0 };
            task_init(&answers[i].task);
            assert_int_equal(store_notify(suite.bench.store, &n, on_done, &answers[i]), 0);
        }
        for (int i = 0; i < AT_ONCE; i++) {
            bench_run(&suite.bench, &answers[i].is_done);
            assert_int_equal(answers[i].err, 0);
        }
    }
    q.limit = COUNT + 1;
    assert_int_equal(do_notifications(&suite.bench, &a, &q), 0);
    assert_int_equal(a.count, STORE_UNREAD_MAX);
    assert_string_equal(a.ids[0], "1009");
    assert_string_equal(a.ids[STORE_UNREAD_MAX - 1], "10");
    answer_drop(&a);
    assert_int_equal(tell("n6", "a6:5:x", now - COUNT + 5), 0);      /* gone, and comes again */
    assert_int_equal(do_notifications(&suite.bench, &a, &q), 0);
    assert_int_equal(a.count, STORE_UNREAD_MAX);
    assert_string_equal(a.ids[STORE_UNREAD_MAX - 1], "10");
    answer_drop(&a);
}

static void people_are_told_apart(void **state)
{
    int64_t now = clock_wall_ms();
    struct store_notification n = { .id = "a7:2:x", .org = "other", .sub = "n7",
                                    .created_at = now, .json = "{\"id\":\"a7:2:x\"}" };

    (void)state;
    assert_int_equal(tell("n7", "a7:1:x", now), 0);
    assert_int_equal(do_notify(&suite.bench, &n), 0);
    expect("n7", "a7:1:x");
    expect("n", "");
    expect("$ne", "");
}

static void what_cannot_be_kept_is_refused_at_once(void **state)
{
    struct store_notification good = { .id = "a8:1:x", .org = "acme", .sub = "n8",
                                       .created_at = 1, .json = "{}" }, n;
    struct store_notifications_query q = unread_of("a/b");
    const char *bad = "\xff";
    struct answer a;

    (void)state;
    n = good, n.json = "{";
    assert_int_equal(do_notify(&suite.bench, &n), ERR_INVALID);
    n = good, n.sub = "a/b";
    assert_int_equal(do_notify(&suite.bench, &n), ERR_INVALID);
    n = good, n.id = bad;
    assert_int_equal(do_notify(&suite.bench, &n), ERR_INVALID);
    assert_int_equal(do_notifications(&suite.bench, &a, &q), ERR_INVALID);
    assert_int_equal(do_notifications_read(&suite.bench, "acme", "n8", &bad, 1), ERR_INVALID);
}

/* --- seqs --- */

static int64_t seq_in(const struct answer *a, const char *id)
{
    int64_t found = -1;

    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->ids[i], id) != 0)
            continue;
        assert_int_equal(found, -1);           /* each once */
        found = a->seqs[i];
    }
    return found;
}

static void seqs_of_many_are_asked_for_at_once(void **state)
{
    enum { COUNT = STORE_SEQS_MAX };
    static char ids[COUNT][TASK_ID_LEN + 1];
    static const char *asked[COUNT];
    const char *none = "x";
    struct task fresh, marked;
    struct answer a;

    (void)state;
    for (int i = 0; i < COUNT; i++)
        asked[i] = new_id(ids[i]);
    stored_task(&suite.bench, &fresh, "seqs", "ann", false, 1);
    stored_task(&suite.bench, &marked, "seqs", "ann", true, 2);
    assert_int_equal(note(&suite.bench, &marked, ""), 0);
    assert_int_equal(do_mark(&suite.bench, marked.id, 1, BUCKET_PRIVATE_ACTIVE), 0);
    asked[17] = fresh.id;
    asked[COUNT - 1] = marked.id;
    assert_int_equal(do_seqs(&suite.bench, &a, asked, COUNT), 0);
    assert_int_equal(a.count, 2);
    assert_int_equal(seq_in(&a, fresh.id), 0);
    assert_int_equal(seq_in(&a, marked.id), 1);
    answer_drop(&a);
    assert_int_equal(do_seqs(&suite.bench, &a, asked, 0), 0);
    assert_int_equal(a.count, 0);
    answer_drop(&a);
    assert_int_equal(do_seqs(&suite.bench, &a, &none, 1), ERR_INVALID);
    assert_int_equal(do_seqs(&suite.bench, &a, asked, COUNT + 1), ERR_INVALID);
    task_deinit(&fresh);
    task_deinit(&marked);
}

int run_notices(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_come_newest_first_and_as_they_were),
        cmocka_unit_test(one_that_is_made_again_is_one_and_stays_read),
        cmocka_unit_test(only_ones_own_are_read),
        cmocka_unit_test(pages_miss_none_and_repeat_none),
        cmocka_unit_test(what_is_too_old_is_not_told),
        cmocka_unit_test(past_the_newest_thousand_the_oldest_go),
        cmocka_unit_test(people_are_told_apart),
        cmocka_unit_test(what_cannot_be_kept_is_refused_at_once),
        cmocka_unit_test(seqs_of_many_are_asked_for_at_once),
    };

    return cmocka_run_group_tests_name("notices", tests, NULL, NULL);
}

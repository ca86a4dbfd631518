/* publish_script_test.c -- the sequencer's rules, run by a real Redis. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/err.h"
#include "taskd/publish_script.h"
#include "tests/unit/common/redis_server.h"

#define TASK_A "aaaaaaaaaaaaaaaaaaaaaaaa"
#define TASK_B "bbbbbbbbbbbbbbbbbbbbbbbb"
#define NOW_US UINT64_C(1732155360000001)      /* sixteen digits: two more than Lua prints */
#define BODY   "1 t o 1 ann 0\ntask [\"x\",{}]\n"

struct fixture {
    struct loop          loop;
    struct redis_server  server;
    struct redis        *redis;
    struct script_answer answer;
    int                  is_answered;
    char                 text[4096];           /* of a plain command's reply */
    char                 people[256];
    uint64_t             clock_us;
};

static int setup(void **state)
{
    static struct fixture f;
    struct redis_options  o = { .name = "test", .timeout_ms = 5000 };

    memset(&f, 0, sizeof(f));
    loop_open(&f.loop);
    redis_server_start(&f.server, NULL);
    o.url = f.server.url;
    f.redis = redis_new(&f.loop.uv, &o);
    f.clock_us = NOW_US;
    WAIT_UNTIL(&f.loop, redis_is_up(f.redis));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    redis_close(f->redis);
    loop_close(&f->loop);
    redis_server_stop(&f->server);
    return 0;
}

static void on_answer(int err, const struct redis_reply *reply, void *arg)
{
    struct fixture *f = arg;

    script_answer_read(err, reply, &f->answer);
    snprintf(f->people, sizeof(f->people), "%.*s", SLICE_ARG(f->answer.people));
    if (err != 0)
        print_error("script: %s\n", redis_reply_text(reply).data);
    f->is_answered = 1;
}

static void on_text(int err, const struct redis_reply *reply, void *arg)
{
    struct fixture           *f = arg;
    const struct redis_reply *at = reply;

    assert_int_equal(err, 0);
    f->text[0] = '\0';
    while (redis_reply_kind(at) == REDIS_ARRAY && redis_reply_count(at) > 0)
        at = redis_reply_at(at, redis_reply_count(at) - 1);   /* the last of the last ... */
    if (redis_reply_kind(at) == REDIS_INT)
        snprintf(f->text, sizeof(f->text), "%lld", (long long)redis_reply_int(at));
    else
        snprintf(f->text, sizeof(f->text), "%.*s", SLICE_ARG(redis_reply_text(at)));
    f->is_answered = 1;
}

static struct script_caller caller(const struct fixture *f)
{
    return (struct script_caller){ .org = "acme", .token = "me", .floor_us = f->clock_us };
}

static enum script_outcome answered(struct fixture *f, int err)
{
    assert_int_equal(err, 0);
    WAIT_UNTIL(&f->loop, f->is_answered);
    f->is_answered = 0;
    return f->answer.outcome;
}

#define COMMAND(f, ...)                                                              \
    do {                                                                             \
        assert_int_equal(redis_call((f)->redis, on_text, (f), __VA_ARGS__, NULL), 0); \
        WAIT_UNTIL(&(f)->loop, (f)->is_answered);                                    \
        (f)->is_answered = 0;                                                        \
    } while (0)

static enum script_outcome publish(struct fixture *f, const char *task, int64_t seq,
                                   int64_t marked, enum bucket before, enum bucket after)
{
    struct script_caller who = caller(f);
    struct publication   p = { .task = task, .creator = "ann", .seq = seq, .marked = marked,
                               .before = before, .after = after, .body = SLICE(BODY), .times = "1 2" };

    return answered(f, script_publish(f->redis, &who, &p, on_answer, f));
}

static enum script_outcome position(struct fixture *f, const char *sub)
{
    struct script_caller who = caller(f);

    return answered(f, script_position(f->redis, &who, sub, on_answer, f));
}

static enum script_outcome begin(struct fixture *f, int64_t active)
{
    struct script_caller        who = caller(f);
    struct store_private_counts people[1] = { { .sub = "ann", .n = { 2, 1, 0 } } };
    struct store_counts         c = { .org = { active, 4, 5 }, .people = people,
                                      .people_count = 1 };

    return answered(f, script_begin(f->redis, &who, &c, on_answer, f));
}

static void begin_epoch(struct fixture *f)
{
    assert_int_equal(position(f, ""), SCRIPT_RECOUNT);
    assert_int_equal(begin(f, 3), SCRIPT_OK);
}

static void an_org_begins_with_a_count_and_its_clock(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(publish(f, TASK_A, 1, 0, BUCKET_NONE, BUCKET_ORG_ACTIVE), SCRIPT_RECOUNT);
    assert_int_equal(publish(f, TASK_A, 1, 0, BUCKET_NONE, BUCKET_ORG_ACTIVE), SCRIPT_HOLD);
    assert_int_equal(position(f, ""), SCRIPT_HOLD);
    assert_int_equal(begin(f, 3), SCRIPT_OK);
    assert_true(f->answer.at.epoch == NOW_US && f->answer.at.number == NOW_US);
    assert_int_equal(publish(f, TASK_A, 1, 0, BUCKET_NONE, BUCKET_ORG_ACTIVE), SCRIPT_OK);
    assert_true(f->answer.at.epoch == NOW_US && f->answer.at.number == NOW_US + 1);
}

static void numbers_count_up_by_one_and_keep_all_their_digits(void **state)
{
    struct fixture *f = *state;

    begin_epoch(f);
    for (int64_t seq = 1; seq <= 20; seq++) {
        assert_int_equal(publish(f, TASK_A, seq, 0, BUCKET_ORG_ACTIVE, BUCKET_ORG_ACTIVE),
                         SCRIPT_OK);
        assert_true(f->answer.at.number == NOW_US + (uint64_t)seq);
    }
    COMMAND(f, "XREVRANGE", "tasks:log:acme", "1732155360000021-0", "1732155360000021-0");
    assert_string_equal(f->text, "1732155360000001 1732155360000021\n" BODY "times 1 2\n");
    COMMAND(f, "XLEN", "tasks:log:acme");
    assert_string_equal(f->text, "20");
}

static void a_repeat_is_told_apart_and_a_gap_too(void **state)
{
    struct fixture *f = *state;

    begin_epoch(f);
    assert_int_equal(publish(f, TASK_A, 6, 5, BUCKET_NONE, BUCKET_NONE), SCRIPT_OK);
    assert_int_equal(publish(f, TASK_A, 6, 5, BUCKET_NONE, BUCKET_NONE), SCRIPT_HAD);
    assert_int_equal(publish(f, TASK_A, 3, 0, BUCKET_NONE, BUCKET_NONE), SCRIPT_HAD);
    assert_int_equal(f->answer.known, 6);
    assert_int_equal(publish(f, TASK_A, 8, 5, BUCKET_NONE, BUCKET_NONE), SCRIPT_GAP);
    assert_int_equal(f->answer.known, 6);
    assert_int_equal(publish(f, TASK_A, 7, 0, BUCKET_NONE, BUCKET_NONE), SCRIPT_OK);
    assert_int_equal(publish(f, TASK_B, 2, 0, BUCKET_NONE, BUCKET_NONE), SCRIPT_GAP);
    COMMAND(f, "XLEN", "tasks:log:acme");
    assert_string_equal(f->text, "2");
}

static void counts_move_and_are_told_with_the_transition(void **state)
{
    struct fixture *f = *state;

    begin_epoch(f);
    assert_int_equal(publish(f, TASK_A, 1, 0, BUCKET_NONE, BUCKET_ORG_ACTIVE), SCRIPT_OK);
    COMMAND(f, "XREVRANGE", "tasks:log:acme", "+", "-", "COUNT", "1");
    assert_string_equal(f->text, "1732155360000001 1732155360000002\n" BODY
                        "dash [\"dashboard:task_count_changed\",{\"activeCount\":4,"
                        "\"completedCount\":4,\"failedCount\":5,\"scope\":\"org\","
                        "\"rev\":1732155360000002}]\ntimes 1 2\n");
    assert_int_equal(publish(f, TASK_A, 2, 0, BUCKET_ORG_ACTIVE, BUCKET_PRIVATE_COMPLETED),
                     SCRIPT_OK);
    COMMAND(f, "XREVRANGE", "tasks:log:acme", "+", "-", "COUNT", "1");
    assert_non_null(strstr(f->text, "dash [\"dashboard:task_count_changed\",{\"activeCount\":3,"));
    assert_non_null(strstr(f->text, "mine [\"dashboard:task_count_changed\",{\"activeCount\":2,"
                                    "\"completedCount\":2,\"failedCount\":0,"
                                    "\"scope\":\"private\","));
    assert_int_equal(position(f, "ann"), SCRIPT_OK);
    assert_int_equal(f->answer.org[0], 3);
    assert_int_equal(f->answer.own[1], 2);
    assert_true(f->answer.rev == NOW_US + 2 && f->answer.own_rev == NOW_US + 2);
}

static void nobodys_counts_are_zero_and_as_old_as_the_epoch(void **state)
{
    struct fixture *f = *state;

    begin_epoch(f);
    assert_int_equal(position(f, "bob"), SCRIPT_OK);
    assert_int_equal(f->answer.own[0], 0);
    assert_true(f->answer.own_rev == NOW_US);
}

static void the_people_with_private_tasks_are_named(void **state)
{
    struct fixture *f = *state;

    begin_epoch(f);
    assert_int_equal(position(f, NULL), SCRIPT_OK);
    assert_string_equal(f->people, "ann");
}

static void a_lost_memory_begins_a_new_epoch_above_all_numbers(void **state)
{
    struct fixture *f = *state;

    begin_epoch(f);
    assert_int_equal(publish(f, TASK_A, 1, 0, BUCKET_NONE, BUCKET_ORG_ACTIVE), SCRIPT_OK);
    COMMAND(f, "FLUSHALL");
    assert_int_equal(publish(f, TASK_A, 2, 1, BUCKET_NONE, BUCKET_NONE), SCRIPT_RECOUNT);
    f->clock_us = NOW_US + 2;                  /* the clock, or what the caller remembers */
    assert_int_equal(begin(f, 1), SCRIPT_OK);
    assert_true(f->answer.at.epoch == NOW_US + 2);
    assert_int_equal(publish(f, TASK_A, 2, 1, BUCKET_NONE, BUCKET_NONE), SCRIPT_OK);
    COMMAND(f, "XLEN", "tasks:log:acme");
    assert_string_equal(f->text, "1");
}

static void another_run_begins_a_new_epoch_and_empties_the_log(void **state)
{
    struct fixture *f = *state;

    begin_epoch(f);
    assert_int_equal(publish(f, TASK_A, 1, 0, BUCKET_NONE, BUCKET_ORG_ACTIVE), SCRIPT_OK);
    COMMAND(f, "HSET", "tasks:org:acme", "run", "an older server's");
    assert_int_equal(position(f, ""), SCRIPT_RECOUNT);
    f->clock_us = 5;                           /* the clock went back: the number does not */
    assert_int_equal(begin(f, 9), SCRIPT_OK);
    assert_true(f->answer.at.epoch == NOW_US + 2);
    COMMAND(f, "EXISTS", "tasks:log:acme");
    assert_string_equal(f->text, "0");
    /* what was sent and not marked is sent again: the counts do not have it yet */
    assert_int_equal(publish(f, TASK_A, 1, 0, BUCKET_NONE, BUCKET_ORG_ACTIVE), SCRIPT_OK);
    assert_int_equal(position(f, ""), SCRIPT_OK);
    assert_int_equal(f->answer.org[0], 10);
}

static void a_log_that_is_gone_ends_the_epoch(void **state)
{
    struct fixture *f = *state;

    begin_epoch(f);
    assert_int_equal(position(f, ""), SCRIPT_OK);   /* none yet: as it should be */
    assert_int_equal(publish(f, TASK_A, 1, 0, BUCKET_NONE, BUCKET_ORG_ACTIVE), SCRIPT_OK);
    COMMAND(f, "DEL", "tasks:log:acme");
    assert_int_equal(position(f, ""), SCRIPT_RECOUNT);
}

static void who_lost_the_hold_begins_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(position(f, ""), SCRIPT_RECOUNT);
    COMMAND(f, "SET", "tasks:hold:acme", "another");
    assert_int_equal(begin(f, 3), SCRIPT_LATE);
    COMMAND(f, "EXISTS", "tasks:org:acme");
    assert_string_equal(f->text, "0");
}

static void a_hold_can_be_given_back_by_its_holder_alone(void **state)
{
    struct fixture      *f = *state;
    struct script_caller me = caller(f);
    struct script_caller other = me;

    other.token = "other";
    assert_int_equal(position(f, ""), SCRIPT_RECOUNT);
    assert_int_equal(answered(f, script_release(f->redis, &other, on_answer, f)), SCRIPT_OK);
    assert_int_equal(position(f, ""), SCRIPT_HOLD);
    assert_int_equal(answered(f, script_release(f->redis, &me, on_answer, f)), SCRIPT_OK);
    assert_int_equal(position(f, ""), SCRIPT_RECOUNT);
}

static enum script_outcome hold(struct fixture *f)
{
    struct script_caller who = caller(f);

    return answered(f, script_hold(f->redis, &who, 5000000, on_answer, f));
}

static enum script_outcome correct(struct fixture *f, int64_t active, int64_t own)
{
    struct script_caller        who = caller(f);
    struct store_private_counts people[1] = { { .sub = "ann", .n = { own, 1, 0 } } };
    struct store_counts         c = { .org = { active, 4, 5 }, .people = people,
                                      .people_count = 1 };

    return answered(f, script_correct(f->redis, &who, &c, on_answer, f));
}

static void only_a_quiet_org_is_checked(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hold(f), SCRIPT_GONE);
    begin_epoch(f);
    assert_int_equal(publish(f, TASK_A, 1, 0, BUCKET_NONE, BUCKET_NONE), SCRIPT_OK);
    f->clock_us += 4999999;
    assert_int_equal(hold(f), SCRIPT_BUSY);
    f->clock_us += 1;
    assert_int_equal(hold(f), SCRIPT_OK);
    assert_int_equal(hold(f), SCRIPT_HOLD);
    assert_int_equal(publish(f, TASK_A, 2, 0, BUCKET_NONE, BUCKET_NONE), SCRIPT_HOLD);
}

static void right_counts_are_left_alone(void **state)
{
    struct fixture *f = *state;

    begin_epoch(f);
    assert_int_equal(hold(f), SCRIPT_OK);
    assert_int_equal(correct(f, 3, 2), SCRIPT_OK);
    assert_int_equal(f->answer.known, 0);
    COMMAND(f, "XLEN", "tasks:log:acme");
    assert_string_equal(f->text, "0");
    assert_int_equal(position(f, ""), SCRIPT_OK);
}

static void wrong_counts_are_put_right_and_told(void **state)
{
    struct fixture *f = *state;

    begin_epoch(f);
    COMMAND(f, "HSET", "tasks:org:acme", "p:bob", "1 0 0 7");   /* who has none any more */
    assert_int_equal(hold(f), SCRIPT_OK);
    assert_int_equal(correct(f, 7, 2), SCRIPT_OK);
    assert_int_equal(f->answer.known, 2);
    COMMAND(f, "XRANGE", "tasks:log:acme", "-", "+", "COUNT", "1");
    assert_string_equal(f->text, "1732155360000001 1732155360000002\n1 - acme - - 0\n"
                        "dash [\"dashboard:task_count_changed\",{\"activeCount\":7,"
                        "\"completedCount\":4,\"failedCount\":5,\"scope\":\"org\","
                        "\"rev\":1732155360000002}]\n");
    COMMAND(f, "XREVRANGE", "tasks:log:acme", "+", "-", "COUNT", "1");
    assert_non_null(strstr(f->text, "\n1 - acme - bob 1\nmine ["));
    assert_int_equal(position(f, "bob"), SCRIPT_OK);
    assert_int_equal(f->answer.own[0], 0);
    assert_true(f->answer.at.number == NOW_US + 2 && f->answer.own_rev == NOW_US + 2);
    assert_int_equal(publish(f, TASK_A, 1, 0, BUCKET_NONE, BUCKET_NONE), SCRIPT_OK);
    assert_true(f->answer.at.number == NOW_US + 3);
}

static void every_key_has_a_time_to_live(void **state)
{
    static const char *const KEYS[] = { "tasks:org:acme", "tasks:log:acme",
                                        ("tasks:seq:1732155360000001:" TASK_A) };
    struct fixture          *f = *state;

    begin_epoch(f);
    assert_int_equal(publish(f, TASK_A, 1, 0, BUCKET_NONE, BUCKET_ORG_ACTIVE), SCRIPT_OK);
    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
        COMMAND(f, "TTL", KEYS[i]);
        assert_true(strtol(f->text, NULL, 10) > 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_org_begins_with_a_count_and_its_clock),
        TEST(numbers_count_up_by_one_and_keep_all_their_digits),
        TEST(a_repeat_is_told_apart_and_a_gap_too),
        TEST(counts_move_and_are_told_with_the_transition),
        TEST(nobodys_counts_are_zero_and_as_old_as_the_epoch),
        TEST(the_people_with_private_tasks_are_named),
        TEST(a_lost_memory_begins_a_new_epoch_above_all_numbers),
        TEST(another_run_begins_a_new_epoch_and_empties_the_log),
        TEST(a_log_that_is_gone_ends_the_epoch),
        TEST(who_lost_the_hold_begins_nothing),
        TEST(a_hold_can_be_given_back_by_its_holder_alone),
        TEST(only_a_quiet_org_is_checked),
        TEST(right_counts_are_left_alone),
        TEST(wrong_counts_are_put_right_and_told),
        TEST(every_key_has_a_time_to_live),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

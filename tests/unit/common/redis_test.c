/* redis_test.c -- commands against a real Redis that is killed, stopped and started again,
 * and against servers that speak nonsense. */
#include "tests/unit/common/redis_stage.h"

/* --- ordinary days --- */

static void nothing_can_be_sent_before_it_is_up(void **state)
{
    struct fixture *f = *state;

    assert_false(redis_is_up(f->redis));
    assert_string_equal(redis_run_id(f->redis), "");
    assert_int_equal(redis_call(f->redis, on_answer, f, "PING", NULL), ERR_REDIS);
    wait_up(f);
    loop_run_ms(&f->loop, 20);
    assert_int_equal(f->answers, 0);
}

static void answers_come_in_order_and_later(void **state)
{
    struct fixture *f = *state;

    wait_up(f);
    assert_int_equal(redis_call(f->redis, on_answer, f, "SET", "k", "v", NULL), 0);
    assert_int_equal(redis_call(f->redis, NULL, NULL, "SET", "n", "41", NULL), 0);
    assert_int_equal(redis_call(f->redis, on_answer, f, "INCR", "n", NULL), 0);
    assert_int_equal(redis_call(f->redis, on_answer, f, "GET", "k", NULL), 0);
    assert_int_equal(redis_call(f->redis, on_answer, f, "GET", "missing", NULL), 0);
    assert_int_equal(redis_call(f->redis, on_answer, f, "INCR", "k", NULL), 0);
    assert_int_equal(f->answers, 0);
    WAIT_UNTIL(&f->loop, f->answers == 5);
    assert_string_equal(f->texts[0], "OK");
    assert_string_equal(f->texts[1], "42");
    assert_string_equal(f->texts[2], "v");
    assert_string_equal(f->texts[3], "");
    assert_int_equal(f->errs[3], 0);
    assert_int_equal(f->errs[4], ERR_REPLY);
    assert_non_null(strstr(f->texts[4], "ERR value is not an integer"));
}

static void on_bytes(int err, const struct redis_reply *reply, void *arg)
{
    assert_int_equal(err, 0);
    assert_int_equal(redis_reply_kind(reply), REDIS_ARRAY);
    assert_int_equal(redis_reply_count(reply), 3);
    assert_true(slice_eq(redis_reply_text(redis_reply_at(reply, 0)), slice_make("a\r\n\0b", 5)));
    assert_int_equal(redis_reply_kind(redis_reply_at(reply, 1)), REDIS_NIL);
    assert_int_equal(redis_reply_int(redis_reply_at(reply, 2)), -17);
    assert_null(redis_reply_at(reply, 3));
    assert_int_equal(redis_reply_text(reply).len, 0);
    *(int *)arg += 1;
}

static void bytes_are_bytes(void **state)
{
    struct fixture *f = *state;
    int             called = 0;

    wait_up(f);
    redis_command(f->redis, NULL, NULL, 3,
                  (struct slice[]){ SLICE("SET"), { "b\0", 2 }, { "a\r\n\0b", 5 } });
    redis_call(f->redis, NULL, NULL, "SET", "n", "-17", NULL);
    redis_command(f->redis, on_bytes, &called, 4,
                  (struct slice[]){ SLICE("MGET"), { "b\0", 2 }, SLICE("none"), SLICE("n") });
    WAIT_UNTIL(&f->loop, called == 1);
}

static void no_reply_reads_as_nothing(void **state)
{
    (void)state;
    assert_int_equal(redis_reply_kind(NULL), REDIS_NIL);
    assert_int_equal(redis_reply_text(NULL).len, 0);
    assert_int_equal(redis_reply_int(NULL), 0);
    assert_int_equal(redis_reply_count(NULL), 0);
    assert_null(redis_reply_at(NULL, 0));
}

struct echo_count {
    int seen;
    int failed;
};

static void on_echo(int err, const struct redis_reply *reply, void *arg)
{
    struct echo_count *e = arg;

    if (err != 0 || redis_reply_text(reply).len != 4096 ||
        strtol(redis_reply_text(reply).data, NULL, 10) != e->seen)
        e->failed++;
    e->seen++;
}

/* Far more than the socket's buffers hold, so writes are partial. */
static void forty_megabytes_go_and_come_in_order(void **state)
{
    struct fixture   *f = *state;
    struct echo_count e = { 0, 0 };
    static char       text[4096];

    wait_up(f);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 1000; i++) {
            memset(text, 'x', sizeof(text));
            snprintf(text, sizeof(text), "%d ", round * 1000 + i);
            assert_int_equal(
                redis_command(f->redis, on_echo, &e, 2,
                              (struct slice[]){ SLICE("ECHO"), { text, sizeof(text) } }),
                0);
        }
        WAIT_UNTIL(&f->loop, e.seen == (round + 1) * 1000);
    }
    assert_int_equal(e.failed, 0);
}

static void on_counted(int err, const struct redis_reply *reply, void *arg)
{
    struct echo_count *e = arg;

    e->failed += err != 0 || !slice_is(redis_reply_text(reply), "PONG");
    e->seen++;
}

static void past_the_limit_it_is_busy_and_then_free_again(void **state)
{
    struct fixture   *f = *state;
    struct echo_count e = { 0, 0 };

    wait_up(f);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(redis_call(f->redis, on_counted, &e, "PING", NULL), 0);
    assert_int_equal(redis_call(f->redis, on_answer, f, "PING", NULL), ERR_BUSY);
    WAIT_UNTIL(&f->loop, e.seen == 1000);
    assert_int_equal(e.failed, 0);
    assert_int_equal(f->answers, 0);
    assert_string_equal(ask(f, "ECHO", "x", NULL), "x");
}

/* --- bad days --- */

static void a_killed_server_fails_what_was_under_way_once_and_then_says_down(void **state)
{
    struct fixture *f = *state;
    char            run_id[41];

    wait_up(f);
    snprintf(run_id, sizeof(run_id), "%s", redis_run_id(f->redis));
    for (int i = 0; i < 10; i++)
        assert_int_equal(redis_call(f->redis, on_answer, f, "BLPOP", "empty", "0", NULL), 0);
    loop_run_ms(&f->loop, 20);
    redis_server_kill(&f->server);
    WAIT_UNTIL(&f->loop, f->downs == 1);
    assert_int_equal(f->answers, 10);
    assert_int_equal(f->answers_at_down, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(f->errs[i], ERR_REDIS);
    assert_int_equal(redis_call(f->redis, on_answer, f, "PING", NULL), ERR_REDIS);

    redis_server_start(&f->server, NULL);
    wait_up(f);
    assert_string_not_equal(redis_run_id(f->redis), run_id);
    assert_string_equal(ask(f, "ECHO", "back", NULL), "back");
    assert_int_equal(f->answers, 11);
    assert_int_equal(f->downs, 1);
}

static void it_comes_back_many_times_in_a_row(void **state)
{
    struct fixture *f = *state;

    for (int i = 1; i <= 4; i++) {
        wait_up(f);
        assert_int_equal(f->ups, i);
        redis_server_kill(&f->server);
        WAIT_UNTIL(&f->loop, f->downs == i);
        redis_server_start(&f->server, NULL);
    }
    wait_up(f);
}

static void a_client_that_the_server_threw_out_comes_back_with_the_same_run_id(void **state)
{
    struct fixture *f = *state;
    char            run_id[41];

    wait_up(f);
    snprintf(run_id, sizeof(run_id), "%s", redis_run_id(f->redis));
    redis_call(f->redis, on_answer, f, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no", NULL);
    WAIT_UNTIL(&f->loop, f->downs == 1);
    wait_up(f);
    assert_string_equal(redis_run_id(f->redis), run_id);
}

static void a_silent_server_is_left_after_the_timeout(void **state)
{
    struct fixture *f = *state;

    redis_close(f->redis);
    f->redis = open_url(f, f->server.url, 150);
    wait_up(f);
    loop_run_ms(&f->loop, 300);                /* idle is not silent */
    assert_int_equal(f->downs, 0);
    kill(f->server.pid, SIGSTOP);
    redis_call(f->redis, on_answer, f, "PING", NULL);
    WAIT_UNTIL(&f->loop, f->downs == 1);
    assert_int_equal(f->answers, 1);
    assert_int_equal(f->errs[0], ERR_REDIS);
    kill(f->server.pid, SIGCONT);
    wait_up(f);
    assert_string_equal(ask(f, "ECHO", "x", NULL), "x");
}

static void a_loop_that_was_held_up_does_not_blame_the_server(void **state)
{
    struct fixture *f = *state;

    redis_close(f->redis);
    f->redis = open_url(f, f->server.url, 100);
    wait_up(f);
    for (int i = 0; i < 4; i++) {
        if (i % 2 == 1)
            usleep(250 * 1000);                /* the loop's clock is late when it is sent */
        redis_call(f->redis, on_answer, f, "PING", NULL);
        uv_run(&f->loop.uv, UV_RUN_NOWAIT);
        if (i % 2 == 0)
            usleep(250 * 1000);                /* the reply waits in the socket */
        WAIT_UNTIL(&f->loop, f->answers == i + 1);
        assert_int_equal(f->errs[i], 0);
    }
    assert_int_equal(f->downs, 0);
}

/* --- closing, anywhere --- */

static void closing_twice_or_nothing_is_harmless(void **state)
{
    struct fixture *f = *state;

    redis_close(NULL);
    redis_close(f->redis);                     /* while it connects; tear_down closes again */
    assert_int_equal(redis_call(f->redis, on_answer, f, "PING", NULL), ERR_REDIS);
}

static void closing_answers_what_is_under_way_before_it_returns(void **state)
{
    struct fixture *f = *state;

    wait_up(f);
    for (int i = 0; i < 3; i++)
        redis_call(f->redis, on_answer, f, "PING", NULL);
    redis_close(f->redis);
    assert_int_equal(f->answers, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(f->errs[i], ERR_CLOSED);
    loop_run_ms(&f->loop, 30);
    assert_int_equal(f->answers, 3);
    assert_int_equal(f->downs, 0);
    f->redis = NULL;
}

static void on_answer_and_close(int err, const struct redis_reply *reply, void *arg)
{
    struct fixture *f = arg;
    struct redis   *r = f->redis;

    on_answer(err, reply, arg);
    f->redis = NULL;
    redis_close(r);
    assert_int_equal(f->answers, 3);           /* the other two came in there */
}

static void closing_inside_a_reply_is_safe(void **state)
{
    struct fixture *f = *state;

    wait_up(f);
    redis_call(f->redis, on_answer_and_close, f, "ECHO", "a", NULL);
    redis_call(f->redis, on_answer, f, "ECHO", "b", NULL);
    redis_call(f->redis, on_answer, f, "ECHO", "c", NULL);
    WAIT_UNTIL(&f->loop, f->answers == 3);
    assert_int_equal(f->errs[0], 0);
    assert_int_equal(f->errs[1], ERR_CLOSED);
    assert_int_equal(f->errs[2], ERR_CLOSED);
    loop_run_ms(&f->loop, 20);
    assert_int_equal(f->answers, 3);
}

static void closing_inside_a_failing_command_is_safe(void **state)
{
    struct fixture *f = *state;

    wait_up(f);
    redis_call(f->redis, on_answer_and_close, f, "BLPOP", "empty", "0", NULL);
    redis_call(f->redis, on_answer, f, "ECHO", "b", NULL);
    redis_call(f->redis, on_answer, f, "ECHO", "c", NULL);
    loop_run_ms(&f->loop, 20);
    redis_server_kill(&f->server);
    WAIT_UNTIL(&f->loop, f->answers == 3);
    assert_int_equal(f->errs[0], ERR_REDIS);
    assert_int_equal(f->errs[1], ERR_CLOSED);
    assert_int_equal(f->errs[2], ERR_CLOSED);
    loop_run_ms(&f->loop, 20);
    assert_int_equal(f->downs, 0);             /* nothing is said after closing */
}

static void closing_inside_either_state_is_safe(void **state)
{
    struct fixture *f = *state;

    f->close_at_state = 1;
    WAIT_UNTIL(&f->loop, f->ups == 1);
    loop_run_ms(&f->loop, 20);
    f->close_at_state = -1;
    f->redis = open_url(f, f->server.url, 0);
    wait_up(f);
    redis_server_kill(&f->server);
    WAIT_UNTIL(&f->loop, f->downs == 1);
    loop_run_ms(&f->loop, 20);
    f->redis = NULL;
}

static void closing_while_a_name_is_resolved_is_safe(void **state)
{
    struct fixture *f = *state;
    char            url[64];

    snprintf(url, sizeof(url), "redis://localhost:%d", f->server.port);
    redis_close(f->redis);
    f->redis = open_url(f, url, 0);
    redis_close(f->redis);
    f->redis = open_url(f, url, 0);            /* and a name does lead there */
    wait_up(f);
}

/* --- scripts --- */

static int eval(struct fixture *f, struct redis_script *script, const char *key, const char *arg)
{
    return redis_eval(f->redis, script, on_answer, f, 1, 2,
                      (struct slice[]){ slice_of(key), slice_of(arg) });
}

#define APPEND "redis.call('APPEND', KEYS[1], ARGV[1]); return redis.call('GET', KEYS[1])"

static void a_script_runs_by_its_hash_after_its_first_use(void **state)
{
    struct fixture     *f = *state;
    struct redis_script script = { APPEND, "" };

    wait_up(f);
    for (int i = 0; i < 3; i++)
        assert_int_equal(eval(f, &script, "k", (char[]){ (char)('a' + i), 0 }), 0);
    WAIT_UNTIL(&f->loop, f->answers == 3);
    assert_string_equal(f->texts[2], "abc");
    redis_call(f->redis, on_answer, f, "EVALSHA", script.sha, "1", "k", "d", NULL);
    WAIT_UNTIL(&f->loop, f->answers == 4);
    assert_string_equal(f->texts[3], "abcd");
}

static void a_forgotten_script_is_sent_again_in_order(void **state)
{
    struct fixture     *f = *state;
    struct redis_script script = { APPEND, "" };

    wait_up(f);
    eval(f, &script, "k", "0");
    ask(f, "SCRIPT", "FLUSH", NULL);
    for (int i = 0; i < 5; i++)
        assert_int_equal(eval(f, &script, "k", (char[]){ (char)('a' + i), 0 }), 0);
    WAIT_UNTIL(&f->loop, f->answers == 7);
    for (int i = 2; i < 7; i++)
        assert_int_equal(f->errs[i], 0);
    assert_string_equal(f->texts[6], "0abcde");
}

static void scripts_are_loaded_before_anything_else_after_a_restart(void **state)
{
    struct fixture     *f = *state;
    struct redis_script script = { APPEND, "" };
    struct redis_script other = { "return ARGV[1]", "" };

    wait_up(f);
    eval(f, &script, "k", "x");
    eval(f, &other, "k", "y");
    WAIT_UNTIL(&f->loop, f->answers == 2);
    redis_server_kill(&f->server);
    WAIT_UNTIL(&f->loop, f->downs == 1);
    assert_int_equal(eval(f, &script, "k", "x"), ERR_REDIS);
    redis_server_start(&f->server, NULL);
    wait_up(f);
    assert_int_equal(eval(f, &script, "k", "z"), 0);
    WAIT_UNTIL(&f->loop, f->answers == 3);
    assert_string_equal(f->texts[2], "z");
    /* The other one was not used since: it is there because it was loaded. */
    assert_int_equal(redis_call(f->redis, on_answer, f, "EVALSHA", other.sha, "0", "w", NULL), 0);
    WAIT_UNTIL(&f->loop, f->answers == 4);
    assert_string_equal(f->texts[3], "w");
}

static void a_script_that_fails_answers_with_its_error(void **state)
{
    struct fixture     *f = *state;
    struct redis_script broken = { "this is no Lua", "" };

    wait_up(f);
    eval(f, &broken, "k", "x");
    eval(f, &broken, "k", "x");                /* by its hash, unknown, by its text again */
    WAIT_UNTIL(&f->loop, f->answers == 2);
    assert_int_equal(f->errs[0], ERR_REPLY);
    assert_int_equal(f->errs[1], ERR_REPLY);
    assert_non_null(strstr(f->texts[1], "ERR Error compiling script"));
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(nothing_can_be_sent_before_it_is_up),
        WITH_SERVER(answers_come_in_order_and_later),
        WITH_SERVER(bytes_are_bytes),
        cmocka_unit_test(no_reply_reads_as_nothing),
        WITH_SERVER(forty_megabytes_go_and_come_in_order),
        WITH_SERVER(past_the_limit_it_is_busy_and_then_free_again),
        WITH_SERVER(a_killed_server_fails_what_was_under_way_once_and_then_says_down),
        WITH_SERVER(it_comes_back_many_times_in_a_row),
        WITH_SERVER(a_client_that_the_server_threw_out_comes_back_with_the_same_run_id),
        WITH_SERVER(a_silent_server_is_left_after_the_timeout),
        WITH_SERVER(a_loop_that_was_held_up_does_not_blame_the_server),
        WITH_SERVER(closing_twice_or_nothing_is_harmless),
        WITH_SERVER(closing_answers_what_is_under_way_before_it_returns),
        WITH_SERVER(closing_inside_a_reply_is_safe),
        WITH_SERVER(closing_inside_a_failing_command_is_safe),
        WITH_SERVER(closing_inside_either_state_is_safe),
        WITH_SERVER(closing_while_a_name_is_resolved_is_safe),
        WITH_SERVER(a_script_runs_by_its_hash_after_its_first_use),
        WITH_SERVER(a_forgotten_script_is_sent_again_in_order),
        WITH_SERVER(scripts_are_loaded_before_anything_else_after_a_restart),
        WITH_SERVER(a_script_that_fails_answers_with_its_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

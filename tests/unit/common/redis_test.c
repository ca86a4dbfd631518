/* redis_test.c -- commands against a real Redis that is killed, stopped and started again,
 * and against servers that speak nonsense. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/err.h"
#include "common/log.h"
#include "common/redis.h"
#include "common/redis_internal.h"
#include "tests/unit/common/redis_server.h"

#define ANSWERS_MAX 64

struct fixture {
    struct loop         loop;
    struct redis_server server;
    struct redis       *redis;
    int                 ups, downs;
    int                 answers;               /* callbacks, in the order they ran */
    int                 errs[ANSWERS_MAX];
    char                texts[ANSWERS_MAX][64];
    int                 answers_at_down;
    int                 close_at_state;        /* +1: close when it goes up, -1: down */
};

static void on_state(struct redis *r, bool is_up, void *arg)
{
    struct fixture *f = arg;

    assert_int_equal(redis_is_up(r), is_up);
    assert_int_equal(strlen(redis_run_id(r)), is_up ? 40 : 0);
    if (is_up)
        f->ups++;
    else
        f->downs++, f->answers_at_down = f->answers;
    if (f->close_at_state == (is_up ? 1 : -1))
        redis_close(r);
}

static void on_answer(int err, const struct redis_reply *reply, void *arg)
{
    struct fixture *f = arg;
    struct slice    text = redis_reply_text(reply);

    assert_true(f->answers < ANSWERS_MAX);
    f->errs[f->answers] = err;
    if (redis_reply_kind(reply) == REDIS_INT)
        snprintf(f->texts[f->answers], 64, "%lld", (long long)redis_reply_int(reply));
    else
        snprintf(f->texts[f->answers], 64, "%.*s", SLICE_ARG(text));
    f->answers++;
}

static struct redis *open_url(struct fixture *f, const char *url, uint64_t timeout_ms)
{
    struct redis_options options = {
        .url = url, .name = "test link", .pending_max = 1000, .timeout_ms = timeout_ms,
        .on_state = on_state, .arg = f,
    };

    return redis_new(&f->loop.uv, &options);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    log_setup("test", LOG_LEVEL_ERROR, LOG_FORMAT_KV);
    redis_server_start(&f->server, NULL);
    loop_open(&f->loop);
    f->redis = open_url(f, f->server.url, 0);
    assert_non_null(f->redis);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    redis_close(f->redis);
    loop_close(&f->loop);
    redis_server_stop(&f->server);
    free(f);
    return 0;
}

static void wait_up(struct fixture *f)
{
    int ups = f->ups;

    if (!redis_is_up(f->redis))
        WAIT_UNTIL(&f->loop, f->ups > ups);
}

/* Send and wait; returns the answer's text. */
static const char *ask(struct fixture *f, const char *a, const char *b, const char *c)
{
    int before = f->answers;

    assert_int_equal(redis_call(f->redis, on_answer, f, a, b, c, NULL), 0);
    WAIT_UNTIL(&f->loop, f->answers > before);
    return f->texts[before];
}

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

/* --- greeting --- */

static void password_database_and_name_are_told(void **state)
{
    struct fixture *f = *state;
    char            url[128];

    redis_close(f->redis);
    redis_server_kill(&f->server);
    redis_server_start(&f->server, "p@ss/word");
    f->redis = open_url(f, f->server.url, 0);
    loop_run_ms(&f->loop, 150);
    assert_int_equal(f->ups, 0);               /* no password: never up */
    redis_close(f->redis);

    snprintf(url, sizeof(url), "redis://:p%%40ss%%2fword@127.0.0.1:%d/3", f->server.port);
    f->redis = open_url(f, url, 0);
    wait_up(f);
    assert_string_equal(ask(f, "CLIENT", "GETNAME", NULL), "test-link");
    ask(f, "SET", "here", "yes");
    ask(f, "SELECT", "0", NULL);
    assert_string_equal(ask(f, "EXISTS", "here", NULL), "0");
    redis_call(f->redis, NULL, NULL, "ACL", "SETUSER", "ann", "on", ">secret", "~*", "+@all", NULL);
    ask(f, "ECHO", "done", NULL);
    redis_close(f->redis);

    snprintf(url, sizeof(url), "redis://ann:secret@127.0.0.1:%d", f->server.port);
    f->redis = open_url(f, url, 0);
    wait_up(f);
    assert_string_equal(ask(f, "ACL", "WHOAMI", NULL), "ann");
}

/* --- servers that are none --- */

struct fake {
    uv_tcp_t    listener;
    const char *says;                          /* to everybody who connects */
    int         port;
    int         accepted;
};

static void on_said(uv_write_t *req, int status)
{
    (void)status;
    free(req);
}

static void on_client_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_client_alloc(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    static char bytes[65536];

    (void)handle, (void)size;
    *out = uv_buf_init(bytes, sizeof(bytes));
}

static void on_client_read(uv_stream_t *client, ssize_t n, const uv_buf_t *bytes)
{
    (void)bytes;
    if (n < 0)
        uv_close((uv_handle_t *)client, on_client_closed);
}

static void on_client(uv_stream_t *listener, int status)
{
    struct fake *fake = listener->data;
    uv_tcp_t    *client = calloc(1, sizeof(*client));
    uv_write_t  *req = calloc(1, sizeof(*req));
    uv_buf_t     bytes = uv_buf_init((char *)fake->says, (unsigned)strlen(fake->says));

    assert_int_equal(status, 0);
    uv_tcp_init(listener->loop, client);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)client), 0);
    fake->accepted++;
    uv_write(req, (uv_stream_t *)client, &bytes, 1, on_said);
    uv_read_start((uv_stream_t *)client, on_client_alloc, on_client_read);
}

static void fake_open(struct fake *fake, struct loop *loop, const char *says)
{
    int fd = bound_socket(&fake->port);

    fake->says = says;
    fake->accepted = 0;
    uv_tcp_init(&loop->uv, &fake->listener);
    fake->listener.data = fake;
    assert_int_equal(uv_tcp_open(&fake->listener, fd), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&fake->listener, 16, on_client), 0);
}

static void say_to_a_link(struct fixture *f, const char *says, int want_accepted)
{
    struct fake fake;
    char        url[64];

    fake_open(&fake, &f->loop, says);
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", fake.port);
    f->redis = open_url(f, url, 0);
    WAIT_UNTIL(&f->loop, fake.accepted >= want_accepted);
    redis_close(f->redis);
    f->redis = NULL;
    uv_close((uv_handle_t *)&fake.listener, NULL);
    loop_run_ms(&f->loop, 10);
}

#define GREETING "+OK\r\n$52\r\nx:1\r\nrun_id:0123456789012345678901234567890123456789\r\n+PONG\r\n"

static void nonsense_is_left_and_tried_again(void **state)
{
    static const char *const SAYS[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "-ERR max number of clients reached\r\n",
        "+OK\r\n$5\r\nhello\r\n+PONG\r\n",                      /* INFO without a run_id */
        "+OK\r\n*0\r\n+PONG\r\n",
        "+OK\r\n$-1\r\n+PONG\r\n",
        "$99999999999999999999\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        ":x\r\n",
        "\r\n\r\n",
    };
    struct fixture *f = *state;

    redis_close(f->redis);
    for (size_t i = 0; i < sizeof(SAYS) / sizeof(SAYS[0]); i++)
        say_to_a_link(f, SAYS[i], 2);
    assert_int_equal(f->ups, 0);
}

static void replies_that_nobody_asked_for_end_the_connection(void **state)
{
    static const char *const SAYS[] = {
        GREETING "+HELLO\r\n",
        GREETING "*3\r\n$9\r\nssubscribe\r\n$1\r\nc\r\n:1\r\n",
        GREETING "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n",
        GREETING "-ERR no\r\n-ERR no\r\n-ERR no\r\n",
    };
    struct fixture *f = *state;

    redis_close(f->redis);
    f->ups = 0;
    for (size_t i = 0; i < sizeof(SAYS) / sizeof(SAYS[0]); i++) {
        int ups = f->ups;

        say_to_a_link(f, SAYS[i], 2);
        assert_true(f->ups > ups);
    }
}

static void a_server_that_never_greets_is_left_after_two_seconds(void **state)
{
    struct fixture *f = *state;
    uint64_t        began = uv_hrtime();

    redis_close(f->redis);
    say_to_a_link(f, "", 2);
    assert_in_range((uv_hrtime() - began) / 1000000, 1900, 4000);
}

/* --- URLs --- */

static void urls_are_taken_apart(void **state)
{
    struct redis_url u;

    (void)state;
    assert_int_equal(redis_url_parse("redis://h", &u), 0);
    assert_string_equal(u.host, "h");
    assert_int_equal(u.port, 6379);
    assert_int_equal(u.db, 0);
    assert_int_equal(redis_url_parse("redis://us%65r:p%3A%40:x@redis.example:6380/15", &u), 0);
    assert_string_equal(u.user, "user");
    assert_string_equal(u.password, "p:@:x");
    assert_string_equal(u.host, "redis.example");
    assert_int_equal(u.port, 6380);
    assert_int_equal(u.db, 15);
    assert_int_equal(redis_url_parse("redis://:p@ss@h:1/", &u), 0);
    assert_string_equal(u.password, "p@ss");
    assert_string_equal(u.user, "");
    assert_int_equal(redis_url_parse("redis://[::1]:7000/2", &u), 0);
    assert_string_equal(u.host, "::1");
    assert_int_equal(u.port, 7000);
    assert_int_equal(redis_url_parse("redis://[::1]", &u), 0);
    assert_int_equal(u.port, 6379);
}

static void what_is_no_such_url_is_refused(void **state)
{
    static const char *const BAD[] = {
        "",
        "redis:",
        "redis://",
        "rediss://h",
        "http://h",
        "h:6379",
        "redis:///0",
        "redis://:6379",
        "redis://h:",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:x",
        "redis://h:6379x",
        "redis://h/x",
        "redis://h/-1",
        "redis://h/0/1",
        "redis://h/0?x=1",
        "redis://h?x",
        "redis://u@h",
        "redis://u:@h",
        "redis://u:%zz@h",
        "redis://u:%4@h",
        "redis://u:%00@h",
        "redis://a b",
        "redis://[::1",
        "redis://[::1]:",
        "redis://[::1]x",
        "redis://[]",
        "redis://h%41",
        "redis://[::1]6379",
    };
    struct redis_url     u;
    struct redis_options options = { .url = NULL };
    uv_loop_t            loop;

    (void)state;
    uv_loop_init(&loop);
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        if (redis_url_parse(BAD[i], &u) != ERR_INVALID)
            fail_msg("accepted: %s", BAD[i]);
        options.url = BAD[i];
        assert_null(redis_new(&loop, &options));
    }
    assert_int_equal(uv_loop_close(&loop), 0);
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
        WITH_SERVER(password_database_and_name_are_told),
        WITH_SERVER(nonsense_is_left_and_tried_again),
        WITH_SERVER(replies_that_nobody_asked_for_end_the_connection),
        WITH_SERVER(a_server_that_never_greets_is_left_after_two_seconds),
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(what_is_no_such_url_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

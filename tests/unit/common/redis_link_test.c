/* The Redis link at its edges: the greeting, servers that are none, URLs. */
#include "tests/unit/common/redis_stage.h"

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
        WITH_SERVER(password_database_and_name_are_told),
        WITH_SERVER(nonsense_is_left_and_tried_again),
        WITH_SERVER(replies_that_nobody_asked_for_end_the_connection),
        WITH_SERVER(a_server_that_never_greets_is_left_after_two_seconds),
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(what_is_no_such_url_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* stream_turns_test.c -- writing to very many streams does not hold the loop: what cannot be written
 * within a slice goes on in the next turn, and who is in a hurry goes first. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/net.h"

#define STREAMS 300
#define BYTES   (64 * 1024)                    /* copying all of it takes milliseconds anywhere */

static struct {
    uv_loop_t            loop;
    uv_timer_t           patience;
    struct net          *net;
    struct net_listener *listener;
    struct stream       *ours[STREAMS], *theirs[STREAMS];
    int                  connected, accepted, open;
    size_t               got;
} t;

static void on_data(struct stream *s, struct slice data, void *arg)
{
    (void)s;
    (void)arg;
    t.got += data.len;
}

/* Theirs close when ours do. */
static void on_close(struct stream *s, int err, void *arg)
{
    (void)s;
    (void)err;
    (void)arg;
    t.open--;
}

static const struct stream_ops OPS = { .on_data = on_data, .on_close = on_close };

static void on_accept(struct stream *s, void *arg)
{
    (void)arg;
    t.theirs[t.accepted++] = s;
    t.open++;
    stream_start(s, &OPS, NULL);
}

static void on_connect(int err, struct stream *s, void *arg)
{
    (void)arg;
    assert_int_equal(err, 0);
    t.ours[t.connected++] = s;
    t.open++;
    stream_start(s, &OPS, NULL);
}

static void on_impatient(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("this takes for ever");
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    assert_int_equal(uv_loop_init(&t.loop), 0);
    uv_timer_init(&t.loop, &t.patience);
    uv_timer_start(&t.patience, on_impatient, 30000, 0);
    t.net = net_new(&t.loop);
    assert_int_equal(net_listen(t.net, "127.0.0.1", 0, false, on_accept, NULL, &t.listener), 0);
    for (int i = 0; i < STREAMS; i++) {
        assert_int_equal(net_connect(t.net, "127.0.0.1", net_listener_port(t.listener), 10000,
                                     on_connect, NULL), 0);
        while (t.connected <= i || t.accepted <= i)
            uv_run(&t.loop, UV_RUN_ONCE);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    net_listener_close(t.listener);
    for (int i = 0; i < STREAMS; i++) {
        if (t.ours[i] != NULL)
            stream_close(t.ours[i]);
    }
    while (t.open > 0)
        uv_run(&t.loop, UV_RUN_ONCE);
    net_close(t.net);
    uv_close((uv_handle_t *)&t.patience, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&t.loop), 0);
    return 0;
}

static void send_to_all(void)
{
    struct rcbuf *bytes;
    char         *text = mem_alloc(BYTES);

    bytes = rcbuf_copy(slice_make(text, BYTES));
    for (int i = 0; i < STREAMS; i++)
        assert_int_equal(stream_send(t.ours[i], bytes), 0);
    rcbuf_unref(bytes);
    free(text);
}

static int untouched(void)
{
    int count = 0;

    for (int i = 0; i < STREAMS; i++)
        count += stream_queued_bytes(t.ours[i]) == BYTES;
    return count;
}

static void much_to_write_is_written_in_slices_and_in_order(void **state)
{
    int turns = 0, last = STREAMS;

    (void)state;
    send_to_all();
    while (untouched() > 0) {
        uv_run(&t.loop, UV_RUN_NOWAIT);
        turns++;
        assert_true(untouched() < last);       /* each turn gets on with it */
        last = untouched();
        for (int i = 1; i < STREAMS; i++) {
            if (stream_queued_bytes(t.ours[i]) < BYTES)
                assert_true(stream_queued_bytes(t.ours[i - 1]) < BYTES);
        }
    }
    assert_true(turns > 2);
    while (t.got < (size_t)STREAMS * BYTES)
        uv_run(&t.loop, UV_RUN_ONCE);
}

static void who_is_in_a_hurry_goes_first(void **state)
{
    (void)state;
    send_to_all();
    stream_hurry(t.ours[STREAMS - 1]);
    stream_hurry(t.theirs[0]);                 /* has nothing to say: nothing happens */
    uv_run(&t.loop, UV_RUN_NOWAIT);
    assert_true(untouched() > 0);
    assert_true(stream_queued_bytes(t.ours[STREAMS - 1]) < BYTES);
    while (t.got < (size_t)STREAMS * BYTES)
        uv_run(&t.loop, UV_RUN_ONCE);
}

static void what_waits_may_be_closed(void **state)
{
    (void)state;
    send_to_all();
    uv_run(&t.loop, UV_RUN_NOWAIT);
    assert_true(untouched() > 0);
    for (int i = 0; i < STREAMS; i += 2) {
        stream_close(t.ours[i]);
        t.ours[i] = NULL;
    }
    for (int turn = 0; turn < 100000 && t.got < (size_t)(STREAMS / 2) * BYTES; turn++)
        uv_run(&t.loop, UV_RUN_ONCE);
    assert_true(t.got >= (size_t)(STREAMS / 2) * BYTES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(much_to_write_is_written_in_slices_and_in_order),
        TEST(who_is_in_a_hurry_goes_first),
        TEST(what_waits_may_be_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

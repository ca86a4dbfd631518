/* tunnel_test.c -- a tunnel between two real connections, and what its ends may do to it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/err.h"
#include "gateway/tunnel.h"

#define ACCEPTED "HTTP/1.1 101 Switching Protocols\r\n\r\n"
#define PIECE    (32 * 1024)
#define MUCH     (24u << 20)                   /* more than two sockets' buffers take */

struct far {                                   /* the end of a connection that is not ours */
    struct stream *stream;
    struct buf     got;
    size_t         count;                      /* bytes, those not kept too */
    bool           is_over;
};

struct world {
    uv_loop_t            loop;
    struct net          *net;
    struct metrics      *metrics;
    struct net_listener *listener;
    struct tunnels       tunnels;
    struct stream       *near, *connected;
    struct far           client, owner;
};

static void on_data(struct stream *s, struct slice data, void *arg)
{
    struct far *f = arg;

    (void)s;
    f->count += data.len;
    (void)buf_append_slice(&f->got, data);
}

static void on_close(struct stream *s, int err, void *arg)
{
    struct far *f = arg;

    (void)s;
    (void)err;
    f->stream = NULL;
    f->is_over = true;
}

static const struct stream_ops FAR_OPS = { .on_data = on_data, .on_close = on_close };

static void on_accept(struct stream *s, void *arg)
{
    ((struct world *)arg)->near = s;
}

static void on_connect(int err, struct stream *s, void *arg)
{
    assert_int_equal(err, 0);
    ((struct world *)arg)->connected = s;
}

#define run_until(w, what) \
    while (!(what)) \
        assert_true(uv_run(&(w)->loop, UV_RUN_ONCE) != 0)

/* Some turns, for what should not happen. */
static void run_a_while(struct world *w)
{
    for (int i = 0; i < 50; i++)
        uv_run(&w->loop, UV_RUN_NOWAIT);
}

static struct stream *connection(struct world *w, struct far *far)
{
    w->near = w->connected = NULL;
    assert_int_equal(net_connect(w->net, "127.0.0.1", net_listener_port(w->listener), 2000,
                                 on_connect, w), 0);
    run_until(w, w->near != NULL && w->connected != NULL);
    far->stream = w->connected;
    buf_init(&far->got, 4096);
    stream_start(far->stream, &FAR_OPS, far);
    return w->near;
}

static int set_up(void **state)
{
    static struct world w;

    w = (struct world){ 0 };
    uv_loop_init(&w.loop);
    w.net = net_new(&w.loop);
    w.metrics = metrics_new();
    tunnels_init(&w.tunnels, w.net, w.metrics);
    assert_int_equal(net_listen(w.net, "127.0.0.1", 0, false, on_accept, &w, &w.listener), 0);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    if (w->client.stream != NULL)
        stream_close(w->client.stream);
    if (w->owner.stream != NULL)
        stream_close(w->owner.stream);
    tunnels_close(&w->tunnels);
    net_listener_close(w->listener);
    net_close(w->net);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(w->tunnels.count, 0);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    buf_deinit(&w->client.got);
    buf_deinit(&w->owner.got);
    metrics_free(w->metrics);
    return 0;
}

static void open_tunnel(struct world *w, const char *rest)
{
    struct stream *client = connection(w, &w->client), *owner = connection(w, &w->owner);

    tunnel_open(&w->tunnels, client, owner, SLICE("HEAD\r\n\r\n"), slice_of(rest));
    run_until(w, w->owner.count == 8);
}

static void forget(struct world *w)
{
    buf_deinit(&w->client.got);
    buf_deinit(&w->owner.got);
    w->client = w->owner = (struct far){ 0 };
}

static void say(struct far *f, const char *text)
{
    assert_int_equal(stream_send_copy(f->stream, slice_of(text)), 0);
}

static void bytes_go_both_ways_once_the_owner_accepts(void **state)
{
    struct world *w = *state;

    open_tunnel(w, "early ");
    say(&w->client, "late");
    run_a_while(w);
    assert_string_equal(w->owner.got.data, "HEAD\r\n\r\n");     /* nothing of the client's yet */
    say(&w->owner, ACCEPTED "hello");
    run_until(w, w->owner.count == 8 + 10 && w->client.count == strlen(ACCEPTED "hello"));
    assert_string_equal(w->owner.got.data, "HEAD\r\n\r\nearly late");
    assert_string_equal(w->client.got.data, ACCEPTED "hello");
}

static void the_acceptance_may_come_byte_by_byte(void **state)
{
    struct world *w = *state;
    char          one[2] = "";

    open_tunnel(w, "early");
    for (size_t i = 0; i < strlen(ACCEPTED); i++) {
        one[0] = ACCEPTED[i];
        say(&w->owner, one);
        run_until(w, w->client.count == i + 1);
    }
    run_until(w, w->owner.count == 8 + 5);
}

/* Whatever else the owner says goes to the client; nothing of the client's goes there. */
static void a_refusal_comes_back_and_nothing_goes_through(void **state)
{
    static const char *const REFUSALS[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\nno", "HTTP/1.1 1010", "HTTP/1.0 101 x", "h", "HTTP/1.1 101"
    };

    for (size_t i = 0; i < sizeof(REFUSALS) / sizeof(REFUSALS[0]); i++) {
        struct world *w = *state;

        open_tunnel(w, "early");
        say(&w->client, "late");
        say(&w->owner, REFUSALS[i]);
        run_until(w, w->client.count == strlen(REFUSALS[i]));
        run_a_while(w);
        assert_int_equal(w->owner.count, 8);
        stream_finish(w->owner.stream, 1000);
        run_until(w, w->client.is_over && w->owner.is_over);
        assert_string_equal(w->client.got.data, REFUSALS[i]);
        forget(w);
    }
}

static void either_end_takes_the_other_with_it(void **state)
{
    struct world *w = *state;

    open_tunnel(w, "");
    say(&w->owner, ACCEPTED);
    run_until(w, w->client.count == strlen(ACCEPTED));
    stream_close(w->client.stream);
    run_until(w, w->owner.is_over && w->tunnels.count == 0);

    forget(w);
    open_tunnel(w, "");
    say(&w->owner, ACCEPTED "bye");
    stream_finish(w->owner.stream, 1000);
    run_until(w, w->client.is_over && w->tunnels.count == 0);
    assert_int_equal(w->client.count, strlen(ACCEPTED "bye"));
    assert_string_equal(w->client.got.data, ACCEPTED "bye");
}

/* A reader that does not read: the writer is held up, a little is kept, and all of it arrives. */
static void a_slow_reader_holds_the_writer_up_and_not_our_memory(void **state)
{
    struct world *w = *state;
    struct rcbuf *piece = rcbuf_new(PIECE);
    size_t        before;

    memset(piece->data, 'x', PIECE);
    open_tunnel(w, "");
    say(&w->owner, ACCEPTED);
    run_until(w, w->client.count == strlen(ACCEPTED));
    before = w->client.count;
    stream_pause(w->client.stream);
    for (size_t n = 0; n < MUCH; n += PIECE)
        assert_int_equal(stream_send(w->owner.stream, piece), 0);
    rcbuf_unref(piece);
    for (int i = 0; i < 2000; i++)
        uv_run(&w->loop, UV_RUN_NOWAIT);
    assert_true(stream_queued_bytes(w->owner.stream) > MUCH / 4);       /* it has to wait */
    stream_resume(w->client.stream);
    run_until(w, w->client.count == before + MUCH);
    assert_int_equal(stream_queued_bytes(w->owner.stream), 0);
}

static void a_drain_ends_all_within_its_time(void **state)
{
    struct world *w = *state;

    open_tunnel(w, "");
    say(&w->owner, ACCEPTED);
    run_until(w, w->client.count == strlen(ACCEPTED));
    tunnels_drain(&w->tunnels, 100);
    run_until(w, w->client.is_over && w->owner.is_over && w->tunnels.count == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_go_both_ways_once_the_owner_accepts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_acceptance_may_come_byte_by_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_comes_back_and_nothing_goes_through, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(either_end_takes_the_other_with_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_slow_reader_holds_the_writer_up_and_not_our_memory, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_drain_ends_all_within_its_time, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

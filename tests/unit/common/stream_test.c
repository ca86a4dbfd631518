/* stream_test.c -- streams over real loopback sockets: the loop must end empty each time. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/net.h"

#define PATIENCE_MS 5000

/* One side under test, with what it has heard. */
struct side {
    struct stream *stream;
    struct buf    *got;
    int            ends;
    int            drains;
    int            closes;
    int            err;
};

static struct {
    uv_loop_t            loop;
    uv_timer_t           patience;
    struct net          *net;
    struct net_listener *listener;
    struct side          accepted[8];
    int                  accepted_count;
    bool                 is_impatient;
} t;

static void on_data(struct stream *s, struct slice data, void *arg)
{
    struct side *side = arg;

    assert_ptr_equal(stream_arg(s), side);
    if (side->got != NULL)
        assert_int_equal(buf_append_slice(side->got, data), 0);
}

static void on_end(struct stream *s, void *arg)
{
    (void)s;
    ((struct side *)arg)->ends++;
}

static void on_drain(struct stream *s, void *arg)
{
    (void)s;
    ((struct side *)arg)->drains++;
}

static void on_close(struct stream *s, int err, void *arg)
{
    struct side *side = arg;

    assert_ptr_equal(s, side->stream);
    side->closes++;
    side->err = err;
    side->stream = NULL;
}

static const struct stream_ops OPS = { on_data, NULL, on_drain, on_close };
static const struct stream_ops OPS_WITH_END = { on_data, on_end, on_drain, on_close };

static void on_accept(struct stream *s, void *arg)
{
    struct side *side = &t.accepted[t.accepted_count++];

    assert_true(t.accepted_count <= 8);
    side->stream = s;
    stream_start(s, arg, side);
}

static void on_impatient(uv_timer_t *timer)
{
    (void)timer;
    t.is_impatient = true;
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    assert_int_equal(uv_loop_init(&t.loop), 0);
    uv_timer_init(&t.loop, &t.patience);
    uv_timer_start(&t.patience, on_impatient, PATIENCE_MS, 0);
    t.net = net_new(&t.loop);
    return 0;
}

static void listen_with(const struct stream_ops *ops)
{
    assert_int_equal(net_listen(t.net, "127.0.0.1", 0, false, on_accept, (void *)ops,
                                &t.listener), 0);
}

static int teardown(void **state)
{
    (void)state;
    net_listener_close(t.listener);
    for (int i = 0; i < t.accepted_count; i++)
        if (t.accepted[i].stream != NULL)
            stream_close(t.accepted[i].stream);
    if (t.net != NULL)
        net_close(t.net);
    uv_close((uv_handle_t *)&t.patience, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&t.loop), 0);
    return 0;
}

#define WAIT(condition)                                     \
    do {                                                    \
        while (!(condition) && !t.is_impatient)             \
            uv_run(&t.loop, UV_RUN_ONCE);                   \
        assert_true(condition);                             \
    } while (0)

/* A plain blocking socket, so that the other side does exactly what is said here. */
static int dial(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)net_listener_port(t.listener)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int before = t.accepted_count;

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    WAIT(t.accepted_count == before + 1);
    return fd;
}

static size_t read_some(int fd, char *into, size_t room)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    ssize_t       n;

    if (poll(&p, 1, 0) != 1)
        return 0;
    n = read(fd, into, room);
    return n > 0 ? (size_t)n : 0;
}

/* Run the loop and read from `fd` until `len` bytes are there. */
static void read_exactly(int fd, char *into, size_t len)
{
    size_t got = 0;

    while (got < len && !t.is_impatient) {
        uv_run(&t.loop, UV_RUN_NOWAIT);
        got += read_some(fd, into + got, len - got);
    }
    assert_int_equal(got, len);
}

static bool at_eof(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char          c;

    return poll(&p, 1, 0) == 1 && read(fd, &c, 1) <= 0;
}

/* --- tests --- */

static void bytes_come_and_go_in_order(void **state)
{
    struct buf got;
    char       answer[13], peer[NET_ADDRESS_SIZE];
    int        fd;

    (void)state;
    listen_with(&OPS);
    fd = dial();
    buf_init(&got, 100);
    t.accepted[0].got = &got;
    assert_int_equal(write(fd, "hello", 5), 5);
    WAIT(got.len == 5);
    assert_true(slice_is(buf_peek(&got), "hello"));
    stream_peer(t.accepted[0].stream, peer);
    assert_string_equal(peer, "127.0.0.1");
    assert_ptr_equal(stream_net(t.accepted[0].stream), t.net);
    stream_send_copy(t.accepted[0].stream, SLICE("one "));
    stream_send_copy(t.accepted[0].stream, SLICE(""));
    stream_send_copy(t.accepted[0].stream, SLICE("two "));
    stream_send_copy(t.accepted[0].stream, SLICE("three"));
    read_exactly(fd, answer, 13);
    assert_memory_equal(answer, "one two three", 13);
    assert_int_equal(net_bytes_read(t.net), 5);
    assert_int_equal(net_bytes_written(t.net), 13);
    close(fd);
    WAIT(t.accepted[0].closes == 1);
    assert_int_equal(t.accepted[0].err, UV_EOF);
    buf_deinit(&got);
}

static void what_is_queued_in_a_turn_leaves_in_one_write(void **state)
{
    char answer[500];
    int  fd;

    (void)state;
    listen_with(&OPS);
    fd = dial();
    for (int i = 0; i < 50; i++)
        stream_send_copy(t.accepted[0].stream, SLICE("0123456789"));
    assert_int_equal(net_writes(t.net), 0);
    assert_int_equal(stream_queued_bytes(t.accepted[0].stream), 500);
    read_exactly(fd, answer, 500);
    assert_int_equal(net_writes(t.net), 1);
    assert_int_equal(stream_queued_bytes(t.accepted[0].stream), 0);
    stream_send_copy(t.accepted[0].stream, SLICE("x"));
    stream_flush(t.accepted[0].stream);
    assert_int_equal(net_writes(t.net), 2);
    close(fd);
}

static void one_buffer_serves_many_streams(void **state)
{
    struct rcbuf *shared = rcbuf_copy(SLICE("to all"));
    char          answer[6];
    int           fds[8];

    (void)state;
    listen_with(&OPS);
    for (int i = 0; i < 8; i++)
        fds[i] = dial();
    for (int i = 0; i < 8; i++)
        assert_int_equal(stream_send(t.accepted[i].stream, shared), 0);
    assert_int_equal(shared->refs, 9);
    for (int i = 0; i < 8; i++) {
        read_exactly(fds[i], answer, 6);
        assert_memory_equal(answer, "to all", 6);
        close(fds[i]);
    }
    assert_int_equal(shared->refs, 1);
    rcbuf_unref(shared);
}

/* Far more than the kernel takes, in pieces of all sizes, to a reader who comes late. */
static void a_slow_reader_gets_everything_and_a_drain(void **state)
{
    enum { PIECES = 3000 };
    size_t sum = 0, at = 0;
    int    drains;
    char  *all;
    int    fd;

    (void)state;
    listen_with(&OPS);
    fd = dial();
    for (int i = 0; i < PIECES; i++) {
        size_t        len = (size_t)(i * 37 % 8191) + 1;
        struct rcbuf *b = rcbuf_new(len);

        for (size_t k = 0; k < len; k++)
            b->data[k] = (char)((sum + k) * 31 % 251);
        assert_int_equal(stream_send(t.accepted[0].stream, b), 0);
        sum += len;
        rcbuf_unref(b);
        if (i % 100 == 0)
            uv_run(&t.loop, UV_RUN_NOWAIT);
    }
    uv_run(&t.loop, UV_RUN_NOWAIT);
    assert_true(stream_queued_bytes(t.accepted[0].stream) > 0);
    drains = t.accepted[0].drains;             /* while the kernel still took all */
    assert_true(drains < PIECES / 100);
    all = mem_alloc(sum);
    read_exactly(fd, all, sum);
    for (at = 0; at < sum && all[at] == (char)(at * 31 % 251); at++)
        ;
    assert_int_equal(at, sum);
    WAIT(t.accepted[0].drains == drains + 1);
    assert_int_equal(stream_queued_bytes(t.accepted[0].stream), 0);
    assert_int_equal(net_bytes_written(t.net), sum);
    free(all);
    close(fd);
}

static void closing_is_told_once_and_later_and_drops_the_queue(void **state)
{
    struct side *side = &t.accepted[0];
    int          fd;

    (void)state;
    listen_with(&OPS);
    fd = dial();
    stream_send_copy(side->stream, SLICE("never seen"));
    stream_close(side->stream);
    stream_close(side->stream);
    assert_int_equal(side->closes, 0);
    assert_true(stream_is_closing(side->stream));
    assert_int_equal(stream_send_copy(side->stream, SLICE("x")), ERR_CLOSED);
    stream_finish(side->stream, 100);
    WAIT(side->closes == 1);
    assert_int_equal(side->err, 0);
    assert_int_equal(net_bytes_written(t.net), 0);
    close(fd);
}

static void closing_with_a_write_under_way_frees_everything(void **state)
{
    struct rcbuf *big = rcbuf_new(16 * 1024 * 1024);
    int           fd;

    (void)state;
    memset(big->data, 'x', big->len);
    listen_with(&OPS);
    fd = dial();
    stream_send(t.accepted[0].stream, big);
    stream_send(t.accepted[0].stream, big);
    uv_run(&t.loop, UV_RUN_NOWAIT);
    assert_true(stream_queued_bytes(t.accepted[0].stream) > big->len);
    assert_true(big->refs > 1);
    stream_close(t.accepted[0].stream);
    WAIT(t.accepted[0].closes == 1);
    assert_int_equal(t.accepted[0].err, 0);
    assert_int_equal(big->refs, 1);
    rcbuf_unref(big);
    close(fd);
}

static void a_reset_is_told_as_such(void **state)
{
    struct linger hard = { .l_onoff = 1, .l_linger = 0 };
    int           fd;

    (void)state;
    listen_with(&OPS_WITH_END);
    fd = dial();
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
    close(fd);
    WAIT(t.accepted[0].closes == 1);
    assert_int_equal(t.accepted[0].err, UV_ECONNRESET);
    assert_int_equal(t.accepted[0].ends, 0);
}

static void who_asks_hears_of_the_end_and_may_still_send(void **state)
{
    char answer[3];
    int  fd;

    (void)state;
    listen_with(&OPS_WITH_END);
    fd = dial();
    shutdown(fd, SHUT_WR);
    WAIT(t.accepted[0].ends == 1);
    assert_int_equal(t.accepted[0].closes, 0);
    stream_send_copy(t.accepted[0].stream, SLICE("bye"));
    stream_finish(t.accepted[0].stream, 10000);
    read_exactly(fd, answer, 3);
    WAIT(t.accepted[0].closes == 1);           /* both sides have ended: no lingering */
    assert_int_equal(t.accepted[0].err, 0);
    assert_true(at_eof(fd));
    close(fd);
}

static void finishing_delivers_although_the_peer_is_still_sending(void **state)
{
    static char junk[200000];
    struct buf  got;
    char        answer[6];
    int         fd;

    (void)state;
    listen_with(&OPS);
    fd = dial();
    buf_init(&got, 10);
    t.accepted[0].got = &got;
    assert_int_equal(send(fd, junk, sizeof(junk), MSG_DONTWAIT) > 0, 1);
    stream_pause(t.accepted[0].stream);
    stream_send_copy(t.accepted[0].stream, SLICE("answer"));
    stream_finish(t.accepted[0].stream, 10000);
    assert_int_equal(stream_send_copy(t.accepted[0].stream, SLICE("x")), ERR_CLOSED);
    for (int i = 0; i < 20; i++)
        uv_run(&t.loop, UV_RUN_NOWAIT);
    send(fd, junk, sizeof(junk), MSG_DONTWAIT | MSG_NOSIGNAL);
    read_exactly(fd, answer, 6);
    assert_memory_equal(answer, "answer", 6);
    assert_int_equal(t.accepted[0].closes, 0);
    assert_true(at_eof(fd));
    close(fd);
    WAIT(t.accepted[0].closes == 1);
    assert_int_equal(t.accepted[0].err, 0);
    assert_int_equal(got.len, 0);              /* nobody heard of the junk */
    buf_deinit(&got);
}

static void lingering_ends_in_time(void **state)
{
    uint64_t since;
    int      fd;

    (void)state;
    listen_with(&OPS);
    fd = dial();
    uv_update_time(&t.loop);
    since = net_now_ms(t.net);
    stream_finish(t.accepted[0].stream, 100);
    WAIT(t.accepted[0].closes == 1);           /* the peer never ends its side */
    assert_true(net_now_ms(t.net) - since >= 100);
    assert_true(net_now_ms(t.net) - since < 1000);
    close(fd);
}

static void a_paused_stream_reads_nothing(void **state)
{
    struct buf got;
    int        fd;

    (void)state;
    listen_with(&OPS);
    fd = dial();
    buf_init(&got, 100);
    t.accepted[0].got = &got;
    stream_pause(t.accepted[0].stream);
    assert_int_equal(write(fd, "hello", 5), 5);
    for (int i = 0; i < 20; i++)
        uv_run(&t.loop, UV_RUN_NOWAIT);
    assert_int_equal(got.len, 0);
    stream_resume(t.accepted[0].stream);
    WAIT(got.len == 5);
    buf_deinit(&got);
    close(fd);
}

static void on_data_hand_over(struct stream *s, struct slice data, void *arg)
{
    static const struct stream_ops SECOND = { on_data, NULL, NULL, on_close };

    (void)data;
    (void)arg;
    t.accepted[1].stream = s;
    stream_start(s, &SECOND, &t.accepted[1]);
}

static void a_stream_is_handed_to_another_owner(void **state)
{
    static const struct stream_ops FIRST = { on_data_hand_over, NULL, NULL, on_close };
    struct buf got;
    int        fd;

    (void)state;
    listen_with(&FIRST);
    fd = dial();
    buf_init(&got, 100);
    t.accepted[1].got = &got;
    assert_int_equal(write(fd, "1", 1), 1);
    WAIT(t.accepted[1].stream != NULL);
    assert_int_equal(write(fd, "2", 1), 1);
    WAIT(got.len == 1);
    assert_true(slice_is(buf_peek(&got), "2"));
    close(fd);
    WAIT(t.accepted[1].closes == 1);
    assert_int_equal(t.accepted[0].closes, 0);
    t.accepted[0].stream = NULL;
    buf_deinit(&got);
}

/* --- connecting --- */

struct dialled {
    int            calls;
    int            err;
    struct side    side;
};

static void on_connect(int err, struct stream *s, void *arg)
{
    struct dialled *d = arg;

    d->calls++;
    d->err = err;
    d->side.stream = s;
    assert_int_equal(err == 0, s != NULL);
    if (s != NULL)
        stream_start(s, &OPS, &d->side);
}

static void connecting_finds_a_name_and_a_number(void **state)
{
    const char *hosts[] = { "127.0.0.1", "localhost" };

    (void)state;
    listen_with(&OPS);
    for (int i = 0; i < 2; i++) {
        struct dialled d = { 0 };

        assert_int_equal(net_connect(t.net, hosts[i], net_listener_port(t.listener), 2000,
                                     on_connect, &d), 0);
        assert_int_equal(d.calls, 0);
        WAIT(d.calls == 1 && t.accepted_count == i + 1);
        assert_int_equal(d.err, 0);
        stream_close(d.side.stream);
        WAIT(d.side.closes == 1);
    }
}

static void a_failed_connect_says_why_once(void **state)
{
    struct dialled d = { 0 };
    int            port;

    (void)state;
    listen_with(&OPS);
    port = net_listener_port(t.listener);
    net_listener_close(t.listener);
    t.listener = NULL;
    assert_int_equal(net_connect(t.net, "127.0.0.1", port, 2000, on_connect, &d), 0);
    WAIT(d.calls == 1);
    assert_int_equal(d.err, UV_ECONNREFUSED);
    assert_true(net_connect(t.net, "127.0.0.1", 0, 2000, on_connect, &d) < 0);
    assert_true(net_connect(t.net, "127.0.0.1", 65536, 2000, on_connect, &d) < 0);
    for (int i = 0; i < 5; i++)
        uv_run(&t.loop, UV_RUN_NOWAIT);
    assert_int_equal(d.calls, 1);
}

/* A backlog that is full answers nobody, so the connect hangs. */
static void a_connect_has_its_time(void **state)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          len = sizeof(at);
    int                full = socket(AF_INET, SOCK_STREAM, 0), fds[4];
    struct dialled     d = { 0 };

    (void)state;
    assert_int_equal(bind(full, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(full, 0), 0);
    assert_int_equal(getsockname(full, (struct sockaddr *)&at, &len), 0);
    for (int i = 0; i < 4; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fds[i], (struct sockaddr *)&at, len);
    }
    assert_int_equal(net_connect(t.net, "127.0.0.1", ntohs(at.sin_port), 100, on_connect, &d), 0);
    WAIT(d.calls == 1);
    assert_int_equal(d.err, ERR_TIMEOUT);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    close(full);
}

static void closing_the_net_cancels_connects(void **state)
{
    struct dialled d = { 0 };

    (void)state;
    assert_int_equal(net_connect(t.net, "localhost", 9, 60000, on_connect, &d), 0);
    net_close(t.net);
    net_close(t.net);
    assert_int_equal(net_connect(t.net, "127.0.0.1", 9, 100, on_connect, &d), ERR_CLOSED);
    t.net = NULL;
    assert_int_equal(d.calls, 0);
    WAIT(d.calls == 1);
    assert_true(d.err == UV_ECANCELED || d.err == UV_ECONNREFUSED);
}

/* --- listening --- */

static void a_bad_address_is_refused(void **state)
{
    struct net_listener *l = NULL;

    (void)state;
    assert_true(net_listen(t.net, "nonsense", 0, false, on_accept, NULL, &l) < 0);
    assert_true(net_listen(t.net, "127.0.0.1", 65536, false, on_accept, NULL, &l) < 0);
    listen_with(&OPS);
    assert_int_equal(net_listen(t.net, "127.0.0.1", net_listener_port(t.listener), false,
                                on_accept, NULL, &l), UV_EADDRINUSE);
    assert_null(l);
}

static void two_listeners_may_share_a_port(void **state)
{
    struct net_listener *a, *b;

    (void)state;
    assert_int_equal(net_listen(t.net, "127.0.0.1", 0, true, on_accept, (void *)&OPS, &a), 0);
    assert_int_equal(net_listen(t.net, "127.0.0.1", net_listener_port(a), true, on_accept,
                                (void *)&OPS, &b), 0);
    net_listener_close(a);
    net_listener_close(a);
    net_listener_close(b);
}

static void out_of_files_accepting_pauses_and_goes_on(void **state)
{
    struct rlimit      before, tight;
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int                fd = socket(AF_INET, SOCK_STREAM, 0), top;

    (void)state;
    listen_with(&OPS);
    to.sin_port = htons((uint16_t)net_listener_port(t.listener));
    top = dup(0);
    close(top);                                /* the lowest free number */
    getrlimit(RLIMIT_NOFILE, &before);
    tight = before;
    tight.rlim_cur = (rlim_t)top;
    setrlimit(RLIMIT_NOFILE, &tight);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    for (int i = 0; i < 3; i++)
        uv_run(&t.loop, UV_RUN_NOWAIT);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(t.accepted_count, 0);
    WAIT(t.accepted_count == 1);               /* the connection was kept, not dropped */
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    WAIT(t.accepted[0].closes == 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_come_and_go_in_order),
        TEST(what_is_queued_in_a_turn_leaves_in_one_write),
        TEST(one_buffer_serves_many_streams),
        TEST(a_slow_reader_gets_everything_and_a_drain),
        TEST(closing_is_told_once_and_later_and_drops_the_queue),
        TEST(closing_with_a_write_under_way_frees_everything),
        TEST(a_reset_is_told_as_such),
        TEST(who_asks_hears_of_the_end_and_may_still_send),
        TEST(finishing_delivers_although_the_peer_is_still_sending),
        TEST(lingering_ends_in_time),
        TEST(a_paused_stream_reads_nothing),
        TEST(a_stream_is_handed_to_another_owner),
        TEST(connecting_finds_a_name_and_a_number),
        TEST(a_failed_connect_says_why_once),
        TEST(a_connect_has_its_time),
        TEST(closing_the_net_cancels_connects),
        TEST(a_bad_address_is_refused),
        TEST(two_listeners_may_share_a_port),
        TEST(out_of_files_accepting_pauses_and_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

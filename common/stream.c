/* stream.c -- one TCP connection: a queue of shared buffers in front of a socket.
 *
 * A gateway holds a hundred thousand of these, nearly all idle, and sends the same bytes to
 * thousands of them at once. So an idle stream owns no buffer at all (bytes are read into
 * the net's one buffer and handled at once), and sending queues a reference: no copy, no
 * allocation. Streams with something queued stand in the net's dirty list and are written
 * once per turn of the loop, everything of one stream in one writev: a system call costs
 * more than the bytes it carries.
 *
 * What the kernel does not take stays in the queue, where it is ours to count, until the
 * loop says that there is room. The handle is a uv_poll_t, and the bytes are read and written
 * here: uv_tcp_t brings queues of its own that would only stand behind this one, at 88 bytes
 * per connection. Rejected, too: uv_write (a request and a copy of the vector per send), and
 * a buffer per stream into which sends are copied.
 *
 * Changing what the loop watches costs two system calls, so pausing is lazy: a paused stream
 * is still watched, and let go only if bytes come meanwhile; mostly it is resumed before.
 *
 * Ending is a state of its own. close() with unread bytes makes the kernel send a reset,
 * which can overtake and destroy the answer that was just written. So stream_finish()
 * writes the queue, ends our side only, and reads and drops what comes until the peer ends
 * its side too or the linger time is over. */
#include "common/net_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/err.h"
#include "common/mem.h"

#define IOV_MAX_AT_ONCE 64
#define FLUSH_SLICE_NS  1000000                /* of writing, per turn of the loop */
#define FLUSHES_A_LOOK  16                     /* between two looks at the clock */

static struct net *net_of(const struct stream *s)
{
    return s->poll.data;
}

static bool has(const struct stream *s, enum stream_flag flag)
{
    return (s->flags & flag) != 0;
}

static void set(struct stream *s, enum stream_flag flag)
{
    s->flags |= (uint8_t)flag;
}

static void clear(struct stream *s, enum stream_flag flag)
{
    s->flags &= (uint8_t)~flag;
}

static int fd_of(const struct stream *s)
{
    uv_os_fd_t fd = -1;

    (void)uv_fileno((const uv_handle_t *)&s->poll, &fd);   /* it has one until it is closed */
    return fd;
}

/* --- the ring --- */

static uint32_t ring_cap(const struct stream *s)
{
    return 1u << s->cap_log2;
}

static struct rcbuf **ring_items(struct stream *s)
{
    return s->cap_log2 == FEW_LOG2 ? s->few : s->many;
}

static struct rcbuf **ring_at(struct stream *s, uint32_t i)
{
    return &ring_items(s)[(s->first + i) & (ring_cap(s) - 1)];
}

static void ring_reset(struct stream *s)
{
    assert(s->count == 0);
    if (s->cap_log2 != FEW_LOG2)
        free(s->many);
    s->cap_log2 = FEW_LOG2;
    s->first = 0;
    s->head_offset = 0;
}

static void ring_grow(struct stream *s)
{
    uint8_t        cap_log2 = s->cap_log2 == FEW_LOG2 ? 4 : (uint8_t)(s->cap_log2 + 1);
    struct rcbuf **items;

    assert(cap_log2 < 31);
    items = mem_resize(NULL, sizeof(*items) << cap_log2);
    for (uint32_t i = 0; i < s->count; i++)
        items[i] = *ring_at(s, i);
    if (s->cap_log2 != FEW_LOG2)
        free(s->many);
    s->many = items;
    s->first = 0;
    s->cap_log2 = cap_log2;
}

static void ring_push(struct stream *s, struct rcbuf *bytes)
{
    if (s->count == ring_cap(s))
        ring_grow(s);
    *ring_at(s, s->count) = bytes;
    s->count++;
}

static void ring_pop(struct stream *s)
{
    rcbuf_unref(*ring_at(s, 0));
    s->first = (s->first + 1) & (ring_cap(s) - 1);
    s->head_offset = 0;
    if (--s->count == 0)
        ring_reset(s);
}

/* Fill `iov` with the first entries; returns how many, and their bytes. */
static uint32_t ring_gather(struct stream *s, struct iovec *iov, size_t *bytes)
{
    uint32_t n = s->count < IOV_MAX_AT_ONCE ? s->count : IOV_MAX_AT_ONCE;
    size_t   sum = 0;

    for (uint32_t i = 0; i < n; i++) {
        struct rcbuf *b = *ring_at(s, i);
        uint32_t      skip = i == 0 ? s->head_offset : 0;

        iov[i] = (struct iovec){ .iov_base = b->data + skip, .iov_len = b->len - skip };
        sum += b->len - skip;
    }
    *bytes = sum;
    return n;
}

/* The kernel took `bytes` of the queue's beginning. */
static void ring_consume(struct stream *s, size_t bytes)
{
    assert(bytes <= s->queued);
    s->queued -= bytes;
    net_of(s)->bytes_queued -= bytes;
    while (bytes != 0) {
        size_t left = (*ring_at(s, 0))->len - s->head_offset;

        if (bytes < left) {
            s->head_offset += (uint32_t)bytes;
            return;
        }
        bytes -= left;
        ring_pop(s);
    }
}

/* --- life --- */

struct stream *stream_new(struct net *net, int fd)
{
    struct stream *s = pool_take(&net->streams);

    if (uv_poll_init(net->loop, &s->poll, fd) != 0) {
        pool_give(&net->streams, s);
        return NULL;
    }
    s->poll.data = net;
    s->cap_log2 = FEW_LOG2;
    list_init(&s->dirty);
    net_ref(net);
    return s;
}

int stream_await_connect(struct stream *s, uv_poll_cb cb, void *arg)
{
    s->arg = arg;
    return uv_poll_start(&s->poll, UV_WRITABLE, cb);
}

void stream_connected(struct stream *s)
{
    const int on = 1;

    /* Everything is gathered before it is written, so Nagle's delay has nothing to add. A
     * socket that died meanwhile refuses; the first read will say so. */
    (void)setsockopt(fd_of(s), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void linger_drop(struct stream *s)
{
    if (s->linger == NULL)
        return;
    list_remove(&s->linger->link);
    free(s->linger);
    s->linger = NULL;
}

static void on_closed(uv_handle_t *handle)
{
    struct stream *s = (struct stream *)handle;
    struct net    *net = net_of(s);

    if (s->ops != NULL)
        s->ops->on_close(s, s->err, s->arg);
    net->bytes_queued -= s->queued;
    while (s->count != 0)
        ring_pop(s);
    pool_give(&net->streams, s);
    net_unref(net);
}

static void close_with(struct stream *s, int err)
{
    int fd;

    if (has(s, STREAM_CLOSING))
        return;
    set(s, STREAM_CLOSING);
    s->err = (int16_t)err;
    list_remove(&s->dirty);
    linger_drop(s);
    fd = fd_of(s);
    uv_close((uv_handle_t *)&s->poll, on_closed);
    close(fd);                                 /* libuv has let go of it in uv_close */
}

void stream_close(struct stream *s)
{
    close_with(s, 0);
}

/* --- reading --- */

static void on_poll(uv_poll_t *handle, int status, int events);

/* Let the loop watch for what this stream waits for, and for nothing else. */
static void watch(struct stream *s)
{
    int events = (has(s, STREAM_READING) ? UV_READABLE : 0) |
                 (has(s, STREAM_BLOCKED) ? UV_WRITABLE : 0);
    int err = events != 0 ? uv_poll_start(&s->poll, events, on_poll) : uv_poll_stop(&s->poll);

    if (err != 0)
        close_with(s, err);
}

static void on_eof(struct stream *s)
{
    set(s, STREAM_ENDED);
    clear(s, STREAM_READING);
    watch(s);
    if (has(s, STREAM_FINISHING)) {
        if (has(s, STREAM_SHUT))
            close_with(s, 0);                  /* else when the queue is written */
    } else if (s->ops->on_end != NULL) {
        s->ops->on_end(s, s->arg);
    } else {
        close_with(s, UV_EOF);
    }
}

/* Read once, what one buffer holds; the loop comes back for the rest. Returns whether bytes
 * came. */
static bool read_once(struct stream *s)
{
    struct net *net = net_of(s);
    ssize_t     n = recv(fd_of(s), net->read_buffer, sizeof(net->read_buffer), 0);

    if (n > 0) {
        net->bytes_read += (uint64_t)n;
        if (!has(s, STREAM_FINISHING))         /* else nobody listens any more */
            s->ops->on_data(s, slice_make(net->read_buffer, (size_t)n), s->arg);
    } else if (n == 0) {
        on_eof(s);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        close_with(s, uv_translate_sys_error(errno));
    }
    return n > 0;
}

static void on_readable(struct stream *s)
{
    if (!has(s, STREAM_PAUSED)) {
        (void)read_once(s);
        return;
    }
    clear(s, STREAM_READING);
    watch(s);
}

/* The socket has failed, and libuv watches it no more. What came before that is still there
 * to be read, and then the reason. */
static void on_failed(struct stream *s, int status)
{
    int       err = 0;
    socklen_t len = sizeof(err);

    clear(s, STREAM_READING);
    clear(s, STREAM_BLOCKED);
    while (!(s->flags & (STREAM_CLOSING | STREAM_PAUSED | STREAM_ENDED)) && read_once(s))
        ;
    if (has(s, STREAM_CLOSING))
        return;
    if (getsockopt(fd_of(s), SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err != 0)
        status = uv_translate_sys_error(err);
    close_with(s, status);
}

static void on_writable(struct stream *s);

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct stream *s = (struct stream *)handle;

    if (status < 0) {
        on_failed(s, status);
        return;
    }
    if ((events & UV_WRITABLE) && has(s, STREAM_BLOCKED))
        on_writable(s);
    if ((events & UV_READABLE) && has(s, STREAM_READING) && !has(s, STREAM_CLOSING))
        on_readable(s);
}

static void read_begin(struct stream *s)
{
    if (s->flags & (STREAM_READING | STREAM_PAUSED | STREAM_ENDED | STREAM_CLOSING))
        return;
    set(s, STREAM_READING);
    watch(s);
}

void stream_start(struct stream *s, const struct stream_ops *ops, void *arg)
{
    assert(ops != NULL && ops->on_data != NULL && ops->on_close != NULL);
    s->ops = ops;
    s->arg = arg;
    clear(s, STREAM_PAUSED);
    read_begin(s);
}

void stream_pause(struct stream *s)
{
    if (!has(s, STREAM_FINISHING) && !has(s, STREAM_CLOSING))
        set(s, STREAM_PAUSED);
}

void stream_resume(struct stream *s)
{
    clear(s, STREAM_PAUSED);
    if (s->ops != NULL)
        read_begin(s);
}

/* --- writing --- */

/* End our side of a finishing stream whose queue is written. */
static void shut(struct stream *s)
{
    set(s, STREAM_SHUT);
    if (has(s, STREAM_ENDED) || shutdown(fd_of(s), SHUT_WR) != 0)
        close_with(s, 0);
}

/* The queue is empty and nothing is under way. */
static void on_written_all(struct stream *s)
{
    if (has(s, STREAM_FINISHING)) {
        if (!has(s, STREAM_SHUT))
            shut(s);
        return;
    }
    if (has(s, STREAM_OVER)) {
        clear(s, STREAM_OVER);
        if (s->ops != NULL && s->ops->on_drain != NULL)
            s->ops->on_drain(s, s->arg);
    }
}

static void block(struct stream *s)
{
    set(s, STREAM_BLOCKED);
    watch(s);
}

static void flush(struct stream *s)
{
    struct iovec iov[IOV_MAX_AT_ONCE];
    size_t       bytes;

    while (s->count != 0 && !(s->flags & (STREAM_BLOCKED | STREAM_CLOSING))) {
        struct msghdr message = { .msg_iov = iov, .msg_iovlen = ring_gather(s, iov, &bytes) };
        ssize_t       taken = sendmsg(fd_of(s), &message, MSG_NOSIGNAL);

        net_of(s)->writes++;
        if (taken > 0) {
            net_of(s)->bytes_written += (uint64_t)taken;
            ring_consume(s, (size_t)taken);
        }
        if (taken >= 0 ? (size_t)taken < bytes : errno == EAGAIN || errno == EWOULDBLOCK)
            block(s);
        else if (taken < 0 && errno != EINTR)
            close_with(s, uv_translate_sys_error(errno));
    }
}

static void flush_all(struct stream *s)
{
    flush(s);
    if (s->count == 0 && !has(s, STREAM_CLOSING))
        on_written_all(s);
}

static void on_writable(struct stream *s)
{
    clear(s, STREAM_BLOCKED);
    flush_all(s);
    if (!has(s, STREAM_BLOCKED) && !has(s, STREAM_CLOSING))
        watch(s);
}

/* Once per turn, before the loop waits. What on_drain queues is for the next turn; the loop does
 * not wait while this runs, so it comes at once. Ten thousand writes would hold the loop for
 * 50 ms: after a slice of them others get their turn, and the rest goes on before what was
 * queued meanwhile. */
static void on_turn(uv_idle_t *handle)
{
    struct net  *net = container_of(handle, struct net, flush);
    struct list  batch = LIST_INIT(batch);
    struct list *node;
    uint64_t     until_ns = uv_hrtime() + FLUSH_SLICE_NS;
    unsigned     count = 0;

    list_splice(&batch, &net->dirty);
    while ((node = list_take_first(&batch)) != NULL) {
        flush_all(container_of(node, struct stream, dirty));
        if (++count % FLUSHES_A_LOOK == 0 && uv_hrtime() >= until_ns)
            break;
    }
    list_splice(&batch, &net->dirty);
    list_splice(&net->dirty, &batch);
    if (list_is_empty(&net->dirty))
        uv_idle_stop(handle);
}

static void mark_dirty(struct stream *s)
{
    struct net *net = net_of(s);

    if (!list_is_empty(&s->dirty) || has(s, STREAM_BLOCKED))
        return;
    if (list_is_empty(&net->dirty))
        uv_idle_start(&net->flush, on_turn);
    list_append(&net->dirty, &s->dirty);
}

void stream_hurry(struct stream *s)
{
    if (list_is_empty(&s->dirty))
        return;
    list_remove(&s->dirty);
    list_insert_before(net_of(s)->dirty.next, &s->dirty);
}

int stream_send(struct stream *s, struct rcbuf *bytes)
{
    if (s->flags & (STREAM_FINISHING | STREAM_CLOSING) || net_of(s)->is_closing)
        return ERR_CLOSED;
    if (bytes->len == 0)
        return 0;
    ring_push(s, rcbuf_ref(bytes));
    s->queued += bytes->len;
    net_of(s)->bytes_queued += bytes->len;
    if (stream_queued_bytes(s) > STREAM_LOW_MARK)
        set(s, STREAM_OVER);
    mark_dirty(s);
    return 0;
}

int stream_send_copy(struct stream *s, struct slice bytes)
{
    struct rcbuf *copy = rcbuf_copy(bytes);
    int           err = stream_send(s, copy);

    rcbuf_unref(copy);
    return err;
}

void stream_flush(struct stream *s)
{
    flush(s);                                  /* it stays dirty: on_drain comes at its time */
}

/* --- ending --- */

static void linger_expire(struct net *net, uint64_t now_ms)
{
    list_each_safe(node, &net->lingering) {
        struct stream_linger *l = container_of(node, struct stream_linger, link);

        if (l->deadline_ms <= now_ms)
            close_with(l->stream, 0);
    }
}

static void on_linger_tick(uv_timer_t *handle)
{
    struct net *net = container_of(handle, struct net, linger);

    linger_expire(net, net_now_ms(net));
    if (list_is_empty(&net->lingering))
        uv_timer_stop(handle);
}

void stream_linger_end(struct net *net)
{
    linger_expire(net, UINT64_MAX);
}

void stream_finish(struct stream *s, uint64_t linger_ms)
{
    struct net *net = net_of(s);

    if (s->flags & (STREAM_FINISHING | STREAM_CLOSING))
        return;
    if (linger_ms == 0 || net->is_closing) {
        flush(s);
        close_with(s, 0);
        return;
    }
    clear(s, STREAM_PAUSED);
    if (s->ops != NULL)
        read_begin(s);
    if (has(s, STREAM_CLOSING))
        return;
    set(s, STREAM_FINISHING);
    s->linger = mem_new(struct stream_linger);
    s->linger->stream = s;
    s->linger->deadline_ms = net_now_ms(net) + linger_ms;
    if (list_is_empty(&net->lingering))
        uv_timer_start(&net->linger, on_linger_tick, 20, 20);
    list_append(&net->lingering, &s->linger->link);
    mark_dirty(s);                             /* also with nothing queued: the flush shuts */
}

/* --- looking --- */

size_t stream_queued_bytes(const struct stream *s)
{
    return s->queued;
}

bool stream_is_closing(const struct stream *s)
{
    return (s->flags & (STREAM_FINISHING | STREAM_CLOSING)) != 0;
}

void *stream_arg(const struct stream *s)
{
    return s->arg;
}

struct net *stream_net(const struct stream *s)
{
    return net_of(s);
}

void stream_peer(const struct stream *s, char out[NET_ADDRESS_SIZE])
{
    struct sockaddr_storage peer;
    socklen_t               len = sizeof(peer);

    out[0] = '\0';
    if (has(s, STREAM_CLOSING) ||
        getpeername(fd_of(s), (struct sockaddr *)&peer, &len) != 0)
        return;
    if (uv_ip_name((struct sockaddr *)&peer, out, NET_ADDRESS_SIZE) != 0)
        out[0] = '\0';
}

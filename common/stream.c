/* stream.c -- one TCP connection: a queue of shared buffers in front of a socket.
 *
 * A gateway holds a hundred thousand of these, nearly all idle, and sends the same bytes to
 * thousands of them at once. So an idle stream owns no buffer at all (bytes are read into
 * the net's one buffer and handled at once), and sending queues a reference: no copy, no
 * allocation. Streams with something queued stand in the net's dirty list and are written
 * once per turn of the loop, everything of one stream in one writev: a system call costs
 * more than the bytes it carries.
 *
 * uv_try_write does that without any allocation. Only what the kernel does not take goes to
 * uv_write, a batch at a time; until that batch is gone the rest waits here, where it is
 * still ours to count. Rejected: uv_write for everything (a request and a copy of the
 * vector per send), and a buffer per stream into which sends are copied.
 *
 * Ending is a state of its own. close() with unread bytes makes the kernel send a reset,
 * which can overtake and destroy the answer that was just written. So stream_finish()
 * writes the queue, ends our side only, and reads and drops what comes until the peer ends
 * its side too or the linger time is over. */
#include "common/net_internal.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "common/err.h"
#include "common/mem.h"

#define IOV_MAX_AT_ONCE 64

struct write_batch {                           /* one uv_write, of the ring's first entries */
    uv_write_t     req;
    struct stream *stream;
    uint32_t       count;
    size_t         bytes;
};

static struct net *net_of(const struct stream *s)
{
    return s->tcp.data;
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

/* --- the ring --- */

static uint32_t ring_cap(const struct stream *s)
{
    return 1u << s->cap_log2;
}

static struct rcbuf *ring_at(const struct stream *s, uint32_t i)
{
    return s->items[(s->first + i) & (ring_cap(s) - 1)];
}

static void ring_reset(struct stream *s)
{
    assert(s->count == 0);
    if (s->items != s->few)
        free(s->items);
    s->items = s->few;
    s->cap_log2 = 1;
    s->first = 0;
    s->head_offset = 0;
}

static void ring_grow(struct stream *s)
{
    uint8_t        cap_log2 = s->items == s->few ? 4 : (uint8_t)(s->cap_log2 + 1);
    struct rcbuf **items;

    assert(cap_log2 < 31);
    items = mem_resize(NULL, sizeof(*items) << cap_log2);
    for (uint32_t i = 0; i < s->count; i++)
        items[i] = ring_at(s, i);
    if (s->items != s->few)
        free(s->items);
    s->items = items;
    s->first = 0;
    s->cap_log2 = cap_log2;
}

static void ring_push(struct stream *s, struct rcbuf *bytes)
{
    if (s->count == ring_cap(s))
        ring_grow(s);
    s->items[(s->first + s->count) & (ring_cap(s) - 1)] = bytes;
    s->count++;
}

static void ring_pop(struct stream *s)
{
    rcbuf_unref(s->items[s->first]);
    s->first = (s->first + 1) & (ring_cap(s) - 1);
    s->head_offset = 0;
    if (--s->count == 0)
        ring_reset(s);
}

/* Fill `iov` with the first entries; returns how many, and their bytes. */
static uint32_t ring_gather(const struct stream *s, uv_buf_t *iov, size_t *bytes)
{
    uint32_t n = s->count < IOV_MAX_AT_ONCE ? s->count : IOV_MAX_AT_ONCE;
    size_t   sum = 0;

    for (uint32_t i = 0; i < n; i++) {
        struct rcbuf *b = ring_at(s, i);
        uint32_t      skip = i == 0 ? s->head_offset : 0;

        iov[i] = uv_buf_init(b->data + skip, b->len - skip);
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
    while (bytes != 0) {
        size_t left = ring_at(s, 0)->len - s->head_offset;

        if (bytes < left) {
            s->head_offset += (uint32_t)bytes;
            return;
        }
        bytes -= left;
        ring_pop(s);
    }
}

/* --- life --- */

struct stream *stream_new(struct net *net, int *err)
{
    struct stream *s = mem_new(struct stream);

    *err = uv_tcp_init(net->loop, &s->tcp);
    if (*err != 0) {
        free(s);
        return NULL;
    }
    s->tcp.data = net;
    s->items = s->few;
    s->cap_log2 = 1;
    list_init(&s->dirty);
    net_ref(net);
    return s;
}

void stream_connected(struct stream *s)
{
    /* Everything is gathered before it is written, so Nagle's delay has nothing to add. A
     * socket that died meanwhile refuses; the first read will say so. */
    (void)uv_tcp_nodelay(&s->tcp, 1);
}

static void on_never_opened(uv_handle_t *handle)
{
    struct stream *s = (struct stream *)handle;

    net_unref(net_of(s));
    free(s);
}

struct stream *stream_new_socket(struct net *net, int fd)
{
    int            err;
    struct stream *s = stream_new(net, &err);

    if (s == NULL)
        return NULL;
    if (uv_tcp_open(&s->tcp, fd) != 0) {
        uv_close((uv_handle_t *)&s->tcp, on_never_opened);
        return NULL;
    }
    stream_connected(s);
    return s;
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
    while (s->count != 0)
        ring_pop(s);
    free(s);
    net_unref(net);
}

static void close_with(struct stream *s, int err)
{
    if (has(s, STREAM_CLOSING))
        return;
    set(s, STREAM_CLOSING);
    s->err = (int16_t)err;
    list_remove(&s->dirty);
    linger_drop(s);
    uv_close((uv_handle_t *)&s->tcp, on_closed);
}

void stream_close(struct stream *s)
{
    close_with(s, 0);
}

/* --- reading --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct net *net = net_of((struct stream *)handle);

    (void)suggested;
    *out = uv_buf_init(net->read_buffer, sizeof(net->read_buffer));
}

static void on_eof(struct stream *s)
{
    set(s, STREAM_ENDED);
    clear(s, STREAM_READING);                  /* libuv has stopped by itself */
    if (has(s, STREAM_FINISHING)) {
        if (has(s, STREAM_SHUT))
            close_with(s, 0);                  /* else when the queue is written */
    } else if (s->ops->on_end != NULL) {
        s->ops->on_end(s, s->arg);
    } else {
        close_with(s, UV_EOF);
    }
}

static void on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf)
{
    struct stream *s = (struct stream *)handle;

    if (n == 0 || has(s, STREAM_CLOSING))
        return;
    if (n == UV_EOF) {
        on_eof(s);
    } else if (n < 0) {
        close_with(s, (int)n);
    } else {
        net_of(s)->bytes_read += (uint64_t)n;
        if (!has(s, STREAM_FINISHING))         /* else nobody listens any more */
            s->ops->on_data(s, slice_make(buf->base, (size_t)n), s->arg);
    }
}

static void read_begin(struct stream *s)
{
    int err;

    if (s->flags & (STREAM_READING | STREAM_PAUSED | STREAM_ENDED | STREAM_CLOSING))
        return;
    err = uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read);
    if (err != 0)
        close_with(s, err);
    else
        set(s, STREAM_READING);
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
    if (has(s, STREAM_FINISHING) || has(s, STREAM_CLOSING))
        return;
    set(s, STREAM_PAUSED);
    if (has(s, STREAM_READING)) {
        uv_read_stop((uv_stream_t *)&s->tcp);
        clear(s, STREAM_READING);
    }
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
    uv_os_fd_t fd;

    set(s, STREAM_SHUT);
    if (has(s, STREAM_ENDED) || uv_fileno((uv_handle_t *)&s->tcp, &fd) != 0 ||
        shutdown(fd, SHUT_WR) != 0)
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

static void flush(struct stream *s);

static void on_written(uv_write_t *req, int status)
{
    struct write_batch *batch = container_of(req, struct write_batch, req);
    struct stream      *s = batch->stream;
    uint32_t            count = batch->count;

    if (status == 0)
        net_of(s)->bytes_written += batch->bytes;
    free(batch);
    clear(s, STREAM_WRITING);
    if (has(s, STREAM_CLOSING))
        return;                                /* on_closed empties the ring */
    if (status != 0) {
        close_with(s, status);
        return;
    }
    while (count-- != 0)
        ring_pop(s);
    flush(s);
    if (s->count == 0 && !has(s, STREAM_CLOSING))
        on_written_all(s);
}

/* The kernel is full: libuv waits for it with the next batch. */
static void write_batch(struct stream *s)
{
    struct write_batch *batch = mem_new(struct write_batch);
    uv_buf_t            iov[IOV_MAX_AT_ONCE];
    int                 err;

    batch->stream = s;
    batch->count = ring_gather(s, iov, &batch->bytes);
    set(s, STREAM_WRITING);
    s->queued -= batch->bytes;
    net_of(s)->writes++;
    err = uv_write(&batch->req, (uv_stream_t *)&s->tcp, iov, batch->count, on_written);
    if (err != 0) {
        clear(s, STREAM_WRITING);
        free(batch);
        close_with(s, err);
    }
}

static void flush(struct stream *s)
{
    uv_buf_t iov[IOV_MAX_AT_ONCE];
    size_t   bytes;

    while (s->count != 0 && !has(s, STREAM_WRITING) && !has(s, STREAM_CLOSING)) {
        uint32_t n = ring_gather(s, iov, &bytes);
        int      taken = uv_try_write((uv_stream_t *)&s->tcp, iov, n);

        if (taken < 0 && taken != UV_EAGAIN) {
            close_with(s, taken);
            return;
        }
        net_of(s)->writes++;
        if (taken > 0) {
            net_of(s)->bytes_written += (uint64_t)taken;
            ring_consume(s, (size_t)taken);
        }
        if (taken < 0 || (size_t)taken < bytes)
            write_batch(s);
    }
}

/* Once per turn, before the loop waits. What on_drain queues is for the next turn; the loop
 * does not wait while this runs, so it comes at once. */
static void on_turn(uv_idle_t *handle)
{
    struct net  *net = container_of(handle, struct net, flush);
    struct list  batch = LIST_INIT(batch);
    struct list *node;

    list_splice(&batch, &net->dirty);
    while ((node = list_take_first(&batch)) != NULL) {
        struct stream *s = container_of(node, struct stream, dirty);

        flush(s);
        if (s->count == 0 && !has(s, STREAM_CLOSING))
            on_written_all(s);
    }
    if (list_is_empty(&net->dirty))
        uv_idle_stop(handle);
}

static void mark_dirty(struct stream *s)
{
    struct net *net = net_of(s);

    if (!list_is_empty(&s->dirty) || has(s, STREAM_WRITING))
        return;
    if (list_is_empty(&net->dirty))
        uv_idle_start(&net->flush, on_turn);
    list_append(&net->dirty, &s->dirty);
}

int stream_send(struct stream *s, struct rcbuf *bytes)
{
    if (s->flags & (STREAM_FINISHING | STREAM_CLOSING) || net_of(s)->is_closing)
        return ERR_CLOSED;
    if (bytes->len == 0)
        return 0;
    ring_push(s, rcbuf_ref(bytes));
    s->queued += bytes->len;
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
    return s->queued + uv_stream_get_write_queue_size((const uv_stream_t *)&s->tcp);
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
    int                     len = sizeof(peer);

    out[0] = '\0';
    if (has(s, STREAM_CLOSING) ||
        uv_tcp_getpeername(&s->tcp, (struct sockaddr *)&peer, &len) != 0)
        return;
    if (uv_ip_name((struct sockaddr *)&peer, out, NET_ADDRESS_SIZE) != 0)
        out[0] = '\0';
}

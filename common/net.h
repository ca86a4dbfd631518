/* net.h -- TCP on a libuv loop: what all connections of a process share.
 *
 * A `net` holds the one read buffer that every stream reads into, and the list of streams
 * that have something to send: it is written out once per turn of the loop, so that
 * everything due to one peer in one turn leaves in one system call; where that takes more than
 * a millisecond the rest waits for the next turn. One net per loop; all calls on the loop's
 * thread. */
#ifndef TASKWIRE_COMMON_NET_H
#define TASKWIRE_COMMON_NET_H

#include <uv.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/metrics.h"
#include "common/rcbuf.h"
#include "common/slice.h"

struct net;
struct net_listener;
struct stream;

#define NET_ADDRESS_SIZE 46                    /* a textual IPv4 or IPv6 address and a NUL */
#define STREAM_LOW_MARK  (64 * 1024)           /* queued bytes past which on_drain will come */

struct net *net_new(uv_loop_t *loop);

/* Begin the end: connects under way end with UV_ECANCELED (later), streams that are finishing
 * are closed; other listeners and streams must be closed by their owners, and nothing can be
 * sent any more. The memory goes when the last of them and the net's own handles are gone. */
void net_close(struct net *net);

uv_loop_t *net_loop(const struct net *net);
uint64_t   net_now_ms(const struct net *net);  /* uv_now(): monotonic, once per turn */

/* Sums since the start, for metrics. */
uint64_t net_bytes_read(const struct net *net);
uint64_t net_bytes_written(const struct net *net);
uint64_t net_writes(const struct net *net);    /* system calls that wrote */

/* Have them, and what is queued now, shown. The net must outlive the last look at the page. */
void net_metrics(struct net *net, struct metrics *m);

/* --- listening --- */

/* A peer connected; the callee owns the stream (it has no ops yet: stream_start). */
typedef void net_accept_cb(struct stream *s, void *arg);

/* Listen on `address` (textual IPv4 or IPv6) and `port` (0: a free one). `reuse_port` sets
 * SO_REUSEPORT, for several replicas on one port. Returns 0 or a libuv error. Where the
 * process runs out of files, accepting pauses for 100 ms at a time and goes on. */
int  net_listen(struct net *net, const char *address, int port, bool reuse_port,
                net_accept_cb *cb, void *arg, struct net_listener **out);

/* The same on a socket that listens already and does not block; it becomes the net's, also
 * where this fails. */
int  net_listen_on(struct net *net, int fd, net_accept_cb *cb, void *arg,
                   struct net_listener **out);
int  net_listener_port(const struct net_listener *l);
void net_listener_close(struct net_listener *l);   /* NULL is ignored */

/* --- connecting --- */

/* cb runs once, later: with a stream that the callee owns, or NULL and why. */
typedef void net_connect_cb(int err, struct stream *s, void *arg);

/* Resolve (in libuv's pool; numeric addresses at once) and connect within `timeout_ms`, one
 * address after the other. Returns 0, or an error and the callback never runs; `err` is
 * ERR_TIMEOUT or libuv's. */
int net_connect(struct net *net, const char *host, int port, uint64_t timeout_ms,
                net_connect_cb *cb, void *arg);

/* --- streams ---
 *
 * stream_close() may be called from any callback and any number of times; on_close then
 * runs once, later, and is the last thing heard; the stream's memory goes right after it. */

struct stream_ops {
    /* Bytes came; `data` is valid during the call. */
    void (*on_data)(struct stream *s, struct slice data, void *arg);
    /* Optional: the peer ended its side (EOF). Without it the stream is closed. */
    void (*on_end)(struct stream *s, void *arg);
    /* Optional: the queue, having been over STREAM_LOW_MARK, is empty again. Never called
     * from inside a call on this stream. */
    void (*on_drain)(struct stream *s, void *arg);
    /* Gone. err: 0 where we closed it, else what happened (UV_EOF, UV_ECONNRESET ...). */
    void (*on_close)(struct stream *s, int err, void *arg);
};

/* Set who listens, and begin to read. May be called again to hand the stream to another
 * owner (an upgrade). `ops` must outlive the stream (static const). */
void stream_start(struct stream *s, const struct stream_ops *ops, void *arg);

/* Stop and go on reading (flow control). */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Queue for sending: takes one reference of its own. Returns 0, or ERR_CLOSED (after
 * stream_finish, too). Goes out at the end of this turn or soon after, in order, gathered with
 * whatever else is queued; the bytes must not change any more. */
int stream_send(struct stream *s, struct rcbuf *bytes);

/* The same for bytes that are copied. */
int stream_send_copy(struct stream *s, struct slice bytes);

/* Close after what is queued has been written, without losing it to a reset: when the queue
 * is written our side is ended, what the peer still sends is read and dropped, and when it
 * ends its side too, or `linger_ms` after this call, the stream is closed. on_close is the
 * only thing heard. 0: write what the kernel takes now, and close. */
void stream_finish(struct stream *s, uint64_t linger_ms);

/* Close now; what is queued is dropped. */
void stream_close(struct stream *s);

/* What is queued goes out before what others have queued. */
void stream_hurry(struct stream *s);

/* Write out now instead of at the end of the turn. */
void stream_flush(struct stream *s);

/* Bytes queued and not yet taken by the kernel. */
size_t stream_queued_bytes(const struct stream *s);
bool   stream_is_closing(const struct stream *s);
void  *stream_arg(const struct stream *s);
struct net *stream_net(const struct stream *s);

/* The peer's address as text; "" where it is not known any more. */
void stream_peer(const struct stream *s, char out[NET_ADDRESS_SIZE]);

#endif

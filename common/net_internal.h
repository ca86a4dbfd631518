/* net_internal.h -- what net.c and stream.c share and nobody else sees. */
#ifndef TASKWIRE_COMMON_NET_INTERNAL_H
#define TASKWIRE_COMMON_NET_INTERNAL_H

#include <assert.h>

#include "common/list.h"
#include "common/net.h"
#include "common/pool.h"

#define NET_READ_BYTES (64 * 1024)

struct net {
    uv_loop_t  *loop;
    uv_idle_t   flush;                         /* runs while `dirty` is not empty */
    uv_timer_t  linger;                        /* runs while `lingering` is not empty */
    struct list dirty;                         /* streams with something to write */
    struct list lingering;                     /* struct stream_linger */
    struct list connecting;                    /* struct connecting */
    uint64_t    bytes_read;
    uint64_t    bytes_written;
    uint64_t    bytes_queued;                  /* of all streams, now */
    uint64_t    writes;
    struct pool streams;
    size_t      refs;                          /* own handles, listeners, connects, streams */
    bool        is_closing;
    char        read_buffer[NET_READ_BYTES];
};

void net_ref(struct net *net);
void net_unref(struct net *net);

#define STREAM_INLINE 2                        /* entries that need no array; a power of two */
#define FEW_LOG2      1

enum stream_flag {
    STREAM_READING  = 1 << 0,                  /* the loop watches for bytes */
    STREAM_PAUSED   = 1 << 1,                  /* the owner does not want bytes now */
    STREAM_BLOCKED  = 1 << 2,                  /* the kernel is full; the loop watches for room */
    STREAM_OVER     = 1 << 3,                  /* the queue has passed the low mark */
    STREAM_ENDED    = 1 << 4,                  /* the peer ended its side */
    STREAM_FINISHING = 1 << 5,
    STREAM_SHUT     = 1 << 6,                  /* our side is ended */
    STREAM_CLOSING  = 1 << 7
};

struct stream_linger {                         /* only streams that are finishing have one */
    struct list    link;
    struct stream *stream;
    uint64_t       deadline_ms;
};

/* The queue is a ring of `cap` (a power of two) references. It begins as `few`, inside the
 * stream, and goes back to it whenever it is empty, so an idle stream is this struct alone.
 * The first `head_offset` bytes of the first entry are written already. */
struct stream {
    uv_poll_t                poll;             /* first: handle and stream are one address;
                                                  its `data` is the net */
    const struct stream_ops *ops;
    void                    *arg;
    struct list              dirty;            /* in net->dirty */
    union {
        struct rcbuf        *few[STREAM_INLINE];   /* where cap_log2 is FEW_LOG2 */
        struct rcbuf       **many;
    };
    size_t                   queued;           /* bytes in the ring, not yet written */
    struct stream_linger    *linger;
    uint32_t                 first;
    uint32_t                 count;
    uint32_t                 head_offset;
    int16_t                  err;              /* what on_close will hear */
    uint8_t                  cap_log2;
    uint8_t                  flags;
};

_Static_assert(sizeof(struct stream) <= 240, "an idle connection must stay small");

/* Own a socket that does not block. NULL where libuv refuses; it is then still the caller's. */
struct stream *stream_new(struct net *net, int fd);

/* Connected: set the socket's options. */
void stream_connected(struct stream *s);

/* Connecting: `cb` runs once the socket can be written, or has failed. Its `arg` is what
 * stream_arg() says until stream_start(). Returns 0 or a libuv error. */
int stream_await_connect(struct stream *s, uv_poll_cb cb, void *arg);

/* Close the streams that are lingering, all of them. */
void stream_linger_end(struct net *net);

#endif

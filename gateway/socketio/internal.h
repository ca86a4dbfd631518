/* internal.h -- what the files of this library share: nobody else's.
 *
 *     sio_server --< sio_namespace --< rooms (room.h)
 *         |                                 |
 *         '--< client --< sio_socket -------'       a socket is a client's place in a namespace
 *
 * Who is called when: everything starts in a callback of engineio (client.c), of our timer
 * (acknowledgements, connect timeout) or of our idle handle (server.c), never inside a call
 * of the application. A socket that ends is put into server->ended and its last callback
 * and its memory wait for the idle handle; so nothing that the application may hold
 * vanishes inside one of its own calls. */
#ifndef TASKWIRE_SOCKETIO_INTERNAL_H
#define TASKWIRE_SOCKETIO_INTERNAL_H

#include <uthash.h>
#include <uv.h>

#include "common/list.h"
#include "common/pool.h"
#include "gateway/engineio/deadlines.h"
#include "gateway/socketio/fanout.h"
#include "gateway/socketio/packet.h"
#include "gateway/socketio/room.h"
#include "gateway/socketio/socketio.h"

struct ack_wait;
struct assembly;
struct early;

enum socket_state {
    SOCKET_ASKING,                             /* CONNECT has come; the application decides */
    SOCKET_OPEN,
    SOCKET_ENDING,                             /* in server->ended: on_disconnect is due */
    SOCKET_REFUSED                             /* in server->ended: only its memory is due */
};

struct sio_socket {
    struct member         member;
    struct client        *client;
    struct sio_namespace *ns;
    struct sio_socket    *next;                /* of client->sockets or server->ended */
    void                 *data;
    struct ack_wait      *acks;                /* answers that we wait for */
    struct early         *early;               /* what it said before it was let in; or NULL */
    char                  sid[SIO_SID_MAX];
    uint8_t               state;               /* enum socket_state */
    uint8_t               reason;              /* enum sio_reason, while ENDING */
};

struct client {
    struct sio_server  *server;
    struct eio_session *session;               /* NULL: a receiver's (receiver.c) */
    struct sio_socket  *sockets;               /* ASKING and OPEN ones */
    struct assembly    *assembly;              /* a binary packet not yet whole; or NULL */
    void               *data;
    struct deadline     connect;               /* in server->connects until a socket is let in */
    uint64_t            busy_until_us : 48;    /* events_per_second_max: see client.c */
    uint64_t            end_reason    : 8;     /* enum sio_reason, where we close the session */
    uint64_t            is_closing    : 1;     /* nothing it says is heard any more */
};
_Static_assert(sizeof(struct client) <= 72, "an idle connection must stay small");

struct sio_namespace {
    struct sio_server *server;
    const struct sio_namespace_handlers *handlers;
    void          *arg;
    struct rooms   rooms;
    int64_t        next_ack;
    char          *prefix;                     /* "" or "/name,": what stands in packets */
    UT_hash_handle hh;
    char           name[];
};

struct sio_message {
    uint32_t              refs;
    uint32_t              count;
    size_t                bytes;
    struct sio_namespace *ns;
    void                (*done)(void *arg);    /* or NULL */
    void                 *done_arg;
    struct rcbuf         *form;                /* sio_message_form; NULL until needed */
    uint32_t              array_at, array_len; /* in the packet */
    uint32_t              tail_len;            /* what stands behind it: the offset, quoted */
    struct eio_message   *parts[];             /* the packet, then its attachments */
};

struct sio_counters {                          /* all NULL without metrics */
    struct metric *received, *sent, *broadcasts, *bad_packets, *floods;
};

struct sio_server {
    struct net           *net;
    struct sio_options    options;
    struct eio_handlers   eio_handlers;
    struct eio_server    *eio;
    struct sio_hooks      hooks;
    void                 *hooks_arg;
    struct sio_namespace *namespaces;
    struct sio_socket    *ended, **ended_tail;
    struct fanout         fanout;
    uint64_t              turn_ms;             /* uv_now of the turn that fanout's slice is for */
    struct deadlines      connects;            /* struct client */
    struct deadlines      acks;                /* struct ack_wait */
    struct list           early;               /* struct early, to be handed over */
    struct list           receivers;           /* struct receiver */
    uv_timer_t            timer;               /* for the first of both */
    uv_idle_t             idle;                /* runs while there is work for the next turn */
    struct pool           client_pool, socket_pool;
    size_t                clients;
    struct buf            scratch;             /* for packets that we write */
    struct buf            name;                /* of the event being handled, if it had escapes */
    struct sio_counters   counters;
    void                (*on_closed)(void *arg);
    void                 *on_closed_arg;
    unsigned              handles_open;
    bool                  is_closing;
};

/* server.c */
void server_want_turn(struct sio_server *s);                  /* the idle handle runs once more */
void server_arm_timer(struct sio_server *s);                  /* after a deadline was set */
void server_client_gone(struct sio_server *s);                /* the last one may end a closing */
static inline void count_one(struct metric *m)
{
    if (m != NULL)
        metric_inc(m);
}

/* namespace.c */
struct sio_namespace *namespace_find(struct sio_server *s, struct slice name);
void                  namespaces_free(struct sio_server *s);

/* client.c */
void client_on_open(struct eio_session *session, struct http_request *r, void *arg);
void client_on_message(struct eio_session *session, struct slice data, bool is_binary, void *arg);
void client_on_close(struct eio_session *session, enum eio_reason reason, void *arg);
void client_close(struct client *c, enum sio_reason reason);  /* what is queued, then the end */
void client_connect_expired(struct client *c);
void client_hand_over(struct sio_socket *s, const struct sio_packet *p,
                      const struct slice *attachments);       /* an event or answer, whole */

/* socket.c */
struct sio_socket *socket_new(struct client *c, struct sio_namespace *n);
/* Everything due, then these bytes as one text message. */
int  socket_send_text(struct sio_socket *s, const struct slice *parts, size_t count);
int  socket_send_message(struct sio_socket *s, struct sio_message *m);    /* without what is due */
void socket_end(struct sio_socket *s, enum sio_reason reason);  /* to server->ended, unless there */
void socket_finish(struct sio_socket *s);                     /* last callbacks, and free */
void sockets_finish_ended(struct sio_server *s, const struct client *only);  /* NULL: all */

/* receiver.c */
static inline bool client_is_receiver(const struct client *c)
{
    return c->session == NULL;
}
void receiver_take(struct sio_socket *s, struct sio_message *m);
void receiver_gone(struct client *c);                         /* its socket has had its last callback */
void receivers_close(struct sio_server *s);

/* early.c */
int  early_hold(struct sio_socket *s, const struct sio_packet *p,
                const struct slice *attachments);             /* ERR_FRAME: too much */
void early_due(struct sio_socket *s);                         /* it is in: hand over soon */
void early_forget(struct sio_socket *s);
void earlies_hand_over(struct sio_server *s);

/* ack.c */
void acks_answer(struct sio_socket *s, int64_t id, struct slice array,
                 const struct slice *attachments, size_t count);
void acks_cancel(struct sio_socket *s);
void acks_expire(struct sio_server *s, uint64_t now_ms);

/* message.c */
struct sio_message *message_build(struct sio_namespace *n, enum sio_packet_type type, int64_t id,
                                  struct slice array, struct slice offset, uint64_t key,
                                  const struct slice *attachments, size_t count);

#endif

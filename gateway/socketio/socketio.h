/* socketio.h -- a Socket.IO v5 server over engineio: namespaces, events, acknowledgements,
 * rooms, broadcast, recovery.
 *
 * A library: it knows no tasks and never parses more of an event than its name. Events are
 * complete JSON arrays (`["name",arg,...]`), in and out.
 *
 * Words:
 *   client     one Engine.IO session and all its sockets
 *   namespace  a named meeting place ("/"); a socket is a client's place in one
 *   room       a set of sockets of one namespace, named by bytes
 *   event      a named packet; an acknowledgement answers one
 *
 * All calls on the loop's thread. Source: Socket.IO protocol, revision 5. */
#ifndef TASKWIRE_SOCKETIO_H
#define TASKWIRE_SOCKETIO_H

#include "gateway/engineio/engineio.h"

struct sio_server;
struct sio_namespace;
struct sio_socket;
struct sio_message;
struct sio_room;

#define SIO_SID_MAX 21                         /* bytes of a socket's sid or pid, a NUL included */

struct sio_options {
    struct eio_options eio;
    uint64_t connect_timeout_ms;               /* no CONNECT within it: closed; 45000 */
    size_t   attachments_max;                  /* of one event; past it the client is closed: 10 */
    size_t   rooms_per_socket_max;             /* 1000; 0: no limit */
    uint32_t events_per_second_max;            /* per client, bucket of one second's worth; past it
                                                  closed as misbehaving; 0: no limit */
    uint64_t fanout_slice_us;                  /* a broadcast works so long per turn: 1000 */
    size_t   fanout_bytes_max;                 /* of messages on their way to rooms, per server;
                                                  past it the oldest are finished without
                                                  slicing: 64 MiB */
};
extern const struct sio_options SIO_DEFAULTS;

/* Why a socket ended, in the reference server's words (sio_reason_text). */
#define SIO_REASON_MAP(X)                                          \
    X(CLIENT_LEFT,   "client namespace disconnect")                \
    X(SERVER_LEFT,   "server namespace disconnect")                \
    X(TRANSPORT,     "transport close")                            \
    X(ERROR,         "transport error")                            \
    X(PING_TIMEOUT,  "ping timeout")                               \
    X(PARSE_ERROR,   "parse error")                                \
    X(SLOW_READER,   "slow reader")                                \
    X(FORCED,        "forced close")                               \
    X(SHUTDOWN,      "server shutting down")

enum sio_reason {
#define X(name, text) SIO_REASON_##name,
    SIO_REASON_MAP(X)
#undef X
    SIO_REASON_COUNT
};
const char *sio_reason_text(enum sio_reason reason);

/* An event from a client; lent for the call. */
struct sio_event {
    struct slice        name;                  /* decoded */
    struct slice        array;                 /* the JSON array as sent, the name included */
    const struct slice *attachments;           /* binary ones, by placeholder number */
    size_t              attachment_count;
    int64_t             ack;                   /* id to answer with sio_ack; -1: none asked */
};

struct sio_namespace_handlers {
    /* A client asks in. `auth` is the CONNECT payload, a JSON object ("{}" if none), lent.
     * Must end in sio_accept() or sio_refuse(), now or later. The socket may go away before:
     * on_disconnect says so, once, unless it was refused. */
    void (*on_connect)(struct sio_socket *s, struct slice auth, void *arg);
    /* Only of accepted sockets. */
    void (*on_event)(struct sio_socket *s, const struct sio_event *e, void *arg);
    /* The last thing heard of it; it has left its rooms after the call (may still be asked
     * for them inside). */
    void (*on_disconnect)(struct sio_socket *s, enum sio_reason reason, void *arg);
};

/* The texts in options must outlive the server; metrics may be NULL. */
struct sio_server *sio_server_new(struct net *net, const struct sio_options *options,
                                  struct metrics *metrics);
struct eio_server *sio_server_eio(struct sio_server *s);

/* As eio_handlers' members of these names; set before the first request; each may be NULL. */
struct sio_hooks {
    int    (*on_handshake)(struct http_request *r, const char **why, void *arg);
    void   (*on_foreign)(struct http_request *r, struct slice owner, void *arg);
    size_t (*on_headers)(struct http_request *r, struct http_header *out, size_t max, void *arg);
    /* A client is there; the handshake request is lent for the call. What this returns is the
     * client's data (sio_socket_client_data): the place for what its sockets will want to
     * know of the handshake. */
    void  *(*on_open)(struct eio_session *session, struct http_request *r, void *arg);
    /* It is gone, after on_disconnect of all its sockets; `data` is yours again. */
    void   (*on_gone)(void *data, void *arg);
};
void sio_server_hooks(struct sio_server *s, const struct sio_hooks *hooks, void *arg);

/* As eio_server_handle, eio_server_head. */
bool sio_server_handle(struct sio_server *s, struct http_request *r);
void sio_server_head(struct sio_server *s, struct http_request *r);

/* End everything; the memory goes once all clients are gone (`on_closed` may be NULL). Close the
 * HTTP server before: no request may be given to this one afterwards. */
void sio_server_close(struct sio_server *s, void (*on_closed)(void *arg), void *arg);

/* Serve a namespace ("/" or "/name"); one that nobody made is refused as "Invalid
 * namespace". `handlers` must outlive the server. Never NULL. */
struct sio_namespace *sio_namespace_new(struct sio_server *s, const char *name,
                                        const struct sio_namespace_handlers *handlers, void *arg);
size_t sio_namespace_size(const struct sio_namespace *n);     /* accepted sockets */

/* --- sockets --- */

/* Let it in: sends CONNECT with its sid (and `pid` where it is not NULL). Does nothing where
 * the socket has been let in, or is on its way out, already. */
void sio_accept(struct sio_socket *s, const char *pid);

/* The same for a recovered one: it keeps the sid it had. Missed events are sent before
 * (sio_emit works on a socket that is asking in, and is sent in order). */
void sio_accept_as(struct sio_socket *s, const char *sid, const char *pid);

/* CONNECT_ERROR with a message and, where not empty, `data` (JSON). The socket is gone
 * afterwards, without on_disconnect; the connection stays. Only before it was let in. */
void sio_refuse(struct sio_socket *s, const char *message, struct slice data);

/* Send an event: `array` is complete JSON. `attachments` follow it as binary packets, and
 * `array` holds their placeholders (count 0 and NULL: a plain event). Returns 0 or
 * ERR_CLOSED. */
int sio_emit(struct sio_socket *s, struct slice array);
int sio_emit_binary(struct sio_socket *s, struct slice array,
                    const struct slice *attachments, size_t count);
int sio_emit_message(struct sio_socket *s, struct sio_message *m);

/* Send an event that asks for an acknowledgement. cb runs once, later: 0 with the answer's
 * JSON array (and attachments), ERR_TIMEOUT (timeout_ms 0: never), or ERR_CLOSED before
 * on_disconnect. Returns 0, or ERR_CLOSED and cb never runs. */
typedef void sio_ack_cb(int err, struct slice array, const struct slice *attachments,
                        size_t count, void *arg);
int sio_emit_with_ack(struct sio_socket *s, struct slice array, uint64_t timeout_ms,
                      sio_ack_cb *cb, void *arg);

/* Answer an event's acknowledgement; `array` is a JSON array ("[]" for nothing). */
int sio_ack(struct sio_socket *s, int64_t ack, struct slice array);
int sio_ack_binary(struct sio_socket *s, int64_t ack, struct slice array,
                   const struct slice *attachments, size_t count);

/* Send DISCONNECT; `close` does that to all sockets of the client and then closes its
 * transport. on_disconnect runs later.
 * A stock client does not come back by itself after this. */
void sio_disconnect(struct sio_socket *s, bool close);

/* Close the client's transport without a DISCONNECT: a stock client reconnects and may
 * recover. on_disconnect of all its sockets runs later. */
void sio_close_transport(struct sio_socket *s);

const char         *sio_socket_sid(const struct sio_socket *s);
struct sio_namespace *sio_socket_namespace(const struct sio_socket *s);
struct eio_session *sio_socket_session(const struct sio_socket *s);
void               *sio_socket_data(const struct sio_socket *s);
void                sio_socket_set_data(struct sio_socket *s, void *data);
void               *sio_socket_client_data(const struct sio_socket *s);   /* of on_open */
bool                sio_socket_is_accepted(const struct sio_socket *s);

/* --- rooms --- */

/* Returns 0 (also where it is a member already), ERR_TOO_BIG past rooms_per_socket_max, or
 * ERR_CLOSED. */
int  sio_join(struct sio_socket *s, struct slice room);
void sio_leave(struct sio_socket *s, struct slice room);      /* no member: harmless */
bool sio_is_member(const struct sio_socket *s, struct slice room);
size_t sio_room_count(const struct sio_socket *s);            /* rooms this socket is in */

/* Call `fn` for every room of a socket, for every socket of a room. `fn` may leave or join
 * that very room and close sockets; members who join during the walk are not visited. */
void sio_each_room(struct sio_socket *s,
                   void (*fn)(struct sio_socket *, struct slice room, void *), void *arg);
void sio_each_member(struct sio_namespace *n, struct slice room,
                     void (*fn)(struct sio_socket *, void *), void *arg);
void sio_each_socket(struct sio_namespace *n, void (*fn)(struct sio_socket *, void *), void *arg);
size_t sio_room_size(struct sio_namespace *n, struct slice room);

/* --- broadcast --- */

/* An event made once for many. `offset` (may be empty) is appended to the array as an extra
 * last argument, as connection state recovery wants it. `key`: see eio_message_new. */
struct sio_message *sio_message_new(struct sio_namespace *n, struct slice array,
                                    struct slice offset, uint64_t key);

/* The same with attachments (at least one; copied), whose placeholders are in `array`. */
struct sio_message *sio_message_new_binary(struct sio_namespace *n, struct slice array,
                                           struct slice offset, const struct slice *attachments,
                                           size_t count);
struct sio_message *sio_message_ref(struct sio_message *m);
void                sio_message_unref(struct sio_message *m);

/* cb runs once, when the last reference goes: then all members of the rooms that it was sent to
 * have been given it. It must not touch the message. At most one. */
void sio_message_on_done(struct sio_message *m, void (*cb)(void *arg), void *arg);

/* Send to every member of a room, those and only those who are members now. Large rooms are
 * walked in slices of fanout_slice_us per turn; what is broadcast to, or emitted to a member
 * of, a room that is still being walked keeps its order behind. Takes its own reference. */
void sio_broadcast(struct sio_namespace *n, struct slice room, struct sio_message *m);

/* To all accepted sockets of the namespace. */
void sio_broadcast_all(struct sio_namespace *n, struct sio_message *m);

/* --- receivers: members of rooms that speak no Socket.IO --- */

/* A *receiver* is a socket without a client: it is let in, joins rooms and is sent events like any
 * other, but they are handed to `on_message` instead of a session. It says nothing. The calls above
 * work on it, but for those that wait for an answer (ERR_CLOSED), and sio_socket_session is
 * NULL. Its namespace's on_disconnect runs like any other's. */
struct sio_receiver_ops {
    /* An event, in its order. The callee may look at `m`, and end nothing and send nothing here. */
    void (*on_message)(struct sio_socket *s, struct sio_message *m);
    /* The last thing heard of it, after on_disconnect; `data` is yours again. */
    void (*on_gone)(void *data, enum sio_reason reason);
};

/* One that asks in, as after on_connect (which is not called). `ops` must outlive it; `data` is
 * its sio_socket_client_data. Not once the server is closing. */
struct sio_socket *sio_receiver_new(struct sio_namespace *n, const struct sio_receiver_ops *ops,
                                    void *data);

/* Whatever it stood for has gone away. on_disconnect and on_gone follow later. */
void sio_receiver_end(struct sio_socket *s, enum sio_reason reason);

/* Another form of an event, for what `on_message` writes out: made when the first asks for it, and
 * kept with the message for all others. Lent. `make` is given the array without its closing `]`
 * and the offset (may be empty), and returns a reference; there is one `make` per process. */
struct rcbuf *sio_message_form(struct sio_message *m,
                               struct rcbuf *(*make)(struct slice open_array, struct slice offset));

#endif

/* session.h -- the server and its sessions as this library's modules see them.
 *
 * Who does what: handshake.c opens sessions, session.c keeps them (packets in, messages out,
 * the end), polling.c and websocket_link.c carry them, upgrade.c moves one from the first to the
 * second, heartbeat.c notices the dead, server.c owns the rest.
 *
 * A session that has ended is out of everybody's way at once, but its memory stays until
 * session_turn() has run from the loop: so code that called a handler may go on reading
 * `s->is_open`. */
#ifndef TASKWIRE_ENGINEIO_SESSION_H
#define TASKWIRE_ENGINEIO_SESSION_H

#include <uv.h>

#include "common/list.h"
#include "gateway/engineio/deadlines.h"
#include "gateway/engineio/engineio.h"
#include "gateway/engineio/packet.h"
#include "gateway/engineio/queue.h"
#include "gateway/engineio/sids.h"
#include "gateway/engineio/timers.h"
#include "gateway/engineio/websocket.h"

struct polling;

struct eio_metrics {
    struct metric *sessions[2];                /* by enum eio_transport */
    struct metric *opened[2];
    struct metric *closed[EIO_REASON_COUNT];
    struct metric *refused, *upgraded, *received, *sent, *conflated, *deflated;
};

struct eio_server {
    struct net                *net;
    struct eio_options         options;
    const struct eio_handlers *handlers;
    void                      *arg;
    struct websocket_host     *websockets;
    struct sids                sids;
    struct timers              timers;
    struct list                turn;           /* sessions that asked for session_turn() */
    uv_idle_t                  idle;           /* runs while `turn` is not empty */
    struct eio_message        *ping;
    struct eio_metrics         metrics;
    struct queue_totals        waiting;        /* for slow readers, polls and upgrades */
    struct metrics            *own_metrics;    /* where the caller gave none */
    struct http_request       *opening;        /* the handshake whose on_open is running */
    size_t                     counts[2];      /* open sessions, by enum eio_transport */
    size_t                     memory_count;   /* sessions whose memory is still there */
    int                        handles_open;
    bool                       is_closing;
};

struct eio_session {
    struct eio_server  *server;
    void               *data;
    struct websocket   *ws;                    /* its transport; NULL while polling or opening */
    struct polling     *polling;               /* NULL over websocket (but see upgrade.c) */
    struct queue       *queue;                 /* NULL while nothing waits */
    struct eio_session *next_in_bucket;
    struct deadline     deadline;              /* ping, pong, or linger */
    struct list         turn;                  /* in server->turn */
    uint8_t             reason;                /* enum eio_reason, once it has ended */
    uint8_t             sid_len;
    bool                is_open       : 1;
    bool                is_websocket  : 1;     /* by its transport's name */
    bool                is_listed     : 1;     /* in server->sids */
    bool                is_lingering  : 1;     /* ended; the last payload waits for a poll */
    bool                is_closed     : 1;     /* on_close has run */
    bool                awaits_pong   : 1;
    bool                has_more_time : 1;     /* the pong's time was restarted */
    char                sid[];
};

/* How a session's transport hears of the end. */
enum session_ending {
    END_PLAIN,                                 /* close frame; a pending poll gets `1` */
    END_NOOP,                                  /* the client asked: a pending poll gets `6` */
    END_FLUSHED,                               /* what is queued first; polls get it later, too */
    END_CUT                                    /* nothing more is said */
};

/* A session with a new sid, open, listed, its heartbeat begun; the caller gives it a transport. */
struct eio_session *session_new(struct eio_server *server, bool is_websocket);

/* A packet came, by whichever transport. May run handlers, may end the session. */
void session_packet(struct eio_session *s, const struct packet *p);

/* End it: on_close runs from the loop. Harmless where it has ended. */
void session_end(struct eio_session *s, enum eio_reason reason, enum session_ending how);

/* Take over a websocket that was just accepted (`s->ws` is NULL): flush what waits to it, or
 * close it where the session has ended meanwhile. */
void session_set_websocket(struct eio_session *s, struct websocket *ws);
extern const struct websocket_ops SESSION_WEBSOCKET_OPS;

void session_send_ping(struct eio_session *s);

/* Have session_turn() run for it from the loop. */
void session_want_turn(struct eio_session *s);

/* What was put off: the end of an ended session, the poll of an open one. May free it. */
void session_turn(struct eio_session *s);

/* The last payload was fetched, or never will be: forget a lingering session. */
void session_stop_lingering(struct eio_session *s);
void session_on_linger_due(struct deadline *d);    /* for timers.c */

uint64_t session_now_ms(const struct eio_session *s);

#endif

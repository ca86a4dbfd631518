/* http_server_internal.h -- what http_server.c, http_conn.c and http_answer.c share. */
#ifndef TASKWIRE_COMMON_HTTP_SERVER_INTERNAL_H
#define TASKWIRE_COMMON_HTTP_SERVER_INTERNAL_H

#include <assert.h>

#include "common/http_parser.h"
#include "common/http_server.h"
#include "common/list.h"

#define CONN_FRESH_MS      500                 /* to say something, on a server that drains */
#define CONN_LINGER_MS     2000                /* how long a closing answer may take to arrive */
#define CONN_PENDING_BYTES (16 * 1024)         /* pipelined bytes past which reading pauses */
#define CONN_DISCARD_BYTES (8 * 1024 * 1024)   /* of a body that was too large; then cut */

/* why a connection or a request is refused by the server itself: the metric's label */
#define HTTP_REFUSAL_MAP(X)                                             \
    X(MALFORMED,      "malformed")                                      \
    X(TOO_LARGE,      "too_large")                                      \
    X(HEAD_TOO_LARGE, "head_too_large")                                 \
    X(TOO_SLOW,       "too_slow")                                       \
    X(TOO_MANY,       "too_many")       /* connections */

enum http_refusal {
#define X(name, reason) HTTP_REFUSAL_##name,
    HTTP_REFUSAL_MAP(X)
#undef X
    HTTP_REFUSAL_COUNT
};

/* How an answer's end is known. NOTHING: it has no body, whatever is written. */
enum http_framing { FRAMED_BY_NOTHING, FRAMED_BY_LENGTH, FRAMED_BY_CHUNKS, FRAMED_BY_CLOSE };

/* A connection and the one request that it is at. In order; nothing but close goes back
 * further than to IDLE:
 *
 *     IDLE -> HEAD -> BODY -> BUSY -> (STREAMING ->) IDLE ...      any -> DONE */
enum conn_phase {
    CONN_IDLE,                                 /* between requests */
    CONN_HEAD,                                 /* a byte of a head came */
    CONN_BODY,                                 /* the head is known, the body not yet */
    CONN_BUSY,                                 /* handed over, not answered */
    CONN_STREAMING,                            /* the answer has begun */
    CONN_DONE,                                 /* waits for the stream's on_close only */
    CONN_PHASE_COUNT
};

struct http_request {
    struct list         link;                  /* in server->phases[phase] */
    struct list         ready;                 /* in server->ready: has bytes to go on with */
    struct http_server *server;
    struct stream      *stream;                /* NULL: taken, or gone without on_gone */
    struct http_parser *parser;
    struct slice       *input;                 /* while feeding: what is not parsed yet */
    struct buf          body;
    struct buf          pending;               /* came behind the request */
    uint64_t            since_ms;              /* in this phase */
    size_t              body_max;
    size_t              discarded;
    size_t              queued_seen;           /* at the last look at an idle one */
    http_gone_cb       *gone;
    void               *gone_arg;
    struct slice        path;
    struct slice        query;
    enum http_method    method;
    enum conn_phase     phase;
    bool                is_fresh;              /* no byte of a request has come yet */
    bool                is_paused;             /* pending is full */
    bool                is_blocked;            /* the client does not read its answers */
    bool                is_ended;              /* the client ended its side */
    bool                is_discarding;         /* 413 was answered */
    bool                is_whole;              /* no byte of this request will come any more */
    uint8_t             framing;               /* enum http_framing of the streamed answer */
    bool                close_after;
};

struct http_server {
    struct net                        *net;
    const char                        *name;   /* interned with its label */
    const struct http_server_handlers *handlers;
    void                              *arg;
    struct http_server_options         options;
    struct net_listener              **listeners;
    size_t                             listener_count;
    struct list                        phases[CONN_PHASE_COUNT];   /* oldest first */
    struct list                        ready;
    uv_timer_t                         tick;   /* timeouts; runs while there are connections */
    uv_timer_t                         turn;   /* 0 ms: goes on with `ready` */
    uint64_t                           tick_ms;
    size_t                             connections;
    size_t                             refs;   /* requests and own handles */
    bool                               is_winding_down;    /* connections end with an answer */
    bool                               is_draining;        /* and no new ones are accepted */
    bool                               is_closing;
    struct buf                         scratch;            /* for answers' heads */
    int64_t                            date_second;
    char                               date[32];
    struct rcbuf                      *crlf;
    struct rcbuf                      *last_chunk;
    struct rcbuf                      *chunk_head;         /* of the last chunk's length */
    uint32_t                           chunk_len;
    struct metric                     *metric_connections; /* NULL: no metrics */
    struct metric                     *metric_requests;
    struct metric                     *metric_refused[HTTP_REFUSAL_COUNT];
};

void http_server_unref(struct http_server *s);
void http_server_count_refused(struct http_server *s, int status);      /* 503: connections full */
void http_server_wake(struct http_server *s, struct http_request *c);   /* go_on, next turn */

/* http_conn.c */
void http_conn_new(struct http_server *s, struct stream *stream);
void http_conn_free(struct http_request *c);
void http_conn_expired(struct http_request *c);        /* its phase's time is over */
void http_conn_go_on(struct http_request *c);          /* with what is pending */
void http_conn_drain(struct http_request *c);          /* close after the current answer, if any */
void http_conn_enter(struct http_request *c, enum conn_phase phase);
void http_conn_leave(struct http_request *c);          /* the stream is not ours any more */
void http_conn_finish(struct http_request *c);         /* close after what is queued */
void http_conn_answered(struct http_request *c);       /* the answer is queued wholly */

/* http_answer.c: the server's own refusal, with what on_refusal has to say of it. */
void http_conn_send_refusal(struct http_request *c, int status);

#endif

/* polling.h -- HTTP long polling: a session's GETs and POSTs.
 *
 * A GET waits until there is something to say; a POST brings packets. Of each there may be one
 * at a time. All calls on the loop's thread. */
#ifndef TASKWIRE_ENGINEIO_POLLING_H
#define TASKWIRE_ENGINEIO_POLLING_H

#include "gateway/engineio/session.h"

struct polling {
    struct eio_session  *session;
    struct http_request *get;                  /* waits for something to say */
    struct http_request *post;                 /* its body is still coming */
    struct websocket    *probe;                /* wants to take over (upgrade.c) */
    bool                 is_probed;            /* and has been told that it may */
    struct deadline      upgrade;              /* by then it must have */
    struct deadline      noop;                 /* when the waiting GET ends for its sake */
    char                 peer[NET_ADDRESS_SIZE];
};

/* Make a session's polling transport; `r` is its handshake. */
void polling_begin(struct eio_session *s, struct http_request *r);

/* NULL is ignored. */
void polling_free(struct polling *p);
void polling_peer(const struct polling *p, char out[NET_ADDRESS_SIZE]);

/* The head of a POST for this session came: its body is under way. */
void polling_head(struct eio_session *s, struct http_request *r);

/* The whole of a request came: where it is the POST that was under way, it is no more. Returns
 * whether it was; such a one counts even if the session has moved to a websocket meanwhile. */
bool polling_arrived(struct eio_session *s, struct http_request *r);

/* A whole request for this session; it is answered now or when there is something to say. */
void polling_handle(struct eio_session *s, struct http_request *r);

/* Something waits: answer the waiting GET from the loop, so that all that is said in one turn
 * goes into one answer; polling_flush does it. Harmless where no GET waits. */
void polling_want_flush(struct eio_session *s);
void polling_flush(struct eio_session *s);

/* Answer the waiting GET, if any, with this payload. */
void polling_answer(struct polling *p, struct slice payload);

/* The session has ended: tell the waiting GET. Returns whether the last payload should wait
 * for the next one. */
bool polling_end(struct eio_session *s, enum session_ending how);

void polling_on_noop_due(struct deadline *d);  /* for timers.c */

#endif

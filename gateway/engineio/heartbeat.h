/* heartbeat.h -- pings and what they are for: noticing that a peer is gone.
 *
 * Engine.IO 4: the server sends `2` every ping interval, the client answers `3` within the
 * ping timeout. All calls on the loop's thread. */
#ifndef TASKWIRE_ENGINEIO_HEARTBEAT_H
#define TASKWIRE_ENGINEIO_HEARTBEAT_H

#include "gateway/engineio/deadlines.h"
#include "gateway/engineio/packet.h"

struct eio_session;

/* The session is open: its first ping is an interval away. */
void heartbeat_start(struct eio_session *s);

/* A packet came. */
void heartbeat_heard(struct eio_session *s, enum packet_type type);

/* The transport changed: what was sent over the old one may be lost. */
void heartbeat_on_upgrade(struct eio_session *s);

/* Do now what is due for this session, if anything (it may end). */
void heartbeat_check(struct eio_session *s);

void heartbeat_on_due(struct deadline *d);     /* for timers.c */

#endif

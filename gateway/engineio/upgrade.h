/* upgrade.h -- from polling to websocket, without losing or repeating a packet.
 *
 * The client opens a websocket with the sid and sends `2probe`; we answer `3probe` and end its
 * waiting GET with `6`; it sends `5`, and from then on everything goes over the websocket. All
 * calls on the loop's thread. */
#ifndef TASKWIRE_ENGINEIO_UPGRADE_H
#define TASKWIRE_ENGINEIO_UPGRADE_H

#include "gateway/engineio/session.h"

struct polling;

/* A websocket handshake with the sid of this session: answered, whatever comes of it. */
void upgrade_begin(struct eio_session *s, struct http_request *r);

/* Close the websocket that wanted to take over, if there is one; polling goes on. */
void upgrade_drop(struct polling *p);

void upgrade_on_due(struct deadline *d);       /* for timers.c */

#endif

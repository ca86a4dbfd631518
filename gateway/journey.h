/* journey.h -- how long a transition was on its way, and to which trace it belongs.
 *
 * An envelope says both of itself in lines that go to nobody (internal.md: `times`, `trace`).
 * From the first come the histograms of what people wait for; from the second, log lines, and
 * the `trace` event for the sockets that asked for it in their handshake. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_JOURNEY_H
#define TASKWIRE_GATEWAY_JOURNEY_H

#include "common/metrics.h"
#include "gateway/frame.h"
#include "gateway/peer.h"
#include "gateway/socketio/socketio.h"

struct journeys {
    struct peers  *peers;
    struct metric *since_commit, *since_publish;
};

struct journey;                                /* of one envelope; counted references */

void journeys_init(struct journeys *js, struct peers *peers, struct metrics *m);

/* With one reference, the caller's until journey_told. */
struct journey *journey_new(struct journeys *js);

/* It is not over before all members of a room have been given this message. */
void journey_carry(struct journey *j, struct sio_message *m);

/* Is this a line about the envelope itself? Then it is taken. */
bool journey_learn(struct journey *j, struct slice address, struct slice text);

/* All lines of `f` have been said: the trace is logged and told, and the caller's reference is
 * gone. */
void journey_told(struct journey *j, const struct frame *f);

#endif

/* events.h -- what a client may send, one handler per event (SPEC E, A4). */
#ifndef TASKWIRE_GATEWAY_EVENTS_H
#define TASKWIRE_GATEWAY_EVENTS_H

#include "gateway/app.h"

/* An event of an accepted socket; always answered where it asked for that or is wrong. */
void events_handle(struct app *a, struct peer *p, const struct sio_event *e);

#endif

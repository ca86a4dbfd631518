/* assembly.h -- a binary packet that is not whole yet: its text, and the attachments so far.
 *
 * At most sio_options.attachments_max of them, each at most one Engine.IO message: that
 * bounds what a client can make us keep. One thread. */
#ifndef TASKWIRE_SOCKETIO_ASSEMBLY_H
#define TASKWIRE_SOCKETIO_ASSEMBLY_H

#include <stdbool.h>

#include "gateway/socketio/packet.h"

struct assembly;

/* Copies all that `p` points to. p->attachments is how many must come. */
struct assembly *assembly_new(const struct sio_packet *p);
void             assembly_free(struct assembly *a);            /* NULL is ignored */

/* The next attachment (copied). Returns true if it was the last one. */
bool assembly_add(struct assembly *a, struct slice data);

/* The packet and its attachments, lent as long as the assembly lives. */
const struct sio_packet *assembly_packet(const struct assembly *a);
const struct slice      *assembly_attachments(const struct assembly *a);

#endif

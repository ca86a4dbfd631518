/* messages.h -- what a transition says to whom: the lines of its live envelope.
 *
 * Pure: built from the stored event alone (and the task's unchanging facts), so that what is
 * sent late, or again, is byte for byte what was to be sent at first. Any thread. */
#ifndef TASKWIRE_TASKD_MESSAGES_H
#define TASKWIRE_TASKD_MESSAGES_H

#include "common/buf.h"
#include "taskd/task.h"

/* Append the routing line and the addressed lines of one event, in the order of SPEC T3; without the
 * position line and the count lines, which the sequencer writes. Returns 0 or ERR_TOO_BIG. */
int messages_build(const struct task *t, const struct event *e, struct buf *out);

/* How the counts change with this event: the bucket the task was in before it (BUCKET_NONE
 * for `created`) and the one after. */
void messages_buckets(const struct event *e, enum bucket *before, enum bucket *after);

/* Append the task:state payload: OPEN fields and the given events (JSON object). */
int messages_state(const struct task *t, const struct event *events, size_t count,
                   struct buf *out);

#endif

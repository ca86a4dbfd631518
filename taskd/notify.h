/* notify.h -- which transitions a task's creator is to be told of, wherever they are (SPEC E:
 * needs your answer, PR ready for review, merged, failed; not their own acts).
 *
 * Pure: decided from the stored event alone, so that what is built again is what was built at
 * first. Any thread. */
#ifndef TASKWIRE_TASKD_NOTIFY_H
#define TASKWIRE_TASKD_NOTIFY_H

#include "taskd/task.h"

/* An event with its three JSON texts opened. */
struct notify_event {
    const struct task  *task;                  /* what never changes: id, org, creator */
    const struct event *event;
    const json_t       *row, *facts, *payload;
};

/* What user:notification says of it (new reference); NULL where nobody is to be told. */
json_t *notify_of(const struct notify_event *e);

/* Whom it is addressed to in an envelope: "user:<org>/<sub>". */
#define NOTIFY_ADDRESS_SIZE 266
void notify_address(const struct task *t, char out[NOTIFY_ADDRESS_SIZE]);

/* A notification as it is stored, read back from the lines of a message (messages.h). */
struct notification {
    char   *id, *org, *sub, *json;
    int64_t created_at;                        /* wall ms */
};

/* False where the message holds none; then there is nothing to give back. */
bool notify_read(struct slice message, struct notification *out);
void notify_deinit(struct notification *n);

#endif

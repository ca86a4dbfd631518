/* events.h -- the events of a task's timeline, as they are shown. */
#ifndef TASKWIRE_CTL_EVENTS_H
#define TASKWIRE_CTL_EVENTS_H

#include "taskd/ctl/cli/out.h"

extern const struct view EVENTS_VIEW;

/* Rows for EVENTS_VIEW from {seq, eventType, payload, actor, createdAt}. For a table each says
 * its payload in a line; else they are as they came, with the task's id. New reference. */
json_t *events_rows(const struct out *o, const char *task_id, const json_t *events);

/* A table of them. */
void events_print(const struct out *o, const json_t *events);

#endif

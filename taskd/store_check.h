/* store_check.h -- can this be stored, and be read again as it was? Pure; any thread.
 *
 * Stores keep texts as UTF-8 and JSON values as JSON; what is neither would be lost or refused
 * half-way, in one backend sooner than in the other. So it is refused at the door. */
#ifndef TASKWIRE_TASKD_STORE_CHECK_H
#define TASKWIRE_TASKD_STORE_CHECK_H

#include "taskd/task.h"

/* Each returns 0 or ERR_INVALID. */
int store_check_id(const char *id);
int store_check_task(const struct task *t);
int store_check_event(const struct event *e);
int store_check_name(const char *name);        /* an org or a sub: UTF-8, 1 to 129 bytes, no '/' */
int store_check_text(const char *text);        /* UTF-8, not NULL */
int store_check_json(const char *json);        /* one JSON value */

#endif

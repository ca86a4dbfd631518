/* backlog.h -- what waits in the ingest stream, and what lies in the dead letters: looked at every
 * second, for metrics. On the loop's thread. */
#ifndef TASKWIRE_TASKD_BACKLOG_H
#define TASKWIRE_TASKD_BACKLOG_H

#include "common/metrics.h"
#include "common/redis.h"

struct backlog;

struct backlog *backlog_new(uv_loop_t *loop, struct redis *redis, struct metrics *m);
void            backlog_close(struct backlog *b);  /* the memory goes later */

#endif

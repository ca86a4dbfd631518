/* backlog.h -- what waits in the ingest stream, and what lies in the dead letters: looked at every
 * second, for metrics. On the loop's thread. */
#ifndef TASKWIRE_TASKD_BACKLOG_H
#define TASKWIRE_TASKD_BACKLOG_H

#include "common/metrics.h"
#include "common/redis.h"

struct backlog;

struct backlog *backlog_new(uv_loop_t *loop, struct redis *redis, struct metrics *m);
void            backlog_close(struct backlog *b);  /* the memory goes later */

/* How far the ingest is behind, in milliseconds: `oldest` answers XRANGE of the stream's first
 * entry. 0 where there is none. */
int64_t backlog_lag_ms(const struct redis_reply *oldest);

#endif

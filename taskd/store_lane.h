/* store_lane.h -- a lane: threads that take jobs from one bounded queue, first in, first out.
 *
 * What waits for a database waits here, never on the loop. A lane of one thread keeps order; a
 * thread may take several jobs at once, so that its backend can commit them together.
 *
 * Threads: lane_new, lane_push, lane_close, lane_free from the owner's; `work` runs on the lane's.
 * Memory:  jobs are the caller's, linked by their node; a lane never frees one. */
#ifndef TASKWIRE_TASKD_STORE_LANE_H
#define TASKWIRE_TASKD_STORE_LANE_H

#include <stddef.h>

#include "common/list.h"

struct lane;

struct lane_options {
    unsigned threads;
    size_t   queue_max;                        /* jobs waiting, not those at work */
    size_t   batch_max;                        /* jobs that one thread takes at once */

    /* Work on all of `jobs` (at least one) and pass every one on. `thread` counts from 0. */
    void   (*work)(struct list *jobs, unsigned thread, void *arg);
    void    *arg;
};

/* Never NULL; aborts where the system has no threads left (as for memory, common/mem.h). */
struct lane *lane_new(const struct lane_options *o);

/* Returns 0, or ERR_BUSY where queue_max jobs are waiting; then the job was not taken. */
int lane_push(struct lane *l, struct list *job);

/* Let the threads finish what is queued and end. */
void lane_close(struct lane *l);

/* Wait for the threads, after lane_close; the lane is gone. */
void lane_free(struct lane *l);

#endif

/* ingest.h -- inputs of internal services, from Redis to the tasks (DESIGN 9).
 *
 * One taskd at a time holds the lease and works the stream off; the others wait to succeed
 * it. What was handled is deleted from the stream; what is refused becomes a dead letter.
 * All on the loop. */
#ifndef TASKWIRE_TASKD_INGEST_H
#define TASKWIRE_TASKD_INGEST_H

#include "common/metrics.h"
#include "common/redis.h"
#include "taskd/tasks.h"

#define INGEST_DEAD_BYTES_MAX 65536            /* of a refused input, kept */

struct ingest;

struct ingest_options {
    const char *redis_url;                     /* for links of its own: one blocks, one listens */
    struct redis *redis;                       /* the shared link, for everything short */
    bool          is_alone;                    /* no other taskd can be at work on this store */
};

/* Begins to seek the lease. NULL where the URL cannot be parsed. */
struct ingest *ingest_new(uv_loop_t *loop, const struct ingest_options *o, struct tasks *tasks,
                          struct metrics *m);

/* Begin nothing new: what acts is finished and acknowledged, then the lease is given back, so that
 * another can go on. ingest_close is still due. */
void ingest_drain(struct ingest *in);
bool ingest_is_drained(const struct ingest *in);

/* Stop. Acts under way end with their tasks (tasks_close); the memory goes after the last. */
void ingest_close(struct ingest *in);

/* Is this process the one that works the stream off? */
bool ingest_is_holder(const struct ingest *in);

/* Inputs read and not yet over. */
size_t ingest_waiting(const struct ingest *in);

#endif

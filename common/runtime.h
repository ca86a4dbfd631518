/* runtime.h -- the process itself, for metrics: CPU, memory, open files, and how late its loop is.
 *
 * The `process_` names are those that every Prometheus client library uses. On the loop's thread. */
#ifndef TASKWIRE_COMMON_RUNTIME_H
#define TASKWIRE_COMMON_RUNTIME_H

#include <uv.h>

#include "common/metrics.h"

struct runtime;

/* Never NULL. */
struct runtime *runtime_new(uv_loop_t *loop, struct metrics *m);
void            runtime_close(struct runtime *r);  /* the memory goes later, on the loop */

#endif

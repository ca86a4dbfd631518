/* store_fill.h -- many tasks into a MongoDB-wire server, in hundreds at a time.
 *
 * The documents are the backend's own, as they stand after their first event was published and
 * counted. `make` gives the n-th task and its event. The database must be empty, with its indexes
 * made (a store was opened on it). Ends the process where the server refuses. Blocks. */
#ifndef TASKWIRE_BENCH_STORE_FILL_H
#define TASKWIRE_BENCH_STORE_FILL_H

#include "taskd/task.h"

typedef void store_fill_make(struct task *t, struct event *e, uint32_t n);

void store_fill_mongo(const char *url, uint32_t tasks, store_fill_make *make);

#endif

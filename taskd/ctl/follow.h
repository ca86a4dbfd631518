/* follow.h -- how far a task has come, from what taskd says of it: pure.
 *
 * A timeline names inputs; proto/transitions.def says which status each leads to, so that a status
 * that a task was in for a moment between two looks is seen, too. */
#ifndef TASKWIRE_CTL_FOLLOW_H
#define TASKWIRE_CTL_FOLLOW_H

#include <stdint.h>

#include "common/json.h"
#include "proto/shapes.h"

/* Sets of statuses are numbers with the bits 1u << status. */

/* "merged,failed". Returns 0 and the set, or ERR_INVALID. */
int statuses_read(const char *text, unsigned *out);

/* The statuses that these events led to. */
unsigned statuses_of(const json_t *events);

/* Can a task that is in `now` never come to one of `wanted`? `last` is the input that it got there
 * by (INPUT_COUNT: not known). */
bool is_hopeless(enum status now, enum input last, unsigned wanted);

/* Milliseconds to wait after the n-th failure in a row, from 1 on: 250, 500 … 5,000. */
int64_t backoff_ms(unsigned failures);

#endif

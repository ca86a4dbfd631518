/* scenario.h -- one task's life as the internal services would live it: pure.
 *
 * Steps come one after the other as CloudEvents (SPEC I4). What happens (questions or none,
 * merged, closed or failed) is drawn from a seed and the task's id, so a run can be
 * repeated. No I/O, no clock. */
#ifndef TASKWIRE_CTL_SCENARIO_H
#define TASKWIRE_CTL_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "proto/tables.h"

#define SCENARIO_STEPS_MAX 16

struct scenario {
    char       task_id[25];
    char       repo[80];
    enum input steps[SCENARIO_STEPS_MAX];      /* the life, written down at the start */
    uint8_t    step_count;
    uint8_t    at;                             /* the next step */
    bool       is_waiting;                     /* questions were asked and not answered yet */
    uint32_t   number;                         /* issue number; the PR's is one more */
    uint64_t   run;                            /* which run: part of the event ids */
};

/* A life from the beginning. `run` makes event ids of different runs differ. */
void scenario_init(struct scenario *s, struct slice task_id, uint64_t seed, uint64_t run);

/* Go on with a task that is already in `status`. */
void scenario_resume(struct scenario *s, enum status status);

/* Is there nothing more to say? */
bool scenario_is_over(const struct scenario *s);

/* The wire name of the next step, NULL when over. */
const char *scenario_next_name(const struct scenario *s);

/* Append the next step's CloudEvent and go on; after questions it waits. Not when waiting or
 * over. */
void scenario_take(struct scenario *s, struct buf *out);

/* The answers came. */
void scenario_answered(struct scenario *s);

#endif

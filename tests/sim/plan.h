/* plan.h -- one history: how large the world is, what its tasks go through, what fails.
 *
 * A history has three parts: some ten seconds in which tasks move and things break; then
 * nothing breaks any more and everything comes back; then everybody joins what they may see,
 * perhaps one thing more is said of which some hear nothing, and after the half minute in which
 * counts are put right and rooms compared all must be equal to the store. */
#ifndef TASKWIRE_SIM_PLAN_H
#define TASKWIRE_SIM_PLAN_H

#include <stdint.h>

struct plan_sum {
    uint64_t histories, transitions, events, faults, happenings;
};

/* Run the history of this seed from its beginning to its checks. Returns its digest; does
 * not return where a check fails. */
uint64_t plan_run(uint64_t seed, struct plan_sum *sum);

#endif

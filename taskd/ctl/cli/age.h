/* age.h -- spans of time as people read them: "45s", "3m12s", "2d4h". Pure. */
#ifndef TASKWIRE_CTL_CLI_AGE_H
#define TASKWIRE_CTL_CLI_AGE_H

#include <stdint.h>

#define AGE_SIZE 32

/* The span in its largest unit, and the next smaller one while that still says something, as
 * kubectl does. Negative spans (clocks that differ) are 0s. */
void age_format(int64_t ms, char out[AGE_SIZE]);

#endif

/* clock.h -- wall time in milliseconds and its RFC 3339 spelling. Any thread.
 *
 * Intervals are measured with uv_now() and passed as now_ms; this is for time that people
 * and other machines see. */
#ifndef TASKWIRE_COMMON_CLOCK_H
#define TASKWIRE_COMMON_CLOCK_H

#include <stdint.h>

#include "common/slice.h"

#define CLOCK_TEXT_SIZE 25                     /* "2026-11-21T02:16:00.123Z" and a NUL */

/* Milliseconds, microseconds since 1970-01-01T00:00Z. */
int64_t clock_wall_ms(void);
int64_t clock_wall_us(void);

/* RFC 3339, UTC, three decimals. Years 1970 to 9999; what is outside is clamped. */
void clock_format(int64_t wall_ms, char out[CLOCK_TEXT_SIZE]);

/* Any RFC 3339 date-time, with offset and any number of decimals (cut to ms).
 * Returns 0, or ERR_INVALID. */
int clock_parse(struct slice text, int64_t *out_wall_ms);

#endif

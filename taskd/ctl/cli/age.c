/* age.c -- see age.h. One table says from when on which units are told. */
#include "taskd/ctl/cli/age.h"

#include <stdio.h>

#define MINUTE 60LL
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define YEAR   (365 * DAY)
#define AGE_MAX_MS (9999 * YEAR * 1000)

static const struct {
    int64_t below_s;
    int64_t unit_s;
    char    unit;
    int64_t part_s;                            /* 0: no second unit */
    char    part;
} ROWS[] = {
    { 2 * MINUTE,  1,      's', 0,      0 },
    { 10 * MINUTE, MINUTE, 'm', 1,      's' },
    { 3 * HOUR,    MINUTE, 'm', 0,      0 },
    { 8 * HOUR,    HOUR,   'h', MINUTE, 'm' },
    { 2 * DAY,     HOUR,   'h', 0,      0 },
    { 8 * DAY,     DAY,    'd', HOUR,   'h' },
    { 2 * YEAR,    DAY,    'd', 0,      0 },
    { 8 * YEAR,    YEAR,   'y', DAY,    'd' },
    { INT64_MAX,   YEAR,   'y', 0,      0 },
};

void age_format(int64_t ms, char out[AGE_SIZE])
{
    int64_t s = ms <= 0 ? 0 : ms < AGE_MAX_MS ? ms / 1000 : AGE_MAX_MS / 1000;
    int64_t part = 0;
    size_t  i = 0;

    while (s >= ROWS[i].below_s)
        i++;
    if (ROWS[i].part_s != 0)
        part = s % ROWS[i].unit_s / ROWS[i].part_s;
    if (part > 0)
        snprintf(out, AGE_SIZE, "%d%c%d%c", (int)(s / ROWS[i].unit_s), ROWS[i].unit, (int)part,
                 ROWS[i].part);
    else
        snprintf(out, AGE_SIZE, "%d%c", (int)(s / ROWS[i].unit_s), ROWS[i].unit);
}

/* heard.h -- an event as a client understands it: its name, and the few fields that histories
 * are checked by. Cut out of the JSON once per message, whoever hears it. */
#ifndef TASKWIRE_SIM_HEARD_H
#define TASKWIRE_SIM_HEARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"
#include "proto/tables.h"

enum heard_kind {
    HEARD_STATE,                               /* task:state */
    HEARD_EVENT,                               /* task:event_added */
    HEARD_EVICTED,                             /* task:evicted */
    HEARD_TOLD,                                /* any other event of a task's room */
    HEARD_DASHBOARD,                           /* dashboard:state */
    HEARD_CREATED, HEARD_ROW, HEARD_REMOVED, HEARD_COUNTS,
    HEARD_OTHER
};

struct heard_row {
    struct slice task;
    int64_t      seq;
    enum status  status;
    bool         is_private;
    uint32_t     title;                        /* a hash; 0: none said */
};

struct heard_counts {
    int64_t  n[BUCKETS_PER_SCOPE];
    uint64_t rev;
    bool     is_private;
};

struct heard {
    enum heard_kind     kind;
    char               *text;                  /* the event; the slices point into it */
    struct slice        name;
    struct heard_row    row;                   /* of a task; status STATUS_COUNT: none said */
    enum input          input;                 /* of EVENT */
    bool                says_private;          /* isPrivate stands in it */
    struct heard_row   *rows;                  /* of DASHBOARD */
    size_t              row_count;
    struct heard_counts counts, own;
};

void heard_make(struct heard *h, struct slice array);
void heard_drop(struct heard *h);

#endif

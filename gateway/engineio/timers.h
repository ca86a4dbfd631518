/* timers.h -- everything that this library waits for, behind one libuv timer.
 *
 * Each kind is one list of deadlines; what happens when one is due is a row of the table in
 * timers.c. All calls on the loop's thread. */
#ifndef TASKWIRE_ENGINEIO_TIMERS_H
#define TASKWIRE_ENGINEIO_TIMERS_H

#include <uv.h>

#include "gateway/engineio/deadlines.h"

enum timer_kind {
    TIMER_PING,                                /* a session's next ping */
    TIMER_PONG,                                /* its pong is late */
    TIMER_UPGRADE,                             /* its probe took too long */
    TIMER_NOOP,                                /* a poll must end so that it can upgrade */
    TIMER_LINGER,                              /* nobody fetched its last payload */
    TIMER_COUNT
};

struct timers {
    uv_timer_t       handle;
    struct deadlines lists[TIMER_COUNT];
    uint64_t         armed_ms;                 /* when the handle fires; DEADLINE_NEVER: never */
    uint64_t         tick_ms;                  /* it does not fire more often than this */
};

void timers_init(struct timers *t, uv_loop_t *loop, uint64_t tick_ms);

/* The handle is closed; `on_closed` runs later. Nothing may be set any more. */
void timers_close(struct timers *t, uv_close_cb on_closed);

/* Set a deadline of that kind, or move it. */
void timers_set(struct timers *t, enum timer_kind kind, struct deadline *d, uint64_t at_ms);

uint64_t timers_now_ms(const struct timers *t);

#endif

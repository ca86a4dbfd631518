/* timers.c -- see timers.h.
 *
 * The timer is armed for the earliest deadline. With a hundred thousand sessions one is due
 * every fraction of a millisecond, so it does not fire again within tick_ms of the last time;
 * whoever looks at a session in between (a request that names it) checks its deadline exactly. */
#include "gateway/engineio/timers.h"

#include <assert.h>

#include "common/list.h"
#include "gateway/engineio/heartbeat.h"
#include "gateway/engineio/polling.h"
#include "gateway/engineio/session.h"
#include "gateway/engineio/upgrade.h"

typedef void due_cb(struct deadline *d);

static due_cb *const ON_DUE[TIMER_COUNT] = {
    [TIMER_PING] = heartbeat_on_due,
    [TIMER_PONG] = heartbeat_on_due,
    [TIMER_UPGRADE] = upgrade_on_due,
    [TIMER_NOOP] = polling_on_noop_due,
    [TIMER_LINGER] = session_on_linger_due,
};

void timers_init(struct timers *t, uv_loop_t *loop, uint64_t tick_ms)
{
    int err = uv_timer_init(loop, &t->handle);

    assert(err == 0);                          /* libuv: it always succeeds */
    t->armed_ms = DEADLINE_NEVER;
    t->tick_ms = tick_ms;
    for (int i = 0; i < TIMER_COUNT; i++)
        deadlines_init(&t->lists[i]);
}

void timers_close(struct timers *t, uv_close_cb on_closed)
{
    uv_close((uv_handle_t *)&t->handle, on_closed);
}

uint64_t timers_now_ms(const struct timers *t)
{
    return uv_now(t->handle.loop);
}

static void on_timer(uv_timer_t *handle);

static void arm(struct timers *t, uint64_t at_ms)
{
    uint64_t now = timers_now_ms(t);

    t->armed_ms = at_ms;
    (void)uv_timer_start(&t->handle, on_timer, at_ms > now ? at_ms - now : 0, 0);
}

static void on_timer(uv_timer_t *handle)
{
    struct timers   *t = container_of(handle, struct timers, handle);
    uint64_t         now = timers_now_ms(t), next = DEADLINE_NEVER;
    struct deadline *d;

    t->armed_ms = now;                         /* what is set meanwhile need not arm it */
    for (int kind = 0; kind < TIMER_COUNT; kind++) {
        while ((d = deadlines_take(&t->lists[kind], now)) != NULL)
            ON_DUE[kind](d);
    }
    for (int kind = 0; kind < TIMER_COUNT; kind++) {
        uint64_t first = deadlines_next(&t->lists[kind]);

        next = first < next ? first : next;
    }
    t->armed_ms = DEADLINE_NEVER;
    if (next != DEADLINE_NEVER)
        arm(t, next > now + t->tick_ms ? next : now + t->tick_ms);
}

void timers_set(struct timers *t, enum timer_kind kind, struct deadline *d, uint64_t at_ms)
{
    deadlines_set(&t->lists[kind], d, at_ms);
    if (at_ms < t->armed_ms)
        arm(t, at_ms);
}

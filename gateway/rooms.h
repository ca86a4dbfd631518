/* rooms.h -- what rooms are called (DESIGN 3): the names carry the access rule.
 *
 * `/` and `:` separate; `/` is in no sub and no org (SPEC I3). Header only. */
#ifndef TASKWIRE_GATEWAY_ROOMS_H
#define TASKWIRE_GATEWAY_ROOMS_H

#include <assert.h>
#include <stdio.h>

#include "common/slice.h"

#define ROOM_MAX 272                           /* "user:" + org + "/" + sub, and a NUL */

static inline struct slice room_made(const char *text, int len)
{
    assert(len > 0 && len < ROOM_MAX);
    return slice_make(text, (size_t)len);
}

/* Those who joined a task. */
static inline struct slice room_task(char out[ROOM_MAX], struct slice task)
{
    return room_made(out, snprintf(out, ROOM_MAX, "task:%.*s", SLICE_ARG(task)));
}

/* Those of them who are of another org than the task's (its creator, who has moved on): the
 * same events, without offsets, for offsets are an org's. */
static inline struct slice room_away(char out[ROOM_MAX], struct slice task)
{
    return room_made(out, snprintf(out, ROOM_MAX, "away:%.*s", SLICE_ARG(task)));
}

/* An org's dashboards. */
static inline struct slice room_dash(char out[ROOM_MAX], struct slice org)
{
    return room_made(out, snprintf(out, ROOM_MAX, "dash:%.*s", SLICE_ARG(org)));
}

/* One person's dashboards: what concerns their private tasks. */
static inline struct slice room_mine(char out[ROOM_MAX], struct slice org, struct slice sub)
{
    return room_made(out, snprintf(out, ROOM_MAX, "dash:%.*s/%.*s", SLICE_ARG(org),
                                   SLICE_ARG(sub)));
}

/* All sockets of a person. */
static inline struct slice room_user(char out[ROOM_MAX], struct slice org, struct slice sub)
{
    return room_made(out, snprintf(out, ROOM_MAX, "user:%.*s/%.*s", SLICE_ARG(org),
                                   SLICE_ARG(sub)));
}

#endif

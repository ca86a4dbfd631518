/* features.h -- which features are switched on for whom (SPEC F1): the roll-out by a stable
 * hash of the person. Pure. */
#ifndef TASKWIRE_GATEWAY_FEATURES_H
#define TASKWIRE_GATEWAY_FEATURES_H

#include <stdbool.h>

#include "common/buf.h"

struct features {
    bool     websocket, dashboard, task_detail;
    unsigned rollout_percent;                  /* 0 to 100 */
};

/* Is live connecting on for this person? The same answer on every replica, and everybody who
 * is in at a percentage is in at every higher one. */
bool features_let_in(const struct features *f, const char *sub);

/* Append what GET /api/config answers for this person. */
void features_print(const struct features *f, const char *sub, struct buf *out);

#endif

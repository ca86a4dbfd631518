/* features.h -- which features are switched on for whom (SPEC F1): the roll-out by a stable
 * hash of the person. Pure. */
#ifndef TASKWIRE_GATEWAY_FEATURES_H
#define TASKWIRE_GATEWAY_FEATURES_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/json.h"

struct features {
    bool     websocket, dashboard, task_detail;
    unsigned rollout_percent;                  /* 0 to 100 */
};

/* Is live connecting on for this person? The same answer on every replica, and everybody who
 * is in at a percentage is in at every higher one. */
bool features_let_in(const struct features *f, const char *sub);

/* What operators override, by the names of the settings (proto/internal.md): what is missing, or is
 * not of its type, stays as `f` has it. `flags` may be NULL. */
struct features features_override(const struct features *f, const json_t *flags);
bool            features_are_equal(const struct features *a, const struct features *b);

/* Append what GET /api/config answers for this person. */
void features_print(const struct features *f, const char *sub, struct buf *out);

#endif

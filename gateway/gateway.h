/* gateway.h -- one gateway process: its parts, put together and taken apart in order. */
#ifndef TASKWIRE_GATEWAY_GATEWAY_H
#define TASKWIRE_GATEWAY_GATEWAY_H

#include <uv.h>

#include "gateway/settings.h"

struct gateway;

/* Put together and listen. Returns 0, or an error after a log line that says what failed; then
 * the loop still has closing handles to run. `settings` must outlive it. */
int gateway_new(uv_loop_t *loop, struct settings *settings, struct gateway **out);

/* Move clients off, then close. Twice: at once. */
void gateway_stop(struct gateway *g);

/* After the loop ended. */
void gateway_free(struct gateway *g);

#endif

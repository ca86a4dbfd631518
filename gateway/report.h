/* report.h -- what a gateway says of itself in its heartbeat, for operators (internal.md).
 *
 * Bounded, whatever it holds; made every two seconds. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_REPORT_H
#define TASKWIRE_GATEWAY_REPORT_H

#include "gateway/health.h"

#define REPORT_ORGS_MAX 100                    /* positions in one heartbeat */

/* Add to a heartbeat's fields (replica_say). */
void report_say(struct buf *fields, struct app *app, const struct health *health);

#endif

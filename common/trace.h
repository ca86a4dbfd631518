/* trace.h -- W3C Trace Context: the one header that says to which trace something belongs.
 *
 * Spans are not made here: what comes in is checked and goes on as it came, and log lines carry
 * its ids. Pure. Any thread.
 *
 *     00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
 *        trace-id                         parent-id        flags: 01 is "sampled"
 *
 * Source: https://www.w3.org/TR/trace-context/ §3.2 */
#ifndef TASKWIRE_COMMON_TRACE_H
#define TASKWIRE_COMMON_TRACE_H

#include <stdbool.h>

#include "common/slice.h"

#define TRACE_HEADER "traceparent"
#define TRACE_SIZE   56                        /* a traceparent of version 00, and a NUL */

/* Returns true and writes it out as version 00; false where it is none, and `out` is "". Later
 * versions are read by what they begin with. */
bool trace_parse(struct slice text, char out[TRACE_SIZE]);

/* Parts of what trace_parse wrote; empty for "" or NULL. */
struct slice trace_id(const char *trace);
struct slice trace_parent_id(const char *trace);
bool         trace_is_sampled(const char *trace);

#endif

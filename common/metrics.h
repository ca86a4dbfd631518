/* metrics.h -- counters, gauges and histograms, and their Prometheus/OpenMetrics text.
 *
 * A metric is made once at start and then only added to: an increment is one addition, no
 * lookup, no lock. All on the loop's thread. Names follow Prometheus: `taskwire_` prefix,
 * base units, counters end in `_total`. */
#ifndef TASKWIRE_COMMON_METRICS_H
#define TASKWIRE_COMMON_METRICS_H

#include <stdint.h>

#include "common/buf.h"

struct metrics;                                /* a registry; owns its metrics */
struct metric;                                 /* one series: a name with its labels */

struct metrics *metrics_new(void);
void            metrics_free(struct metrics *m);

/* `labels` is NULL or ready Prometheus text such as `transport="websocket"`; series of one
 * name share `help` (the first one's). Texts must outlive the registry (literals). The same
 * name and labels give the same series. Never NULL. */
struct metric *metrics_counter(struct metrics *m, const char *name, const char *labels,
                               const char *help);
struct metric *metrics_gauge(struct metrics *m, const char *name, const char *labels,
                             const char *help);

/* A histogram of seconds with fixed buckets from 100 µs to 10 s. */
struct metric *metrics_histogram(struct metrics *m, const char *name, const char *labels,
                                 const char *help);

/* A gauge or counter whose value is asked for when the page is printed. */
typedef double metric_read_cb(void *arg);
void metrics_read(struct metrics *m, const char *name, const char *labels, const char *help,
                  metric_read_cb *cb, void *arg);

void    metric_add(struct metric *m, double n);        /* counters and gauges */
void    metric_set(struct metric *m, double value);    /* gauges */
void    metric_observe(struct metric *m, double seconds);
double  metric_value(const struct metric *m);          /* a histogram's count */

static inline void metric_inc(struct metric *m) { metric_add(m, 1); }

/* Append all series as OpenMetrics 1.0 text (ends with "# EOF\n"). */
#define METRICS_CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
void metrics_print(const struct metrics *m, struct buf *out);

#endif

/* runtime.c -- see runtime.h.
 *
 * A loop that is held up does everything late, so one timer's lateness tells of all: what it
 * was to wait is subtracted from what it did wait. It looks ten times a second, so that a
 * quantile of it is one of what clients meet. */
#include "common/runtime.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"

#ifndef TASKWIRE_VERSION
#define TASKWIRE_VERSION "unknown"
#endif

#define LOOK_MS 100

struct runtime {
    uv_timer_t     timer;
    uint64_t       looked_ns;
    double         started_s;
    struct metric *lag;
};

static double read_cpu(void *arg)
{
    struct rusage u;

    (void)arg;
    if (getrusage(RUSAGE_SELF, &u) != 0)
        return 0;
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double read_memory(void *arg)
{
    size_t bytes = 0;

    (void)arg;
    return uv_resident_set_memory(&bytes) == 0 ? (double)bytes : 0;
}

static double read_files(void *arg)
{
    DIR   *folder = opendir("/proc/self/fd");
    size_t count = 0;

    (void)arg;
    if (folder == NULL)
        return 0;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count < 3 ? 0 : (double)(count - 3);        /* ".", "..", and the folder itself */
}

static double read_files_max(void *arg)
{
    struct rlimit limit;

    (void)arg;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : 0;
}

static double read_start(void *arg)
{
    return ((struct runtime *)arg)->started_s;
}

static void on_look(uv_timer_t *timer)
{
    struct runtime *r = timer->data;
    uint64_t        now_ns = uv_hrtime(), waited_ns = now_ns - r->looked_ns;

    r->looked_ns = now_ns;
    metric_observe(r->lag, waited_ns > LOOK_MS * 1000000ull
                               ? (double)(waited_ns - LOOK_MS * 1000000ull) / 1e9 : 0);
}

struct runtime *runtime_new(uv_loop_t *loop, struct metrics *m)
{
    struct runtime *r = mem_new(struct runtime);

    r->started_s = (double)clock_wall_ms() / 1000;
    metrics_read(m, "process_cpu_seconds_total", NULL, "CPU time used, user and system", read_cpu,
                 r);
    metrics_read(m, "process_resident_memory_bytes", NULL, "Resident memory", read_memory, r);
    metrics_read(m, "process_open_fds", NULL, "Open files", read_files, r);
    metrics_read(m, "process_max_fds", NULL, "How many files may be open", read_files_max, r);
    metrics_read(m, "process_start_time_seconds", NULL, "When it started, Unix time", read_start, r);
    metric_set(metrics_gauge(m, "taskwire_build_info", "version=\"" TASKWIRE_VERSION "\"",
                             "1; the version is its label"), 1);
    r->lag = metrics_histogram(m, "taskwire_loop_lag_seconds", NULL,
                               "How late a timer of the loop was, looked at ten times a second");
    r->looked_ns = uv_hrtime();
    uv_timer_init(loop, &r->timer);
    r->timer.data = r;
    uv_timer_start(&r->timer, on_look, LOOK_MS, LOOK_MS);
    return r;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void runtime_close(struct runtime *r)
{
    uv_close((uv_handle_t *)&r->timer, on_closed);
}

/* fault.h -- places where a crash test may kill the process (built with FAULTS=1 alone).
 *
 * TASKWIRE_FAULT=STEP[:N] kills it with SIGKILL at that step the N-th time (the first where N is
 * missing). The steps are what FAULT_POINT says in the code: of a transition before-commit
 * (SQLite), after-commit, after-settle (amid-settle inside, MongoDB), after-notify,
 * before-publish, after-publish, before-mark and after-mark; of an input of the bus before-ack,
 * before-dead and after-ack; of an epoch before-begin and after-begin; of counts amid-fold
 * (MongoDB). With TASKWIRE_FAULT_STOPS set it stops there instead (SIGSTOP), just that time, so
 * that others can be killed at that very step before it is told to go on. Without
 * -DTASKWIRE_FAULTS nothing is left of it. Any thread: that two of them miscount is of no interest
 * to whoever is being killed. */
#ifndef TASKWIRE_TASKD_FAULT_H
#define TASKWIRE_TASKD_FAULT_H

#ifdef TASKWIRE_FAULTS
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static inline void fault_point(const char *step, unsigned *times)
{
    const char *wanted = getenv("TASKWIRE_FAULT");
    size_t      len = strlen(step);
    unsigned    nth;

    if (wanted == NULL || strncmp(wanted, step, len) != 0)
        return;
    if (wanted[len] != '\0' && wanted[len] != ':')
        return;
    nth = wanted[len] == ':' ? (unsigned)strtoul(wanted + len + 1, NULL, 10) : 1;
    *times += 1;
    if (getenv("TASKWIRE_FAULT_STOPS") == NULL && *times >= nth)
        raise(SIGKILL);
    else if (*times == nth)
        raise(SIGSTOP);
}

#define FAULT_POINT(step)                    \
    do {                                     \
        static unsigned fault_times;         \
        fault_point((step), &fault_times);   \
    } while (0)
#else
#define FAULT_POINT(step) do { } while (0)
#endif

#endif

/* main.c -- the simulation as a program.
 *
 *   sim [--count 10000] [--from 1] [--jobs 2] [--tap]   many seeds; ends with the first failure
 *                                                       (--tap: and are histories repeatable?)
 *   sim --seed N [--verbose]                            one history, told
 *
 * Workers are forks that share the seeds out; each runs its seeds without a trace. A seed
 * that fails is run again with one, in a process of its own, and gives the same history: the
 * last hundred events of it are printed, and the check that it broke. */
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/plan.h"
#include "tests/sim/sim.h"

#define JOBS_MAX 16
#define AGAIN    5                             /* seeds that --tap runs again */
#define FAILED   3

struct shared {
    _Atomic uint64_t next, digest;
    struct worker {
        _Atomic uint64_t seed;
        struct plan_sum  sum;
    } workers[JOBS_MAX];
};

struct options {
    uint64_t from, count, seed;
    unsigned jobs;
    bool     is_verbose, is_tap;
};

void sim_failed(const char *check, const char *why)
{
    if (sim.is_tracing) {
        if (!sim.is_verbose)
            sim_print_trace();
        printf("seed %llu breaks: %s\n  %s\n", (unsigned long long)sim.seed, check, why);
        printf("  replay: sim --seed %llu --verbose\n", (unsigned long long)sim.seed);
        fflush(stdout);
    }
    _exit(FAILED);
}

/* An assertion of the product, or worse: the history that led there is worth as much. */
static void on_fatal(int sig)
{
    if (sim.is_tracing && !sim.is_verbose)
        sim_print_trace();
    printf("seed %llu breaks: nothing crashes\n  signal %d\n", (unsigned long long)sim.seed, sig);
    fflush(stdout);
    _exit(FAILED);
}

static int seed_tell(const struct options *o, uint64_t seed)
{
    struct plan_sum sum = { 0 };
    uint64_t        digest;

    signal(SIGABRT, on_fatal);
    signal(SIGSEGV, on_fatal);
    sim.is_tracing = true;
    sim.is_verbose = o->is_verbose;
    digest = plan_run(seed, &sum);
    printf("seed %llu is clean: %llu transitions, %llu events heard, %llu faults, %llu happenings, "
           "digest %016llx\n", (unsigned long long)seed, (unsigned long long)sum.transitions,
           (unsigned long long)sum.events, (unsigned long long)sum.faults,
           (unsigned long long)sum.happenings, (unsigned long long)digest);
    return 0;
}

static void worker_run(const struct options *o, struct shared *shared, struct worker *w)
{
    uint64_t seed;

    while ((seed = atomic_fetch_add(&shared->next, 1)) < o->from + o->count) {
        w->seed = seed;
        shared->digest ^= plan_run(seed, &w->sum) * (2 * seed + 1);
    }
    w->seed = 0;
    exit(0);
}

/* The seed that ended a worker, told by a process of its own. */
static void failure_tell(const struct options *o, uint64_t seed)
{
    pid_t pid;
    int   status;

    fflush(stdout);
    pid = fork();
    if (pid == 0)
        exit(seed_tell(o, seed));
    if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        printf("seed %llu failed, and is clean when it is told: the simulation is not exact\n",
               (unsigned long long)seed);
}

static uint64_t workers_wait(struct shared *shared, pid_t *pids, unsigned jobs)
{
    uint64_t failed = 0;

    for (unsigned left = jobs; left > 0; left--) {
        int   status;
        pid_t pid = wait(&status);

        for (unsigned i = 0; i < jobs; i++) {
            if (pids[i] != pid)
                continue;
            pids[i] = 0;
            if ((!WIFEXITED(status) || WEXITSTATUS(status) != 0) && failed == 0)
                failed = shared->workers[i].seed;
        }
        for (unsigned i = 0; failed != 0 && i < jobs; i++) {
            if (pids[i] != 0)
                kill(pids[i], SIGKILL);
        }
    }
    return failed;
}

static void result_tell(const struct options *o, const struct shared *shared, uint64_t failed,
                        double seconds)
{
    struct plan_sum sum = { 0 };

    for (unsigned i = 0; i < o->jobs; i++) {
        sum.histories += shared->workers[i].sum.histories;
        sum.transitions += shared->workers[i].sum.transitions;
        sum.events += shared->workers[i].sum.events;
        sum.faults += shared->workers[i].sum.faults;
        sum.happenings += shared->workers[i].sum.happenings;
    }
    if (failed == 0)
        printf("%llu seeds clean in %.1f s: %llu transitions, %llu events heard, %llu faults, "
               "%llu happenings; digest %016llx\n", (unsigned long long)sum.histories, seconds,
               (unsigned long long)sum.transitions, (unsigned long long)sum.events,
               (unsigned long long)sum.faults, (unsigned long long)sum.happenings,
               (unsigned long long)shared->digest);
    else
        printf("failed at seed %llu, after %llu clean ones and %.1f s\n",
               (unsigned long long)failed, (unsigned long long)sum.histories, seconds);
    if (o->is_tap)
        printf("%s 1 - %llu seeded histories keep C1 to C3\n", failed == 0 ? "ok" : "not ok",
               (unsigned long long)o->count);
}

/* A failing seed is worth something only if it fails again: each history, traced and not, must
 * be the same. */
static bool again_tell(const struct options *o)
{
    struct plan_sum sum = { 0 };
    bool            is_same = true;

    for (uint64_t seed = o->from; seed < o->from + AGAIN; seed++) {
        uint64_t first = plan_run(seed, &sum);

        sim.is_tracing = true;
        is_same = is_same && plan_run(seed, &sum) == first;
        sim.is_tracing = false;
    }
    printf("%s 2 - a seed replays exactly\n", is_same ? "ok" : "not ok");
    return is_same;
}

static int seeds_run(const struct options *o)
{
    struct shared  *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t           pids[JOBS_MAX];
    struct timespec begun, ended;
    uint64_t        failed;

    if (shared == MAP_FAILED)
        return 2;
    shared->next = o->from;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    fflush(stdout);
    for (unsigned i = 0; i < o->jobs; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            worker_run(o, shared, &shared->workers[i]);
    }
    failed = workers_wait(shared, pids, o->jobs);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    if (failed != 0)
        failure_tell(o, failed);
    result_tell(o, shared, failed, (double)(ended.tv_sec - begun.tv_sec) +
                                       (double)(ended.tv_nsec - begun.tv_nsec) / 1e9);
    munmap(shared, sizeof(*shared));
    if (failed == 0 && o->is_tap && !again_tell(o))
        return 1;
    return failed == 0 ? 0 : 1;
}

static bool option_read(const char *name, const char *value, struct options *o)
{
    uint64_t n = value != NULL ? strtoull(value, NULL, 10) : 0;

    if (strcmp(name, "--seed") == 0)
        o->seed = n;
    else if (strcmp(name, "--count") == 0)
        o->count = n;
    else if (strcmp(name, "--from") == 0)
        o->from = n;
    else if (strcmp(name, "--jobs") == 0)
        o->jobs = n < 1 ? 1 : n > JOBS_MAX ? JOBS_MAX : (unsigned)n;
    else
        return false;
    return n > 0;
}

int main(int argc, char **argv)
{
    struct options o = { .from = 1, .count = 10000, .jobs = 2 };

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            o.is_verbose = true;
        } else if (strcmp(argv[i], "--tap") == 0) {
            o.is_tap = true;
        } else if (i + 1 < argc && option_read(argv[i], argv[i + 1], &o)) {
            i++;
        } else {
            fprintf(stderr, "usage: sim [--count N] [--from N] [--jobs N] [--tap] | "
                            "--seed N [--verbose]\n");
            return 2;
        }
    }
    json_object_seed(1);                       /* or jansson would draw one for its tables */
    return o.seed != 0 ? seed_tell(&o, o.seed) : seeds_run(&o);
}

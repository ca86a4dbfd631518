/* sim.h -- the simulated world: one clock, one dice, one queue of what will happen.
 *
 * Everything that is modelled (network, Redis, store, clients) and everything that is real
 * (the services' own objects, linked) runs as happenings of this queue, in the order of
 * virtual time. All chance comes from one generator, so a seed is a history. A process of
 * the real code is a *node*: it has a loop of its own (loop.c) and may die at any moment.
 *
 * There is one world per process, and it is a global: worlds follow each other. */
#ifndef TASKWIRE_SIM_SIM_H
#define TASKWIRE_SIM_SIM_H

#include <uv.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "common/slice.h"

#define MS 1000u                               /* of virtual time, which is in microseconds */
#define S  (1000u * MS)

struct node {
    uv_loop_t   loop;                          /* an address and `data`; libuv never runs it */
    char        name[16];
    int64_t     wall_skew_us;                  /* its clock is that much off */
    bool        is_dead;
    struct list timers, goodbyes;
};

struct happening;

struct sim {
    uint64_t     seed, now_us, dice, happened;
    uint64_t     digest;                       /* of the history: equal histories, equal digests */
    struct node *node;                         /* whose turn it is; NULL: the world's */
    bool         is_tracing, is_verbose;
    uint64_t     calm_from_us;                 /* from then on nothing fails any more */
};
extern struct sim sim;

void sim_begin(uint64_t seed);
void sim_end(void);                            /* the queue must be empty of what owns memory */

/* --- chance --- */
uint64_t sim_dice(uint64_t below);                      /* 0 .. below - 1 */
uint64_t sim_between(uint64_t from, uint64_t to);       /* both included */
bool     sim_chance(unsigned per_mille);

/* --- time --- */

/* `fn(arg)` in `us`, in `n`'s name (NULL: the world's). Valid until it runs or is cancelled. */
struct happening *sim_after(uint64_t us, struct node *n, void (*fn)(void *arg), void *arg);
struct happening *sim_at(uint64_t at_us, struct node *n, void (*fn)(void *arg), void *arg);
void sim_cancel(struct happening *h);                   /* NULL is ignored */
bool sim_step(void);                                    /* the next happening; false: none */
void sim_run_until(uint64_t at_us);

/* --- nodes --- */
void node_init(struct node *n, const char *name, int64_t wall_skew_us);

/* From now on its timers are silent and nothing it does has an effect: it only gives its
 * memory back. (The models look at is_dead.) */
void node_kill(struct node *n);

/* Run `fn(arg)` later in its loop, also when it is dead (as uv_close does). */
void node_goodbye(struct node *n, void (*fn)(void *arg), void *arg);

/* A dead node's last callbacks, until there are none. */
void node_drain(struct node *n);
struct node *node_of(const uv_loop_t *loop);

/* --- telling --- */

/* A line of the history. Costs nothing where nobody listens. */
#define sim_trace(...) do { if (sim.is_tracing) sim_trace_line(__VA_ARGS__); } while (0)
void sim_trace_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sim_note(uint64_t a, uint64_t b);                  /* into the digest */
void sim_print_trace(void);                             /* the last lines */

/* A promise was broken: say which, and end this process. */
_Noreturn void sim_fail(const char *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What ends a failed history (main.c). */
_Noreturn void sim_failed(const char *check, const char *why);

#endif

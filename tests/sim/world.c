/* world.c -- the clock, the dice and the queue of the simulation.
 *
 * The queue is a binary heap ordered by time and then by the order in which things were put
 * in, so that equal times have one order in every run. Tracing is off in bulk: a failing seed
 * is run again with tracing, which costs nothing as it replays exactly. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/mem.h"
#include "tests/sim/sim.h"

#define TRACE_LINES 120
#define TRACE_SIZE  200
#define QUEUE_FIRST 1024

struct happening {
    uint64_t     at_us, order;
    size_t       index;
    struct node *node;
    void       (*fn)(void *arg);
    void        *arg;
};

struct sim sim;

static struct {
    struct happening **heap;
    size_t             count, cap;
    uint64_t           order;
    struct happening **spare;
    size_t             spare_count, spare_cap;
} queue;

static struct {
    char   lines[TRACE_LINES][TRACE_SIZE];
    size_t count;
} trace;

/* --- chance (splitmix64) --- */

static uint64_t dice_next(void)
{
    uint64_t z = sim.dice += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t sim_dice(uint64_t below)
{
    assert(below > 0);
    return dice_next() % below;
}

uint64_t sim_between(uint64_t from, uint64_t to)
{
    assert(from <= to);
    return from + sim_dice(to - from + 1);
}

bool sim_chance(unsigned per_mille)
{
    return per_mille > 0 && sim_dice(1000) < per_mille;
}

/* --- the heap --- */

static bool is_before(const struct happening *a, const struct happening *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void heap_put(size_t i, struct happening *h)
{
    queue.heap[i] = h;
    h->index = i;
}

static void heap_up(size_t i, struct happening *h)
{
    while (i > 0 && is_before(h, queue.heap[(i - 1) / 2])) {
        heap_put(i, queue.heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_put(i, h);
}

static void heap_down(size_t i, struct happening *h)
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= queue.count)
            break;
        if (child + 1 < queue.count && is_before(queue.heap[child + 1], queue.heap[child]))
            child++;
        if (!is_before(queue.heap[child], h))
            break;
        heap_put(i, queue.heap[child]);
        i = child;
    }
    heap_put(i, h);
}

static void heap_take(struct happening *h)
{
    struct happening *last = queue.heap[--queue.count];
    size_t            i = h->index;

    if (last == h)
        return;
    if (i > 0 && is_before(last, queue.heap[(i - 1) / 2]))
        heap_up(i, last);
    else
        heap_down(i, last);
}

static void happening_free(struct happening *h)
{
    if (queue.spare_count == queue.spare_cap) {
        queue.spare_cap = queue.spare_cap == 0 ? QUEUE_FIRST : queue.spare_cap * 2;
        queue.spare = mem_resize(queue.spare, queue.spare_cap * sizeof(struct happening *));
    }
    queue.spare[queue.spare_count++] = h;
}

struct happening *sim_at(uint64_t at_us, struct node *n, void (*fn)(void *), void *arg)
{
    struct happening *h = queue.spare_count > 0 ? queue.spare[--queue.spare_count]
                                                : mem_new(struct happening);

    if (queue.count == queue.cap) {
        queue.cap = queue.cap == 0 ? QUEUE_FIRST : queue.cap * 2;
        queue.heap = mem_resize(queue.heap, queue.cap * sizeof(struct happening *));
    }
    *h = (struct happening){ .at_us = at_us < sim.now_us ? sim.now_us : at_us,
                             .order = queue.order++, .node = n, .fn = fn, .arg = arg };
    queue.count++;
    heap_up(queue.count - 1, h);
    return h;
}

struct happening *sim_after(uint64_t us, struct node *n, void (*fn)(void *), void *arg)
{
    return sim_at(sim.now_us + us, n, fn, arg);
}

void sim_cancel(struct happening *h)
{
    if (h == NULL)
        return;
    heap_take(h);
    happening_free(h);
}

bool sim_step(void)
{
    struct happening *h, now;

    if (queue.count == 0)
        return false;
    h = queue.heap[0];
    now = *h;
    heap_take(h);
    happening_free(h);
    sim.now_us = now.at_us;
    sim.happened++;
    sim.node = now.node;
    now.fn(now.arg);
    sim.node = NULL;
    return true;
}

void sim_run_until(uint64_t at_us)
{
    while (queue.count > 0 && queue.heap[0]->at_us <= at_us)
        sim_step();
    sim.now_us = at_us;
}

void sim_begin(uint64_t seed)
{
    bool is_tracing = sim.is_tracing, is_verbose = sim.is_verbose;

    sim = (struct sim){ .seed = seed, .dice = seed * UINT64_C(0x2545f4914f6cdd1d) + 1,
                        .now_us = S, .digest = UINT64_C(14695981039346656037),
                        .is_tracing = is_tracing, .is_verbose = is_verbose };
    trace.count = 0;
    queue.order = 0;
}

void sim_end(void)
{
    while (queue.count > 0)
        sim_cancel(queue.heap[0]);
    while (queue.spare_count > 0)
        free(queue.spare[--queue.spare_count]);
    free(queue.heap);
    free(queue.spare);
    queue.heap = queue.spare = NULL;
    queue.cap = queue.spare_cap = 0;
}

/* --- telling --- */

void sim_note(uint64_t a, uint64_t b)
{
    sim.digest = (sim.digest ^ a) * UINT64_C(1099511628211);
    sim.digest = (sim.digest ^ b ^ sim.now_us) * UINT64_C(1099511628211);
}

void sim_trace_line(const char *format, ...)
{
    char   *line = trace.lines[trace.count++ % TRACE_LINES];
    int     len = snprintf(line, TRACE_SIZE, "%9.3f ms  ", (double)(sim.now_us - S) / MS);
    va_list args;

    va_start(args, format);
    vsnprintf(line + len, TRACE_SIZE - (size_t)len, format, args);
    va_end(args);
    if (sim.is_verbose)
        printf("%s\n", line);
}

void sim_print_trace(void)
{
    size_t from = trace.count > TRACE_LINES ? trace.count - TRACE_LINES : 0;

    for (size_t i = from; i < trace.count; i++)
        printf("  %s\n", trace.lines[i % TRACE_LINES]);
}

void sim_fail(const char *check, const char *format, ...)
{
    char    why[512];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    sim_failed(check, why);
}

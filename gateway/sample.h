/* sample.h -- how many different people there are, from a little of each gateway's set.
 *
 * A bottom-k sketch: of every set the people with the smallest hashes are kept, all those
 * below a bound. What lies below the smallest bound is known wholly of every set, so there it
 * can be seen how often the same person is in several. `n` people counted set by set are then
 *
 *     n * (different ones below the bound) / (all below the bound)
 *
 * different people. That is exact where nobody is in two sets, and where all of them together
 * fit into the samples; else the error is a few per cent of those who are in several.
 * (Cohen and Kaplan, "Summarizing data using bottom-k sketches", 2007.)
 *
 * Pure but for memory. Belongs to one thread. */
#ifndef TASKWIRE_GATEWAY_SAMPLE_H
#define TASKWIRE_GATEWAY_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/slice.h"

#define SAMPLE_MAX  128                        /* hashes kept of a set */
#define SAMPLE_MIN  64                         /* fewer, of a set that has more: take it anew */
#define SAMPLE_ALL  ((UINT64_C(1) << 48) - 1)  /* a bound above every hash: the set is here wholly */
#define SAMPLE_TEXT_MAX (8 * (SAMPLE_MAX + 1))

struct sample {
    uint64_t *at;                              /* ascending */
    size_t    count, cap;
    uint64_t  bound;                           /* every hash of the set below it is in `at` */
};

/* 48 bits that are the same on every gateway. */
uint64_t sample_hash(struct slice person);

void sample_init(struct sample *s);            /* of an empty set */
void sample_deinit(struct sample *s);

/* The set gains or loses a person (whom it had not, or had). sample_remove returns whether the
 * sample has become poor: sample_init it and add everybody again. */
void sample_add(struct sample *s, uint64_t hash);
bool sample_remove(struct sample *s, uint64_t hash);

/* As base64url text, and back: 0, or ERR_INVALID where it is no sample (`s` is empty then). */
void sample_append(const struct sample *s, struct buf *out);
int  sample_parse(struct sample *s, struct slice text);

/* How many different people are in these sets, which have `counts` people each. */
uint64_t sample_union(const struct sample *const *sets, const uint64_t *counts, size_t n);

#endif

/* nonces.h -- which nonces were used within the last minute: each is good once.
 *
 * Bounded: past NONCES_MAX in half a minute new ones are refused, since one that cannot be
 * remembered could be used twice. Pure but for memory; one thread. */
#ifndef TASKWIRE_GATEWAY_NONCES_H
#define TASKWIRE_GATEWAY_NONCES_H

#include <stddef.h>
#include <stdint.h>

#define NONCES_SPAN_MS 30000                   /* of time in one set */
#define NONCES_SETS    3                       /* what is at most a span from now, either way */
#define NONCES_MAX     (1u << 19)              /* in one set: 17,000 a second */

struct nonce_set {
    int64_t   span;                            /* which one: its time / NONCES_SPAN_MS */
    uint64_t *slots;                           /* open addressing; 0: free */
    size_t    slot_count;                      /* a power of two, or 0 */
    size_t    count;
};

struct nonces {
    struct nonce_set sets[NONCES_SETS];
};

void nonces_init(struct nonces *n);
void nonces_deinit(struct nonces *n);

/* Use a nonce whose time is `at_ms`, at most NONCES_SPAN_MS away from now. Returns 0,
 * ERR_REPEAT, or ERR_BUSY where there is no room to remember it. 0 is no nonce: ERR_REPEAT. */
int nonces_add(struct nonces *n, int64_t at_ms, uint64_t nonce);

#endif

/* nonces.c -- see nonces.h.
 *
 * Time is cut into spans of half a minute. What may come now lies in three of them, so there
 * are three sets, and a span that begins takes the set of the one that nobody may use any
 * more: nothing has to be swept, nothing has an age of its own. Nonces are random, so their own
 * bits are the hash. */
#include "gateway/nonces.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"

#define SLOTS_MIN 64

void nonces_init(struct nonces *n)
{
    *n = (struct nonces){ 0 };
}

void nonces_deinit(struct nonces *n)
{
    for (size_t i = 0; i < NONCES_SETS; i++)
        free(n->sets[i].slots);
    nonces_init(n);
}

/* Where it is, or where it would be. */
static uint64_t *slot_of(const struct nonce_set *s, uint64_t nonce)
{
    size_t i = (size_t)nonce & (s->slot_count - 1);

    while (s->slots[i] != 0 && s->slots[i] != nonce)
        i = (i + 1) & (s->slot_count - 1);
    return &s->slots[i];
}

static void grow(struct nonce_set *s)
{
    struct nonce_set old = *s;

    s->slot_count = old.slot_count == 0 ? SLOTS_MIN : old.slot_count * 2;
    s->slots = mem_alloc(s->slot_count * sizeof(*s->slots));
    for (size_t i = 0; i < old.slot_count; i++) {
        if (old.slots[i] != 0)
            *slot_of(s, old.slots[i]) = old.slots[i];
    }
    free(old.slots);
}

static struct nonce_set *set_of(struct nonces *n, int64_t at_ms)
{
    int64_t           span = at_ms / NONCES_SPAN_MS;
    struct nonce_set *s = &n->sets[span % NONCES_SETS];

    if (s->span != span) {
        free(s->slots);
        *s = (struct nonce_set){ .span = span };
    }
    return s;
}

int nonces_add(struct nonces *n, int64_t at_ms, uint64_t nonce)
{
    struct nonce_set *s;
    uint64_t         *slot;

    if (nonce == 0 || at_ms < 0)
        return ERR_REPEAT;
    s = set_of(n, at_ms);
    if (s->count >= NONCES_MAX)
        return ERR_BUSY;
    if (2 * (s->count + 1) > s->slot_count)
        grow(s);
    slot = slot_of(s, nonce);
    if (*slot == nonce)
        return ERR_REPEAT;
    *slot = nonce;
    s->count++;
    return 0;
}

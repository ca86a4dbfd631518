/* sample.c -- see sample.h.
 *
 * The hashes are a sorted array that is grown as needed: most tasks have a handful of viewers,
 * and whether somebody is below the bound is one comparison for all others.
 *
 * Rejected: HyperLogLog (Redis has it, but nobody can leave one), and sending whole sets
 * (5,000 viewers on ten gateways, each told of all others' every second). */
#include "gateway/sample.h"

#include <stdlib.h>

#include "common/crypto.h"
#include "common/err.h"
#include "common/mem.h"

#define HASH_BYTES 6

/* FNV-1a, then a finish that mixes all bits (MurmurHash3's): the order of hashes must have
 * nothing to do with the names. */
uint64_t sample_hash(struct slice person)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < person.len; i++)
        h = (h ^ (unsigned char)person.data[i]) * UINT64_C(1099511628211);
    h = (h ^ (h >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ (h >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    h ^= h >> 33;
    return (h >> 16) % SAMPLE_ALL;
}

void sample_init(struct sample *s)
{
    *s = (struct sample){ .bound = SAMPLE_ALL };
}

void sample_deinit(struct sample *s)
{
    free(s->at);
    sample_init(s);
}

/* The first place whose hash is not below `hash`. */
static size_t place_of(const struct sample *s, uint64_t hash)
{
    size_t low = 0, high = s->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->at[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void sample_add(struct sample *s, uint64_t hash)
{
    size_t place = place_of(s, hash);

    if (hash >= s->bound || (place < s->count && s->at[place] == hash))
        return;                                /* the same hash twice counts once, as one person */
    if (s->count == s->cap) {
        s->cap = s->cap == 0 ? 4 : s->cap * 2;
        s->at = mem_resize(s->at, s->cap * sizeof(s->at[0]));
    }
    memmove(s->at + place + 1, s->at + place, (s->count - place) * sizeof(s->at[0]));
    s->at[place] = hash;
    if (++s->count > SAMPLE_MAX)
        s->bound = s->at[--s->count];
}

bool sample_remove(struct sample *s, uint64_t hash)
{
    size_t place = place_of(s, hash);

    if (place == s->count || s->at[place] != hash)
        return false;
    s->count--;
    memmove(s->at + place, s->at + place + 1, (s->count - place) * sizeof(s->at[0]));
    return s->bound != SAMPLE_ALL && s->count < SAMPLE_MIN;
}

/* --- as text: the bound, then the hashes, six bytes each --- */

static void bytes_put(uint8_t out[HASH_BYTES], uint64_t n)
{
    for (int i = 0; i < HASH_BYTES; i++)
        out[i] = (uint8_t)(n >> (8 * (HASH_BYTES - 1 - i)));
}

static uint64_t bytes_get(const char *bytes)
{
    uint64_t n = 0;

    for (int i = 0; i < HASH_BYTES; i++)
        n = n << 8 | (uint8_t)bytes[i];
    return n;
}

void sample_append(const struct sample *s, struct buf *out)
{
    uint8_t bytes[(SAMPLE_MAX + 1) * HASH_BYTES];

    bytes_put(bytes, s->bound);
    for (size_t i = 0; i < s->count; i++)
        bytes_put(bytes + (i + 1) * HASH_BYTES, s->at[i]);
    crypto_append_base64url(out, bytes, (s->count + 1) * HASH_BYTES);
}

/* Another gateway wrote it; it is believed only where it is in order. */
static bool is_in_order(const struct sample *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->at[i] >= s->bound || (i > 0 && s->at[i] <= s->at[i - 1]))
            return false;
    }
    return s->bound <= SAMPLE_ALL;
}

int sample_parse(struct sample *s, struct slice text)
{
    struct buf bytes;
    size_t     count;
    int        err;

    sample_init(s);
    buf_init(&bytes, (SAMPLE_MAX + 1) * HASH_BYTES);
    err = crypto_decode_base64url(text, &bytes);
    if (err == 0 && bytes.len >= HASH_BYTES && bytes.len % HASH_BYTES == 0) {
        count = bytes.len / HASH_BYTES - 1;
        s->bound = bytes_get(bytes.data);
        s->cap = s->count = count;
        s->at = count > 0 ? mem_alloc(count * sizeof(s->at[0])) : NULL;
        for (size_t i = 0; i < count; i++)
            s->at[i] = bytes_get(bytes.data + (i + 1) * HASH_BYTES);
        err = is_in_order(s) ? 0 : ERR_INVALID;
    } else {
        err = ERR_INVALID;
    }
    buf_deinit(&bytes);
    if (err != 0)
        sample_deinit(s);
    return err;
}

/* --- several --- */

static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static uint64_t different_of(uint64_t *hashes, size_t count)
{
    uint64_t different = 0;

    qsort(hashes, count, sizeof(hashes[0]), by_hash);
    for (size_t i = 0; i < count; i++)
        different += i == 0 || hashes[i] != hashes[i - 1];
    return different;
}

uint64_t sample_union(const struct sample *const *sets, const uint64_t *counts, size_t n)
{
    uint64_t  bound = SAMPLE_ALL, sum = 0, most = 0, different, *all;
    size_t    count = 0;

    for (size_t i = 0; i < n; i++) {
        bound = sets[i]->bound < bound ? sets[i]->bound : bound;
        most = counts[i] > most ? counts[i] : most;
        sum += counts[i];
    }
    if (n < 2)
        return sum;
    all = mem_alloc(n * SAMPLE_MAX * sizeof(all[0]));
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < sets[i]->count && sets[i]->at[k] < bound; k++)
            all[count++] = sets[i]->at[k];
    }
    different = different_of(all, count);
    free(all);
    if (count > 0)
        sum = (sum * different + count / 2) / count;
    return sum < most ? most : sum;            /* the largest set alone has so many */
}

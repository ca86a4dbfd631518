/* sids.c -- see sids.h. uthash would spend 56 bytes in each session on what one link does. */
#include "gateway/engineio/sids.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/crypto.h"
#include "common/mem.h"
#include "gateway/engineio/session.h"

#define BUCKETS_MIN 64

void sids_init(struct sids *t)
{
    *t = (struct sids){ 0 };
}

void sids_deinit(struct sids *t)
{
    assert(t->count == 0);
    free(t->buckets);
    sids_init(t);
}

static struct eio_session **bucket_of(const struct sids *t, struct slice sid)
{
    uint64_t hash;

    assert(sid.len >= sizeof(hash));
    memcpy(&hash, sid.data + sid.len - sizeof(hash), sizeof(hash));
    hash *= UINT64_C(0x9e3779b97f4a7c15);      /* six bits of each character are random */
    return &t->buckets[(hash >> 32) & (t->bucket_count - 1)];
}

static void chain(struct sids *t, struct eio_session *s)
{
    struct eio_session **at = bucket_of(t, eio_session_sid(s));

    s->next_in_bucket = *at;
    *at = s;
}

static void grow(struct sids *t)
{
    struct sids old = *t;

    t->bucket_count = old.bucket_count == 0 ? BUCKETS_MIN : old.bucket_count * 2;
    t->buckets = mem_alloc(t->bucket_count * sizeof(struct eio_session *));
    for (size_t i = 0; i < old.bucket_count; i++) {
        struct eio_session *next;

        for (struct eio_session *s = old.buckets[i]; s != NULL; s = next) {
            next = s->next_in_bucket;
            chain(t, s);
        }
    }
    free(old.buckets);
}

void sids_add(struct sids *t, struct eio_session *s)
{
    assert(!s->is_listed);
    if (t->count >= t->bucket_count)
        grow(t);
    chain(t, s);
    s->is_listed = true;
    t->count++;
}

void sids_remove(struct sids *t, struct eio_session *s)
{
    struct eio_session **at;

    if (!s->is_listed)
        return;
    for (at = bucket_of(t, eio_session_sid(s)); *at != s; at = &(*at)->next_in_bucket)
        assert(*at != NULL);
    *at = s->next_in_bucket;
    s->is_listed = false;
    t->count--;
}

struct eio_session *sids_find(const struct sids *t, struct slice sid)
{
    if (t->count == 0 || sid.len < SID_RANDOM_CHARS)
        return NULL;
    for (struct eio_session *s = *bucket_of(t, sid); s != NULL; s = s->next_in_bucket) {
        if (crypto_equal(eio_session_sid(s), sid))
            return s;
    }
    return NULL;
}

void sids_each(struct sids *t, void (*fn)(struct eio_session *s))
{
    for (size_t i = 0; i < t->bucket_count; i++) {
        struct eio_session *next;

        for (struct eio_session *s = t->buckets[i]; s != NULL; s = next) {
            next = s->next_in_bucket;
            fn(s);
        }
    }
}

/* seat_table.c -- seats by their number, for answers and news that may come after their end.
 *
 * Numbers count up, so their low bits are the hash, and one link per seat is all there is to
 * pay; uthash's handle would be a third of a seat, and every recoverable socket has one. */
#include "gateway/seat.h"

#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"

#define BUCKETS_MIN 64

static struct seat **bucket_of(const struct seat_table *t, uint64_t no)
{
    return &t->buckets[no & (t->bucket_count - 1)];
}

static void chain(struct seat_table *t, struct seat *s)
{
    struct seat **bucket = bucket_of(t, s->no);

    s->next_in_bucket = *bucket;
    *bucket = s;
}

static void grow(struct seat_table *t)
{
    struct seat_table old = *t;

    t->bucket_count = old.bucket_count == 0 ? BUCKETS_MIN : old.bucket_count * 2;
    t->buckets = mem_alloc(t->bucket_count * sizeof(t->buckets[0]));
    for (size_t i = 0; i < old.bucket_count; i++) {
        struct seat *next;

        for (struct seat *s = old.buckets[i]; s != NULL; s = next) {
            next = s->next_in_bucket;
            chain(t, s);
        }
    }
    free(old.buckets);
}

void seat_table_add(struct seat_table *t, struct seat *s)
{
    if (t->count >= t->bucket_count)
        grow(t);
    chain(t, s);
    t->count++;
}

void seat_table_remove(struct seat_table *t, struct seat *s)
{
    struct seat **at = bucket_of(t, s->no);

    while (*at != s) {
        assert(*at != NULL);
        at = &(*at)->next_in_bucket;
    }
    *at = s->next_in_bucket;
    t->count--;
}

struct seat *seat_table_find(const struct seat_table *t, uint64_t no)
{
    struct seat *s = t->count == 0 ? NULL : *bucket_of(t, no);

    while (s != NULL && s->no != no)
        s = s->next_in_bucket;
    return s;
}

void seat_table_deinit(struct seat_table *t)
{
    assert(t->count == 0);
    free(t->buckets);
    *t = (struct seat_table){ 0 };
}

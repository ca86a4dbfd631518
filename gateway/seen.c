/* seen.c -- see seen.h.
 *
 * uthash keeps the order of insertion; taking an entry out and adding it again moves it to the
 * end, so the first is always the one that was not heard of for longest. */
#include "gateway/seen.h"

#include <assert.h>
#include <stdlib.h>

#include <uthash.h>

#include "common/mem.h"

#define ID_LEN 24

struct seen_task {
    char           id[ID_LEN];
    uint64_t       seq;
    UT_hash_handle hh;
};

void seen_init(struct seen *s)
{
    *s = (struct seen){ 0 };
}

static void forget(struct seen *s, struct seen_task *t)
{
    HASH_DEL(s->table, t);
    free(t);
}

void seen_deinit(struct seen *s)
{
    struct seen_task *t, *next;

    HASH_ITER(hh, s->table, t, next)
        forget(s, t);
}

static struct seen_task *find(const struct seen *s, struct slice task)
{
    struct seen_task *t = NULL;

    HASH_FIND(hh, s->table, task.data, ID_LEN, t);
    return t;
}

uint64_t seen_get(const struct seen *s, struct slice task)
{
    const struct seen_task *t = task.len == ID_LEN ? find(s, task) : NULL;

    return t != NULL ? t->seq : 0;
}

void seen_put(struct seen *s, struct slice task, uint64_t seq)
{
    struct seen_task *t;

    if (task.len != ID_LEN)
        return;
    t = find(s, task);
    if (t == NULL) {
        if (HASH_COUNT(s->table) >= SEEN_MAX)
            forget(s, s->table);
        t = mem_new(struct seen_task);
        memcpy(t->id, task.data, ID_LEN);
    } else {
        HASH_DEL(s->table, t);
    }
    if (seq > t->seq)
        t->seq = seq;
    HASH_ADD(hh, s->table, id, ID_LEN, t);
}

void seen_each_newest(const struct seen *s, size_t max,
                      void (*fn)(struct slice task, void *arg), void *arg)
{
    struct seen_task *t = s->table == NULL ? NULL
                          : ELMT_FROM_HH(s->table->hh.tbl, s->table->hh.tbl->tail);

    for (; t != NULL && max > 0; t = t->hh.prev, max--)
        fn(slice_make(t->id, ID_LEN), arg);
}

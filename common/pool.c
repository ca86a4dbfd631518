/* pool.c -- see pool.h.
 *
 * Rejected: giving slabs back when they are empty. It takes a pointer or an alignment per slab
 * to find the slab of an object, and after a crowd has left hardly any slab is empty. */
#include "common/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define POOL_IS_MALLOC 1
#else
#define POOL_IS_MALLOC 0
#endif

struct pool_slab {
    struct pool_slab *next;
    char              objects[];
};

void pool_init(struct pool *p, size_t size)
{
    assert(size >= sizeof(void *));
    *p = (struct pool){ .size = (size + 7) / 8 * 8 };
}

void pool_deinit(struct pool *p)
{
    assert(p->used == 0);
    while (p->slabs != NULL) {
        struct pool_slab *slab = p->slabs;

        p->slabs = slab->next;
        free(slab);
    }
    pool_init(p, p->size);
}

static void *take_fresh(struct pool *p)
{
    if (p->fresh == 0) {
        struct pool_slab *slab = mem_alloc(sizeof(*slab) + POOL_SLAB_COUNT * p->size);

        slab->next = p->slabs;
        p->slabs = slab;
        p->fresh = POOL_SLAB_COUNT;
    }
    return p->slabs->objects + --p->fresh * p->size;
}

void *pool_take(struct pool *p)
{
    void *object = p->free;

    p->used++;
    if (POOL_IS_MALLOC)
        return mem_alloc(p->size);
    if (object == NULL)
        return take_fresh(p);
    memcpy(&p->free, object, sizeof(p->free));
    memset(object, 0, p->size);
    return object;
}

void pool_give(struct pool *p, void *object)
{
    assert(p->used > 0);
    p->used--;
    if (POOL_IS_MALLOC) {
        free(object);
        return;
    }
    memcpy(object, &p->free, sizeof(p->free));
    p->free = object;
}

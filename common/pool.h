/* pool.h -- memory for very many objects of one size.
 *
 * malloc keeps a word beside each object and rounds up to 16 bytes; with half a dozen objects
 * per connection that is a tenth of what an idle connection costs. A pool cuts slabs of
 * POOL_SLAB_COUNT objects and reuses what is given back. Slabs stay until the end: a process
 * that once had so many connections will have them again.
 *
 * Under AddressSanitizer every object comes from malloc, so that nothing is hidden from it.
 * One thread. */
#ifndef TASKWIRE_COMMON_POOL_H
#define TASKWIRE_COMMON_POOL_H

#include <stddef.h>

#define POOL_SLAB_COUNT 64

struct pool_slab;

struct pool {
    size_t            size;                    /* of an object, a multiple of 8 */
    size_t            used;                    /* objects that are out */
    size_t            fresh;                   /* objects of the newest slab never taken yet */
    void             *free;                    /* given back; each begins with the next one */
    struct pool_slab *slabs;
};

/* `size` in bytes, 8 at least. */
void pool_init(struct pool *p, size_t size);

/* Everything has been given back. */
void pool_deinit(struct pool *p);

void *pool_take(struct pool *p);               /* zeroed; aligned to 8 bytes; never NULL (mem.h) */
void  pool_give(struct pool *p, void *object); /* one that was taken from it */

#endif

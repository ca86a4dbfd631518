/* rcbuf.c -- see rcbuf.h. */
#include "common/rcbuf.h"

#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"

struct rcbuf *rcbuf_new(size_t len)
{
    struct rcbuf *b;

    assert(len <= UINT32_MAX - sizeof(*b));
    b = mem_resize(NULL, sizeof(*b) + len);
    b->refs = 1;
    b->len = (uint32_t)len;
    return b;
}

struct rcbuf *rcbuf_copy(struct slice bytes)
{
    struct rcbuf *b = rcbuf_new(bytes.len);

    if (bytes.len != 0)
        memcpy(b->data, bytes.data, bytes.len);
    return b;
}

struct rcbuf *rcbuf_ref(struct rcbuf *b)
{
    if (b != NULL) {
        assert(b->refs > 0 && b->refs < UINT32_MAX);
        b->refs++;
    }
    return b;
}

void rcbuf_unref(struct rcbuf *b)
{
    if (b == NULL)
        return;
    assert(b->refs > 0);
    if (--b->refs == 0)
        free(b);
}

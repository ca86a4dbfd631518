/* mem.c -- see mem.h for why a failed allocation is the end. */
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *ptr, size_t size)
{
    if (ptr == NULL && size != 0) {
        fprintf(stderr, "level=error event=out-of-memory bytes=%zu\n", size);
        abort();
    }
    return ptr;
}

void *mem_alloc(size_t size)
{
    return checked(calloc(1, size), size);
}

void *mem_resize(void *ptr, size_t size)
{
    return checked(realloc(ptr, size), size);
}

char *mem_strdup(const char *text)
{
    return text == NULL ? NULL : mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t len)
{
    char *copy = checked(malloc(len + 1), len + 1);

    if (len != 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

void *mem_dup(const void *data, size_t len)
{
    void *copy = checked(malloc(len == 0 ? 1 : len), len);

    if (len != 0)
        memcpy(copy, data, len);
    return copy;
}

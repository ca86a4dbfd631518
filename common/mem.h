/* mem.h -- memory, or the end of the process.
 *
 * Every queue and buffer that a peer can fill has a ceiling of its own, so running out of
 * memory means that the machine is out, not that somebody sent too much. A process that
 * cannot allocate 100 bytes cannot keep its promises either: it says so and aborts, its
 * supervisor starts it again, and clients recover as from any crash (SPEC C3). So these
 * never return NULL. What they return is freed with free(). Any thread. */
#ifndef TASKWIRE_COMMON_MEM_H
#define TASKWIRE_COMMON_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);                  /* zeroed */
void *mem_resize(void *ptr, size_t size);      /* as realloc; new bytes are not zeroed */
char *mem_strdup(const char *text);            /* NULL stays NULL */
char *mem_strndup(const char *text, size_t len);
void *mem_dup(const void *data, size_t len);

/* Allocate one zeroed TYPE. */
#define mem_new(type) ((type *)mem_alloc(sizeof(type)))

#endif

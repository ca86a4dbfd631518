/* slice.h -- a borrowed run of bytes: pointer and length, no terminator, no ownership.
 *
 * Whoever hands out a slice says how long it is valid. Header only. Any thread. */
#ifndef TASKWIRE_COMMON_SLICE_H
#define TASKWIRE_COMMON_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *data;                          /* may be NULL where len is 0 */
    size_t      len;
};

/* A slice of a string literal. */
#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })

/* printf("%.*s", SLICE_ARG(s)) */
#define SLICE_ARG(s) (int)(s).len, (s).data != NULL ? (s).data : ""

static inline struct slice slice_make(const char *data, size_t len)
{
    return (struct slice){ data, len };
}

/* All of a NUL-terminated text; NULL gives the empty slice. */
static inline struct slice slice_of(const char *text)
{
    return (struct slice){ text, text == NULL ? 0 : strlen(text) };
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool slice_is(struct slice s, const char *text)
{
    return slice_eq(s, slice_of(text));
}

/* ASCII case folded, as header names and the like are compared. */
static inline bool slice_is_nocase(struct slice s, const char *text)
{
    return s.len == strlen(text) && (s.len == 0 || strncasecmp(s.data, text, s.len) == 0);
}

static inline bool slice_starts(struct slice s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s.len >= n && (n == 0 || memcmp(s.data, prefix, n) == 0);
}

/* What is left of `s` after its first `n` bytes; empty where it is shorter. */
static inline struct slice slice_from(struct slice s, size_t n)
{
    return n >= s.len ? (struct slice){ s.data, 0 } : (struct slice){ s.data + n, s.len - n };
}

/* Cut `*rest` at the first `sep`: returns what stands before it, leaves in `*rest` what
 * stands after. Without a `sep`, returns all and leaves `*rest` empty with data NULL. */
static inline struct slice slice_cut(struct slice *rest, char sep)
{
    const char  *at = rest->len == 0 ? NULL : memchr(rest->data, sep, rest->len);
    struct slice head = *rest;

    if (at == NULL) {
        *rest = (struct slice){ NULL, 0 };
        return head;
    }
    head.len = (size_t)(at - head.data);
    *rest = slice_from(*rest, head.len + 1);
    return head;
}

#endif

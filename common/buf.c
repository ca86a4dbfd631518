/* buf.c -- see buf.h. Growth doubles, so n appends cost O(n) copies. */
#include "common/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){ .max = max };
}

void buf_deinit(struct buf *b)
{
    free(b->data);
    buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data != NULL)
        b->data[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t len)
{
    size_t need, cap;

    if (len > b->max || b->len > b->max - len) {
        b->failed = true;
        return NULL;
    }
    need = b->len + len + 1;
    if (need > b->cap) {
        cap = b->cap < 64 ? 64 : b->cap * 2;
        if (cap < need)
            cap = need;
        b->data = mem_resize(b->data, cap);
        b->cap = cap;
    }
    return b->data + b->len;
}

void buf_added(struct buf *b, size_t len)
{
    assert(b->len + len < b->cap);
    b->len += len;
    b->data[b->len] = '\0';
}

int buf_append(struct buf *b, const void *data, size_t len)
{
    char *to = buf_reserve(b, len);

    if (to == NULL)
        return ERR_TOO_BIG;
    if (len != 0)
        memcpy(to, data, len);
    buf_added(b, len);
    return 0;
}

int buf_append_slice(struct buf *b, struct slice s)
{
    return buf_append(b, s.data, s.len);
}

int buf_append_text(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text));
}

int buf_append_char(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}

int buf_append_u64(struct buf *b, uint64_t n)
{
    char  digits[20];
    char *at = digits + sizeof(digits);

    do {
        *--at = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    return buf_append(b, at, (size_t)(digits + sizeof(digits) - at));
}

int buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    int     len;
    char   *to;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(len >= 0);
    to = buf_reserve(b, (size_t)len);
    if (to == NULL)
        return ERR_TOO_BIG;
    va_start(args, format);
    vsnprintf(to, (size_t)len + 1, format, args);
    va_end(args);
    buf_added(b, (size_t)len);
    return 0;
}

static void append_escaped(struct buf *b, unsigned char c)
{
    switch (c) {
    case '"':  buf_append(b, "\\\"", 2); break;
    case '\\': buf_append(b, "\\\\", 2); break;
    case '\n': buf_append(b, "\\n", 2); break;
    case '\r': buf_append(b, "\\r", 2); break;
    case '\t': buf_append(b, "\\t", 2); break;
    default:   buf_printf(b, "\\u%04x", c); break;
    }
}

int buf_append_json(struct buf *b, struct slice text)
{
    size_t start = 0;

    buf_append_char(b, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_append(b, text.data + start, i - start);
        append_escaped(b, c);
        start = i + 1;
    }
    buf_append(b, text.len == 0 ? "" : text.data + start, text.len - start);
    buf_append_char(b, '"');
    return b->failed ? ERR_TOO_BIG : 0;
}

void buf_consume(struct buf *b, size_t len)
{
    if (len >= b->len) {
        buf_reset(b);
        return;
    }
    memmove(b->data, b->data + len, b->len - len + 1);
    b->len -= len;
}

char *buf_take(struct buf *b)
{
    char *data = b->data != NULL ? b->data : mem_strdup("");

    buf_init(b, b->max);
    return data;
}

struct rcbuf *buf_rcbuf(const struct buf *b)
{
    return rcbuf_copy(buf_peek(b));
}

/* redis_reply.c -- reading replies. `struct redis_reply` is hiredis's redisReply under a
 * name of our own, so that no header shows hiredis; it is never made, only cast. */
#include "common/redis_internal.h"

#include <errno.h>
#include <stdlib.h>

static const redisReply *real(const struct redis_reply *reply)
{
    return (const redisReply *)reply;
}

enum redis_kind redis_reply_kind(const struct redis_reply *reply)
{
    if (reply == NULL)
        return REDIS_NIL;
    switch (real(reply)->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        return REDIS_TEXT;
    case REDIS_REPLY_INTEGER:
        return REDIS_INT;
    case REDIS_REPLY_ARRAY:
        return REDIS_ARRAY;
    case REDIS_REPLY_ERROR:
        return REDIS_ERROR;
    default:                                   /* nil; RESP3's kinds are never asked for */
        return REDIS_NIL;
    }
}

struct slice redis_reply_text(const struct redis_reply *reply)
{
    enum redis_kind kind = redis_reply_kind(reply);

    if (kind != REDIS_TEXT && kind != REDIS_ERROR)
        return slice_make(NULL, 0);
    return slice_make(real(reply)->str, real(reply)->len);
}

static int64_t number_of(struct slice text)
{
    char      digits[24], *end;
    long long n;

    if (text.len == 0 || text.len >= sizeof(digits) || text.data[0] == '+' || text.data[0] <= ' ')
        return 0;
    memcpy(digits, text.data, text.len);
    digits[text.len] = '\0';
    errno = 0;
    n = strtoll(digits, &end, 10);
    return errno == 0 && end == digits + text.len ? n : 0;
}

int64_t redis_reply_int(const struct redis_reply *reply)
{
    if (redis_reply_kind(reply) == REDIS_INT)
        return real(reply)->integer;
    return redis_reply_kind(reply) == REDIS_TEXT ? number_of(redis_reply_text(reply)) : 0;
}

size_t redis_reply_count(const struct redis_reply *reply)
{
    return redis_reply_kind(reply) == REDIS_ARRAY ? real(reply)->elements : 0;
}

const struct redis_reply *redis_reply_at(const struct redis_reply *reply, size_t i)
{
    if (i >= redis_reply_count(reply))
        return NULL;
    return (const struct redis_reply *)real(reply)->element[i];
}

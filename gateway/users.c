/* users.c -- see users.h.
 *
 * The bucket counts thousandths of a join, so that it fills evenly in whole milliseconds
 * without floating point: `joins_per_second` thousandths come back per millisecond. */
#include "gateway/users.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <uthash.h>

#include "common/mem.h"

#define KEY_MAX  (2 * JWT_ID_MAX + 4)          /* "<org>/<sub>" and a NUL */
#define ONE_JOIN 1000

struct user {
    size_t         sockets;
    uint64_t       tokens;                     /* thousandths of a join */
    uint64_t       filled_ms;
    UT_hash_handle hh;
    char          *name;
    size_t         org_len;
    char           key[];                      /* "<org>/<sub>" */
};

void users_init(struct users *u, uint32_t joins_per_second)
{
    *u = (struct users){ .joins_per_second = joins_per_second };
}

static void user_free(struct users *u, struct user *who)
{
    HASH_DEL(u->table, who);
    free(who->name);
    free(who);
}

void users_deinit(struct users *u)
{
    struct user *who, *next;

    HASH_ITER(hh, u->table, who, next) {
        assert(who->sockets == 0);
        user_free(u, who);
    }
}

struct user *users_enter(struct users *u, const struct claims *claims, uint64_t now_ms)
{
    struct user *who = NULL;
    char         key[KEY_MAX];
    int          len = snprintf(key, sizeof(key), "%s/%s", claims->org, claims->sub);

    assert(len > 0 && len < KEY_MAX);
    HASH_FIND(hh, u->table, key, (size_t)len, who);
    if (who == NULL) {
        who = mem_alloc(sizeof(*who) + (size_t)len + 1);
        memcpy(who->key, key, (size_t)len + 1);
        who->org_len = strlen(claims->org);
        who->tokens = (uint64_t)u->joins_per_second * ONE_JOIN;
        who->filled_ms = now_ms;
        HASH_ADD_KEYPTR(hh, u->table, who->key, (size_t)len, who);
    }
    if (who->name == NULL || strcmp(who->name, claims->name) != 0) {
        free(who->name);
        who->name = mem_strdup(claims->name);
    }
    if (who->sockets++ == 0)
        u->online++;
    return who;
}

void users_leave(struct users *u, struct user *who)
{
    assert(who->sockets > 0);
    if (--who->sockets == 0)
        u->online--;
}

struct slice user_org(const struct user *who)
{
    return slice_make(who->key, who->org_len);
}

struct slice user_sub(const struct user *who)
{
    return slice_of(who->key + who->org_len + 1);
}

struct slice user_name(const struct user *who)
{
    return slice_of(who->name);
}

struct slice user_key(const struct user *who)
{
    return slice_of(who->key);
}

static void fill(const struct users *u, struct user *who, uint64_t now_ms)
{
    uint64_t most = (uint64_t)u->joins_per_second * ONE_JOIN;
    uint64_t passed = now_ms - who->filled_ms;

    if (passed >= 1000 || who->tokens + passed * u->joins_per_second >= most)
        who->tokens = most;
    else
        who->tokens += passed * u->joins_per_second;
    who->filled_ms = now_ms;
}

bool users_may_join(const struct users *u, struct user *who, uint64_t now_ms)
{
    if (u->joins_per_second == 0)
        return true;
    fill(u, who, now_ms);
    if (who->tokens < ONE_JOIN)
        return false;
    who->tokens -= ONE_JOIN;
    return true;
}

void users_sweep(struct users *u, uint64_t now_ms)
{
    struct user *who, *next;

    HASH_ITER(hh, u->table, who, next) {
        if (who->sockets == 0 && now_ms - who->filled_ms >= 1000)
            user_free(u, who);
    }
}

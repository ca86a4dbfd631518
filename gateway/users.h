/* users.h -- the people who have sockets here, and how fast they may join (SPEC A3).
 *
 * A person's bucket is shared by all their sockets on this replica, and survives a
 * reconnect. Pure but for memory; time is an argument. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_USERS_H
#define TASKWIRE_GATEWAY_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/jwt.h"
#include "common/slice.h"

struct user;

struct users {
    struct user *table;
    uint32_t     joins_per_second;             /* 0: no limit */
    size_t       online;                       /* people with at least one socket */
};

void users_init(struct users *u, uint32_t joins_per_second);
void users_deinit(struct users *u);            /* all have left */

/* One more, one less socket of a person. */
struct user *users_enter(struct users *u, const struct claims *claims, uint64_t now_ms);
void         users_leave(struct users *u, struct user *who);

/* Who it is; valid until the last socket has left. The sub ends with a NUL. */
struct slice user_org(const struct user *who);
struct slice user_sub(const struct user *who);
struct slice user_key(const struct user *who);        /* "<org>/<sub>" */

/* As the newest of their tokens here has it. */
struct slice user_name(const struct user *who);

/* Take one join from the bucket (as big as one second's worth). */
bool users_may_join(const struct users *u, struct user *who, uint64_t now_ms);

/* Forget people without sockets whose buckets are full again. Every second or so. */
void users_sweep(struct users *u, uint64_t now_ms);

#endif

/* guards.h -- what tokens hold open: sockets and streams, each ended when its token does.
 *
 * Whatever stays open for a token joins here with what the token says. It is then found without
 * a look at the others by its sub, and by when it ends: a person's revocation costs those whom it
 * hits, and time costs one wheel for all (expiry.h). Single tokens (by jti or fingerprint) that
 * were revoked are looked for together, in one walk per turn.
 *
 * Many may be hit in one moment (all tokens of one minute end together): they are ended
 * GUARDS_SLICE per turn, some 2 ms of work, and while guards_are_busy turns should come soon.
 * Pure but for memory; wall time is an argument. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_GUARDS_H
#define TASKWIRE_GATEWAY_GUARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/jwt.h"
#include "common/list.h"
#include "common/revocations.h"
#include "gateway/expiry.h"

#define GUARDS_WARN_S  60                      /* `expiring` comes so long before the end (SPEC E) */
#define GUARDS_SLICE   50                      /* are ended or warned in one turn */
#define GUARDS_LOOKS   200                     /* are rechecked */
#define GUARDS_BUCKETS 4096

struct guards;
struct guarded;

enum guard_end { GUARD_EXPIRED, GUARD_REVOKED, GUARD_UNFIT };

/* What is common to all of a kind. */
struct guard_calls {
    struct guards *all;

    /* Whose it is, as its token said. */
    struct slice (*sub)(const struct guarded *g);

    /* The token ends in GUARDS_WARN_S, or in less where it was shown later. Returns false where
     * it cannot be told now: asked again a second later. May be NULL. */
    bool (*expiring)(struct guarded *g, void *arg);

    /* After guards_recheck: may it stay open? If not, `over` follows. May be NULL. */
    bool (*recheck)(struct guarded *g, void *arg);

    /* Once; it is guarded no more. May free it, and remove others. */
    void (*over)(struct guarded *g, enum guard_end why, void *arg);
    void  *arg;
};

struct guarded {                               /* embedded in what is guarded; do not touch */
    const struct guard_calls *calls;           /* NULL: not guarded */
    struct list in_sub;                        /* a bucket of those with the same sub, and others */
    struct list in_time;                       /* the wheel, or `due` */
    uint64_t    jti_tag, token_tag;            /* 0: none */
    uint64_t    exp_s      : 34;
    uint64_t    life_s     : 27;               /* from iat to exp, or as long as can be said */
    uint64_t    is_warned  : 1;
    uint64_t    is_revoked : 1;
    uint64_t    is_unfit   : 1;
};
_Static_assert(sizeof(struct guarded) == 64, "every idle connection has one: see peer.h");

struct guards {
    struct list   buckets[GUARDS_BUCKETS];
    struct expiry expiry;
    struct list   due;                         /* to be warned or ended, in its turn */
    struct list   unsound;                     /* of buckets[rechecked]: still to be rechecked */
    size_t        rechecked;                   /* so many buckets; all of them: nothing to do */
    uint64_t     *revoked;                     /* tags that the next turn looks for */
    size_t        revoked_count, revoked_cap;
    size_t        count;
};

void guards_init(struct guards *gs, int64_t now_s);
void guards_deinit(struct guards *gs);         /* everything has been removed */

void guarded_init(struct guarded *g);

static inline bool guard_is_on(const struct guarded *g)
{
    return g->calls != NULL;
}

static inline int64_t guard_ends_s(const struct guarded *g)
{
    return (int64_t)g->exp_s;
}

/* Its token was found good. `calls` must outlive it; what its members say of it must be true by
 * now. */
void guard_add(struct guarded *g, const struct guard_calls *calls, const struct claims *claims,
               struct slice token);

/* It goes by itself; harmless where it is not guarded. */
void guard_remove(struct guarded *g);

/* Another token of the same sub holds it open from now on (`auth:refresh`). */
void guard_renew(struct guarded *g, const struct claims *claims, struct slice token);

/* Everything that this covers is over: a person's from this call on as far as a slice goes, a single
 * token's from the next turn on. */
void guards_revoke(struct guards *gs, const struct revocation *r, int64_t now_s);

/* Everything shall be looked at again by its `recheck`, GUARDS_LOOKS per turn. */
void guards_recheck(struct guards *gs);

/* Ten times a second or so; more often while some are left to be ended or looked at. */
void guards_turn(struct guards *gs, int64_t now_s);
bool guards_are_busy(const struct guards *gs);

#endif

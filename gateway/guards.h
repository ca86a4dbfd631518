/* guards.h -- what tokens hold open: sockets and streams, each ended when its token does.
 *
 * Whatever stays open for a token joins here with what the token says. It is then found by whose
 * it is, without looking at the others: by its sub, its jti, and its fingerprint; and by when it
 * ends. So a revocation costs those whom it hits, and time costs one wheel for all (expiry.h).
 *
 * Many may be hit in one moment (all tokens of one minute end together): they are ended
 * GUARDS_SLICE per turn. Pure but for memory; wall time is an argument. On the loop's thread. */
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
#define GUARDS_SLICE   500                     /* are ended, warned, or rechecked in one turn */
#define GUARDS_BUCKETS 4096
#define GUARD_KEYS     3                       /* by enum revocation_kind */

struct guards;
struct guarded;

enum guard_end { GUARD_EXPIRED, GUARD_REVOKED };

struct guard_calls {
    /* The token ends in GUARDS_WARN_S, or in less where it was shown later. Returns false where
     * it cannot be told now: asked again a second later. May be NULL. */
    bool (*expiring)(struct guarded *g, void *arg);
    /* Once; it is guarded no more. May free it, and remove others. */
    void (*over)(struct guarded *g, enum guard_end why, void *arg);
    /* After guards_recheck. May remove it. May be NULL. */
    void (*recheck)(struct guarded *g, void *arg);
    void  *arg;
};

struct guard_key {
    struct list in;                            /* of a bucket */
    uint64_t    tag;
};

struct guarded {                               /* embedded in what is guarded; do not touch */
    struct guards            *all;             /* NULL: not guarded */
    const struct guard_calls *calls;
    struct guard_key          keys[GUARD_KEYS];
    struct list               in_time;         /* the wheel, or `due` */
    struct list               in_all;
    int64_t                   iat_s, exp_s;
    bool                      is_warned, is_revoked;
};

struct guards {
    struct list   buckets[GUARDS_BUCKETS];
    struct expiry expiry;
    struct list   due;                         /* warned, ended or revoked, in its turn */
    struct list   sound, unsound;              /* all; unsound: to be rechecked */
    size_t        count;
};

void guards_init(struct guards *gs, int64_t now_s);

void guarded_init(struct guarded *g);

/* Its token was found good. `calls` must outlive it. */
void guard_add(struct guards *gs, struct guarded *g, const struct claims *claims,
               struct slice token, const struct guard_calls *calls);

/* It goes by itself; harmless where it is not guarded. */
void guard_remove(struct guarded *g);

/* Another token holds it open from now on (`auth:refresh`). It must be guarded. */
void guard_renew(struct guarded *g, const struct claims *claims, struct slice token);

/* Everything that this covers is over, from this call on as far as a slice goes. Returns how many
 * were found. */
size_t guards_revoke(struct guards *gs, const struct revocation *r, int64_t now_s);

/* Everything shall be looked at again by its `recheck`, a slice per turn. */
void guards_recheck(struct guards *gs);

/* Ten times a second or so. */
void guards_turn(struct guards *gs, int64_t now_s);

#endif

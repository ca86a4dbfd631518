/* guards.c -- see guards.h.
 *
 * Every idle connection carries one of these, so it is small: of a jti and of a fingerprint 63
 * bits of a hash are kept (two tokens share them once in 2^63, and then one person has to sign in
 * again), of the times a few bits, of the sub nothing: its owner knows it.
 *
 * An index for single tokens would cost each connection as much as all the rest, for something
 * that hardly ever happens. So what was revoked is gathered, sorted, and one walk asks of each
 * connection whether it is among them: a millisecond or two for twenty thousand, however many
 * tokens an operator's script revokes in that turn.
 *
 * The number of buckets is fixed: half a million connections make chains of some hundred, and
 * nothing is ever rehashed under a fan-out. All that are walked through are walked by bucket, a
 * recheck with a bucket's rest put aside, so that it can go on there in the next turn.
 *
 * What is due (by its time, revoked, or unfit) first goes to `due`, whatever the reason, and
 * leaves it a slice at a time; one that was renewed meanwhile leaves it unharmed. */
#include "gateway/guards.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/mem.h"

#define EXP_MAX  ((INT64_C(1) << 34) - 1)
#define LIFE_MAX ((INT64_C(1) << 27) - 1)      /* four years; longer, or unknown: older than any */

/* --- keys --- */

static uint64_t hash_of(struct slice text)
{
    uint8_t  digest[SHA256_BYTES];
    uint64_t hash;

    crypto_sha256(text, digest);
    memcpy(&hash, digest, sizeof(hash));
    return hash;
}

/* Never 0, and never the same for a jti as for a fingerprint. */
static uint64_t tag_of(enum revocation_kind kind, struct slice what)
{
    uint64_t hash = hash_of(what);

    if (kind == REVOKE_TOKEN)
        return hash | 1;
    return hash < 2 ? 2 : hash & ~UINT64_C(1);
}

static struct list *bucket_of(struct guards *gs, struct slice sub)
{
    return &gs->buckets[hash_of(sub) % GUARDS_BUCKETS];
}

/* --- time --- */

static int64_t issued_s(const struct guarded *g)
{
    return g->life_s == LIFE_MAX ? 0 : (int64_t)g->exp_s - (int64_t)g->life_s;
}

static void wait_until(struct guarded *g, int64_t at_s)
{
    list_remove(&g->in_time);
    expiry_add(&g->calls->all->expiry, &g->in_time, at_s);
}

static int64_t when(const struct list *node)
{
    const struct guarded *g = container_of(node, struct guarded, in_time);

    return g->is_warned ? guard_ends_s(g) : guard_ends_s(g) - GUARDS_WARN_S;
}

static void on_due(struct list *node, void *arg)
{
    struct guards *gs = arg;

    list_append(&gs->due, node);
}

static const struct expiry_calls WHEEL = { .when = when, .over = on_due };

static void make_due(struct guarded *g)
{
    list_remove(&g->in_time);
    list_append(&g->calls->all->due, &g->in_time);
}

static void warn(struct guarded *g, int64_t now_s)
{
    g->is_warned = g->calls->expiring == NULL || g->calls->expiring(g, g->calls->arg);
    wait_until(g, g->is_warned ? guard_ends_s(g) : now_s + 1);
}

static void end(struct guarded *g, enum guard_end why)
{
    const struct guard_calls *calls = g->calls;

    guard_remove(g);
    calls->over(g, why, calls->arg);
}

static void due_work(struct guards *gs, int64_t now_s)
{
    struct list *node;

    for (int i = 0; i < GUARDS_SLICE && (node = list_take_first(&gs->due)) != NULL; i++) {
        struct guarded *g = container_of(node, struct guarded, in_time);

        if (g->is_revoked)
            end(g, GUARD_REVOKED);
        else if (now_s >= guard_ends_s(g))
            end(g, GUARD_EXPIRED);
        else if (g->is_unfit)
            end(g, GUARD_UNFIT);
        else
            warn(g, now_s);
    }
}

/* --- what was revoked --- */

static void mark_revoked(struct guarded *g)
{
    if (g->is_revoked)
        return;
    g->is_revoked = true;
    make_due(g);
}

static void revoke_in(struct list *bucket, const struct revocation *r)
{
    list_each(node, bucket) {
        struct guarded *g = container_of(node, struct guarded, in_sub);

        if (slice_is(g->calls->sub(g), r->what) && revocation_is_after(r, issued_s(g)))
            mark_revoked(g);
    }
}

static void note_tag(struct guards *gs, uint64_t tag)
{
    if (gs->revoked_count == gs->revoked_cap) {
        gs->revoked_cap = gs->revoked_cap == 0 ? 16 : gs->revoked_cap * 2;
        gs->revoked = mem_resize(gs->revoked, gs->revoked_cap * sizeof(gs->revoked[0]));
    }
    gs->revoked[gs->revoked_count++] = tag;
}

void guards_revoke(struct guards *gs, const struct revocation *r, int64_t now_s)
{
    struct list *bucket;

    if (gs->count == 0)
        return;
    if (r->kind != REVOKE_SUB) {
        note_tag(gs, tag_of(r->kind, slice_of(r->what)));
        return;
    }
    bucket = bucket_of(gs, slice_of(r->what));
    revoke_in(bucket, r);
    if (gs->rechecked < GUARDS_BUCKETS && bucket == &gs->buckets[gs->rechecked])
        revoke_in(&gs->unsound, r);
    due_work(gs, now_s);
}

static int by_tag(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static bool is_among(const struct guards *gs, uint64_t tag)
{
    return tag != 0 && bsearch(&tag, gs->revoked, gs->revoked_count, sizeof(tag), by_tag) != NULL;
}

static void look_in(struct guards *gs, struct list *bucket)
{
    list_each(node, bucket) {
        struct guarded *g = container_of(node, struct guarded, in_sub);

        if (is_among(gs, g->token_tag) || is_among(gs, g->jti_tag))
            mark_revoked(g);
    }
}

static void revoked_work(struct guards *gs)
{
    if (gs->revoked_count == 0)
        return;
    qsort(gs->revoked, gs->revoked_count, sizeof(gs->revoked[0]), by_tag);
    for (int i = 0; i < GUARDS_BUCKETS; i++)
        look_in(gs, &gs->buckets[i]);
    look_in(gs, &gs->unsound);
    free(gs->revoked);
    gs->revoked = NULL;
    gs->revoked_count = gs->revoked_cap = 0;
}

/* --- rechecking --- */

/* The next one, back in its bucket; NULL: all have been. */
static struct guarded *recheck_next(struct guards *gs)
{
    struct list *node;

    while ((node = list_take_first(&gs->unsound)) == NULL) {
        if (gs->rechecked == GUARDS_BUCKETS || ++gs->rechecked == GUARDS_BUCKETS)
            return NULL;
        list_splice(&gs->unsound, &gs->buckets[gs->rechecked]);
    }
    list_append(&gs->buckets[gs->rechecked], node);
    return container_of(node, struct guarded, in_sub);
}

static void recheck_work(struct guards *gs)
{
    struct guarded *g;

    for (int i = 0; i < GUARDS_LOOKS && (g = recheck_next(gs)) != NULL; i++) {
        if (g->calls->recheck == NULL || g->is_unfit || g->calls->recheck(g, g->calls->arg))
            continue;
        g->is_unfit = true;
        make_due(g);
    }
}

void guards_recheck(struct guards *gs)
{
    if (gs->rechecked < GUARDS_BUCKETS)
        list_splice(&gs->buckets[gs->rechecked], &gs->unsound);
    gs->rechecked = 0;
    list_splice(&gs->unsound, &gs->buckets[0]);
}

/* --- calls --- */

void guards_init(struct guards *gs, int64_t now_s)
{
    for (int i = 0; i < GUARDS_BUCKETS; i++)
        list_init(&gs->buckets[i]);
    expiry_init(&gs->expiry, now_s);
    list_init(&gs->due);
    list_init(&gs->unsound);
    gs->rechecked = GUARDS_BUCKETS;
    gs->revoked = NULL;
    gs->revoked_count = gs->revoked_cap = 0;
    gs->count = 0;
}

void guards_deinit(struct guards *gs)
{
    assert(gs->count == 0);
    free(gs->revoked);
    gs->revoked = NULL;
}

void guarded_init(struct guarded *g)
{
    *g = (struct guarded){ 0 };
    list_init(&g->in_sub);
    list_init(&g->in_time);
}

void guard_add(struct guarded *g, const struct guard_calls *calls, const struct claims *claims,
               struct slice token)
{
    guarded_init(g);
    g->calls = calls;
    list_append(bucket_of(calls->all, slice_of(claims->sub)), &g->in_sub);
    calls->all->count++;
    guard_renew(g, claims, token);
}

void guard_remove(struct guarded *g)
{
    if (!guard_is_on(g))
        return;
    list_remove(&g->in_sub);
    list_remove(&g->in_time);
    g->calls->all->count--;
    g->calls = NULL;
}

void guard_renew(struct guarded *g, const struct claims *claims, struct slice token)
{
    int64_t exp = claims->exp_s < EXP_MAX ? claims->exp_s : EXP_MAX;
    int64_t life = claims->iat_s > 0 ? exp - claims->iat_s : LIFE_MAX;
    char    fingerprint[JWT_FINGERPRINT_SIZE];

    assert(guard_is_on(g) && exp >= 0);
    jwt_fingerprint(token, fingerprint);
    g->token_tag = tag_of(REVOKE_TOKEN, slice_of(fingerprint));
    g->jti_tag = claims->jti[0] != '\0' ? tag_of(REVOKE_JTI, slice_of(claims->jti)) : 0;
    g->exp_s = (uint64_t)exp;
    g->life_s = (uint64_t)(life < 0 ? 0 : life < LIFE_MAX ? life : LIFE_MAX);
    g->is_warned = false;
    g->is_revoked = false;
    wait_until(g, exp - GUARDS_WARN_S);
    if (g->is_unfit)
        make_due(g);
}

void guards_turn(struct guards *gs, int64_t now_s)
{
    expiry_turn(&gs->expiry, now_s, &WHEEL, gs);
    revoked_work(gs);
    recheck_work(gs);
    due_work(gs, now_s);
}

bool guards_are_busy(const struct guards *gs)
{
    return !list_is_empty(&gs->due) || gs->rechecked < GUARDS_BUCKETS || gs->revoked_count > 0;
}

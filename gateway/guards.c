/* guards.c -- see guards.h.
 *
 * The index is one array of buckets for all three kinds of keys. A key is 62 bits of a SHA-256
 * and its kind; the text is not kept, for a socket that does nothing has to stay small. Two
 * people share 62 bits once in 2^62, and then one of them has to sign in again. The number of
 * buckets is fixed: half a million sockets make chains of some hundred nodes, which a
 * revocation walks in microseconds, and nothing is ever rehashed under a fan-out.
 *
 * What is due (by its time, or revoked) first goes to `due`, whatever the reason, and leaves it
 * a slice at a time; a token that was renewed meanwhile leaves it unharmed. */
#include "gateway/guards.h"

#include <assert.h>
#include <string.h>

#include "common/crypto.h"

#define KIND_BITS 2

/* --- keys --- */

static uint64_t tag_of(enum revocation_kind kind, struct slice what)
{
    uint8_t  digest[SHA256_BYTES];
    uint64_t tag;

    crypto_sha256(what, digest);
    memcpy(&tag, digest, sizeof(tag));
    return (tag << KIND_BITS) | (uint64_t)kind;
}

static struct list *bucket_of(struct guards *gs, uint64_t tag)
{
    return &gs->buckets[(tag >> KIND_BITS) % GUARDS_BUCKETS];
}

static struct guarded *guarded_of(struct guard_key *key)
{
    return container_of(key - (key->tag & ((1u << KIND_BITS) - 1)), struct guarded, keys[0]);
}

static void key_set(struct guarded *g, enum revocation_kind kind, struct slice what)
{
    struct guard_key *key = &g->keys[kind];

    list_remove(&key->in);
    if (what.len == 0)
        return;                                /* a token without a jti */
    key->tag = tag_of(kind, what);
    list_append(bucket_of(g->all, key->tag), &key->in);
}

static void keys_set(struct guarded *g, const struct claims *claims, struct slice token)
{
    char fingerprint[JWT_FINGERPRINT_SIZE];

    jwt_fingerprint(token, fingerprint);
    key_set(g, REVOKE_SUB, slice_of(claims->sub));
    key_set(g, REVOKE_JTI, slice_of(claims->jti));
    key_set(g, REVOKE_TOKEN, slice_of(fingerprint));
}

/* --- time --- */

static void wait_until(struct guarded *g, int64_t at_s)
{
    list_remove(&g->in_time);
    expiry_add(&g->all->expiry, &g->in_time, at_s);
}

static int64_t when(const struct list *node)
{
    const struct guarded *g = container_of(node, struct guarded, in_time);

    return g->is_warned ? g->exp_s : g->exp_s - GUARDS_WARN_S;
}

static void on_due(struct list *node, void *arg)
{
    struct guards *gs = arg;

    list_append(&gs->due, node);
}

static const struct expiry_calls WHEEL = { .when = when, .over = on_due };

static void warn(struct guarded *g, int64_t now_s)
{
    g->is_warned = g->calls->expiring == NULL || g->calls->expiring(g, g->calls->arg);
    if (g->all != NULL && list_is_empty(&g->in_time))
        wait_until(g, g->is_warned ? g->exp_s : now_s + 1);
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
        else if (now_s >= g->exp_s)
            end(g, GUARD_EXPIRED);
        else
            warn(g, now_s);
    }
}

static void recheck_work(struct guards *gs)
{
    struct list *node;

    for (int i = 0; i < GUARDS_SLICE && (node = list_take_first(&gs->unsound)) != NULL; i++) {
        struct guarded *g = container_of(node, struct guarded, in_all);

        list_append(&gs->sound, node);
        if (g->calls->recheck != NULL)
            g->calls->recheck(g, g->calls->arg);
    }
}

/* --- calls --- */

void guards_init(struct guards *gs, int64_t now_s)
{
    for (int i = 0; i < GUARDS_BUCKETS; i++)
        list_init(&gs->buckets[i]);
    expiry_init(&gs->expiry, now_s);
    list_init(&gs->due);
    list_init(&gs->sound);
    list_init(&gs->unsound);
    gs->count = 0;
}

void guarded_init(struct guarded *g)
{
    *g = (struct guarded){ 0 };
    for (int i = 0; i < GUARD_KEYS; i++)
        list_init(&g->keys[i].in);
    list_init(&g->in_time);
    list_init(&g->in_all);
}

void guard_add(struct guards *gs, struct guarded *g, const struct claims *claims,
               struct slice token, const struct guard_calls *calls)
{
    guarded_init(g);
    g->all = gs;
    g->calls = calls;
    list_append(&gs->sound, &g->in_all);
    gs->count++;
    guard_renew(g, claims, token);
}

void guard_remove(struct guarded *g)
{
    if (g->all == NULL)
        return;
    for (int i = 0; i < GUARD_KEYS; i++)
        list_remove(&g->keys[i].in);
    list_remove(&g->in_time);
    list_remove(&g->in_all);
    g->all->count--;
    g->all = NULL;
}

void guard_renew(struct guarded *g, const struct claims *claims, struct slice token)
{
    assert(g->all != NULL);
    g->iat_s = claims->iat_s;
    g->exp_s = claims->exp_s;
    g->is_warned = false;
    g->is_revoked = false;
    keys_set(g, claims, token);
    wait_until(g, g->exp_s - GUARDS_WARN_S);
}

size_t guards_revoke(struct guards *gs, const struct revocation *r, int64_t now_s)
{
    uint64_t tag = tag_of(r->kind, slice_of(r->what));
    size_t   count = 0;

    list_each(node, bucket_of(gs, tag)) {
        struct guard_key *key = container_of(node, struct guard_key, in);
        struct guarded   *g;

        if (key->tag != tag)
            continue;
        g = guarded_of(key);
        if (g->is_revoked || (r->kind == REVOKE_SUB && !revocation_is_after(r, g->iat_s)))
            continue;
        g->is_revoked = true;
        list_remove(&g->in_time);
        list_append(&gs->due, &g->in_time);
        count++;
    }
    if (count > 0)
        due_work(gs, now_s);
    return count;
}

void guards_recheck(struct guards *gs)
{
    list_splice(&gs->unsound, &gs->sound);
}

void guards_turn(struct guards *gs, int64_t now_s)
{
    expiry_turn(&gs->expiry, now_s, &WHEEL, gs);
    due_work(gs, now_s);
    recheck_work(gs);
}

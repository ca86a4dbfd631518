/* revocations.c -- see revocations.h.
 *
 * Every request asks, so asking is three look-ups: the token's hash, its jti, and its person,
 * of whom there may be several decisions. What has expired covers nothing and stays until the
 * list is read again from the store, which forgets it by itself. */
#include "common/revocations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/list.h"
#include "common/mem.h"

#define DAY_MS INT64_C(86400000)

struct entry {
    UT_hash_handle    hh;                      /* by one.id */
    struct list       of_sub;
    struct revocation one;
};

struct person {
    UT_hash_handle hh;
    char           sub[JWT_ID_MAX + 1];
    struct list    entries;
};

struct revocations {
    struct entry  *entries;
    struct person *people;
};

/* --- one --- */

static const struct {
    const char *member, *prefix;
} KINDS[] = {
    [REVOKE_SUB] = { "sub", "sub:" },
    [REVOKE_JTI] = { "jti", "jti:" },
    [REVOKE_TOKEN] = { "fingerprint", "token:" },
};
#define KIND_COUNT (sizeof(KINDS) / sizeof(KINDS[0]))

static int refuse(struct buf *why, const char *sentence)
{
    if (why != NULL)
        buf_append_text(why, sentence);
    return ERR_INVALID;
}

static bool is_fingerprint(const char *text)
{
    return strlen(text) == JWT_FINGERPRINT_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == JWT_FINGERPRINT_SIZE - 1;
}

static int read_what(const json_t *object, struct revocation *out, struct buf *why)
{
    const char *what = NULL;

    for (size_t i = 0; i < KIND_COUNT; i++) {
        const json_t *member = json_object_get(object, KINDS[i].member);

        if (member == NULL || json_is_null(member))
            continue;
        if (what != NULL || !json_is_string(member))
            return refuse(why, "One of sub, jti and fingerprint is needed, a text");
        what = json_string_value(member);
        out->kind = (enum revocation_kind)i;
    }
    if (what == NULL)
        return refuse(why, "One of sub, jti and fingerprint is needed, a text");
    if (out->kind == REVOKE_TOKEN && !is_fingerprint(what))
        return refuse(why, "fingerprint must be a SHA-256 in 64 small hexadecimal digits");
    if (!jwt_id_is_valid(slice_of(what)))
        return refuse(why, "sub and jti are 1 to 128 of A-Z a-z 0-9 . _ : @ | + -");
    snprintf(out->what, sizeof(out->what), "%s", what);
    return 0;
}

/* A time of the object; false where it is none. `*out` keeps what it holds where it is missing. */
static bool read_time(const json_t *object, const char *name, int64_t *out)
{
    const json_t *value = json_object_get(object, name);

    if (value == NULL || json_is_null(value))
        return true;
    return json_is_string(value) && clock_parse(slice_of(json_string_value(value)), out) == 0 &&
           *out >= 0;
}

int revocation_read(const json_t *object, int64_t now, struct revocation *out, struct buf *why)
{
    *out = (struct revocation){ .issued_before = now,
                                .expires_at = now + REVOCATION_DAYS * DAY_MS };
    if (read_what(object, out, why) != 0)
        return ERR_INVALID;
    if (!read_time(object, "issuedBefore", &out->issued_before))
        return refuse(why, "issuedBefore must be an RFC 3339 time");
    if (!read_time(object, "expiresAt", &out->expires_at))
        return refuse(why, "expiresAt must be an RFC 3339 time");
    if (out->expires_at > now + REVOCATION_DAYS_MAX * DAY_MS)
        return refuse(why, "expiresAt is too far away");
    if (out->kind == REVOKE_SUB)
        snprintf(out->id, sizeof(out->id), "sub:%lld:%s", (long long)out->issued_before, out->what);
    else
        snprintf(out->id, sizeof(out->id), "%s%s", KINDS[out->kind].prefix, out->what);
    return 0;
}

json_t *revocation_to_json(const struct revocation *r)
{
    json_t *object = json_object();

    if (object == NULL)
        abort();                               /* memory is out: see common/mem.h */
    json_put_text(object, "id", r->id);
    json_put_text(object, KINDS[r->kind].member, r->what);
    if (r->kind == REVOKE_SUB)
        json_put_time(object, "issuedBefore", r->issued_before);
    json_put_time(object, "expiresAt", r->expires_at);
    return object;
}

bool revocation_is_after(const struct revocation *r, int64_t iat_s)
{
    return iat_s < (r->issued_before + 999) / 1000;
}

/* --- many --- */

struct revocations *revocations_new(void)
{
    return mem_new(struct revocations);
}

static struct entry *entry_find(const struct revocations *r, const char *id)
{
    struct entry *e;

    HASH_FIND_STR(r->entries, id, e);
    return e;
}

static struct person *person_find(const struct revocations *r, const char *sub)
{
    struct person *p;

    HASH_FIND_STR(r->people, sub, p);
    return p;
}

static struct person *person_make(struct revocations *r, const char *sub)
{
    struct person *p = person_find(r, sub);

    if (p != NULL)
        return p;
    p = mem_new(struct person);
    snprintf(p->sub, sizeof(p->sub), "%s", sub);
    list_init(&p->entries);
    HASH_ADD_STR(r->people, sub, p);
    return p;
}

static void entry_free(struct revocations *r, struct entry *e)
{
    struct person *p = e->one.kind == REVOKE_SUB ? person_find(r, e->one.what) : NULL;

    list_remove(&e->of_sub);
    if (p != NULL && list_is_empty(&p->entries)) {
        HASH_DEL(r->people, p);
        free(p);
    }
    HASH_DEL(r->entries, e);
    free(e);
}

void revocations_free(struct revocations *r)
{
    struct entry *e, *next;

    if (r == NULL)
        return;
    HASH_ITER (hh, r->entries, e, next)
        entry_free(r, e);
    free(r);
}

void revocations_add(struct revocations *r, const struct revocation *one)
{
    struct entry *e = entry_find(r, one->id);

    if (e != NULL) {
        e->one.expires_at = one->expires_at;   /* the rest is its id */
        return;
    }
    e = mem_new(struct entry);
    e->one = *one;
    list_init(&e->of_sub);
    if (one->kind == REVOKE_SUB)
        list_append(&person_make(r, one->what)->entries, &e->of_sub);
    HASH_ADD(hh, r->entries, one.id, strlen(e->one.id), e);
}

void revocations_drop(struct revocations *r, const char *id)
{
    struct entry *e = entry_find(r, id);

    if (e != NULL)
        entry_free(r, e);
}

bool revocations_has(const struct revocations *r, const char *id)
{
    return entry_find(r, id) != NULL;
}

size_t revocations_count(const struct revocations *r)
{
    return HASH_COUNT(r->entries);
}

static bool is_listed(const struct revocations *r, enum revocation_kind kind, const char *what,
                      int64_t now)
{
    char                id[REVOCATION_ID_SIZE];
    const struct entry *e;

    snprintf(id, sizeof(id), "%s%s", KINDS[kind].prefix, what);
    e = entry_find(r, id);
    return e != NULL && e->one.expires_at > now;
}

static bool is_too_old(const struct revocations *r, const struct claims *claims, int64_t now)
{
    const struct person *p = person_find(r, claims->sub);

    if (p == NULL)
        return false;
    list_each (node, &p->entries) {
        const struct entry *e = container_of(node, struct entry, of_sub);

        if (e->one.expires_at > now && revocation_is_after(&e->one, claims->iat_s))
            return true;
    }
    return false;
}

bool revocations_cover(const struct revocations *r, const struct claims *claims,
                       struct slice token, int64_t now)
{
    char fingerprint[JWT_FINGERPRINT_SIZE];

    if (r->entries == NULL)
        return false;
    if (is_too_old(r, claims, now))
        return true;
    if (claims->jti[0] != '\0' && is_listed(r, REVOKE_JTI, claims->jti, now))
        return true;
    jwt_fingerprint(token, fingerprint);
    return is_listed(r, REVOKE_TOKEN, fingerprint, now);
}

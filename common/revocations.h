/* revocations.h -- tokens that open no door any more, though their signature is good (SPEC A1):
 * is this one among them? Both services ask (proto/internal.md). Pure: no I/O, no clock; times
 * are wall milliseconds. One thread. */
#ifndef TASKWIRE_COMMON_REVOCATIONS_H
#define TASKWIRE_COMMON_REVOCATIONS_H

#include "common/json.h"
#include "common/jwt.h"

#define REVOCATION_ID_SIZE  152                /* "sub:", a time, ':', 128 characters, a NUL */
#define REVOCATION_DAYS     30                 /* kept so long where nobody says how long */
#define REVOCATION_DAYS_MAX 3660               /* and no longer than that whatever is said */
#define REVOCATIONS_MAX     10000              /* that may be made; the list stays a list */

enum revocation_kind { REVOKE_SUB, REVOKE_JTI, REVOKE_TOKEN };

/* Its id says what it covers: "sub:<issuedBefore in ms>:<sub>", "jti:<jti>", "token:<hash>". So
 * the same decision taken twice is one, and two about one person are two. */
struct revocation {
    enum revocation_kind kind;
    char    id[REVOCATION_ID_SIZE];
    char    what[JWT_ID_MAX + 1];              /* sub, jti or fingerprint */
    int64_t issued_before;                     /* SUB: tokens issued before this */
    int64_t expires_at;                        /* from then on all that it covers has expired */
};

/* From {sub, issuedBefore} or {jti} or {fingerprint}, each with expiresAt or without: what a
 * person asks for, a record of the store, and what is announced. Where they are missing
 * issuedBefore is `now`, and expiresAt REVOCATION_DAYS later. Returns 0, or ERR_INVALID with a
 * sentence in `why` (may be NULL). */
int revocation_read(const json_t *object, int64_t now, struct revocation *out, struct buf *why);

/* The same as an object with its id, for the store and the wire. New reference. */
json_t *revocation_to_json(const struct revocation *r);

/* REVOKE_SUB alone: was a token of that person that says `iat_s` (0: nothing) issued before? */
bool revocation_is_after(const struct revocation *r, int64_t iat_s);

struct revocations;

struct revocations *revocations_new(void);
void                revocations_free(struct revocations *r);    /* NULL is fine */

void   revocations_add(struct revocations *r, const struct revocation *one);
void   revocations_drop(struct revocations *r, const char *id);
bool   revocations_has(const struct revocations *r, const char *id);
size_t revocations_count(const struct revocations *r);

/* Is the token with these claims revoked? A token that does not say when it was issued is
 * older than any `issuedBefore`. */
bool revocations_cover(const struct revocations *r, const struct claims *claims,
                       struct slice token, int64_t now);

#endif

/* jwt.h -- who is asking: checks of JSON Web Tokens (RFC 7519, RFC 7515), SPEC A1 and I3.
 *
 * The algorithm is fixed by the key, never by the token: a key made from a secret takes
 * HS256 alone, an RSA key RS256, a P-256 key ES256. No leeway on `exp`. Pure: the time is
 * an argument. Any thread. */
#ifndef TASKWIRE_COMMON_JWT_H
#define TASKWIRE_COMMON_JWT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/slice.h"

#define JWT_ID_MAX     128                     /* longest sub, org, jti */
#define JWT_NAME_MAX   200                     /* bytes of a name */
#define JWT_TOKEN_MAX  8192                    /* bytes of a token */

struct jwt_key;

struct claims {
    char    sub[JWT_ID_MAX + 1];               /* [A-Za-z0-9._:@|+-]{1,128} */
    char    org[JWT_ID_MAX + 2];               /* the same, or "~<sub>" where there is none */
    char    name[JWT_NAME_MAX + 1];            /* `name`; the sub where there is none */
    char    jti[JWT_ID_MAX + 1];               /* "" where there is none */
    char    aud[JWT_ID_MAX + 1];               /* "" where there is none (or an array) */
    bool    is_admin;                          /* roles holds "admin" */
    int64_t iat_s;                             /* 0 where there is none */
    int64_t exp_s;
};

/* A key from a shared secret of at least 32 bytes. NULL: `why` says what is wrong. */
struct jwt_key *jwt_key_from_secret(struct slice secret, struct buf *why);

/* A key from a PEM public key: RSA of at least 2048 bits, or P-256. NULL as above. */
struct jwt_key *jwt_key_from_pem(struct slice pem, struct buf *why);

void jwt_key_free(struct jwt_key *key);

/* Check signature, `alg`, claims and `exp` (now_s >= exp is expired; `nbf` is honoured).
 * Returns 0; ERR_TOKEN where anything is malformed, unsigned, signed otherwise, or a claim is
 * missing or ill-formed; ERR_EXPIRED where only the time is wrong (out is filled then). */
int jwt_verify(const struct jwt_key *key, struct slice token, int64_t now_s, struct claims *out);

/* Make an HS256 token. `payload_json` is the complete claims object.
 * Returns 0, ERR_INVALID where the key is not a secret, or ERR_TOO_BIG. */
int jwt_sign(const struct jwt_key *key, struct slice payload_json, struct buf *out_token);

/* What a list of revoked tokens holds of one: the SHA-256 of all before its second dot, in
 * hex. The signature is left out, because an ES256 one can be turned into another that is as
 * good (s into n-s) by anybody, which would take a token off the list. Any bytes may come. */
#define JWT_FINGERPRINT_SIZE 65                /* 64 digits and a NUL */
void jwt_fingerprint(struct slice token, char out[JWT_FINGERPRINT_SIZE]);

/* Is `text` a well-formed sub or org (SPEC I3)? */
bool jwt_id_is_valid(struct slice text);

#endif

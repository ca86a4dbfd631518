/* access.h -- does this token open anything here (SPEC A1)? One answer for sockets, streams and
 * what the gateway answers itself. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_ACCESS_H
#define TASKWIRE_GATEWAY_ACCESS_H

#include "common/jwt.h"
#include "gateway/control.h"
#include "proto/tables.h"

struct access {
    const struct jwt_key *key;
    const struct control *control;
};

/* Returns whether it does, with its claims; else `why`: UNAUTHORIZED, TOKEN_EXPIRED, REVOKED, or
 * UNAVAILABLE while it is not known what is revoked. An empty token is none. */
bool access_check(const struct access *a, struct slice token, struct claims *out,
                  enum error_code *why);

/* The token of an Authorization header; empty where it is none of "Bearer". */
struct slice access_bearer(struct slice authorization);

#endif

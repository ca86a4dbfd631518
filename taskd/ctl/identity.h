/* identity.h -- tokens that taskctl makes from JWT_SECRET: for a person, or its own. */
#ifndef TASKWIRE_CTL_IDENTITY_H
#define TASKWIRE_CTL_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

struct identity {
    const char *sub;
    const char *org;                           /* NULL: none */
    const char *name;                          /* NULL: the sub */
    bool        is_admin;
    int64_t     ttl_s;
};

/* Make a token. Returns 0, or ERR_INVALID after a sentence on standard error (no JWT_SECRET,
 * too short, an ill-formed sub or org). */
int identity_token(const struct identity *who, struct buf *out_token);

#endif

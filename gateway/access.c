/* access.c -- see access.h.
 *
 * The signature is looked at first: the list of what is revoked says nothing to strangers. */
#include "gateway/access.h"

#include <strings.h>

#include "common/clock.h"
#include "common/err.h"

bool access_check(const struct access *a, struct slice token, struct claims *out,
                  enum error_code *why)
{
    int err = token.len == 0 ? ERR_TOKEN
                             : jwt_verify(a->key, token, clock_wall_ms() / 1000, out);

    if (err != 0)
        *why = err == ERR_EXPIRED ? ERROR_TOKEN_EXPIRED : ERROR_UNAUTHORIZED;
    else if (!control_is_known(a->control))
        *why = ERROR_UNAVAILABLE;
    else if (control_is_revoked(a->control, out, token))
        *why = ERROR_REVOKED;
    else
        return true;
    return false;
}

struct slice access_bearer(struct slice authorization)
{
    static const char SCHEME[] = "Bearer ";
    const size_t      len = sizeof(SCHEME) - 1;

    if (authorization.len <= len || strncasecmp(authorization.data, SCHEME, len) != 0)
        return (struct slice){ NULL, 0 };
    return slice_from(authorization, len);
}

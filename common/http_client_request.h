/* http_client_request.h -- a request of http_client.h as bytes. Pure; any thread. */
#ifndef TASKWIRE_COMMON_HTTP_CLIENT_REQUEST_H
#define TASKWIRE_COMMON_HTTP_CLIENT_REQUEST_H

#include "common/http_client.h"

/* Head and body in one piece: requests are small, and a retry sends the same bytes. `scratch` has
 * the ceiling of a head. Returns 0 with a reference in `bytes`; ERR_INVALID for a target that is
 * no path or a method of none; ERR_TOO_BIG. */
int http_client_request(const struct http_call_options *o, struct slice authority,
                        struct buf *scratch, struct rcbuf **bytes);

/* May it be sent again where nobody knows whether it had arrived (RFC 9110 §9.2.2)? */
bool http_client_is_idempotent(enum http_method method);

#endif

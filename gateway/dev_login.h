/* dev_login.h -- the demo's sign-in: a token for whoever asks (SPEC I2, DEV_LOGIN).
 *
 * Exists only where settings allowed it: on a loopback address, with a secret that signs. */
#ifndef TASKWIRE_GATEWAY_DEV_LOGIN_H
#define TASKWIRE_GATEWAY_DEV_LOGIN_H

#include "common/http_server.h"
#include "common/jwt.h"

/* GET /dev/login -> {people: [{sub, name, org, roles}]}, whom the demo knows.
 * POST /dev/login {sub, name?, org?, roles?} -> {token, expiresAt}. */
void dev_login_handle(const struct jwt_key *key, struct http_request *r);

#endif

/* service_keys.h -- the keys that both services are given by their settings, and the rules
 * between them (SPEC I2, DESIGN 16): one key for people, one for the cluster, never the same.
 *
 * Used in main, before the loop runs. */
#ifndef TASKWIRE_COMMON_SERVICE_KEYS_H
#define TASKWIRE_COMMON_SERVICE_KEYS_H

#include "common/buf.h"
#include "common/jwt.h"

/* How a gateway signs what it passes on to taskd (RFC 9110 §7.6.3): role admin sees every org on
 * taskd's own port alone, and a Via with this name says that this is another way (SPEC A2). */
#define GATEWAY_NAME "taskwire-gateway"
#define GATEWAY_VIA  "1.1 " GATEWAY_NAME

struct service_keys {
    struct jwt_key *user;                      /* checks people's tokens */
    struct jwt_key *cluster;                   /* opens /internal */
};

/* From JWT_SECRET or the PEM text of JWT_PUBLIC_KEY_FILE, and CLUSTER_SECRET; NULL: not set.
 * Returns 0, or ERR_INVALID with one line, a sentence, per problem appended to `problems`
 * (what was made is freed by service_keys_deinit in either case). */
int  service_keys_load(struct service_keys *out, const char *jwt_secret, const char *jwt_pem,
                       const char *cluster_secret, struct buf *problems);
void service_keys_deinit(struct service_keys *k);

#endif

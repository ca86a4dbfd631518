/* service_keys.c -- see service_keys.h.
 *
 * All problems are found in one go, so that whoever sets a service up is not sent back for
 * each. No sentence ever holds a secret. */
#include "common/service_keys.h"

#include <string.h>

#include "common/err.h"

static void checked(const char *name, const struct jwt_key *key, struct buf *why,
                    struct buf *problems)
{
    if (key == NULL)
        buf_printf(problems, "%s: %s\n", name, why->data != NULL ? why->data : "cannot be used");
    buf_reset(why);
}

int service_keys_load(struct service_keys *out, const char *jwt_secret, const char *jwt_pem,
                      const char *cluster_secret, struct buf *problems)
{
    size_t     before = problems->len;
    struct buf why;

    *out = (struct service_keys){ 0 };
    buf_init(&why, 1024);
    if (jwt_secret != NULL && jwt_pem != NULL) {
        buf_append_text(problems, "JWT_SECRET and JWT_PUBLIC_KEY_FILE are both set; choose one.\n");
    } else if (jwt_secret != NULL) {
        out->user = jwt_key_from_secret(slice_of(jwt_secret), &why);
        checked("JWT_SECRET", out->user, &why, problems);
    } else if (jwt_pem != NULL) {
        out->user = jwt_key_from_pem(slice_of(jwt_pem), &why);
        checked("JWT_PUBLIC_KEY_FILE", out->user, &why, problems);
    } else {
        buf_append_text(problems, "JWT_SECRET is missing (or JWT_PUBLIC_KEY_FILE): it checks who "
                                  "asks.\n");
    }
    if (cluster_secret == NULL) {
        buf_append_text(problems, "CLUSTER_SECRET is missing: it tells gateways from strangers.\n");
    } else {
        out->cluster = jwt_key_from_secret(slice_of(cluster_secret), &why);
        checked("CLUSTER_SECRET", out->cluster, &why, problems);
    }
    if (jwt_secret != NULL && cluster_secret != NULL && strcmp(jwt_secret, cluster_secret) == 0)
        buf_append_text(problems, "JWT_SECRET and CLUSTER_SECRET are equal; people could pass for "
                                  "gateways. Give them different values.\n");
    buf_deinit(&why);
    return problems->len == before ? 0 : ERR_INVALID;
}

void service_keys_deinit(struct service_keys *k)
{
    jwt_key_free(k->user);
    jwt_key_free(k->cluster);
    *k = (struct service_keys){ 0 };
}

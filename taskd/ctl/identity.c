/* identity.c -- see identity.h. The secret is read as the services read it: JWT_SECRET, or a
 * file named by JWT_SECRET_FILE. */
#include "taskd/ctl/identity.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/err.h"
#include "common/json.h"
#include "common/jwt.h"

#define TOKEN_BYTES_MAX 16384

struct secrets {
    char *jwt_secret;
};

static const struct conf_row ROWS[] = {
    CONF_SECRET("JWT_SECRET", struct secrets, jwt_secret, "the HS256 secret of the services"),
};

static struct jwt_key *load_key(void)
{
    struct secrets  secrets = { 0 };
    struct jwt_key *key = NULL;
    struct buf      why;

    buf_init(&why, 4096);
    if (conf_load(ROWS, 1, &secrets, &why) == 0) {
        if (secrets.jwt_secret == NULL)
            buf_append_text(&why, "JWT_SECRET is not set: it is what tokens are made from");
        else
            key = jwt_key_from_secret(slice_of(secrets.jwt_secret), &why);
    }
    if (key == NULL)
        fprintf(stderr, "taskctl: %.*s\n", SLICE_ARG(buf_peek(&why)));
    conf_free(ROWS, 1, &secrets);
    buf_deinit(&why);
    return key;
}

static void append_claims(struct buf *out, const struct identity *who)
{
    int64_t now_s = clock_wall_ms() / 1000;
    json_t *claims = json_object();
    json_t *roles = json_array();

    json_put_text(claims, "sub", who->sub);
    json_put_text(claims, "org", who->org);
    json_put_text(claims, "name", who->name);
    if (who->is_admin)
        json_array_append_new(roles, json_string("admin"));
    json_object_set_new(claims, "roles", roles);
    json_put_int(claims, "iat", now_s);
    json_put_int(claims, "exp", now_s + who->ttl_s);
    json_append(out, claims);
    json_decref(claims);
}

int identity_token(const struct identity *who, struct buf *out_token)
{
    struct jwt_key *key;
    struct buf      claims;
    int             err;

    if (!jwt_id_is_valid(slice_of(who->sub)) ||
        (who->org != NULL && !jwt_id_is_valid(slice_of(who->org)))) {
        fprintf(stderr, "taskctl: a sub and an org have 1 to %d characters of "
                "[A-Za-z0-9._:@|+-]\n", JWT_ID_MAX);
        return ERR_INVALID;
    }
    key = load_key();
    if (key == NULL)
        return ERR_INVALID;
    buf_init(&claims, TOKEN_BYTES_MAX);
    append_claims(&claims, who);
    err = jwt_sign(key, buf_peek(&claims), out_token);
    buf_deinit(&claims);
    jwt_key_free(key);
    return err;
}

/* token.c -- `taskctl token`: a development token. */
#include "common/jwt.h"
#include "taskd/ctl/commands.h"
#include "taskd/ctl/identity.h"
#include "taskd/ctl/views.h"

#define TTL_MAX_MS (366LL * 86400 * 1000)

int command_token(const struct args *a)
{
    struct identity who = {
        .sub = args_given(a, "sub") ? args_value(a, "sub") : "dev",
        .org = args_value(a, "org"),
        .name = args_value(a, "name"),
        .is_admin = args_flag(a, "admin"),
    };
    int64_t         ttl_ms = 0;
    struct buf      token, why;
    int             code = EXIT_FAILED;

    buf_init(&why, 1024);
    buf_init(&token, JWT_TOKEN_MAX);
    if (args_span(a, "ttl", &ttl_ms, &why) != 0 || ttl_ms < 1000 || ttl_ms > TTL_MAX_MS) {
        code = usage(a, "--ttl takes a span of time from 1s to 366d, not '%s'",
                     args_value(a, "ttl"));
    } else {
        who.ttl_s = ttl_ms / 1000;
        if (identity_token(&who, &token) == 0) {
            out_line("%s", token.data);
            code = EXIT_OK;
        }
    }
    buf_deinit(&token);
    buf_deinit(&why);
    return code;
}

/* token.c -- `taskctl token`: a development token. */
#include <stdio.h>

#include "common/jwt.h"
#include "taskd/ctl/command.h"
#include "taskd/ctl/identity.h"

static const struct option_spec OPTIONS[] = {
    { "sub",   "SUB",     "dev",  "whom the token stands for" },
    { "org",   "ORG",     NULL,   "their org; without one they are an org of their own" },
    { "name",  "NAME",    NULL,   "what others read; without one the sub" },
    { "admin", NULL,      NULL,   "with the role admin" },
    { "ttl",   "SECONDS", "3600", "how long it is valid" },
    { NULL, NULL, NULL, NULL },
};

static enum exit_code run(const struct command *c, char *const *values)
{
    struct identity who = {
        .sub = command_value(c, values, "sub"),
        .org = command_value(c, values, "org"),
        .name = command_value(c, values, "name"),
        .is_admin = command_value(c, values, "admin") != NULL,
    };
    struct buf      token;
    enum exit_code  code = EXIT_FAILED;

    if (!command_number(c, values, "ttl", 1, 366LL * 86400, &who.ttl_s))
        return EXIT_USAGE;
    buf_init(&token, JWT_TOKEN_MAX);
    if (identity_token(&who, &token) == 0 && printf("%s\n", token.data) > 0 && fflush(stdout) == 0)
        code = EXIT_OK;
    buf_deinit(&token);
    return code;
}

const struct command COMMAND_TOKEN = {
    .name = "token",
    .summary = "make a development token from JWT_SECRET",
    .example = "JWT_SECRET=... taskctl token --sub ann --org acme --name 'Ann Example'",
    .options = OPTIONS,
    .run = run,
};

/* access.c -- `taskctl revoke` and `taskctl flags`: what operators decide for all replicas. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/jwt.h"
#include "common/mem.h"
#include "taskd/ctl/commands.h"
#include "taskd/ctl/ctl.h"
#include "taskd/ctl/views.h"

#define REVOCATIONS "/api/admin/revocations"
#define FLAGS       "/api/admin/flags"

/* --- revocations --- */

static const struct view_column REVOCATION_COLUMNS[] = {
    { "ID",            "id",           CELL_TEXT, COLUMN_SHRINKS, NULL },
    { "ISSUED BEFORE", "issuedBefore", CELL_TEXT, 0,              NULL },
    { "EXPIRES",       "expiresAt",    CELL_TEXT, 0,              NULL },
};
static const struct view REVOCATION_VIEW = VIEW(REVOCATION_COLUMNS);

/* A token from the option, or from standard input, so that it stands in no list of processes.
 * Free it. NULL after a sentence. */
static char *read_token(const struct args *a)
{
    const char *given = args_value(a, "token");
    char        line[JWT_TOKEN_MAX + 2];

    if (strcmp(given, "-") != 0)
        return mem_strdup(given);
    if (fgets(line, sizeof(line), stdin) == NULL) {
        say("no token came from standard input");
        return NULL;
    }
    line[strcspn(line, "\r\n")] = '\0';
    return mem_strdup(line);
}

/* What is to be revoked. NULL after a sentence. */
static json_t *revocation_of(const struct args *a)
{
    json_t *body = json_object();
    char    fingerprint[JWT_FINGERPRINT_SIZE];
    char   *token;

    json_put_text(body, "sub", args_value(a, "person"));
    json_put_text(body, "jti", args_value(a, "jti"));
    json_put_text(body, "issuedBefore", args_value(a, "before"));
    json_put_text(body, "expiresAt", args_value(a, "until"));
    if (!args_given(a, "token"))
        return body;
    token = read_token(a);
    if (token == NULL || strchr(token, '.') == NULL) {
        if (token != NULL)
            say("that is no token: it has no dots");
        free(token);
        json_decref(body);
        return NULL;
    }
    jwt_fingerprint(slice_of(token), fingerprint);
    json_put_text(body, "fingerprint", fingerprint);
    free(token);
    return body;
}

static int revoke(struct ctl *c, const json_t *body)
{
    char           key[KEY_SIZE];
    json_t        *answer;
    json_t        *rows;
    struct request r = { .method = HTTP_POST, .target = REVOCATIONS, .body = body, .key = key };
    enum exit_code code;

    key_make(key);
    code = taskd_call(c, &r, "the revocation", &answer);
    if (code == EXIT_OK) {
        rows = json_pack("[O]", answer);
        if (ctl_out(c)->format == OUT_TABLE)
            out_rows(ctl_out(c), &REVOCATION_VIEW, rows);
        else
            out_object(ctl_out(c), &REVOCATION_VIEW, answer);
        json_decref(rows);
    }
    json_decref(answer);
    return code;
}

int command_revoke(const struct args *a)
{
    int         kinds = args_given(a, "person") + args_given(a, "jti") + args_given(a, "token");
    json_t     *body;
    struct ctl *c;
    int         code = EXIT_USAGE;

    if (kinds != 1)
        return usage(a, "one of --person, --jti and --token is needed");
    if (args_given(a, "before") && !args_given(a, "person"))
        return usage(a, "--before goes with --person");
    body = revocation_of(a);
    if (body == NULL)
        return EXIT_USAGE;
    c = ctl_new(a);
    if (c != NULL)
        code = revoke(c, body);
    json_decref(body);
    ctl_free(c);
    return code;
}

int command_revoke_list(const struct args *a)
{
    struct ctl *c = ctl_new(a);
    json_t     *answer = NULL;
    int         code = EXIT_USAGE;

    if (c != NULL)
        code = taskd_get(c, &answer, "revocations", REVOCATIONS);
    if (code == EXIT_OK)
        out_rows(ctl_out(c), &REVOCATION_VIEW, json_object_get(answer, "revocations"));
    json_decref(answer);
    ctl_free(c);
    return code;
}

int command_revoke_undo(const struct args *a)
{
    struct ctl *c = ctl_new(a);
    int         code = c != NULL ? EXIT_OK : EXIT_USAGE;

    for (size_t i = 0; i < a->word_count && code == EXIT_OK; i++) {
        struct buf     target;
        char           what[256];
        struct request r = { .method = HTTP_DELETE };

        buf_init(&target, 4096);
        target_put(&target, REVOCATIONS "/", a->words[i], "");
        snprintf(what, sizeof(what), "revocation %s", a->words[i]);
        r.target = target.data;
        code = taskd_call(c, &r, what, NULL);
        buf_deinit(&target);
    }
    ctl_free(c);
    return code;
}

/* --- flags --- */

static const struct flag {
    const char *name, *alias;
    bool        is_percent;
} FLAG_ROWS[] = {
    { "FEATURE_WEBSOCKET_ENABLED",         "enabled",         false },
    { "FEATURE_WEBSOCKET_DASHBOARD",       "dashboard",       false },
    { "FEATURE_WEBSOCKET_TASK_DETAIL",     "task_detail",     false },
    { "FEATURE_WEBSOCKET_ROLLOUT_PERCENT", "rollout_percent", true },
};
#define FLAG_COUNT (sizeof(FLAG_ROWS) / sizeof(FLAG_ROWS[0]))

static const struct view_column FLAG_COLUMNS[] = {
    { "FLAG",  "flag",  CELL_TEXT, 0, NULL },
    { "VALUE", "value", CELL_TEXT, 0, NULL },
};
static const struct view FLAG_VIEW = VIEW(FLAG_COLUMNS);

static const struct flag *flag_find(struct slice name)
{
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        if (slice_is_nocase(name, FLAG_ROWS[i].name) || slice_is_nocase(name, FLAG_ROWS[i].alias))
            return &FLAG_ROWS[i];
    }
    return NULL;
}

/* All of them for people, those that are set for programs. */
static void print_flags(const struct ctl *c, const json_t *flags)
{
    json_t *rows;

    if (ctl_out(c)->format != OUT_TABLE) {
        out_object(ctl_out(c), &FLAG_VIEW, flags);
        return;
    }
    rows = json_array();
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        json_t       *row = json_object();
        const json_t *value = json_object_get(flags, FLAG_ROWS[i].name);

        json_put_text(row, "flag", FLAG_ROWS[i].name);
        if (json_is_integer(value))
            json_put_int(row, "value", json_integer_value(value));
        else
            json_put_text(row, "value", value == NULL ? "(environment)" :
                          json_is_true(value) ? "on" : "off");
        if (json_array_append_new(rows, row) != 0)
            abort();
    }
    out_rows(ctl_out(c), &FLAG_VIEW, rows);
    json_decref(rows);
}

static int ask_flags(const struct args *a, const json_t *body)
{
    struct ctl    *c = ctl_new(a);
    struct request r = { .method = body != NULL ? HTTP_PUT : HTTP_GET, .target = FLAGS,
                         .body = body };
    json_t        *answer = NULL;
    int            code = EXIT_USAGE;

    if (c != NULL)
        code = taskd_call(c, &r, "flags", &answer);
    if (code == EXIT_OK)
        print_flags(c, json_object_get(answer, "flags"));
    json_decref(answer);
    ctl_free(c);
    return code;
}

int command_flags(const struct args *a)
{
    return ask_flags(a, NULL);
}

/* NULL: not a value of this flag. New reference. */
static json_t *flag_value(const struct flag *f, const char *text)
{
    static const char *const ON[] = { "on", "true", "yes", "1", NULL };
    static const char *const OFF[] = { "off", "false", "no", "0", NULL };
    char *end;
    long  n;

    if (f->is_percent) {
        n = strtol(text, &end, 10);
        return end != text && *end == '\0' && n >= 0 && n <= 100 ? json_integer(n) : NULL;
    }
    for (size_t i = 0; ON[i] != NULL; i++) {
        if (strcasecmp(text, ON[i]) == 0)
            return json_true();
        if (strcasecmp(text, OFF[i]) == 0)
            return json_false();
    }
    return NULL;
}

int command_flags_set(const struct args *a)
{
    json_t *body = json_object();
    int     code = EXIT_OK;

    for (size_t i = 0; i < a->word_count && code == EXIT_OK; i++) {
        struct slice       value = slice_of(a->words[i]);
        struct slice       name = slice_cut(&value, '=');
        const struct flag *f = flag_find(name);
        json_t            *json = NULL;

        if (f != NULL && value.data != NULL)
            json = flag_value(f, value.data);
        if (f == NULL)
            code = usage(a, "there is no flag '%.*s'", SLICE_ARG(name));
        else if (json == NULL)
            code = usage(a, "%s takes %s: %s=…", f->alias,
                         f->is_percent ? "a whole number from 0 to 100" : "on or off", f->alias);
        else if (json_object_set_new(body, f->name, json) != 0)
            abort();
    }
    if (code == EXIT_OK)
        code = ask_flags(a, body);
    json_decref(body);
    return code;
}

int command_flags_unset(const struct args *a)
{
    json_t *body = json_object();
    int     code = EXIT_OK;

    for (size_t i = 0; i < a->word_count && code == EXIT_OK; i++) {
        const struct flag *f = flag_find(slice_of(a->words[i]));

        if (f == NULL)
            code = usage(a, "there is no flag '%s'", a->words[i]);
        else if (json_object_set_new(body, f->name, json_null()) != 0)
            abort();
    }
    if (code == EXIT_OK)
        code = ask_flags(a, body);
    json_decref(body);
    return code;
}

/* conf.c -- see conf.h.
 *
 * All problems are found in one go, because an operator who mends one setting per start
 * gives up at the third. Numbers are read strictly (no blanks, no units, nothing after
 * them): a setting that is half understood is worse than one refused. */
#include "common/conf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/slice.h"

#define SECRET_BYTES_MAX 65536
#define NAME_BYTES_MAX   128

extern char **environ;

/* The value of an environment variable, NULL where it is unset or empty. */
static const char *value_of(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool read_number(const struct conf_row *row, const char *text, int64_t *out)
{
    char *end;

    if (text[0] != '-' && (text[0] < '0' || text[0] > '9'))
        return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *out >= row->min && *out <= row->max;
}

static bool read_bool(const char *text, bool *out)
{
    static const char *const WORDS[] = { "false", "true", "0", "1", "no", "yes", "off", "on" };

    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (slice_is_nocase(slice_of(text), WORDS[i])) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return false;
}

/* Read a whole file of text. Returns 0, or why not, in words. */
static const char *read_file(const char *path, char **out)
{
    FILE  *file = fopen(path, "re");
    char  *text;
    size_t len;
    bool   has_failed;

    if (file == NULL)
        return strerror(errno);
    text = mem_alloc(SECRET_BYTES_MAX + 1);
    len = fread(text, 1, SECRET_BYTES_MAX + 1, file);
    has_failed = ferror(file) != 0;
    fclose(file);
    if (len > 0 && len <= SECRET_BYTES_MAX && text[len - 1] == '\n')
        text[--len] = '\0';
    if (!has_failed && len > 0 && len <= SECRET_BYTES_MAX && memchr(text, '\0', len) == NULL) {
        text[len] = '\0';
        *out = text;
        return NULL;
    }
    free(text);
    return has_failed ? "it cannot be read" : len == 0 ? "it is empty" :
           len > SECRET_BYTES_MAX ? "it is longer than 64 KiB" : "it holds a NUL byte";
}

static void load_secret(const struct conf_row *row, char **out, struct buf *problems)
{
    char        file_name[NAME_BYTES_MAX];
    const char *value = value_of(row->name), *path, *why;

    snprintf(file_name, sizeof(file_name), "%s_FILE", row->name);
    path = value_of(file_name);
    if (value != NULL && path != NULL) {
        buf_printf(problems, "%s and %s are both set; set one of them.\n", row->name, file_name);
    } else if (path != NULL) {
        why = read_file(path, out);
        if (why != NULL)
            buf_printf(problems, "%s names %s, but %s.\n", file_name, path, why);
    } else {
        *out = mem_strdup(value);
    }
}

static void load_plain(const struct conf_row *row, char *field, struct buf *problems)
{
    const char *value = value_of(row->name);

    if (value == NULL)
        value = row->fallback;
    if (row->kind == CONF_KIND_TEXT) {
        *(char **)field = mem_strdup(value);
    } else if (value == NULL) {
        return;                                /* no default: the field stays as it was */
    } else if (row->kind == CONF_KIND_BOOL && !read_bool(value, (bool *)field)) {
        buf_printf(problems, "%s is \"%s\", but has to be true or false.\n", row->name, value);
    } else if (row->kind == CONF_KIND_NUM && !read_number(row, value, (int64_t *)field)) {
        buf_printf(problems, "%s is \"%s\", but has to be a whole number from %lld to %lld.\n",
                   row->name, value, (long long)row->min, (long long)row->max);
    }
}

int conf_load(const struct conf_row *rows, size_t count, void *out, struct buf *problems)
{
    size_t before = problems->len;

    for (size_t i = 0; i < count; i++) {
        char *field = (char *)out + rows[i].offset;

        if (rows[i].kind == CONF_KIND_SECRET)
            load_secret(&rows[i], (char **)field, problems);
        else
            load_plain(&rows[i], field, problems);
    }
    return problems->len == before && !buf_failed(problems) ? 0 : ERR_INVALID;
}

void conf_free(const struct conf_row *rows, size_t count, void *out)
{
    for (size_t i = 0; i < count; i++) {
        char **text = (char **)((char *)out + rows[i].offset);

        if (rows[i].kind != CONF_KIND_TEXT && rows[i].kind != CONF_KIND_SECRET)
            continue;
        if (rows[i].kind == CONF_KIND_SECRET && *text != NULL)
            explicit_bzero(*text, strlen(*text));
        free(*text);
        *text = NULL;
    }
}

static bool is_row(const struct conf_row *rows, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_is(name, rows[i].name))
            return true;
        if (rows[i].kind == CONF_KIND_SECRET && slice_starts(name, rows[i].name) &&
            slice_is(slice_from(name, strlen(rows[i].name)), "_FILE"))
            return true;
    }
    return false;
}

size_t conf_unknown(const struct conf_row *rows, size_t count, const char *prefix,
                    struct buf *warnings)
{
    size_t unknown = 0;

    for (char **variable = environ; variable != NULL && *variable != NULL; variable++) {
        struct slice rest = slice_of(*variable);
        struct slice name = slice_cut(&rest, '=');

        if (!slice_starts(name, prefix) || is_row(rows, count, name))
            continue;
        unknown++;
        buf_printf(warnings, "%.*s is set, but there is no such setting; is it misspelt?\n",
                   SLICE_ARG(name));
    }
    return unknown;
}

void conf_print(const struct conf_row *rows, size_t count, FILE *to)
{
    for (size_t i = 0; i < count; i++)
        fprintf(to, "%s\t%s\t%s\n", rows[i].name,
                rows[i].fallback != NULL ? rows[i].fallback : "", rows[i].help);
}

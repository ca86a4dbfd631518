/* conf.h -- settings from environment variables (twelve-factor), by one table per service.
 *
 *     static const struct conf_row ROWS[] = {
 *         CONF_NUM ("PORT", "3000", 0, 65535, struct settings, port, "where clients connect"),
 *         CONF_TEXT("REDIS_URL", "redis://127.0.0.1:6379", struct settings, redis_url, "..."),
 *         CONF_SECRET("JWT_SECRET", struct settings, jwt_secret, "..."),
 *         CONF_BOOL("DEV_LOGIN", "false", struct settings, dev_login, "..."),
 *     };
 *
 * The table is also what documents and tests read (conf_print). Used in main, before the
 * loop runs. */
#ifndef TASKWIRE_COMMON_CONF_H
#define TASKWIRE_COMMON_CONF_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/buf.h"

enum conf_kind { CONF_KIND_TEXT, CONF_KIND_NUM, CONF_KIND_BOOL, CONF_KIND_SECRET };

struct conf_row {
    const char    *name;
    enum conf_kind kind;
    const char    *fallback;                   /* NULL: no default */
    int64_t        min, max;                   /* of a number, inclusive */
    size_t         offset;                     /* of char *, int64_t or bool in the struct */
    const char    *help;                       /* one line, unit included */
};

#define CONF_TEXT(n, d, type, field, h) { n, CONF_KIND_TEXT, d, 0, 0, offsetof(type, field), h }
#define CONF_NUM(n, d, lo, hi, type, field, h) \
    { n, CONF_KIND_NUM, d, lo, hi, offsetof(type, field), h }
#define CONF_BOOL(n, d, type, field, h) { n, CONF_KIND_BOOL, d, 0, 0, offsetof(type, field), h }
#define CONF_SECRET(n, type, field, h) { n, CONF_KIND_SECRET, NULL, 0, 0, offsetof(type, field), h }

/* Fill `out` from the environment. A secret NAME may also be given as NAME_FILE, a file
 * whose contents (one trailing newline removed) are the value; both at once is an error, and
 * so is an empty file. An empty variable counts as unset. Where there is no default, texts
 * become NULL and other fields keep what they held. Booleans: true|false|1|0|yes|no|on|off.
 * Texts in `out` are heap copies, for the life of the process or until conf_free.
 * Returns 0, or ERR_INVALID with one line, a sentence, per problem in `problems` (all
 * problems are found in one go; no secret's value is ever in a sentence). */
int conf_load(const struct conf_row *rows, size_t count, void *out, struct buf *problems);

/* Free what conf_load put into `out`, secrets wiped first; its texts become NULL. */
void conf_free(const struct conf_row *rows, size_t count, void *out);

/* Append a line for every environment variable that begins with `prefix` and is no row: a
 * likely misspelling. Returns how many. */
size_t conf_unknown(const struct conf_row *rows, size_t count, const char *prefix,
                    struct buf *warnings);

/* Print the rows as `NAME<tab>default<tab>help` lines (what --settings shows). */
void conf_print(const struct conf_row *rows, size_t count, FILE *to);

#endif

/* log.h -- one event, one line, key=value (or JSON), on standard error.
 *
 *     log_info("session-closed", LOG_TEXT("session", sid), LOG_NUM("sent_bytes", n));
 *     2026-11-21T02:16:00.123Z level=info event=session-closed session=9f2c sent_bytes=1824
 *
 * Debug shows state changes, info shows lives, warn shows what heals by itself, error asks a
 * human to act. Never a payload, never a token. Values with spaces, quotes or control
 * characters are quoted and escaped. At least one field is required. Any thread; a line is
 * written with one write(2). The same event repeated more than 20 times within a second is
 * cut off; the next line of that event, or log_flush, says how many were left out
 * (`suppressed=N`). */
#ifndef TASKWIRE_COMMON_LOG_H
#define TASKWIRE_COMMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_KV, LOG_FORMAT_JSON };

struct log_field {
    const char  *key;                          /* NULL ends the list */
    struct slice text;
    int64_t      num;
    enum { LOG_FIELD_TEXT, LOG_FIELD_NUM } kind;
};

#define LOG_TEXT(k, v)  { .key = (k), .text = slice_of(v), .kind = LOG_FIELD_TEXT }
#define LOG_SLICE(k, v) { .key = (k), .text = (v), .kind = LOG_FIELD_TEXT }
#define LOG_NUM(k, v)   { .key = (k), .num = (int64_t)(v), .kind = LOG_FIELD_NUM }
#define LOG_ERR(code)   { .key = "why", .text = slice_of(err_text(code)), .kind = LOG_FIELD_TEXT }

/* Set once in main, before any other thread runs. `service` is put on every line. */
void log_setup(const char *service, enum log_level least, enum log_format format);

/* Parse "debug|info|warn|error" and "kv|json". Return 0 or ERR_INVALID. */
int log_level_parse(const char *text, enum log_level *out);
int log_format_parse(const char *text, enum log_format *out);

/* Say of events that were cut off more than a second ago how often, once a second or so; `all`:
 * of the others too, before the end. */
void log_flush(bool all);

void log_write(enum log_level level, const char *event, const struct log_field *fields);

#define LOG_AT(level, event, ...) \
    log_write((level), (event), (const struct log_field[]){ __VA_ARGS__, { .key = NULL } })
#define log_debug(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...)  LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_warn(event, ...)  LOG_AT(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_error(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)

#endif

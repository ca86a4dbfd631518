/* log.c -- see log.h.
 *
 * A line is made in a buffer on its own and leaves in one write(2), so lines of threads
 * and of processes that share a stream do not mix. A field that would pass the line's
 * ceiling is left out whole and the line says so (cut=1): half a JSON value would break
 * whatever reads the log.
 *
 * Repeats are counted per event in a fixed table. Event names are literals, so there are
 * as many as the source has; should the table ever be full, further events are simply not
 * limited. What a name hashes to stands for the name (64 bits, no collision to expect).
 * Syslog was rejected: the supervisor that collects standard error knows better. */
#include "common/log.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/utf8.h"

#define LINE_BYTES_MAX   8192
#define END_BYTES        64                    /* kept free for what ends a line */
#define VALUE_BYTES_MAX  1024                  /* longer values are cut */
#define BURST            20                    /* lines of one event and second */
#define SLOTS            512

struct repeats {
    uint64_t       event;                      /* hash of the name, 0: free */
    const char    *name;                       /* a literal */
    enum log_level level;                      /* of the newest line, written or not */
    int64_t        since_ms;                   /* when this second began */
    uint32_t       written;                    /* in this second */
    uint64_t       left_out;                   /* since the last line */
};

static const char *const LEVELS[] = { "debug", "info", "warn", "error" };

static struct {
    const char     *service;
    enum log_level  least;
    enum log_format format;
} setup = { "", LOG_LEVEL_INFO, LOG_FORMAT_KV };

static pthread_mutex_t repeats_lock = PTHREAD_MUTEX_INITIALIZER;
static struct repeats  repeats[SLOTS];         /* under the lock */

void log_setup(const char *service, enum log_level least, enum log_format format)
{
    setup.service = service;
    setup.least = least;
    setup.format = format;
}

int log_level_parse(const char *text, enum log_level *out)
{
    for (size_t i = 0; text != NULL && i < sizeof(LEVELS) / sizeof(LEVELS[0]); i++) {
        if (strcmp(text, LEVELS[i]) == 0) {
            *out = (enum log_level)i;
            return 0;
        }
    }
    return ERR_INVALID;
}

int log_format_parse(const char *text, enum log_format *out)
{
    if (text != NULL && strcmp(text, "kv") == 0)
        *out = LOG_FORMAT_KV;
    else if (text != NULL && strcmp(text, "json") == 0)
        *out = LOG_FORMAT_JSON;
    else
        return ERR_INVALID;
    return 0;
}

/* --- repeats --- */

static uint64_t hash(const char *text)
{
    uint64_t h = UINT64_C(14695981039346656037);      /* FNV-1a */

    while (*text != '\0')
        h = (h ^ (unsigned char)*text++) * UINT64_C(1099511628211);
    return h == 0 ? 1 : h;
}

static struct repeats *repeats_of(uint64_t event)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct repeats *r = &repeats[(event + i) % SLOTS];

        if (r->event == event || r->event == 0) {
            r->event = event;
            return r;
        }
    }
    return NULL;
}

static int64_t monotonic_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* May this line be written? If so, `*left_out` tells how many before it were not. */
static bool may_write(enum log_level level, const char *event, uint64_t *left_out)
{
    int64_t         now_ms = monotonic_ms();
    struct repeats *r;
    bool            may = true;

    *left_out = 0;
    pthread_mutex_lock(&repeats_lock);
    r = repeats_of(hash(event));
    if (r != NULL) {
        if (r->written == 0 || now_ms - r->since_ms >= 1000) {
            r->since_ms = now_ms;
            r->written = 0;
        }
        r->name = event;
        r->level = level;
        may = r->written < BURST;
        if (may) {
            r->written++;
            *left_out = r->left_out;
            r->left_out = 0;
        } else {
            r->left_out++;
        }
    }
    pthread_mutex_unlock(&repeats_lock);
    return may;
}

/* --- values --- */

static bool is_bare(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c <= ' ' || c == '"' || c >= 0x7f)
            return false;
    }
    return text.len != 0;
}

/* One byte of a quoted value; `is_text`: the whole value is UTF-8. */
static void append_quoted_byte(struct buf *line, unsigned char c, bool is_text)
{
    if (c == '"' || c == '\\')
        buf_printf(line, "\\%c", c);
    else if (c == '\n')
        buf_append_text(line, "\\n");
    else if (c == '\r')
        buf_append_text(line, "\\r");
    else if (c == '\t')
        buf_append_text(line, "\\t");
    else if (c < ' ' || c == 0x7f || (c >= 0x80 && !is_text))
        buf_printf(line, "\\x%02x", c);
    else
        buf_append_char(line, (char)c);
}

static void append_kv(struct buf *line, struct slice text)
{
    /* U+0080-U+009F steer terminals too: such a text is written byte by byte. */
    bool is_text = utf8_is_valid(text);

    if (is_bare(text)) {
        buf_append_slice(line, text);
        return;
    }
    for (size_t i = 0; i + 1 < text.len && is_text; i++)
        is_text = (unsigned char)text.data[i] != 0xc2 || (unsigned char)text.data[i + 1] >= 0xa0;
    buf_append_char(line, '"');
    for (size_t i = 0; i < text.len; i++)
        append_quoted_byte(line, (unsigned char)text.data[i], is_text);
    buf_append_char(line, '"');
}

/* JSON has no way to hold what is not UTF-8: such bytes become U+0080-U+00FF. */
static void append_json(struct buf *line, struct slice text)
{
    if (utf8_is_valid(text)) {
        buf_append_json(line, text);
        return;
    }
    buf_append_char(line, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
            buf_printf(line, "\\u%04x", c);
        else
            buf_append_char(line, (char)c);
    }
    buf_append_char(line, '"');
}

static void append_key(struct buf *line, const char *key)
{
    if (setup.format == LOG_FORMAT_JSON)
        buf_printf(line, ",\"%s\":", key);
    else
        buf_printf(line, " %s=", key);
}

static void append_text(struct buf *line, const char *key, struct slice text)
{
    append_key(line, key);
    if (text.len > VALUE_BYTES_MAX)
        text = utf8_cut(text, VALUE_BYTES_MAX);
    if (setup.format == LOG_FORMAT_JSON)
        append_json(line, text);
    else
        append_kv(line, text);
}

static void append_num(struct buf *line, const char *key, int64_t n)
{
    append_key(line, key);
    buf_printf(line, "%lld", (long long)n);
}

/* --- lines --- */

static void append_head(struct buf *line, enum log_level level, const char *event)
{
    char time[CLOCK_TEXT_SIZE];

    clock_format(clock_wall_ms(), time);
    if (setup.format == LOG_FORMAT_JSON)
        buf_printf(line, "{\"time\":\"%s\"", time);
    else
        buf_append_text(line, time);
    append_text(line, "level", slice_of(LEVELS[level]));
    if (setup.service != NULL && setup.service[0] != '\0')
        append_text(line, "service", slice_of(setup.service));
    append_text(line, "event", slice_of(event));
}

/* Append a field, or nothing where it does not fit. Returns whether it did. */
static bool append_field(struct buf *line, const struct log_field *field)
{
    size_t before = line->len;

    if (field->kind == LOG_FIELD_NUM)
        append_num(line, field->key, field->num);
    else
        append_text(line, field->key, field->text);
    if (!buf_failed(line))
        return true;
    line->len = before;
    line->failed = false;
    return false;
}

static void write_line(const struct buf *line)
{
    ssize_t n = write(STDERR_FILENO, line->data, line->len);

    (void)n;                                   /* there is nobody to tell */
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    struct buf line;
    uint64_t   left_out;
    bool       is_cut = false;

    if (level < setup.least || !may_write(level, event, &left_out))
        return;
    buf_init(&line, LINE_BYTES_MAX - END_BYTES);
    append_head(&line, level, event);
    for (const struct log_field *f = fields; f->key != NULL; f++)
        is_cut |= !append_field(&line, f);
    line.max = LINE_BYTES_MAX;
    if (is_cut)
        append_num(&line, "cut", 1);
    if (left_out != 0)
        append_num(&line, "suppressed", (int64_t)left_out);
    buf_append_text(&line, setup.format == LOG_FORMAT_JSON ? "}\n" : "\n");
    write_line(&line);
    buf_deinit(&line);
}

static void write_left_out(const struct repeats *r)
{
    struct buf line;

    buf_init(&line, LINE_BYTES_MAX);
    append_head(&line, r->level, r->name);
    append_num(&line, "suppressed", (int64_t)r->left_out);
    buf_append_text(&line, setup.format == LOG_FORMAT_JSON ? "}\n" : "\n");
    write_line(&line);
    buf_deinit(&line);
}

void log_flush(bool all)
{
    int64_t now_ms = monotonic_ms();

    for (size_t i = 0; i < SLOTS; i++) {
        struct repeats over = { .left_out = 0 };

        pthread_mutex_lock(&repeats_lock);
        if (all || now_ms - repeats[i].since_ms >= 1000) {
            over = repeats[i];
            repeats[i].left_out = 0;
        }
        pthread_mutex_unlock(&repeats_lock);
        if (over.left_out != 0)
            write_left_out(&over);
    }
}

/* out.c -- see out.h.
 *
 * jansson escapes what JSON says must be escaped. DEL and the C1 controls it leaves, and a terminal
 * may take U+009B for the beginning of an escape sequence: they are escaped here, which is the same
 * text to every reader of JSON. */
#include "taskd/ctl/cli/out.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/mem.h"
#include "taskd/ctl/cli/age.h"
#include "taskd/ctl/cli/colour.h"
#include "taskd/ctl/cli/exit.h"
#include "taskd/ctl/cli/text.h"

#define TEXT_MAX      ((size_t)128 << 20)
#define SENTENCE_MAX  8192
#define WIDTH_DEFAULT 80

/* --- standard output and its end --- */

static void output_failed(void)
{
    int err = errno;

    if (err == EPIPE) {
        signal(SIGPIPE, SIG_DFL);              /* as if nobody had ever ignored it */
        raise(SIGPIPE);
    }
    fprintf(stderr, "taskctl: standard output: %s\n", strerror(err));
    _exit(EXIT_FAILED);
}

void out_text(struct slice text)
{
    progress_done();
    if (text.len > 0 && fwrite(text.data, 1, text.len, stdout) != text.len)
        output_failed();
}

void out_flush(void)
{
    if (fflush(stdout) != 0)
        output_failed();
}

void out_line(const char *format, ...)
{
    struct buf text;
    char      *line;
    va_list    args;

    va_start(args, format);
    if (vasprintf(&line, format, args) < 0)
        abort();
    va_end(args);
    buf_init(&text, TEXT_MAX);
    buf_append_text(&text, line);
    buf_append_char(&text, '\n');
    out_text(buf_peek(&text));
    buf_deinit(&text);
    free(line);
}

/* --- standard error --- */

static bool has_progress;

static void put_clean(FILE *to, const char *text)
{
    struct buf clean;

    buf_init(&clean, 4 * SENTENCE_MAX);
    text_clean(slice_of(text), &clean);
    fprintf(to, "%s", clean.data != NULL ? clean.data : "");
    buf_deinit(&clean);
}

void say(const char *format, ...)
{
    char    text[SENTENCE_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    progress_done();
    fputs("taskctl: ", stderr);
    put_clean(stderr, text);
    fputc('\n', stderr);
}

void progress(const char *format, ...)
{
    char    text[256];
    va_list args;

    if (!isatty(STDERR_FILENO))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fputs("\r\x1b[K", stderr);
    put_clean(stderr, text);
    fflush(stderr);
    has_progress = true;
}

void progress_done(void)
{
    if (!has_progress)
        return;
    fputs("\r\x1b[K", stderr);
    fflush(stderr);
    has_progress = false;
}

/* --- how it is to look --- */

size_t out_terminal_width(void)
{
    struct winsize size = { 0 };

    if (!isatty(STDOUT_FILENO))
        return 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return WIDTH_DEFAULT;
    return size.ws_col;
}

static bool wants_colour(const char *choice)
{
    const char *no_color = getenv("NO_COLOR");     /* no-color.org: set, and not empty */
    const char *term = getenv("TERM");

    if (strcmp(choice, "auto") != 0)
        return strcmp(choice, "always") == 0;
    return isatty(STDOUT_FILENO) && (no_color == NULL || *no_color == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(text, *words) == 0)
            return true;
    }
    return false;
}

int out_init(struct out *o, const struct args *a, struct buf *why)
{
    static const char *const COLOURS[] = { "auto", "always", "never", NULL };
    static const char *const FORMATS[] = { "table", "json", "ndjson", NULL };
    const char *colour = args_value(a, "color");
    const char *format = args_value(a, "output");

    *o = (struct out){ .format = OUT_TABLE };
    if (!is_one_of(format, FORMATS)) {
        buf_printf(why, "--output takes table, json or ndjson, not '%s'", format);
        return ERR_INVALID;
    }
    if (!is_one_of(colour, COLOURS)) {
        buf_printf(why, "--color takes auto, always or never, not '%s'", colour);
        return ERR_INVALID;
    }
    if (strcmp(format, "json") == 0)
        o->format = OUT_JSON;
    else if (strcmp(format, "ndjson") == 0)
        o->format = OUT_NDJSON;
    o->has_colour = wants_colour(colour);
    o->has_titles = !args_flag(a, "no-headers");
    o->width = out_terminal_width();
    return 0;
}

/* --- JSON --- */

static void put_json(const json_t *value, size_t flags)
{
    char      *text = json_dumps(value, flags | JSON_ENCODE_ANY);
    struct buf safe;

    if (text == NULL)
        abort();
    buf_init(&safe, TEXT_MAX);
    for (const char *c = text; *c != '\0'; c++) {
        unsigned char next = (unsigned char)c[1];

        if (*c == 0x7f)
            buf_append_text(&safe, "\\u007f");
        else if ((unsigned char)*c == 0xc2 && next >= 0x80 && next < 0xa0)
            buf_printf(&safe, "\\u%04x", (unsigned char)*++c);
        else
            buf_append_char(&safe, *c);
    }
    buf_append_char(&safe, '\n');
    out_text(buf_peek(&safe));
    buf_deinit(&safe);
    free(text);
}

static void put_pretty(const json_t *value)
{
    put_json(value, JSON_INDENT(2));
}

static void put_compact(const json_t *value)
{
    put_json(value, JSON_COMPACT);
}

/* --- cells --- */

static void put_age(const char *text, struct buf *out)
{
    int64_t then;
    char    age[AGE_SIZE];

    if (text == NULL || clock_parse(slice_of(text), &then) != 0)
        return;
    age_format(clock_wall_ms() - then, age);
    buf_append_text(out, age);
}

static void put_list(const json_t *list, struct buf *out)
{
    const json_t *item;
    size_t        i;

    json_array_foreach(list, i, item) {
        if (i > 0)
            buf_append_text(out, ", ");
        if (json_is_string(item))
            buf_append_text(out, json_string_value(item));
    }
}

static void put_value(const struct view_column *c, const json_t *value, struct buf *out)
{
    if (c->kind == CELL_AGE)
        put_age(json_string_value(value), out);
    else if (c->kind == CELL_LIST)
        put_list(value, out);
    else if (c->kind == CELL_HASH && json_is_integer(value))
        buf_printf(out, "#%lld", (long long)json_integer_value(value));
    else if (json_is_string(value))
        buf_append_text(out, json_string_value(value));
    else if (json_is_integer(value))
        buf_printf(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        buf_printf(out, "%.1f", json_real_value(value));
    else if (json_is_boolean(value))
        buf_append_text(out, json_is_true(value) ? "true" : "false");
}

static void put_row(struct table *t, const struct view *v, const json_t *row)
{
    struct buf text;

    buf_init(&text, TEXT_MAX);
    for (size_t i = 0; i < v->count; i++) {
        const struct view_column *c = &v->columns[i];

        buf_reset(&text);
        put_value(c, json_object_get(row, c->member), &text);
        if (text.len == 0)
            buf_append_char(&text, '-');
        table_cell(t, buf_peek(&text), c->colour != NULL ? c->colour(text.data) : NULL);
    }
    buf_deinit(&text);
}

/* --- rows --- */

struct out_stream {
    const struct out   *out;
    const struct view  *view;
    struct table       *table;
    struct table_column columns[TABLE_COLUMNS_MAX];
};

struct out_stream *out_stream_new(const struct out *o, const struct view *v)
{
    struct out_stream *s = mem_new(struct out_stream);

    s->out = o;
    s->view = v;
    for (size_t i = 0; i < v->count && i < TABLE_COLUMNS_MAX; i++)
        s->columns[i] = (struct table_column){ v->columns[i].title, v->columns[i].flags };
    s->table = table_new(s->columns, v->count);
    return s;
}

static void table_rows(struct out_stream *s, const json_t *rows)
{
    const struct table_style style = { s->out->width, s->out->has_titles, s->out->has_colour };
    struct buf               text;
    const json_t            *row;
    size_t                   i;

    json_array_foreach(rows, i, row)
        put_row(s->table, s->view, row);
    buf_init(&text, TEXT_MAX);
    table_print(s->table, &style, &text);
    out_text(buf_peek(&text));
    buf_deinit(&text);
}

void out_stream_rows(struct out_stream *s, const json_t *rows)
{
    const json_t *row;
    size_t        i;

    if (s->out->format == OUT_TABLE)
        table_rows(s, rows);
    else
        json_array_foreach(rows, i, row)
            put_compact(row);
    out_flush();
}

void out_stream_free(struct out_stream *s)
{
    table_free(s->table);
    free(s);
}

void out_rows(const struct out *o, const struct view *v, const json_t *rows)
{
    struct out_stream *s;

    if (o->format == OUT_JSON) {
        put_pretty(rows);
        return;
    }
    s = out_stream_new(o, v);
    out_stream_rows(s, rows);
    out_stream_free(s);
}

/* --- one thing --- */

/* "Title:  value", values in one column, long ones broken into lines. */
static void put_fact(const struct out *o, const struct view_column *c, size_t left,
                     struct slice value, struct buf *out)
{
    const char *colour = o->has_colour && c->colour != NULL ? c->colour(value.data) : NULL;
    size_t      room = o->width > left + 2 * 10 ? o->width - left : 0;
    struct buf  wrapped;
    int         pad = (int)(left - text_width(slice_of(c->title)) - 1);

    buf_printf(out, "%s%s:%s%*s", o->has_colour ? COLOUR_DIM : "", c->title,
               o->has_colour ? COLOUR_NONE : "", pad, "");
    buf_init(&wrapped, TEXT_MAX);
    if (room > 0)
        text_wrap(value.data, left, left + room, &wrapped);
    else
        buf_append_slice(&wrapped, value);
    while (wrapped.len > 0 && wrapped.data[wrapped.len - 1] == '\n')
        wrapped.data[--wrapped.len] = '\0';
    buf_printf(out, "%s%s%s\n", colour != NULL ? colour : "",
               room > 0 ? wrapped.data + left : wrapped.data, colour != NULL ? COLOUR_NONE : "");
    buf_deinit(&wrapped);
}

static size_t widest_title(const struct view *v, const json_t *object)
{
    size_t most = 0;

    for (size_t i = 0; i < v->count; i++) {
        size_t width = text_width(slice_of(v->columns[i].title));

        if (width > most && json_object_get(object, v->columns[i].member) != NULL)
            most = width;
    }
    return most;
}

void out_object(const struct out *o, const struct view *v, const json_t *object)
{
    size_t     left = widest_title(v, object) + 3;
    struct buf text, value, clean;

    if (o->format != OUT_TABLE) {
        (o->format == OUT_JSON ? put_pretty : put_compact)(object);
        return;
    }
    buf_init(&text, TEXT_MAX);
    buf_init(&value, TEXT_MAX);
    buf_init(&clean, TEXT_MAX);
    for (size_t i = 0; i < v->count; i++) {
        buf_reset(&value);
        buf_reset(&clean);
        put_value(&v->columns[i], json_object_get(object, v->columns[i].member), &value);
        text_clean(buf_peek(&value), &clean);
        if (clean.len > 0)
            put_fact(o, &v->columns[i], left, buf_peek(&clean), &text);
    }
    out_text(buf_peek(&text));
    buf_deinit(&text);
    buf_deinit(&value);
    buf_deinit(&clean);
}

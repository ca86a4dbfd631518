/* js.c -- passes JSON on as JavaScript would.
 *
 * A stream of tokens in, text out; one bit per level says whether a comma is due. To know
 * that an object is a placeholder one must have read it to its end, so at each object of a
 * binary event a copy of the scanner runs ahead. */
#include "tests/conformance/echo/js.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#define TEXT_BYTES_MAX (64u << 20)

void js_init(struct js *js)
{
    js->from = NULL;
    js->from_count = js->count = 0;
    buf_init(&js->text, TEXT_BYTES_MAX);
}

void js_deinit(struct js *js)
{
    buf_deinit(&js->text);
}

/* --- numbers --- */

/* The shortest digits that read back as `n`, and the place of the point behind them. */
static int shortest_digits(double n, char digits[20], int *point)
{
    char text[40];
    int len = 0;

    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, n);
        if (strtod(text, NULL) == n)
            break;
    }
    for (const char *at = text; *at != 'e'; at++)
        if (*at >= '0' && *at <= '9')
            digits[len++] = *at;
    *point = (int)strtol(strchr(text, 'e') + 1, NULL, 10) + 1;
    while (len > 1 && digits[len - 1] == '0')
        len--;
    return len;
}

static void append_zeros(struct buf *out, int count)
{
    while (count-- > 0)
        buf_append_char(out, '0');
}

/* ECMA-262, Number::toString, with k = len and n = point. */
void js_append_number(struct buf *out, double n)
{
    char digits[20];
    int point, len;

    if (n == 0) {
        buf_append_char(out, '0');
        return;
    }
    if (n < 0)
        buf_append_char(out, '-');
    len = shortest_digits(fabs(n), digits, &point);
    if (len <= point && point <= 21) {
        buf_append(out, digits, (size_t)len);
        append_zeros(out, point - len);
    } else if (point > 0 && point <= 21) {
        buf_append(out, digits, (size_t)point);
        buf_append_char(out, '.');
        buf_append(out, digits + point, (size_t)(len - point));
    } else if (point > -6 && point <= 0) {
        buf_append_text(out, "0.");
        append_zeros(out, -point);
        buf_append(out, digits, (size_t)len);
    } else {
        buf_append_char(out, digits[0]);
        if (len > 1)
            buf_append_char(out, '.');
        buf_append(out, digits + 1, (size_t)(len - 1));
        buf_printf(out, "e%+d", point - 1);
    }
}

static double number_of(struct slice text)
{
    char *copy = strndup(text.data, text.len);
    double n = copy == NULL ? 0 : strtod(copy, NULL);

    free(copy);
    return n;
}

static void put_number(struct js *js, struct slice text)
{
    double n = number_of(text);

    if (isinf(n))
        buf_append_text(&js->text, "null");
    else
        js_append_number(&js->text, n);
}

/* --- strings --- */

static void put_code(struct js *js, unsigned code)
{
    static const char FROM[] = "\b\t\n\f\r\"\\", TO[] = "btnfr\"\\";
    const char *known = code != 0 && code < 0x80 ? strchr(FROM, (int)code) : NULL;

    if (known != NULL) {
        buf_append_char(&js->text, '\\');
        buf_append_char(&js->text, TO[known - FROM]);
    } else if (code < 0x20 || (code >= 0xd800 && code < 0xe000)) {
        buf_printf(&js->text, "\\u%04x", code);
    } else {
        json_scan_append_utf8(&js->text, code);
    }
}

/* One escape; returns how long it is. */
static size_t put_escape(struct js *js, const char *at, const char *end)
{
    static const char FROM[] = "bfnrt", TO[] = "\b\f\n\r\t";
    const char *known = strchr(FROM, at[1]);
    unsigned code, low;

    if (at[1] != 'u') {
        put_code(js, (unsigned char)(known != NULL ? TO[known - FROM] : at[1]));
        return 2;
    }
    code = json_scan_hex4(at + 2);
    low = code >= 0xd800 && code < 0xdc00 && end - at >= 12 && at[6] == '\\' && at[7] == 'u'
        ? json_scan_hex4(at + 8) : 0;
    if (low >= 0xdc00 && low < 0xe000) {
        put_code(js, 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
        return 12;
    }
    put_code(js, code);
    return 6;
}

static void put_string(struct js *js, const struct token *t)
{
    const char *at = t->text.data, *end = at + t->text.len;

    if (!t->has_escapes) {
        buf_append_slice(&js->text, t->text);
        return;
    }
    while (at < end) {
        if (*at == '\\')
            at += put_escape(js, at, end);
        else
            buf_append_char(&js->text, *at++);
    }
}

/* --- placeholders --- */

/* `s` stands behind the '{' of an object. Is it a placeholder? */
static bool is_placeholder(struct json_scanner s, size_t *out_num)
{
    unsigned inside = s.depth;
    bool is_one = false;
    struct token key = json_scan_next(&s);

    *out_num = SIZE_MAX;
    while (key.kind == TOKEN_KEY) {
        struct token value = json_scan_next(&s);

        if (slice_is(key.text, "\"_placeholder\""))
            is_one = value.kind == TOKEN_TRUE;
        if (slice_is(key.text, "\"num\"") && value.kind == TOKEN_NUMBER)
            *out_num = (size_t)number_of(value.text);
        if (s.depth > inside && json_scan_skip(&s) != 0)
            return false;
        key = json_scan_next(&s);
    }
    return is_one && key.kind == TOKEN_OBJECT_END;
}

bool js_is_placeholder(struct slice json, size_t *out_num)
{
    struct json_scanner s;

    json_scan_init(&s, json);
    return json_scan_next(&s).kind == TOKEN_OBJECT && is_placeholder(s, out_num);
}

/* Write the next placeholder in its place; `s` goes behind the object. */
static bool put_placeholder(struct js *js, struct json_scanner *s)
{
    size_t num;

    if (js->from_count == 0 || !is_placeholder(*s, &num) || num >= js->from_count ||
        js->count == JS_ATTACHMENTS_MAX)
        return false;
    buf_printf(&js->text, "{\"_placeholder\":true,\"num\":%zu}", js->count);
    js->attachments[js->count++] = js->from[num];
    json_scan_skip(s);
    return true;
}

/* --- values --- */

/* Write one token. Returns whether a comma is due before the next one of its level. */
static bool put_token(struct js *js, struct json_scanner *s, const struct token *t)
{
    switch (t->kind) {
    case TOKEN_KEY:
        put_string(js, t);
        buf_append_char(&js->text, ':');
        return false;
    case TOKEN_STRING:
        put_string(js, t);
        return true;
    case TOKEN_NUMBER:
        put_number(js, t->text);
        return true;
    case TOKEN_OBJECT:
        if (put_placeholder(js, s))
            return true;
        buf_append_char(&js->text, '{');
        return false;
    case TOKEN_ARRAY:
        buf_append_char(&js->text, '[');
        return false;
    default:
        buf_append_slice(&js->text, t->text);
        return true;
    }
}

void js_value(struct js *js, struct slice json)
{
    struct json_scanner s;
    bool comma = false;

    json_scan_init(&s, json);
    for (;;) {
        struct token t = json_scan_next(&s);

        if (t.kind == TOKEN_END || t.kind == TOKEN_ERROR)
            return;
        if (comma && t.kind != TOKEN_OBJECT_END && t.kind != TOKEN_ARRAY_END)
            buf_append_char(&js->text, ',');
        comma = put_token(js, &s, &t);
    }
}

struct slice js_element(struct slice array, size_t n)
{
    struct json_scanner s;
    struct token t;

    json_scan_init(&s, array);
    if (json_scan_next(&s).kind != TOKEN_ARRAY)
        return SLICE("");
    for (size_t i = 0;; i++) {
        t = json_scan_next(&s);
        if (t.kind == TOKEN_ARRAY_END || t.kind == TOKEN_ERROR)
            return SLICE("");
        if ((t.kind == TOKEN_OBJECT || t.kind == TOKEN_ARRAY) && json_scan_skip(&s) != 0)
            return SLICE("");
        if (i == n)
            return slice_make(t.text.data, (size_t)(s.at - t.text.data));
    }
}

void js_arguments(struct js *js, const struct sio_event *e, size_t first)
{
    js->from = e->attachments;
    js->from_count = e->attachment_count;
    for (size_t i = first;; i++) {
        struct slice value = js_element(e->array, i);

        if (value.len == 0)
            return;
        buf_append_char(&js->text, ',');
        js_value(js, value);
    }
}

bool js_is_true(struct slice json)
{
    if (json.len == 0 || slice_is(json, "null") || slice_is(json, "false"))
        return false;
    if (slice_is(json, "\"\""))
        return false;
    if (json.data[0] == '-' || (json.data[0] >= '0' && json.data[0] <= '9'))
        return number_of(json) != 0;
    return true;
}

bool js_string(struct slice json, struct buf *out)
{
    struct json_scanner s;
    struct token t;

    json_scan_init(&s, json);
    t = json_scan_next(&s);
    return t.kind == TOKEN_STRING && json_scan_decode(&t, out) == 0;
}

void js_append_date(struct buf *out)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format(clock_wall_ms(), text);
    buf_printf(out, "\"%s\"", text);
}

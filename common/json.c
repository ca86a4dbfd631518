/* json.c -- see json.h.
 *
 * jansson is strict about UTF-8, repeated keys and trailing bytes when asked to be. Three
 * things are added: its parser recurses up to 2048 levels, so depth is counted before it
 * runs; it refuses whole numbers past 64 bits, though they be in a field that nobody asked
 * for, so these are read again as reals; and its setters report exhaustion, which is the end
 * here as everywhere (mem.h). */
#include "common/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/utf8.h"

#define DEPTH_MAX 64

static bool is_too_deep(struct slice text)
{
    bool in_string = false;
    int  depth = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (in_string) {
            if (c == '\\')
                i++;                           /* whatever is escaped ends nothing */
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > DEPTH_MAX)
                return true;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return false;
}

/* The number that `text` begins with. */
static struct slice number_of(struct slice text)
{
    size_t n = 0;

    while (n < text.len && text.data[n] != '\0' && strchr("+-.0123456789Ee", text.data[n]) != NULL)
        n++;
    return slice_make(text.data, n);
}

/* Is it a whole number that 64 bits cannot hold? */
static bool is_too_wide(struct slice number)
{
    bool        is_negative = slice_starts(number, "-");
    const char *last = is_negative ? "9223372036854775808" : "9223372036854775807";

    number = slice_from(number, is_negative ? 1 : 0);
    for (size_t i = 0; i < number.len; i++) {
        if (number.data[i] < '0' || number.data[i] > '9')
            return false;
    }
    return number.len > strlen(last) ||
           (number.len == strlen(last) && memcmp(number.data, last, number.len) > 0);
}

/* The text with "e0" behind every such number: the same number, and a real to any parser. */
static void append_with_wide_numbers(struct slice text, struct buf *out)
{
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        struct slice number = { NULL, 0 };

        if (text.data[i] == '"')
            in_string = !in_string;
        else if (in_string && text.data[i] == '\\' && i + 1 < text.len)
            buf_append_char(out, text.data[i++]);
        else if (!in_string)
            number = number_of(slice_from(text, i));
        if (number.len == 0) {
            buf_append_char(out, text.data[i]);
            continue;
        }
        buf_append_slice(out, number);
        if (is_too_wide(number))
            buf_append_text(out, "e0");
        i += number.len - 1;
    }
}

static json_t *load(struct slice text, json_error_t *error)
{
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
    struct buf   wide;
    json_t      *value = json_loadb(text.data != NULL ? text.data : "", text.len, flags, error);

    if (value != NULL || json_error_code(error) != json_error_numeric_overflow)
        return value;
    buf_init(&wide, text.len + text.len / 8);     /* 2 more for 19 and a comma, at most */
    append_with_wide_numbers(text, &wide);
    if (!buf_failed(&wide))
        value = json_loadb(wide.data, wide.len, flags, error);
    buf_deinit(&wide);
    return value;
}

/* jansson ends its sentence with what it stood at, a piece of the input, perhaps cut inside
 * of a character: neither for logs nor for other people's JSON. The place says as much. */
static void say_why(const json_error_t *error, struct buf *why)
{
    const char *quote = strstr(error->text, " near ");
    size_t      len = quote != NULL ? (size_t)(quote - error->text) : strlen(error->text);

    buf_printf(why, "%.*s at byte %d", (int)len, error->text, error->position);
}

json_t *json_parse(struct slice text, struct buf *why)
{
    json_error_t error;
    json_t      *value;

    if (is_too_deep(text)) {
        if (why != NULL)
            buf_printf(why, "nested deeper than %d levels", DEPTH_MAX);
        return NULL;
    }
    value = load(text, &error);
    if (value == NULL && why != NULL)
        say_why(&error, why);
    return value;
}

static int on_dumped(const char *data, size_t len, void *arg)
{
    return buf_append(arg, data, len);
}

int json_append(struct buf *out, const json_t *value)
{
    size_t before = out->len;

    if (json_dump_callback(value, on_dumped, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
        return 0;
    /* Half a value is of use to nobody. */
    out->len = before;
    if (out->data != NULL)
        out->data[before] = '\0';
    out->failed = true;
    return ERR_TOO_BIG;
}

const char *json_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

int64_t json_int(const json_t *object, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(object, key);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool json_bool(const json_t *object, const char *key, bool fallback)
{
    const json_t *value = json_object_get(object, key);

    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

/* Give `value` to the object. What can fail is memory alone. */
static void put(json_t *object, const char *key, json_t *value)
{
    assert(json_is_object(object));
    if (value == NULL || json_object_set_new(object, key, value) != 0)
        abort();
}

void json_put_text(json_t *object, const char *key, const char *text)
{
    if (text != NULL && utf8_is_valid(slice_of(text)))
        put(object, key, json_string_nocheck(text));
}

void json_put_int(json_t *object, const char *key, int64_t n)
{
    put(object, key, json_integer(n));
}

void json_put_bool(json_t *object, const char *key, bool b)
{
    put(object, key, json_boolean(b));
}

void json_put_time(json_t *object, const char *key, int64_t wall_ms)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format(wall_ms, text);
    put(object, key, json_string_nocheck(text));
}

void json_put_same(json_t *to, const json_t *from, const char *key)
{
    json_t *value = json_object_get(from, key);

    if (value != NULL)
        put(to, key, json_incref(value));
}

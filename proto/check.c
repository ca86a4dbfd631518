/* check.c -- see check.h.
 *
 * One function per type of field says what is right, and one sentence per type what it must
 * be; the same sentence serves where the field is missing, so that a caller who reads it
 * knows what to send. Parts are checked by calling back into check_fields: how deep is
 * decided by the rows (two levels), never by the input. */
#include "proto/check.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/utf8.h"
#include "proto/url.h"

static struct slice text_of(const json_t *value)
{
    return slice_make(json_string_value(value), json_string_length(value));
}

static bool has_length(const json_t *value, int64_t from, int64_t to)
{
    int64_t n;

    if (!json_is_string(value))
        return false;
    n = (int64_t)utf8_length(text_of(value));
    return n >= from && n <= to;
}

static bool is_id(struct slice text)
{
    if (text.len != 24)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

static bool is_choice(struct slice text, const char *choices)
{
    struct slice rest = slice_of(choices);

    while (rest.len != 0) {
        if (slice_eq(slice_cut(&rest, '|'), text))
            return true;
    }
    return false;
}

static bool are_texts(const struct field *f, const json_t *value)
{
    size_t i;
    json_t *each;

    if (!json_is_array(value) || (int64_t)json_array_size(value) < f->from ||
        (int64_t)json_array_size(value) > f->to)
        return false;
    json_array_foreach(value, i, each) {
        if (!has_length(each, 1, f->each_to))
            return false;
    }
    return true;
}

static bool are_parts(const struct field *f, const json_t *value, struct buf *why)
{
    size_t i;
    json_t *each;

    if (!json_is_array(value))
        return false;
    json_array_foreach(value, i, each) {
        if (check_fields(f->part, each, why) != 0)
            return false;
    }
    return true;
}

static bool is_int(const struct field *f, const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= f->from &&
           json_integer_value(value) <= f->to;
}

static bool is_right(const struct field *f, const json_t *value, struct buf *why)
{
    int64_t     time;
    enum status status;
    enum input  input;

    switch (f->type) {
    case TYPE_ID:     return json_is_string(value) && is_id(text_of(value));
    case TYPE_TEXT:   return has_length(value, f->from, f->to);
    case TYPE_URL:    return has_length(value, f->from, f->to) && url_is_link(text_of(value));
    case TYPE_REPO:   return json_is_string(value) && url_is_repo(text_of(value));
    case TYPE_TIME:   return json_is_string(value) && clock_parse(text_of(value), &time) == 0;
    case TYPE_BOOL:   return json_is_boolean(value);
    case TYPE_STATUS: return json_is_string(value) && status_parse(text_of(value), &status) == 0;
    case TYPE_INPUT:  return json_is_string(value) && input_parse(text_of(value), &input) == 0;
    case TYPE_INT:    return is_int(f, value);
    case TYPE_CHOICE: return json_is_string(value) && is_choice(text_of(value), f->choices);
    case TYPE_TEXTS:  return are_texts(f, value);
    case TYPE_OBJECT: return json_is_object(value);
    case TYPE_PART:   return json_is_object(value) && check_fields(f->part, value, why) == 0;
    case TYPE_LIST:   return are_parts(f, value, why);
    }
    return false;
}

/* --- what it must be --- */

static void say_choices(const char *choices, struct buf *why)
{
    struct slice rest = slice_of(choices);

    for (bool is_first = true; rest.len != 0; is_first = false) {
        struct slice each = slice_cut(&rest, '|');

        buf_printf(why, "%s%.*s", is_first ? "" : rest.len == 0 ? " or " : ", ", SLICE_ARG(each));
    }
}

static void say_text(const struct field *f, const json_t *value, struct buf *why)
{
    if (json_is_string(value) && (int64_t)utf8_length(text_of(value)) > f->to)
        buf_printf(why, "at most %" PRId64 " characters long", f->to);
    else
        buf_append_text(why, f->from > 0 ? "a non-empty string" : "a string");
}

static void say_texts(const struct field *f, struct buf *why)
{
    buf_printf(why, "a list of %" PRId64 " to %" PRId64 " strings of 1 to %" PRId64 " characters",
               f->from, f->to, f->each_to);
}

static void say(const struct field *f, const json_t *value, struct buf *why)
{
    buf_printf(why, "%s must be ", f->name);
    switch (f->type) {
    case TYPE_ID:     buf_append_text(why, "a task id: 24 hexadecimal digits"); break;
    case TYPE_TEXT:   say_text(f, value, why); break;
    case TYPE_URL:    buf_append_text(why, "an https link"); break;
    case TYPE_REPO:   buf_append_text(why, "a repository: owner/name"); break;
    case TYPE_TIME:   buf_append_text(why, "an RFC 3339 time"); break;
    case TYPE_BOOL:   buf_append_text(why, "true or false"); break;
    case TYPE_STATUS: buf_append_text(why, "a status"); break;
    case TYPE_INPUT:  buf_append_text(why, "an event type"); break;
    case TYPE_INT:    buf_printf(why, "a whole number from %" PRId64, f->from); break;
    case TYPE_CHOICE: say_choices(f->choices, why); break;
    case TYPE_TEXTS:  say_texts(f, why); break;
    case TYPE_OBJECT:
    case TYPE_PART:   buf_append_text(why, "an object"); break;
    case TYPE_LIST:   buf_append_text(why, "a list of objects"); break;
    }
}

int check_fields(enum shape shape, const json_t *object, struct buf *why)
{
    size_t              count;
    const struct field *fields = shape_fields(shape, &count);

    if (!json_is_object(object)) {
        if (why != NULL)
            buf_append_text(why, "a JSON object is expected");
        return ERR_INVALID;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(object, fields[i].name);
        size_t        said = why != NULL ? why->len : 0;

        if (value == NULL || json_is_null(value) ? !fields[i].is_required
                                                 : is_right(&fields[i], value, why))
            continue;
        if (why != NULL && why->len == said)   /* a part has said it better already */
            say(&fields[i], value, why);
        return ERR_INVALID;
    }
    return 0;
}

json_t *check_pick(enum shape shape, const json_t *object)
{
    size_t              count;
    const struct field *fields = shape_fields(shape, &count);
    json_t             *picked = json_object();

    if (picked == NULL)
        abort();                               /* memory is out: see common/mem.h */
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(object, fields[i].name);
        int64_t       time;

        if (value == NULL || json_is_null(value))
            continue;
        if (fields[i].type == TYPE_TIME && clock_parse(text_of(value), &time) == 0)
            json_put_time(picked, fields[i].name, time);
        else
            json_put_same(picked, object, fields[i].name);
    }
    return picked;
}

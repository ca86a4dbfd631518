/* schema.c -- JSON Schema 2020-12 of every shape.
 *
 * Parts are written out where they stand: two levels at most, and a schema that needs no
 * other file is one that any validator reads. What the C checker allows and a schema cannot
 * say well (null for an optional field) is left out: whoever sends by the schema is right. */
#include <stdlib.h>

#include "proto/gen/gen.h"

static json_t *must(json_t *value)
{
    if (value == NULL)
        abort();
    return value;
}

static void set(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, must(value)) != 0)
        abort();
}

static void add(json_t *array, const char *text)
{
    if (json_array_append_new(array, must(json_string(text))) != 0)
        abort();
}

static json_t *text_schema(int64_t from, int64_t to)
{
    json_t *schema = must(json_pack("{s:s}", "type", "string"));

    if (from > 0)
        json_put_int(schema, "minLength", from);
    json_put_int(schema, "maxLength", to);
    return schema;
}

static json_t *choice_schema(const char *choices)
{
    json_t      *values = must(json_array());
    struct slice rest = slice_of(choices);

    while (rest.len != 0) {
        struct slice each = slice_cut(&rest, '|');

        if (json_array_append_new(values, must(json_stringn(each.data, each.len))) != 0)
            abort();
    }
    return must(json_pack("{s:s,s:o}", "type", "string", "enum", values));
}

static json_t *status_schema(void)
{
    json_t *values = must(json_array());

    for (int s = 0; s < STATUS_COUNT; s++)
        add(values, status_wire(s));
    return must(json_pack("{s:s,s:o}", "type", "string", "enum", values));
}

static json_t *input_schema(void)
{
    json_t *values = must(json_array());

    for (int i = 0; i < INPUT_COUNT; i++)
        add(values, input_wire(i));
    return must(json_pack("{s:s,s:o}", "type", "string", "enum", values));
}

static json_t *url_schema(const struct field *f)
{
    json_t *schema = text_schema(f->from, f->to);

    json_put_text(schema, "format", "uri");
    json_put_text(schema, "pattern", "^[Hh][Tt][Tt][Pp][Ss]?://");
    json_put_text(schema, "description", "https, or http to loopback; no user information");
    return schema;
}

static json_t *repo_schema(void)
{
    return must(json_pack("{s:s,s:s}", "type", "string", "pattern",
                          "^(?!\\.{1,2}/)[A-Za-z0-9._-]{1,39}/"
                          "(?!\\.{1,2}$)[A-Za-z0-9._-]{1,100}$"));
}

static json_t *int_schema(const struct field *f)
{
    return must(json_pack("{s:s,s:I,s:I}", "type", "integer", "minimum", (json_int_t)f->from,
                          "maximum", (json_int_t)f->to));
}

static json_t *texts_schema(const struct field *f)
{
    return must(json_pack("{s:s,s:I,s:I,s:o}", "type", "array", "minItems", (json_int_t)f->from,
                          "maxItems", (json_int_t)f->to, "items", text_schema(1, f->each_to)));
}

static json_t *field_schema(const struct field *f)
{
    switch (f->type) {
    case TYPE_ID:     return must(json_pack("{s:s,s:s}", "type", "string", "pattern", "^[0-9a-f]{24}$"));
    case TYPE_TEXT:   return text_schema(f->from, f->to);
    case TYPE_URL:    return url_schema(f);
    case TYPE_REPO:   return repo_schema();
    case TYPE_TIME:   return must(json_pack("{s:s,s:s}", "type", "string", "format", "date-time"));
    case TYPE_BOOL:   return must(json_pack("{s:s}", "type", "boolean"));
    case TYPE_STATUS: return status_schema();
    case TYPE_INPUT:  return input_schema();
    case TYPE_INT:    return int_schema(f);
    case TYPE_CHOICE: return choice_schema(f->choices);
    case TYPE_TEXTS:  return texts_schema(f);
    case TYPE_OBJECT: return must(json_pack("{s:s}", "type", "object"));
    case TYPE_PART:   return gen_schema(f->part);
    case TYPE_LIST:   return must(json_pack("{s:s,s:o}", "type", "array", "items", gen_schema(f->part)));
    }
    abort();
}

json_t *gen_schema(enum shape s)
{
    size_t              count;
    const struct field *fields = shape_fields(s, &count);
    json_t             *schema = must(json_object());
    json_t             *properties = must(json_object());
    json_t             *required = must(json_array());

    json_put_text(schema, "title", shape_spec(s)->wire);
    json_put_text(schema, "description", shape_spec(s)->text);
    json_put_text(schema, "type", "object");
    for (size_t i = 0; i < count; i++) {
        set(properties, fields[i].name, field_schema(&fields[i]));
        if (fields[i].is_required)
            add(required, fields[i].name);
    }
    set(schema, "properties", properties);
    set(schema, "required", required);
    return schema;
}

void gen_schema_file(enum shape s, struct buf *out)
{
    json_t    *file = must(json_object());
    json_t    *schema = gen_schema(s);
    struct buf id;
    char      *text;

    buf_init(&id, 1000);
    buf_append_text(&id, "urn:taskwire:");
    gen_schema_name(s, &id);
    json_put_text(file, "$schema", "https://json-schema.org/draft/2020-12/schema");
    json_put_text(file, "$id", id.data);
    json_put_text(file, "$comment", GEN_NOTE);
    if (json_object_update(file, schema) != 0)
        abort();
    text = json_dumps(file, JSON_INDENT(2));
    if (text == NULL)
        abort();
    buf_printf(out, "%s\n", text);
    free(text);
    buf_deinit(&id);
    json_decref(schema);
    json_decref(file);
}

/* asyncapi.c -- asyncapi.yaml: the same events as AsyncAPI 3.0 channels, messages, operations.
 *
 * Two channels: the Socket.IO default namespace, seen from the gateway (it receives what
 * clients send), and tasks:ingest, from which taskd receives CloudEvents. The document is
 * made as a JSON tree and printed as block YAML with quoted scalars: each scalar is JSON,
 * which YAML 1.2 contains, so nothing needs YAML's own rules of quoting. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/gen/gen.h"

#define DEPTH_MAX 24

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

static json_t *ref_to(const char *place, enum shape s)
{
    struct buf to;
    json_t    *ref;

    buf_init(&to, 1000);
    buf_printf(&to, "#/%s/", place);
    gen_snake(shape_spec(s)->name, &to);
    ref = must(json_pack("{s:s}", "$ref", to.data));
    buf_deinit(&to);
    return ref;
}

static void set_of_shape(json_t *object, enum shape s, json_t *value)
{
    struct buf key;

    buf_init(&key, 1000);
    gen_snake(shape_spec(s)->name, &key);
    set(object, key.data, value);
    buf_deinit(&key);
}

/* --- which shapes are messages, of which channel --- */

static bool is_bus_data(enum shape s)
{
    for (int i = 0; i < INPUT_COUNT; i++) {
        if (shape_of_data(i) == s)
            return !input_is_rest_only(i);
    }
    return false;
}

static bool is_event(enum shape s)
{
    return shape_spec(s)->kind == KIND_UP || shape_spec(s)->kind == KIND_DOWN;
}

static json_t *channel(const char *address, const char *text, bool (*holds)(enum shape))
{
    json_t *messages = must(json_object());

    for (int s = 0; s < SHAPE_COUNT; s++) {
        if (holds(s))
            set_of_shape(messages, s, ref_to("components/messages", s));
    }
    return must(json_pack("{s:s,s:s,s:o}", "address", address, "description", text, "messages", messages));
}

static bool is_up(enum shape s)
{
    return shape_spec(s)->kind == KIND_UP;
}

static bool is_down(enum shape s)
{
    return shape_spec(s)->kind == KIND_DOWN;
}

static json_t *operation(const char *action, const char *name, bool (*holds)(enum shape))
{
    json_t    *messages = must(json_array());
    struct buf place, messages_place;
    json_t    *made;

    buf_init(&place, 1000);
    buf_init(&messages_place, 1000);
    buf_printf(&place, "#/channels/%s", name);
    buf_printf(&messages_place, "channels/%s/messages", name);
    for (int s = 0; s < SHAPE_COUNT; s++) {
        if (holds(s) && json_array_append_new(messages, ref_to(messages_place.data, s)) != 0)
            abort();
    }
    made = must(json_pack("{s:s,s:{s:s},s:o}", "action", action, "channel", "$ref", place.data,
                          "messages", messages));
    buf_deinit(&place);
    buf_deinit(&messages_place);
    return made;
}

/* --- messages and their schemas --- */

/* A CloudEvent around the data of an input. */
static json_t *cloudevent_schema(enum shape s)
{
    struct buf type;
    json_t    *schema;

    buf_init(&type, 1000);
    buf_printf(&type, "task.%s", shape_spec(s)->wire);
    schema = must(json_pack(
        "{s:s,s:{s:{s:s},s:{s:s,s:i,s:i},s:{s:s,s:i,s:i},s:{s:s},s:{s:s,s:s},s:{s:s,s:s},s:o},s:[sssss]}",
        "type", "object", "properties",
        "specversion", "const", "1.0",
        "id", "type", "string", "minLength", 1, "maxLength", 256,
        "source", "type", "string", "minLength", 1, "maxLength", 256,
        "type", "const", type.data,
        "subject", "type", "string", "pattern", "^[0-9a-f]{24}$",
        "time", "type", "string", "format", "date-time",
        "data", ref_to("components/schemas", s),
        "required", "specversion", "id", "source", "type", "subject"));
    buf_deinit(&type);
    return schema;
}

static json_t *message(enum shape s)
{
    const struct shape_spec *spec = shape_spec(s);
    json_t *payload = is_event(s) ? ref_to("components/schemas", s) : cloudevent_schema(s);

    return must(json_pack("{s:s,s:s,s:o}", "name", spec->wire, "summary", spec->text, "payload", payload));
}

static json_t *components(void)
{
    json_t *messages = must(json_object());
    json_t *schemas = must(json_object());

    for (int s = 0; s < SHAPE_COUNT; s++) {
        if (is_event(s) || is_bus_data(s)) {
            set_of_shape(messages, s, message(s));
            set_of_shape(schemas, s, gen_schema(s));
        }
    }
    return must(json_pack("{s:o,s:o}", "messages", messages, "schemas", schemas));
}

static json_t *document(void)
{
    json_t *doc = must(json_object());

    json_put_text(doc, "asyncapi", "3.0.0");
    set(doc, "info", json_pack("{s:s,s:s,s:s}", "title", "Taskwire", "version", "1.0.0", "description",
                               "Events of coding tasks over Socket.IO 5 (Engine.IO 4), and the CloudEvents "
                               "that move them. How they travel stands in proto/websocket.md."));
    json_put_text(doc, "defaultContentType", "application/json");
    set(doc, "servers", json_pack("{s:{s:s,s:s,s:s},s:{s:s,s:s}}",
                                  "gateway", "host", "localhost:3000", "pathname", "/socket.io/",
                                  "protocol", "ws", "redis", "host", "localhost:6379", "protocol", "redis"));
    set(doc, "channels", json_pack("{s:o,s:o}",
        "clients", channel("/", "The default namespace of Socket.IO", is_event),
        "ingest", channel("tasks:ingest", "The field `event` of a Redis stream, or a PUBLISH to the channel "
                          "of that name", is_bus_data)));
    set(doc, "operations", json_pack("{s:o,s:o,s:o}",
                                     "hearClients", operation("receive", "clients", is_up),
                                     "tellClients", operation("send", "clients", is_down),
                                     "hearServices", operation("receive", "ingest", is_bus_data)));
    set(doc, "components", components());
    return doc;
}

/* --- YAML --- */

static void indent(int depth, struct buf *out)
{
    for (int i = 0; i < depth; i++)
        buf_append_text(out, "  ");
}

static bool is_block(const json_t *value)
{
    return json_object_size(value) != 0 || json_array_size(value) != 0;
}

/* A plain word stands without quotes. */
static void append_key(const char *key, struct buf *out)
{
    size_t plain = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");

    if (key[plain] == '\0')
        buf_append_text(out, key);
    else
        buf_append_json(out, slice_of(key));
    buf_append_char(out, ':');
}

/* Called for our own document alone, whose depth is known. */
static void append_yaml(const json_t *value, int depth, struct buf *out)
{
    json_t     *object = (json_t *)(uintptr_t)value, *each;
    const char *key;
    size_t      i;

    assert(depth < DEPTH_MAX);
    if (!is_block(value)) {
        buf_append_char(out, ' ');
        json_append(out, value);
        buf_append_char(out, '\n');
        return;
    }
    buf_append_text(out, depth == 0 ? "" : "\n");
    json_object_foreach(object, key, each) {
        indent(depth, out);
        append_key(key, out);
        append_yaml(each, depth + 1, out);
    }
    json_array_foreach(value, i, each) {
        indent(depth, out);
        buf_append_char(out, '-');
        append_yaml(each, depth + 1, out);
    }
}

void gen_asyncapi(struct buf *out)
{
    json_t *doc = document();

    buf_append_text(out, "# " GEN_NOTE "\n");
    append_yaml(doc, 0, out);
    json_decref(doc);
}

/* cloudevent.c -- see cloudevent.h. CloudEvents 1.0, §3.1 (required attributes) and the JSON
 * event format §3; the Distributed Tracing extension.
 *
 * Checks run from the outside in, size first, so that nothing large or malformed is ever
 * parsed, and each has its own code: whoever reads dead letters wants to know whose fault it
 * was. Attributes that we do not use (datacontenttype, dataschema, extensions but traceparent,
 * and that too where it is malformed) are ignored, as the standard asks of consumers;
 * data_base64 is refused, since data is JSON here. */
#include "proto/cloudevent.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/utf8.h"
#include "proto/check.h"

#define TYPE_PREFIX "task."

static const char *const REASONS[] = {
#define X(name, wire) [CLOUDEVENT_##name] = wire,
    CLOUDEVENT_REASON_MAP(X)
#undef X
};

const char *cloudevent_reason_wire(enum cloudevent_reason r)
{
    return (unsigned)r < CLOUDEVENT_REASON_COUNT ? REASONS[r] : "unknown";
}

struct refusal {
    enum cloudevent_reason reason;
    struct buf            *why;
};

static int refuse(struct refusal *r, enum cloudevent_reason reason, const char *why)
{
    r->reason = reason;
    if (why != NULL)
        buf_append_text(r->why, why);
    return ERR_INVALID;
}

/* A required attribute of 1 to CLOUDEVENT_CHARS_MAX characters without control characters,
 * so that source + '\n' + id names one pair only. */
static const char *attribute(const json_t *root, const char *name)
{
    const json_t *value = json_object_get(root, name);
    struct slice  text;

    if (!json_is_string(value))
        return NULL;
    text = slice_make(json_string_value(value), json_string_length(value));
    if (text.len == 0 || utf8_length(text) > CLOUDEVENT_CHARS_MAX || utf8_has_control(text))
        return NULL;
    return text.data;
}

static int take_envelope(struct cloudevent *e, struct refusal *r)
{
    const char   *version = json_text(e->root, "specversion");
    const json_t *time = json_object_get(e->root, "time");

    if (version == NULL || strcmp(version, "1.0") != 0)
        return refuse(r, CLOUDEVENT_BAD_ENVELOPE, "specversion must be \"1.0\"");
    e->id = attribute(e->root, "id");
    if (e->id == NULL)
        return refuse(r, CLOUDEVENT_BAD_ENVELOPE, "id must be a string of 1 to 256 characters");
    e->source = attribute(e->root, "source");
    if (e->source == NULL)
        return refuse(r, CLOUDEVENT_BAD_ENVELOPE, "source must be a string of 1 to 256 characters");
    if (time != NULL && !json_is_null(time) &&
        (!json_is_string(time) || clock_parse(slice_of(json_string_value(time)), &e->time) != 0))
        return refuse(r, CLOUDEVENT_BAD_ENVELOPE, "time must be an RFC 3339 time");
    (void)trace_parse(slice_of(json_text(e->root, TRACE_HEADER)), e->trace);
    return 0;
}

static int take_type(struct cloudevent *e, struct refusal *r)
{
    struct slice type = slice_of(json_text(e->root, "type"));

    if (!slice_starts(type, TYPE_PREFIX) ||
        input_parse(slice_from(type, sizeof(TYPE_PREFIX) - 1), &e->input) != 0)
        return refuse(r, CLOUDEVENT_UNKNOWN_TYPE, "type must be \"task.\" and the name of an input");
    if (input_is_rest_only(e->input))
        return refuse(r, CLOUDEVENT_REST_ONLY, "this input comes over REST only");
    return 0;
}

/* One spelling per task: capital digits would be another key in every store. */
static int take_subject(struct cloudevent *e, struct refusal *r)
{
    const char *subject = json_text(e->root, "subject");
    size_t      n = subject == NULL ? 0 : strspn(subject, "0123456789abcdef");

    if (n != 24 || subject[n] != '\0')
        return refuse(r, CLOUDEVENT_BAD_SUBJECT, "subject must be a task id: 24 hexadecimal digits");
    e->task_id = subject;
    return 0;
}

static int take_data(struct cloudevent *e, struct refusal *r)
{
    enum shape    shape = shape_of_data(e->input);
    json_t       *data = json_object_get(e->root, "data");
    json_t       *none = NULL;

    if (json_object_get(e->root, "data_base64") != NULL)
        return refuse(r, CLOUDEVENT_BAD_DATA, "data must be JSON, not data_base64");
    if (data == NULL || json_is_null(data))
        data = none = json_object();           /* NULL would be no object: refused */
    if (check_fields(shape, data, r->why) != 0) {
        json_decref(none);
        return refuse(r, CLOUDEVENT_BAD_DATA, NULL);
    }
    e->data = check_pick(shape, data);
    json_decref(none);
    if (e->input == INPUT_PR_MERGED && e->time != 0 && json_text(e->data, "mergedAt") == NULL)
        json_put_time(e->data, "mergedAt", e->time);
    return 0;
}

static int take_root(struct slice bytes, struct cloudevent *e, struct refusal *r)
{
    if (bytes.len > CLOUDEVENT_BYTES_MAX)
        return refuse(r, CLOUDEVENT_TOO_LARGE, "the event is larger than 256 KiB");
    if (!utf8_is_valid(bytes))
        return refuse(r, CLOUDEVENT_BAD_UTF8, "the event is not UTF-8");
    e->root = json_parse(bytes, r->why);
    if (e->root == NULL)
        return refuse(r, CLOUDEVENT_BAD_JSON, NULL);
    if (!json_is_object(e->root))
        return refuse(r, CLOUDEVENT_BAD_JSON, "the event is not a JSON object");
    return 0;
}

int cloudevent_parse(struct slice bytes, struct cloudevent *out, enum cloudevent_reason *reason,
                     struct buf *why)
{
    struct refusal r = { .why = why };

    *out = (struct cloudevent){ .input = INPUT_COUNT };
    if (take_root(bytes, out, &r) == 0 && take_envelope(out, &r) == 0 &&
        take_type(out, &r) == 0 && take_subject(out, &r) == 0 && take_data(out, &r) == 0)
        return 0;
    cloudevent_deinit(out);
    *reason = r.reason;
    return ERR_INVALID;
}

void cloudevent_deinit(struct cloudevent *e)
{
    json_decref(e->data);
    json_decref(e->root);
    *e = (struct cloudevent){ .input = INPUT_COUNT };
}

char *cloudevent_key(const struct cloudevent *e)
{
    struct buf key;

    buf_init(&key, 2 * 4 * CLOUDEVENT_CHARS_MAX + 1);
    buf_printf(&key, "%s\n%s", e->source, e->id);
    return buf_take(&key);
}

/* task.c -- see task.h.
 *
 * A task has some thirty fields, and five places that must agree on them: the struct, its
 * copy, its release, and JSON in both directions (which is also what stores write). All are
 * made from the rows of task.def through one small function per kind of field, so that a new
 * field is one row. Kinds differ in what counts as absent: a NULL text, a zero number or
 * time; booleans and the status are always there.
 *
 * JSON values inside a task (questions, answers, an event's payload) are kept as text: most
 * are passed on without a look, and text has one owner and no hidden references. */
#include "taskd/task.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/mem.h"

#define RECORD_BYTES_MAX ((size_t)16 << 20)    /* no value here comes near MongoDB's document limit */

/* --- one word per kind: release, copy --- */

static void free_TEXT(char *text)
{
    free(text);
}

#define free_JSON        free_TEXT
#define free_INT(x)      (void)(x)
#define free_TIME(x)     (void)(x)
#define free_BOOL(x)     (void)(x)
#define free_STATUS(x)   (void)(x)

#define copy_TEXT(x)     mem_strdup(x)
#define copy_JSON(x)     mem_strdup(x)
#define copy_INT(x)      (x)
#define copy_TIME(x)     (x)
#define copy_BOOL(x)     (x)
#define copy_STATUS(x)   (x)

void task_init(struct task *t)
{
    *t = (struct task){ .published_bucket = BUCKET_NONE };
}

void task_deinit(struct task *t)
{
#define FIELD(member, wire, kind, where) free_##kind(t->member);
#include "taskd/task.def"
#undef FIELD
    for (size_t i = 0; i < t->event_count; i++)
        event_deinit(&t->events[i]);
    free(t->events);
    task_init(t);
}

void task_copy(struct task *to, const struct task *from)
{
    *to = *from;
#define FIELD(member, wire, kind, where) to->member = copy_##kind(from->member);
#include "taskd/task.def"
#undef FIELD
    to->events = NULL;
    if (from->event_count == 0)
        return;
    to->events = mem_alloc(from->event_count * sizeof(*to->events));
    for (size_t i = 0; i < from->event_count; i++)
        event_copy(&to->events[i], &from->events[i]);
}

void event_init(struct event *e)
{
    *e = (struct event){ .seq = 0 };
}

void event_deinit(struct event *e)
{
    free(e->payload);
    free(e->actor);
    free(e->key);
    free(e->trace);
    free(e->facts);
    free(e->row);
    event_init(e);
}

void event_copy(struct event *to, const struct event *from)
{
    *to = *from;
    to->payload = mem_strdup(from->payload);
    to->actor = mem_strdup(from->actor);
    to->key = mem_strdup(from->key);
    to->trace = mem_strdup(from->trace);
    to->facts = mem_strdup(from->facts);
    to->row = mem_strdup(from->row);
}

void task_set_text(char **member, const char *text)
{
    char *copy = mem_strdup(text);             /* first: `text` may be the member itself */

    free(*member);
    *member = copy;
}

void task_push_event(struct task *t, const struct event *e)
{
    size_t drop = t->event_count < TASK_EVENTS_KEPT ? 0 : t->event_count - TASK_EVENTS_KEPT + 1;
    struct event copy;

    event_copy(&copy, e);                      /* first: `e` may be one of those dropped */
    for (size_t i = 0; i < drop; i++)
        event_deinit(&t->events[i]);
    if (drop != 0)
        memmove(t->events, t->events + drop, (t->event_count - drop) * sizeof(*t->events));
    t->event_count -= drop;
    t->events = mem_resize(t->events, (t->event_count + 1) * sizeof(*t->events));
    t->events[t->event_count++] = copy;
}

/* --- to JSON --- */

static void put_TEXT(json_t *object, const char *wire, const char *text)
{
    json_put_text(object, wire, text);
}

static void put_JSON(json_t *object, const char *wire, const char *text)
{
    json_t *value = text == NULL ? NULL : json_parse(slice_of(text), NULL);

    if (value != NULL && json_object_set_new(object, wire, value) != 0)
        abort();                               /* memory is out: see common/mem.h */
}

static void put_INT(json_t *object, const char *wire, int64_t n)
{
    if (n != 0)
        json_put_int(object, wire, n);
}

static void put_TIME(json_t *object, const char *wire, int64_t wall_ms)
{
    if (wall_ms != 0)
        json_put_time(object, wire, wall_ms);
}

static void put_BOOL(json_t *object, const char *wire, bool b)
{
    json_put_bool(object, wire, b);
}

static void put_STATUS(json_t *object, const char *wire, enum status s)
{
    json_put_text(object, wire, status_wire(s));
}

static json_t *new_object(void)
{
    json_t *object = json_object();

    if (object == NULL)
        abort();
    return object;
}

#define IS_OPEN  true
#define IS_INNER false

json_t *task_to_json(const struct task *t, bool with_inner)
{
    json_t *object = new_object();

#define FIELD(member, wire, kind, where)          \
    if (IS_##where || with_inner)                 \
        put_##kind(object, wire, t->member);
#include "taskd/task.def"
#undef FIELD
    return object;
}

json_t *task_row(const struct task *t)
{
    json_t *row = new_object();

    put_TEXT(row, "taskId", t->id);
    put_STATUS(row, "status", t->status);
    put_TIME(row, "statusSince", t->status_since);
    put_TEXT(row, "title", t->title);
    put_TEXT(row, "creator", t->creator);
    put_TEXT(row, "createdBy", t->created_by);
    put_BOOL(row, "isPrivate", t->is_private);
    put_TIME(row, "createdAt", t->created_at);
    put_TIME(row, "updatedAt", t->updated_at);
    put_INT(row, "issueNumber", t->issue_number);
    put_TEXT(row, "issueUrl", t->issue_url);
    put_INT(row, "prNumber", t->pr_number);
    put_TEXT(row, "prUrl", t->pr_url);
    put_TEXT(row, "prState", t->pr_state);
    return row;
}

json_t *event_to_json(const struct event *e)
{
    json_t *object = new_object();

    json_put_int(object, "seq", e->seq);
    json_put_text(object, "eventType", input_wire(e->input));
    put_JSON(object, "payload", e->payload);
    json_put_text(object, "actor", e->actor);
    json_put_time(object, "createdAt", e->created_at);
    return object;
}

json_t *event_to_record(const struct event *e)
{
    json_t *object = event_to_json(e);

    json_put_text(object, "key", e->key);
    put_TEXT(object, "trace", e->trace);
    json_put_bool(object, "clarified", e->clarified);
    put_JSON(object, "facts", e->facts);
    json_put_bool(object, "wasPrivate", e->was_private);
    json_put_text(object, "was", status_wire(e->was));
    put_JSON(object, "row", e->row);
    return object;
}

char *task_json_text(const json_t *value)
{
    struct buf text;

    buf_init(&text, RECORD_BYTES_MAX);
    if (json_append(&text, value) != 0)
        abort();
    return buf_take(&text);
}

/* --- from JSON: true where the member is absent or as it must be --- */

static bool take_TEXT(const json_t *object, const char *wire, char **out)
{
    const json_t *value = json_object_get(object, wire);

    if (value == NULL)
        return true;
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
        return false;
    *out = mem_strdup(json_string_value(value));
    return true;
}

static bool take_JSON(const json_t *object, const char *wire, char **out)
{
    const json_t *value = json_object_get(object, wire);

    if (value == NULL)
        return true;
    if (!json_is_object(value) && !json_is_array(value))
        return false;
    *out = task_json_text(value);
    return true;
}

static bool take_INT(const json_t *object, const char *wire, int64_t *out)
{
    const json_t *value = json_object_get(object, wire);

    if (value == NULL)
        return true;
    *out = json_integer_value(value);
    return json_is_integer(value);
}

static bool take_TIME(const json_t *object, const char *wire, int64_t *out)
{
    const json_t *value = json_object_get(object, wire);

    if (value == NULL)
        return true;
    return json_is_string(value) && clock_parse(slice_of(json_string_value(value)), out) == 0;
}

static bool take_BOOL(const json_t *object, const char *wire, bool *out)
{
    const json_t *value = json_object_get(object, wire);

    if (value == NULL)
        return true;
    *out = json_is_true(value);
    return json_is_boolean(value);
}

static bool take_STATUS(const json_t *object, const char *wire, enum status *out)
{
    return status_parse(slice_of(json_text(object, wire)), out) == 0;
}

int task_from_json(const json_t *object, struct task *out)
{
    bool is_good = json_is_object(object);

    task_init(out);
#define FIELD(member, wire, kind, where) \
    is_good = is_good && take_##kind(object, wire, &out->member);
#include "taskd/task.def"
#undef FIELD
    if (is_good && out->id != NULL && task_id_is_valid(slice_of(out->id)) && out->seq > 0 &&
        out->org != NULL && out->created_by != NULL)
        return 0;
    task_deinit(out);
    return ERR_CORRUPT;
}

int event_from_record(const json_t *object, struct event *out)
{
    const char *type = json_text(object, "eventType");

    event_init(out);
    if (json_is_object(object) && take_INT(object, "seq", &out->seq) && out->seq > 0 &&
        input_parse(slice_of(type), &out->input) == 0 &&
        take_JSON(object, "payload", &out->payload) && out->payload != NULL &&
        take_TEXT(object, "actor", &out->actor) && out->actor != NULL &&
        take_TIME(object, "createdAt", &out->created_at) &&
        take_TEXT(object, "key", &out->key) && out->key != NULL &&
        take_TEXT(object, "trace", &out->trace) &&
        take_BOOL(object, "clarified", &out->clarified) &&
        take_JSON(object, "facts", &out->facts) &&
        take_BOOL(object, "wasPrivate", &out->was_private) &&
        take_STATUS(object, "was", &out->was) &&
        take_JSON(object, "row", &out->row) && out->row != NULL)
        return 0;
    event_deinit(out);
    return ERR_CORRUPT;
}

/* --- judgements --- */

enum bucket task_bucket(enum status status, bool is_private)
{
    return status_bucket(status, is_private);
}

bool task_is_visible(const struct task *t, const char *sub, const char *org)
{
    if (strcmp(t->created_by, sub) == 0)
        return true;
    return !t->is_private && strcmp(t->org, org) == 0;
}

bool task_id_is_valid(struct slice id)
{
    if (id.len != TASK_ID_LEN)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

/* store_check.c -- see store_check.h. The checks of a task's fields are rows of task.def. */
#include "taskd/store_check.h"

#include <string.h>

#include "common/err.h"
#include "common/utf8.h"

#define NAME_BYTES_MAX 129                     /* 128 (SPEC I3), and the '~' of one's own org */

int store_check_id(const char *id)
{
    return id != NULL && task_id_is_valid(slice_of(id)) ? 0 : ERR_INVALID;
}

int store_check_text(const char *text)
{
    return text != NULL && utf8_is_valid(slice_of(text)) ? 0 : ERR_INVALID;
}

int store_check_name(const char *name)
{
    if (store_check_text(name) != 0 || *name == '\0' || strlen(name) > NAME_BYTES_MAX)
        return ERR_INVALID;
    return strchr(name, '/') == NULL ? 0 : ERR_INVALID;
}

int store_check_json(const char *json)
{
    json_t *value = json == NULL ? NULL : json_parse(slice_of(json), NULL);

    if (value == NULL)
        return ERR_INVALID;
    json_decref(value);
    return 0;
}

/* A member that is read back as an object or an array only. */
static bool is_structure(const char *json)
{
    json_t *value = json_parse(slice_of(json), NULL);
    bool    is_good = json_is_object(value) || json_is_array(value);

    json_decref(value);
    return is_good;
}

static bool ok_TEXT(const char *text)
{
    return text == NULL || utf8_is_valid(slice_of(text));
}

static bool ok_JSON(const char *json)
{
    return json == NULL || is_structure(json);
}

#define ok_INT(n)    true
#define ok_TIME(t)   ((t) >= 0)
#define ok_BOOL(b)   true
#define ok_STATUS(s) ((unsigned)(s) < STATUS_COUNT)

int store_check_task(const struct task *t)
{
#define FIELD(member, wire, kind, where) \
    if (!ok_##kind(t->member))           \
        return ERR_INVALID;
#include "taskd/task.def"
#undef FIELD
    if (t->seq <= 0 || store_check_id(t->id) != 0 || store_check_name(t->org) != 0)
        return ERR_INVALID;
    return store_check_name(t->created_by);
}

int store_check_event(const struct event *e)
{
    if (e->seq <= 0 || (unsigned)e->input >= INPUT_COUNT || (unsigned)e->was >= STATUS_COUNT)
        return ERR_INVALID;
    if (store_check_text(e->actor) != 0 || store_check_text(e->key) != 0)
        return ERR_INVALID;
    if (e->payload == NULL || e->row == NULL || !is_structure(e->payload) || !is_structure(e->row))
        return ERR_INVALID;
    return ok_JSON(e->facts) && ok_TEXT(e->trace) ? 0 : ERR_INVALID;
}

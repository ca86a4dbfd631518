/* events.c -- see events.h. */
#include "taskd/ctl/events.h"

#include <stdlib.h>

#define DETAIL_MAX 65536

static const struct view_column COLUMNS[] = {
    { "SEQ",    "seq",       CELL_TEXT, COLUMN_RIGHT,    NULL },
    { "AGE",    "createdAt", CELL_AGE,  0,               NULL },
    { "EVENT",  "eventType", CELL_TEXT, 0,               NULL },
    { "ACTOR",  "actor",     CELL_TEXT, COLUMN_SHRINKS | COLUMN_OPTIONAL, NULL },
    { "DETAIL", "detail",    CELL_TEXT, COLUMN_SHRINKS,  NULL },
};
const struct view EVENTS_VIEW = VIEW(COLUMNS);

static void put_member(struct buf *out, const char *name, const json_t *value)
{
    if (json_is_null(value))
        return;
    buf_printf(out, "%s%s=", out->len > 0 ? " " : "", name);
    if (json_is_string(value))
        buf_append_text(out, json_string_value(value));
    else
        (void)json_append(out, value);
}

/* "issueNumber=42 githubBranch=blue" */
static void put_detail(json_t *row, const json_t *payload)
{
    struct buf  text;
    const char *name;
    json_t     *value;

    buf_init(&text, DETAIL_MAX);
    json_object_foreach((json_t *)payload, name, value)
        put_member(&text, name, value);
    json_put_text(row, "detail", text.data);
    buf_deinit(&text);
}

json_t *events_rows(const struct out *o, const char *task_id, const json_t *events)
{
    json_t       *rows = json_array();
    const json_t *event;
    size_t        i;

    json_array_foreach(events, i, event) {
        json_t *row = json_object();

        if (o->format == OUT_TABLE)
            put_detail(row, json_object_get(event, "payload"));
        else
            json_put_text(row, "taskId", task_id);
        if (json_object_update_missing(row, (json_t *)event) != 0 ||
            json_array_append_new(rows, row) != 0)
            abort();
    }
    return rows;
}

void events_print(const struct out *o, const json_t *events)
{
    json_t *rows = events_rows(o, "", events);

    out_rows(o, &EVENTS_VIEW, rows);
    json_decref(rows);
}

/* heard.c -- see heard.h.
 *
 * Histories have hundreds of thousands of messages, so they are not parsed but looked into:
 * texts here are made by the simulation's own workload (plan.c), which puts no member names
 * into them, and `"seq":` can be searched for. An event that does not hold what its name
 * promises is a broken promise. */
#include "tests/sim/heard.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "tests/sim/sim.h"
#include "tests/sim/store.h"

/* What stands after `"name":` in the text, up to its end. */
static struct slice after(struct slice text, const char *name)
{
    char   key[48];
    int    len = snprintf(key, sizeof(key), "\"%s\":", name);
    char  *at = text.len == 0 ? NULL : memmem(text.data, text.len, key, (size_t)len);

    if (at == NULL)
        return (struct slice){ NULL, 0 };
    return slice_from(text, (size_t)(at - text.data) + (size_t)len);
}

static struct slice text_of(struct slice text, const char *name)
{
    struct slice rest = after(text, name);

    if (rest.len == 0 || rest.data[0] != '"')
        return (struct slice){ NULL, 0 };
    rest = slice_from(rest, 1);
    return slice_cut(&rest, '"');
}

static int64_t number_of(struct slice text, const char *name)
{
    struct slice rest = after(text, name);

    return rest.len == 0 ? -1 : strtoll(rest.data, NULL, 10);
}

static void row_make(struct heard_row *r, struct slice text)
{
    struct slice status = text_of(text, "status"), title = text_of(text, "title");

    r->task = text_of(text, "taskId");
    r->seq = number_of(text, "seq");
    if (status.len == 0 || status_parse(status, &r->status) != 0)
        r->status = STATUS_COUNT;
    r->is_private = slice_starts(after(text, "isPrivate"), "true");
    r->title = title.len > 0 ? truth_hash(title) : 0;
}

static void counts_make(struct heard_counts *c, struct slice text)
{
    c->n[0] = number_of(text, "activeCount");
    c->n[1] = number_of(text, "completedCount");
    c->n[2] = number_of(text, "failedCount");
    c->rev = (uint64_t)number_of(text, "rev");
    c->is_private = slice_is(text_of(text, "scope"), "private");
}

/* {"tasks":[{…},{…}],"activeCount":…,"private":{…}}: no row holds a brace. */
static void dashboard_make(struct heard *h, struct slice payload)
{
    struct slice rest = after(payload, "tasks"), row, own;
    const char  *end;

    while (rest.len > 1 && (rest.data[0] == '[' || rest.data[0] == ',')) {
        if (rest.data[1] != '{')
            break;
        row = rest;
        row = slice_cut(&rest, '}');
        h->rows = mem_resize(h->rows, (h->row_count + 1) * sizeof(*h->rows));
        row_make(&h->rows[h->row_count++], row);
    }
    own = after(rest, "private");
    end = own.data != NULL ? own.data : rest.data;
    counts_make(&h->counts, slice_make(rest.data, (size_t)(end - rest.data)));
    counts_make(&h->own, own);
}

static const struct {
    const char     *name;
    enum heard_kind kind;
} KINDS[] = {
    { "task:state", HEARD_STATE },
    { "task:event_added", HEARD_EVENT },
    { "task:evicted", HEARD_EVICTED },
    { "task:created", HEARD_CREATED },
    { "dashboard:state", HEARD_DASHBOARD },
    { "dashboard:task_list_updated", HEARD_ROW },
    { "dashboard:task_removed", HEARD_REMOVED },
    { "dashboard:task_count_changed", HEARD_COUNTS },
};

static enum heard_kind kind_of(struct slice name)
{
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        if (slice_is(name, KINDS[i].name))
            return KINDS[i].kind;
    }
    return slice_starts(name, "task:") ? HEARD_TOLD : HEARD_OTHER;
}

void heard_make(struct heard *h, struct slice array)
{
    struct slice rest;

    *h = (struct heard){ .text = mem_strndup(array.data, array.len) };
    rest = slice_from(slice_make(h->text, array.len), 2);
    h->name = slice_cut(&rest, '"');
    h->kind = kind_of(h->name);
    switch (h->kind) {
    case HEARD_DASHBOARD:
        dashboard_make(h, rest);
        break;
    case HEARD_COUNTS:
        counts_make(&h->counts, rest);
        break;
    case HEARD_OTHER:
        break;
    default:
        row_make(&h->row, rest);
        h->says_private = after(rest, "isPrivate").len > 0;
        if (h->kind == HEARD_EVENT && input_parse(text_of(rest, "eventType"), &h->input) != 0)
            sim_fail("events hold what they promise", "%s", h->text);
        if (h->row.task.len != 24 || h->row.seq < 1)
            sim_fail("events hold what they promise", "%s", h->text);
    }
}

void heard_drop(struct heard *h)
{
    free(h->rows);
    free(h->text);
}

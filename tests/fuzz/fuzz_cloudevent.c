/* fuzz_cloudevent.c -- events from internal services, and all that follows from one.
 *
 * An event that is accepted is offered to a task in every status; where it moves one, the
 * whole envelope is built, and every payload in it must be what the registry promises to
 * clients. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "proto/check.h"
#include "proto/cloudevent.h"
#include "taskd/messages.h"
#include "taskd/transitions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
    if (!is_true)
        abort();
}

static void task_in(enum status status, struct task *t)
{
    static const struct new_task NEW = { .id = "65f0c0ffee65f0c0ffee65f0", .org = "acme", .sub = "ann",
                                         .name = "Ann", .description = "All of it", .at = 1000 };
    struct event first;

    transition_create(&NEW, t, &first);
    event_deinit(&first);
    t->status = status;
    t->reanalysing = status == STATUS_ANALYZING;
    if (t->reanalysing)
        task_set_text(&t->answers, "[\"This\"]");
    if (status != STATUS_PR_OPEN && status != STATUS_FAILED)
        return;
    t->pr_number = 1;
    task_set_text(&t->pr_url, "https://github.com/acme/site/pull/1");
    task_set_text(&t->pr_title, "Fixed");
    task_set_text(&t->pr_state, "open");
    if (status == STATUS_FAILED)
        task_set_text(&t->failed_by, "pr_closed");
}

static void check_line(struct slice line)
{
    json_t     *array;
    const char *name;
    enum shape  shape;

    slice_cut(&line, ' ');
    array = json_parse(line, NULL);
    must(json_array_size(array) == 2);
    name = json_string_value(json_array_get(array, 0));
    must(shape_parse_event(slice_of(name), KIND_DOWN, &shape) == 0);
    must(check_fields(shape, json_array_get(array, 1), NULL) == 0);
    json_decref(array);
}

static void check_messages(const struct task *after, const struct event *e)
{
    struct buf   text;
    struct slice rest;

    buf_init(&text, (size_t)16 << 20);
    must(messages_build(after, e, &text) == 0);
    rest = buf_peek(&text);
    slice_cut(&rest, '\n');
    while (rest.len != 0)
        check_line(slice_cut(&rest, '\n'));
    buf_deinit(&text);
}

static void check_everywhere(const struct cloudevent *ce, const char *key)
{
    struct input_event in = { .input = ce->input, .data = ce->data, .actor = ce->source, .key = key,
                              .at = 2000 };

    for (int s = 0; s < STATUS_COUNT; s++) {
        struct task  before, after;
        struct event e;
        const char  *why = NULL;

        task_in(s, &before);
        if (transition_decide(&before, &in, &after, &e, &why) == VERDICT_ACCEPTED) {
            must(after.seq == before.seq + 1);
            check_messages(&after, &e);
            task_deinit(&after);
            event_deinit(&e);
        } else {
            must(why != NULL);
        }
        task_deinit(&before);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cloudevent      ce;
    enum cloudevent_reason reason;
    struct buf             why;
    char                  *key;

    buf_init(&why, 4096);
    if (cloudevent_parse(slice_make((const char *)data, size), &ce, &reason, &why) != 0) {
        must(why.len != 0 && utf8_is_valid(buf_peek(&why)));
        must(strcmp(cloudevent_reason_wire(reason), "unknown") != 0);
        buf_deinit(&why);
        return 0;
    }
    must(task_id_is_valid(slice_of(ce.task_id)) && !input_is_rest_only(ce.input));
    key = cloudevent_key(&ce);
    check_everywhere(&ce, key);
    free(key);
    cloudevent_deinit(&ce);
    buf_deinit(&why);
    return 0;
}

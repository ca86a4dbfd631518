/* publish.c -- `taskctl publish`: an internal service's CloudEvent from the command line.
 *
 * The event is checked by the very function that taskd checks it with, so what is misspelt is
 * told here and not found in the dead letters. It goes to the stream, where it stays until it
 * was handled; a connection that breaks leaves in doubt whether it arrived, and then the same
 * command with the same --id repeats it without harm. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/mem.h"
#include "proto/cloudevent.h"
#include "proto/keys.h"
#include "proto/shapes.h"
#include "taskd/ctl/commands.h"
#include "taskd/ctl/ctl.h"
#include "taskd/ctl/views.h"

static const struct field *field_find(enum shape shape, struct slice name)
{
    size_t              count;
    const struct field *rows = shape_fields(shape, &count);

    for (size_t i = 0; i < count; i++) {
        if (slice_is(name, rows[i].name))
            return &rows[i];
    }
    return NULL;
}

/* A value as its field wants it. NULL: it cannot be read so. */
static json_t *value_of(const struct field *f, const char *text)
{
    char     *end;
    long long n;

    switch (f->type) {
    case TYPE_INT:
        errno = 0;
        n = strtoll(text, &end, 10);
        return errno == 0 && end != text && *end == '\0' ? json_integer(n) : NULL;
    case TYPE_BOOL:
        return strcmp(text, "true") == 0    ? json_true()
               : strcmp(text, "false") == 0 ? json_false()
                                            : NULL;
    default:
        return json_string(text);
    }
}

/* Add FIELD=VALUE to `data`. EXIT_OK or EXIT_USAGE. */
static int put_field(const struct args *a, enum shape shape, const char *word, json_t *data)
{
    struct slice        value = slice_of(word);
    struct slice        name = slice_cut(&value, '=');
    const struct field *f = field_find(shape, name);
    json_t             *json;

    if (value.data == NULL)
        return usage(a, "'%s' is not FIELD=VALUE", word);
    if (f == NULL)
        return usage(a, "%s has no field '%.*s'", shape_spec(shape)->wire, SLICE_ARG(name));
    json = value_of(f, value.data);
    if (json == NULL)
        return usage(a, "%s cannot be '%s'", f->name, value.data);
    if (f->type == TYPE_TEXTS) {
        json_t *list = json_object_get(data, f->name);

        if (list == NULL) {
            list = json_array();
            (void)json_object_set_new(data, f->name, list);
        }
        return json_array_append_new(list, json) == 0 ? EXIT_OK : EXIT_USAGE;
    }
    return json_object_set_new(data, f->name, json) == 0 ? EXIT_OK : EXIT_USAGE;
}

/* --data: all of it. NULL after a sentence. */
static json_t *read_data(const struct args *a)
{
    const char *text = args_value(a, "data");
    struct buf  all, why;
    char        block[65536];
    size_t      n;
    json_t     *data;

    buf_init(&all, CLOUDEVENT_BYTES_MAX);
    buf_init(&why, 1024);
    if (strcmp(text, "-") != 0)
        buf_append_text(&all, text);
    else
        while ((n = fread(block, 1, sizeof(block), stdin)) > 0 && buf_append(&all, block, n) == 0)
            ;
    data = json_parse(buf_peek(&all), &why);
    if (!json_is_object(data)) {
        usage(a, "--data is no JSON object%s%s", why.data != NULL ? ": " : "",
              why.data != NULL ? why.data : "");
        json_decref(data);
        data = NULL;
    }
    buf_deinit(&all);
    buf_deinit(&why);
    return data;
}

/* The data of the event. NULL after a sentence. */
static json_t *gather(const struct args *a, enum shape shape)
{
    json_t *data;

    if (args_given(a, "data") && a->word_count > 2) {
        usage(a, "--data and FIELD=VALUE exclude each other");
        return NULL;
    }
    if (args_given(a, "data"))
        return read_data(a);
    data = json_object();
    for (size_t i = 2; i < a->word_count; i++) {
        if (put_field(a, shape, a->words[i], data) == EXIT_OK)
            continue;
        json_decref(data);
        return NULL;
    }
    return data;
}

static json_t *event_of(const struct args *a, const char *id, json_t *data)
{
    json_t *event = json_object();
    char    type[64];

    snprintf(type, sizeof(type), "task.%s", a->words[0]);
    json_put_text(event, "specversion", "1.0");
    json_put_text(event, "id", id);
    json_put_text(event, "source", args_value(a, "source"));
    json_put_text(event, "type", type);
    json_put_text(event, "subject", a->words[1]);
    json_put_time(event, "time", clock_wall_ms());
    if (json_object_set(event, "data", data) != 0)
        abort();
    return event;
}

/* By the rules of taskd. EXIT_OK or EXIT_USAGE. */
static int check(const struct args *a, struct slice text)
{
    struct cloudevent      e;
    enum cloudevent_reason reason;
    struct buf             why;
    int                    code = EXIT_OK;

    buf_init(&why, 4096);
    if (cloudevent_parse(text, &e, &reason, &why) == 0)
        cloudevent_deinit(&e);
    else
        code = usage(a, "%s", why.data != NULL ? why.data : cloudevent_reason_wire(reason));
    buf_deinit(&why);
    return code;
}

static const struct view_column SENT_COLUMNS[] = {
    { "ENTRY", "entry",   CELL_TEXT, 0, NULL },
    { "EVENT", "id",      CELL_TEXT, 0, NULL },
    { "TYPE",  "type",    CELL_TEXT, 0, NULL },
    { "TASK",  "subject", CELL_TEXT, 0, NULL },
};
static const struct view SENT_VIEW = VIEW(SENT_COLUMNS);

static int send_event(struct ctl *c, struct slice text, json_t *event)
{
    const struct slice argv[] = { SLICE("XADD"), SLICE(KEY_INGEST), SLICE("*"),
                                  SLICE(KEY_INGEST_FIELD), text };
    json_t            *entry;
    json_t            *rows;
    enum exit_code     code;

    code = redis_ask_slices(c, 0, &entry, sizeof(argv) / sizeof(argv[0]), argv);
    if (code == EXIT_OK) {
        if (json_object_set(event, "entry", entry) != 0)
            abort();
        rows = json_pack("[O]", event);
        if (ctl_out(c)->format == OUT_TABLE)
            out_rows(ctl_out(c), &SENT_VIEW, rows);
        else
            out_object(ctl_out(c), &SENT_VIEW, event);
        json_decref(rows);
    } else if (code == EXIT_UNREACHABLE) {
        say("whether it was sent is not known: repeat it with --id %s", json_text(event, "id"));
    }
    json_decref(entry);
    return code;
}

static int publish(const struct args *a, json_t *event)
{
    struct buf  text;
    struct ctl *c = NULL;
    int         code;

    buf_init(&text, CLOUDEVENT_BYTES_MAX);
    if (json_append(&text, event) != 0)
        code = usage(a, "the event is larger than %zu bytes", CLOUDEVENT_BYTES_MAX);
    else
        code = check(a, buf_peek(&text));
    if (code == EXIT_OK && args_flag(a, "dry-run")) {
        out_line("%s", text.data);
    } else if (code == EXIT_OK) {
        c = ctl_new(a);
        code = c != NULL ? send_event(c, buf_peek(&text), event) : EXIT_USAGE;
    }
    buf_deinit(&text);
    ctl_free(c);
    return code;
}

int command_publish(const struct args *a)
{
    char       made[KEY_SIZE];
    enum input input;
    json_t    *data, *event;
    int        code;

    if (input_parse(slice_of(a->words[0]), &input) != 0 || input_is_rest_only(input))
        return usage(a, "'%s' is no input of an internal service", a->words[0]);
    data = gather(a, shape_of_data(input));
    if (data == NULL)
        return EXIT_USAGE;
    key_make(made);
    event = event_of(a, args_given(a, "id") ? args_value(a, "id") : made, data);
    code = publish(a, event);
    json_decref(event);
    json_decref(data);
    return code;
}

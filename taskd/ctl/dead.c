/* dead.c -- `taskctl dead list|show|retry|drop`: inputs that were refused.
 *
 * Newest first, as taskd pages them. To retry all of them they are gathered first and sent in
 * the oldest first, the order in which they once came; what comes back meanwhile is newer and is
 * left alone. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "taskd/ctl/commands.h"
#include "taskd/ctl/ctl.h"
#include "taskd/ctl/views.h"

#define PAGE_MAX   500
#define ALL_MAX    1000000
#define TARGET_MAX 4096

static const struct view_column LETTER_COLUMNS[] = {
    { "ID",     "id",      CELL_TEXT, 0,                               NULL },
    { "AGE",    "at",      CELL_AGE,  0,                               NULL },
    { "CODE",   "code",    CELL_TEXT, 0,                               NULL },
    { "TYPE",   "type",    CELL_TEXT, COLUMN_OPTIONAL,                 NULL },
    { "TASK",   "subject", CELL_TEXT, COLUMN_OPTIONAL,                 NULL },
    { "REASON", "reason",  CELL_TEXT, COLUMN_SHRINKS,                  NULL },
};
static const struct view LETTER_VIEW = VIEW(LETTER_COLUMNS);

/* For tables: what of the event is well-formed enough to be read. */
static void put_event(json_t *letter)
{
    const char *text = json_text(letter, "event");
    json_t     *event = text != NULL ? json_parse(slice_of(text), NULL) : NULL;

    json_put_text(letter, "type", json_text(event, "type"));
    json_put_text(letter, "subject", json_text(event, "subject"));
    json_decref(event);
}

/* Up to `limit` of them; of one code where it is not NULL. */
static enum exit_code fetch_letters(struct ctl *c, int64_t limit, const char *code, json_t *letters)
{
    char           before[64] = "";
    enum exit_code result;
    bool           has_more = true;

    do {
        json_t       *page;
        const json_t *letter;
        size_t        i;

        result = taskd_get(c, &page, "dead letters", "/api/admin/dead-letters?limit=%d%s%s",
                           limit < PAGE_MAX ? (int)limit : PAGE_MAX,
                           before[0] != '\0' ? "&before=" : "", before);
        json_array_foreach(json_object_get(page, "deadLetters"), i, letter) {
            const char *its = json_text(letter, "code");

            if (code != NULL && (its == NULL || strcmp(its, code) != 0))
                continue;
            if (json_array_append(letters, (json_t *)letter) != 0)
                abort();
        }
        has_more = json_text(page, "nextBefore") != NULL;
        snprintf(before, sizeof(before), "%s",
                 has_more ? json_text(page, "nextBefore") : "");
        json_decref(page);
        if (json_array_size(letters) > PAGE_MAX)
            progress("%zu dead letters", json_array_size(letters));
    } while (result == EXIT_OK && has_more && (int64_t)json_array_size(letters) < limit);
    progress_done();
    return result;
}

/* --- list and show --- */

static void print_letters(const struct ctl *c, const struct args *a, json_t *letters)
{
    json_t *letter;
    size_t  i;

    if (args_flag(a, "quiet")) {
        json_array_foreach(letters, i, letter)
            out_line("%s", json_text(letter, "id"));
        return;
    }
    if (ctl_out(c)->format == OUT_TABLE) {
        json_array_foreach(letters, i, letter)
            put_event(letter);
    }
    out_rows(ctl_out(c), &LETTER_VIEW, letters);
}

int command_dead_list(const struct args *a)
{
    struct ctl *c = ctl_new(a);
    json_t     *letters = json_array();
    int64_t     limit = ALL_MAX;
    struct buf  why;
    int         code = EXIT_USAGE;

    buf_init(&why, 1024);
    if (c != NULL && !args_flag(a, "all") && args_number(a, "limit", 1, ALL_MAX, &limit, &why) != 0)
        code = usage(a, "%s", why.data);
    else if (c != NULL)
        code = fetch_letters(c, limit, NULL, letters);
    if (code == EXIT_OK)
        print_letters(c, a, letters);
    buf_deinit(&why);
    json_decref(letters);
    ctl_free(c);
    return code;
}

static const struct view_column SHOW_COLUMNS[] = {
    { "ID",     "id",      CELL_TEXT, 0, NULL },
    { "Age",    "at",      CELL_AGE,  0, NULL },
    { "Code",   "code",    CELL_TEXT, 0, NULL },
    { "Reason", "reason",  CELL_TEXT, 0, NULL },
    { "Type",   "type",    CELL_TEXT, 0, NULL },
    { "Task",   "subject", CELL_TEXT, 0, NULL },
    { "Event",  "event",   CELL_TEXT, 0, NULL },
};
static const struct view SHOW_VIEW = VIEW(SHOW_COLUMNS);

int command_dead_show(const struct args *a)
{
    struct ctl *c = ctl_new(a);
    struct buf  target;
    json_t     *letter = NULL;
    char        what[128];
    int         code = EXIT_USAGE;

    buf_init(&target, TARGET_MAX);
    target_put(&target, "/api/admin/dead-letters/", a->words[0], "");
    snprintf(what, sizeof(what), "dead letter %s", a->words[0]);
    if (c != NULL)
        code = taskd_get(c, &letter, what, "%s", target.data);
    if (code == EXIT_OK) {
        if (ctl_out(c)->format == OUT_TABLE)
            put_event(letter);
        out_object(ctl_out(c), &SHOW_VIEW, letter);
    }
    buf_deinit(&target);
    json_decref(letter);
    ctl_free(c);
    return code;
}

/* --- retry and drop --- */

static const struct view_column DONE_COLUMNS[] = {
    { "ID",     "id",     CELL_TEXT, 0, NULL },
    { "RESULT", "result", CELL_TEXT, 0, NULL },
    { "NEW ID", "newId",  CELL_TEXT, 0, NULL },
};
static const struct view DONE_VIEW = VIEW(DONE_COLUMNS);

static enum exit_code act_on(struct ctl *c, const char *id, bool is_retry, json_t *rows)
{
    struct buf     target;
    char           key[KEY_SIZE], what[128];
    struct request r = { .method = is_retry ? HTTP_POST : HTTP_DELETE };
    json_t        *answer = NULL;
    json_t        *row;
    enum exit_code code;

    buf_init(&target, TARGET_MAX);
    target_put(&target, "/api/admin/dead-letters/", id, is_retry ? "/retry" : "");
    key_make(key);
    r.target = target.data;
    r.key = is_retry ? key : NULL;
    snprintf(what, sizeof(what), "dead letter %s", id);
    code = taskd_call(c, &r, what, &answer);
    if (code == EXIT_OK) {
        row = json_object();
        json_put_text(row, "id", id);
        json_put_text(row, "result", is_retry ? "sent in again" : "dropped");
        json_put_text(row, "newId", json_text(answer, "id"));
        if (json_array_append_new(rows, row) != 0)
            abort();
    }
    json_decref(answer);
    buf_deinit(&target);
    return code;
}

/* The ids that the command line names, or all of them, the oldest first. */
static enum exit_code choose(struct ctl *c, const struct args *a, json_t *ids)
{
    json_t        *letters = json_array();
    enum exit_code code = EXIT_OK;

    for (size_t i = 0; i < a->word_count; i++)
        (void)json_array_append_new(ids, json_string(a->words[i]));
    if (args_flag(a, "all"))
        code = fetch_letters(c, ALL_MAX, args_value(a, "code"), letters);
    for (size_t i = json_array_size(letters); i-- > 0;)
        (void)json_array_append(ids, json_object_get(json_array_get(letters, i), "id"));
    json_decref(letters);
    return code;
}

/* May so many be dropped? Asks on a terminal. */
static enum exit_code confirm(const struct args *a, size_t count)
{
    char line[16] = "";

    if (args_flag(a, "yes") || !args_flag(a, "all") || count == 0)
        return EXIT_OK;
    if (!isatty(STDIN_FILENO))
        return (enum exit_code)usage(a, "--all drops %zu inputs for good: say --yes", count);
    fprintf(stderr, "drop %zu inputs for good? [y/N] ", count);
    fflush(stderr);
    if (fgets(line, sizeof(line), stdin) != NULL && (line[0] == 'y' || line[0] == 'Y'))
        return EXIT_OK;
    say("nothing was dropped");
    return EXIT_FAILED;
}

static int act(struct ctl *c, const struct args *a, bool is_retry)
{
    json_t        *ids = json_array();
    json_t        *rows = json_array();
    enum exit_code code = choose(c, a, ids);
    size_t         count = json_array_size(ids);

    if (code == EXIT_OK && !is_retry)
        code = confirm(a, count);
    for (size_t i = 0; i < count && code == EXIT_OK; i++) {
        if (count > 1)
            progress("%zu of %zu", i, count);
        code = act_on(c, json_string_value(json_array_get(ids, i)), is_retry, rows);
        /* Of all, one that has gone meanwhile is no failure. */
        if (code == EXIT_MISSING && args_flag(a, "all"))
            code = EXIT_OK;
    }
    progress_done();
    if (json_array_size(rows) > 0 || code == EXIT_OK)
        out_rows(ctl_out(c), &DONE_VIEW, rows);
    json_decref(rows);
    json_decref(ids);
    return code;
}

static int act_command(const struct args *a, bool is_retry)
{
    struct ctl *c;
    int         code;

    if ((a->word_count == 0) == !args_flag(a, "all"))
        return usage(a, "ids are needed, or --all");
    if (args_given(a, "code") && !args_flag(a, "all"))
        return usage(a, "--code goes with --all");
    c = ctl_new(a);
    code = c != NULL ? act(c, a, is_retry) : EXIT_USAGE;
    ctl_free(c);
    return code;
}

int command_dead_retry(const struct args *a)
{
    return act_command(a, true);
}

int command_dead_drop(const struct args *a)
{
    return act_command(a, false);
}

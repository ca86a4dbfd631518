/* tasks.c -- `taskctl list`, `get`, `create`, `clarify`: what people do with tasks, over REST. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/mem.h"
#include "taskd/ctl/commands.h"
#include "taskd/ctl/ctl.h"
#include "taskd/ctl/events.h"
#include "taskd/ctl/views.h"

#define PAGE_MAX         100                   /* what one answer may hold */
#define LIMIT_MAX        10000000
#define TARGET_MAX       8192
#define FILE_BYTES_MAX   ((size_t)1 << 20)
#define ANSWER_CHARS_MAX 16384

/* --- list --- */

static const struct view_column LIST_COLUMNS[] = {
    { "ID",      "taskId",      CELL_TEXT, 0,               NULL },
    { "STATUS",  "status",      CELL_TEXT, 0,               status_colour },
    { "SINCE",   "statusSince", CELL_AGE,  0,               NULL },
    { "AGE",     "createdAt",   CELL_AGE,  COLUMN_OPTIONAL, NULL },
    { "CREATOR", "creator",     CELL_TEXT, COLUMN_SHRINKS | COLUMN_OPTIONAL, NULL },
    { "ISSUE",   "issueNumber", CELL_HASH, COLUMN_OPTIONAL, NULL },
    { "PR",      "prNumber",    CELL_HASH, COLUMN_OPTIONAL, NULL },
    { "TITLE",   "title",       CELL_TEXT, COLUMN_SHRINKS,  NULL },
};
static const struct view LIST_VIEW = VIEW(LIST_COLUMNS);

static void put_parameter(struct buf *target, const char *name, const char *value)
{
    if (value == NULL)
        return;
    buf_printf(target, "&%s=", name);
    (void)http_append_encoded(target, slice_of(value));
}

/* Everything of the target but limit and cursor. Returns EXIT_OK or EXIT_USAGE. */
static int list_target(const struct args *a, const struct ctl *c, struct buf *target)
{
    const char *sort = args_value(a, "sort");

    if (args_flag(a, "active") && args_flag(a, "done"))
        return usage(a, "--active and --done exclude each other");
    if (strcmp(sort, "created") != 0 && strcmp(sort, "updated") != 0)
        return usage(a, "--sort takes created or updated, not '%s'", sort);
    buf_printf(target, "/api/tasks?sort=-%sAt", sort);
    put_parameter(target, "org", ctl_org(c));
    put_parameter(target, "status", args_value(a, "status"));
    put_parameter(target, "creator", args_value(a, "creator"));
    put_parameter(target, "q", args_value(a, "search"));
    if (args_flag(a, "mine"))
        buf_append_text(target, "&mine=true");
    if (args_flag(a, "active") || args_flag(a, "done"))
        buf_printf(target, "&active=%s", args_flag(a, "active") ? "true" : "false");
    return EXIT_OK;
}

/* Page by page, up to `limit` rows into `rows`. *out_has_more: there is another page. */
static enum exit_code fetch_list(struct ctl *c, const char *target, int64_t limit, json_t *rows,
                                 bool *out_has_more)
{
    char          *cursor = NULL;
    enum exit_code code = EXIT_OK;
    json_t        *page;

    do {
        int64_t left = limit - (int64_t)json_array_size(rows);

        code = taskd_get(c, &page, "tasks", "%s&limit=%d%s%s", target,
                         (int)(left < PAGE_MAX ? left : PAGE_MAX),
                         cursor != NULL ? "&cursor=" : "", cursor != NULL ? cursor : "");
        free(cursor);
        cursor = mem_strdup(json_text(page, "nextCursor"));
        if (code == EXIT_OK && json_array_extend(rows, json_object_get(page, "tasks")) != 0)
            code = EXIT_FAILED;
        json_decref(page);
        if (json_array_size(rows) > PAGE_MAX)
            progress("%zu tasks", json_array_size(rows));
    } while (code == EXIT_OK && cursor != NULL && (int64_t)json_array_size(rows) < limit);
    *out_has_more = cursor != NULL;
    free(cursor);
    return code;
}

static void print_ids(const json_t *rows, const char *member)
{
    const json_t *row;
    size_t        i;

    json_array_foreach(rows, i, row)
        out_line("%s", json_text(row, member));
}

static int list(struct ctl *c, const struct args *a, const char *target, int64_t limit)
{
    json_t        *rows = json_array();
    bool           has_more = false;
    enum exit_code code = fetch_list(c, target, limit, rows, &has_more);

    progress_done();
    if (code == EXIT_OK && args_flag(a, "quiet"))
        print_ids(rows, "taskId");
    else if (code == EXIT_OK)
        out_rows(ctl_out(c), &LIST_VIEW, rows);
    if (code == EXIT_OK && ctl_out(c)->format == OUT_TABLE && isatty(STDERR_FILENO)) {
        if (json_array_size(rows) == 0)
            say("no tasks");
        else if (has_more)
            say("there are more: --all, or another --limit");
    }
    json_decref(rows);
    return code;
}

int command_list(const struct args *a)
{
    struct ctl *c = ctl_new(a);
    struct buf  target, why;
    int64_t     limit = LIMIT_MAX;
    int         code = EXIT_USAGE;

    buf_init(&target, TARGET_MAX);
    buf_init(&why, 1024);
    if (c == NULL || list_target(a, c, &target) != EXIT_OK)
        code = EXIT_USAGE;
    else if (!args_flag(a, "all") && args_number(a, "limit", 1, LIMIT_MAX, &limit, &why) != 0)
        code = usage(a, "%s", why.data);
    else
        code = list(c, a, target.data, limit);
    buf_deinit(&target);
    buf_deinit(&why);
    ctl_free(c);
    return code;
}

/* --- get --- */

static const struct view_column TASK_COLUMNS[] = {
    { "Task",        "taskId",               CELL_TEXT, 0, NULL },
    { "Title",       "title",                CELL_TEXT, 0, NULL },
    { "Status",      "status",               CELL_TEXT, 0, status_colour },
    { "Since",       "statusSince",          CELL_AGE,  0, NULL },
    { "Error",       "errorMessage",         CELL_TEXT, 0, NULL },
    { "Questions",   "questions",            CELL_LIST, 0, NULL },
    { "Answers",     "clarificationAnswers", CELL_LIST, 0, NULL },
    { "Creator",     "creator",              CELL_TEXT, 0, NULL },
    { "Created by",  "createdBy",            CELL_TEXT, 0, NULL },
    { "Org",         "orgId",                CELL_TEXT, 0, NULL },
    { "Private",     "isPrivate",            CELL_TEXT, 0, NULL },
    { "Age",         "createdAt",            CELL_AGE,  0, NULL },
    { "Seq",         "seq",                  CELL_TEXT, 0, NULL },
    { "Type",        "taskType",             CELL_TEXT, 0, NULL },
    { "Repository",  "repo",                 CELL_TEXT, 0, NULL },
    { "Issue",       "issueUrl",             CELL_TEXT, 0, NULL },
    { "Branch",      "githubBranch",         CELL_TEXT, 0, NULL },
    { "PR",          "prUrl",                CELL_TEXT, 0, NULL },
    { "PR title",    "prTitle",              CELL_TEXT, 0, NULL },
    { "PR state",    "prState",              CELL_TEXT, 0, NULL },
    { "Commit",      "mergeCommitSha",       CELL_TEXT, 0, NULL },
    { "Merged",      "mergedAt",             CELL_AGE,  0, NULL },
    { "Description", "description",          CELL_TEXT, 0, NULL },
};
static const struct view TASK_VIEW = VIEW(TASK_COLUMNS);

static void print_task(const struct ctl *c, const json_t *task, bool with_timeline)
{
    out_object(ctl_out(c), &TASK_VIEW, task);
    if (ctl_out(c)->format != OUT_TABLE || !with_timeline)
        return;
    out_text(SLICE("\n"));
    events_print(ctl_out(c), json_object_get(task, "events"));
}

/* Several as JSON are an array; one is itself. */
int command_get(const struct args *a)
{
    struct ctl    *c = ctl_new(a);
    json_t        *all = json_array();
    enum exit_code code = c != NULL ? EXIT_OK : EXIT_USAGE;

    for (size_t i = 0; i < a->word_count && code == EXIT_OK; i++) {
        struct buf target;
        json_t    *task;
        char       what[128];

        buf_init(&target, TARGET_MAX);
        target_put(&target, "/api/tasks/", a->words[i], "");
        snprintf(what, sizeof(what), "task %s", a->words[i]);
        code = taskd_get(c, &task, what, "%s", target.data);
        buf_deinit(&target);
        if (code != EXIT_OK)
            break;
        if (args_flag(a, "no-timeline"))
            (void)json_object_del(task, "events");
        if (ctl_out(c)->format == OUT_JSON && a->word_count > 1) {
            (void)json_array_append_new(all, task);
            continue;
        }
        if (i > 0 && ctl_out(c)->format == OUT_TABLE)
            out_text(SLICE("\n"));
        print_task(c, task, !args_flag(a, "no-timeline"));
        json_decref(task);
    }
    if (json_array_size(all) > 0)
        out_object(ctl_out(c), &TASK_VIEW, all);
    json_decref(all);
    ctl_free(c);
    return code;
}

/* --- create --- */

/* All of a file, "-" being standard input. False after a sentence. */
static bool read_file(const char *name, struct buf *out)
{
    FILE  *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
    char   block[65536];
    size_t n;
    bool   is_read;

    if (file == NULL) {
        say("%s: %s", name, strerror(errno));
        return false;
    }
    while ((n = fread(block, 1, sizeof(block), file)) > 0 && buf_append(out, block, n) == 0)
        ;
    is_read = !ferror(file) && !buf_failed(out);
    if (!is_read)
        say("%s: %s", name, buf_failed(out) ? "more than a mebibyte" : strerror(errno));
    if (file != stdin)
        fclose(file);
    while (out->len > 0 && out->data[out->len - 1] == '\n')
        out->data[--out->len] = '\0';
    return is_read;
}

static const struct view_column ACCEPTED_COLUMNS[] = {
    { "ID",     "taskId", CELL_TEXT, 0, NULL },
    { "STATUS", "status", CELL_TEXT, 0, status_colour },
    { "SEQ",    "seq",    CELL_TEXT, 0, NULL },
};
static const struct view ACCEPTED_VIEW = VIEW(ACCEPTED_COLUMNS);

static void print_accepted(const struct ctl *c, const json_t *accepted)
{
    json_t *rows;

    if (ctl_out(c)->format != OUT_TABLE) {
        out_object(ctl_out(c), &ACCEPTED_VIEW, accepted);
        return;
    }
    rows = json_pack("[O]", accepted);
    out_rows(ctl_out(c), &ACCEPTED_VIEW, rows);
    json_decref(rows);
}

/* POST under a key; where no answer came, say how to repeat it without harm. */
static enum exit_code post_keyed(struct ctl *c, const char *target, const json_t *body,
                                 const char *what, json_t **out)
{
    char           made[KEY_SIZE];
    const char    *key = args_value(ctl_args(c), "key");
    struct request r = { .method = HTTP_POST, .target = target, .body = body };
    enum exit_code code;

    key_make(made);
    r.key = key != NULL ? key : made;
    code = taskd_call(c, &r, what, out);
    if (code == EXIT_UNREACHABLE)
        say("whether it was done is not known: repeat it with --key %s", key != NULL ? key : made);
    return code;
}

static int create(struct ctl *c, const struct args *a, const char *description)
{
    json_t        *body = json_object();
    json_t        *accepted;
    enum exit_code code;

    json_put_text(body, "description", description);
    json_put_text(body, "title", args_value(a, "title"));
    json_put_text(body, "repo", args_value(a, "repo"));
    if (args_flag(a, "private"))
        json_put_bool(body, "isPrivate", true);
    code = post_keyed(c, "/api/tasks", body, "the task", &accepted);
    if (code == EXIT_OK && args_flag(a, "quiet"))
        out_line("%s", json_text(accepted, "taskId"));
    else if (code == EXIT_OK)
        print_accepted(c, accepted);
    json_decref(accepted);
    json_decref(body);
    return code;
}

int command_create(const struct args *a)
{
    struct ctl *c;
    struct buf  text;
    int         code = EXIT_USAGE;

    if ((a->word_count == 1) == args_given(a, "file"))
        return usage(a, "a description is needed, as a word or from --file");
    buf_init(&text, FILE_BYTES_MAX);
    if (a->word_count == 1)
        buf_append_text(&text, a->words[0]);
    c = ctl_new(a);
    if (c != NULL && args_given(a, "file") && !read_file(args_value(a, "file"), &text))
        code = EXIT_FAILED;
    else if (c != NULL && ctl_acts_in_org(c))
        code = create(c, a, text.data != NULL ? text.data : "");
    buf_deinit(&text);
    ctl_free(c);
    return code;
}

/* --- clarify --- */

/* Ask for each answer on the terminal. EXIT_FAILED where it ended before. */
static enum exit_code ask_person(const json_t *questions, json_t *answers)
{
    const json_t *question;
    size_t        i;
    char          line[ANSWER_CHARS_MAX];

    json_array_foreach(questions, i, question) {
        say("%s", json_string_value(question));
        fputs("> ", stderr);
        fflush(stderr);
        if (fgets(line, sizeof(line), stdin) == NULL)
            return EXIT_FAILED;
        line[strcspn(line, "\n")] = '\0';
        if (json_array_append_new(answers, json_string(line)) != 0)
            return EXIT_FAILED;
    }
    return EXIT_OK;
}

static enum exit_code gather_answers(struct ctl *c, const struct args *a, const char *what,
                                     json_t *answers)
{
    struct buf     target;
    json_t        *task;
    enum exit_code code;

    for (size_t i = 1; i < a->word_count; i++) {
        if (json_array_append_new(answers, json_string(a->words[i])) != 0)
            return (enum exit_code)usage(a, "an answer is not UTF-8");
    }
    if (a->word_count > 1)
        return EXIT_OK;
    if (!isatty(STDIN_FILENO))
        return (enum exit_code)usage(a, "answers are needed, one for each question");
    buf_init(&target, TARGET_MAX);
    target_put(&target, "/api/tasks/", a->words[0], "");
    code = taskd_get(c, &task, what, "%s", target.data);
    buf_deinit(&target);
    if (code == EXIT_OK && json_array_size(json_object_get(task, "questions")) == 0) {
        say("%s asks nothing: it is %s", what, json_text(task, "status"));
        code = EXIT_CONFLICT;
    }
    if (code == EXIT_OK)
        code = ask_person(json_object_get(task, "questions"), answers);
    json_decref(task);
    return code;
}

int command_clarify(const struct args *a)
{
    struct ctl    *c = ctl_new(a);
    json_t        *body = json_object();
    json_t        *answers = json_array();
    json_t        *accepted = NULL;
    struct buf     target;
    char           what[128];
    enum exit_code code = EXIT_USAGE;

    buf_init(&target, TARGET_MAX);
    target_put(&target, "/api/tasks/", a->words[0], "/clarify");
    snprintf(what, sizeof(what), "task %s", a->words[0]);
    (void)json_object_set_new(body, "answers", answers);
    if (c != NULL)
        code = gather_answers(c, a, what, answers);
    if (code == EXIT_OK)
        code = post_keyed(c, target.data, body, what, &accepted);
    if (code == EXIT_OK)
        print_accepted(c, accepted);
    json_decref(accepted);
    json_decref(body);
    buf_deinit(&target);
    ctl_free(c);
    return code;
}

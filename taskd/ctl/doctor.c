/* doctor.c -- `taskctl doctor`: two looks, a judgement, and what to do about it. */
#include "taskd/ctl/doctor.h"

#include <stdio.h>

#include "taskd/ctl/cli/text.h"
#include "taskd/ctl/commands.h"
#include "taskd/ctl/ctl.h"
#include "taskd/ctl/views.h"

#define TASK_ID_LEN   24
#define TEXT_MAX      ((size_t)1 << 20)
#define COLUMNS_MAX   100
#define LOOK_PAUSE_MS 1000                     /* of the shown countdown */
#define WAIT_LEAST_MS 3000                     /* a heartbeat and a half: all have spoken again */

static const struct view_column FINDING_COLUMNS[] = {
    { "RESULT",  "result",  CELL_TEXT, 0,              state_colour },
    { "CHECK",   "check",   CELL_TEXT, 0,              NULL },
    { "SUBJECT", "subject", CELL_TEXT, COLUMN_SHRINKS, NULL },
    { "WHAT",    "what",    CELL_TEXT, COLUMN_SHRINKS, NULL },
};
static const struct view FINDING_VIEW = VIEW(FINDING_COLUMNS);

/* For people: what is wrong in whole sentences (the table may have cut them), and what to do. */
static void print_todo(const struct ctl *c, const json_t *findings)
{
    size_t        columns = ctl_out(c)->width;
    const json_t *finding;
    size_t        i;
    struct buf    text, clean;

    if (columns == 0 || columns > COLUMNS_MAX)
        columns = COLUMNS_MAX;
    buf_init(&text, TEXT_MAX);
    buf_init(&clean, TEXT_MAX);
    json_array_foreach(findings, i, finding) {
        if (json_text(finding, "todo") == NULL)
            continue;
        buf_reset(&clean);
        text_clean(slice_of(json_text(finding, "subject")), &clean);
        buf_printf(&text, "\n%s %s\n", json_text(finding, "check"), clean.data);
        buf_reset(&clean);
        text_clean(slice_of(json_text(finding, "what")), &clean);
        text_wrap(clean.data, 2, columns, &text);
        buf_reset(&clean);
        text_clean(slice_of(json_text(finding, "todo")), &clean);
        buf_append_text(&text, "  what to do:\n");
        text_wrap(clean.data, 4, columns, &text);
    }
    out_text(buf_peek(&text));
    buf_deinit(&text);
    buf_deinit(&clean);
}

static bool has(const json_t *findings, const char *member, const char *value)
{
    const json_t *finding;
    size_t        i;

    json_array_foreach(findings, i, finding) {
        if (strcmp(json_text(finding, member), value) == 0)
            return true;
    }
    return false;
}

static enum exit_code code_of(const json_t *findings)
{
    if (has(findings, "check", "taskd-unreachable") || has(findings, "check", "redis-unreachable"))
        return EXIT_UNREACHABLE;
    return has(findings, "result", "fault") ? EXIT_FAILED : EXIT_OK;
}

static void pause_between(struct ctl *c, int64_t ms)
{
    for (; ms > 0; ms -= LOOK_PAUSE_MS) {
        progress("looking again in %lld s", (long long)(ms + 999) / 1000);
        ctl_sleep(c, ms < LOOK_PAUSE_MS ? ms : LOOK_PAUSE_MS);
    }
}

static enum exit_code diagnose(struct ctl *c, const struct doctor_scope *scope, int64_t wait_ms)
{
    json_t        *first = doctor_look(c, scope, false);
    json_t        *second, *findings;
    enum exit_code code;

    if (scope->is_task && json_is_object(json_object_get(first, "status")) &&
        json_array_size(json_object_get(first, "positions")) == 0) {
        json_decref(first);
        return EXIT_MISSING;                   /* told already */
    }
    pause_between(c, wait_ms);
    second = doctor_look(c, scope, true);
    findings = doctor_judge(first, second);
    out_rows(ctl_out(c), &FINDING_VIEW, findings);
    if (ctl_out(c)->format == OUT_TABLE)
        print_todo(c, findings);
    code = code_of(findings);
    json_decref(first);
    json_decref(second);
    json_decref(findings);
    return code;
}

static bool is_task_id(const char *word)
{
    return strlen(word) == TASK_ID_LEN && strspn(word, "0123456789abcdef") == TASK_ID_LEN;
}

int command_doctor(const struct args *a)
{
    struct doctor_scope scope = { .word = a->word_count > 0 ? a->words[0] : "" };
    struct ctl         *c;
    struct buf          why;
    int64_t             wait_ms;
    int                 code = EXIT_USAGE;

    buf_init(&why, 1024);
    if (args_span(a, "wait", &wait_ms, &why) != 0)
        code = usage(a, "%s", why.data);
    else if (wait_ms < WAIT_LEAST_MS)
        code = usage(a, "--wait takes 3s at least: gateways speak every two seconds");
    else if ((c = ctl_new(a)) != NULL) {
        if (scope.word[0] == '\0' && ctl_org(c) != NULL)
            scope.word = ctl_org(c);
        scope.is_task = is_task_id(scope.word);
        code = diagnose(c, &scope, wait_ms);
        ctl_free(c);
    }
    buf_deinit(&why);
    return code;
}

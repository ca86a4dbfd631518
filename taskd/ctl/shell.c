/* shell.c -- `taskctl help`, `completion` and `man`: the table of commands, for people, shells
 * and man. */
#include <stdio.h>

#include "taskd/ctl/cli/completion.h"
#include "taskd/ctl/cli/help.h"
#include "taskd/ctl/cli/man.h"
#include "taskd/ctl/cli/out.h"
#include "taskd/ctl/commands.h"
#include "taskd/ctl/views.h"

#define SCRIPT_MAX   ((size_t)1 << 20)
#define HELP_MAX     ((size_t)1 << 20)
#define HELP_COLUMNS 100                       /* where there is no terminal, or a wider one */

void help_print(const struct command *c, FILE *to)
{
    size_t     columns = out_terminal_width();
    struct buf text;

    if (columns == 0 || columns > HELP_COLUMNS)
        columns = HELP_COLUMNS;
    buf_init(&text, HELP_MAX);
    if (c != NULL)
        help_command(&TASKCTL, c, columns, &text);
    else
        help_overview(&TASKCTL, columns, &text);
    if (to == stdout)
        out_text(buf_peek(&text));
    else
        fputs(text.data, to);
    buf_deinit(&text);
}

int command_help(const struct args *a)
{
    const struct command *c;
    size_t                used;

    if (a->word_count == 0) {
        help_print(NULL, stdout);
        return EXIT_OK;
    }
    c = command_find(a->program, a->words, a->word_count, &used);
    if ((c == NULL || used < a->word_count) && !command_is_group(a->program, a->words[0])) {
        say("there is no command '%s'. See '%s help'.", a->words[0], a->program->name);
        return EXIT_USAGE;
    }
    help_print(c != NULL && used == a->word_count ? c : NULL, stdout);
    return EXIT_OK;
}

int command_completion(const struct args *a)
{
    struct buf script;
    int        code = EXIT_OK;

    buf_init(&script, SCRIPT_MAX);
    if (completion_print(a->program, a->words[0], &script) == 0)
        out_text(buf_peek(&script));
    else
        code = usage(a, "bash, zsh and fish are known, not '%s'", a->words[0]);
    buf_deinit(&script);
    return code;
}

int command_man(const struct args *a)
{
    struct buf path;
    int        err;

    buf_init(&path, 8192);
    err = man_write(a->program, a->words[0], &path);
    if (err != 0)
        say("%s: %s", path.data, strerror(err));
    buf_deinit(&path);
    return err == 0 ? EXIT_OK : EXIT_FAILED;
}

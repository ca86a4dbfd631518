/* main.c -- taskctl: read the command line, run the command.
 *
 * SIGPIPE is ignored, since the connections to taskd and Redis are sockets, too; where standard
 * output is closed, out.c ends the process as SIGPIPE would have. */
#include <signal.h>
#include <stdio.h>

#include "taskd/ctl/cli/help.h"
#include "taskd/ctl/cli/out.h"
#include "taskd/ctl/commands.h"

#define HELP_MAX     ((size_t)1 << 20)
#define HELP_COLUMNS 100                       /* where there is no terminal, or a wider one */

static void print_help(const struct command *c, FILE *to)
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
        print_help(NULL, stdout);
        return EXIT_OK;
    }
    c = command_find(a->program, a->words, a->word_count, &used);
    if ((c == NULL || used < a->word_count) && !command_is_group(a->program, a->words[0])) {
        say("there is no command '%s'. See '%s help'.", a->words[0], a->program->name);
        return EXIT_USAGE;
    }
    print_help(c != NULL && used == a->word_count ? c : NULL, stdout);
    return EXIT_OK;
}

static int refuse(const struct args *a, const struct buf *why)
{
    bool is_question = why->data[why->len - 1] == '?';

    say("%s%s See '%s help%s%s'.", why->data, is_question ? "" : ".", a->program->name,
        a->command != NULL ? " " : "", a->command != NULL ? a->command->name : "");
    return EXIT_USAGE;
}

static int run(const struct args *a)
{
    if (a->wants_help) {
        print_help(a->command, stdout);
        return EXIT_OK;
    }
    if (a->command == NULL) {
        print_help(NULL, stderr);
        return EXIT_USAGE;
    }
    return a->command->run(a);
}

int main(int argc, char **argv)
{
    static char version[] = "version";
    struct args a;
    struct buf  why;
    int         code;

    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < argc && argc == 2; i++) {
        if (strcmp(argv[i], "--version") == 0)
            argv[i] = version;                 /* as every program has it */
    }
    buf_init(&why, 4096);
    code = args_read(&TASKCTL, argc, argv, &a, &why) == 0 ? run(&a) : refuse(&a, &why);
    progress_done();
    out_flush();
    buf_deinit(&why);
    args_deinit(&a);
    return code;
}

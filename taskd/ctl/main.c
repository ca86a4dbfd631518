/* main.c -- taskctl: read the command line, run the command.
 *
 * SIGPIPE is ignored, since the connections to taskd and Redis are sockets, too; where standard
 * output is closed, out.c ends the process as SIGPIPE would have. */
#include <signal.h>
#include <stdio.h>

#include "taskd/ctl/cli/out.h"
#include "taskd/ctl/commands.h"
#include "taskd/ctl/views.h"

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
        help_print(a->command, stdout);
        return EXIT_OK;
    }
    if (a->command == NULL) {
        help_print(NULL, stderr);
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

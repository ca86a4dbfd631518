/* shell.c -- `taskctl completion` and `taskctl man`: the table of commands for others to read. */
#include "taskd/ctl/cli/completion.h"
#include "taskd/ctl/cli/man.h"
#include "taskd/ctl/commands.h"
#include "taskd/ctl/views.h"

#define SCRIPT_MAX ((size_t)1 << 20)

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

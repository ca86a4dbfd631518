/* completion.c -- what the scripts for the shells share, and which shells there are. */
#include "taskd/ctl/cli/completion.h"

#include <string.h>

#include "common/err.h"

bool completion_next_group(const struct program *p, size_t *at, struct slice *out)
{
    for (; *at < p->command_count; (*at)++) {
        struct slice rest = slice_of(p->commands[*at].name);
        struct slice first = slice_cut(&rest, ' ');

        if (rest.data == NULL || slice_eq(first, *out))
            continue;
        *out = first;
        return true;
    }
    return false;
}

const char *command_last_word(const struct command *c)
{
    const char *blank = strchr(c->name, ' ');

    return blank != NULL ? blank + 1 : c->name;
}

void put_quoted(const char *text, const char *escape, struct buf *out)
{
    buf_append_char(out, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            buf_append_text(out, escape);
        else
            buf_append_char(out, *text);
    }
    buf_append_char(out, '\'');
}

int completion_print(const struct program *p, const char *shell, struct buf *out)
{
    if (strcmp(shell, "bash") == 0)
        completion_bash(p, out);
    else if (strcmp(shell, "zsh") == 0)
        completion_zsh(p, out);
    else if (strcmp(shell, "fish") == 0)
        completion_fish(p, out);
    else
        return ERR_NOT_FOUND;
    return 0;
}

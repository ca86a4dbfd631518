/* completion_zsh.c -- for zsh: nested calls of _arguments, which does the rest.
 *
 * `*::` leaves only the words behind the command, so that a group ("dead") can ask again what its
 * first word is. */
#include "taskd/ctl/cli/completion.h"

#include <string.h>

/* Text inside of '…' and of [ ] or a colon list: brackets and colons are escaped. */
static void put_spec(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            buf_append_text(out, "'\\''");
            continue;
        }
        if (strchr("[]:\\", *text) != NULL)
            buf_append_char(out, '\\');
        buf_append_char(out, *text);
    }
}

/* ":what:action" */
static void put_action(const char *what, const struct choice *c, struct buf *out)
{
    buf_append_char(out, ':');
    put_spec(what, out);
    buf_append_char(out, ':');
    if (c == NULL)
        buf_append_char(out, ' ');
    else if (c->is_file)
        buf_append_text(out, "_files");
    else if (c->ask != NULL)
        buf_printf(out, "{compadd -- $($program %s 2>/dev/null)}", c->ask);
    else
        buf_printf(out, "(%s)", c->words);
}

static void put_option(const struct option_row *o, struct buf *out)
{
    buf_append_text(out, " \\\n            ");
    if (o->letter != '\0')
        buf_printf(out, "'(-%c --%s)'{-%c,--%s%s}'[", o->letter, o->name, o->letter, o->name,
                   o->value != NULL ? "=" : "");
    else
        buf_printf(out, "'--%s%s[", o->name, o->value != NULL ? "=" : "");
    put_spec(o->help, out);
    buf_append_char(out, ']');
    if (o->value != NULL)
        put_action(o->value, o->choice, out);
    buf_append_char(out, '\'');
}

static void put_common(const struct program *p, struct buf *out)
{
    buf_append_text(out, "    local -a common\n    common=(");
    for (size_t i = 0; i < p->option_count; i++) {
        const struct option_row *o = &p->options[i];

        if (o->command != COMMAND_ANY)
            continue;
        put_option(o, out);
    }
    buf_append_text(out, " \\\n            '(-h --help)'{-h,--help}'[tell more]'\n    )\n");
}

/* "name:summary" of those that may come next, quoted, one a line. */
static void put_names(const struct program *p, struct slice group, struct buf *out)
{
    struct slice inner = { NULL, 0 };
    size_t       at = 0;

    for (size_t i = 0; i < p->command_count; i++) {
        const struct command *c = &p->commands[i];
        struct slice          rest = slice_of(c->name);
        struct slice          first = slice_cut(&rest, ' ');

        if (c->group == NULL ||
            (group.len > 0 ? rest.data == NULL || !slice_eq(first, group) : rest.data != NULL))
            continue;
        buf_printf(out, "                '%s:", command_last_word(c));
        put_spec(c->summary, out);
        buf_append_text(out, "'\n");
    }
    while (group.len == 0 && completion_next_group(p, &at, &inner)) {
        size_t      used;
        char        name[64];
        char *const word = name;

        if (inner.len >= sizeof(name))
            continue;
        memcpy(name, inner.data, inner.len);
        name[inner.len] = '\0';
        if (command_find(p, &word, 1, &used) == NULL)
            buf_printf(out, "                '%s:several commands'\n", name);
    }
}

static void put_arguments(const struct program *p, size_t index, struct buf *out)
{
    const struct command *c = &p->commands[index];

    buf_append_text(out, "_arguments -s $common");
    for (size_t i = 0; i < p->option_count; i++) {
        if (p->options[i].command == (int)index)
            put_option(&p->options[i], out);
    }
    if (c->words_max != 0) {
        buf_append_text(out, " \\\n            '*");
        put_action(c->words, c->choice, out);
        buf_append_char(out, '\'');
    }
    buf_append_text(out, " ;;\n");
}

/* _<program>_<group>: the group's members, and behind them what each takes. */
static void put_group(const struct program *p, struct slice group, struct buf *out)
{
    buf_append_text(out, "            local -a members\n            members=(\n");
    put_names(p, group, out);
    buf_append_text(out, "            )\n"
                    "            _arguments -C $common '1: :{_describe command members}' '*:: "
                    ":->deeper'\n"
                    "            [[ $state == deeper ]] && case \"$words[1]\" in\n");
    for (size_t i = 0; i < p->command_count; i++) {
        struct slice rest = slice_of(p->commands[i].name);
        struct slice first = slice_cut(&rest, ' ');

        if (rest.data == NULL || !slice_eq(first, group))
            continue;
        buf_printf(out, "            %.*s) ", SLICE_ARG(rest));
        put_arguments(p, i, out);
    }
    buf_append_text(out, "            esac\n            ;;\n");
}

void completion_zsh(const struct program *p, struct buf *out)
{
    struct slice group = { NULL, 0 };
    size_t       at = 0;

    buf_printf(out, "#compdef %s\n# Completion of %s for zsh: source <(%s completion zsh), or as "
                    "_%s in a"
               " folder of $fpath\n\n_%s() {\n    local curcontext=\"$curcontext\" state line"
               " program=$words[1]\n    typeset -A opt_args\n",
               p->name, p->name, p->name, p->name, p->name);
    put_common(p, out);
    buf_append_text(out, "    local -a commands\n    commands=(\n");
    put_names(p, (struct slice){ NULL, 0 }, out);
    buf_append_text(out, "    )\n    _arguments -C $common '1: :{_describe command commands}' "
                         "'*:: :->rest'\n"
                    "    [[ $state == rest ]] && case \"$words[1]\" in\n");
    while (completion_next_group(p, &at, &group)) {
        buf_printf(out, "        %.*s)\n", SLICE_ARG(group));
        put_group(p, group, out);
    }
    for (size_t i = 0; i < p->command_count; i++) {
        if (strchr(p->commands[i].name, ' ') != NULL || command_is_group(p, p->commands[i].name))
            continue;
        buf_printf(out, "        %s) ", p->commands[i].name);
        put_arguments(p, i, out);
    }
    buf_printf(out, "    esac\n}\n\n"
               "if [ \"$funcstack[1]\" = \"_%s\" ]; then\n    _%s \"$@\"\nelse\n    compdef _%s "
               "%s\nfi\n",
               p->name, p->name, p->name, p->name);
}

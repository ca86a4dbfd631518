/* completion_fish.c -- for fish: a function that says which command is being typed, and a line for
 * each thing that may follow. */
#include "taskd/ctl/cli/completion.h"

#include <string.h>

#define ESCAPE "\\'"

static void put_choice(const struct program *p, const struct choice *c, struct buf *out)
{
    if (c == NULL)
        buf_append_text(out, " -x");
    else if (c->is_file)
        buf_append_text(out, " -r -F");
    else if (c->ask != NULL)
        buf_printf(out, " -x -a '(__%s_ask %s)'", p->name, c->ask);
    else
        buf_printf(out, " -x -a '%s'", c->words);
}

static void put_help(const char *help, struct buf *out)
{
    buf_append_text(out, " -d ");
    put_quoted(help, ESCAPE, out);
    buf_append_char(out, '\n');
}

/* What takes a value, and so swallows the next word. */
static void put_value_options(const struct program *p, struct buf *out)
{
    for (size_t i = 0; i < p->option_count; i++) {
        const struct option_row *o = &p->options[i];

        if (o->value == NULL)
            continue;
        buf_printf(out, " --%s", o->name);
        if (o->letter != '\0')
            buf_printf(out, " -%c", o->letter);
    }
}

static void put_names(const struct program *p, struct buf *out)
{
    struct slice group = { NULL, 0 };
    size_t       at = 0;

    for (size_t i = 0; i < p->command_count; i++)
        buf_printf(out, " '%s'", p->commands[i].name);
    while (completion_next_group(p, &at, &group))
        buf_printf(out, " '%.*s'", SLICE_ARG(group));
}

/* Prints the command that has been typed so far: "", "dead", "dead list". */
static void put_path(const struct program *p, struct buf *out)
{
    buf_printf(out, "function __%s_path\n    set -l path\n    set -l skip\n"
               "    for word in (commandline -opc)[2..-1]\n"
               "        if test -n \"$skip\"\n            set skip\n            continue\n        "
               "end\n"
               "        switch $word\n            case", p->name);
    put_value_options(p, out);
    buf_append_text(out, "\n                set skip 1\n            case '-*'\n"
                    "            case '*'\n"
                    "                set -l longer (string trim \"$path $word\")\n"
                    "                contains -- \"$longer\"");
    put_names(p, out);
    buf_printf(out, "; and set path $longer\n        end\n    end\n    echo $path\nend\n\n"
               "function __%s_is\n    test (__%s_path) = \"$argv\"\nend\n\n"
               "function __%s_ask\n    set -l words (commandline -opc)\n"
               "    $words[1] $argv 2>/dev/null\nend\n\n", p->name, p->name, p->name);
}

static void put_commands(const struct program *p, struct buf *out)
{
    struct slice group = { NULL, 0 };
    size_t       at = 0;

    for (size_t i = 0; i < p->command_count; i++) {
        const struct command *c = &p->commands[i];
        const char           *blank = strchr(c->name, ' ');

        if (c->group == NULL)
            continue;
        buf_printf(out, "complete -c %s -n '__%s_is %.*s' -f -a %s", p->name, p->name,
                   blank != NULL ? (int)(blank - c->name) : 0, c->name, command_last_word(c));
        put_help(c->summary, out);
    }
    while (completion_next_group(p, &at, &group)) {
        buf_printf(out, "complete -c %s -n '__%s_is ' -f -a %.*s\n", p->name, p->name,
                   SLICE_ARG(group));
    }
}

static void put_condition(const struct program *p, int command, struct buf *out)
{
    buf_printf(out, "complete -c %s", p->name);
    if (command != COMMAND_ANY)
        buf_printf(out, " -n '__%s_is %s'", p->name, p->commands[command].name);
}

void completion_fish(const struct program *p, struct buf *out)
{
    buf_printf(out, "# Completion of %s for fish: %s completion fish | source\n\n",
               p->name, p->name);
    put_path(p, out);
    buf_printf(out, "complete -c %s -f\ncomplete -c %s -s h -l help -d 'tell more'\n", p->name,
               p->name);
    put_commands(p, out);
    for (size_t i = 0; i < p->option_count; i++) {
        const struct option_row *o = &p->options[i];

        put_condition(p, o->command, out);
        if (o->letter != '\0')
            buf_printf(out, " -s %c", o->letter);
        buf_printf(out, " -l %s", o->name);
        if (o->value != NULL)
            put_choice(p, o->choice, out);
        put_help(o->help, out);
    }
    for (size_t i = 0; i < p->command_count; i++) {
        const struct choice *c = p->commands[i].choice;

        if (c == NULL)
            continue;
        put_condition(p, (int)i, out);
        put_choice(p, c, out);
        buf_append_char(out, '\n');
    }
}

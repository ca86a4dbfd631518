/* help.c -- see help.h. Two columns: what one types, and what it does, wrapped. */
#include "taskd/ctl/cli/help.h"

#include <string.h>

#include "taskd/ctl/cli/text.h"

#define LEFT      28                           /* where the right column begins */
#define SPOT_MAX 8192

void option_spelling(const struct option_row *o, struct buf *out)
{
    if (o->letter != '\0')
        buf_printf(out, "-%c, ", o->letter);
    buf_printf(out, "--%s", o->name);
    if (o->value != NULL)
        buf_printf(out, " %s", o->value);
}

/* "  left      right, wrapped under itself". A left one that is too long gets a line of its own. */
static void put_pair(struct slice left, const char *right, size_t columns, struct buf *out)
{
    struct buf wrapped;

    buf_init(&wrapped, SPOT_MAX);
    text_wrap(right, LEFT, columns, &wrapped);
    buf_printf(out, "  %.*s", SLICE_ARG(left));
    if (left.len + 2 > LEFT - 2)
        buf_printf(out, "\n%s", wrapped.data);
    else
        buf_printf(out, "%s", wrapped.data + left.len + 2);
    buf_deinit(&wrapped);
}

static void put_option(const struct option_row *o, size_t columns, struct buf *out)
{
    struct buf left, right;

    buf_init(&left, SPOT_MAX);
    buf_init(&right, SPOT_MAX);
    if (o->letter == '\0')
        buf_append_text(&left, "    ");        /* names stand under names */
    option_spelling(o, &left);
    buf_append_text(&right, o->help);
    if (o->fallback != NULL)
        buf_printf(&right, " (%s)", o->fallback);
    put_pair(buf_peek(&left), right.data, columns, out);
    buf_deinit(&left);
    buf_deinit(&right);
}

static void put_options(const struct program *p, int command, const char *title, size_t columns,
                        struct buf *out)
{
    bool has_any = false;

    for (size_t i = 0; i < p->option_count; i++) {
        if (p->options[i].command != command)
            continue;
        if (!has_any)
            buf_printf(out, "\n%s:\n", title);
        has_any = true;
        put_option(&p->options[i], columns, out);
    }
}

static void put_named(const struct named_row *rows, size_t count, const char *title,
                      size_t columns, struct buf *out)
{
    buf_printf(out, "\n%s:\n", title);
    for (size_t i = 0; i < count; i++)
        put_pair(slice_of(rows[i].name), rows[i].help, columns, out);
}

/* Commands stand in the table group by group. */
static void put_commands(const struct program *p, size_t columns, struct buf *out)
{
    const char *group = NULL;

    for (size_t i = 0; i < p->command_count; i++) {
        const struct command *c = &p->commands[i];

        if (c->group == NULL)
            continue;
        if (group == NULL || strcmp(group, c->group) != 0)
            buf_printf(out, "\n%s:\n", c->group);
        group = c->group;
        put_pair(slice_of(c->name), c->summary, columns, out);
    }
}

void help_overview(const struct program *p, size_t columns, struct buf *out)
{
    buf_printf(out, "%s: %s\n\nusage: %s [OPTIONS] COMMAND [OPTIONS] [WORDS]\n", p->name,
               p->summary, p->name);
    put_commands(p, columns, out);
    put_options(p, COMMAND_ANY, "options of every command", columns, out);
    put_named(p->environment, p->environment_count, "environment", columns, out);
    put_named(p->exits, p->exit_count, "exit codes", columns, out);
    buf_printf(out, "\n'%s help COMMAND' tells more, with examples.\n", p->name);
}

static void put_examples(const struct program *p, int command, struct buf *out)
{
    bool has_any = false;

    for (size_t i = 0; i < p->example_count; i++) {
        const struct example_row *e = &p->examples[i];

        if (e->command != command)
            continue;
        buf_printf(out, "%s  # %s\n  %s\n", has_any ? "\n" : "\nexamples:\n", e->what, e->line);
        has_any = true;
    }
}

void help_command(const struct program *p, const struct command *c, size_t columns,
                  struct buf *out)
{
    buf_printf(out, "%s %s: %s\n\nusage: %s %s [OPTIONS]%s%s\n", p->name, c->name, c->summary,
               p->name, c->name, c->words[0] != '\0' ? " " : "", c->words);
    if (c->text[0] != '\0') {
        buf_append_char(out, '\n');
        text_wrap(c->text, 0, columns, out);
    }
    put_options(p, command_index(p, c), "options", columns, out);
    put_options(p, COMMAND_ANY, "options of every command", columns, out);
    put_examples(p, command_index(p, c), out);
}

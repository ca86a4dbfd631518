/* man.c -- see man.h.
 *
 * Only what man(7) has had for decades is used, so that groff and mandoc both take it. In roff a
 * line that begins with a dot or an apostrophe is a request and a backslash begins an escape, so
 * every text goes through put_text. */
#include "taskd/ctl/cli/man.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "taskd/ctl/cli/help.h"

#define PAGE_MAX ((size_t)1 << 20)

/* Text of the body. Hyphens are minus signs: what stands here is to be typed. */
static void put_text(const char *text, struct buf *out)
{
    bool is_first = true;

    for (; *text != '\0'; text++) {
        if (is_first && (*text == '.' || *text == '\''))
            buf_append_text(out, "\\&");
        is_first = *text == '\n';
        if (*text == '\\')
            buf_append_text(out, "\\e");
        else if (*text == '-')
            buf_append_text(out, "\\-");
        else if (*text == '\'')
            buf_append_text(out, "\\(aq");
        else
            buf_append_char(out, *text);
    }
}

static void put_line(const char *text, struct buf *out)
{
    put_text(text, out);
    buf_append_char(out, '\n');
}

/* Paragraphs are apart by an empty line, a line that begins with a blank stands by itself. */
static void put_paragraphs(const char *text, struct buf *out)
{
    struct slice rest = slice_of(text);
    char         line[4096];

    while (rest.len > 0) {
        struct slice next = slice_cut(&rest, '\n');

        snprintf(line, sizeof(line), "%.*s", SLICE_ARG(next));
        if (line[0] == '\0') {
            buf_append_text(out, ".PP\n");
        } else if (line[0] == ' ') {
            buf_append_text(out, ".nf\n");
            put_line(line, out);
            buf_append_text(out, ".fi\n");
        } else {
            put_line(line, out);
        }
    }
}

static void put_pair(const char *left, const char *right, struct buf *out)
{
    buf_append_text(out, ".TP\n\\fB");
    put_text(left, out);
    buf_append_text(out, "\\fR\n");
    put_line(right, out);
}

static void put_options(const struct program *p, int command, const char *title, struct buf *out)
{
    bool       has_any = false;
    struct buf left, right;

    buf_init(&left, 1024);
    buf_init(&right, 4096);
    for (size_t i = 0; i < p->option_count; i++) {
        const struct option_row *o = &p->options[i];

        if (o->command != command)
            continue;
        if (!has_any)
            buf_printf(out, ".SH %s\n", title);
        has_any = true;
        buf_reset(&left);
        buf_reset(&right);
        option_spelling(o, &left);
        buf_append_text(&right, o->help);
        if (o->fallback != NULL)
            buf_printf(&right, " (%s)", o->fallback);
        put_pair(left.data, right.data, out);
    }
    buf_deinit(&left);
    buf_deinit(&right);
}

static void put_named(const struct named_row *rows, size_t count, const char *title,
                      struct buf *out)
{
    buf_printf(out, ".SH %s\n", title);
    for (size_t i = 0; i < count; i++)
        put_pair(rows[i].name, rows[i].help, out);
}

static void put_examples(const struct program *p, int command, struct buf *out)
{
    bool has_any = false;

    for (size_t i = 0; i < p->example_count; i++) {
        if (p->examples[i].command != command)
            continue;
        buf_append_text(out, has_any ? ".PP\n" : ".SH EXAMPLES\n");
        has_any = true;
        put_line(p->examples[i].what, out);
        buf_append_text(out, ".PP\n.nf\n.RS 4\n");
        put_line(p->examples[i].line, out);
        buf_append_text(out, ".RE\n.fi\n");
    }
}

/* "taskctl-dead-list": blanks of the name are hyphens. */
static void put_page_name(const struct program *p, const struct command *c, struct buf *out)
{
    buf_append_text(out, p->name);
    if (c == NULL)
        return;
    buf_append_char(out, '-');
    for (const char *s = c->name; *s != '\0'; s++)
        buf_append_char(out, *s == ' ' ? '-' : *s);
}

static void put_head(const struct program *p, const struct command *c, struct buf *out)
{
    struct buf name;

    buf_init(&name, 256);
    put_page_name(p, c, &name);
    buf_append_text(out, ".TH ");
    for (const char *s = name.data; *s != '\0'; s++)
        buf_append_char(out, *s >= 'a' && *s <= 'z' ? (char)(*s - 'a' + 'A') : *s);
    buf_printf(out, " 1 \"\" \"%s %s\" \"Taskwire\"\n.SH NAME\n", p->name, p->version);
    put_text(name.data, out);
    buf_append_text(out, " \\- ");
    put_line(c != NULL ? c->summary : p->summary, out);
    buf_deinit(&name);
}

static void put_synopsis(const struct program *p, const struct command *c, struct buf *out)
{
    buf_printf(out, ".SH SYNOPSIS\n\\fB%s%s%s\\fR [\\fIOPTIONS\\fR]", p->name,
               c != NULL ? " " : "", c != NULL ? c->name : "");
    if (c == NULL)
        buf_append_text(out, " \\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIWORDS\\fR]");
    else if (c->words[0] != '\0')
        buf_append_char(out, ' ');
    put_text(c != NULL ? c->words : "", out);
    buf_append_char(out, '\n');
}

static void put_commands(const struct program *p, struct buf *out)
{
    buf_append_text(out, ".SH COMMANDS\n");
    for (size_t i = 0; i < p->command_count; i++) {
        if (p->commands[i].group != NULL)
            put_pair(p->commands[i].name, p->commands[i].summary, out);
    }
}

static void put_see_also(const struct program *p, const struct command *self, struct buf *out)
{
    bool has_any = false;

    buf_append_text(out, ".SH SEE ALSO\n");
    if (self != NULL) {
        buf_printf(out, ".BR %s (1)\n", p->name);
        return;
    }
    for (size_t i = 0; i < p->command_count; i++) {
        if (p->commands[i].group == NULL)
            continue;
        buf_append_text(out, has_any ? ",\n.BR " : ".BR ");
        has_any = true;
        put_page_name(p, &p->commands[i], out);
        buf_append_text(out, " (1)");
    }
    buf_append_char(out, '\n');
}

void man_page(const struct program *p, const struct command *c, struct buf *out)
{
    int index = c != NULL ? command_index(p, c) : COMMAND_ANY;

    put_head(p, c, out);
    put_synopsis(p, c, out);
    buf_append_text(out, ".SH DESCRIPTION\n");
    put_paragraphs(c == NULL ? p->text : c->text[0] != '\0' ? c->text : c->summary, out);
    if (c == NULL)
        put_commands(p, out);
    else
        put_options(p, index, "OPTIONS", out);
    put_options(p, COMMAND_ANY, "OPTIONS OF EVERY COMMAND", out);
    put_examples(p, index, out);
    put_named(p->environment, p->environment_count, "ENVIRONMENT", out);
    put_named(p->exits, p->exit_count, "EXIT STATUS", out);
    put_see_also(p, c, out);
}

void man_file_name(const struct program *p, const struct command *c, struct buf *out)
{
    put_page_name(p, c, out);
    buf_append_text(out, ".1");
}

static int write_page(const struct program *p, const struct command *c, const char *folder,
                      struct buf *path)
{
    struct buf page;
    FILE      *file;
    int        err = 0;

    buf_reset(path);
    buf_printf(path, "%s/", folder);
    man_file_name(p, c, path);
    file = fopen(path->data, "w");
    if (file == NULL)
        return errno;
    buf_init(&page, PAGE_MAX);
    man_page(p, c, &page);
    if (fwrite(page.data, 1, page.len, file) != page.len)
        err = errno;
    if (fclose(file) != 0)
        err = errno;
    buf_deinit(&page);
    return err;
}

int man_write(const struct program *p, const char *folder, struct buf *why)
{
    int err = 0;

    buf_append_text(why, folder);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return errno;
    err = write_page(p, NULL, folder, why);
    for (size_t i = 0; i < p->command_count && err == 0; i++) {
        if (p->commands[i].group != NULL)
            err = write_page(p, &p->commands[i], folder, why);
    }
    return err;
}

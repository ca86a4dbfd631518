/* main.c -- taskctl: find the command, read its options, run it.
 *
 * One table names the commands; help is printed from it, so it cannot be out of date. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "taskd/ctl/command.h"

static const struct command *const COMMANDS[] = { &COMMAND_TOKEN, &COMMAND_SIMULATE };
#define COMMAND_COUNT (sizeof(COMMANDS) / sizeof(COMMANDS[0]))

static void print_overview(FILE *to)
{
    fprintf(to, "taskctl: Taskwire's command line\n\nusage: taskctl COMMAND [OPTIONS]\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-10s %s\n", COMMANDS[i]->name, COMMANDS[i]->summary);
    fprintf(to, "  %-10s %s\n  %-10s %s\n", "help", "this list, or 'help COMMAND'",
            "version", "which taskctl this is");
}

static void print_command(FILE *to, const struct command *c)
{
    fprintf(to, "taskctl %s: %s\n\n", c->name, c->summary);
    for (const struct option_spec *o = c->options; o->name != NULL; o++) {
        char left[40];

        snprintf(left, sizeof(left), "--%s %s", o->name, o->value != NULL ? o->value : "");
        fprintf(to, "  %-22s %s", left, o->help);
        if (o->fallback != NULL)
            fprintf(to, " (%s)", o->fallback);
        fputc('\n', to);
    }
    fprintf(to, "\nexample:\n  %s\n", c->example);
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(COMMANDS[i]->name, name) == 0)
            return COMMANDS[i];
    }
    return NULL;
}

/* Which option is `arg` ("--name" or "--name=value")? -1: none. */
static int find_option(const struct command *c, const char *arg, const char **inline_value)
{
    size_t len = strcspn(arg + 2, "=");

    *inline_value = arg[2 + len] == '=' ? arg + 2 + len + 1 : NULL;
    for (int i = 0; c->options[i].name != NULL; i++) {
        if (strlen(c->options[i].name) == len && strncmp(c->options[i].name, arg + 2, len) == 0)
            return i;
    }
    return -1;
}

/* Fill `values`. Returns false after a sentence about what is wrong. */
static bool read_options(const struct command *c, int argc, char **argv, char **values)
{
    for (size_t i = 0; c->options[i].name != NULL; i++)
        values[i] = mem_strdup(c->options[i].fallback);
    for (int i = 0; i < argc; i++) {
        const char *value;
        int at = strncmp(argv[i], "--", 2) == 0 ? find_option(c, argv[i], &value) : -1;

        if (at < 0) {
            fprintf(stderr, "taskctl %s: what is '%s'? See 'taskctl help %s'.\n", c->name,
                    argv[i], c->name);
            return false;
        }
        if (c->options[at].value != NULL && value == NULL && i + 1 < argc)
            value = argv[++i];
        if ((c->options[at].value != NULL) != (value != NULL)) {
            fprintf(stderr, "taskctl %s: --%s takes %s value\n", c->name, c->options[at].name,
                    value != NULL ? "no" : "a");
            return false;
        }
        free(values[at]);
        values[at] = mem_strdup(value != NULL ? value : "");
    }
    return true;
}

static enum exit_code run(const struct command *c, int argc, char **argv)
{
    size_t         count = 0;
    char         **values;
    enum exit_code code = EXIT_USAGE;

    while (c->options[count].name != NULL)
        count++;
    values = mem_alloc((count + 1) * sizeof(*values));
    if (read_options(c, argc, argv, values))
        code = c->run(c, values);
    for (size_t i = 0; i < count; i++)
        free(values[i]);
    free(values);
    return code;
}

int main(int argc, char **argv)
{
    const struct command *c;

    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        print_overview(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0) {
        printf("taskctl %s\n", TASKWIRE_VERSION);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
        c = argc > 2 ? find(argv[2]) : NULL;
        if (c != NULL)
            print_command(stdout, c);
        else
            print_overview(stdout);
        return argc > 2 && c == NULL ? EXIT_USAGE : EXIT_OK;
    }
    c = find(argv[1]);
    if (c == NULL) {
        fprintf(stderr, "taskctl: there is no command '%s'. See 'taskctl help'.\n", argv[1]);
        return EXIT_USAGE;
    }
    if (argc > 2 && strcmp(argv[2], "--help") == 0) {
        print_command(stdout, c);
        return EXIT_OK;
    }
    return (int)run(c, argc - 2, argv + 2);
}

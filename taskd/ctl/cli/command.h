/* command.h -- what a command line program offers, as rows: commands, options, examples,
 * environment and exit codes.
 *
 * One table (taskd/ctl/commands.def) is parsed against (args.h), printed as help (help.h), as
 * shell completion (completion.h) and as man pages (man.h), so that none of them can differ from
 * what the program does. This folder knows nothing of tasks. Pure tables; texts are static. */
#ifndef TASKWIRE_CTL_CLI_COMMAND_H
#define TASKWIRE_CTL_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#define COMMAND_ANY (-1)                       /* an option of every command */

struct args;

/* A kind of things that a word may name, for completion. */
struct choice {
    const char *words;                         /* "a b c"; NULL: see below */
    const char *ask;                           /* a command line of ours that prints them */
    bool        is_file;
};

struct option_row {
    int                  command;              /* its index, or COMMAND_ANY */
    char                 letter;               /* '\0': none */
    const char          *name;                 /* without dashes */
    const char          *value;                /* what the value is called; NULL: a flag */
    const char          *fallback;             /* NULL: none */
    const struct choice *choice;               /* NULL: anything */
    const char          *help;                 /* a line, without a full stop */
};

struct example_row {
    int         command;
    const char *line;
    const char *what;
};

struct named_row {                             /* an environment variable, an exit code */
    const char *name;
    const char *help;
};

struct command {
    const char          *name;                 /* "dead list": one of several has a blank */
    const char          *words;                /* of the synopsis: "ID [ANSWER]..." */
    int                  words_min, words_max; /* how many of them; max -1: any number */
    const struct choice *choice;               /* of those words */
    const char          *group;                /* its heading in the overview; NULL: hidden */
    const char          *summary;              /* a line, without a full stop */
    const char          *text;                 /* paragraphs, with an empty line between; or "" */
    int                (*run)(const struct args *a);   /* gives the exit code */
};

struct program {
    const char               *name, *summary, *text, *version;
    const struct command     *commands;
    size_t                    command_count;
    const struct option_row  *options;
    size_t                    option_count;
    const struct example_row *examples;
    size_t                    example_count;
    const struct named_row   *environment, *exits;
    size_t                    environment_count, exit_count;
};

/* The command that the first of `words` name ("dead", "list", …), the longest name first;
 * `*out_used` words were needed. NULL where there is none. */
const struct command *command_find(const struct program *p, char *const *words, size_t count,
                                   size_t *out_used);

/* Is `word` the first of several commands ("dead")? */
bool command_is_group(const struct program *p, const char *word);

/* The name of a command that looks like `word`; NULL where none does. */
const char *command_like(const struct program *p, const char *word);

/* Is it an option of this command, or of every command? */
static inline bool option_applies(const struct option_row *o, int command)
{
    return o->command == command || o->command == COMMAND_ANY;
}

static inline int command_index(const struct program *p, const struct command *c)
{
    return (int)(c - p->commands);
}

#endif

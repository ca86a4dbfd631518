/* commands.h -- taskctl's commands: the rows of commands.def as tables, and what runs each.
 *
 * One process runs one command on one thread. Data goes to standard output, everything else to
 * standard error. Every function gives an exit code (cli/exit.h). */
#ifndef TASKWIRE_CTL_COMMANDS_H
#define TASKWIRE_CTL_COMMANDS_H

#include "taskd/ctl/cli/args.h"
#include "taskd/ctl/cli/exit.h"

extern const struct program TASKCTL;

#define COMMAND(id, name, words, min, max, choice, group, run, summary, text) \
    int run(const struct args *a);
#define OPTION(id, letter, name, value, fallback, choice, help)
#define EXAMPLE(id, line, what)
#define ENVIRONMENT(name, help)
#define EXIT(code, help)
#include "taskd/ctl/commands.def"
#undef COMMAND
#undef OPTION
#undef EXAMPLE
#undef ENVIRONMENT
#undef EXIT

#endif

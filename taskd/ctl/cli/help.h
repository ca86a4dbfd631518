/* help.h -- what a program and its commands do, for people at a terminal. */
#ifndef TASKWIRE_CTL_CLI_HELP_H
#define TASKWIRE_CTL_CLI_HELP_H

#include "taskd/ctl/cli/command.h"

#include "common/buf.h"

/* Append all that there is, a line for each command; `columns` is how wide it may be. */
void help_overview(const struct program *p, size_t columns, struct buf *out);

/* Append all about one command. */
void help_command(const struct program *p, const struct command *c, size_t columns,
                  struct buf *out);

/* "-o, --output FORMAT", without indentation; as man pages and completion need it, too. */
void option_spelling(const struct option_row *o, struct buf *out);

#endif

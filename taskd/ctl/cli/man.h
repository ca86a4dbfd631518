/* man.h -- the same as man pages (man(7)): one of the program, one of each command. */
#ifndef TASKWIRE_CTL_CLI_MAN_H
#define TASKWIRE_CTL_CLI_MAN_H

#include "taskd/ctl/cli/command.h"

#include "common/buf.h"

/* Append a page's source. `c` NULL: of the program itself. */
void man_page(const struct program *p, const struct command *c, struct buf *out);

/* Append the name of its file: "taskctl-dead-list.1". */
void man_file_name(const struct program *p, const struct command *c, struct buf *out);

/* Write all of them into a folder, which is made where it is missing. Returns 0, or an errno with
 * the path that it happened at in `why`. */
int man_write(const struct program *p, const char *folder, struct buf *why);

#endif

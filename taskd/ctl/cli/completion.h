/* completion.h -- scripts that let a shell complete the commands, options and words of a
 * program. */
#ifndef TASKWIRE_CTL_CLI_COMPLETION_H
#define TASKWIRE_CTL_CLI_COMPLETION_H

#include "taskd/ctl/cli/command.h"

#include "common/buf.h"

/* Append the script for "bash", "zsh" or "fish". Returns 0, or ERR_NOT_FOUND for another shell. */
int completion_print(const struct program *p, const char *shell, struct buf *out);

/* By shell; in completion_bash.c, completion_zsh.c and completion_fish.c. */
void completion_bash(const struct program *p, struct buf *out);
void completion_zsh(const struct program *p, struct buf *out);
void completion_fish(const struct program *p, struct buf *out);

/* --- what they share --- */

/* The next group ("dead" of "dead list") in the order of the table, from `*at` on, which is moved
 * behind it; false where there is none. `out` is valid as long as the table. */
bool completion_next_group(const struct program *p, size_t *at, struct slice *out);

/* What stands behind the blank of a command's name, or all of it. */
const char *command_last_word(const struct command *c);

/* Append `text` in single quotes. `escape` stands for a quote in it. */
void put_quoted(const char *text, const char *escape, struct buf *out);

#endif

/* args.h -- a command line, read against the table of commands.
 *
 * As GNU programs do: options and words in any order, `--name value`, `--name=value`, `-n value`,
 * `-nvalue`, `--` ends the options; options of every command may stand before the command. Belongs
 * to one thread; getopt has state of its own. */
#ifndef TASKWIRE_CTL_CLI_ARGS_H
#define TASKWIRE_CTL_CLI_ARGS_H

#include <stdint.h>

#include "common/buf.h"
#include "taskd/ctl/cli/command.h"

struct args {
    const struct program *program;
    const struct command *command;             /* NULL: none was named */
    const char          **values;              /* by the option's index; NULL: not given */
    char                **words;               /* those after the command's name */
    size_t                word_count;
    bool                  wants_help;          /* -h or --help: nothing else was looked at */
};

/* Read it. Values and words point into argv. Returns 0; or ERR_INVALID with a sentence in `why`
 * (`command` tells whose help might help). args_deinit in either case. */
int  args_read(const struct program *p, int argc, char **argv, struct args *out, struct buf *why);
void args_deinit(struct args *a);

/* The value of an option, or its fallback, or NULL; "" for a flag that was given. The name is one
 * that the command has. */
const char *args_value(const struct args *a, const char *name);
bool        args_flag(const struct args *a, const char *name);

/* Was it given on the command line? */
bool args_given(const struct args *a, const char *name);

/* A whole number from `min` to `max`; a span of time in milliseconds, written as 90, 90s, 5m, 2h
 * or 1d. Return 0; or ERR_INVALID with a sentence in `why`. Neither is called where there is no
 * value and no fallback. */
int args_number(const struct args *a, const char *name, int64_t min, int64_t max, int64_t *out,
                struct buf *why);
int args_span(const struct args *a, const char *name, int64_t *out_ms, struct buf *why);

/* Read a span by itself: 0 or ERR_INVALID. */
int span_read(const char *text, int64_t *out_ms);

#endif

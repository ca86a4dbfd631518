/* command.h -- the commands of taskctl and what they share.
 *
 * One process runs one command on one thread. Data goes to standard output, everything else
 * to standard error. Exit codes are SPEC I2's. */
#ifndef TASKWIRE_CTL_COMMAND_H
#define TASKWIRE_CTL_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

enum exit_code {
    EXIT_OK          = 0,
    EXIT_FAILED      = 1,
    EXIT_USAGE       = 2,
    EXIT_MISSING     = 3,                      /* what was named is not there */
    EXIT_CONFLICT    = 4,
    EXIT_UNREACHABLE = 5,
    EXIT_TIMED_OUT   = 124
};

/* An option of a command: --name VALUE, or --name alone for a flag. */
struct option_spec {
    const char *name;                          /* without the dashes; NULL ends the table */
    const char *value;                         /* what the value is called in help; NULL: a flag */
    const char *fallback;                      /* NULL: none */
    const char *help;
};

struct command {
    const char               *name;
    const char               *summary;         /* one line */
    const char               *example;
    const struct option_spec *options;
    enum exit_code          (*run)(const struct command *c, char *const *values);
};

/* values[i] belongs to options[i]: its text, the fallback, "" for a flag that was given, or
 * NULL. Looks one up by name; the name is one of the command's own. */
const char *command_value(const struct command *c, char *const *values, const char *name);

/* A whole number in [min, max]. Prints a sentence and returns false otherwise. */
bool command_number(const struct command *c, char *const *values, const char *name,
                    int64_t min, int64_t max, int64_t *out);

extern const struct command COMMAND_TOKEN;
extern const struct command COMMAND_SIMULATE;

#endif

/* exit.h -- exit codes, as SPEC I2 has them; the rows of commands.def say what each means. */
#ifndef TASKWIRE_CTL_CLI_EXIT_H
#define TASKWIRE_CTL_CLI_EXIT_H

enum exit_code {
    EXIT_OK          = 0,
    EXIT_FAILED      = 1,
    EXIT_USAGE       = 2,
    EXIT_MISSING     = 3,                      /* what was named is not there */
    EXIT_CONFLICT    = 4,
    EXIT_UNREACHABLE = 5,
    EXIT_TIMED_OUT   = 124
};

#endif

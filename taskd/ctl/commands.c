/* commands.c -- the rows of commands.def as tables, and what words there are to choose from. */
#include "taskd/ctl/commands.h"

#define STATUS(name, wire, bucket, text) wire " "
static const struct choice STATUSES = { .words =
#include "proto/statuses.def"
};
#undef STATUS

/* Inputs that services send; what people alone do is not published. */
#define INPUT_BUS(wire)  wire " "
#define INPUT_REST(wire) ""
#define INPUT(name, wire, door) INPUT_##door(wire)
static const struct choice INPUTS = { .words =
#include "proto/inputs.def"
};
#undef INPUT
#undef INPUT_BUS
#undef INPUT_REST

static const struct choice FORMATS = { .words = "table json ndjson" };
static const struct choice COLOURS = { .words = "auto always never" };
static const struct choice SORTS = { .words = "created updated" };
static const struct choice SHELLS = { .words = "bash zsh fish" };
static const struct choice FLAG_NAMES = { .words = "enabled dashboard task_detail "
                                                   "rollout_percent" };
static const struct choice FILES = { .is_file = true };
static const struct choice TASKS_KNOWN = { .ask = "list --quiet --limit 50 --request-timeout 2s" };
static const struct choice DEAD_KNOWN = { .ask = "dead list --quiet --request-timeout 2s" };
static const struct choice COMMAND_NAMES = { .words =
#define COMMAND(id, name, words, min, max, choice, group, run, summary, text) name " "
#define OPTION(id, letter, name, value, fallback, choice, help)
#define EXAMPLE(id, line, what)
#define ENVIRONMENT(name, help)
#define EXIT(code, help)
#include "taskd/ctl/commands.def"
};
#undef COMMAND

enum {
#define COMMAND(id, name, words, min, max, choice, group, run, summary, text) COMMAND_##id,
#include "taskd/ctl/commands.def"
#undef COMMAND
};

/* Of a row's CHOICE: nothing, or the address of one of the above. */
#define CHOICE_OF_NONE          NULL
#define CHOICE_OF_STATUSES      &STATUSES
#define CHOICE_OF_INPUTS        &INPUTS
#define CHOICE_OF_FORMATS       &FORMATS
#define CHOICE_OF_COLOURS       &COLOURS
#define CHOICE_OF_SORTS         &SORTS
#define CHOICE_OF_SHELLS        &SHELLS
#define CHOICE_OF_FLAG_NAMES    &FLAG_NAMES
#define CHOICE_OF_FILES         &FILES
#define CHOICE_OF_TASKS_KNOWN   &TASKS_KNOWN
#define CHOICE_OF_DEAD_KNOWN    &DEAD_KNOWN
#define CHOICE_OF_COMMAND_NAMES &COMMAND_NAMES

static const struct command COMMANDS[] = {
#define COMMAND(id, name, words, min, max, choice, group, run, summary, text) \
    { name, words, min, max, CHOICE_OF_##choice, group, summary, text, run },
#include "taskd/ctl/commands.def"
#undef COMMAND
};

#define COMMAND(id, name, words, min, max, choice, group, run, summary, text)
#undef OPTION
static const struct option_row OPTIONS[] = {
#define OPTION(id, letter, name, value, fallback, choice, help) \
    { COMMAND_##id, letter, name, value, fallback, CHOICE_OF_##choice, help },
#include "taskd/ctl/commands.def"
#undef OPTION
};

#define OPTION(id, letter, name, value, fallback, choice, help)
#undef EXAMPLE
static const struct example_row EXAMPLES[] = {
#define EXAMPLE(id, line, what) { COMMAND_##id, line, what },
#include "taskd/ctl/commands.def"
#undef EXAMPLE
};

#define EXAMPLE(id, line, what)
#undef ENVIRONMENT
static const struct named_row ENVIRONMENT_ROWS[] = {
#define ENVIRONMENT(name, help) { name, help },
#include "taskd/ctl/commands.def"
#undef ENVIRONMENT
};

#define ENVIRONMENT(name, help)
#undef EXIT
static const struct named_row EXITS[] = {
#define EXIT(code, help) { code, help },
#include "taskd/ctl/commands.def"
#undef EXIT
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

const struct program TASKCTL = {
    .name = "taskctl",
    .summary = "Taskwire's command line",
    .text = "taskctl asks taskd over its REST API, as a person or as an operator, and shows what "
            "it says as tables, JSON or lines of JSON. Data goes to standard output, everything else to "
            "standard error.",
    .version = TASKWIRE_VERSION,
    .commands = COMMANDS, .command_count = COUNT(COMMANDS),
    .options = OPTIONS, .option_count = COUNT(OPTIONS),
    .examples = EXAMPLES, .example_count = COUNT(EXAMPLES),
    .environment = ENVIRONMENT_ROWS, .environment_count = COUNT(ENVIRONMENT_ROWS),
    .exits = EXITS, .exit_count = COUNT(EXITS),
};

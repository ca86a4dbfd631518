/* command.c -- option look-ups that every command uses. */
#include "taskd/ctl/command.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *command_value(const struct command *c, char *const *values, const char *name)
{
    for (size_t i = 0; c->options[i].name != NULL; i++) {
        if (strcmp(c->options[i].name, name) == 0)
            return values[i];
    }
    assert(!"an option that the command does not have");
    return NULL;
}

bool command_number(const struct command *c, char *const *values, const char *name,
                    int64_t min, int64_t max, int64_t *out)
{
    const char *text = command_value(c, values, name);
    char       *end;
    long long   n;

    assert(text != NULL);
    errno = 0;
    n = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < min || n > max) {
        fprintf(stderr, "taskctl %s: --%s takes a whole number from %lld to %lld, not '%s'\n",
                c->name, name, (long long)min, (long long)max, text);
        return false;
    }
    *out = n;
    return true;
}

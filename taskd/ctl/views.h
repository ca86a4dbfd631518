/* views.h -- how tables show what several commands show: statuses have a colour (SPEC S1). */
#ifndef TASKWIRE_CTL_VIEWS_H
#define TASKWIRE_CTL_VIEWS_H

#include <stdio.h>

#include "taskd/ctl/cli/out.h"

/* The colour of a task's status; NULL where it is none. */
const char *status_colour(const char *text);

/* Green for what is well ("ok", "up", "ready"), red for what is not; NULL for other words. */
const char *state_colour(const char *text);

/* A key that no other request has, of 32 hexadecimal digits. */
#define KEY_SIZE 33
void key_make(char out[KEY_SIZE]);

/* Help about a command, or (NULL) about all of them, as wide as the terminal. */
void help_print(const struct command *c, FILE *to);

/* The arguments or the environment are wrong: tell it, and give EXIT_USAGE. */
int usage(const struct args *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

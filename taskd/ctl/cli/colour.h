/* colour.h -- the few colours that are used: SGR sequences that every terminal knows. */
#ifndef TASKWIRE_CTL_CLI_COLOUR_H
#define TASKWIRE_CTL_CLI_COLOUR_H

#define COLOUR_NONE    "\x1b[0m"
#define COLOUR_BOLD    "\x1b[1m"
#define COLOUR_DIM     "\x1b[2m"
#define COLOUR_RED     "\x1b[31m"
#define COLOUR_GREEN   "\x1b[32m"
#define COLOUR_YELLOW  "\x1b[33m"
#define COLOUR_BLUE    "\x1b[34m"
#define COLOUR_CYAN    "\x1b[36m"
#define COLOUR_STRONG  "\x1b[1;33m"            /* bold yellow: somebody has to act */

#endif

/* views.c -- see views.h. */
#include "taskd/ctl/views.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/crypto.h"
#include "proto/tables.h"
#include "taskd/ctl/cli/colour.h"
#include "taskd/ctl/cli/exit.h"

const char *status_colour(const char *text)
{
    static const char *const COLOURS[STATUS_COUNT] = {
        [STATUS_RECEIVED] = COLOUR_YELLOW,
        [STATUS_ANALYZING] = COLOUR_YELLOW,
        [STATUS_NEEDS_CLARIFICATION] = COLOUR_STRONG,
        [STATUS_DISPATCHED] = COLOUR_GREEN,
        [STATUS_CODING] = COLOUR_CYAN,
        [STATUS_PR_OPEN] = COLOUR_BLUE,
        [STATUS_MERGED] = COLOUR_BLUE,
        [STATUS_FAILED] = COLOUR_RED,
    };
    enum status status;

    return status_parse(slice_of(text), &status) == 0 ? COLOURS[status] : NULL;
}

const char *state_colour(const char *text)
{
    static const struct { const char *word, *colour; } ROWS[] = {
        { "ok", COLOUR_GREEN },       { "up", COLOUR_GREEN },      { "ready", COLOUR_GREEN },
        { "degraded", COLOUR_YELLOW }, { "draining", COLOUR_YELLOW }, { "warning", COLOUR_YELLOW },
        { "down", COLOUR_RED },       { "not ready", COLOUR_RED }, { "fault", COLOUR_RED },
        { "unreachable", COLOUR_RED },
    };

    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        if (strcmp(text, ROWS[i].word) == 0)
            return ROWS[i].colour;
    }
    return NULL;
}

void key_make(char out[KEY_SIZE])
{
    uint8_t    random[(KEY_SIZE - 1) / 2];
    struct buf hex;

    crypto_random(random, sizeof(random));
    buf_init(&hex, KEY_SIZE);
    crypto_append_hex(&hex, random, sizeof(random));
    snprintf(out, KEY_SIZE, "%s", hex.data);
    buf_deinit(&hex);
}

int usage(const struct args *a, const char *format, ...)
{
    char    text[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    say("%s. See '%s help %s'.", text, a->program->name, a->command->name);
    return EXIT_USAGE;
}

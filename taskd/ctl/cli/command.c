/* command.c -- looking things up in the table of commands.
 *
 * A few dozen rows are walked in order: a command line is read once. */
#include "taskd/ctl/cli/command.h"

#include <string.h>

#include "common/slice.h"

#define LIKE_MAX  2                            /* letters that may differ */
#define WORD_MAX  24

/* How many of `words` spell `name`? 0: they do not. */
static size_t spell(const char *name, char *const *words, size_t count)
{
    struct slice rest = slice_of(name);
    size_t       used = 0;

    while (rest.data != NULL) {
        struct slice part = slice_cut(&rest, ' ');

        if (used >= count || !slice_is(part, words[used]))
            return 0;
        used++;
    }
    return used;
}

const struct command *command_find(const struct program *p, char *const *words, size_t count,
                                   size_t *out_used)
{
    const struct command *best = NULL;

    *out_used = 0;
    for (size_t i = 0; i < p->command_count; i++) {
        size_t used = spell(p->commands[i].name, words, count);

        if (used > *out_used) {
            best = &p->commands[i];
            *out_used = used;
        }
    }
    return best;
}

bool command_is_group(const struct program *p, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; i < p->command_count; i++) {
        const char *name = p->commands[i].name;

        if (strncmp(name, word, len) == 0 && name[len] == ' ')
            return true;
    }
    return false;
}

/* Levenshtein's distance, by the usual table of one row. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t len = strlen(b);

    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < change)
                change = row[j] + 1;
            if (row[j - 1] + 1 < change)
                change = row[j - 1] + 1;
            row[j] = change;
        }
    }
    return row[len];
}

const char *command_like(const struct program *p, const char *word)
{
    const char *best = NULL;
    size_t      least = LIKE_MAX + 1;

    if (strlen(word) > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < p->command_count; i++) {
        const struct command *c = &p->commands[i];
        size_t                n;

        if (c->group == NULL || strlen(c->name) > WORD_MAX)
            continue;
        n = distance(word, c->name);
        if (n < least && n < strlen(c->name)) {
            best = c->name;
            least = n;
        }
    }
    return best;
}

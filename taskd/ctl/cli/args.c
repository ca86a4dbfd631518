/* args.c -- see args.h.
 *
 * getopt_long does what people's fingers expect; this file gives it the rows of one command and
 * says in a sentence what was wrong. It runs twice: over what stands before the command's name
 * (options of every command), and over what comes after it. */
#include "taskd/ctl/cli/args.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"

#define ROWS_MAX   64
#define FIRST_LONG 256                         /* above every letter */
#define HELP       (FIRST_LONG + ROWS_MAX)
#define SPAN_MAX_S (366LL * 86400)

struct grammar {                               /* what getopt is given */
    struct option longs[ROWS_MAX + 2];
    char          letters[2 + 3 * ROWS_MAX];
    size_t        rows[ROWS_MAX];              /* of longs[i]: the option's index */
    size_t        count;
};

static void grammar_make(const struct program *p, int command, bool stops_at_word,
                         struct grammar *g)
{
    size_t n = 0;

    *g = (struct grammar){ .count = 0 };
    if (stops_at_word)
        g->letters[n++] = '+';
    g->letters[n++] = ':';
    for (size_t i = 0; i < p->option_count; i++) {
        const struct option_row *o = &p->options[i];

        if (!option_applies(o, command))
            continue;
        assert(g->count < ROWS_MAX);
        g->rows[g->count] = i;
        g->longs[g->count] = (struct option){
            o->name, o->value != NULL ? required_argument : no_argument, NULL,
            FIRST_LONG + (int)g->count };
        g->count++;
        if (o->letter == '\0')
            continue;
        g->letters[n++] = o->letter;
        if (o->value != NULL)
            g->letters[n++] = ':';
    }
    g->longs[g->count] = (struct option){ "help", no_argument, NULL, HELP };
    g->letters[n] = 'h';
}

/* Which row did getopt find? */
static const struct option_row *row_of(const struct program *p, const struct grammar *g, int found)
{
    for (size_t i = 0; i < g->count; i++) {
        const struct option_row *o = &p->options[g->rows[i]];

        if (found == FIRST_LONG + (int)i || (o->letter != '\0' && found == o->letter))
            return o;
    }
    return NULL;
}

/* What getopt refused: a letter stands in optopt; a long option in argv, its number, if it is
 * one of ours, in optopt. */
static void say_unknown(struct buf *why, char **argv, bool lacks_value)
{
    const char *culprit = argv[optind - 1];
    int         len = (int)strcspn(culprit, "=");

    if (optopt == 0)
        buf_printf(why, "there is no option %.*s, or there are several that begin so", len,
                   culprit);
    else if (optopt < FIRST_LONG && lacks_value)
        buf_printf(why, "-%c takes a value", optopt);
    else if (optopt < FIRST_LONG)
        buf_printf(why, "there is no option -%c", optopt);
    else
        buf_printf(why, "%.*s takes %s value", len, culprit, lacks_value ? "a" : "no");
}

/* Read options until getopt stops. */
static int read_options(struct args *a, int command, bool stops_at_word, int argc, char **argv,
                        struct buf *why)
{
    struct grammar g;
    int            found;

    grammar_make(a->program, command, stops_at_word, &g);
    opterr = 0;
    optind = 0;                                /* glibc's way to begin anew */
    while ((found = getopt_long(argc, argv, g.letters, g.longs, NULL)) != -1) {
        const struct option_row *o = row_of(a->program, &g, found);

        if (found == 'h' || found == HELP) {
            a->wants_help = true;
            return 0;
        }
        if (o == NULL) {
            say_unknown(why, argv, found == ':');
            return ERR_INVALID;
        }
        a->values[o - a->program->options] = o->value != NULL ? optarg : "";
    }
    return 0;
}

static int check_words(const struct args *a, struct buf *why)
{
    const struct command *c = a->command;

    if (a->word_count >= (size_t)c->words_min &&
        (c->words_max < 0 || a->word_count <= (size_t)c->words_max))
        return 0;
    if (a->word_count < (size_t)c->words_min)
        buf_printf(why, "something is missing: '%s %s %s'", a->program->name, c->name, c->words);
    else
        buf_printf(why, "what is '%s'? The command is '%s %s%s%s'", a->words[c->words_max],
                   a->program->name, c->name, c->words[0] != '\0' ? " " : "", c->words);
    return ERR_INVALID;
}

static void say_no_command(const struct program *p, const char *word, const char *second,
                           struct buf *why)
{
    const char *like = command_like(p, word);

    if (command_is_group(p, word) && second != NULL)
        buf_printf(why, "there is no command '%s %s'", word, second);
    else if (command_is_group(p, word))
        buf_printf(why, "'%s' is several commands: which?", word);
    else
        buf_printf(why, "there is no command '%s'", word);
    if (like != NULL)
        buf_printf(why, "; did you mean '%s'?", like);
}

int args_read(const struct program *p, int argc, char **argv, struct args *out, struct buf *why)
{
    size_t used;
    int    at;
    int    err;

    *out = (struct args){ .program = p };
    out->values = mem_alloc((p->option_count + 1) * sizeof(*out->values));
    err = read_options(out, COMMAND_ANY, true, argc, argv, why);
    if (err != 0 || out->wants_help || optind >= argc)
        return err;
    at = optind;
    out->command = command_find(p, argv + at, (size_t)(argc - at), &used);
    if (out->command == NULL) {
        const char *second = at + 1 < argc ? argv[at + 1] : NULL;

        if (second != NULL && (strcmp(second, "--help") == 0 || strcmp(second, "-h") == 0) &&
            command_is_group(p, argv[at])) {
            out->wants_help = true;            /* of a group: the overview tells of its members */
            return 0;
        }
        say_no_command(p, argv[at], second, why);
        return ERR_INVALID;
    }
    at += (int)used - 1;                       /* getopt passes over one: the name's last word */
    err = read_options(out, command_index(p, out->command), false, argc - at, argv + at, why);
    if (err != 0 || out->wants_help)
        return err;
    out->words = argv + at + optind;
    out->word_count = (size_t)(argc - at - optind);
    return check_words(out, why);
}

void args_deinit(struct args *a)
{
    free(a->values);
    a->values = NULL;
}

static size_t index_of(const struct args *a, const char *name)
{
    int command = a->command != NULL ? command_index(a->program, a->command) : COMMAND_ANY;

    for (size_t i = 0; i < a->program->option_count; i++) {
        if (strcmp(a->program->options[i].name, name) == 0 &&
            option_applies(&a->program->options[i], command))
            return i;
    }
    assert(!"an option that the command does not have");
    return 0;
}

const char *args_value(const struct args *a, const char *name)
{
    size_t i = index_of(a, name);

    return a->values[i] != NULL ? a->values[i] : a->program->options[i].fallback;
}

bool args_flag(const struct args *a, const char *name)
{
    return args_given(a, name);
}

bool args_given(const struct args *a, const char *name)
{
    return a->values[index_of(a, name)] != NULL;
}

int args_number(const struct args *a, const char *name, int64_t min, int64_t max, int64_t *out,
                struct buf *why)
{
    const char *text = args_value(a, name);
    char       *end;
    long long   n;

    errno = 0;
    n = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < min || n > max) {
        buf_printf(why, "--%s takes a whole number from %lld to %lld, not '%s'", name,
                   (long long)min, (long long)max, text);
        return ERR_INVALID;
    }
    *out = n;
    return 0;
}

int span_read(const char *text, int64_t *out_ms)
{
    static const struct { const char *unit; int64_t ms; } UNITS[] = {
        { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
        { "d", 86400000 },
    };
    char     *end;
    long long n;

    errno = 0;
    n = strtoll(text, &end, 10);
    if (errno != 0 || end == text || n < 0)
        return ERR_INVALID;
    for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
        if (strcmp(end, UNITS[i].unit) == 0 && n <= SPAN_MAX_S * 1000 / UNITS[i].ms) {
            *out_ms = n * UNITS[i].ms;
            return 0;
        }
    }
    return ERR_INVALID;
}

int args_span(const struct args *a, const char *name, int64_t *out_ms, struct buf *why)
{
    if (span_read(args_value(a, name), out_ms) == 0)
        return 0;
    buf_printf(why, "--%s takes a span of time such as 30s, 5m or 2h, not '%s'", name,
               args_value(a, name));
    return ERR_INVALID;
}

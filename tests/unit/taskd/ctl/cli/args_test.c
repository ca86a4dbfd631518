/* args_test.c -- command lines against a small table of commands, and against taskctl's own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "taskd/ctl/cli/args.h"
#include "taskd/ctl/cli/completion.h"
#include "taskd/ctl/cli/help.h"
#include "taskd/ctl/cli/man.h"
#include "taskd/ctl/commands.h"

#define WORDS_MAX 12

static int nothing(const struct args *a)
{
    (void)a;
    return 0;
}

enum { LIST, DEAD_LIST, DEAD_DROP, SECRET };
static const struct command COMMANDS[] = {
    { "list", "", 0, 0, NULL, "group", "list", "", nothing },
    { "dead list", "", 0, 0, NULL, "group", "list the dead", "", nothing },
    { "dead drop", "ID...", 1, 2, NULL, "group", "drop", "", nothing },
    { "secret", "", 0, 0, NULL, NULL, "hidden", "", nothing },
};
static const struct option_row OPTIONS[] = {
    { COMMAND_ANY, 'o', "output", "FORMAT", "table", NULL, "how" },
    { LIST, 'm', "mine", NULL, NULL, NULL, "mine" },
    { LIST, 'L', "limit", "N", "50", NULL, "at most" },
    { LIST, '\0', "wait", "SPAN", NULL, NULL, "how long" },
};
static const struct program PROGRAM = {
    .name = "prog", .summary = "a program", .text = "", .version = "1",
    .commands = COMMANDS, .command_count = 4, .options = OPTIONS, .option_count = 4,
};

struct parsed {
    struct args a;
    struct buf  why;
    char       *argv[WORDS_MAX + 2];
    char        text[512];
    int         err;
};

/* Read a line whose words have single blanks between. */
static void parse(struct parsed *p, const char *line)
{
    int argc = 0;

    *p = (struct parsed){ .err = 0 };
    snprintf(p->text, sizeof(p->text), "prog %s", line);
    for (char *word = p->text; word != NULL && *word != '\0';) {
        char *blank = strchr(word, ' ');

        p->argv[argc++] = word;
        if (blank != NULL)
            *blank++ = '\0';
        word = blank;
    }
    buf_init(&p->why, 4096);
    p->err = args_read(&PROGRAM, argc, p->argv, &p->a, &p->why);
}

static void done(struct parsed *p)
{
    args_deinit(&p->a);
    buf_deinit(&p->why);
}

static void refused(const char *line, const char *sentence)
{
    struct parsed p;

    parse(&p, line);
    assert_int_equal(p.err, ERR_INVALID);
    assert_string_equal(p.why.data, sentence);
    done(&p);
}

static void options_and_words_come_in_any_order(void **state)
{
    static const char *const LINES[] = {
        "-o json dead drop a b", "dead -o json drop a b", "dead drop a -o json b",
        "dead drop a b --output json", "dead drop --output=json a b", "--output json dead drop a b",
        "dead drop -ojson -- a b", "dead drop a b --outp json",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
        struct parsed p;

        parse(&p, LINES[i]);
        if (i == 1) {                          /* an option between the words of a name is none */
            assert_int_equal(p.err, ERR_INVALID);
            done(&p);
            continue;
        }
        assert_int_equal(p.err, 0);
        assert_ptr_equal(p.a.command, &COMMANDS[DEAD_DROP]);
        assert_string_equal(args_value(&p.a, "output"), "json");
        assert_int_equal(p.a.word_count, 2);
        assert_string_equal(p.a.words[0], "a");
        assert_string_equal(p.a.words[1], "b");
        done(&p);
    }
}

static void values_fall_back_and_flags_are_flags(void **state)
{
    struct parsed p;
    int64_t       n;

    (void)state;
    parse(&p, "list -m");
    assert_int_equal(p.err, 0);
    assert_true(args_flag(&p.a, "mine"));
    assert_string_equal(args_value(&p.a, "limit"), "50");
    assert_false(args_given(&p.a, "limit"));
    assert_null(args_value(&p.a, "wait"));
    assert_int_equal(args_number(&p.a, "limit", 1, 100, &n, &p.why), 0);
    assert_int_equal(n, 50);
    done(&p);
    parse(&p, "list -mL 7");
    assert_true(args_flag(&p.a, "mine") && args_given(&p.a, "limit"));
    assert_int_equal(args_number(&p.a, "limit", 1, 100, &n, &p.why), 0);
    assert_int_equal(n, 7);
    done(&p);
}

static void numbers_have_bounds_and_nothing_behind(void **state)
{
    static const char *const BAD[] = { "0", "101", "x", "7x", "", "9999999999999999999", "7.5" };

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct parsed p;
        char          line[64];
        int64_t       n = 42;

        snprintf(line, sizeof(line), "list --limit=%s", BAD[i]);
        parse(&p, line);
        assert_int_equal(args_number(&p.a, "limit", 1, 100, &n, &p.why), ERR_INVALID);
        assert_int_equal(n, 42);
        assert_non_null(strstr(p.why.data, "--limit takes a whole number from 1 to 100"));
        done(&p);
    }
}

static void spans_have_units(void **state)
{
    static const struct { const char *text; int64_t ms; } ROWS[] = {
        { "0", 0 }, { "90", 90000 }, { "90s", 90000 }, { "5m", 300000 }, { "2h", 7200000 },
        { "1d", 86400000 }, { "250ms", 250 }, { "", -1 }, { "s", -1 }, { "5 m", -1 }, { "-5s", -1 },
        { "5w", -1 }, { "99999999999d", -1 }, { "400d", -1 }, { "1h30m", -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        int64_t ms = -1;

        assert_int_equal(span_read(ROWS[i].text, &ms), ROWS[i].ms < 0 ? ERR_INVALID : 0);
        assert_int_equal(ms, ROWS[i].ms);
    }
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    refused("lost", "there is no command 'lost'; did you mean 'list'?");
    refused("nonsense", "there is no command 'nonsense'");
    refused("dead", "'dead' is several commands: which?");
    refused("dead lists", "there is no command 'dead lists'");
    refused("list x", "what is 'x'? The command is 'prog list'");
    refused("dead drop", "something is missing: 'prog dead drop ID...'");
    refused("dead drop a b c", "what is 'c'? The command is 'prog dead drop ID...'");
    refused("list --limit", "--limit takes a value");
    refused("list -L", "-L takes a value");
    refused("list --mine=7", "--mine takes no value");
    refused("list -x", "there is no option -x");
    refused("list --mine -xm", "there is no option -x");
    refused("list --xyz=7", "there is no option --xyz, or there are several that begin so");
    refused("dead list --mine", "there is no option --mine, or there are several that begin so");
    refused("--mine list", "there is no option --mine, or there are several that begin so");
}

static void help_is_asked_for_anywhere(void **state)
{
    static const char *const LINES[] = { "-h", "--help", "list --help", "dead drop -h", "dead --help",
                                         "list -m --help nonsense" };

    (void)state;
    for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
        struct parsed p;

        parse(&p, LINES[i]);
        assert_int_equal(p.err, 0);
        assert_true(p.a.wants_help);
        done(&p);
    }
}

static void nothing_at_all_is_no_command(void **state)
{
    struct parsed p;

    (void)state;
    parse(&p, "");
    assert_int_equal(p.err, 0);
    assert_null(p.a.command);
    assert_false(p.a.wants_help);
    done(&p);
}

/* --- taskctl's own table --- */

static void every_command_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < TASKCTL.command_count; i++) {
        const struct command *c = &TASKCTL.commands[i];
        bool                  has_example = c->group == NULL;

        for (size_t k = 0; k < TASKCTL.example_count; k++)
            has_example |= TASKCTL.examples[k].command == (int)i;
        assert_true(has_example);              /* who reads help wants to see how it is done */
        assert_non_null(c->run);
        assert_true(c->words_max < 0 || c->words_min <= c->words_max);
        assert_int_equal(c->words[0] == '\0', c->words_max == 0);
        assert_true(c->summary[strlen(c->summary) - 1] != '.');
    }
}

static void no_option_is_ambiguous(void **state)
{
    (void)state;
    for (size_t i = 0; i < TASKCTL.option_count; i++) {
        const struct option_row *a = &TASKCTL.options[i];

        assert_true(a->letter != 'h' && strcmp(a->name, "help") != 0);
        for (size_t k = i + 1; k < TASKCTL.option_count; k++) {
            const struct option_row *b = &TASKCTL.options[k];

            if (a->command != b->command && a->command != COMMAND_ANY && b->command != COMMAND_ANY)
                continue;
            assert_true(strcmp(a->name, b->name) != 0);
            assert_true(a->letter == '\0' || a->letter != b->letter);
        }
    }
}

/* Help, completion and man pages name each command and option: they are made from the same rows. */
static void everything_is_told_everywhere(void **state)
{
    static const char *const SHELLS[] = { "bash", "zsh", "fish" };
    struct buf text;

    (void)state;
    buf_init(&text, (size_t)1 << 22);
    for (size_t s = 0; s < 3; s++)
        assert_int_equal(completion_print(&TASKCTL, SHELLS[s], &text), 0);
    assert_int_equal(completion_print(&TASKCTL, "tcsh", &text), ERR_NOT_FOUND);
    for (size_t i = 0; i < TASKCTL.command_count; i++) {
        const struct command *c = &TASKCTL.commands[i];
        struct buf            help, page;

        buf_init(&help, (size_t)1 << 20);
        buf_init(&page, (size_t)1 << 20);
        help_command(&TASKCTL, c, 80, &help);
        man_page(&TASKCTL, c, &page);
        assert_non_null(strstr(text.data, command_last_word(c)));
        for (size_t k = 0; k < TASKCTL.option_count; k++) {
            char name[64];

            snprintf(name, sizeof(name), "--%s", TASKCTL.options[k].name);
            if (!option_applies(&TASKCTL.options[k], (int)i))
                continue;
            assert_non_null(strstr(help.data, name));
            assert_non_null(strstr(text.data, TASKCTL.options[k].name));
        }
        assert_non_null(strstr(page.data, ".SH SYNOPSIS"));
        buf_deinit(&help);
        buf_deinit(&page);
    }
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_words_come_in_any_order),
        cmocka_unit_test(values_fall_back_and_flags_are_flags),
        cmocka_unit_test(numbers_have_bounds_and_nothing_behind),
        cmocka_unit_test(spans_have_units),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(help_is_asked_for_anywhere),
        cmocka_unit_test(nothing_at_all_is_no_command),
        cmocka_unit_test(every_command_is_whole),
        cmocka_unit_test(no_option_is_ambiguous),
        cmocka_unit_test(everything_is_told_everywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

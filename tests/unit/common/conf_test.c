/* conf_test.c -- settings from an environment, right and wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/err.h"

struct settings {
    int64_t port;
    int64_t offset;
    char   *url;
    char   *origin;
    char   *secret;
    bool    dev_login;
};

static const struct conf_row ROWS[] = {
    CONF_NUM("TWT_PORT", "3000", 0, 65535, struct settings, port, "where clients connect"),
    CONF_NUM("TWT_OFFSET", "-5", -10, 10, struct settings, offset, "minutes"),
    CONF_TEXT("TWT_URL", "redis://127.0.0.1:6379", struct settings, url, "the Redis"),
    CONF_TEXT("TWT_ORIGIN", NULL, struct settings, origin, "who may call"),
    CONF_SECRET("TWT_SECRET", struct settings, secret, "what nobody may see"),
    CONF_BOOL("TWT_DEV_LOGIN", "false", struct settings, dev_login, "demo sign-in"),
};

#define COUNT (sizeof(ROWS) / sizeof(ROWS[0]))

struct loaded {
    struct settings settings;
    struct buf      problems;
    int             err;
};

static void clear_environment(void)
{
    static const char *const NAMES[] = {
        "TWT_PORT", "TWT_OFFSET", "TWT_URL", "TWT_ORIGIN", "TWT_SECRET", "TWT_SECRET_FILE",
        "TWT_DEV_LOGIN", "TWT_DEV_LOGN", "TWT_URL_FILE",
    };

    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        unsetenv(NAMES[i]);
}

static void load(struct loaded *l)
{
    memset(&l->settings, 0, sizeof(l->settings));
    buf_init(&l->problems, 10000);
    l->err = conf_load(ROWS, COUNT, &l->settings, &l->problems);
}

static void unload(struct loaded *l)
{
    conf_free(ROWS, COUNT, &l->settings);
    assert_null(l->settings.url);
    assert_null(l->settings.origin);
    assert_null(l->settings.secret);
    buf_deinit(&l->problems);
}

static int set_up(void **state)
{
    (void)state;
    clear_environment();
    return 0;
}

static void defaults_hold_where_nothing_is_set(void **state)
{
    struct loaded l;

    (void)state;
    setenv("TWT_PORT", "", 1);                 /* empty counts as unset */
    load(&l);
    assert_int_equal(l.err, 0);
    assert_int_equal(l.settings.port, 3000);
    assert_int_equal(l.settings.offset, -5);
    assert_string_equal(l.settings.url, "redis://127.0.0.1:6379");
    assert_null(l.settings.origin);
    assert_null(l.settings.secret);
    assert_false(l.settings.dev_login);
    unload(&l);
}

static void the_environment_wins(void **state)
{
    struct loaded l;

    (void)state;
    setenv("TWT_PORT", "65535", 1);
    setenv("TWT_OFFSET", "-10", 1);
    setenv("TWT_URL", "redis://x", 1);
    setenv("TWT_ORIGIN", "https://a", 1);
    setenv("TWT_SECRET", "hush", 1);
    setenv("TWT_DEV_LOGIN", "yes", 1);
    load(&l);
    assert_int_equal(l.err, 0);
    assert_int_equal(l.settings.port, 65535);
    assert_int_equal(l.settings.offset, -10);
    assert_string_equal(l.settings.url, "redis://x");
    assert_string_equal(l.settings.origin, "https://a");
    assert_string_equal(l.settings.secret, "hush");
    assert_true(l.settings.dev_login);
    unload(&l);
}

static void every_spelling_of_a_boolean_is_read(void **state)
{
    static const char *const WORDS[] = { "true", "1", "yes", "on", "false", "0", "no", "off" };

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        struct loaded l;

        setenv("TWT_DEV_LOGIN", WORDS[i], 1);
        load(&l);
        assert_int_equal(l.err, 0);
        assert_int_equal(l.settings.dev_login, i < 4);
        unload(&l);
    }
}

static void numbers_are_read_strictly(void **state)
{
    static const char *const BAD[] = {
        "65536", "-1", "3000 ", " 3000", "+3000", "3e3", "0x10", "3000ms", "x", "-",
        "99999999999999999999",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct loaded l;

        setenv("TWT_PORT", BAD[i], 1);
        load(&l);
        assert_int_equal(l.err, ERR_INVALID);
        assert_non_null(strstr(l.problems.data, "TWT_PORT is \""));
        assert_non_null(strstr(l.problems.data, "from 0 to 65535"));
        unload(&l);
    }
}

static void all_problems_are_told_at_once(void **state)
{
    struct loaded l;
    size_t        lines = 0;

    (void)state;
    setenv("TWT_PORT", "x", 1);
    setenv("TWT_OFFSET", "11", 1);
    setenv("TWT_DEV_LOGIN", "maybe", 1);
    setenv("TWT_SECRET", "hush-hush", 1);
    setenv("TWT_SECRET_FILE", "/dev/null", 1);
    load(&l);
    assert_int_equal(l.err, ERR_INVALID);
    for (const char *c = l.problems.data; *c != '\0'; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 4);
    assert_null(strstr(l.problems.data, "hush-hush"));
    unload(&l);
}

/* Load TWT_SECRET from a file that holds `bytes`. */
static void load_from_file(struct loaded *l, const char *bytes, size_t len)
{
    char path[] = "/tmp/taskwire-conf-XXXXXX";
    int  fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
    setenv("TWT_SECRET_FILE", path, 1);
    load(l);
    unlink(path);
}

static void a_secret_may_come_from_a_file(void **state)
{
    struct loaded l;

    (void)state;
    load_from_file(&l, "hush\n", 5);
    assert_int_equal(l.err, 0);
    assert_string_equal(l.settings.secret, "hush");
    unload(&l);
    load_from_file(&l, "a\nb\n\n", 5);           /* one newline goes, no more */
    assert_string_equal(l.settings.secret, "a\nb\n");
    unload(&l);
}

static void a_bad_secret_file_is_told_without_its_contents(void **state)
{
    static char   big[70000];
    struct loaded l;

    (void)state;
    memset(big, 'q', sizeof(big));
    load_from_file(&l, big, sizeof(big));
    assert_int_equal(l.err, ERR_INVALID);
    assert_null(strstr(l.problems.data, "qqqq"));
    unload(&l);
    load_from_file(&l, "\n", 1);
    assert_int_equal(l.err, ERR_INVALID);
    unload(&l);
    load_from_file(&l, "ab\0cd", 5);
    assert_int_equal(l.err, ERR_INVALID);
    assert_null(strstr(l.problems.data, "ab"));
    unload(&l);
    setenv("TWT_SECRET_FILE", "/nowhere/at/all", 1);
    load(&l);
    assert_int_equal(l.err, ERR_INVALID);
    assert_non_null(strstr(l.problems.data, "No such file"));
    unload(&l);
    setenv("TWT_SECRET_FILE", "/", 1);
    load(&l);
    assert_int_equal(l.err, ERR_INVALID);
    unload(&l);
}

static void misspelt_names_are_warned_about(void **state)
{
    struct buf warnings;

    (void)state;
    buf_init(&warnings, 10000);
    setenv("TWT_PORT", "1", 1);
    setenv("TWT_SECRET_FILE", "x", 1);
    assert_int_equal(conf_unknown(ROWS, COUNT, "TWT_", &warnings), 0);
    setenv("TWT_DEV_LOGN", "1", 1);
    setenv("TWT_URL_FILE", "1", 1);             /* only secrets have files */
    assert_int_equal(conf_unknown(ROWS, COUNT, "TWT_", &warnings), 2);
    assert_non_null(strstr(warnings.data, "TWT_DEV_LOGN is set"));
    buf_deinit(&warnings);
}

static void the_table_is_printed_for_documents(void **state)
{
    char   text[2000] = "";
    FILE  *file = fmemopen(text, sizeof(text), "w");

    (void)state;
    assert_non_null(file);
    conf_print(ROWS, COUNT, file);
    fclose(file);
    assert_non_null(strstr(text, "TWT_PORT\t3000\twhere clients connect\n"));
    assert_non_null(strstr(text, "TWT_SECRET\t\twhat nobody may see\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(defaults_hold_where_nothing_is_set, set_up),
        cmocka_unit_test_setup(the_environment_wins, set_up),
        cmocka_unit_test_setup(every_spelling_of_a_boolean_is_read, set_up),
        cmocka_unit_test_setup(numbers_are_read_strictly, set_up),
        cmocka_unit_test_setup(all_problems_are_told_at_once, set_up),
        cmocka_unit_test_setup(a_secret_may_come_from_a_file, set_up),
        cmocka_unit_test_setup(a_bad_secret_file_is_told_without_its_contents, set_up),
        cmocka_unit_test_setup(misspelt_names_are_warned_about, set_up),
        cmocka_unit_test_setup(the_table_is_printed_for_documents, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

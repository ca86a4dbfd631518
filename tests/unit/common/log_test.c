/* log_test.c -- lines as they arrive on standard error. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/json.h"
#include "common/log.h"

static int  saved_stderr;
static int  captured;
static char text[1 << 20];

/* Standard error goes to a file until captured_text() is called. */
static void capture(void)
{
    char path[] = "/tmp/taskwire-log-XXXXXX";

    captured = mkstemp(path);
    assert_true(captured >= 0);
    unlink(path);
    assert_int_equal(fcntl(captured, F_SETFL, O_APPEND), 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(captured, STDERR_FILENO) >= 0);
}

static const char *captured_text(void)
{
    ssize_t n;

    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    close(saved_stderr);
    n = pread(captured, text, sizeof(text) - 1, 0);
    assert_true(n >= 0);
    close(captured);
    text[n] = '\0';
    return text;
}

static size_t lines_in(const char *s)
{
    size_t count = 0;

    for (; *s != '\0'; s++)
        count += *s == '\n';
    return count;
}

/* What stands after the time. */
static const char *after_time(const char *line)
{
    int64_t ms = 0;

    assert_int_equal(clock_parse(slice_make(line, CLOCK_TEXT_SIZE - 1), &ms), 0);
    assert_in_range(ms, clock_wall_ms() - 60000, clock_wall_ms());
    return line + CLOCK_TEXT_SIZE - 1;
}

static void a_line_is_key_value_after_its_time(void **state)
{
    (void)state;
    log_setup("gateway", LOG_LEVEL_INFO, LOG_FORMAT_KV);
    capture();
    log_info("session-closed", LOG_TEXT("session", "9f2c"), LOG_NUM("sent_bytes", 1824),
             LOG_ERR(ERR_BUSY));
    assert_string_equal(after_time(captured_text()),
                        " level=info service=gateway event=session-closed session=9f2c "
                        "sent_bytes=1824 why=\"a queue is full; try again later\"\n");
}

static void lower_levels_are_silent(void **state)
{
    (void)state;
    log_setup("x", LOG_LEVEL_WARN, LOG_FORMAT_KV);
    capture();
    log_debug("quiet", LOG_NUM("n", 1));
    log_info("quiet", LOG_NUM("n", 1));
    log_warn("loud", LOG_NUM("n", 1));
    log_error("loud", LOG_NUM("n", 1));
    captured_text();
    assert_int_equal(lines_in(text), 2);
    assert_null(strstr(text, "quiet"));
}

static void odd_values_are_quoted_and_escaped(void **state)
{
    static const struct {
        struct slice value;
        const char  *want;
    } CASES[] = {
        { { "plain=1", 7 }, "v=plain=1\n" },
        { { "", 0 }, "v=\"\"\n" },
        { { "a b", 3 }, "v=\"a b\"\n" },
        { { "a\"b\\", 4 }, "v=\"a\\\"b\\\\\"\n" },
        { { "a\nlevel=error", 13 }, "v=\"a\\nlevel=error\"\n" },
        { { "\r\t\0\x1b[31m", 8 }, "v=\"\\r\\t\\x00\\x1b[31m\"\n" },
        { { "h\xc3\xa4", 3 }, "v=\"h\xc3\xa4\"\n" },
        { { "\xff\xc3", 2 }, "v=\"\\xff\\xc3\"\n" },
        { { "\xc2\x9b", 2 }, "v=\"\\xc2\\x9b\"\n" },
        { { "\x7f", 1 }, "v=\"\\x7f\"\n" },
    };

    (void)state;
    log_setup("", LOG_LEVEL_INFO, LOG_FORMAT_KV);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        capture();
        log_info("odd", LOG_SLICE("v", CASES[i].value));
        captured_text();
        assert_string_equal(strstr(text, " v=") + 1, CASES[i].want);
    }
}

static void json_lines_are_json_whatever_the_value(void **state)
{
    static const struct slice VALUES[] = {
        { "plain", 5 }, { "a\"b\\\n", 5 }, { "\xff\xfe\0x", 4 }, { "h\xc3\xa4", 3 }, { NULL, 0 },
    };

    (void)state;
    log_setup("taskd", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    for (size_t i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++) {
        json_t *line;

        capture();
        log_warn("json-odd", LOG_SLICE("v", VALUES[i]), LOG_NUM("n", -5));
        captured_text();
        assert_int_equal(lines_in(text), 1);
        if (i == 2) {                          /* jansson itself refuses U+0000 */
            assert_non_null(strstr(text, "\"v\":\"\\u00ff\\u00fe\\u0000x\",\"n\":-5}\n"));
            continue;
        }
        line = json_parse(slice_of(text), NULL);
        assert_non_null(line);
        assert_string_equal(json_text(line, "level"), "warn");
        assert_string_equal(json_text(line, "service"), "taskd");
        assert_string_equal(json_text(line, "event"), "json-odd");
        assert_int_equal(json_int(line, "n", 0), -5);
        assert_true(slice_eq(slice_of(json_text(line, "v")), VALUES[i]));
        json_decref(line);
    }
}

static void long_values_and_many_fields_are_cut_and_the_line_says_so(void **state)
{
    static char long_text[100000];
    json_t     *line;

    (void)state;
    memset(long_text, '\x01', sizeof(long_text) - 1);
    log_setup("taskd", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    capture();
    log_info("long", LOG_TEXT("a", long_text), LOG_TEXT("b", long_text), LOG_NUM("n", 1));
    captured_text();
    line = json_parse(slice_of(text), NULL);
    assert_non_null(line);
    assert_int_equal(strlen(json_text(line, "a")), 1024);
    assert_null(json_text(line, "b"));
    assert_int_equal(json_int(line, "n", 0), 1);
    assert_int_equal(json_int(line, "cut", 0), 1);
    assert_true(strlen(text) <= 8192);
    json_decref(line);
}

static void repeats_are_cut_off_and_counted(void **state)
{
    (void)state;
    log_setup("x", LOG_LEVEL_INFO, LOG_FORMAT_KV);
    capture();
    for (int i = 0; i < 100; i++)
        log_info("storm", LOG_NUM("i", i));
    log_info("calm", LOG_NUM("i", 0));
    captured_text();
    assert_int_equal(lines_in(text), 21);
    assert_null(strstr(text, "suppressed="));

    usleep(1050 * 1000);                       /* the second that the header promises */
    capture();
    log_info("storm", LOG_NUM("i", 100));
    log_info("storm", LOG_NUM("i", 101));
    captured_text();
    assert_int_equal(lines_in(text), 2);
    assert_non_null(strstr(text, "i=100 suppressed=80\n"));
    assert_non_null(strstr(text, "i=101\n"));
}

static void what_was_cut_off_is_told_though_nothing_follows(void **state)
{
    (void)state;
    log_setup("x", LOG_LEVEL_INFO, LOG_FORMAT_KV);
    capture();
    for (int i = 0; i < 50; i++)
        log_warn("gust", LOG_NUM("i", i));
    log_flush(false);                          /* its second is not over */
    captured_text();
    assert_int_equal(lines_in(text), 20);

    capture();
    log_flush(true);
    log_flush(true);
    captured_text();
    assert_int_equal(lines_in(text), 1);
    assert_non_null(strstr(text, " level=warn service=x event=gust suppressed=30\n"));

    for (int i = 0; i < 3; i++)
        log_warn("gust", LOG_NUM("i", i));
    usleep(1050 * 1000);                       /* the second that the header promises */
    capture();
    log_flush(false);
    captured_text();
    assert_non_null(strstr(text, "event=gust suppressed=3\n"));
}

static void *write_many(void *arg)
{
    static const char *const EVENTS[] = { "thread-a", "thread-b", "thread-c", "thread-d" };

    for (int i = 0; i < 20; i++)
        log_info(EVENTS[*(int *)arg], LOG_TEXT("fill", "0123456789012345678901234567890123456789"));
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    pthread_t threads[4];
    int       ids[4];

    (void)state;
    log_setup("x", LOG_LEVEL_INFO, LOG_FORMAT_KV);
    capture();
    for (int i = 0; i < 4; i++) {
        ids[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &ids[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    captured_text();
    assert_int_equal(lines_in(text), 80);
    for (char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
        assert_int_equal(strchr(line, '\n') - line, strchr(text, '\n') - text);
}

static void levels_and_formats_have_names(void **state)
{
    enum log_level  level = LOG_LEVEL_INFO;
    enum log_format format = LOG_FORMAT_KV;

    (void)state;
    assert_int_equal(log_level_parse("debug", &level), 0);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_equal(log_level_parse("error", &level), 0);
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_int_equal(log_level_parse("loud", &level), ERR_INVALID);
    assert_int_equal(log_level_parse(NULL, &level), ERR_INVALID);
    assert_int_equal(log_format_parse("json", &format), 0);
    assert_int_equal(format, LOG_FORMAT_JSON);
    assert_int_equal(log_format_parse("xml", &format), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_key_value_after_its_time),
        cmocka_unit_test(lower_levels_are_silent),
        cmocka_unit_test(odd_values_are_quoted_and_escaped),
        cmocka_unit_test(json_lines_are_json_whatever_the_value),
        cmocka_unit_test(long_values_and_many_fields_are_cut_and_the_line_says_so),
        cmocka_unit_test(repeats_are_cut_off_and_counted),
        cmocka_unit_test(what_was_cut_off_is_told_though_nothing_follows),
        cmocka_unit_test(lines_of_threads_do_not_mix),
        cmocka_unit_test(levels_and_formats_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

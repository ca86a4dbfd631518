/* metrics_test.c -- what a scraper reads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/metrics.h"

static char *printed(const struct metrics *m)
{
    struct buf b;

    buf_init(&b, 100000);
    metrics_print(m, &b);
    assert_false(buf_failed(&b));
    return buf_take(&b);
}

static void an_empty_registry_prints_its_end(void **state)
{
    struct metrics *m = metrics_new();
    char           *text = printed(m);

    (void)state;
    assert_string_equal(text, "# EOF\n");
    free(text);
    metrics_free(m);
    metrics_free(NULL);
}

static double seven(void *arg)
{
    return *(double *)arg;
}

static void families_stay_together_however_late_a_series_is_made(void **state)
{
    struct metrics *m = metrics_new();
    double          n = 7.5;
    char           *text;

    (void)state;
    metric_inc(metrics_counter(m, "taskwire_sent_total", "kind=\"a\"", "What was \"sent\"\n\\."));
    metric_set(metrics_gauge(m, "taskwire_open", NULL, "Open."), 3);
    metric_add(metrics_counter(m, "taskwire_sent_total", "kind=\"b\"", "ignored"), 2.25);
    metrics_read(m, "taskwire_lag_seconds", NULL, "Lag.", seven, &n);
    metrics_read(m, "taskwire_read_total", "x=\"1\"", "Read.", seven, &n);
    text = printed(m);
    assert_string_equal(text,
                        "# TYPE taskwire_sent counter\n"
                        "# HELP taskwire_sent What was \\\"sent\\\"\\n\\\\.\n"
                        "taskwire_sent_total{kind=\"a\"} 1\n"
                        "taskwire_sent_total{kind=\"b\"} 2.25\n"
                        "# TYPE taskwire_open gauge\n"
                        "# HELP taskwire_open Open.\n"
                        "taskwire_open 3\n"
                        "# TYPE taskwire_lag_seconds gauge\n"
                        "# UNIT taskwire_lag_seconds seconds\n"
                        "# HELP taskwire_lag_seconds Lag.\n"
                        "taskwire_lag_seconds 7.5\n"
                        "# TYPE taskwire_read counter\n"
                        "# HELP taskwire_read Read.\n"
                        "taskwire_read_total{x=\"1\"} 7.5\n"
                        "# EOF\n");
    free(text);
    metrics_free(m);
}

static void the_same_name_and_labels_are_the_same_series(void **state)
{
    struct metrics *m = metrics_new();
    struct metric  *a = metrics_counter(m, "a_total", "x=\"1\"", "A.");

    (void)state;
    assert_ptr_equal(metrics_counter(m, "a_total", "x=\"1\"", "A."), a);
    assert_ptr_not_equal(metrics_counter(m, "a_total", "x=\"2\"", "A."), a);
    assert_ptr_not_equal(metrics_counter(m, "a_total", NULL, "A."), a);
    metrics_free(m);
}

static void a_histogram_counts_cumulatively(void **state)
{
    struct metrics *m = metrics_new();
    struct metric  *h = metrics_histogram(m, "t_seconds", "way=\"in\"", "T.");
    char           *text;

    (void)state;
    metric_observe(h, 0.00005);
    metric_observe(h, 0.0001);                 /* a border belongs to its bucket */
    metric_observe(h, 0.7);
    metric_observe(h, 99);
    assert_true(metric_value(h) == 4);
    text = printed(m);
    assert_non_null(strstr(text, "# TYPE t_seconds histogram\n# UNIT t_seconds seconds\n"
                                 "# HELP t_seconds T.\n"));
    assert_non_null(strstr(text, "t_seconds_bucket{way=\"in\",le=\"0.0001\"} 2\n"));
    assert_non_null(strstr(text, "t_seconds_bucket{way=\"in\",le=\"0.5\"} 2\n"));
    assert_non_null(strstr(text, "t_seconds_bucket{way=\"in\",le=\"1.0\"} 3\n"));
    assert_non_null(strstr(text, "t_seconds_bucket{way=\"in\",le=\"10.0\"} 3\n"));
    assert_non_null(strstr(text, "t_seconds_bucket{way=\"in\",le=\"+Inf\"} 4\n"));
    assert_non_null(strstr(text, "t_seconds_count{way=\"in\"} 4\n"));
    assert_non_null(strstr(text, "t_seconds_sum{way=\"in\"} 99.70015\n"));
    free(text);
    metrics_free(m);
}

static void a_histogram_without_labels_has_only_le(void **state)
{
    struct metrics *m = metrics_new();
    char           *text;

    (void)state;
    metrics_histogram(m, "t_seconds", NULL, "T.");
    text = printed(m);
    assert_non_null(strstr(text, "t_seconds_bucket{le=\"+Inf\"} 0\nt_seconds_count 0\n"));
    free(text);
    metrics_free(m);
}

static void odd_numbers_are_spelt_as_the_format_wants(void **state)
{
    struct metrics *m = metrics_new();
    struct metric  *g = metrics_gauge(m, "g", NULL, "G.");
    static const struct {
        double      value;
        const char *line;
    } CASES[] = {
        { 0.1, "\ng 0.1\n" },           { -5, "\ng -5\n" },
        { INFINITY, "\ng +Inf\n" },     { -INFINITY, "\ng -Inf\n" },
        { NAN, "\ng NaN\n" },           { 1e300, "\ng 1e+300\n" },
        { 1795227360123, "\ng 1795227360123\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char *text;

        metric_set(g, CASES[i].value);
        text = printed(m);
        assert_non_null(strstr(text, CASES[i].line));
        free(text);
    }
    metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_registry_prints_its_end),
        cmocka_unit_test(families_stay_together_however_late_a_series_is_made),
        cmocka_unit_test(the_same_name_and_labels_are_the_same_series),
        cmocka_unit_test(a_histogram_counts_cumulatively),
        cmocka_unit_test(a_histogram_without_labels_has_only_le),
        cmocka_unit_test(odd_numbers_are_spelt_as_the_format_wants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

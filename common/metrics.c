/* metrics.c -- see metrics.h.
 *
 * A family is a name with its help and kind; a series is one set of labels in it. The text
 * format wants a family's lines together, so series hang under families however late they
 * are made. Making is slow (it searches), adding is one addition.
 *
 * OpenMetrics calls a counter's family by its name without `_total` and its sample by the
 * name with it, and wants numbers that are bucket borders to be written as floats ("1.0"),
 * so the borders are kept as text too. */
#include "common/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/list.h"
#include "common/mem.h"

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM };

static const char *const KINDS[] = { "counter", "gauge", "histogram" };

static const struct {
    double      seconds;
    const char *text;
} BORDERS[] = {
    { 0.0001, "0.0001" }, { 0.00025, "0.00025" }, { 0.0005, "0.0005" }, { 0.001, "0.001" },
    { 0.0025, "0.0025" }, { 0.005, "0.005" },     { 0.01, "0.01" },     { 0.025, "0.025" },
    { 0.05, "0.05" },     { 0.1, "0.1" },         { 0.25, "0.25" },     { 0.5, "0.5" },
    { 1, "1.0" },         { 2.5, "2.5" },         { 5, "5.0" },         { 10, "10.0" },
};

#define BORDER_COUNT (sizeof(BORDERS) / sizeof(BORDERS[0]))

struct metric {
    struct list     in_family;
    const char     *labels;                    /* never NULL */
    double          value;                     /* a histogram's sum */
    metric_read_cb *read;                      /* NULL: `value` is the value */
    void           *arg;
    uint64_t       *buckets;                   /* histograms: BORDER_COUNT and one for the rest */
};

struct family {
    struct list in_registry;
    struct list series;
    const char *name;
    const char *help;
    enum kind   kind;
};

struct metrics {
    struct list families;                      /* in the order they were made */
};

struct metrics *metrics_new(void)
{
    struct metrics *m = mem_new(struct metrics);

    list_init(&m->families);
    return m;
}

void metrics_free(struct metrics *m)
{
    struct list *node;

    if (m == NULL)
        return;
    while ((node = list_take_first(&m->families)) != NULL) {
        struct family *f = container_of(node, struct family, in_registry);

        while ((node = list_take_first(&f->series)) != NULL) {
            struct metric *s = container_of(node, struct metric, in_family);

            free(s->buckets);
            free(s);
        }
        free(f);
    }
    free(m);
}

static bool is_total(const char *name)
{
    size_t len = strlen(name);

    return len > 6 && strcmp(name + len - 6, "_total") == 0;
}

static struct family *family_of(struct metrics *m, const char *name, const char *help,
                                enum kind kind)
{
    struct family *f;

    assert((kind == KIND_COUNTER) == is_total(name));
    list_each(node, &m->families) {
        f = container_of(node, struct family, in_registry);
        if (strcmp(f->name, name) == 0) {
            assert(f->kind == kind);
            return f;
        }
    }
    f = mem_new(struct family);
    f->name = name;
    f->help = help;
    f->kind = kind;
    list_init(&f->series);
    list_append(&m->families, &f->in_registry);
    return f;
}

static struct metric *series_of(struct family *f, const char *labels)
{
    struct metric *s;

    if (labels == NULL)
        labels = "";
    list_each(node, &f->series) {
        s = container_of(node, struct metric, in_family);
        if (strcmp(s->labels, labels) == 0)
            return s;
    }
    s = mem_new(struct metric);
    s->labels = labels;
    if (f->kind == KIND_HISTOGRAM)
        s->buckets = mem_alloc((BORDER_COUNT + 1) * sizeof(*s->buckets));
    list_append(&f->series, &s->in_family);
    return s;
}

struct metric *metrics_counter(struct metrics *m, const char *name, const char *labels,
                               const char *help)
{
    return series_of(family_of(m, name, help, KIND_COUNTER), labels);
}

struct metric *metrics_gauge(struct metrics *m, const char *name, const char *labels,
                             const char *help)
{
    return series_of(family_of(m, name, help, KIND_GAUGE), labels);
}

struct metric *metrics_histogram(struct metrics *m, const char *name, const char *labels,
                                 const char *help)
{
    return series_of(family_of(m, name, help, KIND_HISTOGRAM), labels);
}

void metrics_read(struct metrics *m, const char *name, const char *labels, const char *help,
                  metric_read_cb *cb, void *arg)
{
    enum kind      kind = is_total(name) ? KIND_COUNTER : KIND_GAUGE;
    struct metric *s = series_of(family_of(m, name, help, kind), labels);

    s->read = cb;
    s->arg = arg;
}

void metric_add(struct metric *m, double n)
{
    m->value += n;
}

void metric_set(struct metric *m, double value)
{
    m->value = value;
}

void metric_observe(struct metric *m, double seconds)
{
    size_t i = 0;

    assert(m->buckets != NULL);
    while (i < BORDER_COUNT && seconds > BORDERS[i].seconds)
        i++;
    m->buckets[i]++;
    m->value += seconds;
}

static uint64_t observations(const struct metric *m)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= BORDER_COUNT; i++)
        count += m->buckets[i];
    return count;
}

double metric_value(const struct metric *m)
{
    if (m->buckets != NULL)
        return (double)observations(m);
    return m->read != NULL ? m->read(m->arg) : m->value;
}

/* --- text --- */

/* A number as short as it can be and still read back as the same. */
static void append_number(struct buf *out, double n)
{
    char text[40];

    if (isnan(n)) {
        buf_append_text(out, "NaN");
    } else if (isinf(n)) {
        buf_append_text(out, n > 0 ? "+Inf" : "-Inf");
    } else if (n == floor(n) && fabs(n) < 9007199254740992.0) {
        buf_printf(out, "%.0f", n);
    } else {
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(text, sizeof(text), "%.*g", digits, n);
            if (strtod(text, NULL) == n)
                break;
        }
        buf_append_text(out, text);
    }
}

static void append_help(struct buf *out, const char *help)
{
    for (; *help != '\0'; help++) {
        if (*help == '\n')
            buf_append_text(out, "\\n");
        else if (*help == '\\' || *help == '"')
            buf_printf(out, "\\%c", *help);
        else
            buf_append_char(out, *help);
    }
}

/* `name` + `suffix` and its labels, with `le` where it is not NULL. */
static void append_name(struct buf *out, const struct family *f, const char *suffix,
                        const struct metric *m, const char *le)
{
    buf_printf(out, "%s%s", f->name, suffix);
    if (le != NULL)
        buf_printf(out, "{%s%sle=\"%s\"}", m->labels, m->labels[0] != '\0' ? "," : "", le);
    else if (m->labels[0] != '\0')
        buf_printf(out, "{%s}", m->labels);
    buf_append_char(out, ' ');
}

static void append_histogram(struct buf *out, const struct family *f, const struct metric *m)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= BORDER_COUNT; i++) {
        count += m->buckets[i];
        append_name(out, f, "_bucket", m, i < BORDER_COUNT ? BORDERS[i].text : "+Inf");
        buf_append_u64(out, count);
        buf_append_char(out, '\n');
    }
    append_name(out, f, "_count", m, NULL);
    buf_append_u64(out, count);
    buf_append_char(out, '\n');
    append_name(out, f, "_sum", m, NULL);
    append_number(out, m->value);
    buf_append_char(out, '\n');
}

/* A family's unit is the end of its name. */
static void append_unit(struct buf *out, const char *name, int len)
{
    static const char *const UNITS[] = { "seconds", "bytes" };

    for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
        int unit_len = (int)strlen(UNITS[i]);

        if (len > unit_len + 1 && name[len - unit_len - 1] == '_' &&
            memcmp(name + len - unit_len, UNITS[i], (size_t)unit_len) == 0)
            buf_printf(out, "# UNIT %.*s %s\n", len, name, UNITS[i]);
    }
}

static void append_family(struct buf *out, const struct family *f)
{
    int name_len = (int)strlen(f->name) - (f->kind == KIND_COUNTER ? 6 : 0);

    buf_printf(out, "# TYPE %.*s %s\n", name_len, f->name, KINDS[f->kind]);
    append_unit(out, f->name, name_len);
    buf_printf(out, "# HELP %.*s ", name_len, f->name);
    append_help(out, f->help);
    buf_append_char(out, '\n');
    list_each(node, &f->series) {
        const struct metric *m = container_of(node, struct metric, in_family);

        if (f->kind == KIND_HISTOGRAM) {
            append_histogram(out, f, m);
        } else {
            append_name(out, f, "", m, NULL);
            append_number(out, metric_value(m));
            buf_append_char(out, '\n');
        }
    }
}

void metrics_print(const struct metrics *m, struct buf *out)
{
    list_each(node, &m->families)
        append_family(out, container_of(node, struct family, in_registry));
    buf_append_text(out, "# EOF\n");
}

/* table.c -- see table.h.
 *
 * Cells are kept until they are printed, since a column is as wide as its widest cell. What follows
 * the last printed column of a row is nothing: no blanks at the ends of lines, which would make a
 * narrow terminal wrap and a diff noisy. */
#include "taskd/ctl/cli/table.h"

#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"
#include "taskd/ctl/cli/colour.h"
#include "taskd/ctl/cli/text.h"

#define GAP            2                       /* blanks between columns */
#define SHRUNK         8                       /* no column becomes narrower by shrinking */
#define CELL_BYTES_MAX 65536

struct cell {
    const char *text;                          /* ours, but for titles */
    size_t      width;
    const char *colour;
};

struct table {
    const struct table_column *columns;
    size_t                     count;
    struct cell               *cells;
    size_t                     cell_count, cell_cap;
    size_t                     widths[TABLE_COLUMNS_MAX];   /* natural */
    bool                       has_printed;
};

struct table *table_new(const struct table_column *columns, size_t count)
{
    struct table *t = mem_new(struct table);

    assert(count > 0 && count <= TABLE_COLUMNS_MAX);
    t->columns = columns;
    t->count = count;
    return t;
}

static void cells_clear(struct table *t)
{
    for (size_t i = 0; i < t->cell_count; i++)
        free((void *)(uintptr_t)t->cells[i].text);
    t->cell_count = 0;
}

void table_free(struct table *t)
{
    if (t == NULL)
        return;
    cells_clear(t);
    free(t->cells);
    free(t);
}

void table_cell(struct table *t, struct slice text, const char *colour)
{
    struct buf clean;
    size_t     column = t->cell_count % t->count;
    struct cell *c;

    buf_init(&clean, CELL_BYTES_MAX);
    text_clean(text, &clean);
    if (t->cell_count == t->cell_cap) {
        t->cell_cap = t->cell_cap == 0 ? 64 : 2 * t->cell_cap;
        t->cells = mem_resize(t->cells, t->cell_cap * sizeof(*t->cells));
    }
    c = &t->cells[t->cell_count++];
    c->width = text_width(buf_peek(&clean));
    c->text = buf_take(&clean);
    c->colour = colour;
    if (c->width > t->widths[column])
        t->widths[column] = c->width;
}

/* --- widths --- */

static size_t sum(const struct table *t, const size_t *widths)
{
    size_t total = 0;

    for (size_t i = 0; i < t->count; i++) {
        if (widths[i] > 0)
            total += widths[i] + (total > 0 ? GAP : 0);
    }
    return total;
}

/* The widest column that may still shrink; t->count: none. */
static size_t widest(const struct table *t, const size_t *widths)
{
    size_t found = t->count;

    for (size_t i = 0; i < t->count; i++) {
        if ((t->columns[i].flags & COLUMN_SHRINKS) && widths[i] > SHRUNK &&
            (found == t->count || widths[i] > widths[found]))
            found = i;
    }
    return found;
}

/* Natural widths, but for the optional columns from `dropped` on. */
static void begin(const struct table *t, const struct table_style *style, size_t dropped,
                  size_t *widths)
{
    for (size_t i = 0; i < t->count; i++) {
        size_t title = style->has_titles ? text_width(slice_of(t->columns[i].title)) : 0;

        widths[i] = t->widths[i] > title ? t->widths[i] : title;
        if (i >= dropped && (t->columns[i].flags & COLUMN_OPTIONAL))
            widths[i] = 0;
    }
}

static void shrink(const struct table *t, size_t *widths, size_t limit)
{
    for (size_t i; sum(t, widths) > limit && (i = widest(t, widths)) < t->count;)
        widths[i]--;
}

/* Cut what still does not fit, from the right. */
static void cut(const struct table *t, size_t *widths, size_t limit)
{
    for (size_t i = t->count; i-- > 0 && sum(t, widths) > limit;) {
        size_t over = sum(t, widths) - limit;

        widths[i] = widths[i] > over ? widths[i] - over : 0;
    }
}

static void fit(const struct table *t, const struct table_style *style, size_t *widths)
{
    size_t dropped = t->count;

    begin(t, style, dropped, widths);
    if (style->width == 0)
        return;
    shrink(t, widths, style->width);
    while (sum(t, widths) > style->width && dropped > 0) {
        begin(t, style, --dropped, widths);
        shrink(t, widths, style->width);
    }
    cut(t, widths, style->width);
}

/* --- printing --- */

struct line {
    struct buf *out;
    size_t      column;                        /* where the next thing would stand */
    size_t      written;                       /* up to where something stands */
};

static void put_text(struct line *l, struct slice text, const char *colour)
{
    for (; l->written < l->column; l->written++)
        buf_append_char(l->out, ' ');
    if (colour != NULL)
        buf_append_text(l->out, colour);
    buf_append_slice(l->out, text);
    if (colour != NULL)
        buf_append_text(l->out, COLOUR_NONE);
    l->written += text_width(text);
}

static void put_cell(struct line *l, const struct table_column *column, size_t width,
                     const struct cell *c, bool has_colour)
{
    struct buf text;
    size_t     taken;

    buf_init(&text, CELL_BYTES_MAX + 8);
    text_fit(slice_of(c->text), width, &text);
    taken = text_width(buf_peek(&text));
    if (text.len > 0) {
        size_t indent = column->flags & COLUMN_RIGHT ? width - taken : 0;

        l->column += indent;
        put_text(l, buf_peek(&text), has_colour ? c->colour : NULL);
        l->column -= indent;
    }
    buf_deinit(&text);
}

static void print_row(const struct table *t, const struct table_style *style,
                      const size_t *widths, const struct cell *row, struct buf *out)
{
    struct line l = { .out = out };

    for (size_t i = 0; i < t->count; i++) {
        if (widths[i] == 0)
            continue;
        put_cell(&l, &t->columns[i], widths[i], &row[i], style->has_colour);
        l.column += widths[i] + GAP;
    }
    buf_append_char(out, '\n');
}

static void print_titles(const struct table *t, const struct table_style *style,
                         const size_t *widths, struct buf *out)
{
    struct cell row[TABLE_COLUMNS_MAX];

    for (size_t i = 0; i < t->count; i++)
        row[i] = (struct cell){ .text = t->columns[i].title,
                                .colour = COLOUR_BOLD };
    print_row(t, style, widths, row, out);
}

void table_print(struct table *t, const struct table_style *style, struct buf *out)
{
    size_t widths[TABLE_COLUMNS_MAX];

    assert(t->cell_count % t->count == 0);
    if (t->cell_count == 0)
        return;
    fit(t, style, widths);
    if (style->has_titles && !t->has_printed)
        print_titles(t, style, widths, out);
    t->has_printed = true;
    for (size_t i = 0; i < t->cell_count; i += t->count)
        print_row(t, style, widths, &t->cells[i], out);
    cells_clear(t);
}

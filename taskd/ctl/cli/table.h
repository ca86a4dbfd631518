/* table.h -- rows of text in aligned columns that fit the terminal.
 *
 * Cells are cleaned (text.h) as they come in; a cell may have a colour, which is no part of its
 * width. Where all of it is too wide, columns that may shrink do, the widest first; then optional
 * columns go, the rightmost first; then what is left is cut. One thread. */
#ifndef TASKWIRE_CTL_CLI_TABLE_H
#define TASKWIRE_CTL_CLI_TABLE_H

#include <stdbool.h>

#include "common/buf.h"

#define TABLE_COLUMNS_MAX 16

enum {
    COLUMN_RIGHT = 1,                          /* numbers */
    COLUMN_SHRINKS = 2,
    COLUMN_OPTIONAL = 4
};

struct table_column {
    const char *title;
    unsigned    flags;
};

struct table_style {
    size_t width;                              /* of the terminal; 0: as wide as it gets */
    bool   has_titles;
    bool   has_colour;
};

struct table;

/* `columns` must outlive it. */
struct table *table_new(const struct table_column *columns, size_t count);
void          table_free(struct table *t);

/* The next cell, from left to right, row by row. `colour` (NULL: none) is one of COLOUR_…
 * (colour.h) or another literal. */
void table_cell(struct table *t, struct slice text, const char *colour);

/* Append what has come since the last call, the titles before the first row of all; columns do not
 * become narrower than they were. Rows are whole. */
void table_print(struct table *t, const struct table_style *style, struct buf *out);

#endif

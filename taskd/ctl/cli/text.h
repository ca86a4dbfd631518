/* text.h -- text for a terminal: how wide it is, what of it is harmless, where it breaks.
 *
 * Titles and messages come from anybody. On a terminal an escape sequence in them could move the
 * cursor, change the title or answer for the reader; so what is shown is cleaned first. Any
 * thread, one at a time. */
#ifndef TASKWIRE_CTL_CLI_TEXT_H
#define TASKWIRE_CTL_CLI_TEXT_H

#include <stddef.h>

#include "common/buf.h"
#include "common/slice.h"

/* Append `text` as it may be shown in one line: white space of any kind becomes a blank; control
 * characters, those that turn the direction of writing, and bytes that are no UTF-8 become
 * U+FFFD. */
void text_clean(struct slice text, struct buf *out);

/* Columns that a cleaned text takes: East Asian ones count twice, combining ones not at all. */
size_t text_width(struct slice text);

/* The longest beginning of a cleaned text that takes at most `columns`. */
struct slice text_cut(struct slice text, size_t columns);

/* Append a cleaned text that takes at most `columns`: cut short, it ends with "…". */
void text_fit(struct slice text, size_t columns, struct buf *out);

/* Append paragraphs, broken at blanks into lines of at most `columns`, each after `indent` blanks.
 * A line that begins with a blank is left as it is. */
void text_wrap(const char *text, size_t indent, size_t columns, struct buf *out);

#endif

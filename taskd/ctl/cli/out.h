/* out.h -- what a command has to say: the same rows as a table, as JSON or as lines of JSON.
 *
 * Data goes to standard output and nothing else does. A row is a JSON object; a view says which of
 * its members a table shows, and how; `json` and `ndjson` show all of them. Standard output that
 * is closed ends the process as it ends any tool, by SIGPIPE; one that cannot be written to for
 * another reason ends it with a sentence and exit code 1. One thread. */
#ifndef TASKWIRE_CTL_CLI_OUT_H
#define TASKWIRE_CTL_CLI_OUT_H

#include "common/json.h"
#include "taskd/ctl/cli/args.h"
#include "taskd/ctl/cli/table.h"

enum out_format { OUT_TABLE, OUT_JSON, OUT_NDJSON };

struct out {
    enum out_format format;
    bool            has_colour, has_titles;
    size_t          width;                     /* of the terminal; 0: none, or as wide as it gets */
};

enum cell_kind {
    CELL_TEXT,                                 /* text, a number, true or false; "-" for none */
    CELL_AGE,                                  /* an RFC 3339 time, as its age */
    CELL_LIST,                                 /* texts, with a comma between */
    CELL_HASH                                  /* a number, as #7 */
};

struct view_column {
    const char    *title;                      /* "STATUS"; of a single thing "Status" */
    const char    *member;                     /* of the row */
    enum cell_kind kind;
    unsigned       flags;                      /* COLUMN_… */
    const char  *(*colour)(const char *text);  /* NULL: none; NULL from it: none */
};

struct view {
    const struct view_column *columns;
    size_t                    count;
};
#define VIEW(rows) { (rows), sizeof(rows) / sizeof((rows)[0]) }

/* From the options --output, --color and --no-headers, the environment and the terminal. Returns
 * 0, or ERR_INVALID with a sentence. */
int out_init(struct out *o, const struct args *a, struct buf *why);

/* All rows of an array: a table, one JSON array, or a line each. */
void out_rows(const struct out *o, const struct view *v, const json_t *rows);

/* One thing: a line for each member that it has, or the object. */
void out_object(const struct out *o, const struct view *v, const json_t *object);

/* Rows that come one by one: each is shown at once (`json` and `ndjson` are the same then). */
struct out_stream;
struct out_stream *out_stream_new(const struct out *o, const struct view *v);
void               out_stream_rows(struct out_stream *s, const json_t *rows);
void               out_stream_free(struct out_stream *s);

/* Text for people alone; it must be clean. Written as it is. */
void out_text(struct slice text);
void out_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Has all of it been written? To be called at the end. */
void out_flush(void);

/* --- what goes to standard error --- */

/* "taskctl: …" and a line end; what is not clean in it is cleaned. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How far a long work has come: on a terminal, in one line that the next one (or say, or
 * out_…) takes away. NULL: take it away. */
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress_done(void);

/* Columns of the terminal on standard output; 0: it is none. */
size_t out_terminal_width(void);

#endif

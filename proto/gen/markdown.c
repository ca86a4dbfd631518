/* markdown.c -- tables.md: the tables that websocket.md refers to. */
#include <inttypes.h>

#include "proto/gen/gen.h"

static void append_kind(const struct field *f, struct buf *out)
{
    switch (f->type) {
    case TYPE_ID:     buf_append_text(out, "task id (24 hexadecimal digits)"); break;
    case TYPE_TEXT:   buf_printf(out, "text, %" PRId64 " to %" PRId64 " characters", f->from, f->to); break;
    case TYPE_URL:    buf_append_text(out, "link: `https:`, or `http:` to loopback"); break;
    case TYPE_REPO:   buf_append_text(out, "`owner/name`"); break;
    case TYPE_TIME:   buf_append_text(out, "time, RFC 3339"); break;
    case TYPE_BOOL:   buf_append_text(out, "true or false"); break;
    case TYPE_STATUS: buf_append_text(out, "status"); break;
    case TYPE_INPUT:  buf_append_text(out, "input"); break;
    case TYPE_INT:    buf_printf(out, "whole number from %" PRId64, f->from); break;
    case TYPE_OBJECT: buf_append_text(out, "object"); break;
    case TYPE_PART:   buf_printf(out, "`%s`", shape_spec(f->part)->wire); break;
    case TYPE_LIST:   buf_printf(out, "list of `%s`", shape_spec(f->part)->wire); break;
    case TYPE_TEXTS:
        buf_printf(out, "list of %" PRId64 " to %" PRId64 " texts, each 1 to %" PRId64 " characters",
                   f->from, f->to, f->each_to);
        break;
    case TYPE_CHOICE: {
        struct slice rest = slice_of(f->choices);

        for (const char *comma = ""; rest.len != 0; comma = ", ") {
            struct slice each = slice_cut(&rest, '|');

            buf_printf(out, "%s`%.*s`", comma, SLICE_ARG(each));
        }
        break;
    }
    }
}

static void append_fields(enum shape s, struct buf *out)
{
    size_t              count;
    const struct field *fields = shape_fields(s, &count);

    buf_printf(out, "\n### `%s`\n\n%s.\n", shape_spec(s)->wire, shape_spec(s)->text);
    if (count == 0) {
        buf_append_text(out, "\nNo fields: `{}`.\n");
        return;
    }
    buf_append_text(out, "\n| field | | what it holds |\n|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "| `%s` | %s | ", fields[i].name, fields[i].is_required ? "" : "optional");
        append_kind(&fields[i], out);
        buf_append_text(out, " |\n");
    }
}

/* The payload in one line: `{taskId, seq, issueNumber?}`. */
static void append_payload(enum shape s, struct buf *out)
{
    size_t              count;
    const struct field *fields = shape_fields(s, &count);

    buf_append_text(out, "`{");
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%s%s", i == 0 ? "" : ", ", fields[i].name, fields[i].is_required ? "" : "?");
    buf_append_text(out, "}`");
}

static void append_overview(const char *title, enum shape_kind kind, struct buf *out)
{
    buf_printf(out, "\n## %s\n\n| event | payload | |\n|---|---|---|\n", title);
    for (int s = 0; s < SHAPE_COUNT; s++) {
        if (shape_spec(s)->kind != kind)
            continue;
        buf_printf(out, "| `%s` | ", shape_spec(s)->wire);
        append_payload(s, out);
        buf_printf(out, " | %s |\n", shape_spec(s)->text);
    }
}

static void append_details(const char *title, enum shape_kind kind, struct buf *out)
{
    buf_printf(out, "\n## %s\n", title);
    for (int s = 0; s < SHAPE_COUNT; s++) {
        if (shape_spec(s)->kind == kind)
            append_fields(s, out);
    }
}

static void append_statuses(struct buf *out)
{
    buf_append_text(out, "\n## Statuses\n\n| status | a person reads | active |\n|---|---|---|\n");
    for (int s = 0; s < STATUS_COUNT; s++)
        buf_printf(out, "| `%s` | %s | %s |\n", status_wire(s), status_text(s),
                   status_is_active(s) ? "yes" : "no");
}

static void append_from(const struct move *m, struct buf *out)
{
    const char *comma = "";

    if (m->from == (1u << STATUS_COUNT) - 1)
        buf_append_text(out, "any");
    else if (m->from == 0)
        buf_append_text(out, "–");
    else
        for (int s = 0; s < STATUS_COUNT; s++) {
            if ((m->from & 1u << s) == 0)
                continue;
            buf_printf(out, "%s`%s`", comma, status_wire(s));
            comma = ", ";
        }
    if (m->when == MOVE_IF_CLOSED)
        buf_append_text(out, " where its pull request was closed");
}

static void append_moves(struct buf *out)
{
    size_t             count;
    const struct move *moves = move_rows(&count);

    buf_append_text(out, "\n## Moves\n\nWhat is not a row is refused. (*): `task:clarified` goes first "
                         "where a clarification was being re-analysed.\n\n"
                         "| input | from | to | the room hears |\n|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        const struct move *m = &moves[i];

        buf_printf(out, "| `%s`%s | ", input_wire(m->input), input_is_rest_only(m->input) ? " (REST)" : "");
        append_from(m, out);
        buf_printf(out, " | %s | ", m->to == STATUS_COUNT ? "unchanged" : status_wire(m->to));
        if (m->tells == SHAPE_NONE)
            buf_append_text(out, "–");
        else
            buf_printf(out, "`%s`", shape_spec(m->tells)->wire);
        buf_printf(out, "%s |\n", m->round == ROUND_ENDS ? " (*)" : "");
    }
}

static void append_errors(struct buf *out)
{
    buf_append_text(out, "\n## Errors\n\n| code | HTTP | a person reads |\n|---|---|---|\n");
    for (int e = 0; e < ERROR_COUNT; e++)
        buf_printf(out, "| `%s` | %d | %s |\n", error_spec(e)->code, error_spec(e)->http,
                   error_spec(e)->text);
}

void gen_markdown(struct buf *out)
{
    buf_append_text(out, "<!-- " GEN_NOTE " -->\n# Events, moves and errors\n");
    append_overview("From client to server", KIND_UP, out);
    append_overview("From server to client", KIND_DOWN, out);
    append_statuses(out);
    append_moves(out);
    append_errors(out);
    append_details("Fields of what clients send", KIND_UP, out);
    append_details("Fields of acknowledgements, beside `ok`", KIND_ANSWER, out);
    append_details("Fields of what clients hear", KIND_DOWN, out);
    append_details("Parts", KIND_PART, out);
    append_details("Data of inputs", KIND_DATA, out);
}

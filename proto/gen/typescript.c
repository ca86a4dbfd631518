/* typescript.c -- events.ts: what a TypeScript client needs to be checked at compile time.
 *
 * A payload's interface is called after its event (`TaskDispatchedPayload`), the data of an
 * input after the input (`DispatchedData`); the two maps at the end are the type parameters
 * of socket.io-client's Socket. Enumerations are arrays of constants, so that code can walk
 * them as well as name them. */
#include <inttypes.h>

#include "proto/gen/gen.h"

static void type_name(enum shape s, struct buf *out)
{
    const struct shape_spec *spec = shape_spec(s);

    switch (spec->kind) {
    case KIND_PART:
        buf_append_text(out, spec->wire);
        break;
    case KIND_DATA:
        gen_camel(spec->name + sizeof("DATA_") - 1, out);
        buf_append_text(out, "Data");
        break;
    case KIND_ANSWER:
        gen_camel(spec->name, out);
        buf_append_text(out, "Answer");
        break;
    case KIND_UP:
    case KIND_DOWN:
        gen_camel(spec->name, out);
        buf_append_text(out, "Payload");
        break;
    }
}

static void append_choices(const char *choices, struct buf *out)
{
    struct slice rest = slice_of(choices);

    for (const char *bar = ""; rest.len != 0; bar = " | ") {
        struct slice each = slice_cut(&rest, '|');

        buf_printf(out, "%s\"%.*s\"", bar, SLICE_ARG(each));
    }
}

static void append_type(const struct field *f, struct buf *out)
{
    switch (f->type) {
    case TYPE_ID:
    case TYPE_TEXT:
    case TYPE_URL:
    case TYPE_REPO:
    case TYPE_TIME:   buf_append_text(out, "string"); break;
    case TYPE_BOOL:   buf_append_text(out, "boolean"); break;
    case TYPE_STATUS: buf_append_text(out, "Status"); break;
    case TYPE_INPUT:  buf_append_text(out, "Input"); break;
    case TYPE_INT:    buf_append_text(out, "number"); break;
    case TYPE_CHOICE: append_choices(f->choices, out); break;
    case TYPE_TEXTS:  buf_append_text(out, "string[]"); break;
    case TYPE_OBJECT: buf_append_text(out, "Record<string, unknown>"); break;
    case TYPE_PART:   type_name(f->part, out); break;
    case TYPE_LIST:   type_name(f->part, out); buf_append_text(out, "[]"); break;
    }
}

/* Beside each field what its type alone does not say. */
static void append_note(const struct field *f, struct buf *out)
{
    if (f->type == TYPE_TIME)
        buf_append_text(out, " // RFC 3339, UTC");
    else if (f->type == TYPE_TEXT)
        buf_printf(out, " // %" PRId64 " to %" PRId64 " characters", f->from, f->to);
    else if (f->type == TYPE_TEXTS)
        buf_printf(out, " // %" PRId64 " to %" PRId64 ", each to %" PRId64 " characters", f->from,
                   f->to, f->each_to);
    else if (f->type == TYPE_URL)
        buf_append_text(out, " // https, or http to loopback");
    buf_append_char(out, '\n');
}

static void append_interface(enum shape s, struct buf *out)
{
    size_t              count;
    const struct field *fields = shape_fields(s, &count);

    buf_printf(out, "\n/** %s. */\nexport ", shape_spec(s)->text);
    if (count == 0) {
        buf_append_text(out, "type ");
        type_name(s, out);
        buf_append_text(out, " = Record<string, never>;\n");
        return;
    }
    buf_append_text(out, "interface ");
    type_name(s, out);
    buf_append_text(out, " {\n");
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "  %s%s: ", fields[i].name, fields[i].is_required ? "" : "?");
        append_type(&fields[i], out);
        buf_append_char(out, ';');
        append_note(&fields[i], out);
    }
    buf_append_text(out, "}\n");
}

/* --- statuses, inputs, moves, errors --- */

static void append_statuses(struct buf *out)
{
    static const char *const BUCKET_NAMES[BUCKETS_PER_SCOPE] = { "active", "completed", "failed" };

    buf_append_text(out, "export const STATUSES = [");
    for (int s = 0; s < STATUS_COUNT; s++)
        buf_printf(out, "%s\"%s\"", s == 0 ? "" : ", ", status_wire(s));
    buf_append_text(out, "] as const;\nexport type Status = (typeof STATUSES)[number];\n\n"
                         "/** What a person reads. */\n"
                         "export const STATUS_TEXTS: Readonly<Record<Status, string>> = {\n");
    for (int s = 0; s < STATUS_COUNT; s++)
        buf_printf(out, "  %s: \"%s\",\n", status_wire(s), status_text(s));
    buf_append_text(out, "};\n\n/** Which count of a dashboard a task is in. */\n"
                         "export type Bucket = \"active\" | \"completed\" | \"failed\";\n"
                         "export const STATUS_BUCKETS: Readonly<Record<Status, Bucket>> = {\n");
    for (int s = 0; s < STATUS_COUNT; s++)
        buf_printf(out, "  %s: \"%s\",\n", status_wire(s), BUCKET_NAMES[status_bucket(s, false)]);
    buf_append_text(out, "};\n");
}

static void append_inputs(struct buf *out)
{
    buf_append_text(out, "\n/** What may move a task; the `eventType` of its timeline. */\n"
                         "export const INPUTS = [\n");
    for (int i = 0; i < INPUT_COUNT; i++)
        buf_printf(out, "  \"%s\",%s\n", input_wire(i),
                   input_is_rest_only(i) ? " // over REST only" : "");
    buf_append_text(out, "] as const;\nexport type Input = (typeof INPUTS)[number];\n");
}

static void append_move(const struct move *m, struct buf *out)
{
    static const char *const ROUNDS[] = { "same", "begins", "ends" };
    const char              *comma = "";

    buf_printf(out, "  { input: \"%s\", from: [", input_wire(m->input));
    for (int s = 0; s < STATUS_COUNT; s++) {
        if ((m->from & 1u << s) == 0)
            continue;
        buf_printf(out, "%s\"%s\"", comma, status_wire(s));
        comma = ", ";
    }
    buf_append_text(out, "], to: ");
    if (m->to == STATUS_COUNT)
        buf_append_text(out, "null");
    else
        buf_printf(out, "\"%s\"", status_wire(m->to));
    if (m->tells == SHAPE_NONE)
        buf_append_text(out, ", tells: null");
    else
        buf_printf(out, ", tells: \"%s\"", shape_spec(m->tells)->wire);
    buf_printf(out, ", ifClosed: %s, round: \"%s\" },\n",
               m->when == MOVE_IF_CLOSED ? "true" : "false", ROUNDS[m->round]);
}

static void append_moves(struct buf *out)
{
    size_t             count;
    const struct move *moves = move_rows(&count);

    buf_append_text(out,
        "\nexport interface Move {\n"
        "  input: Input;\n"
        "  from: readonly Status[];\n"
        "  to: Status | null; // null: unchanged\n"
        "  tells: keyof ServerToClientEvents | null;\n"
        "  ifClosed: boolean; // only where the task failed because its pull request was closed\n"
        "  round: \"same\" | \"begins\" | \"ends\"; // of clarification: task:clarified where one ends\n"
        "}\n\n/** Every legal move; what is not here is refused. */\n"
        "export const MOVES: readonly Move[] = [\n");
    for (size_t i = 0; i < count; i++)
        append_move(&moves[i], out);
    buf_append_text(out, "];\n");
}

static void append_errors(struct buf *out)
{
    buf_append_text(out, "\n/** Stable codes of errors, with the HTTP status and what a person reads. */\n"
                         "export const ERRORS = {\n");
    for (int e = 0; e < ERROR_COUNT; e++) {
        const struct error_spec *spec = error_spec(e);

        buf_printf(out, "  %s: { status: %d, text: ", spec->code, spec->http);
        buf_append_json(out, slice_of(spec->text));
        buf_append_text(out, " },\n");
    }
    buf_append_text(out, "} as const;\nexport type ErrorCode = keyof typeof ERRORS;\n");
}

/* --- the maps of socket.io-client --- */

static void append_ack(enum shape s, struct buf *out)
{
    enum shape answer;

    buf_append_text(out, ", ack?: (answer: Ack");
    if (shape_parse_event(slice_of(shape_spec(s)->wire), KIND_ANSWER, &answer) == 0) {
        buf_append_char(out, '<');
        type_name(answer, out);
        buf_append_char(out, '>');
    }
    buf_append_text(out, ") => void");
}

static void append_map(const char *name, enum shape_kind way, struct buf *out)
{
    buf_printf(out, "\nexport interface %s {\n", name);
    for (int s = 0; s < SHAPE_COUNT; s++) {
        if (shape_spec(s)->kind != way)
            continue;
        buf_printf(out, "  \"%s\": (payload: ", shape_spec(s)->wire);
        type_name(s, out);
        if (way == KIND_UP)
            append_ack(s, out);
        else
            buf_append_text(out, ", offset?: string");
        buf_append_text(out, ") => void;\n");
    }
    buf_append_text(out, "}\n");
}

void gen_typescript(struct buf *out)
{
    buf_append_text(out, "// " GEN_NOTE "\n\n");
    append_statuses(out);
    append_inputs(out);
    append_moves(out);
    append_errors(out);
    for (int s = 0; s < SHAPE_COUNT; s++)
        append_interface(s, out);
    buf_append_text(out,
        "\n/** What an acknowledgement says. */\n"
        "export type Ack<T = object> =\n"
        "  | ({ ok: true } & T)\n"
        "  | { ok: false; error: { code: ErrorCode; message: string } };\n"
        "\n// socket.io-client: `const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io()`."
        "\n// `offset` is what connection state recovery remembers; listeners need not take it.\n");
    append_map("ServerToClientEvents", KIND_DOWN, out);
    append_map("ClientToServerEvents", KIND_UP, out);
}

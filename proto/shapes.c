/* shapes.c -- see shapes.h.
 *
 * The .def files are read three times. Once for the enum of shapes (in the header), once for
 * one flat array of fields, and once to count where in that array each shape begins: an
 * enumeration that has one constant per field knows, since FIELD rows stand directly below
 * their SHAPE. So a look-up is an index, and a field named twice in a shape does not
 * compile. (A misplaced FIELD row would; the unit test compares each row with its range.) */
#include "proto/shapes.h"

#include <assert.h>

#include "common/err.h"

static const struct shape_spec SHAPES[SHAPE_COUNT] = {
#define SHAPE(name, wire, kind, text) [SHAPE_##name] = { #name, wire, KIND_##kind, text },
#define FIELD(shape, name, need, type)
#include "proto/events.def"
#include "proto/data.def"
#undef SHAPE
#undef FIELD
};

/* FIRST_x is the number of fields before x: the next constant after it would be one more, so
 * BEFORE_x steps back and the first field's constant is FIRST_x again. */
enum field_index {
#define SHAPE(name, wire, kind, text) FIRST_##name, BEFORE_##name = FIRST_##name - 1,
#define FIELD(shape, name, need, type) INDEX_##shape##_##name,
#include "proto/events.def"
#include "proto/data.def"
#undef SHAPE
#undef FIELD
    FIELD_COUNT
};

static const int FIRST[SHAPE_COUNT + 1] = {
#define SHAPE(name, wire, kind, text) [SHAPE_##name] = FIRST_##name,
#define FIELD(shape, name, need, type)
#include "proto/events.def"
#include "proto/data.def"
#undef SHAPE
#undef FIELD
    [SHAPE_COUNT] = FIELD_COUNT,
};

#define NEED_REQUIRED true
#define NEED_OPTIONAL false

#define ID               .type = TYPE_ID
#define TEXT(lo, hi)     .type = TYPE_TEXT, .from = (lo), .to = (hi)
#define URL              .type = TYPE_URL, .from = 1, .to = 4096
#define REPO             .type = TYPE_REPO, .from = 3, .to = 140
#define TIME             .type = TYPE_TIME
#define BOOL             .type = TYPE_BOOL
#define STATUS           .type = TYPE_STATUS
#define INPUT            .type = TYPE_INPUT
#define INT(lo)          .type = TYPE_INT, .from = (lo), .to = INT_MAX_EXACT
#define CHOICE(words)    .type = TYPE_CHOICE, .choices = (words)
#define TEXTS(lo, hi, n) .type = TYPE_TEXTS, .from = (lo), .to = (hi), .each_to = (n)
#define OBJECT           .type = TYPE_OBJECT
#define PART(name)       .type = TYPE_PART, .part = SHAPE_##name
#define LIST(name)       .type = TYPE_LIST, .part = SHAPE_##name

static const struct field FIELDS[] = {
#define SHAPE(name, wire, kind, text)
#define FIELD(in, field, need, ...) \
    { .shape = SHAPE_##in, .name = #field, .is_required = NEED_##need, __VA_ARGS__ },
#include "proto/events.def"
#include "proto/data.def"
#undef SHAPE
#undef FIELD
};
static_assert(sizeof(FIELDS) / sizeof(FIELDS[0]) == FIELD_COUNT, "rows and indexes differ");

static const enum shape DATA[INPUT_COUNT] = {
#undef INPUT
#define INPUT(name, wire, door) [INPUT_##name] = SHAPE_DATA_##name,
#include "proto/inputs.def"
#undef INPUT
};

const struct shape_spec *shape_spec(enum shape s)
{
    assert((unsigned)s < SHAPE_COUNT);
    return &SHAPES[s];
}

const struct field *shape_fields(enum shape s, size_t *count)
{
    assert((unsigned)s < SHAPE_COUNT);
    *count = (size_t)(FIRST[s + 1] - FIRST[s]);
    return &FIELDS[FIRST[s]];
}

int shape_parse_event(struct slice wire, enum shape_kind way, enum shape *out)
{
    for (size_t i = 0; i < SHAPE_COUNT; i++) {
        if (SHAPES[i].kind != way || !slice_is(wire, SHAPES[i].wire))
            continue;
        *out = (enum shape)i;
        return 0;
    }
    return ERR_INVALID;
}

enum shape shape_of_data(enum input i)
{
    assert((unsigned)i < INPUT_COUNT);
    return DATA[i];
}

/* --- moves --- */

#undef STATUS
enum {
    EVERY_STATUS = (1u << STATUS_COUNT) - 1,
    EVERY_ACTIVE_STATUS = 0
#define BUCKET_IS_ACTIVE    1u
#define BUCKET_IS_COMPLETED 0u
#define BUCKET_IS_FAILED    0u
#define STATUS(name, wire, bucket, text) | BUCKET_IS_##bucket << STATUS_##name
#include "proto/statuses.def"
#undef STATUS
};

#define NOWHERE          | 0u
#define AT(name)         | 1u << STATUS_##name
#define ANY              | EVERY_STATUS
#define ACTIVE           | EVERY_ACTIVE_STATUS
#define STATUS_UNCHANGED STATUS_COUNT

static const struct move MOVES[] = {
#define MOVE(input, from, to, tells, when, round)                                 \
    { INPUT_##input, (0u from), STATUS_##to, SHAPE_##tells, MOVE_##when, ROUND_##round },
#include "proto/transitions.def"
#undef MOVE
};
#define MOVE_COUNT (sizeof(MOVES) / sizeof(MOVES[0]))

const struct move *move_find(enum input i, enum status from, bool failed_by_closing)
{
    for (size_t n = 0; n < MOVE_COUNT; n++) {
        const struct move *m = &MOVES[n];

        if (m->input == i && (m->from & 1u << from) != 0 &&
            (m->when == MOVE_ALWAYS || failed_by_closing))
            return m;
    }
    return NULL;
}

bool move_is_final(enum status s, bool failed_by_closing)
{
    return !status_is_active(s) && !(s == STATUS_FAILED && failed_by_closing);
}

const struct move *move_rows(size_t *count)
{
    *count = MOVE_COUNT;
    return MOVES;
}

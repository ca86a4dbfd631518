/* shapes.h -- the registry of JSON objects on the wire, and of the moves of a task, as C sees
 * them: what events.def, data.def and transitions.def say, row by row.
 *
 * Words: a *shape* is a kind of JSON object: the payload of an event, the data of an input,
 * or a part of another; its *fields* stand in the order in which they are written.
 *
 * Pure tables; texts are static. Any thread. */
#ifndef TASKWIRE_PROTO_SHAPES_H
#define TASKWIRE_PROTO_SHAPES_H

#include <stdint.h>

#include "proto/tables.h"

enum shape {
#define SHAPE(name, wire, kind, text) SHAPE_##name,
#define FIELD(shape, name, need, type)
#include "proto/events.def"
#include "proto/data.def"
#undef SHAPE
#undef FIELD
    SHAPE_COUNT,
    SHAPE_NONE = SHAPE_COUNT
};

enum shape_kind { KIND_UP, KIND_DOWN, KIND_PART, KIND_ANSWER, KIND_DATA };

enum field_type {
    TYPE_ID,                                   /* 24 hexadecimal digits */
    TYPE_TEXT,                                 /* from..to: characters */
    TYPE_URL,                                  /* https:, or http: to loopback (url.h) */
    TYPE_REPO,                                 /* owner/name */
    TYPE_TIME,                                 /* RFC 3339 */
    TYPE_BOOL,
    TYPE_STATUS,
    TYPE_INPUT,                                /* the wire name of an input */
    TYPE_INT,                                  /* from..to: its value */
    TYPE_CHOICE,                               /* one of `choices` */
    TYPE_TEXTS,                                /* from..to: items, each of 1..each_to characters */
    TYPE_OBJECT,                               /* any object */
    TYPE_PART,                                 /* an object of shape `part` */
    TYPE_LIST                                  /* an array of those */
};

#define INT_MAX_EXACT ((INT64_C(1) << 53) - 1) /* past it JavaScript loses digits */

struct field {
    enum shape      shape;
    const char     *name;
    bool            is_required;
    enum field_type type;
    int64_t         from, to;
    int64_t         each_to;
    const char     *choices;                   /* "a|b" */
    enum shape      part;
};

struct shape_spec {
    const char     *name;                      /* "TASK_JOIN" */
    const char     *wire;                      /* "task:join"; of DATA the input's, of PART a type's name */
    enum shape_kind kind;
    const char     *text;                      /* what it is for */
};
const struct shape_spec *shape_spec(enum shape s);

/* Its fields, `*count` of them (may be 0). */
const struct field *shape_fields(enum shape s, size_t *count);

/* The event of that wire name and direction; ERR_INVALID where there is none. */
int shape_parse_event(struct slice wire, enum shape_kind way, enum shape *out);

/* What an input's data must be. */
enum shape shape_of_data(enum input i);

/* --- moves --- */

enum move_when { MOVE_ALWAYS, MOVE_IF_CLOSED };
enum move_round { ROUND_SAME, ROUND_BEGINS, ROUND_ENDS };

struct move {
    enum input      input;
    unsigned        from;                      /* a set: bit 1u << status */
    enum status     to;                        /* STATUS_COUNT: unchanged */
    enum shape      tells;                     /* SHAPE_NONE: nothing */
    enum move_when  when;
    enum move_round round;
};

/* The one row that decides, or NULL: the move is not legal. `failed_by_closing`: the task
 * failed because its pull request was closed. */
const struct move *move_find(enum input i, enum status from, bool failed_by_closing);

/* May nothing but a few inputs come in this status any more (SPEC T4)? */
bool move_is_final(enum status s, bool failed_by_closing);

const struct move *move_rows(size_t *count);

#endif

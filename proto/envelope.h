/* envelope.h -- the live envelope and snapshots as internal.md fixes them: reading.
 *
 * Pure; slices returned point into the text that was given. Any thread. */
#ifndef TASKWIRE_PROTO_ENVELOPE_H
#define TASKWIRE_PROTO_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/slice.h"

struct position {
    uint64_t epoch;
    uint64_t number;                           /* 0 and 0: none known */
};

/* Has `at` come to `wanted`? Positions of different epochs have not come to each other. */
static inline bool position_reached(struct position at, struct position wanted)
{
    return at.epoch == wanted.epoch && at.number >= wanted.number;
}

struct routing {
    struct slice task;                         /* 24 hexadecimal digits; empty: none */
    struct slice org;
    int64_t      seq;                          /* 0: none */
    struct slice creator;
    bool         is_private;
};

struct envelope {
    struct position at;
    struct routing  routing;
    struct slice    lines;                     /* all addressed lines */
};

/* Cut the two heads off. Returns 0, or ERR_INVALID where they are not as they must be. */
int envelope_parse(struct slice text, struct envelope *out);

/* The next addressed line of `*rest` (take it from envelope.lines): returns false at the
 * end. Lines that are no `address json` are skipped. */
bool envelope_next(struct slice *rest, struct slice *out_address, struct slice *out_json);

/* What a line to the address `times` says: microseconds of the wall clock; 0: not known. */
struct times {
    uint64_t committed_us, published_us;
};

/* "<committed> <published>", each a number or "-". ERR_INVALID otherwise: then both are 0. */
int times_parse(struct slice text, struct times *out);

/* "<epoch> <number>"; ERR_INVALID otherwise. */
int position_parse(struct slice line, struct position *out);

/* "<epoch>-<number>.<line>", perhaps with ".k": an offset that a client gave back. */
struct offset {
    struct position at;
    uint32_t        line;
    uint32_t        k;                         /* 0: none */
};
#define OFFSET_TEXT_SIZE 64
#define OFFSET_LINE_ALL  999                   /* behind every line of its envelope: a snapshot's */

/* The offset behind all of `at`. */
static inline struct offset offset_behind(struct position at)
{
    return (struct offset){ .at = at, .line = OFFSET_LINE_ALL };
}

int  offset_parse(struct slice text, struct offset *out);
void offset_format(const struct offset *o, char out[OFFSET_TEXT_SIZE]);

#endif

/* frame.h -- one envelope of the live feed, kept and shared, and a bounded run of them.
 *
 * A frame is cut once and then held by whoever may still have to say it: joiners that wait
 * for their snapshot, and snapshots that are kept for the next joiner. Reference-counted; on
 * the loop's thread. */
#ifndef TASKWIRE_GATEWAY_FRAME_H
#define TASKWIRE_GATEWAY_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "common/rcbuf.h"
#include "proto/envelope.h"

struct frame {
    unsigned        refs;
    struct rcbuf   *text;
    struct envelope e;                         /* slices of text */
    bool            has_news;                  /* its rows are new to dashboards (boards_admit) */
};

/* A copy of `text`, cut. NULL where it is no envelope. */
struct frame *frame_new(struct slice text);
struct frame *frame_ref(struct frame *f);
void          frame_unref(struct frame *f);

/* Does a line of it go to this address? */
bool frame_has(const struct frame *f, const char *address);

/* Is a line's event of this name? `json` is a complete array: no parsing, a look at its start. */
bool event_is(struct slice json, const char *name);

/* Frames in the order they came. */
#define FRAMES_MAX       512
#define FRAMES_BYTES_MAX (1u << 20)

struct frames {
    struct frame **at;
    size_t         count, cap, bytes;
};

void frames_init(struct frames *fs);
void frames_clear(struct frames *fs);          /* empty, memory given back */

/* Takes a reference of its own. Returns 0, or ERR_TOO_BIG and nothing was added. */
int frames_add(struct frames *fs, struct frame *f);

#endif

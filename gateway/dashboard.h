/* dashboard.h -- a dashboard's state, put together from what taskd says of an org and of a
 * person, and what of the live feed it covers already (proto/internal.md, "Snapshots").
 *
 * Pure: bytes in, bytes out; slices point into the texts given. Any thread. */
#ifndef TASKWIRE_GATEWAY_DASHBOARD_H
#define TASKWIRE_GATEWAY_DASHBOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "gateway/frame.h"
#include "proto/envelope.h"

/* An org's page, or a person's own part. */
struct dash_part {
    struct position at;
    struct slice    pairs;                     /* "<task>:<seq> <task>:<seq> …" */
    struct slice    people;                    /* "<sub> <sub> …"; of a page */
    struct slice    rows;                      /* {…},{…} */
    struct slice    counts;                    /* "activeCount":3,…,"rev":17 */
    struct slice    next;                      /* "nextCursor":"…", or empty */
    uint64_t        rev;                       /* of the counts */
};

/* Returns 0, or ERR_INVALID where it is not as internal.md says. */
int dash_parse(struct slice text, struct dash_part *out);

/* Has this person private tasks, as the page says? */
bool dash_has_person(const struct dash_part *page, struct slice sub);

/* Append the event: `["dashboard:state",{…}]`. `own` is NULL for who has no private tasks. */
void dash_compose(const struct dash_part *page, const struct dash_part *own, struct buf *out);

/* The next "<task>:<seq>" of `*rest` (take it from dash_part.pairs): false at the end. */
bool dash_next_pair(struct slice *rest, struct slice *out_task, uint64_t *out_seq);

/* Does a state made of this part cover a line (`address` "dash" or "mine") of that envelope
 * already, so that it must not be said after it? */
bool dash_covers(const struct dash_part *part, const struct envelope *e, struct slice json);

#endif

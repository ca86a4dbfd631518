/* check.h -- does a JSON object have the fields that the registry says?
 *
 * Pure; borrows the object. Any thread, one at a time per object. */
#ifndef TASKWIRE_PROTO_CHECK_H
#define TASKWIRE_PROTO_CHECK_H

#include "common/json.h"
#include "proto/shapes.h"

/* Walk the rows of `shape`. Unknown fields are ignored; an optional one may be null.
 * Returns 0, or ERR_INVALID with a sentence for people in `why` (may be NULL): "issueNumber
 * must be a whole number from 1". Never quotes the value. */
int check_fields(enum shape shape, const json_t *object, struct buf *why);

/* What is known of an object that passed: its fields in the order of the rows, without
 * unknown ones and nulls, times in our own spelling. New reference. */
json_t *check_pick(enum shape shape, const json_t *object);

#endif

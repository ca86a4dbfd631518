/* json.h -- small conveniences over jansson, which everyone may include through this header.
 *
 * All getters borrow: what they return lives as long as the object. Any thread, one at a
 * time per object. */
#ifndef TASKWIRE_COMMON_JSON_H
#define TASKWIRE_COMMON_JSON_H

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/slice.h"

/* Parse one JSON text: strict UTF-8, no NUL, no duplicate keys, depth at most 64, nothing after
 * it. A whole number past 64 bits becomes a real, one past all reals is refused.
 * Returns a new reference, or NULL with the reason in `why` (may be NULL),
 * which never quotes the text. */
json_t *json_parse(struct slice text, struct buf *why);

/* Append compact JSON. Returns 0, or ERR_TOO_BIG (nothing is added, the buf has failed). */
int json_append(struct buf *out, const json_t *value);

/* A member's text; NULL where it is missing or no string. */
const char *json_text(const json_t *object, const char *key);

/* A member's integer or boolean; `fallback` where it is missing or of another type. */
int64_t json_int(const json_t *object, const char *key, int64_t fallback);
bool    json_bool(const json_t *object, const char *key, bool fallback);

/* Set a member. NULL text, or text that is no UTF-8, sets nothing. */
void json_put_text(json_t *object, const char *key, const char *text);
void json_put_int(json_t *object, const char *key, int64_t n);
void json_put_bool(json_t *object, const char *key, bool b);
void json_put_time(json_t *object, const char *key, int64_t wall_ms);   /* RFC 3339 */

/* Share member `key` of `from` into `to` (by reference); nothing where it is missing. */
void json_put_same(json_t *to, const json_t *from, const char *key);

#endif

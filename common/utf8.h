/* utf8.h -- is it well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most
 * U+10FFFF)? Pure. Any thread. */
#ifndef TASKWIRE_COMMON_UTF8_H
#define TASKWIRE_COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "common/slice.h"

bool utf8_is_valid(struct slice text);

/* How many code points a well-formed text has. */
size_t utf8_length(struct slice text);

/* The longest beginning of a well-formed text that has at most `max` bytes and ends between
 * two code points. */
struct slice utf8_cut(struct slice text, size_t max);

/* Does a well-formed text hold a control character (U+0000-U+001F, U+007F-U+009F)? */
bool utf8_has_control(struct slice text);

#endif

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

#endif

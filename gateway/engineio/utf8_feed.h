/* utf8_feed.h -- is a text that comes in pieces well-formed UTF-8 so far? Pure.
 *
 * common/utf8.h judges a whole text; a websocket message may come cut at any byte, and RFC 6455
 * §8.1 lets us fail at the first bad one. Any thread, one at a time per feed. */
#ifndef TASKWIRE_ENGINEIO_UTF8_FEED_H
#define TASKWIRE_ENGINEIO_UTF8_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "common/slice.h"

struct utf8_feed {                             /* all zero: the beginning of a text */
    uint8_t need;                              /* continuation bytes still to come */
    uint8_t low, high;                         /* bounds of the next one */
};

/* The next piece; false where the text is malformed whatever follows. */
bool utf8_feed(struct utf8_feed *f, struct slice piece);

/* May the text end here? */
static inline bool utf8_feed_is_whole(const struct utf8_feed *f)
{
    return f->need == 0;
}

#endif

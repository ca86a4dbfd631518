/* utf8_feed.c -- see utf8_feed.h.
 *
 * The state between two pieces is how many continuation bytes are missing and the range of the
 * next one. Only the first continuation byte of a sequence has a range of its own (Unicode,
 * table 3-7): it excludes overlong forms, surrogates, and what lies beyond U+10FFFF. */
#include "gateway/engineio/utf8_feed.h"

#include <string.h>

static bool begin(struct utf8_feed *f, uint8_t lead)
{
    f->low = 0x80;
    f->high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
        f->need = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        f->need = 2;
        f->low = lead == 0xe0 ? 0xa0 : 0x80;
        f->high = lead == 0xed ? 0x9f : 0xbf;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        f->need = 3;
        f->low = lead == 0xf0 ? 0x90 : 0x80;
        f->high = lead == 0xf4 ? 0x8f : 0xbf;
    } else {
        return false;
    }
    return true;
}

/* How many bytes from `at` are ASCII, eight at a time. */
static size_t ascii_run(const char *at, size_t len)
{
    size_t   n = 0;
    uint64_t word;

    while (len - n >= sizeof(word)) {
        memcpy(&word, at + n, sizeof(word));
        if ((word & UINT64_C(0x8080808080808080)) != 0)
            break;
        n += sizeof(word);
    }
    while (n < len && (uint8_t)at[n] < 0x80)
        n++;
    return n;
}

bool utf8_feed(struct utf8_feed *f, struct slice piece)
{
    size_t i = 0;

    while (i < piece.len) {
        uint8_t c = (uint8_t)piece.data[i];

        if (f->need != 0) {
            if (c < f->low || c > f->high)
                return false;
            f->need--;
            f->low = 0x80;
            f->high = 0xbf;
            i++;
        } else if (c < 0x80) {
            i += ascii_run(piece.data + i, piece.len - i);
        } else {
            if (!begin(f, c))
                return false;
            i++;
        }
    }
    return true;
}

/* utf8.c -- see utf8.h.
 *
 * Nearly all text here is ASCII, so eight bytes at a time are looked at first. The rest
 * follows table 3-7 of the Unicode standard: the first byte says how long the sequence is
 * and which second bytes it allows; that alone excludes overlong forms and surrogates. */
#include "common/utf8.h"

#include <stdint.h>

struct lead {
    unsigned char first, last;                 /* of the first byte */
    unsigned char len;
    unsigned char low, high;                   /* of the second byte */
};

static const struct lead LEADS[] = {
    { 0x00, 0x7f, 1, 0x00, 0x00 }, { 0xc2, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf },
    { 0xe1, 0xec, 3, 0x80, 0xbf }, { 0xed, 0xed, 3, 0x80, 0x9f }, { 0xee, 0xef, 3, 0x80, 0xbf },
    { 0xf0, 0xf0, 4, 0x90, 0xbf }, { 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
};

static bool is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* Length of the well-formed sequence at `at`, 0 where there is none. */
static size_t sequence_length(const unsigned char *at, size_t left)
{
    for (size_t i = 0; i < sizeof(LEADS) / sizeof(LEADS[0]); i++) {
        const struct lead *lead = &LEADS[i];

        if (at[0] < lead->first || at[0] > lead->last)
            continue;
        if (left < lead->len)
            return 0;
        if (lead->len > 1 && (at[1] < lead->low || at[1] > lead->high))
            return 0;
        for (size_t k = 2; k < lead->len; k++) {
            if (!is_continuation(at[k]))
                return 0;
        }
        return lead->len;
    }
    return 0;
}

bool utf8_is_valid(struct slice text)
{
    const unsigned char *data = (const unsigned char *)text.data;
    size_t               i = 0, len;
    uint64_t             word;

    while (i < text.len) {
        if (text.len - i >= sizeof(word)) {
            memcpy(&word, data + i, sizeof(word));
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof(word);
                continue;
            }
        }
        len = sequence_length(data + i, text.len - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

size_t utf8_length(struct slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += !is_continuation((unsigned char)text.data[i]);
    return count;
}

struct slice utf8_cut(struct slice text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max > 0 && is_continuation((unsigned char)text.data[max]))
        max--;
    return slice_make(text.data, max);
}

bool utf8_has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < 0x20 || c == 0x7f)
            return true;
        if (c == 0xc2 && i + 1 < text.len && (unsigned char)text.data[i + 1] < 0xa0)
            return true;                       /* U+0080-U+009F */
    }
    return false;
}

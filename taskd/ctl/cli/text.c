/* text.c -- see text.h.
 *
 * Widths are the C library's (wcwidth, in a UTF-8 locale of our own, so that they do not depend on
 * what the terminal's owner has set). A character that is younger than the library counts once, or
 * twice among the pictographs. */
#include "taskd/ctl/cli/text.h"

#include <locale.h>
#include <stdbool.h>
#include <stdint.h>
#include <wchar.h>

#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS    "\xe2\x80\xa6"

/* The code point that `s` begins with, `left` bytes being there, and how many it takes. Bytes
 * that are no UTF-8 come one at a time, as -1. */
static int32_t point_at(const unsigned char *s, size_t left, size_t *out_len)
{
    static const int32_t LEAST[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t  len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3
                : s[0] < 0xf5 ? 4 : 0;
    int32_t point = len < 2 ? s[0] : s[0] & (0xff >> (len + 1));

    *out_len = 1;
    if (len == 0 || len > left)
        return -1;
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return -1;
        point = point << 6 | (s[i] & 0x3f);
    }
    if (point < LEAST[len] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return -1;
    *out_len = len;
    return point;
}

/* Take one code point off the front. */
static int32_t next_point(struct slice *text)
{
    size_t  len;
    int32_t point = point_at((const unsigned char *)text->data, text->len, &len);

    *text = slice_make(text->data + len, text->len - len);
    return point;
}

static bool is_space(int32_t point)
{
    return point == ' ' || (point >= '\t' && point <= '\r') || point == 0x85 || point == 0xa0 ||
           point == 0x2028 || point == 0x2029;
}

/* Controls, and what turns the direction of writing (Unicode's bidirectional marks). */
static bool is_harmful(int32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x61c ||
           (point >= 0x200e && point <= 0x200f) || (point >= 0x202a && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0xfeff ||
           (point >= 0xe0000 && point <= 0xe007f);
}

static int width_of(int32_t point)
{
    static locale_t utf8;
    locale_t        before;
    int             width;

    if (point >= 0x20 && point < 0x7f)
        return 1;
    if (utf8 == (locale_t)0)
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (utf8 == (locale_t)0)
        return 1;
    before = uselocale(utf8);
    width = wcwidth((wchar_t)point);
    (void)uselocale(before);
    return width >= 0 ? width : point >= 0x1f000 && point < 0x20000 ? 2 : 1;
}

void text_clean(struct slice text, struct buf *out)
{
    while (text.len > 0) {
        const char *from = text.data;
        int32_t     point = next_point(&text);

        if (is_space(point))
            buf_append_char(out, ' ');
        else if (point < 0 || is_harmful(point))
            buf_append_text(out, REPLACEMENT);
        else
            buf_append(out, from, (size_t)(text.data - from));
    }
}

size_t text_width(struct slice text)
{
    size_t columns = 0;

    while (text.len > 0) {
        columns += (size_t)width_of(next_point(&text));
    }
    return columns;
}

struct slice text_cut(struct slice text, size_t columns)
{
    struct slice rest = text;
    size_t       taken = 0;
    size_t       used = 0;

    while (rest.len > 0) {
        used += (size_t)width_of(next_point(&rest));
        if (used > columns)
            break;
        taken = text.len - rest.len;
    }
    return slice_make(text.data, taken);
}

void text_fit(struct slice text, size_t columns, struct buf *out)
{
    if (text_width(text) <= columns) {
        buf_append_slice(out, text);
    } else if (columns > 0) {
        buf_append_slice(out, text_cut(text, columns - 1));
        buf_append_text(out, ELLIPSIS);
    }
}

static void put_blanks(size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++)
        buf_append_char(out, ' ');
}

static void wrap_line(struct slice line, size_t indent, size_t columns, struct buf *out)
{
    size_t used = 0;

    put_blanks(line.len > 0 ? indent : 0, out);
    if (slice_starts(line, " ")) {
        buf_append_slice(out, line);
        line.len = 0;
    }
    while (line.len > 0) {
        struct slice word = slice_cut(&line, ' ');
        size_t       width = text_width(word);

        if (used > 0 && indent + used + 1 + width > columns) {
            buf_append_char(out, '\n');
            put_blanks(indent, out);
            used = 0;
        }
        if (used > 0)
            buf_append_char(out, ' ');
        buf_append_slice(out, word);
        used += width + (used > 0 ? 1 : 0);
    }
    buf_append_char(out, '\n');
}

void text_wrap(const char *text, size_t indent, size_t columns, struct buf *out)
{
    struct slice rest = slice_of(text);

    while (rest.len > 0)
        wrap_line(slice_cut(&rest, '\n'), indent, columns, out);
}

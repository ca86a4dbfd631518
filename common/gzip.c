/* gzip.c -- see gzip.h.
 *
 * One shot: what is compressed here is whole and in memory, so zlib is given room for the worst
 * case and called once. A compressor that is kept and reset would save 30 µs of making it, and
 * be a thing with an owner and a thread.
 *
 * Weights are compared as thousandths, as the grammar has three decimals at most. */
#include "common/gzip.h"

#include <zlib.h>

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

#define LEVEL      6                           /* zlib's own balance of time and size */
#define MEM_LEVEL  8
#define WINDOW     (15 + 16)                   /* the largest; with gzip's head and tail */
#define Q_MISSING  (-1)
#define Q_ONE      1000

static struct slice trim(struct slice s)
{
    while (s.len != 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_from(s, 1);
    while (s.len != 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* "0", "1", "0.25", "1.000": thousandths; Q_MISSING where it is none. */
static int parse_weight(struct slice s)
{
    int q, unit = 100;

    if (s.len == 0 || s.len > 5 || (s.data[0] != '0' && s.data[0] != '1') ||
        (s.len > 1 && s.data[1] != '.'))
        return Q_MISSING;
    q = (s.data[0] - '0') * Q_ONE;
    for (size_t i = 2; i < s.len; i++, unit /= 10) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return Q_MISSING;
        q += (s.data[i] - '0') * unit;
    }
    return q <= Q_ONE ? q : Q_MISSING;
}

/* The weight of one element "gzip;q=0.5"; its name is left in `*name`. */
static int weight_of(struct slice element, struct slice *name)
{
    struct slice rest = element;

    *name = trim(slice_cut(&rest, ';'));
    if (rest.data == NULL)
        return Q_ONE;
    rest = trim(rest);
    if (rest.len < 2 || (rest.data[0] != 'q' && rest.data[0] != 'Q') || rest.data[1] != '=')
        return Q_MISSING;
    return parse_weight(slice_from(rest, 2));
}

/* RFC 9110 §8.4.1.3: "x-gzip" is "gzip". */
static bool is_coding(struct slice name, const char *coding)
{
    return slice_is_nocase(name, coding) ||
           (slice_is_nocase(name, "x-gzip") && strcmp(coding, "gzip") == 0);
}

bool coding_is_accepted(struct slice accept_encoding, const char *coding)
{
    int wanted = Q_MISSING, identity = Q_MISSING, any = Q_MISSING;

    while (accept_encoding.len != 0) {
        struct slice name;
        int          q = weight_of(slice_cut(&accept_encoding, ','), &name);

        if (is_coding(name, coding))
            wanted = q;
        else if (slice_is_nocase(name, "identity"))
            identity = q;
        else if (slice_is(name, "*"))
            any = q;
    }
    if (wanted == Q_MISSING)
        wanted = any;
    return wanted > 0 && wanted >= identity;
}

bool gzip_is_accepted(struct slice accept_encoding)
{
    return coding_is_accepted(accept_encoding, "gzip");
}

int gzip_append(struct slice data, struct buf *out)
{
    z_stream z = { 0 };
    uLong    bound;
    char    *to;
    int      rc;

    assert(data.len <= UINT32_MAX / 2);
    /* zlib fails here only for want of memory, which ends the process like any other want. */
    if (deflateInit2(&z, LEVEL, Z_DEFLATED, WINDOW, MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    bound = deflateBound(&z, (uLong)data.len);
    to = buf_reserve(out, bound);
    if (to != NULL) {
        z.next_in = (Bytef *)(uintptr_t)data.data;   /* zlib's type lacks the const it honours */
        z.avail_in = (uInt)data.len;
        z.next_out = (Bytef *)to;
        z.avail_out = (uInt)bound;
        rc = deflate(&z, Z_FINISH);
        assert(rc == Z_STREAM_END);
        (void)rc;
        buf_added(out, bound - z.avail_out);
    }
    deflateEnd(&z);
    return to != NULL ? 0 : ERR_TOO_BIG;
}

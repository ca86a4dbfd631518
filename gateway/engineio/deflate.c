/* deflate.c -- see deflate.h.
 *
 * Output goes straight into the caller's buf in chunks that grow with it, so the ceiling of the
 * buf is the defence against a compressed bomb: one chunk past it and we stop. */
#include "gateway/engineio/deflate.h"

#include <zlib.h>

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"

#define CHUNK_MIN 256
#define CHUNK_MAX 65536
#define LEVEL     6                            /* zlib's own balance of time and size */
#define MEM_LEVEL 8

struct deflater {
    z_stream out;
    z_stream in;
    int      out_bits;                         /* window of `out`; 0: not made yet */
    bool     in_made;
};

struct deflater *deflater_new(void)
{
    return mem_new(struct deflater);
}

void deflater_free(struct deflater *d)
{
    if (d == NULL)
        return;
    if (d->out_bits != 0)
        deflateEnd(&d->out);
    if (d->in_made)
        inflateEnd(&d->in);
    free(d);
}

/* zlib fails here only for want of memory, which ends the process like any other want. */
static void must(int rc)
{
    if (rc != Z_OK)
        abort();
}

static void prepare_out(struct deflater *d, int window_bits)
{
    if (d->out_bits == window_bits) {
        must(deflateReset(&d->out));
        return;
    }
    if (d->out_bits != 0)
        deflateEnd(&d->out);
    d->out = (z_stream){ 0 };
    must(deflateInit2(&d->out, LEVEL, Z_DEFLATED, -window_bits, MEM_LEVEL, Z_DEFAULT_STRATEGY));
    d->out_bits = window_bits;
}

static void prepare_in(struct deflater *d)
{
    if (d->in_made) {
        must(inflateReset(&d->in));
        return;
    }
    d->in = (z_stream){ 0 };
    must(inflateInit2(&d->in, -DEFLATE_WINDOW_MAX));
    d->in_made = true;
}

/* Room for the next chunk of output: as much again as there is, within bounds; less near the
 * ceiling. Returns its size, 0 at the ceiling. */
static size_t make_room(struct buf *out, z_stream *z)
{
    size_t want = out->len < CHUNK_MIN ? CHUNK_MIN : out->len > CHUNK_MAX ? CHUNK_MAX : out->len;
    char  *to;

    if (want > out->max - out->len)
        want = out->max - out->len;
    if (want == 0)
        return 0;
    to = buf_reserve(out, want);
    assert(to != NULL);
    z->next_out = (Bytef *)to;
    z->avail_out = (uInt)want;
    return want;
}

static void set_input(z_stream *z, struct slice data)
{
    assert(data.len <= UINT32_MAX);
    z->next_in = (Bytef *)(uintptr_t)data.data;    /* zlib's type lacks the const it honours */
    z->avail_in = (uInt)data.len;
}

int deflater_compress(struct deflater *d, struct slice data, int window_bits, struct buf *out)
{
    size_t room, start = out->len;
    int    rc;

    assert(window_bits >= DEFLATE_WINDOW_MIN && window_bits <= DEFLATE_WINDOW_MAX);
    prepare_out(d, window_bits);
    set_input(&d->out, data);
    do {
        room = make_room(out, &d->out);
        if (room == 0)
            return ERR_TOO_BIG;
        rc = deflate(&d->out, Z_SYNC_FLUSH);
        assert(rc == Z_OK || rc == Z_BUF_ERROR);
        buf_added(out, room - d->out.avail_out);
    } while (d->out.avail_out == 0);
    assert(out->len - start > 4);              /* even an empty message has a block (§7.2.3.6) */
    out->len -= 4;                             /* the tail that the receiver puts back (§7.2.1) */
    out->data[out->len] = '\0';
    return 0;
}

/* Inflate one piece of input. A final block may come anywhere in a message (RFC 7692
 * §7.2.3.4): what follows it begins afresh. Returns 0 or an error. */
static int inflate_piece(z_stream *z, struct slice piece, struct buf *out)
{
    int rc = Z_OK;

    set_input(z, piece);
    do {
        size_t room = make_room(out, z);
        char   beyond;

        if (room == 0) {                       /* full: is there really a byte more? */
            z->next_out = (Bytef *)&beyond;
            z->avail_out = 1;
        }
        rc = inflate(z, Z_SYNC_FLUSH);
        if (room == 0 && z->avail_out == 0)
            return ERR_TOO_BIG;
        if (room != 0)
            buf_added(out, room - z->avail_out);
        if (rc == Z_STREAM_END)
            must(inflateReset(z));
        else if (rc != Z_OK && rc != Z_BUF_ERROR)
            return ERR_FRAME;
    } while (z->avail_in != 0 || z->avail_out == 0);
    return 0;
}

int deflater_inflate(struct deflater *d, struct slice data, struct buf *out)
{
    int err;

    prepare_in(d);
    err = inflate_piece(&d->in, data, out);
    return err != 0 ? err : inflate_piece(&d->in, slice_make("\x00\x00\xff\xff", 4), out);
}

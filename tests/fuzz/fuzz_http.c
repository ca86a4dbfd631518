/* fuzz_http.c -- any bytes into the HTTP parser, whole and cut in pieces.
 *
 * The first byte says how many of the bytes after it are lengths of pieces; the rest is what
 * a client sent. Both runs must tell the same story: the same heads, the same joined bodies,
 * the same refusal. What comes out of a head must keep the promises that the server relies
 * on: tokens, one Host, no control characters, slices inside the parser's memory (ASan). */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/http.h"
#include "common/http_gate.h"
#include "common/http_parser.h"
#include "common/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD_MAX  1024
#define COUNT_MAX 8

static void check_text(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        assert(c == '\t' || (c >= ' ' && c != 0x7f));
    }
}

static void check_head(const struct http_head *h)
{
    int hosts = 0;

    assert(http_gate_is_token(h->method) && h->target.len != 0 && h->header_count <= COUNT_MAX);
    assert(h->minor == 0 || h->minor == 1);
    check_text(h->target);
    assert(memchr(h->target.data, ' ', h->target.len) == NULL);
    for (size_t i = 0; i < h->header_count; i++) {
        assert(http_gate_is_token(h->headers[i].name));
        check_text(h->headers[i].value);
        hosts += slice_is_nocase(h->headers[i].name, "host");
    }
    assert(hosts == 1 || (hosts == 0 && h->minor == 0));
    assert(h->has_body == (h->content_length != 0));
}

static void tell_head(struct buf *story, const struct http_head *h)
{
    check_head(h);
    buf_printf(story, "\nhead %.*s %.*s %d %d %d %llu", SLICE_ARG(h->method), SLICE_ARG(h->target),
               h->minor, h->keep_alive, h->upgrade, (unsigned long long)h->content_length);
    for (size_t i = 0; i < h->header_count; i++)
        buf_printf(story, " [%.*s=%.*s]", SLICE_ARG(h->headers[i].name),
                   SLICE_ARG(h->headers[i].value));
    buf_append_char(story, '\n');
}

/* Returns false once refused. */
static bool feed(struct http_parser *p, struct slice in, struct buf *story)
{
    struct slice piece;

    for (;;) {
        size_t before = in.len;

        switch (http_parser_feed(p, &in, &piece)) {
        case HTTP_PARSER_MORE:
            assert(in.len == 0);
            return true;
        case HTTP_PARSER_HEAD:
            tell_head(story, http_parser_head(p));
            break;
        case HTTP_PARSER_BODY:
            assert(piece.len != 0 && piece.len <= before - in.len);
            assert(http_parser_head(p)->has_body);
            buf_append_slice(story, piece);
            break;
        case HTTP_PARSER_END:
            assert(!http_parser_has_begun(p));
            buf_append_text(story, "\nend\n");
            http_parser_next(p);
            break;
        case HTTP_PARSER_REFUSED:
            buf_printf(story, "\nrefused %d\n", http_parser_refusal(p));
            assert(http_parser_feed(p, &in, &piece) == HTTP_PARSER_REFUSED);
            return false;
        }
    }
}

static void run(struct slice bytes, const uint8_t *cuts, size_t cut_count, struct buf *story)
{
    static const struct http_parser_limits LIMITS = { HEAD_MAX, COUNT_MAX };
    struct http_parser *p = http_parser_new(HTTP_PARSER_REQUESTS, &LIMITS);
    bool                goes_on = true;

    for (size_t i = 0; goes_on && bytes.len != 0; i++) {
        size_t n = cut_count == 0 || cuts[i % cut_count] == 0 ? bytes.len : cuts[i % cut_count];
        char  *piece;

        n = n < bytes.len ? n : bytes.len;
        piece = mem_dup(bytes.data, n);        /* freed at once: nothing may point into it */
        goes_on = feed(p, slice_make(piece, n), story);
        free(piece);
        bytes = slice_from(bytes, n);
    }
    if (goes_on)
        buf_printf(story, "\nfinish %d\n", (int)http_parser_finish(p));
    http_parser_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t     cut_count = size == 0 ? 0 : data[0] % 8;
    size_t     begin = 1 + cut_count;
    struct buf whole, cut;

    if (size < begin)
        return 0;
    buf_init(&whole, SIZE_MAX / 2);
    buf_init(&cut, SIZE_MAX / 2);
    run(slice_make((const char *)data + begin, size - begin), NULL, 0, &whole);
    run(slice_make((const char *)data + begin, size - begin), data + 1, cut_count, &cut);
    assert(slice_eq(buf_peek(&whole), buf_peek(&cut)));
    buf_deinit(&whole);
    buf_deinit(&cut);
    return 0;
}

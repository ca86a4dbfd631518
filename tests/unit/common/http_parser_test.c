/* http_parser_test.c -- the gate and the parser: what is let through, what is refused, and
 * that neither depends on how the bytes were cut. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "common/buf.h"
#include "common/http.h"
#include "common/http_gate.h"
#include "common/http_parser.h"
#include "common/mem.h"

#define HEAD_MAX  2048
#define COUNT_MAX 16

/* --- a parser's events as text, bodies joined --- */

static void tell_head(struct buf *out, const struct http_head *h, enum http_parser_kind kind)
{
    if (kind == HTTP_PARSER_REQUESTS)
        buf_printf(out, "%.*s %.*s", SLICE_ARG(h->method), SLICE_ARG(h->target));
    else
        buf_printf(out, "%d", h->status);
    buf_printf(out, " 1.%d %s%s", h->minor, h->keep_alive ? "keep" : "close",
               h->upgrade ? " upgrade" : "");
    if (h->content_length == HTTP_LENGTH_UNKNOWN)
        buf_append_text(out, " len=?");
    else
        buf_printf(out, " len=%llu", (unsigned long long)h->content_length);
    for (size_t i = 0; i < h->header_count; i++)
        buf_printf(out, " [%.*s=%.*s]", SLICE_ARG(h->headers[i].name),
                   SLICE_ARG(h->headers[i].value));
    buf_append_char(out, '\n');
}

struct script {
    struct http_parser *parser;
    struct buf          out;
    bool                in_body;
    bool                is_refused;
    enum http_parser_kind kind;
};

static void script_feed(struct script *s, const char *data, size_t len)
{
    struct slice in = { data, len }, piece;

    for (;;) {
        switch (http_parser_feed(s->parser, &in, &piece)) {
        case HTTP_PARSER_MORE:
            assert_int_equal(in.len, 0);
            return;
        case HTTP_PARSER_HEAD:
            tell_head(&s->out, http_parser_head(s->parser), s->kind);
            break;
        case HTTP_PARSER_BODY:
            assert_true(piece.len != 0 && piece.data >= data);
            assert_true(piece.data + piece.len <= data + len);
            buf_append_slice(&s->out, piece);
            s->in_body = true;
            break;
        case HTTP_PARSER_END:
            buf_append_text(&s->out, s->in_body ? "\nend\n" : "end\n");
            s->in_body = false;
            http_parser_next(s->parser);
            break;
        case HTTP_PARSER_REFUSED:
            buf_printf(&s->out, "refused %d\n", http_parser_refusal(s->parser));
            s->is_refused = true;
            return;
        }
    }
}

/* Feed `bytes` cut at `cut` (whole: len; byte by byte: 0); the events as text (to be freed). */
static char *run(enum http_parser_kind kind, struct slice bytes, size_t cut, bool finish)
{
    static const struct http_parser_limits LIMITS = { HEAD_MAX, COUNT_MAX };
    struct script s = { .kind = kind };
    char         *text;

    s.parser = http_parser_new(kind, &LIMITS);
    buf_init(&s.out, 1 << 20);
    if (cut == 0) {
        for (size_t i = 0; i < bytes.len && !s.is_refused; i++) {
            char *one = malloc(1);             /* so that ASan sees a step too far */

            *one = bytes.data[i];
            script_feed(&s, one, 1);
            free(one);
        }
    } else {
        char *a = mem_dup(bytes.data, cut), *b = mem_dup(bytes.data + cut, bytes.len - cut);

        script_feed(&s, a, cut);
        free(a);
        if (!s.is_refused)
            script_feed(&s, b, bytes.len - cut);
        free(b);
    }
    if (finish && !s.is_refused)
        switch (http_parser_finish(s.parser)) {
        case HTTP_PARSER_END:  buf_append_text(&s.out, "\nend at eof\n"); break;
        case HTTP_PARSER_MORE: break;
        default:               buf_append_text(&s.out, "cut short\n"); break;
        }
    http_parser_free(s.parser);
    text = buf_take(&s.out);
    buf_deinit(&s.out);
    return text;
}

static void expect_kind(enum http_parser_kind kind, struct slice bytes, const char *expected,
                        bool finish)
{
    for (size_t cut = 0; cut <= bytes.len; cut++) {
        char *text = run(kind, bytes, cut, finish);

        if (strcmp(text, expected) != 0)
            print_message("cut at %zu of %zu: %.60s\n", cut, bytes.len, bytes.data);
        assert_string_equal(text, expected);
        free(text);
    }
}

#define EXPECT(bytes, text)     expect_kind(HTTP_PARSER_REQUESTS, SLICE(bytes), text, false)
#define EXPECT_ANSWER(b, text)  expect_kind(HTTP_PARSER_RESPONSES, SLICE(b), text, true)

/* --- requests that are fine --- */

static void a_request_is_the_same_however_it_is_cut(void **state)
{
    (void)state;
    EXPECT("GET /a?b=1 HTTP/1.1\r\nHost: x\r\nX-Empty:\r\nX-Spaces: \t v w \t \r\n\r\n",
           "GET /a?b=1 1.1 keep len=0 [Host=x] [X-Empty=] [X-Spaces=v w]\nend\n");
    EXPECT("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
           "POST / 1.1 keep len=5 [Host=x] [Content-Length=5]\nhello\nend\n");
    EXPECT("\r\nGET / HTTP/1.0\r\n\r\n", "GET / 1.0 close len=0\nend\n");
    EXPECT("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
           "GET / 1.0 keep len=0 [Connection=keep-alive]\nend\n");
    EXPECT("OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", "OPTIONS * 1.1 keep len=0 [Host=]\nend\n");
    EXPECT("GET http://x:1/a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
           "GET http://x:1/a 1.1 keep len=0 [Host=[::1]:80]\nend\n");
    EXPECT("M-SEARCH / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
           "M-SEARCH / 1.1 close len=0 [Host=x] [Connection=close]\nend\n");
    EXPECT("GET / HTTP/1.1\r\nHost: x\r\nX: caf\xc3\xa9\r\n\r\n",
           "GET / 1.1 keep len=0 [Host=x] [X=caf\xc3\xa9]\nend\n");
}

static void chunked_bodies_are_joined_and_trailers_forgotten(void **state)
{
    (void)state;
    EXPECT("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
           "5\r\nhello\r\n1;ext=\"a b\"\r\n \r\n0000A\r\n0123456789\r\n0\r\n\r\n"
           "GET /2 HTTP/1.1\r\nHost: y\r\n\r\n",
           "POST / 1.1 keep len=? [Host=x] [Transfer-Encoding=Chunked]\nhello 0123456789\nend\n"
           "GET /2 1.1 keep len=0 [Host=y]\nend\n");
    EXPECT("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: x\r\n\r\n"
           "2\r\nok\r\n0\r\nContent-Length: 7\r\nX-Sum: 1\r\n\r\n"
           "GET /2 HTTP/1.1\r\nHost: y\r\n\r\n",
           "POST / 1.1 keep len=? [Transfer-Encoding=chunked] [Host=x]\nok\nend\n"
           "GET /2 1.1 keep len=0 [Host=y]\nend\n");
    EXPECT("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: x\r\n\r\n0\r\n\r\n",
           "POST / 1.1 keep len=? [Transfer-Encoding=chunked] [Host=x]\nend\n");
}

static void pipelined_requests_come_one_after_the_other(void **state)
{
    (void)state;
    EXPECT("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\n"
           "Content-Length: 2\r\n\r\nokPUT /3 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
           "GET /1 1.1 keep len=0 [Host=x]\nend\n"
           "POST /2 1.1 keep len=2 [Host=x] [Content-Length=2]\nok\nend\n"
           "PUT /3 1.1 keep len=0 [Host=x] [Content-Length=0]\nend\n");
}

static void an_upgrade_that_nobody_takes_is_an_ordinary_request(void **state)
{
    (void)state;
    EXPECT("GET /1 HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n"
           "Upgrade: websocket\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n",
           "GET /1 1.1 keep upgrade len=0 [Host=x] [Connection=keep-alive, Upgrade] "
           "[Upgrade=websocket]\nend\nGET /2 1.1 keep len=0 [Host=x]\nend\n");
    EXPECT("POST /1 HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n"
           "Content-Length: 2\r\n\r\nokGET /2 HTTP/1.1\r\nHost: x\r\n\r\n",
           "POST /1 1.1 keep upgrade len=2 [Host=x] [Connection=upgrade] [Upgrade=h2c] "
           "[Content-Length=2]\nok\nend\nGET /2 1.1 keep len=0 [Host=x]\nend\n");
    EXPECT("CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
           "CONNECT x:443 1.1 close len=0 [Host=x]\nend\n");
}

/* --- hostile requests --- */

#define H "Host: x\r\n"
#define TE "Transfer-Encoding: chunked\r\n"
#define POST "POST / HTTP/1.1\r\n" H
#define CHUNKED POST TE "\r\n"

static const struct hostile {
    const char *name;
    const char *bytes;
    size_t      len;
    bool        in_body;                       /* the head alone is fine */
} HOSTILE[] = {
#define BAD(name, bytes)      { name, bytes, sizeof(bytes) - 1, false }
#define BAD_BODY(name, bytes) { name, bytes, sizeof(bytes) - 1, true }
    BAD("a bare CR in a value",
        "GET / HTTP/1.1\r\n" H "X-Abc:\rxTransfer-Encoding: chunked\r\n\r\n"),
    BAD("a bare CR at a value's end", "GET / HTTP/1.1\r\n" H "A: b\r\r\n\r\n"),
    BAD("a bare LF after a value", "GET / HTTP/1.1\r\n" H "A: b\nC: d\r\n\r\n"),
    BAD("a bare LF after the request line", "GET / HTTP/1.1\n" H "\r\n"),
    BAD("a bare LF for the empty line", "GET / HTTP/1.1\r\n" H "\n"),
    BAD("an end of CR LF CR X", "GET / HTTP/1.1\r\n" H "\rX"),
    BAD("a bare LF before the request", "\nGET / HTTP/1.1\r\n" H "\r\n"),
    BAD("two empty lines before the request", "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"),
    BAD("a folded line", "GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n"),
    BAD("a line folded with a tab", "GET / HTTP/1.1\r\n" H "A: b\r\n\tc\r\n\r\n"),
    BAD("a fold under the request line", "GET / HTTP/1.1\r\n Host: x\r\n\r\n"),
    BAD("TE with CL", POST TE "Content-Length: 5\r\n\r\n0\r\n\r\n"),
    BAD("CL with TE", POST "Content-Length: 5\r\n" TE "\r\n0\r\n\r\n"),
    BAD("two CLs", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    BAD("two CLs of one value", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    BAD("a list of CLs", POST "Content-Length: 5, 5\r\n\r\nhello"),
    BAD("a negative CL", POST "Content-Length: -5\r\n\r\nhello"),
    BAD("a CL with a plus", POST "Content-Length: +5\r\n\r\nhello"),
    BAD("a hexadecimal CL", POST "Content-Length: 0x5\r\n\r\nhello"),
    BAD("an empty CL", POST "Content-Length:\r\n\r\nhello"),
    BAD("a CL with a space in it", POST "Content-Length: 1 2\r\n\r\nhello"),
    BAD("a CL that overflows", POST "Content-Length: 18446744073709551621\r\n\r\nhello"),
    BAD("a TE that is none", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    BAD("a TE with more", POST "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n"),
    BAD("a TE list", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    BAD("chunked not last", POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    BAD("TE identity", POST "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    BAD("an empty TE", POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
    BAD("two TEs", POST TE TE "\r\n0\r\n\r\n"),
    BAD("TE in HTTP/1.0", "POST / HTTP/1.0\r\n" H TE "\r\n0\r\n\r\n"),
    BAD("TE with a space before the colon", POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    BAD("TE with a vertical tab", POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"),
    BAD("two Hosts", "GET / HTTP/1.1\r\n" H "host: y\r\n\r\n"),
    BAD("two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\n" H H "\r\n"),
    BAD("no Host", "GET / HTTP/1.1\r\nA: b\r\n\r\n"),
    BAD("no headers at all", "GET / HTTP/1.1\r\n\r\n"),
    BAD("a Host with a path", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"),
    BAD("a Host with a user", "GET / HTTP/1.1\r\nHost: u@x\r\n\r\n"),
    BAD("a Host with a space", "GET / HTTP/1.1\r\nHost: x y\r\n\r\n"),
    BAD("a NUL in a value", "GET / HTTP/1.1\r\n" H "A: b\0c\r\n\r\n"),
    BAD("a NUL in a name", "GET / HTTP/1.1\r\n" H "A\0: b\r\n\r\n"),
    BAD("a NUL in the target", "GET /\0 HTTP/1.1\r\n" H "\r\n"),
    BAD("a DEL in a value", "GET / HTTP/1.1\r\n" H "A: \x7f\r\n\r\n"),
    BAD("a control character in a value", "GET / HTTP/1.1\r\n" H "Origin: http://a\x01.b\r\n\r\n"),
    BAD("a space in a name", "GET / HTTP/1.1\r\n" H "A b: c\r\n\r\n"),
    BAD("a space before the colon", "GET / HTTP/1.1\r\n" H "A : c\r\n\r\n"),
    BAD("an empty name", "GET / HTTP/1.1\r\n" H ": c\r\n\r\n"),
    BAD("no colon", "GET / HTTP/1.1\r\n" H "Abc\r\n\r\n"),
    BAD("a name beyond ASCII", "GET / HTTP/1.1\r\n" H "\xc3\xa9: c\r\n\r\n"),
    BAD("a name in quotes", "GET / HTTP/1.1\r\n" H "\"A\": c\r\n\r\n"),
    BAD("HTTP/2.0", "GET / HTTP/2.0\r\n" H "\r\n"),
    BAD("HTTP/1.2", "GET / HTTP/1.2\r\n" H "\r\n"),
    BAD("HTTP/0.9", "GET / HTTP/0.9\r\n" H "\r\n"),
    BAD("HTTP/0.9 as it was", "GET /\r\n"),
    BAD("http/1.1", "GET / http/1.1\r\n" H "\r\n"),
    BAD("HTTP/1.10", "GET / HTTP/1.10\r\n" H "\r\n"),
    BAD("HTTP/01.1", "GET / HTTP/01.1\r\n" H "\r\n"),
    BAD("RTSP/1.0", "DESCRIBE / RTSP/1.0\r\n" H "\r\n"),
    BAD("RTSP's version with GET", "OPTIONS * RTSP/1.0\r\n" H "\r\n"),
    BAD("ICE/1.0", "SOURCE / ICE/1.0\r\n" H "\r\n"),
    BAD("a method of RTSP", "DESCRIBE / HTTP/1.1\r\n" H "\r\n"),
    BAD("another method of RTSP", "TEARDOWN / HTTP/1.1\r\n" H "\r\n"),
    BAD("a method of Icecast", "SOURCE / HTTP/1.1\r\n" H "\r\n"),
    BAD("HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    BAD("PRI in HTTP/1.1", "PRI * HTTP/1.1\r\n" H "\r\n"),
    BAD("a method in lower case", "get / HTTP/1.1\r\n" H "\r\n"),
    BAD("a method nobody knows", "GETT / HTTP/1.1\r\n" H "\r\n"),
    BAD("no method", " / HTTP/1.1\r\n" H "\r\n"),
    BAD("two spaces before the target", "GET  / HTTP/1.1\r\n" H "\r\n"),
    BAD("two spaces after the target", "GET /  HTTP/1.1\r\n" H "\r\n"),
    BAD("a tab for a space", "GET\t/ HTTP/1.1\r\n" H "\r\n"),
    BAD("a space in the target", "GET /a b HTTP/1.1\r\n" H "\r\n"),
    BAD("a space after the version", "GET / HTTP/1.1 \r\n" H "\r\n"),
    BAD("a fragment in the target", "GET /a#b HTTP/1.1\r\n" H "\r\n"),
    BAD("a target beyond ASCII", "GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n"),
    BAD("a relative target", "GET a HTTP/1.1\r\n" H "\r\n"),
    BAD("a target of another scheme", "GET file:///etc/passwd HTTP/1.1\r\n" H "\r\n"),
    BAD("a star with GET", "GET * HTTP/1.1\r\n" H "\r\n"),
    BAD("a path with CONNECT", "CONNECT /x HTTP/1.1\r\n" H "\r\n"),
    BAD("TLS", "\x16\x03\x01\x02\x00\x01\x00"),
    BAD("an answer", "HTTP/1.1 200 OK\r\n\r\n"),
    BAD_BODY("a chunk size that overflows", CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    BAD_BODY("a chunk size of Fs", CHUNKED "FFFFFFFFFFFFFFFFF\r\n"),
    BAD_BODY("a chunk size with 0x", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n"),
    BAD_BODY("a chunk size with a sign", CHUNKED "-5\r\nhello\r\n0\r\n\r\n"),
    BAD_BODY("a chunk size with a space", CHUNKED "5 \r\nhello\r\n0\r\n\r\n"),
    BAD_BODY("no chunk size", CHUNKED "\r\nhello\r\n0\r\n\r\n"),
    BAD_BODY("a bare LF after a chunk size", CHUNKED "5\nhello\r\n0\r\n\r\n"),
    BAD_BODY("a bare LF after an extension", CHUNKED "5;a\nhello\r\n0\r\n\r\n"),
    BAD_BODY("a bare CR in an extension", CHUNKED "5;a\rb\r\nhello\r\n0\r\n\r\n"),
    BAD_BODY("a bare LF after a chunk", CHUNKED "5\r\nhello\n0\r\n\r\n"),
    BAD_BODY("a chunk that is longer than it says", CHUNKED "4\r\nhello\r\n0\r\n\r\n"),
    BAD_BODY("a bare LF after the last chunk", CHUNKED "0\n\r\n"),
    BAD_BODY("a bare LF for the end", CHUNKED "0\r\n\n"),
    BAD_BODY("a bare LF in a trailer", CHUNKED "0\r\nA: b\n\r\n"),
    BAD_BODY("a folded trailer", CHUNKED "0\r\nA: b\r\n c\r\n\r\n"),
    BAD_BODY("a trailer without a name", CHUNKED "0\r\n: b\r\n\r\n"),
    BAD_BODY("a trailer without a colon", CHUNKED "0\r\nGET / HTTP/1.1\r\n\r\n"),
};

static void hostile_requests_are_refused_wherever_they_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(HOSTILE) / sizeof(HOSTILE[0]); i++) {
        const struct hostile *h = &HOSTILE[i];

        for (size_t cut = 0; cut <= h->len; cut++) {
            char *text = run(HTTP_PARSER_REQUESTS, slice_make(h->bytes, h->len), cut, false);
            char *refused = strstr(text, "refused 400\n");

            if (refused == NULL || (refused != text) != h->in_body || strstr(text, "end\n") != NULL)
                fail_msg("%s, cut at %zu: %s", h->name, cut, text);
            free(text);
        }
    }
}

/* --- limits --- */

static char *many(const char *before, const char *each, size_t times, const char *after)
{
    struct buf b;

    buf_init(&b, 1 << 22);
    buf_append_text(&b, before);
    for (size_t i = 0; i < times; i++)
        buf_append_text(&b, each);
    buf_append_text(&b, after);
    return buf_take(&b);
}

static void expect_last(char *bytes, const char *last)
{
    size_t cuts[] = { 0, 1, strlen(bytes) / 2, strlen(bytes) };

    for (size_t i = 0; i < 4; i++) {
        char *text = run(HTTP_PARSER_REQUESTS, slice_of(bytes), cuts[i], false);

        assert_true(strlen(text) >= strlen(last));
        assert_string_equal(text + strlen(text) - strlen(last), last);
        free(text);
    }
    free(bytes);
}

static void heads_have_limits(void **state)
{
    const char *line = "GET / HTTP/1.1\r\nHost: x\r\nA: ";
    size_t      room = HEAD_MAX - strlen(line) - 4;

    (void)state;
    expect_last(many(line, "a", room, "\r\n\r\n"), "end\n");
    expect_last(many(line, "a", room + 1, "\r\n\r\n"), "refused 431\n");
    expect_last(many("GET /", "a", HEAD_MAX, " HTTP/1.1\r\n" H "\r\n"), "refused 431\n");
    expect_last(many("GET / HTTP/1.1\r\n" H, "A: b\r\n", COUNT_MAX - 1, "\r\n"), "end\n");
    expect_last(many("GET / HTTP/1.1\r\n" H, "A: b\r\n", COUNT_MAX, "\r\n"), "refused 431\n");
}

static void what_surrounds_chunks_has_limits(void **state)
{
    (void)state;
    expect_last(many(CHUNKED, "1\r\nx\r\n", 4000, "0\r\n\r\n"), "end\n");
    expect_last(many(CHUNKED "1;", "a", 100000, "\r\nx\r\n0\r\n\r\n"), "refused 400\n");
    expect_last(many(CHUNKED "0", "0", 100000, "\r\n\r\n"), "refused 400\n");
    expect_last(many(CHUNKED "0\r\nA: ", "a", 100000, "\r\n\r\n"), "refused 431\n");
    expect_last(many(CHUNKED "0\r\n", "A: b\r\n", 100, "\r\n"), "refused 431\n");
}

/* --- answers --- */

static void answers_are_read_by_the_same_rules(void **state)
{
    (void)state;
    EXPECT_ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 204 No Content\r\n\r\n",
                  "200 1.1 keep len=2 [Content-Length=2]\nok\nend\n204 1.1 keep len=0\nend\n");
    EXPECT_ANSWER("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
                  "200 1.1 keep len=0 [Content-Length=0]\nend\n");
    EXPECT_ANSWER("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
                  "304 1.1 keep len=0 [Content-Length=7]\nend\n");
    EXPECT_ANSWER("HTTP/1.1 100 Continue\r\n\r\n"
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "2\r\nok\r\n0\r\n\r\n",
                  "100 1.1 keep len=0\nend\n"
                  "200 1.1 keep len=? [Transfer-Encoding=chunked]\nok\nend\n");
    EXPECT_ANSWER("HTTP/1.0 200 OK\r\n\r\nuntil the end",
                  "200 1.0 close len=?\nuntil the end\nend at eof\n");
    EXPECT_ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
                  "200 1.1 keep len=5 [Content-Length=5]\nhelcut short\n");
    EXPECT_ANSWER("HTTP/1.1 200 O", "cut short\n");
    EXPECT_ANSWER("HTTP/1.1 20 OK\r\n\r\n", "refused 400\n");
    EXPECT_ANSWER("HTTP/1.1 600 OK\r\n\r\n", "refused 400\n");
    EXPECT_ANSWER("HTTP/2 200\r\n\r\n", "refused 400\n");
    EXPECT_ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" TE "\r\n", "refused 400\n");
    EXPECT_ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
                  "refused 400\n");
}

static void an_answer_to_head_has_no_body(void **state)
{
    static const struct http_parser_limits LIMITS = { HEAD_MAX, COUNT_MAX };
    struct http_parser *p = http_parser_new(HTTP_PARSER_RESPONSES, &LIMITS);
    struct slice in = SLICE("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 404 No\r\n"
                            "Content-Length: 2\r\n\r\nno"), piece;

    (void)state;
    assert_false(http_parser_has_begun(p));
    http_parser_expect_no_body(p);
    assert_int_equal(http_parser_feed(p, &in, &piece), HTTP_PARSER_HEAD);
    assert_true(http_parser_has_begun(p));
    assert_int_equal(http_parser_feed(p, &in, &piece), HTTP_PARSER_END);
    assert_int_equal(http_parser_feed(p, &in, &piece), HTTP_PARSER_END);
    http_parser_next(p);
    assert_int_equal(http_parser_feed(p, &in, &piece), HTTP_PARSER_HEAD);
    assert_int_equal(http_parser_feed(p, &in, &piece), HTTP_PARSER_BODY);
    assert_true(slice_is(piece, "no"));
    assert_int_equal(http_parser_feed(p, &in, &piece), HTTP_PARSER_END);
    http_parser_free(p);
}

/* --- the gate's table --- */

static void tokens_are_what_the_grammar_says(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char one = (char)c;
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool token = alnum || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);

        assert_int_equal(http_gate_is_token(slice_make(&one, 1)), token);
    }
    assert_false(http_gate_is_token(slice_make("", 0)));
}

/* Every byte once in a value, a target and a Host. */
static void every_byte_is_judged_by_its_place(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        bool text = c == '\t' || (c >= ' ' && c != 0x7f);
        bool target = c > ' ' && c < 0x7f && c != '#';
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool host = alnum || (c != 0 && strchr("-._~%!$&'()*+,;=:[]", c) != NULL);
        char in_value[] = "GET / HTTP/1.1\r\nHost: x\r\nA: b?c\r\n\r\n";
        char in_target[] = "GET /? HTTP/1.1\r\nHost: x\r\n\r\n";
        char in_host[] = "GET / HTTP/1.1\r\nHost: x?y\r\n\r\n";
        struct { char *bytes; size_t len; bool fine; } tries[] = {
            { in_value, sizeof(in_value) - 1, text },
            { in_target, sizeof(in_target) - 1, target },
            { in_host, sizeof(in_host) - 1, host },
        };

        for (int i = 0; i < 3; i++) {
            char *text_out;

            *(char *)memchr(tries[i].bytes, '?', tries[i].len) = (char)c;
            text_out = run(HTTP_PARSER_REQUESTS, slice_make(tries[i].bytes, tries[i].len),
                           tries[i].len, false);
            assert_int_equal(strstr(text_out, "refused") == NULL, tries[i].fine);
            free(text_out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_the_same_however_it_is_cut),
        cmocka_unit_test(chunked_bodies_are_joined_and_trailers_forgotten),
        cmocka_unit_test(pipelined_requests_come_one_after_the_other),
        cmocka_unit_test(an_upgrade_that_nobody_takes_is_an_ordinary_request),
        cmocka_unit_test(hostile_requests_are_refused_wherever_they_are_cut),
        cmocka_unit_test(heads_have_limits),
        cmocka_unit_test(what_surrounds_chunks_has_limits),
        cmocka_unit_test(answers_are_read_by_the_same_rules),
        cmocka_unit_test(an_answer_to_head_has_no_body),
        cmocka_unit_test(tokens_are_what_the_grammar_says),
        cmocka_unit_test(every_byte_is_judged_by_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* http_gate.c -- see http_gate.h.
 *
 * A message that two parsers read differently is an attack (request smuggling), and llhttp
 * forgives things that proxies in front of us read in another way: folded headers, two Hosts
 * or none, empty header names, methods of RTSP, HTTP/2.0 in the request line, a bare LF at the
 * end of trailers. Rather than teach it manners, everything odd is refused before llhttp sees
 * it. What is let through is the grammar of RFC 9112 §3 to §5 with every "MAY be lenient"
 * answered by no, but one: a single empty line before a request (§2.2), which old clients
 * send after a POST.
 *
 * Looking at bytes and judging lines are apart so that a line may arrive in pieces without
 * the gate keeping it: the caller collects the head anyway. */
#include "common/http_gate.h"

/* What a byte may be part of: TEXT of a line (HTAB and all that is no control character),
 * a TOKEN (RFC 9110 §5.6.2), a TARGET (visible ASCII but '#'), a HOST (RFC 3986 §3.2.2, with
 * its port). The unit test computes the same from the grammar. */
enum { TEXT = 1, TOKEN = 2, TARGET = 4, HOST = 8 };

static const uint8_t CLASS[256] = {
     0,  0,  0,  0,  0,  0,  0,  0,  0,  1,  0,  0,  0,  0,  0,  0,   /* 0x00 */
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,   /* 0x10 */
     1, 15,  5,  3, 15, 15, 15, 15, 13, 13, 15, 15, 13, 15, 15,  5,   /* 0x20 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 13, 13,  5, 13,  5,  5,   /* 0x30 */
     5, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,   /* 0x40 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 13,  5, 13,  7, 15,   /* 0x50 */
     7, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,   /* 0x60 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,  5,  7,  5, 15,  0,   /* 0x70 */
     1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,   /* 0x80 */
     1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,   /* 0x90 */
     1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,   /* 0xa0 */
     1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,   /* 0xb0 */
     1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,   /* 0xc0 */
     1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,   /* 0xd0 */
     1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,   /* 0xe0 */
     1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,   /* 0xf0 */
};

static bool is(char c, uint8_t class)
{
    return (CLASS[(unsigned char)c] & class) != 0;
}

static bool all_of(struct slice s, uint8_t class)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is(s.data[i], class))
            return false;
    return true;
}

bool http_gate_is_token(struct slice text)
{
    return text.len != 0 && all_of(text, TOKEN);
}

void http_gate_init(struct http_gate *g, enum http_gate_kind kind)
{
    *g = (struct http_gate){ .kind = kind, .at_line_start = true,
                             .has_first_line = kind == HTTP_GATE_TRAILER };
}

/* --- bytes --- */

enum http_gate_step http_gate_scan(struct http_gate *g, struct slice in, size_t *used)
{
    size_t i = 0;

    while (i < in.len) {
        char c = in.data[i++];

        *used = i;
        if (g->after_cr) {
            g->after_cr = false;
            g->at_line_start = true;
            return c == '\n' ? HTTP_GATE_LINE : HTTP_GATE_BAD;
        }
        if (c == '\r') {
            g->after_cr = true;
        } else if (!is(c, TEXT) || (g->at_line_start && (c == ' ' || c == '\t'))) {
            return HTTP_GATE_BAD;
        } else {
            while (i < in.len && is(in.data[i], TEXT))
                i++;
        }
        g->at_line_start = false;
    }
    *used = i;
    return HTTP_GATE_MORE;
}

/* --- the first line --- */

/* RFC 9110 and the WebDAV family, as far as llhttp knows them. RTSP's, Icecast's SOURCE and
 * HTTP/2's PRI are not HTTP/1 and are refused. */
static const char *const METHODS[] = {
    "GET",     "HEAD",     "POST",      "PUT",       "PATCH",      "DELETE",    "OPTIONS",
    "CONNECT", "TRACE",    "COPY",      "LOCK",      "MKCOL",      "MOVE",      "PROPFIND",
    "PROPPATCH", "SEARCH", "UNLOCK",    "BIND",      "REBIND",     "UNBIND",    "ACL",
    "REPORT",  "MKACTIVITY", "CHECKOUT", "MERGE",    "M-SEARCH",   "NOTIFY",    "SUBSCRIBE",
    "UNSUBSCRIBE", "PURGE", "MKCALENDAR", "LINK",    "UNLINK"
};

static bool method_is_known(struct slice method)
{
    for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++)
        if (slice_is(method, METHODS[i]))
            return true;
    return false;
}

static bool starts_nocase(struct slice s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s.len > n && strncasecmp(s.data, prefix, n) == 0;
}

/* The four forms of RFC 9112 §3.2. */
static bool target_is_fine(struct slice method, struct slice target)
{
    if (target.len == 0 || !all_of(target, TARGET))
        return false;
    if (slice_is(method, "CONNECT"))
        return all_of(target, HOST);
    if (slice_is(target, "*"))
        return slice_is(method, "OPTIONS");
    return target.data[0] == '/' || starts_nocase(target, "http://") ||
           starts_nocase(target, "https://");
}

static bool version_is_fine(struct http_gate *g, struct slice version)
{
    g->minor = slice_is(version, "HTTP/1.1");
    return g->minor == 1 || slice_is(version, "HTTP/1.0");
}

static bool request_line_is_fine(struct http_gate *g, struct slice line)
{
    struct slice version = line;
    struct slice method = slice_cut(&version, ' ');
    struct slice target = slice_cut(&version, ' ');

    return method_is_known(method) && target_is_fine(method, target) &&
           version_is_fine(g, version);
}

static bool status_line_is_fine(struct http_gate *g, struct slice line)
{
    struct slice rest = line;
    struct slice version = slice_cut(&rest, ' ');
    struct slice status = slice_cut(&rest, ' ');

    return version_is_fine(g, version) && status.len == 3 &&
           status.data[0] >= '1' && status.data[0] <= '5' &&
           status.data[1] >= '0' && status.data[1] <= '9' &&
           status.data[2] >= '0' && status.data[2] <= '9';
}

/* --- fields --- */

static bool length_is_fine(struct http_gate *g, struct slice value)
{
    if (g->has_length || value.len == 0 || value.len > 18)
        return false;
    g->has_length = true;
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
    return true;
}

/* The only coding that anybody needs of us; "gzip, chunked" is refused like "xchunked". */
static bool coding_is_fine(struct http_gate *g, struct slice value)
{
    if (g->has_coding || !slice_is_nocase(value, "chunked"))
        return false;
    g->has_coding = true;
    return true;
}

static bool host_is_fine(struct http_gate *g, struct slice value)
{
    if (g->kind != HTTP_GATE_REQUEST)
        return true;
    if (g->has_host)
        return false;
    g->has_host = true;
    return all_of(value, HOST);                /* may be empty, RFC 9110 §7.2 */
}

static struct slice trim(struct slice s)
{
    while (s.len != 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_from(s, 1);
    while (s.len != 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static bool field_is_fine(struct http_gate *g, struct slice line)
{
    struct slice value = line;
    struct slice name = slice_cut(&value, ':');

    if (value.data == NULL || !http_gate_is_token(name))
        return false;                          /* no colon, or a space before it (§5.1) */
    value = trim(value);
    g->fields++;
    if (g->kind == HTTP_GATE_TRAILER)
        return true;                           /* ignored, whatever it says (§7.1.2) */
    switch (name.len) {
    case 4:
        return !slice_is_nocase(name, "host") || host_is_fine(g, value);
    case 14:
        return !slice_is_nocase(name, "content-length") || length_is_fine(g, value);
    case 17:
        return !slice_is_nocase(name, "transfer-encoding") || coding_is_fine(g, value);
    default:
        return true;
    }
}

/* What only the whole head can tell. */
static bool head_is_fine(const struct http_gate *g)
{
    if (g->has_coding && (g->has_length || g->minor == 0))
        return false;                          /* §6.1: smuggling, or a 1.0 that cannot know */
    return g->kind != HTTP_GATE_REQUEST || g->has_host || g->minor == 0;
}

enum http_gate_step http_gate_line(struct http_gate *g, struct slice line)
{
    bool fine;

    if (!g->has_first_line) {
        if (line.len == 0 && g->kind == HTTP_GATE_REQUEST && !g->has_skipped) {
            g->has_skipped = true;
            return HTTP_GATE_SKIP;
        }
        g->has_first_line = true;
        fine = g->kind == HTTP_GATE_REQUEST ? request_line_is_fine(g, line)
                                            : status_line_is_fine(g, line);
        return fine ? HTTP_GATE_NEXT : HTTP_GATE_BAD;
    }
    if (line.len == 0)
        return head_is_fine(g) ? HTTP_GATE_END : HTTP_GATE_BAD;
    return field_is_fine(g, line) ? HTTP_GATE_NEXT : HTTP_GATE_BAD;
}

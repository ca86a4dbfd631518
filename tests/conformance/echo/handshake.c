/* handshake.c -- what the reference tells an application about the request that opened a
 * client; the JavaScript clients' tests look at all of it. */
#include "tests/conformance/echo/handshake.h"

#include <ctype.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"

#define JSON_BYTES_MAX (1u << 20)

struct handshake {
    struct buf headers;                        /* JSON */
    struct buf url;                            /* as sent */
    json_t    *query;
    char       address[NET_ADDRESS_SIZE];
    bool       is_xdomain;
};

/* Header bytes are Latin-1 to Node. */
static void append_latin1(struct buf *out, struct slice text)
{
    struct buf utf8;

    buf_init(&utf8, 2 * text.len);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c >= 0x80)
            buf_append_char(&utf8, (char)(0xc0 | c >> 6));
        buf_append_char(&utf8, (char)(c < 0x80 ? c : 0x80 | (c & 0x3f)));
    }
    buf_append_json(out, buf_peek(&utf8));
    buf_deinit(&utf8);
}

static bool same_name(struct slice a, struct slice b)
{
    return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

/* Of these Node keeps the first and drops the others. */
static bool is_single(struct slice name)
{
    static const char *const SINGLE[] = {
        "age", "authorization", "content-length", "content-type", "etag", "expires", "from", "host",
        "if-modified-since", "if-unmodified-since", "last-modified", "location", "max-forwards",
        "proxy-authorization", "referer", "retry-after", "server", "user-agent",
    };

    for (size_t i = 0; i < sizeof(SINGLE) / sizeof(SINGLE[0]); i++)
        if (slice_is_nocase(name, SINGLE[i]))
            return true;
    return false;
}

/* The value of headers[at] and of all later ones of its name. */
static void append_joined(struct buf *out, const struct http_header *headers, size_t count,
                          size_t at)
{
    struct slice name = headers[at].name;
    struct buf joined;

    buf_init(&joined, JSON_BYTES_MAX);
    buf_append_slice(&joined, headers[at].value);
    for (size_t i = at + 1; i < count && !is_single(name); i++) {
        if (same_name(name, headers[i].name)) {
            buf_append_text(&joined, slice_is_nocase(name, "cookie") ? "; " : ", ");
            buf_append_slice(&joined, headers[i].value);
        }
    }
    append_latin1(out, buf_peek(&joined));
    buf_deinit(&joined);
}

static bool came_before(const struct http_header *headers, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (same_name(headers[i].name, headers[at].name))
            return true;
    return false;
}

void handshake_append_headers(struct buf *out, struct http_request *r)
{
    size_t count;
    const struct http_header *headers = http_request_headers(r, &count);
    bool is_first = true;

    buf_append_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (came_before(headers, i))
            continue;
        buf_append_text(out, is_first ? "\"" : ",\"");
        for (size_t k = 0; k < headers[i].name.len; k++)
            buf_append_char(out, (char)tolower((unsigned char)headers[i].name.data[k]));
        buf_append_text(out, "\":");
        append_joined(out, headers, count, i);
        is_first = false;
    }
    buf_append_char(out, '}');
}

/* Decode one part of a query. Returns NULL where that is not possible. */
static json_t *decoded(struct slice part)
{
    struct buf pair, value;
    json_t *text = NULL;

    buf_init(&pair, JSON_BYTES_MAX);
    buf_init(&value, JSON_BYTES_MAX);
    buf_append_text(&pair, "x=");
    buf_append_slice(&pair, part);
    if (http_query_get(buf_peek(&pair), "x", &value) == 0)
        text = json_stringn(value.len == 0 ? "" : value.data, value.len);
    buf_deinit(&pair);
    buf_deinit(&value);
    return text;
}

static json_t *parse_query(struct slice query)
{
    json_t *object = json_object();

    while (query.len != 0) {
        struct slice value = slice_cut(&query, '&');
        json_t *name = decoded(slice_cut(&value, '='));

        if (name != NULL)
            json_object_set_new(object, json_string_value(name), decoded(value));
        json_decref(name);
    }
    return object;
}

struct handshake *handshake_new(struct eio_session *session, struct http_request *r)
{
    struct handshake *h = mem_new(struct handshake);

    buf_init(&h->headers, JSON_BYTES_MAX);
    buf_init(&h->url, JSON_BYTES_MAX);
    handshake_append_headers(&h->headers, r);
    buf_append_slice(&h->url, http_request_target(r));
    h->query = parse_query(http_request_query(r));
    h->is_xdomain = http_request_header(r, "Origin").len != 0;
    eio_session_peer(session, h->address);
    return h;
}

void handshake_free(struct handshake *h)
{
    buf_deinit(&h->headers);
    buf_deinit(&h->url);
    json_decref(h->query);
    free(h);
}

bool handshake_query_is_true(const struct handshake *h, const char *key)
{
    const char *value = json_text(h->query, key);

    return value != NULL && value[0] != '\0';
}

void handshake_append(struct buf *out, const struct handshake *h, struct slice auth)
{
    char text[80];
    time_t seconds = time(NULL);
    struct tm tm;

    localtime_r(&seconds, &tm);
    buf_append_text(out, "{\"headers\":");
    buf_append_slice(out, buf_peek(&h->headers));
    strftime(text, sizeof(text), tm.tm_gmtoff == 0
             ? "%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)"
             : "%a %b %d %Y %H:%M:%S GMT%z (%Z)", &tm);
    buf_printf(out, ",\"time\":\"%s\",\"address\":\"%s\",\"xdomain\":%s", text, h->address,
               h->is_xdomain ? "true" : "false");
    buf_printf(out, ",\"secure\":false,\"issued\":%lld,\"url\":", (long long)clock_wall_ms());
    append_latin1(out, buf_peek(&h->url));
    buf_append_text(out, ",\"query\":");
    json_append(out, h->query);
    buf_append_text(out, ",\"auth\":");
    buf_append_slice(out, auth);
    buf_append_char(out, '}');
}

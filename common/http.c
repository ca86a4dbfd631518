/* http.c -- the words of HTTP: methods, reason phrases, lists, queries, URLs. No I/O. */
#include "common/http.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/http_gate.h"

static const char *const METHODS[HTTP_METHOD_COUNT] = {
#define X(name) [HTTP_##name] = #name,
    HTTP_METHOD_MAP(X)
#undef X
};

const char *http_method_text(enum http_method method)
{
    return method >= 0 && method < HTTP_METHOD_COUNT ? METHODS[method] : "UNKNOWN";
}

enum http_method http_method_parse(struct slice name)
{
    for (int i = 0; i < HTTP_METHOD_COUNT; i++)
        if (slice_is(name, METHODS[i]))
            return (enum http_method)i;
    return HTTP_METHOD_COUNT;
}

const char *http_status_text(int status)
{
    switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default:  return "Unknown";
    }
}

struct slice http_header_find(const struct http_header *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_is_nocase(headers[i].name, name)) {
            struct slice value = headers[i].value;

            return value.data != NULL ? value : slice_make("", 0);
        }
    return slice_make(NULL, 0);
}

static struct slice trim(struct slice s)
{
    while (s.len != 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_from(s, 1);
    while (s.len != 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

bool http_list_has(struct slice list, const char *token)
{
    while (list.len != 0)
        if (slice_is_nocase(trim(slice_cut(&list, ',')), token))
            return true;
    return false;
}

void http_append_header(struct buf *out, struct slice name, struct slice value)
{
    size_t start = 0;

    if (!http_gate_is_token(name))
        return;
    buf_append_slice(out, name);
    buf_append(out, ": ", 2);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];

        if (c != '\r' && c != '\n' && c != '\0')
            continue;
        buf_append(out, value.data + start, i - start);
        start = i + 1;
    }
    if (value.len != 0)
        buf_append(out, value.data + start, value.len - start);
    buf_append(out, "\r\n", 2);
}

/* --- percent encoding (RFC 3986 §2.1) --- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int decode_into(struct buf *out, struct slice text)
{
    buf_reset(out);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.data[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text.data[i + 2]) : -1;

            if (low < 0)
                return ERR_INVALID;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (buf_append_char(out, c) != 0)
            return ERR_TOO_BIG;
    }
    return 0;
}

/* A key as it is, or as it decodes. (Where it does not fit `out`, nor would `wanted`.) */
static bool key_is(struct slice key, const char *wanted, struct buf *out)
{
    if (slice_is(key, wanted))
        return true;
    return key.len > strlen(wanted) && memchr(key.data, '%', key.len) != NULL &&
           decode_into(out, key) == 0 && slice_is(buf_peek(out), wanted);
}

int http_query_get(struct slice query, const char *key, struct buf *out)
{
    buf_reset(out);
    while (query.len != 0) {
        struct slice value = slice_cut(&query, '&');
        struct slice name = slice_cut(&value, '=');

        if (key_is(name, key, out)) {
            int err = decode_into(out, value);

            if (err != 0)
                buf_reset(out);
            return err;
        }
    }
    buf_reset(out);
    return ERR_NOT_FOUND;
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

int http_append_encoded(struct buf *out, struct slice text)
{
    static const char HEX[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        char          coded[3] = { '%', HEX[c >> 4], HEX[c & 15] };

        if (is_unreserved((char)c))
            buf_append_char(out, (char)c);
        else
            buf_append(out, coded, sizeof(coded));
    }
    return buf_failed(out) ? ERR_TOO_BIG : 0;
}

/* --- URLs (RFC 3986 §3) --- */

static int parse_port(struct slice text, int fallback, int *out)
{
    int port = 0;

    *out = fallback;
    if (text.len == 0)                         /* "host:" means the default, §3.2.3 */
        return 0;
    if (text.len > 5)
        return ERR_INVALID;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return ERR_INVALID;
        port = port * 10 + (text.data[i] - '0');
    }
    *out = port;
    return port >= 1 && port <= 65535 ? 0 : ERR_INVALID;
}

static int parse_host(struct slice text, int fallback_port, struct http_url *out)
{
    struct slice port = text;

    if (text.len != 0 && text.data[0] == '[') {
        port = slice_from(text, 1);
        out->host = slice_cut(&port, ']');
        if (port.data == NULL || (port.len != 0 && port.data[0] != ':'))
            return ERR_INVALID;
        port = slice_from(port, 1);
    } else {
        out->host = slice_cut(&port, ':');
        if (memchr(out->host.len != 0 ? out->host.data : "", ']', out->host.len) != NULL)
            return ERR_INVALID;
    }
    return out->host.len == 0 ? ERR_INVALID : parse_port(port, fallback_port, &out->port);
}

/* Take "user:password@" off the front of an authority. */
static void parse_userinfo(struct slice *authority, struct http_url *out)
{
    size_t at = authority->len;

    while (at != 0 && authority->data[at - 1] != '@')
        at--;
    if (at == 0)
        return;
    out->password = slice_make(authority->data, at - 1);
    out->user = slice_cut(&out->password, ':');
    *authority = slice_from(*authority, at);
}

int http_url_parse(const char *url, int fallback_port, struct http_url *out)
{
    const char  *colon = url == NULL ? NULL : strstr(url, "://");
    struct slice authority;
    size_t       end;

    *out = (struct http_url){ 0 };
    if (colon == NULL || colon == url)
        return ERR_INVALID;
    for (const char *c = url; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return ERR_INVALID;
    out->scheme = slice_make(url, (size_t)(colon - url));
    end = strcspn(colon + 3, "/?#");
    authority = slice_make(colon + 3, end);
    out->path = slice_of(colon + 3 + end);
    parse_userinfo(&authority, out);
    return parse_host(authority, fallback_port, out);
}

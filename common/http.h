/* http.h -- HTTP/1.1 (RFC 9110, RFC 9112): the words that server and client share.
 *
 * Parsing is llhttp's behind a strict gate of our own (http_parser.c): bare CR or LF,
 * control characters, obs-fold, more than one or no Host, an unlisted method or version,
 * Content-Length beside Transfer-Encoding and the like get 400 and the connection ends. */
#ifndef TASKWIRE_COMMON_HTTP_H
#define TASKWIRE_COMMON_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/http_header.h"
#include "common/slice.h"

#define HTTP_METHOD_MAP(X) X(GET) X(HEAD) X(POST) X(PUT) X(PATCH) X(DELETE) X(OPTIONS)

enum http_method {
#define X(name) HTTP_##name,
    HTTP_METHOD_MAP(X)
#undef X
    HTTP_METHOD_COUNT                          /* also: "a method that we do not know" */
};

/* The name of a method: "GET". */
const char *http_method_text(enum http_method method);

/* The method of that name (case matters); HTTP_METHOD_COUNT where it is none of ours. */
enum http_method http_method_parse(struct slice name);

/* The reason phrase of a status: "Not Found"; "Unknown" where there is none. */
const char *http_status_text(int status);

/* The first header of that name (case folded); an empty slice with data NULL if none. */
struct slice http_header_find(const struct http_header *headers, size_t count, const char *name);

/* Does a comma-separated list ("Connection: keep-alive, Upgrade") hold this token? */
bool http_list_has(struct slice list, const char *token);

/* Append "Name: value\r\n". CR, LF and NUL are left out of the value, so that nothing that is
 * put into an answer can begin another header; a name that is no token (RFC 9110 §5.6.2) adds
 * nothing at all. */
void http_append_header(struct buf *out, struct slice name, struct slice value);

/* Find `key` in a query string ("a=1&b=2"), the first of that name; percent-decoded (and '+'
 * as space) into `out`, which is reset first. Keys may be percent-encoded, too. Returns 0,
 * ERR_NOT_FOUND, ERR_INVALID where the encoding is, or ERR_TOO_BIG where `out` is full. */
int http_query_get(struct slice query, const char *key, struct buf *out);

/* Append `text` percent-encoded as a query or path component (RFC 3986 unreserved stay).
 * Returns 0, or ERR_TOO_BIG where an append to `out` has failed, now or before. */
int http_append_encoded(struct buf *out, struct slice text);

/* Split "http://host:port/path" (or https, or redis://…): host and path are slices of url,
 * port is `fallback_port` where none is named; an IPv6 host comes without its brackets.
 * Returns 0 or ERR_INVALID. */
struct http_url {
    struct slice scheme, user, password, host, path;   /* path with its '/', may be empty */
    int port;
};
int http_url_parse(const char *url, int fallback_port, struct http_url *out);

#endif

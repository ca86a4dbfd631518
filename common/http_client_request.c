/* http_client_request.c -- see http_client_request.h.
 *
 * What frames the message (RFC 9112 §6) and names the host is ours to say; a caller's header of
 * that kind is left out, so that nobody can make one request look like two. */
#include "common/http_client_request.h"

#include <string.h>

#include "common/err.h"

bool http_client_is_idempotent(enum http_method method)
{
    return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_PUT ||
           method == HTTP_DELETE || method == HTTP_OPTIONS;
}

static bool target_is_fine(struct slice target)
{
    if (target.len == 0 || target.data[0] != '/')
        return false;
    for (size_t i = 0; i < target.len; i++)
        if (target.data[i] <= ' ' || target.data[i] >= 0x7f || target.data[i] == '#')
            return false;                      /* char may be signed: >= 0x80 is <= ' ' then */
    return true;
}

static bool is_ours(struct slice name)
{
    return slice_is_nocase(name, "host") || slice_is_nocase(name, "content-length") ||
           slice_is_nocase(name, "transfer-encoding") || slice_is_nocase(name, "connection");
}

int http_client_request(const struct http_call_options *o, struct slice authority,
                        struct buf *out, struct rcbuf **bytes)
{
    bool may_have_body = o->method == HTTP_POST || o->method == HTTP_PUT ||
                         o->method == HTTP_PATCH;

    if (o->method >= HTTP_METHOD_COUNT || !target_is_fine(o->target))
        return ERR_INVALID;
    buf_reset(out);
    buf_append_text(out, http_method_text(o->method));
    buf_append_char(out, ' ');
    buf_append_slice(out, o->target);
    buf_append_text(out, " HTTP/1.1\r\n");
    http_append_header(out, SLICE("Host"), authority);
    for (size_t i = 0; i < o->header_count; i++)
        if (!is_ours(o->headers[i].name))
            http_append_header(out, o->headers[i].name, o->headers[i].value);
    if (o->body.len != 0 || may_have_body) {
        buf_append_text(out, "Content-Length: ");
        buf_append_u64(out, o->body.len);
        buf_append_text(out, "\r\n");
    }
    buf_append_text(out, "\r\n");
    if (buf_failed(out))
        return ERR_TOO_BIG;
    *bytes = rcbuf_new(out->len + o->body.len);
    memcpy((*bytes)->data, out->data, out->len);
    if (o->body.len != 0)
        memcpy((*bytes)->data + out->len, o->body.data, o->body.len);
    return 0;
}

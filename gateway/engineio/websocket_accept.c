/* websocket_accept.c -- the opening handshake (RFC 6455 §4.2) and the offer of compression
 * (RFC 7692 §7.1). See websocket.h.
 *
 * Refusals are worded as the reference server's (npm ws). Of permessage-deflate we accept the
 * first offer whose parameters we can honour, and answer with both no_context_takeover, which
 * a server may do unasked: a message is then compressed once for everybody, and no connection
 * keeps a window of 32 KB in either direction. */
#include "gateway/engineio/websocket_link.h"

#include <assert.h>
#include <string.h>

#include "common/crypto.h"
#include "common/err.h"
#include "gateway/engineio/deflate.h"

#define GUID            "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define KEY_LEN         24
#define ANSWER_MAX      8192
#define PROTOCOL_MAX    128
#define ACCEPT_SIZE     29

/* --- is it one? --- */

static void refuse(struct http_request *r, const char *text, bool name_versions)
{
    const struct http_header versions = { SLICE("Sec-WebSocket-Version"), SLICE("13, 8") };
    struct http_answer       a = { .status = 400, .content_type = "text/html", .close = true };

    a.body = rcbuf_copy(slice_of(text));
    a.headers = &versions;
    a.header_count = name_versions ? 1 : 0;
    http_request_answer(r, &a);
    rcbuf_unref(a.body);
}

/* 16 bytes in base64: 22 characters and "==". */
static bool is_key(struct slice key)
{
    static const char ALPHABET[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    if (key.len != KEY_LEN || key.data[22] != '=' || key.data[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++) {
        if (key.data[i] == '\0' || strchr(ALPHABET, key.data[i]) == NULL)
            return false;
    }
    return true;
}

bool websocket_check(struct http_request *r)
{
    struct slice version = http_request_header(r, "Sec-WebSocket-Version");

    if (http_request_method(r) != HTTP_GET)
        refuse(r, "Invalid HTTP method", false);
    else if (!http_request_wants_upgrade(r) ||
             !slice_is_nocase(http_request_header(r, "Upgrade"), "websocket"))
        refuse(r, "Invalid Upgrade header", false);
    else if (!is_key(http_request_header(r, "Sec-WebSocket-Key")))
        refuse(r, "Missing or invalid Sec-WebSocket-Key header", false);
    else if (!slice_is(version, "13") && !slice_is(version, "8"))
        refuse(r, "Missing or invalid Sec-WebSocket-Version header", true);
    else
        return true;
    return false;
}

/* --- compression --- */

static struct slice trim(struct slice s)
{
    while (s.len != 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_from(s, 1);
    while (s.len != 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* A window size, "8" to "15", with or without quotes; 0 where it is none. */
static int window_of(struct slice value)
{
    if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
        value = slice_make(value.data + 1, value.len - 2);
    if (value.len == 1 && (value.data[0] == '8' || value.data[0] == '9'))
        return value.data[0] - '0';
    if (value.len == 2 && value.data[0] == '1' && value.data[1] >= '0' && value.data[1] <= '5')
        return 10 + value.data[1] - '0';
    return 0;
}

enum param { SERVER_TAKEOVER = 1, CLIENT_TAKEOVER = 2, SERVER_WINDOW = 4, CLIENT_WINDOW = 8 };

/* One parameter of an offer. Returns which it is, 0 where it makes the offer unacceptable. */
static unsigned param_read(struct slice param, struct ws_extension *out)
{
    struct slice rest = param;
    struct slice name = trim(slice_cut(&rest, '='));
    bool         has_value = rest.data != NULL;
    struct slice value = trim(rest);

    if (slice_is_nocase(name, "server_no_context_takeover"))
        return has_value ? 0 : SERVER_TAKEOVER;
    if (slice_is_nocase(name, "client_no_context_takeover"))
        return has_value ? 0 : CLIENT_TAKEOVER;
    if (slice_is_nocase(name, "client_max_window_bits"))
        return has_value && window_of(value) == 0 ? 0 : CLIENT_WINDOW;
    if (slice_is_nocase(name, "server_max_window_bits")) {
        out->window_bits = window_of(value);   /* zlib cannot do 8: decline such an offer */
        return out->window_bits < DEFLATE_WINDOW_MIN ? 0 : SERVER_WINDOW;
    }
    return 0;
}

static bool offer_read(struct slice offer, struct ws_extension *out)
{
    unsigned     seen = 0;
    struct slice rest = offer;

    if (!slice_is_nocase(trim(slice_cut(&rest, ';')), "permessage-deflate"))
        return false;
    out->window_bits = DEFLATE_WINDOW_MAX;
    while (rest.data != NULL) {
        unsigned param = param_read(trim(slice_cut(&rest, ';')), out);

        if (param == 0 || (seen & param) != 0)
            return false;                      /* §7.1: unknown, invalid or repeated */
        seen |= param;
    }
    return true;
}

bool websocket_negotiate(struct slice header, struct ws_extension *out)
{
    struct slice rest = header;

    while (rest.data != NULL) {
        if (offer_read(slice_cut(&rest, ','), out))
            return true;
    }
    out->window_bits = 0;
    return false;
}

static struct ws_extension negotiate(struct http_request *r)
{
    size_t                    count;
    const struct http_header *headers = http_request_headers(r, &count);
    struct ws_extension       found = { 0 };

    for (size_t i = 0; i < count; i++) {
        if (slice_is_nocase(headers[i].name, "Sec-WebSocket-Extensions") &&
            websocket_negotiate(headers[i].value, &found))
            break;
    }
    return found;
}

/* --- accepting --- */

static void append_accept(struct buf *out, struct slice key)
{
    uint8_t     digest[SHA1_BYTES];
    char        joined[KEY_LEN + sizeof(GUID) - 1];

    assert(key.len == KEY_LEN);
    memcpy(joined, key.data, KEY_LEN);
    memcpy(joined + KEY_LEN, GUID, sizeof(GUID) - 1);
    crypto_sha1(slice_make(joined, sizeof(joined)), digest);
    crypto_append_base64(out, digest, sizeof(digest));
}

/* A client that offers subprotocols fails where none is chosen: take its first, as the
 * reference does. */
static void append_protocol(struct buf *out, struct http_request *r)
{
    struct slice rest = http_request_header(r, "Sec-WebSocket-Protocol");
    struct slice first = trim(slice_cut(&rest, ','));

    if (first.len != 0 && first.len <= PROTOCOL_MAX)
        http_append_header(out, SLICE("Sec-WebSocket-Protocol"), first);
}

static void append_extension(struct buf *out, struct ws_extension extension)
{
    if (extension.window_bits == 0)
        return;
    buf_append_text(out, "Sec-WebSocket-Extensions: permessage-deflate; "
                         "server_no_context_takeover; client_no_context_takeover");
    if (extension.window_bits != DEFLATE_WINDOW_MAX)
        buf_printf(out, "; server_max_window_bits=%d", extension.window_bits);
    buf_append_text(out, "\r\n");
}

struct websocket *websocket_accept(struct websocket_host *h, struct http_request *r,
                                   const struct http_header *headers, size_t header_count)
{
    struct ws_extension extension = { 0 };
    struct websocket   *w;
    struct stream      *stream;
    struct buf          answer, rest;

    buf_init(&answer, ANSWER_MAX);
    buf_append_text(&answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    append_accept(&answer, http_request_header(r, "Sec-WebSocket-Key"));
    buf_append_text(&answer, "\r\n");
    append_protocol(&answer, r);
    if (websocket_host_has_deflate(h))
        extension = negotiate(r);
    append_extension(&answer, extension);
    for (size_t i = 0; i < header_count; i++)
        http_append_header(&answer, headers[i].name, headers[i].value);
    buf_append_text(&answer, "\r\n");

    buf_init(&rest, SIZE_MAX / 2);
    stream = http_request_take_stream(r, &rest);
    assert(stream != NULL);                    /* we are still in on_request's turn */
    w = websocket_adopt(h, stream, extension.window_bits, &rest);
    buf_deinit(&rest);
    if (buf_failed(&answer))
        websocket_abort(w);                    /* more extra headers than anybody needs */
    else
        (void)stream_send_copy(stream, buf_peek(&answer));
    buf_deinit(&answer);
    return w;
}

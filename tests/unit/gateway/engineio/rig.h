/* rig.h -- for tests of sessions over real sockets: an Engine.IO server and raw clients in one
 * process and one thread. Clients are plain sockets; waiting for them turns the server's loop
 * until a condition holds. */
#ifndef TASKWIRE_TESTS_ENGINEIO_RIG_H
#define TASKWIRE_TESTS_ENGINEIO_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/http_server.h"
#include "gateway/engineio/engineio.h"

#define RIG_WAIT_MS 5000

struct rig {
    uv_loop_t           loop;
    struct net         *net;
    struct http_server *http;
    struct eio_server  *eio;
    struct metrics     *metrics;
    struct eio_session *session;               /* the one opened last; NULL once closed */
    int                 opened, closed, drained;
    enum eio_reason     reason;                /* of the last one closed */
    struct buf          heard;                 /* messages, each followed by '\n' */
    bool                echoes;                /* else messages are only noted */
    const char         *close_on;              /* this message closes its session */
    const char         *say_on_open;
    bool                close_on_open, abort_on_open;
    bool                close_server_on_close;
    int                 refuse_status;
    const char         *refuse_why;
    struct buf          foreign;               /* owners named in foreign sids */
};

struct client {
    int        fd;
    struct buf in;
    bool       is_ended;
};

/* --- the server --- */

static inline void rig_send(struct eio_session *s, const char *text, uint64_t key)
{
    struct eio_message *m = eio_message_new(slice_of(text), false, key);

    (void)eio_session_send(s, m);
    eio_message_unref(m);
}

static inline void rig_on_head(struct http_request *r, void *arg)
{
    struct rig *rig = arg;

    eio_server_head(rig->eio, r);
}

static inline void rig_on_request(struct http_request *r, void *arg)
{
    struct rig *rig = arg;

    if (!eio_server_handle(rig->eio, r))
        http_request_answer_text(r, 404, "text/plain", SLICE("elsewhere"));
}

static inline int rig_on_handshake(struct http_request *r, const char **why, void *arg)
{
    struct rig *rig = arg;

    (void)r;
    *why = rig->refuse_why;
    return rig->refuse_status;
}

static inline void rig_on_open(struct eio_session *s, struct http_request *r, void *arg)
{
    struct rig *rig = arg;
    char        peer[NET_ADDRESS_SIZE];

    (void)r;
    rig->opened++;
    rig->session = s;
    eio_session_set_data(s, rig);
    eio_session_peer(s, peer);
    assert_string_equal(peer, "127.0.0.1");
    if (rig->say_on_open != NULL)
        rig_send(s, rig->say_on_open, 0);
    if (rig->close_on_open)
        eio_session_close(s);
    if (rig->abort_on_open)
        eio_session_abort(s, EIO_TRANSPORT_ERROR);
}

static inline void rig_on_message(struct eio_session *s, struct slice data, bool is_binary,
                                  void *arg)
{
    struct rig *rig = arg;

    assert_true(eio_session_is_open(s));
    assert_ptr_equal(eio_session_data(s), rig);
    buf_append_slice(&rig->heard, data);
    buf_append_char(&rig->heard, '\n');
    if (rig->echoes) {
        struct eio_message *m = eio_message_new(data, is_binary, 0);

        (void)eio_session_send(s, m);
        eio_message_unref(m);
    }
    if (rig->close_on != NULL && slice_is(data, rig->close_on))
        eio_session_close(s);
}

static inline void rig_on_close(struct eio_session *s, enum eio_reason reason, void *arg)
{
    struct rig *rig = arg;

    assert_false(eio_session_is_open(s));
    rig->closed++;
    rig->reason = reason;
    if (rig->session == s)
        rig->session = NULL;
    if (rig->close_server_on_close)
        eio_server_close(rig->eio);
}

static inline void rig_on_drain(struct eio_session *s, void *arg)
{
    struct rig *rig = arg;

    (void)s;
    rig->drained++;
}

static inline void rig_on_foreign(struct http_request *r, struct slice owner, void *arg)
{
    struct rig *rig = arg;

    buf_append_slice(&rig->foreign, owner);
    buf_append_char(&rig->foreign, '\n');
    http_request_answer_text(r, 200, "text/plain", SLICE("from the other one"));
}

static inline size_t rig_on_headers(struct http_request *r, struct http_header *out, size_t max,
                                    void *arg)
{
    (void)r;
    (void)arg;
    assert_true(max >= 1);
    out[0] = (struct http_header){ SLICE("X-Greeting"), SLICE("hello") };
    return 1;
}

static inline void rig_begin(struct rig *rig, const struct eio_options *options)
{
    static const struct eio_handlers HANDLERS = {
        rig_on_handshake, rig_on_open, rig_on_message, rig_on_close, rig_on_drain,
        rig_on_foreign, rig_on_headers,
    };
    static const struct http_server_handlers HTTP = { .on_head = rig_on_head,
                                                      .on_request = rig_on_request };

    memset(rig, 0, sizeof(*rig));
    signal(SIGPIPE, SIG_IGN);
    buf_init(&rig->heard, 1 << 20);
    buf_init(&rig->foreign, 1000);
    assert_int_equal(uv_loop_init(&rig->loop), 0);
    rig->net = net_new(&rig->loop);
    rig->metrics = metrics_new();
    rig->eio = eio_server_new(rig->net, options, &HANDLERS, rig, rig->metrics);
    rig->http = http_server_new(rig->net, "rig", &HTTP_SERVER_DEFAULTS, &HTTP, rig, NULL);
    assert_int_equal(http_server_listen(rig->http, "127.0.0.1", 0), 0);
}

/* Everything ends, and the loop is empty. */
static inline void rig_end(struct rig *rig)
{
    http_server_close(rig->http);
    if (!rig->close_server_on_close)
        eio_server_close(rig->eio);
    net_close(rig->net);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&rig->loop), 0);
    assert_int_equal(rig->opened, rig->closed);
    metrics_free(rig->metrics);
    buf_deinit(&rig->heard);
    buf_deinit(&rig->foreign);
}

static inline uint64_t rig_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

/* Turn the loop once; wait a little where it had nothing to do. */
static inline void rig_turn(struct rig *rig)
{
    uv_run(&rig->loop, UV_RUN_NOWAIT);
    usleep(200);
}

/* Turn the loop until `condition`, or fail after a long time. */
#define RIG_UNTIL(rig, condition)                                        \
    do {                                                                 \
        uint64_t until_ms_ = rig_now_ms() + RIG_WAIT_MS;                 \
        while (!(condition)) {                                           \
            if (rig_now_ms() > until_ms_)                                \
                fail_msg("waited in vain for: %s", #condition);          \
            rig_turn(rig);                                               \
        }                                                                \
    } while (0)

static inline void rig_expect_heard(struct rig *rig, const char *lines)
{
    RIG_UNTIL(rig, rig->heard.len >= strlen(lines));
    assert_string_equal(rig->heard.data, lines);
    buf_reset(&rig->heard);
}

static inline void rig_expect_closed(struct rig *rig, enum eio_reason reason)
{
    RIG_UNTIL(rig, rig->opened == rig->closed);
    assert_string_equal(eio_reason_text(rig->reason), eio_reason_text(reason));
}

/* --- clients --- */

static inline struct client client_begin(struct rig *rig)
{
    struct client      c = { .fd = socket(AF_INET, SOCK_STREAM, 0) };
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)http_server_port(rig->http)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    buf_init(&c.in, 64 << 20);
    assert_true(c.fd >= 0);
    assert_int_equal(connect(c.fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return c;
}

static inline void client_end(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buf_deinit(&c->in);
}

static inline void client_write(struct rig *rig, struct client *c, struct slice bytes)
{
    while (bytes.len != 0) {
        ssize_t n = send(c->fd, bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            rig_turn(rig);
            continue;
        }
        bytes = slice_from(bytes, (size_t)n);
    }
}

/* Take what has come. */
static inline void client_read(struct client *c)
{
    static char piece[65536];
    ssize_t     n;

    while (!c->is_ended && (n = recv(c->fd, piece, sizeof(piece), MSG_DONTWAIT)) >= 0) {
        if (n == 0)
            c->is_ended = true;
        else
            assert_int_equal(buf_append(&c->in, piece, (size_t)n), 0);
    }
    if (!c->is_ended && errno == ECONNRESET)
        c->is_ended = true;
}

static inline bool client_has(struct client *c, size_t len)
{
    client_read(c);
    return c->in.len >= len;
}

static inline bool client_is_ended(struct client *c)
{
    client_read(c);
    return c->is_ended;
}

/* --- HTTP --- */

static inline void client_request(struct rig *rig, struct client *c, const char *method,
                                  const char *query, const char *headers, struct slice body)
{
    struct buf b;

    buf_init(&b, 16 << 20);
    buf_printf(&b, "%s /socket.io/?%s HTTP/1.1\r\nHost: x\r\n%s", method, query, headers);
    if (body.data != NULL)
        buf_printf(&b, "Content-Length: %zu\r\n", body.len);
    buf_append_text(&b, "\r\n");
    buf_append_slice(&b, body);
    assert_false(buf_failed(&b));
    client_write(rig, c, buf_peek(&b));
    buf_deinit(&b);
}

static inline void client_get(struct rig *rig, struct client *c, const char *query)
{
    client_request(rig, c, "GET", query, "", slice_make(NULL, 0));
}

static inline size_t content_length(const struct client *c)
{
    const char *at = c->in.data == NULL ? NULL : strstr(c->in.data, "Content-Length: ");

    return at == NULL ? 0 : (size_t)strtoul(at + 16, NULL, 10);
}

static inline size_t head_length(const struct client *c)
{
    const char *at = c->in.data == NULL ? NULL : strstr(c->in.data, "\r\n\r\n");

    return at == NULL ? 0 : (size_t)(at + 4 - c->in.data);
}

static inline bool client_has_answer(struct client *c)
{
    client_read(c);
    return head_length(c) != 0 && c->in.len >= head_length(c) + content_length(c);
}

/* The next answer must have this status and body (NULL: any). Returns a copy of its head, to be
 * freed. */
static inline char *client_expect_head(struct rig *rig, struct client *c, int status,
                                       const char *body)
{
    size_t head, len;
    char  *copy;

    RIG_UNTIL(rig, client_has_answer(c));
    head = head_length(c);
    len = content_length(c);
    assert_int_equal(strtol(c->in.data + 9, NULL, 10), status);
    if (body != NULL) {
        char *seen = strndup(c->in.data + head, len);

        assert_string_equal(seen, body);
        free(seen);
    }
    copy = strndup(c->in.data, head);
    buf_consume(&c->in, head + len);
    return copy;
}

static inline void client_expect(struct rig *rig, struct client *c, int status, const char *body)
{
    free(client_expect_head(rig, c, status, body));
}

/* Open a session by polling; its sid goes to `sid`, and `query` is what names it. */
static inline void client_open(struct rig *rig, struct client *c, char query[128])
{
    char *at, *end;

    client_get(rig, c, "EIO=4&transport=polling");
    RIG_UNTIL(rig, client_has_answer(c));
    at = strstr(c->in.data, "\"sid\":\"");
    assert_non_null(at);
    at += 7;
    end = strchr(at, '"');
    snprintf(query, 128, "EIO=4&transport=polling&sid=%.*s", (int)(end - at), at);
    client_expect(rig, c, 200, NULL);
}

static inline void client_post(struct rig *rig, struct client *c, const char *query,
                               const char *body)
{
    client_request(rig, c, "POST", query, "Content-Type: text/plain\r\n", slice_of(body));
}

/* --- websocket --- */

#define CLIENT_WS                                                                   \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"    \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* Make it a websocket. `sid_query` NULL: a new session; else one that client_open gave. */
static inline void client_websocket(struct rig *rig, struct client *c, const char *sid_query,
                                    const char *headers)
{
    char  query[160], all[512], *head;

    snprintf(query, sizeof(query), "EIO=4&transport=websocket%s",
             sid_query == NULL ? "" : strstr(sid_query, "&sid="));
    snprintf(all, sizeof(all), CLIENT_WS "%s", headers);
    client_request(rig, c, "GET", query, all, slice_make(NULL, 0));
    head = client_expect_head(rig, c, 101, NULL);
    assert_non_null(strstr(head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    free(head);
}

static inline void client_frame(struct rig *rig, struct client *c, int first, struct slice payload)
{
    struct buf b;

    buf_init(&b, payload.len + 16);
    buf_append_char(&b, (char)first);
    if (payload.len < 126) {
        buf_append_char(&b, (char)(0x80 | payload.len));
    } else {
        buf_append_char(&b, (char)(0x80 | (payload.len <= 65535 ? 126 : 127)));
        for (int i = payload.len <= 65535 ? 1 : 7; i >= 0; i--)
            buf_append_char(&b, (char)((uint64_t)payload.len >> (8 * i)));
    }
    buf_append(&b, "\0\0\0\0", 4);             /* the mask that changes nothing */
    buf_append_slice(&b, payload);
    client_write(rig, c, buf_peek(&b));
    buf_deinit(&b);
}

static inline void client_say(struct rig *rig, struct client *c, const char *text)
{
    client_frame(rig, c, 0x81, slice_of(text));
}

/* Header and payload size of the frame that begins what has come; false where it is not whole. */
static inline bool client_frame_size(struct client *c, size_t *header, size_t *len)
{
    const uint8_t *b;

    client_read(c);
    b = (const uint8_t *)c->in.data;
    if (c->in.len < 2)
        return false;
    *header = b[1] < 126 ? 2 : b[1] == 126 ? 4 : 10;
    *len = b[1];
    if (c->in.len < *header)
        return false;
    if (*header > 2) {
        *len = 0;
        for (size_t i = 2; i < *header; i++)
            *len = *len << 8 | b[i];
    }
    return c->in.len >= *header + *len;
}

/* The next frame must be this one. */
static inline void client_expect_frame(struct rig *rig, struct client *c, int first,
                                       struct slice payload)
{
    size_t header, len;

    RIG_UNTIL(rig, client_frame_size(c, &header, &len));
    assert_int_equal((uint8_t)c->in.data[0], first);
    assert_int_equal(len, payload.len);
    assert_memory_equal(c->in.data + header, payload.data, len);
    buf_consume(&c->in, header + len);
}

static inline void client_expect_say(struct rig *rig, struct client *c, const char *text)
{
    client_expect_frame(rig, c, 0x81, slice_of(text));
}

/* A close frame (code 0: without one) and the end of the connection. */
static inline void client_expect_close(struct rig *rig, struct client *c, int code)
{
    char payload[2] = { (char)(code >> 8), (char)code };

    client_expect_frame(rig, c, 0x88, slice_make(payload, code == 0 ? 0 : 2));
    RIG_UNTIL(rig, client_is_ended(c));
    assert_int_equal(c->in.len, 0);
}

/* Skip the open packet. */
static inline void client_expect_open(struct rig *rig, struct client *c)
{
    size_t header, len;

    RIG_UNTIL(rig, client_frame_size(c, &header, &len));
    assert_memory_equal(c->in.data + header, "0{\"sid\":\"", 9);
    buf_consume(&c->in, header + len);
}

#endif

/* http_server.h -- an HTTP/1.1 server on a net: keep-alive, pipelining in order, chunked
 * and sized bodies, upgrades. Everything a client can send has a limit here.
 *
 * A request is handed over whole (head and body) and answered once, now or later. It stays
 * valid until it was answered, or until its on_gone ran because the client went away. All
 * calls on the loop's thread. */
#ifndef TASKWIRE_COMMON_HTTP_SERVER_H
#define TASKWIRE_COMMON_HTTP_SERVER_H

#include "common/http.h"
#include "common/metrics.h"
#include "common/net.h"

struct http_server;
struct http_request;
struct http_answer;

struct http_server_options {
    size_t   header_bytes_max;                 /* request line and headers; past it 431 */
    size_t   header_count_max;                 /* past it 431 */
    size_t   body_bytes_max;                   /* past it 413; on_head may choose another */
    uint64_t head_timeout_ms;                  /* from the first byte to the end of the head: 408 */
    uint64_t body_timeout_ms;                  /* from there to the end of the body: 408 */
    uint64_t idle_timeout_ms;                  /* between requests: closed silently */
    uint32_t connections_max;                  /* past it new ones are closed at once */
    bool     reuse_port;
};
/* 16 KiB, 64, 1 MiB, 10 s, 30 s, 75 s, 20000 */
extern const struct http_server_options HTTP_SERVER_DEFAULTS;

struct http_server_handlers {
    /* Optional. The head is known, the body not read: choose a body limit, or answer
     * already (then a body is not read, and the connection closes after the answer if there
     * was to be one). A request that was seen here and not answered may never come to
     * on_request: its body may be malformed, too large, too slow. The server answers those
     * itself; on_gone, where it was set here, is called first. */
    void (*on_head)(struct http_request *r, void *arg);
    /* The whole request. Must be answered, now or later, or its stream taken. */
    void (*on_request)(struct http_request *r, void *arg);
    /* Optional. The server refuses something itself: 400 (malformed), 408 (too slow), 413 or 431
     * (too large). Give the answer a content_type and a body (a reference that becomes the
     * server's); without them, and without this, it is empty. */
    void (*on_refusal)(int status, struct http_answer *a, void *arg);
};

/* `handlers` must outlive the server. `metrics` may be NULL; else connections, requests and
 * refusals are counted there with the label server="<name>". */
struct http_server *http_server_new(struct net *net, const char *name,
                                    const struct http_server_options *options,
                                    const struct http_server_handlers *handlers, void *arg,
                                    struct metrics *metrics);

/* Listen; may be called for several addresses. Port 0: a free one, see http_server_port
 * (of the last listen). Returns 0 or a libuv error. */
int http_server_listen(struct http_server *s, const char *address, int port);
int http_server_port(const struct http_server *s);

/* The same on a socket that listens already (supervisor.h). It becomes the server's, also where
 * this fails. */
int http_server_listen_on(struct http_server *s, int fd);

/* Serve on, but close each connection after its next answer, which says so: proxies and pools that
 * keep connections then ask elsewhere, or on new ones. A POST on a kept connection that is closed
 * at that very moment fails, and who sent it may not repeat it; so this comes some time before
 * http_server_drain. */
void http_server_wind_down(struct http_server *s);

/* Stop accepting; idle connections close, the others after their current answer
 * (`Connection: close`), those that have just been made after their first. */
void http_server_drain(struct http_server *s);

/* Close everything. The memory goes when the last connection is gone. */
void http_server_close(struct http_server *s);

size_t http_server_connections(const struct http_server *s);

/* --- the request; slices are valid as long as it is --- */

enum http_method http_request_method(const struct http_request *r);
struct slice     http_request_method_text(const struct http_request *r);
struct slice     http_request_target(const struct http_request *r);  /* as sent: "/a%20b?x=1" */
struct slice     http_request_path(const struct http_request *r);    /* as sent, up to '?' */
struct slice     http_request_query(const struct http_request *r);   /* after '?', may be empty */
struct slice     http_request_header(const struct http_request *r, const char *name);
const struct http_header *http_request_headers(const struct http_request *r, size_t *count);
struct slice     http_request_body(const struct http_request *r);
void             http_request_peer(const struct http_request *r, char out[NET_ADDRESS_SIZE]);
bool             http_request_wants_upgrade(const struct http_request *r); /* Connection: Upgrade */
struct http_server *http_request_server(const struct http_request *r);

/* In on_head: another limit for this body. */
void http_request_set_body_max(struct http_request *r, size_t bytes);

/* Called once if the client goes away before the answer; the request is invalid after it
 * returned. Set it whenever the answer comes later. Without it the request stays valid
 * until it is answered, whether anybody is there to read that or not; and a client that has
 * only ended its side (shutdown) still gets its answer, while with it that counts as gone. */
typedef void http_gone_cb(struct http_request *r, void *arg);
void http_request_on_gone(struct http_request *r, http_gone_cb *cb, void *arg);

struct http_answer {
    int                       status;          /* 200..599 */
    const char               *content_type;    /* NULL: none */
    const struct http_header *headers;         /* extra ones, copied */
    size_t                    header_count;
    struct rcbuf             *body;            /* a reference is taken; NULL: none */
    bool                      close;           /* close the connection after it */
    bool                      is_one_of_many;  /* it waits its turn behind what others are sent; else
                                                  it goes out before that */
};

/* Answer. The request is invalid afterwards. Content-Length is set from the body (HEAD gets
 * the length without it; 204 and 304 get neither). Date, Connection and framing are the
 * server's: such headers are left out, as is CR or LF in a value (http_append_header). */
void http_request_answer(struct http_request *r, const struct http_answer *a);

/* Short forms: `text` and `json` are copied. */
void http_request_answer_text(struct http_request *r, int status, const char *content_type,
                              struct slice text);

/* A streamed answer (server-sent events): the head now, then any number of writes, then end.
 * The request stays valid until end, or until on_gone ran. No Content-Length: chunked. */
void   http_request_begin(struct http_request *r, const struct http_answer *head);
int    http_request_write(struct http_request *r, struct rcbuf *bytes);  /* 0 or ERR_CLOSED */
void   http_request_end(struct http_request *r);
size_t http_request_queued_bytes(const struct http_request *r);

/* Cut the connection without an answer. The request is invalid afterwards. */
void http_request_abort(struct http_request *r);

/* Take the connection over (a websocket). Bytes that came after the request are appended to
 * `rest` (at most some 150 KiB; check buf_failed). The request is invalid afterwards; the
 * caller owns the stream and must call stream_start at once. NULL where the client is gone
 * already, which can only be in a later turn than on_request's and without an on_gone. */
struct stream *http_request_take_stream(struct http_request *r, struct buf *rest);

#endif

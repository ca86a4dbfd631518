/* answer.c -- see answer.h.
 *
 * CORS follows npm's `cors`, which the reference uses: one named origin is told to everyone (the
 * browser compares), of several the asking one is told back. Nothing is decided here: a
 * browser that reads no matching header keeps the answer from the page, and websockets, which
 * CORS does not cover, are on_handshake's affair. */
#include "gateway/engineio/answer.h"

#include <assert.h>

#include "common/buf.h"

#define EXTRA_MAX   (8 + ANSWER_HEADERS_MAX)
#define REFUSAL_MAX 1024

struct extras {
    struct http_header list[EXTRA_MAX];
    size_t             count;
};

static void add(struct extras *e, const char *name, struct slice value)
{
    assert(e->count < EXTRA_MAX);
    e->list[e->count++] = (struct http_header){ slice_of(name), value };
}

/* The origin to tell, or an empty slice; `*varies` where that depends on who asks. */
static struct slice origin_for(const struct eio_server *server, struct http_request *r,
                               bool *varies)
{
    const char **origins = server->options.cors_origins;
    struct slice asks = http_request_header(r, "Origin");

    *varies = false;
    if (slice_is(slice_of(origins[0]), "*"))
        return SLICE("*");
    *varies = true;
    if (origins[0] != NULL && origins[1] == NULL)
        return slice_of(origins[0]);
    for (size_t i = 0; origins[i] != NULL; i++) {
        if (slice_is(asks, origins[i]))
            return asks;
    }
    return slice_make(NULL, 0);
}

static void add_cors(struct extras *e, const struct eio_server *server, struct http_request *r,
                     bool is_preflight)
{
    struct slice origin;
    bool         varies;

    if (server->options.cors_origins == NULL)
        return;
    origin = origin_for(server, r, &varies);
    if (origin.len != 0)
        add(e, "Access-Control-Allow-Origin", origin);
    if (server->options.cors_credentials)
        add(e, "Access-Control-Allow-Credentials", SLICE("true"));
    if (is_preflight)
        add(e, "Vary", varies ? SLICE("Origin, Access-Control-Request-Headers")
                              : SLICE("Access-Control-Request-Headers"));
    else if (varies)
        add(e, "Vary", SLICE("Origin"));
}

static void answer(struct http_request *r, int status, const char *content_type,
                   struct slice body, struct extras *e, bool close)
{
    struct http_answer a = { .status = status, .content_type = content_type, .close = close,
                             .is_one_of_many = true };

    a.headers = e->list;
    a.header_count = e->count;
    a.body = rcbuf_copy(body);
    http_request_answer(r, &a);
    rcbuf_unref(a.body);
}

static const char *error_text(enum eio_error error)
{
    static const char *const TEXTS[EIO_ERROR_COUNT] = {
#define X(name, code, text) [code] = text,
        EIO_ERROR_MAP(X)
#undef X
    };

    return TEXTS[error];
}

void answer_refusal(struct eio_server *server, struct http_request *r, enum eio_error error,
                    int status, const char *why)
{
    struct extras e = { .count = 0 };
    struct buf    body;
    bool          is_upgrade = http_request_wants_upgrade(r);

    metric_inc(server->metrics.refused);
    if (error != EIO_ERROR_FORBIDDEN) {
        status = 400;
        why = NULL;
    }
    if (why == NULL)
        why = error_text(error);
    buf_init(&body, REFUSAL_MAX);
    if (is_upgrade) {                          /* CORS does not apply */
        buf_append_text(&body, why);
        /* The reference says 400 even to what is forbidden here; other choices stand. */
        answer(r, status == 403 ? 400 : status, "text/html", buf_peek(&body), &e, true);
    } else {
        add_cors(&e, server, r, false);
        buf_printf(&body, "{\"code\":%d,\"message\":", (int)error);
        buf_append_json(&body, slice_of(why));
        buf_append_char(&body, '}');
        answer(r, status, "application/json", buf_peek(&body), &e, false);
    }
    buf_deinit(&body);
}

void answer_empty(struct eio_server *server, struct http_request *r, int status)
{
    struct extras e = { .count = 0 };

    add_cors(&e, server, r, false);
    answer(r, status, NULL, slice_make(NULL, 0), &e, false);
}

void answer_ok(struct eio_server *server, struct http_request *r)
{
    struct extras e = { .count = 0 };

    add(&e, "Cache-Control", SLICE("no-store"));
    add_cors(&e, server, r, false);
    answer(r, 200, "text/html", SLICE("ok"), &e, false);
}

void answer_payload(struct eio_server *server, struct http_request *r, struct slice payload,
                    const struct http_header *headers, size_t header_count)
{
    struct extras e = { .count = 0 };

    assert(header_count <= ANSWER_HEADERS_MAX);
    add(&e, "Cache-Control", SLICE("no-store"));
    add_cors(&e, server, r, false);
    for (size_t i = 0; i < header_count; i++)
        e.list[e.count++] = headers[i];
    answer(r, 200, "text/plain; charset=UTF-8", payload, &e, false);
}

void answer_preflight(struct eio_server *server, struct http_request *r)
{
    struct http_answer a = { .status = 204 };
    struct extras      e = { .count = 0 };
    struct slice       wants = http_request_header(r, "Access-Control-Request-Headers");

    add_cors(&e, server, r, true);
    add(&e, "Access-Control-Allow-Methods", SLICE("GET,HEAD,PUT,PATCH,POST,DELETE"));
    if (wants.len != 0)
        add(&e, "Access-Control-Allow-Headers", wants);
    a.headers = e.list;
    a.header_count = e.count;
    http_request_answer(r, &a);
}

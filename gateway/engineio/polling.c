/* polling.c -- see polling.h. Behaviour follows the reference server, answer by answer.
 *
 * Two requests of one kind at a time are a fault of the client's that would make order
 * undefined: both end, and the session with them. To notice a second POST while the body of the
 * first is coming, a POST is noted at its head already.
 *
 * Answers are made in a later turn of the loop than the messages: a poll costs a round trip of
 * the client's, so what is said together should travel together. */
#include "gateway/engineio/polling.h"

#include <assert.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/utf8.h"
#include "gateway/engineio/answer.h"
#include "gateway/engineio/message.h"
#include "gateway/engineio/upgrade.h"

#define NOOP_AFTER_MS 100

void polling_begin(struct eio_session *s, struct http_request *r)
{
    struct polling *p = mem_new(struct polling);

    p->session = s;
    deadline_init(&p->upgrade);
    deadline_init(&p->noop);
    http_request_peer(r, p->peer);
    s->polling = p;
}

void polling_free(struct polling *p)
{
    if (p == NULL)
        return;
    assert(p->get == NULL && p->post == NULL && p->probe == NULL);
    deadline_clear(&p->upgrade);
    deadline_clear(&p->noop);
    free(p);
}

void polling_peer(const struct polling *p, char out[NET_ADDRESS_SIZE])
{
    memcpy(out, p->peer, NET_ADDRESS_SIZE);
}

/* --- answering a GET --- */

void polling_answer(struct polling *p, struct slice payload)
{
    struct http_request *r = p->get;

    if (r == NULL)
        return;
    p->get = NULL;
    deadline_clear(&p->noop);
    http_request_on_gone(r, NULL, NULL);
    answer_payload(p->session->server, r, payload, NULL, 0);
}

/* What waits, up to `count_max` packets, as a payload. Takes it. */
static void payload_take(struct eio_session *s, size_t count_max, struct buf *out)
{
    struct eio_message *m;

    buf_init(out, SIZE_MAX / 2);               /* queue_bytes_max is the limit */
    while (count_max-- > 0 && (m = queue_take(s->queue)) != NULL) {
        (void)payload_append(out, message_polled(m));
        eio_message_unref(m);
    }
    if (queue_count(s->queue) == 0) {
        queue_free(s->queue);
        s->queue = NULL;
    }
}

void polling_want_flush(struct eio_session *s)
{
    if (s->polling->get != NULL)
        session_want_turn(s);
}

void polling_flush(struct eio_session *s)
{
    size_t     most = s->server->options.packets_per_poll_max;
    struct buf payload;

    if (s->polling == NULL || s->polling->get == NULL || s->queue == NULL)
        return;
    payload_take(s, most != 0 ? most : SIZE_MAX, &payload);
    polling_answer(s->polling, buf_peek(&payload));
    buf_deinit(&payload);
}

/* A session is over: answer its poll. What waits goes first and alone, the close packet into the
 * next poll: a client handles what a payload says a moment later but closes at once, and would
 * take being told to leave for a lost connection, and come back. Where nothing waits a poll that
 * comes later gets `6` before the close packet, and one that is pending does not, as from the
 * reference. Returns whether the close packet is out. */
static bool answer_last(struct eio_session *s, bool was_pending)
{
    if (s->queue != NULL) {
        polling_flush(s);
        return false;
    }
    polling_answer(s->polling, was_pending ? SLICE("1") : SLICE("6\x1e" "1"));
    return true;
}

bool polling_end(struct eio_session *s, enum session_ending how)
{
    struct polling *p = s->polling;

    upgrade_drop(p);
    if (p->post != NULL) {                     /* it will find its session gone */
        http_request_on_gone(p->post, NULL, NULL);
        p->post = NULL;
    }
    if (p->get == NULL)
        return how == END_FLUSHED && !s->is_websocket;
    if (how == END_FLUSHED) {
        return !answer_last(s, true);
    } else if (how == END_CUT) {
        struct http_request *r = p->get;

        p->get = NULL;
        deadline_clear(&p->noop);
        http_request_on_gone(r, NULL, NULL);
        http_request_abort(r);
    } else {
        polling_answer(p, how == END_NOOP ? SLICE("6") : SLICE("1"));
    }
    return false;
}

void polling_on_noop_due(struct deadline *d)
{
    polling_answer(container_of(d, struct polling, noop), SLICE("6"));
}

/* --- GET --- */

static void on_get_gone(struct http_request *r, void *arg)
{
    struct polling *p = arg;

    (void)r;
    p->get = NULL;
    session_end(p->session, EIO_TRANSPORT_ERROR, END_PLAIN);
}

static void handle_get(struct eio_session *s, struct http_request *r)
{
    struct polling *p = s->polling;

    if (p->get != NULL) {                      /* overlap */
        answer_empty(s->server, r, 400);
        session_end(s, EIO_TRANSPORT_ERROR, END_PLAIN);
        return;
    }
    p->get = r;
    http_request_on_gone(r, on_get_gone, p);
    if (!s->is_open) {
        if (answer_last(s, false))
            session_stop_lingering(s);
    } else if (s->queue != NULL) {
        polling_flush(s);
    } else if (p->is_probed) {
        timers_set(&s->server->timers, TIMER_NOOP, &p->noop, session_now_ms(s) + NOOP_AFTER_MS);
    }
}

/* --- POST --- */

static void on_post_gone(struct http_request *r, void *arg)
{
    struct polling *p = arg;

    (void)r;
    p->post = NULL;
    if (p->session->is_websocket) {            /* it has moved on: nothing else keeps this */
        p->session->polling = NULL;
        polling_free(p);
    } else {
        session_end(p->session, EIO_TRANSPORT_ERROR, END_PLAIN);
    }
}

/* A body that is announced as too large will be refused and leaves the session alone. */
static bool is_announced_too_large(const struct eio_server *server, const struct http_request *r)
{
    struct slice length = http_request_header(r, "Content-Length");
    uint64_t     n = 0;

    for (size_t i = 0; i < length.len && n <= server->options.max_payload_bytes; i++)
        n = n * 10 + (uint64_t)(length.data[i] - '0');     /* the parser let digits pass only */
    return n > server->options.max_payload_bytes;
}

void polling_head(struct eio_session *s, struct http_request *r)
{
    struct polling *p = s->polling;

    if (s->is_websocket || p->post != NULL || is_announced_too_large(s->server, r))
        return;
    p->post = r;
    http_request_on_gone(r, on_post_gone, p);
}

bool polling_arrived(struct eio_session *s, struct http_request *r)
{
    if (s->polling == NULL || s->polling->post != r)
        return false;
    s->polling->post = NULL;
    http_request_on_gone(r, NULL, NULL);
    return true;
}

static bool is_octets(struct http_request *r)
{
    struct slice type = http_request_header(r, "Content-Type");

    return slice_is_nocase(slice_cut(&type, ';'), "application/octet-stream");
}

/* Handle all packets of a body. Returns 0, or an error where one is bad. */
static int packets_handle(struct eio_session *s, struct slice body)
{
    struct slice rest = body, text;
    struct buf   scratch;
    size_t       count = 0;
    bool         more = true;
    int          err = utf8_is_valid(body) ? 0 : ERR_FRAME;

    buf_init(&scratch, s->server->options.max_payload_bytes);
    while (err == 0 && s->is_open && payload_next(&rest, &more, &text)) {
        struct packet p;

        err = ++count > s->server->options.packets_per_payload_max
                  ? ERR_TOO_BIG
                  : packet_parse_polled(text, &scratch, &p);
        if (err == 0)
            session_packet(s, &p);
    }
    buf_deinit(&scratch);
    return err;
}

/* Another POST's body is still coming: both end, and the session. */
static void overlap(struct eio_session *s, struct http_request *r)
{
    struct http_request *first = s->polling->post;

    s->polling->post = NULL;
    http_request_on_gone(first, NULL, NULL);
    http_request_abort(first);
    answer_empty(s->server, r, 400);
    session_end(s, EIO_TRANSPORT_ERROR, END_PLAIN);
}

static void handle_post(struct eio_session *s, struct http_request *r)
{
    struct eio_server *server = s->server;
    struct slice       body = http_request_body(r);

    if (s->polling->post != NULL) {
        overlap(s, r);
        return;
    }
    if (is_octets(r)) {
        answer_empty(server, r, 400);
        session_end(s, EIO_TRANSPORT_ERROR, END_PLAIN);
        return;
    }
    if (body.len > server->options.max_payload_bytes) {
        answer_empty(server, r, 413);
        return;
    }
    if (packets_handle(s, body) != 0)
        session_end(s, EIO_PARSE_ERROR, END_PLAIN);
    answer_ok(server, r);
}

void polling_handle(struct eio_session *s, struct http_request *r)
{
    enum http_method method = http_request_method(r);

    if (method == HTTP_GET)
        handle_get(s, r);
    else if (method == HTTP_POST)
        handle_post(s, r);
    else
        answer_empty(s->server, r, 500);
    if (s->is_websocket && s->polling != NULL && s->polling->post == NULL) {
        polling_free(s->polling);              /* its last POST is done */
        s->polling = NULL;
    }
}

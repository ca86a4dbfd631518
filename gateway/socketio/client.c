/* client.c -- one Engine.IO session and what it says: packets to sockets.
 *
 * The rules are the reference server's: CONNECT for a namespace that it is in already, any
 * other packet for one that it is not in, and anything that is no packet close the session.
 * What is kinder here: events that come behind a CONNECT without waiting for its answer find
 * the socket, also where the application takes its time to let it in (early.c).
 *
 * Events per second are counted as one number, the time until which the client has used up
 * its budget (a leaky bucket that holds one second): each event puts it 1/max further; more
 * than a second ahead of now is too fast. */
#include "gateway/socketio/internal.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/socketio/assembly.h"

#define SECOND_US UINT64_C(1000000)

/* --- beginning --- */

void client_on_open(struct eio_session *session, struct http_request *r, void *arg)
{
    struct sio_server *s = arg;
    struct client *c = pool_take(&s->client_pool);
    uint64_t wait_ms = s->options.connect_timeout_ms;

    c->server = s;
    c->session = session;
    c->end_reason = SIO_REASON_FORCED;
    deadline_init(&c->connect);
    eio_session_set_data(session, c);
    s->clients++;
    if (wait_ms != 0) {
        deadlines_set(&s->connects, &c->connect, net_now_ms(s->net) + wait_ms);
        server_arm_timer(s);
    }
    if (s->hooks.on_open != NULL)
        c->data = s->hooks.on_open(session, r, s->hooks_arg);
}

void client_connect_expired(struct client *c)
{
    client_close(c, SIO_REASON_FORCED);
}

/* --- ending --- */

void client_close(struct client *c, enum sio_reason reason)
{
    if (c->is_closing)
        return;
    for (struct sio_socket *s = c->sockets; s != NULL; s = s->next)
        fanout_catch_up(&s->ns->rooms, &s->member);
    c->is_closing = true;
    c->end_reason = (uint8_t)reason;
    if (!client_is_receiver(c))
        eio_session_close(c->session);
    else if (c->sockets != NULL)
        socket_end(c->sockets, reason);
}

static enum sio_reason reason_of(const struct client *c, enum eio_reason reason)
{
    switch (reason) {
    case EIO_TRANSPORT_CLOSE: return SIO_REASON_TRANSPORT;
    case EIO_TRANSPORT_ERROR: return SIO_REASON_ERROR;
    case EIO_PING_TIMEOUT:    return SIO_REASON_PING_TIMEOUT;
    case EIO_PARSE_ERROR:     return SIO_REASON_PARSE_ERROR;
    case EIO_SLOW_READER:     return SIO_REASON_SLOW_READER;
    case EIO_SHUTDOWN:        return SIO_REASON_SHUTDOWN;
    case EIO_FORCED_CLOSE:    /* by us: we know better why */
    case EIO_REASON_COUNT:    break;
    }
    return (enum sio_reason)c->end_reason;
}

void client_on_close(struct eio_session *session, enum eio_reason reason, void *arg)
{
    struct client *c = eio_session_data(session);
    struct sio_server *s = arg;

    if (c == NULL)
        return;
    c->is_closing = true;
    while (c->sockets != NULL)
        socket_end(c->sockets, reason_of(c, reason));
    sockets_finish_ended(s, c);
    if (s->hooks.on_gone != NULL)
        s->hooks.on_gone(c->data, s->hooks_arg);
    eio_session_set_data(session, NULL);
    deadline_clear(&c->connect);
    assembly_free(c->assembly);
    pool_give(&s->client_pool, c);
    server_client_gone(s);
}

/* --- what it says --- */

static struct sio_socket *find_socket(const struct client *c, struct slice nsp)
{
    struct sio_socket *s = c->sockets;

    while (s != NULL && !slice_is(nsp, s->ns->name))
        s = s->next;
    return s;
}

static int refuse_namespace(struct client *c, struct slice nsp)
{
    bool is_main = slice_is(nsp, "/");
    struct slice parts[] = {
        SLICE("4"), is_main ? SLICE("") : nsp, is_main ? SLICE("") : SLICE(","),
        SLICE("{\"message\":\"Invalid namespace\"}"),
    };
    struct eio_message *m = eio_message_join(parts, 4, false, 0);

    eio_session_send(c->session, m);           /* closed meanwhile: then it needs no answer */
    eio_message_unref(m);
    return 0;
}

static int on_connect(struct client *c, const struct sio_packet *p)
{
    struct sio_namespace *n = namespace_find(c->server, p->nsp);
    struct slice auth = p->payload.len == 0 ? SLICE("{}") : p->payload;

    if (n == NULL)
        return refuse_namespace(c, p->nsp);
    n->handlers->on_connect(socket_new(c, n), auth, n->arg);
    return 0;
}

/* Events and answers, with what they carry. */
void client_hand_over(struct sio_socket *s, const struct sio_packet *p,
                      const struct slice *attachments)
{
    const struct sio_event e = {
        .name = p->name, .array = p->payload, .attachments = attachments,
        .attachment_count = p->attachments, .ack = p->id,
    };

    if (p->type == SIO_ACK || p->type == SIO_BINARY_ACK)
        acks_answer(s, p->id, p->payload, attachments, p->attachments);
    else if (p->payload.len != 0)              /* "42" alone says nothing */
        s->ns->handlers->on_event(s, &e, s->ns->arg);
}

/* A packet, its attachments (if any) whole. Returns 0 or ERR_FRAME: close it. */
static int on_packet(struct client *c, const struct sio_packet *p, const struct slice *attachments)
{
    struct sio_socket *s = find_socket(c, p->nsp);

    if (s == NULL)
        return p->type == SIO_CONNECT ? on_connect(c, p) : ERR_FRAME;
    if (p->type == SIO_DISCONNECT) {
        socket_end(s, SIO_REASON_CLIENT_LEFT);
        return 0;
    }
    if (p->type == SIO_CONNECT)
        return ERR_FRAME;
    if (s->state == SOCKET_ASKING || s->early != NULL)
        return early_hold(s, p, attachments);
    client_hand_over(s, p, attachments);
    return 0;
}

static bool is_too_fast(struct client *c)
{
    uint32_t max = c->server->options.events_per_second_max;
    uint64_t now_us = net_now_ms(c->server->net) * 1000;

    if (max == 0)
        return false;
    if (c->busy_until_us < now_us)
        c->busy_until_us = now_us;
    c->busy_until_us += SECOND_US / max;
    return c->busy_until_us - now_us > SECOND_US;
}

static int on_text(struct client *c, struct slice text)
{
    struct sio_packet p;
    int err;

    if (c->assembly != NULL)
        return ERR_FRAME;                      /* an attachment is due, nothing else */
    err = sio_packet_parse(text, c->server->options.attachments_max, &c->server->name, &p);
    if (err != 0)
        return err;
    if (p.attachments == 0)
        return on_packet(c, &p, NULL);
    c->assembly = assembly_new(&p);
    return 0;
}

static int on_binary(struct client *c, struct slice data)
{
    struct assembly *a = c->assembly;
    const struct sio_packet *p;
    int err;

    if (a == NULL)
        return ERR_FRAME;                      /* nobody announced it */
    if (!assembly_add(a, data))
        return 0;
    c->assembly = NULL;
    p = assembly_packet(a);
    err = p->payload.len == 0 ? 0 : sio_placeholders_check(p->payload, p->attachments);
    if (err == 0)
        err = on_packet(c, p, assembly_attachments(a));
    assembly_free(a);
    return err;
}

void client_on_message(struct eio_session *session, struct slice data, bool is_binary, void *arg)
{
    struct client *c = eio_session_data(session);
    struct sio_server *s = arg;
    int err;

    if (c == NULL || c->is_closing)
        return;
    count_one(s->counters.received);
    if (!is_binary && is_too_fast(c)) {
        count_one(s->counters.floods);
        log_info("client-too-fast", LOG_NUM("events_max", s->options.events_per_second_max));
        c->is_closing = true;
        eio_session_abort(session, EIO_TRANSPORT_ERROR);
        return;
    }
    err = is_binary ? on_binary(c, data) : on_text(c, data);
    if (err != 0) {
        count_one(s->counters.bad_packets);
        client_close(c, SIO_REASON_PARSE_ERROR);
    }
}

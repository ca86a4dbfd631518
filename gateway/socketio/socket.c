/* socket.c -- a client's place in a namespace: from asking in to its last callback.
 *
 *     ASKING --accept--> OPEN --(41, kick, transport gone)--> ENDING --> freed
 *        '----refuse---> REFUSED ------------------------------------> freed
 *
 * Whatever is said to a socket directly first delivers the broadcasts that it has not been
 * reached by yet (fanout.h), so that it hears everything in the order in which it was
 * said. An ending socket keeps its rooms until on_disconnect has run (recovery wants to
 * write them down), but nothing is sent to it any more. */
#include "gateway/socketio/internal.h"

#include <assert.h>
#include <stdlib.h>

#include "common/crypto.h"
#include "common/err.h"
#include "common/mem.h"

#define SID_RANDOM_BYTES 15                    /* 20 characters of base64url */

static_assert(SID_RANDOM_BYTES * 4 / 3 < SIO_SID_MAX, "a sid and its NUL fit");

const char *sio_reason_text(enum sio_reason reason)
{
    static const char *const TEXTS[] = {
#define X(name, text) [SIO_REASON_##name] = text,
        SIO_REASON_MAP(X)
#undef X
    };

    return (unsigned)reason < SIO_REASON_COUNT ? TEXTS[reason] : "unknown";
}

static void make_sid(char out[SIO_SID_MAX], struct buf *scratch)
{
    uint8_t random[SID_RANDOM_BYTES];

    crypto_random(random, sizeof(random));
    buf_reset(scratch);
    crypto_append_base64url(scratch, random, sizeof(random));
    assert(scratch->len < SIO_SID_MAX);
    memcpy(out, scratch->data, scratch->len + 1);
}

struct sio_socket *socket_new(struct client *c, struct sio_namespace *n)
{
    struct sio_socket *s = pool_take(&c->server->socket_pool);

    member_init(&s->member);
    s->client = c;
    s->ns = n;
    s->state = SOCKET_ASKING;
    make_sid(s->sid, &c->server->scratch);
    s->next = c->sockets;
    c->sockets = s;
    return s;
}

/* --- sending --- */

static bool can_send(const struct sio_socket *s)
{
    return s->state == SOCKET_ASKING || s->state == SOCKET_OPEN;
}

int socket_send_message(struct sio_socket *s, struct sio_message *m)
{
    int err = can_send(s) ? 0 : ERR_CLOSED;

    if (err == 0 && client_is_receiver(s->client))
        receiver_take(s, m);
    else
        for (size_t i = 0; i < m->count && err == 0; i++)
            err = eio_session_send(s->client->session, m->parts[i]);
    if (err == 0)
        count_one(s->client->server->counters.sent);
    return err;
}

/* Packets that are no events are nothing to a receiver. */
int socket_send_text(struct sio_socket *s, const struct slice *parts, size_t count)
{
    struct eio_message *m;
    int err;

    fanout_catch_up(&s->ns->rooms, &s->member);
    if (!can_send(s))
        return ERR_CLOSED;
    if (client_is_receiver(s->client))
        return 0;
    m = eio_message_join(parts, count, false, 0);
    err = eio_session_send(s->client->session, m);
    eio_message_unref(m);
    if (err == 0)
        count_one(s->client->server->counters.sent);
    return err;
}

int sio_emit(struct sio_socket *s, struct slice array)
{
    struct slice parts[] = { SLICE("2"), slice_of(s->ns->prefix), array };
    struct sio_message *m;
    int err;

    if (!client_is_receiver(s->client))
        return socket_send_text(s, parts, 3);
    m = sio_message_new(s->ns, array, SLICE(""), 0);
    err = sio_emit_message(s, m);
    sio_message_unref(m);
    return err;
}

int sio_emit_binary(struct sio_socket *s, struct slice array, const struct slice *attachments,
                    size_t count)
{
    struct sio_message *m;
    int err;

    if (count == 0)
        return sio_emit(s, array);
    m = sio_message_new_binary(s->ns, array, SLICE(""), attachments, count);
    err = sio_emit_message(s, m);
    sio_message_unref(m);
    return err;
}

int sio_emit_message(struct sio_socket *s, struct sio_message *m)
{
    assert(m->ns == s->ns);
    fanout_catch_up(&s->ns->rooms, &s->member);
    return socket_send_message(s, m);
}

/* --- being let in --- */

static void accept_with(struct sio_socket *s, const char *pid)
{
    struct buf *out = &s->client->server->scratch;
    struct slice parts[3] = { SLICE("0"), slice_of(s->ns->prefix) };

    buf_reset(out);
    buf_append_text(out, "{\"sid\":");
    buf_append_json(out, slice_of(s->sid));
    if (pid != NULL) {
        buf_append_text(out, ",\"pid\":");
        buf_append_json(out, slice_of(pid));
    }
    buf_append_char(out, '}');
    parts[2] = buf_peek(out);
    deadline_clear(&s->client->connect);
    socket_send_text(s, parts, 3);
    s->state = SOCKET_OPEN;
    rooms_join_home(&s->ns->rooms, &s->member);
    early_due(s);
}

void sio_accept(struct sio_socket *s, const char *pid)
{
    if (s->state == SOCKET_ASKING)
        accept_with(s, pid);
}

void sio_accept_as(struct sio_socket *s, const char *sid, const char *pid)
{
    size_t len = strlen(sid);

    assert(len < SIO_SID_MAX);
    if (s->state != SOCKET_ASKING)
        return;
    memcpy(s->sid, sid, len + 1);
    accept_with(s, pid);
}

void sio_refuse(struct sio_socket *s, const char *message, struct slice data)
{
    struct buf *out = &s->client->server->scratch;
    struct slice parts[3] = { SLICE("4"), slice_of(s->ns->prefix) };

    if (s->state != SOCKET_ASKING)
        return;
    buf_reset(out);
    buf_append_text(out, "{\"message\":");
    buf_append_json(out, slice_of(message));
    if (data.len != 0) {
        buf_append_text(out, ",\"data\":");
        buf_append_slice(out, data);
    }
    buf_append_char(out, '}');
    parts[2] = buf_peek(out);
    socket_send_text(s, parts, 3);
    socket_end(s, SIO_REASON_SERVER_LEFT);
    s->state = SOCKET_REFUSED;
}

/* --- ending --- */

static void unlink_from_client(struct sio_socket *s)
{
    struct sio_socket **link = &s->client->sockets;

    while (*link != s)
        link = &(*link)->next;
    *link = s->next;
}

void socket_end(struct sio_socket *s, enum sio_reason reason)
{
    struct sio_server *server = s->client->server;

    if (!can_send(s))
        return;
    fanout_catch_up(&s->ns->rooms, &s->member);
    unlink_from_client(s);
    s->state = SOCKET_ENDING;
    s->reason = (uint8_t)reason;
    s->next = NULL;
    *server->ended_tail = s;
    server->ended_tail = &s->next;
    server_want_turn(server);
}

void socket_finish(struct sio_socket *s)
{
    const struct sio_namespace *n = s->ns;
    struct client *c = s->client;

    early_forget(s);
    acks_cancel(s);
    if (s->state != SOCKET_REFUSED)
        n->handlers->on_disconnect(s, (enum sio_reason)s->reason, n->arg);
    rooms_leave_all(&s->ns->rooms, &s->member);
    pool_give(&n->server->socket_pool, s);
    if (client_is_receiver(c))
        receiver_gone(c);
}

/* The chain is taken off first: what ends during these callbacks waits for the next turn. */
void sockets_finish_ended(struct sio_server *s, const struct client *only)
{
    struct sio_socket *chain = s->ended, *next;

    s->ended = NULL;
    s->ended_tail = &s->ended;
    for (; chain != NULL; chain = next) {
        next = chain->next;
        if (only == NULL || chain->client == only) {
            socket_finish(chain);
            continue;
        }
        chain->next = NULL;
        *s->ended_tail = chain;
        s->ended_tail = &chain->next;
    }
}

static void send_disconnect(struct sio_socket *s)
{
    struct slice parts[] = { SLICE("1"), slice_of(s->ns->prefix) };

    socket_send_text(s, parts, 2);
    socket_end(s, SIO_REASON_SERVER_LEFT);
}

void sio_disconnect(struct sio_socket *s, bool close)
{
    struct client *c = s->client;

    if (!can_send(s))
        return;
    send_disconnect(s);
    if (!close)
        return;
    while (c->sockets != NULL)
        send_disconnect(c->sockets);
    client_close(c, SIO_REASON_FORCED);
}

void sio_close_transport(struct sio_socket *s)
{
    client_close(s->client, SIO_REASON_FORCED);
}

/* --- looks --- */

const char *sio_socket_sid(const struct sio_socket *s)
{
    return s->sid;
}

struct sio_namespace *sio_socket_namespace(const struct sio_socket *s)
{
    return s->ns;
}

struct eio_session *sio_socket_session(const struct sio_socket *s)
{
    return s->client->session;
}

void *sio_socket_data(const struct sio_socket *s)
{
    return s->data;
}

void sio_socket_set_data(struct sio_socket *s, void *data)
{
    s->data = data;
}

void *sio_socket_client_data(const struct sio_socket *s)
{
    return s->client->data;
}

bool sio_socket_is_accepted(const struct sio_socket *s)
{
    return s->state == SOCKET_OPEN;
}

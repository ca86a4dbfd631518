/* ack.c -- acknowledgements: answers that we give, and answers that we wait for.
 *
 * Ids count up per namespace (as the reference's do), so a list per socket of the few that
 * are open is all that is needed to find one; all of them together stand in one list by
 * time. An answer whose id is unknown, or comes a second time, is ignored: the wait may just
 * have timed out. */
#include "gateway/socketio/internal.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"

struct ack_wait {
    struct deadline    deadline;               /* in server->acks, if it has a timeout */
    struct sio_socket *socket;
    struct ack_wait   *next;
    int64_t            id;
    sio_ack_cb        *cb;
    void              *arg;
};

int sio_emit_with_ack(struct sio_socket *s, struct slice array, uint64_t timeout_ms,
                      sio_ack_cb *cb, void *arg)
{
    struct sio_server *server = s->client->server;
    struct sio_message *m;
    struct ack_wait *w;
    int err;

    if (s->state != SOCKET_OPEN || client_is_receiver(s->client))
        return ERR_CLOSED;
    m = message_build(s->ns, SIO_EVENT, s->ns->next_ack, array, SLICE(""), 0, NULL, 0);
    err = sio_emit_message(s, m);
    sio_message_unref(m);
    if (err != 0)
        return err;
    w = mem_new(struct ack_wait);
    deadline_init(&w->deadline);
    w->socket = s;
    w->id = s->ns->next_ack++;
    w->cb = cb;
    w->arg = arg;
    w->next = s->acks;
    s->acks = w;
    if (timeout_ms != 0) {
        deadlines_set(&server->acks, &w->deadline, net_now_ms(server->net) + timeout_ms);
        server_arm_timer(server);
    }
    return 0;
}

/* Take the wait at `*link` out, tell its owner, free it. */
static void settle(struct ack_wait **link, int err, struct slice array,
                   const struct slice *attachments, size_t count)
{
    struct ack_wait *w = *link;

    *link = w->next;
    deadline_clear(&w->deadline);
    w->cb(err, array, attachments, count, w->arg);
    free(w);
}

void acks_answer(struct sio_socket *s, int64_t id, struct slice array,
                 const struct slice *attachments, size_t count)
{
    for (struct ack_wait **link = &s->acks; *link != NULL; link = &(*link)->next) {
        if ((*link)->id == id) {
            settle(link, 0, array.len == 0 ? SLICE("[]") : array, attachments, count);
            return;
        }
    }
}

void acks_cancel(struct sio_socket *s)
{
    while (s->acks != NULL)
        settle(&s->acks, ERR_CLOSED, SLICE(""), NULL, 0);
}

void acks_expire(struct sio_server *s, uint64_t now_ms)
{
    struct deadline *d;

    while ((d = deadlines_take(&s->acks, now_ms)) != NULL) {
        struct ack_wait *w = container_of(d, struct ack_wait, deadline);
        struct ack_wait **link = &w->socket->acks;

        while (*link != w)
            link = &(*link)->next;
        settle(link, ERR_TIMEOUT, SLICE(""), NULL, 0);
    }
}

/* --- answers that we give --- */

int sio_ack(struct sio_socket *s, int64_t ack, struct slice array)
{
    return sio_ack_binary(s, ack, array, NULL, 0);
}

int sio_ack_binary(struct sio_socket *s, int64_t ack, struct slice array,
                   const struct slice *attachments, size_t count)
{
    enum sio_packet_type type = count == 0 ? SIO_ACK : SIO_BINARY_ACK;
    struct sio_message *m;
    int err;

    if (s->state != SOCKET_OPEN || client_is_receiver(s->client))
        return ERR_CLOSED;
    m = message_build(s->ns, type, ack, array, SLICE(""), 0, attachments, count);
    err = sio_emit_message(s, m);
    sio_message_unref(m);
    return err;
}

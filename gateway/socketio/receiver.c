/* receiver.c -- members of rooms that are no clients: for those who get the same events in another
 * form, over another protocol.
 *
 * A receiver is a socket whose client has no session. So it needs no second kind of membership,
 * order, or ending: rooms, fan-out and the application treat it like all others, and the few
 * places that reach for a session look first. One socket each; they end together.
 *
 * Rejected: a transport in engineio (it would have to know what Socket.IO packets mean to turn
 * them into anything else), and a list of callbacks per room (a second fan-out, with an order of
 * its own). */
#include "gateway/socketio/internal.h"

#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"

struct receiver {
    struct client                  client;
    const struct sio_receiver_ops *ops;
    struct list                    in_all;     /* server->receivers */
};

static struct receiver *receiver_of(struct client *c)
{
    assert(client_is_receiver(c));
    return container_of(c, struct receiver, client);
}

struct sio_socket *sio_receiver_new(struct sio_namespace *n, const struct sio_receiver_ops *ops,
                                    void *data)
{
    struct sio_server *s = n->server;
    struct receiver   *r = mem_new(struct receiver);

    assert(!s->is_closing);
    r->ops = ops;
    r->client.server = s;
    r->client.data = data;
    r->client.end_reason = SIO_REASON_FORCED;
    deadline_init(&r->client.connect);
    list_append(&s->receivers, &r->in_all);
    s->clients++;
    return socket_new(&r->client, n);
}

void sio_receiver_end(struct sio_socket *s, enum sio_reason reason)
{
    assert(client_is_receiver(s->client));
    client_close(s->client, reason);
}

void receiver_take(struct sio_socket *s, struct sio_message *m)
{
    receiver_of(s->client)->ops->on_message(s, m);
}

void receiver_gone(struct client *c)
{
    struct receiver   *r = receiver_of(c);
    struct sio_server *s = c->server;

    list_remove(&r->in_all);
    r->ops->on_gone(c->data, (enum sio_reason)c->end_reason);
    free(r);
    server_client_gone(s);
}

void receivers_close(struct sio_server *s)
{
    list_each_safe(node, &s->receivers)
        client_close(&container_of(node, struct receiver, in_all)->client, SIO_REASON_SHUTDOWN);
}

/* early.c -- what a client says before it was let in.
 *
 * The reference server closes such a client, where the application takes its time to decide.
 * But there are clients that do not wait for the answer to their CONNECT (Rust's emits as
 * soon as it has sent it), and an application that asks Redis first is not their fault. So
 * events are kept, a few and not many bytes, and handed over in a turn of their own once the
 * socket is in; what comes in between queues behind them. A client that says more than that
 * without an answer is closed, as before. */
#include "gateway/socketio/internal.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"
#include "gateway/socketio/assembly.h"

#define EARLY_PACKETS_MAX 64
#define EARLY_BYTES_MAX   (256u << 10)         /* more than one message of the usual maxPayload */

struct early {
    struct list        in_server;              /* once it is due */
    struct sio_socket *socket;                 /* NULL: gone while its packets were handed over */
    size_t             count, bytes;
    bool               is_running;
    struct assembly   *packets[EARLY_PACKETS_MAX];
};

static void early_free(struct early *e)
{
    if (e->socket != NULL)
        e->socket->early = NULL;
    list_remove(&e->in_server);
    for (size_t i = 0; i < e->count; i++)
        assembly_free(e->packets[i]);
    free(e);
}

int early_hold(struct sio_socket *s, const struct sio_packet *p, const struct slice *attachments)
{
    struct early    *e = s->early;
    struct assembly *a;
    size_t           bytes = p->payload.len;

    for (size_t i = 0; i < p->attachments; i++)
        bytes += attachments[i].len;
    if (e == NULL) {
        e = s->early = mem_new(struct early);
        e->socket = s;
        list_init(&e->in_server);
    }
    if (e->count == EARLY_PACKETS_MAX || e->bytes + bytes > EARLY_BYTES_MAX)
        return ERR_FRAME;
    a = assembly_new(p);
    for (size_t i = 0; i < p->attachments; i++)
        (void)assembly_add(a, attachments[i]);
    e->packets[e->count++] = a;
    e->bytes += bytes;
    return 0;
}

void early_due(struct sio_socket *s)
{
    struct sio_server *server = s->client->server;

    if (s->early == NULL)
        return;
    list_append(&server->early, &s->early->in_server);
    server_want_turn(server);
}

void early_forget(struct sio_socket *s)
{
    struct early *e = s->early;

    if (e == NULL)
        return;
    if (!e->is_running) {
        early_free(e);
        return;
    }
    e->socket = NULL;
    s->early = NULL;
}

/* More may be added while it runs, by what the application does with what it gets. */
static void hand_over(struct early *e)
{
    e->is_running = true;
    for (size_t i = 0; i < e->count; i++) {
        struct sio_socket *s = e->socket;

        if (s == NULL || s->state != SOCKET_OPEN || s->client->is_closing)
            break;
        client_hand_over(s, assembly_packet(e->packets[i]), assembly_attachments(e->packets[i]));
    }
    early_free(e);
}

void earlies_hand_over(struct sio_server *server)
{
    struct list  due = LIST_INIT(due);
    struct list *node;

    list_splice(&due, &server->early);
    while ((node = list_take_first(&due)) != NULL)
        hand_over(container_of(node, struct early, in_server));
}

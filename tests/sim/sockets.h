/* sockets.h -- the Socket.IO of the simulation: gateway/socketio/socketio.h as far as joins,
 * rooms and broadcasts need it, over a network of its own.
 *
 * A socket is a client's connection to one gateway: an ordered stream both ways, which may
 * break at any moment and then loses what is on its way. Each message is looked at once
 * (heard.h) and then shared, as the product frames it once. */
#ifndef TASKWIRE_SIM_SOCKETS_H
#define TASKWIRE_SIM_SOCKETS_H

#include "gateway/socketio/socketio.h"
#include "tests/sim/heard.h"
#include "tests/sim/sim.h"

struct client;

struct sio_namespace *sockets_new(struct node *n);
void                  sockets_free(struct sio_namespace *ns);     /* no sockets are left */

/* A client's connection; `slow` factors are its own. */
struct sio_socket *socket_open(struct sio_namespace *ns, struct client *c, uint64_t extra_us);

/* The client goes, or the network between: it hears nothing more. The gateway's end is there
 * until socket_close. */
void socket_drop(struct sio_socket *s);
bool socket_is_dropped(const struct sio_socket *s);
void socket_close(struct sio_socket *s);       /* leaves its rooms; the memory goes */

struct client *socket_client(const struct sio_socket *s);
struct node   *socket_node(const struct sio_socket *s);

/* What the client gets (client.c). */
void client_hear(struct client *c, const struct heard *h);
/* Its gateway was killed, or hung up. */
void client_cut(struct client *c);
void client_hear_ack(struct client *c, int64_t ack, bool is_ok, struct slice json);

#endif

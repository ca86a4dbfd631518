/* gateways.h -- gateways of the simulation: the product's feed, joins, rooms and sources,
 * wired as gateway/app.c wires them, over the modelled sockets and network.
 *
 * What app.c does beside that (tokens, limits, features) has nothing to do with C1 to C3 and
 * is left out. */
#ifndef TASKWIRE_SIM_GATEWAYS_H
#define TASKWIRE_SIM_GATEWAYS_H

#include "tests/sim/sockets.h"

#define GATEWAYS_MAX 4

struct gateway;

void   gateways_begin(size_t count);
void   gateways_end(void);
size_t gateways_count(void);
bool   gateway_is_up(size_t i);
void   gateway_crash(size_t i);                /* drops its clients; comes back by itself */

/* A client comes: NULL where that gateway is down. `extra_us`: its network is that slow. */
struct sio_socket *gateway_connect(size_t i, struct client *c, const char *sub, const char *org,
                                   uint64_t extra_us);

/* The client's end: it, or the network, is gone. The gateway notices later. */
void gateway_disconnect(struct sio_socket *s);

enum request_kind { REQUEST_JOIN, REQUEST_LEAVE, REQUEST_DASH, REQUEST_UNDASH, REQUEST_RESYNC };

/* An event of a client with an acknowledgement; `task` is "" for the dashboard. */
void gateway_request(struct sio_socket *s, enum request_kind kind, const char *task, int64_t ack);

#endif

/* taskds.h -- taskds of the simulation: the product's publisher (with its outbox), acts,
 * transitions, ingest order and snapshots, over the modelled store and Redis.
 *
 * The HTTP between gateways and them is modelled (each call on a connection of its own: calls
 * overtake each other), and so is the bus: a stream that keeps what is not handled yet, and
 * a lease that one taskd at a time holds. */
#ifndef TASKWIRE_SIM_TASKDS_H
#define TASKWIRE_SIM_TASKDS_H

#include "gateway/taskd_client.h"
#include "taskd/tasks.h"
#include "tests/sim/sim.h"

#define TASKDS_MAX 3

void   taskds_begin(size_t count);
void   taskds_end(void);
size_t taskds_count(void);
void   taskd_crash(size_t i);                  /* it comes back by itself */

/* A person's request at some taskd; what comes of it is nobody's business. */
void taskds_act(const struct act *a);
void taskds_create(const struct new_task *n);

/* --- the bus (bus.c) --- */

/* XADD: it will be acted on once, or be a dead letter, whatever crashes. */
void   bus_add(const char *task, enum input input, json_t *data, const char *key);
size_t bus_waiting(void);
size_t bus_dead(void);

/* --- for gateways --- */
struct taskd_client *taskds_client_new(struct node *n);
void                 taskds_client_free(struct taskd_client *c);

#endif

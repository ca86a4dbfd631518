/* bus.h -- the ingest stream of the simulation, and who reads it: see taskds.h.
 *
 * Which input acts when is decided by the product's ingest_order, what it does by its
 * tasks_act; the stream, its lease and its acknowledgements are modelled. */
#ifndef TASKWIRE_SIM_BUS_H
#define TASKWIRE_SIM_BUS_H

#include "taskd/tasks.h"
#include "tests/sim/sim.h"

struct ingestion;

void bus_begin(void);
void bus_end(void);                            /* no taskd is left */

struct ingestion *ingestion_new(struct node *n, struct tasks *t);
void              ingestion_kill(struct ingestion *in);   /* gone when its last act is answered */

#endif

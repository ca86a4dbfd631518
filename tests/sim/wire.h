/* wire.h -- the network between the services and Redis: common/redis.h and
 * taskd/publish_script.h over virtual time.
 *
 * Each link is a TCP stream: commands and replies keep their order, and take their time. A
 * link that breaks calls everything under way back with ERR_REDIS; of what had been sent, some
 * may still arrive. Subscriptions lose what is published while they are down. Nothing is
 * delivered twice, since TCP and pub/sub do not. */
#ifndef TASKWIRE_SIM_WIRE_H
#define TASKWIRE_SIM_WIRE_H

#include "common/redis.h"
#include "tests/sim/sim.h"

/* How long a message travels, in this history. */
struct weather {
    uint64_t from_us, to_us;                   /* nearly always */
    unsigned slow_per_mille;                   /* how often it takes ... */
    uint64_t slow_us;                          /* ... up to so long */
};
extern struct weather weather;
uint64_t wire_delay_us(void);

void wire_begin(void);
void wire_end(void);                           /* all links are gone */

/* --- what may happen --- */
void wire_break_link(void);                    /* one of the command links, by chance */
void wire_break_subscriber(void);
void wire_mute_subscriber(void);               /* it dies without a sign */
void wire_break_all(void);                     /* the server is gone */

/* Some subscribers hear that something was said, but not what (of tasks that they know, and whose
 * privacy stays as it is): the feed's numbers are in order, and still something is missed. */
void wire_blind_subscribers(void);
void wire_unblind_subscribers(void);

/* The process behind these links was killed: callbacks run with ERR_REDIS. */
void wire_kill_node(struct node *n);

#endif

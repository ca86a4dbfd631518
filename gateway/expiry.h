/* expiry.h -- whose token ends when: one wheel for all sockets instead of a timer each.
 *
 * Slots of one second; a node's slot is its second modulo the wheel's size, so one that lies
 * further away is met early and left where it is. Pure; wall time is an argument. */
#ifndef TASKWIRE_GATEWAY_EXPIRY_H
#define TASKWIRE_GATEWAY_EXPIRY_H

#include <stdint.h>

#include "common/list.h"

#define EXPIRY_SLOTS 1024

struct expiry {
    struct list slots[EXPIRY_SLOTS];
    int64_t     done_s;                        /* all up to and with this second are handled */
};

void expiry_init(struct expiry *e, int64_t now_s);

/* Put a node in (it is in no list). One whose second is over is met at the next turn. */
void expiry_add(struct expiry *e, struct list *node, int64_t at_s);

/* Go on to `now_s`: calls `fn` for every node of the seconds that passed; it says when the
 * node's time is. Where that has come, the node is removed and `over` called. */
struct expiry_calls {
    int64_t (*when)(const struct list *node);
    void    (*over)(struct list *node, void *arg);
};
void expiry_turn(struct expiry *e, int64_t now_s, const struct expiry_calls *calls, void *arg);

#endif

/* addresses.h -- how many clients come from each address (CONNECTIONS_PER_ADDRESS).
 *
 * Pure but for memory. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_ADDRESSES_H
#define TASKWIRE_GATEWAY_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

struct address;

struct addresses {
    struct address *table;
    uint32_t        clients_max;               /* of one address; 0: no limit */
};

void addresses_init(struct addresses *as, uint32_t clients_max);

/* Would one more from there be too many? */
bool addresses_is_full(const struct addresses *as, const char *text);

struct address *address_enter(struct addresses *as, const char *text);
void            address_leave(struct addresses *as, struct address *a);

#endif

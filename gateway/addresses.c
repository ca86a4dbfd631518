/* addresses.c -- see addresses.h.
 *
 * An address is in the table while a client of it is there, so the table is never larger
 * than the number of connections. Behind a proxy all clients share its address: the limit is
 * then the proxy's to keep, which is why it is off by default. */
#include "gateway/addresses.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <uthash.h>

#include "common/mem.h"
#include "common/net.h"

struct address {
    char           text[NET_ADDRESS_SIZE];
    uint32_t       clients;
    UT_hash_handle hh;
};

void addresses_init(struct addresses *as, uint32_t clients_max)
{
    *as = (struct addresses){ .clients_max = clients_max };
}

static struct address *find(const struct addresses *as, const char *text)
{
    struct address *a = NULL;

    HASH_FIND_STR(as->table, text, a);
    return a;
}

bool addresses_is_full(const struct addresses *as, const char *text)
{
    const struct address *a = as->clients_max == 0 ? NULL : find(as, text);

    return a != NULL && a->clients >= as->clients_max;
}

struct address *address_enter(struct addresses *as, const char *text)
{
    struct address *a = find(as, text);

    if (a == NULL) {
        a = mem_new(struct address);
        snprintf(a->text, sizeof(a->text), "%s", text);
        HASH_ADD_STR(as->table, text, a);
    }
    a->clients++;
    return a;
}

void address_leave(struct addresses *as, struct address *a)
{
    assert(a->clients > 0);
    if (--a->clients > 0)
        return;
    HASH_DEL(as->table, a);
    free(a);
}

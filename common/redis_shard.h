/* redis_shard.h -- several Redis servers that share the orgs (SPEC I2, DESIGN 7).
 *
 * REDIS_URL names one or several. An org's feed, log and sequencer live on one of them, by a
 * rendezvous hash (proto/internal.md, "Several Redis servers"): everybody who reads the same
 * names computes the same server, in whatever order they are named, and a server that is added
 * takes its share of the orgs and moves no others. All that belongs to no org lives on the
 * first named. Pure; any thread. */
#ifndef TASKWIRE_COMMON_REDIS_SHARD_H
#define TASKWIRE_COMMON_REDIS_SHARD_H

#include <stddef.h>

#include "common/buf.h"
#include "common/slice.h"

#define REDIS_SERVERS_MAX      16              /* a SHA-256 each, whenever an org's is looked for */
#define REDIS_SERVER_NAME_SIZE 272             /* "host:port", a NUL included */

struct redis_servers {
    size_t count;                              /* 1 at least */
    char  *urls[REDIS_SERVERS_MAX];
    char   names[REDIS_SERVERS_MAX][REDIS_SERVER_NAME_SIZE];   /* what is hashed: host:port */
};

/* Read `urls`, comma-separated, blanks around them allowed. Returns 0, or ERR_INVALID with a
 * sentence in `why` (may be NULL) that holds no secret: then there is nothing to deinit. */
int  redis_servers_init(struct redis_servers *s, const char *urls, struct buf *why);
void redis_servers_deinit(struct redis_servers *s);

/* Which of them is the org's: an index. */
size_t redis_servers_of(const struct redis_servers *s, struct slice org);

#endif

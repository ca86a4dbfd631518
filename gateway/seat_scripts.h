/* seat_scripts.h -- the Lua that keeps records consistent. For seats.c alone.
 *
 * A record is a hash: owner, sub, org, run, sid, start, k, and a field per room. `owner` is
 * "<gateway>.<number>", one per socket. */
#ifndef TASKWIRE_GATEWAY_SEAT_SCRIPTS_H
#define TASKWIRE_GATEWAY_SEAT_SCRIPTS_H

#include "common/redis.h"

/* KEYS: record. ARGV: owner, "new" or "own", ttl, how many fields go, these, then pairs to set.
 * "new" replaces the record. Returns 1; 0: there is none; -1: it is another's. */
extern struct redis_script seat_write_script;

/* KEYS: record. ARGV: new owner, sub, org, run, ttl, channel prefix. Returns the fields and
 * values after they were changed; or a text: "none", "stranger". */
extern struct redis_script seat_take_script;

/* KEYS: record. ARGV: owner. */
extern struct redis_script seat_delete_script;

/* KEYS: records. ARGV: ttl, run, then the owner of each. Returns for each as seat_write_script
 * (0 also where it was written to another Redis). */
extern struct redis_script seat_renew_script;

#endif

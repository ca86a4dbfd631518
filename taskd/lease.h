/* lease.h -- one process at a time may do this: a lease in Redis, judged by one's own clock.
 *
 * Taken by SET NX PX under a token nobody else knows, renewed each second. It counts from
 * when it was asked for, not from when the answer came. Who takes it over waits a second
 * more before it begins, so that whatever its predecessor still had on the way has arrived.
 * Where something else proves that every predecessor is dead (the lock of a SQLite file), it is
 * taken without asking, and held a moment later.
 * All on the loop. */
#ifndef TASKWIRE_TASKD_LEASE_H
#define TASKWIRE_TASKD_LEASE_H

#include "common/redis.h"

struct lease;

/* Held or not any more. */
typedef void lease_cb(bool is_held, void *arg);

struct lease_options {
    const char *key;                           /* must outlive the lease (a literal) */
    uint64_t    ttl_ms;
    bool        is_alone;                      /* nobody else that is alive could hold it */
    lease_cb   *cb;
    void       *arg;
};

struct lease *lease_new(uv_loop_t *loop, struct redis *redis, const struct lease_options *o);

/* Milliseconds for which it is certainly held from now on; 0: it is not. */
uint64_t lease_left_ms(const struct lease *l);

/* What scripts compare with the key's value. */
const char *lease_token(const struct lease *l);

/* Give it back and seek it no more: cb has run, with false, before this returns where it was
 * held. lease_close is still due. */
void lease_resign(struct lease *l);

/* Give it back; cb does not run any more, the memory goes later on the loop. */
void lease_close(struct lease *l);

#endif

/* sids.h -- sessions by their sid: a hash table that costs a session one pointer. Pure.
 *
 * A sid ends in 20 characters that nobody can choose, so its last bytes are the hash. One
 * thread. */
#ifndef TASKWIRE_ENGINEIO_SIDS_H
#define TASKWIRE_ENGINEIO_SIDS_H

#include <stddef.h>

#include "common/slice.h"

#define SID_RANDOM_BYTES 15
#define SID_RANDOM_CHARS 20                    /* the same in base64url */

struct eio_session;

struct sids {
    struct eio_session **buckets;
    size_t               bucket_count;         /* a power of two, or 0 */
    size_t               count;
};

void sids_init(struct sids *t);
void sids_deinit(struct sids *t);              /* must be empty */

/* Add a session; it must not be in a table. */
void sids_add(struct sids *t, struct eio_session *s);

/* Take it out; harmless where it is not in. */
void sids_remove(struct sids *t, struct eio_session *s);

/* NULL where there is none. */
struct eio_session *sids_find(const struct sids *t, struct slice sid);

/* Call `fn` for each; it may remove the one it is called for, and add none. */
void sids_each(struct sids *t, void (*fn)(struct eio_session *s));

#endif

/* replicas.h -- which gateways there are, and where: the registry in Redis.
 *
 * Every gateway writes its heartbeat, a hash with a TTL, and looks others up by the id that
 * their sids begin with. What was found, or found missing, is remembered for a moment. While
 * Redis is away, what was known last is still the best that there is to know. On the loop's
 * thread. */
#ifndef TASKWIRE_GATEWAY_REPLICAS_H
#define TASKWIRE_GATEWAY_REPLICAS_H

#include "common/buf.h"
#include "common/list.h"
#include "common/metrics.h"
#include "common/redis.h"

#define REPLICA_ID_MAX        44               /* bytes, a NUL included */
#define REPLICAS_HEARTBEAT_MS 2000
#define REPLICAS_KNOWN_MS     2000             /* a replica that was found is not asked for again */
#define REPLICAS_MISSING_MS   1000             /* one that was not found */
#define REPLICAS_KEPT_MAX     1024             /* remembered at once */
#define REPLICA_FIELDS_MAX    16               /* that describe() may add to a heartbeat */
#define REPLICA_FIELDS_BYTES  32768            /* all of them: a heartbeat is written every 2 s */

struct replica;

struct replicas_options {
    struct redis *redis;
    const char   *id, *url;                    /* ours */
    /* Optional: what else a heartbeat says of us, by calls of replica_say. */
    void        (*describe)(struct buf *fields, void *arg);
    void         *arg;
};

struct replicas {
    struct replicas_options options;
    uv_loop_t      *loop;
    uv_timer_t      timer;
    struct replica *table;
    char            started[32];
    char            run_id[41];                /* of the Redis that we last met */
    uint64_t        written_ms;                /* 0: the heartbeat is due */
    uint64_t        doubt_until_ms;            /* until then "missing" means nothing */
    bool            is_writing;
    bool            is_announced;              /* the heartbeat was written at least once */
    bool            is_closing;
};

/* Begin to write heartbeats. The options' texts and link must outlive it. */
void replicas_init(struct replicas *r, uv_loop_t *loop, const struct replicas_options *options);

/* Add a field to the heartbeat that is being written. What does not fit is left out. */
void replica_say(struct buf *fields, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Read what all replicas say: an array with a row for each of id, version, state, at, users,
 * connections, messagesPerSecond and errors. As redis_eval. */
int replicas_list(struct replicas *r, redis_cb *cb, void *arg);

/* Delete the heartbeat and write no more. Who waits for an answer must have been cancelled. */
void replicas_close(struct replicas *r);

/* After the link has been closed: forget all. */
void replicas_deinit(struct replicas *r);

/* Is it known now? Returns 0 with the URL (valid until the next call here), ERR_NOT_FOUND
 * where there is no such gateway, or ERR_BUSY: ask. */
int replicas_look(struct replicas *r, struct slice id, const char **url);

/* err: 0 with the URL, lent; ERR_NOT_FOUND; or ERR_REDIS and the like: nobody knows just now. */
typedef void replicas_cb(int err, const char *url, void *arg);

struct replicas_wait {                         /* the asker's; do not touch */
    struct list  link;
    replicas_cb *cb;
    void        *arg;
};

/* Ask Redis; many may wait for one answer. Returns 0 and cb runs once, later; or ERR_BUSY,
 * ERR_REDIS, ERR_CLOSED and it never runs. */
int  replicas_ask(struct replicas *r, struct slice id, struct replicas_wait *w, replicas_cb *cb,
                  void *arg);
void replicas_cancel(struct replicas_wait *w); /* cb never runs; harmless after it did */

/* Nobody answers there: for a moment there is no such gateway. */
void replicas_forget(struct replicas *r, struct slice id);

/* Can others find us? */
bool replicas_is_announced(const struct replicas *r);

#endif

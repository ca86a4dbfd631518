/* redis.h -- the link to Redis: commands, scripts, subscriptions; the one door to hiredis.
 *
 * A `redis` is one connection that comes back by itself (100 ms, doubling to 2 s, with
 * jitter; connecting itself is given 2 s). Of hiredis only the reply reader is used; the
 * connection is libuv's and the timers are ours (redis_link.c says why).
 * Replies are lent until the callback returns. All calls on the loop's thread. */
#ifndef TASKWIRE_COMMON_REDIS_H
#define TASKWIRE_COMMON_REDIS_H

#include <uv.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/metrics.h"
#include "common/slice.h"

struct redis;
struct redis_reply;                            /* hiredis's, opaque here */

/* The link went up (selected, authenticated, run_id known) or down. Optional. Commands that
 * were under way when it went down have been called back with ERR_REDIS before. */
typedef void redis_state_cb(struct redis *r, bool is_up, void *arg);

struct redis_options {
    const char     *url;                       /* redis://[user:password@]host:port[/db] */
    const char     *name;                      /* for CLIENT SETNAME and logs */
    size_t          pending_max;               /* commands under way; past it ERR_BUSY; 0: 65536 */
    uint64_t        timeout_ms;                /* a reply awaited so long: reconnect; 0: never */
    redis_state_cb *on_state;
    void           *arg;
    struct metric  *seconds;                   /* how long calls took, answered ones; NULL: not told */
};

/* Begin to connect. Returns NULL where the URL cannot be parsed. */
struct redis *redis_new(uv_loop_t *loop, const struct redis_options *options);

/* Commands under way are called back with ERR_CLOSED before this returns; the memory goes
 * later, on the loop. */
void redis_close(struct redis *r);

bool redis_is_up(const struct redis *r);

/* The server's run_id (40 hex digits) of the current connection; "" while down. A Redis that
 * restarted or failed over has another one. */
const char *redis_run_id(const struct redis *r);

/* err: 0 with a reply; ERR_REPLY with an error reply (redis_reply_text: its message);
 * ERR_REDIS or ERR_CLOSED with NULL: whether the command had an effect is then unknown. */
typedef void redis_cb(int err, const struct redis_reply *reply, void *arg);

/* Send one command. `cb` may be NULL. Returns 0, or ERR_REDIS while down, or ERR_BUSY (also
 * where 64 MiB wait to be sent): then cb never runs. Arguments are copied. Replies come in
 * the order of the commands. No SUBSCRIBE and MONITOR here: they answer more than once. */
int redis_command(struct redis *r, redis_cb *cb, void *arg, size_t argc, const struct slice *argv);

/* The same with at most 32 NUL-terminated arguments: redis_call(r, cb, arg, "GET", key, NULL). */
int redis_call(struct redis *r, redis_cb *cb, void *arg, ...) __attribute__((sentinel));

/* A Lua script, run by its SHA-1 and loaded when the server does not know it. Text and struct
 * must outlive the link (a literal in a static); at most 32 of them per link. */
struct redis_script {
    const char *text;
    char        sha[41];                       /* "" until first used */
};

/* Run a script; the first `key_count` of the `argc` arguments are its keys. As redis_command.
 * Order: scripts run in the order of the calls, the first use and reconnects included. The
 * exception is a server that forgets its scripts while the link is up (SCRIPT FLUSH): calls
 * it refused with NOSCRIPT are sent again by themselves, in order, but others may have run
 * in between. A script that needs order has to check it. */
int redis_eval(struct redis *r, struct redis_script *script, redis_cb *cb, void *arg,
               size_t key_count, size_t argc, const struct slice *argv);

/* --- replies --- */

enum redis_kind { REDIS_NIL, REDIS_TEXT, REDIS_INT, REDIS_ARRAY, REDIS_ERROR };

enum redis_kind redis_reply_kind(const struct redis_reply *reply);   /* NULL: REDIS_NIL */
struct slice    redis_reply_text(const struct redis_reply *reply);   /* TEXT, ERROR; else empty */
int64_t         redis_reply_int(const struct redis_reply *reply);    /* INT, TEXT digits; else 0 */
size_t          redis_reply_count(const struct redis_reply *reply);  /* ARRAY; else 0 */
const struct redis_reply *redis_reply_at(const struct redis_reply *reply, size_t i);  /* or NULL */

/* --- subscriptions, on a connection of their own --- */

struct redis_subscriber;

struct redis_subscriber_handlers {
    /* A message; both slices are lent during the call. */
    void (*on_message)(struct redis_subscriber *s, struct slice channel, struct slice message,
                       void *arg);
    /* Redis confirmed the subscription: what is published from now on will come. Runs again
     * for every channel after each reconnect. */
    void (*on_subscribed)(struct redis_subscriber *s, struct slice channel, void *arg);
    /* Optional. Down: whatever is published now is missed. */
    void (*on_state)(struct redis_subscriber *s, bool is_up, void *arg);
};

/* `handlers` must outlive the subscriber. NULL where the URL cannot be parsed. */
struct redis_subscriber *redis_subscriber_new(uv_loop_t *loop, const char *url, const char *name,
                                              const struct redis_subscriber_handlers *handlers,
                                              void *arg);

/* No handler runs any more; the memory goes later, on the loop. */
void redis_subscriber_close(struct redis_subscriber *s);

/* Want a channel or not any more; remembered across reconnects. Subscribing twice is
 * harmless and confirms again only after a reconnect. */
void redis_subscribe(struct redis_subscriber *s, struct slice channel);
void redis_unsubscribe(struct redis_subscriber *s, struct slice channel);

/* Drop the connection, later in this turn, and connect again (a canary was missed). Nothing
 * while it is down. */
void redis_subscriber_reset(struct redis_subscriber *s);

#endif

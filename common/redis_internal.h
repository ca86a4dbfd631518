/* redis_internal.h -- what common/redis*.c share; nobody else includes it.
 *
 * A `redis_link` is one connection to one server that comes back by itself. It greets the
 * server, then hands over every reply in order; what the replies answer is its owner's
 * business (redis.c: commands, redis_subscriber.c: channels). All on the loop's thread. */
#ifndef TASKWIRE_COMMON_REDIS_INTERNAL_H
#define TASKWIRE_COMMON_REDIS_INTERNAL_H

#include <hiredis/hiredis.h>
#include <uv.h>

#include <stdbool.h>

#include "common/buf.h"
#include "common/redis.h"
#include "common/slice.h"

#define REDIS_RUN_ID_SIZE 41                   /* 40 hex digits and a NUL */

/* --- URLs --- */

struct redis_url {
    char host[256];                            /* no brackets around IPv6 */
    int  port;
    char user[128];                            /* "": none */
    char password[512];                        /* "": none */
    int  db;
};

/* Parse redis://[user:password@]host[:port][/db]; user and password may be percent-encoded,
 * the user may be empty. Returns 0 or ERR_INVALID. */
int redis_url_parse(const char *text, struct redis_url *out);

/* --- links --- */

struct redis_link;

struct redis_link_ops {
    /* Greeted: authenticated, selected, run_id known, server ready. */
    void (*on_up)(void *arg);
    /* One reply, lent during the call. Never before on_up. */
    void (*on_reply)(const redisReply *reply, void *arg);
    /* Gone again; only after on_up. It is being connected anew. */
    void (*on_down)(void *arg);
    /* After redis_link_close: the last thing heard. */
    void (*on_closed)(void *arg);
};

/* Begin to connect. NULL where the URL cannot be parsed. `ops` must outlive the link. */
struct redis_link *redis_link_new(uv_loop_t *loop, const char *url, const char *name,
                                  const struct redis_link_ops *ops, void *arg);

/* Nothing but on_closed is called from now on, and that later. */
void redis_link_close(struct redis_link *l);

bool        redis_link_is_up(const struct redis_link *l);
const char *redis_link_run_id(const struct redis_link *l);       /* "" while down */

/* Drop the connection at the end of this turn and connect again; nothing while down. `why`
 * is a literal, for the log. */
void redis_link_drop(struct redis_link *l, const char *why);

/* Writing a command: begin, append RESP to the buf, end. End returns 0, or ERR_BUSY: then
 * nothing was written. What a turn writes leaves in one system call. Only while up. */
struct buf *redis_link_begin(struct redis_link *l);
int         redis_link_end(struct redis_link *l);

/* RESP of a command: its head, then each of its `argc` arguments. */
void redis_resp_head(struct buf *out, size_t argc);
void redis_resp_arg(struct buf *out, struct slice arg);

#endif

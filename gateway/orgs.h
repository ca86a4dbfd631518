/* orgs.h -- the orgs that somebody here listens to: subscription, log and position of each.
 *
 * The thin I/O around feed.c. An org is held by reference: sockets, rooms and snapshots each
 * hold one; after the last has gone it lingers for a while, since people reload pages.
 * On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_ORGS_H
#define TASKWIRE_GATEWAY_ORGS_H

#include <uv.h>

#include "common/buf.h"
#include "common/list.h"
#include "common/metrics.h"
#include "gateway/frame.h"
#include "proto/envelope.h"

#define ORG_NAME_MAX  130                      /* bytes, a NUL included */

struct orgs;
struct org;

struct orgs_handlers {
    /* The next envelope, in number order, each once. The org's position is already its. */
    void (*on_frame)(struct org *o, struct frame *f, void *arg);
    /* Something may have been missed: fetch the truth. What comes from now on will be told. */
    void (*on_resync)(struct org *o, void *arg);
    /* After frames, and whenever the feed went live, or is live no more, or moved. */
    void (*on_moved)(struct org *o, void *arg);
};

struct orgs_options {
    const char     *redis_url;                 /* or several, comma-separated */
    const char     *gateway;                   /* this gateway's id */
    uint64_t        linger_ms;                 /* of an org that nobody holds */
    struct metrics *metrics;
};

/* `handlers` and the options' texts must outlive it. NULL where the URLs cannot be parsed. */
struct orgs *orgs_new(uv_loop_t *loop, const struct orgs_options *options,
                      const struct orgs_handlers *handlers, void *arg);

/* All references must have been given back. The memory goes later, on the loop. */
void orgs_close(struct orgs *orgs);

/* Of every server subscriber and link are up, and canaries come back. */
bool orgs_is_healthy(const struct orgs *orgs);

/* Milliseconds since the canary was heard last: of the subscriber that is worst. */
uint64_t orgs_canary_ms(const struct orgs *orgs);

/* Where up to `max` orgs stand, for operators: `name=epoch-number`, a space between, and `?` after
 * one that does not follow its feed just now. Each call goes on where the one before ended.
 * Returns how many orgs there are in all. */
size_t orgs_report(struct orgs *orgs, size_t max, struct buf *out);

/* Hear a channel that is no org's, for as long as `orgs` lives. A few of them. Messages that are
 * published while the subscriber is down are missed: each time that it hears (again), cb is
 * called with no message (data NULL). */
typedef void orgs_news_cb(struct slice message, void *arg);
void orgs_listen(struct orgs *orgs, struct slice channel, orgs_news_cb *cb, void *arg);

struct redis *orgs_redis(const struct orgs *orgs);   /* the first server's link: sessions, control */

/* The org of that name (a valid org of SPEC I3, or "~sub"); never NULL. */
struct org *orgs_ref(struct orgs *orgs, struct slice name);
struct org *org_ref(struct org *o);
void        org_unref(struct org *o);

struct slice    org_name(const struct org *o);
struct position org_position(const struct org *o);
bool            org_is_live(const struct org *o);
void            org_expect(struct org *o, struct position at);  /* as feed_expect */

/* Asks Redis where the org is now. cb runs once, later, unless the org is gone by then: hold a
 * reference. err: 0 or ERR_REDIS and the like. Returns 0, or an error and cb never runs. */
typedef void org_ask_cb(struct org *o, int err, struct position at, uint32_t ticket, void *arg);
int org_ask(struct org *o, org_ask_cb *cb, uint32_t ticket, void *arg);

/* Asks for the org's log from number `from` on, FEED_LOG_BATCH entries at most. As org_ask; the
 * texts are lent during the call. */
typedef void org_log_cb(struct org *o, int err, const struct slice *texts, size_t count,
                        uint64_t ticket, void *arg);
int org_read_log(struct org *o, uint64_t from, org_log_cb *cb, uint64_t ticket, void *arg);

/* Who wants to hear of every move (source.c): a list of their nodes, kept by them. */
struct list *org_followers(struct org *o);

#endif

/* publisher_internal.h -- what the publisher's files share: publisher.c (who goes where),
 * publisher_tasks.c (tasks of a server), publisher_orgs.c (its orgs), publisher_asks.c
 * (questions about them). */
#ifndef TASKWIRE_TASKD_PUBLISHER_INTERNAL_H
#define TASKWIRE_TASKD_PUBLISHER_INTERNAL_H

#include <uthash.h>

#include "common/list.h"
#include "taskd/outbox.h"
#include "taskd/publish_script.h"
#include "taskd/publisher.h"

#define ORG_NAME_SIZE      131                 /* "~", 128 characters, a NUL */
#define PUBLISHER_TICK_MS  25
#define TOKEN_SIZE         33

struct shard;

/* What this process knows of an org. */
struct org {
    UT_hash_handle   hh;
    char             name[ORG_NAME_SIZE];
    struct shard    *shard;
    uint64_t         highest;                  /* the highest number ever heard */
    uint64_t         epoch;
    uint64_t         used_at_ms, checked_at_ms;
    uint64_t         count_at_ms;              /* not before */
    struct list      awaiting;                 /* in shard.awaiting: to be counted */
    unsigned         marks;                    /* under way: counting waits for them */
    enum { ORG_STEADY, ORG_AWAIT_MARKS, ORG_COUNTING } state;
    bool             is_beginning;             /* counting for a new epoch, not for a check */
};

/* One Redis server and the orgs that live there. Servers share nothing: one that is away, and all
 * that waits for it, holds up no other's orgs. */
struct shard {
    struct publisher *publisher;
    uv_loop_t        *loop;                    /* the publisher's */
    struct store     *store;
    struct redis     *redis;
    struct outbox    *outbox;
    struct org       *orgs;
    struct list       awaiting;                /* orgs to be counted when marks have ended */
    struct list       asks;                    /* positions asked for */
    unsigned          asks_under_way;          /* scripts */
    unsigned          counts_under_way;
    unsigned          settles_under_way;
};

struct publisher {
    uv_loop_t     *loop;
    struct store  *store;
    const struct redis_servers *servers;
    struct shard  *shards;                     /* one for each of the servers */
    int64_t        swept_to;                   /* where the next sweep goes on; 0: the beginning */
    uv_timer_t     wake, tick, sweep;
    unsigned       handles_open;
    bool           is_closing, is_sweeping;
    void         (*on_closed)(void *arg);
    void          *closed_arg;
    publisher_marked_cb *on_marked;
    void          *marked_arg;
    char           token[TOKEN_SIZE];
    struct metric *published, *notified, *repeats, *gaps, *holds, *epochs, *corrected, *refused;
    struct metric *latency, *lag;
};

/* --- publisher.c --- */

struct shard *shard_of(struct publisher *p, const char *org);

/* Let the outboxes be looked at on the next turn. */
void publisher_wake(struct publisher *p);

/* Say what is marked; without an id, that nothing is certain. */
void publisher_marked(struct publisher *p, const char *id, int64_t seq, enum bucket bucket);

/* Is everything that was begun over? Then the end. */
void publisher_end_if_idle(struct publisher *p);

/* --- publisher_tasks.c --- */

void shard_kick(struct shard *sh, const struct task *t);

/* Do all that its outbox says now. */
void shard_drain(struct shard *sh);

/* --- publisher_orgs.c --- */

struct org *org_of(struct shard *sh, const char *name);

/* Who calls a script for this org. Valid until the next call. */
struct script_caller org_caller(struct org *o);

/* Every script's answer passes here: numbers are remembered, a new epoch is noticed, and
 * `recount` begins a count. */
void org_answered(struct org *o, const struct script_answer *a);

/* May tasks of this org be marked now? (Not while they are counted.) */
bool org_may_mark(const struct org *o);
void org_mark_began(struct org *o);
void org_mark_ended(struct org *o);

/* Begin the counts that waited for long enough. */
void orgs_tick(struct shard *sh);

/* Closing: those that have not begun will not. */
void orgs_stop(struct shard *sh);

/* Once a second: check the counts of quiet orgs, forget those long unused. */
void orgs_check(struct shard *sh);
void orgs_free(struct shard *sh);

/* --- publisher_asks.c --- */

/* A position asked for: `waiter` of the outbox, then a script. */
struct ask;
void ask_settled(struct ask *a, int err);
void asks_tick(struct shard *sh);
void asks_fail(struct shard *sh, int err);

#endif

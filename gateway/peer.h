/* peer.h -- a socket of "/" whose token was found good: who it is, and what it waits for.
 *
 * Words: a *request* is an event of a client that asks for state; each state that it waits
 * for is a *wait*. Waits that nobody asked for (a room that has to be told the truth again)
 * have no request. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_PEER_H
#define TASKWIRE_GATEWAY_PEER_H

#include "common/json.h"
#include "common/jwt.h"
#include "common/list.h"
#include "gateway/guards.h"
#include "gateway/orgs.h"
#include "gateway/socketio/socketio.h"
#include "gateway/users.h"
#include "proto/tables.h"

#define WAIT_MS 5000                           /* for a state; then "unavailable" */

/* What went to and came from clients, for health and metrics. */
struct traffic {
    uint64_t sent, received, errors;
};

struct seat;
struct arrival;
struct peer;

/* Who keeps a record of a peer's rooms, so that it can come back to them (seats.c). Called
 * for peers with a seat only; `task` is empty for the dashboard. */
struct peer_keeper {
    /* A snapshot of this room is wanted: it is written down. Returns the write to wait for. */
    uint64_t (*expect)(struct peer *p, struct slice task);
    bool     (*has_written)(const struct peer *p, uint64_t write);
    /* The offset of a snapshot that leaves now; false: it shall have none. */
    bool     (*number)(struct peer *p, struct position at, struct offset *out);
    void     (*told)(struct peer *p, struct slice task, const struct offset *at);
    void     (*left)(struct peer *p, struct slice task);
};

/* Who watches people come into the rooms of tasks, and go (presence_link.c). */
struct peer_watch {
    void (*entered)(const struct peer *p, struct slice task, void *arg);
    void (*left)(const struct peer *p, struct slice task, void *arg);
};

/* What peers share. */
struct peers {
    uv_loop_t     *loop;
    struct traffic traffic;
    struct metric *errors[ERROR_COUNT];        /* told to clients, by code */
    struct list    waits;                      /* those with a deadline, in its order */
    struct list    tracers;                    /* struct tracer */
    const struct peer_keeper *keeper;          /* NULL: nobody has a seat */
    const struct peer_watch  *watch;           /* NULL: nobody watches */
    void          *watch_arg;
    size_t         followers;                  /* peers that follow the log */
};

struct peer {
    struct peers      *all;
    struct sio_socket *socket;
    struct user       *user;                   /* who it is; shared by all their sockets */
    struct org        *org;                    /* its own; a reference */
    struct guarded     guard;                  /* its token holds it open */
    struct seat       *seat;                   /* seats.c's; NULL: none */
    struct arrival    *arrival;                /* arrival.c's, until it is let in */
    bool               follows_log : 1;        /* it came back, so it is owed every line of the log
                                                  that its rooms get, whatever a snapshot showed */
    bool               is_traced   : 1;        /* it has a struct tracer */
    bool               is_stream   : 1;        /* Server-Sent Events (sse.c): it has no seat, and keeps
                                                  its offset itself */
    bool               is_for_now  : 1;        /* one too many, unless it replaces one (quota.h) */
    struct list        waits;
};

/* Every socket has one, and all that a gateway keeps of an idle connection has to fit into
 * 1 KiB (tests/bench/idle.mjs): what few need stands elsewhere, as a tracer does. */
_Static_assert(sizeof(struct peer) <= 136, "an idle connection must stay small");

struct tracer {                                /* a peer that asked for traces (journey.h) */
    struct list  in;
    struct peer *peer;
};

void peers_init(struct peers *all, uv_loop_t *loop, struct metrics *metrics);

/* A client is told an error: counted. */
void peers_count_error(struct peers *all, enum error_code code);

/* For a socket that is asking in; sets itself as its data. `user` and `org` are the caller's to
 * give back. */
struct peer *peer_new(struct peers *all, struct sio_socket *s, struct user *user, struct org *org);

/* Its waits end without a word. Leave rooms and give user and org back before. */
void peer_free(struct peer *p);

/* It wants to be told of traces. Once. */
void peer_trace(struct peer *p);

/* The access rule (SPEC A2). */
bool peer_may_see(const struct peer *p, struct slice org, struct slice creator, bool is_private);

/* Into the room of a task, and out of it; the watch is told where that changes anything. As
 * sio_join and sio_leave. */
int  peer_room_enter(struct peer *p, struct slice room, struct slice task);
void peer_room_leave(struct peer *p, struct slice room, struct slice task);

/* What keeper's members say, for any peer: without a seat nothing is to be waited for, and
 * nothing has a number. */
uint64_t peer_expect(struct peer *p, struct slice task);
void     peer_told(struct peer *p, struct slice task, const struct offset *at);
void     peer_left(struct peer *p, struct slice task);

/* The offset of a snapshot that leaves at `at`, as text (empty: it has none). */
struct slice peer_number(struct peer *p, struct position at, struct offset *out,
                         char text[OFFSET_TEXT_SIZE]);

/* Send an event; counted. `offset` may be empty. */
void peer_emit(struct peer *p, struct slice array);
void peer_emit_at(struct peer *p, struct slice array, struct slice offset);
void peer_emit_message(struct peer *p, struct sio_message *m);

/* --- requests --- */

#define OUTCOME_OK (-1)                        /* else an enum error_code */

/* An event of a client that will be answered when all its waits have ended. `ack`: the id to
 * answer, or -1: errors are sent as events. `is_batch`: an error concerns one state of many,
 * it is sent as an event that names the task, and the answer is ok all the same. */
struct request *request_new(struct peer *p, int64_t ack, bool is_batch);

/* One that is told to `done` instead, once: OUTCOME_OK, or the error (counted). */
struct request *request_new_told(struct peer *p, void (*done)(struct peer *p, int outcome));

/* No more waits will be added. */
void request_seal(struct request *r);

/* Answer an event at once. */
void peer_answer(struct peer *p, int64_t ack, int outcome);

/* The same with ok and more: `members` is JSON like `"expiresAt":"…"`. */
void peer_answer_with(struct peer *p, int64_t ack, struct slice members);

/* An `error` that nobody asked for; `task` may be "". Counted. */
void peer_tell_error(struct peer *p, enum error_code code, const char *task);

/* --- waits --- */

struct wait {
    struct list     in_source;                 /* of those who wait for the same snapshot */
    struct list     in_peer;
    struct list     in_due;
    struct peer    *peer;
    struct request *request;                   /* NULL: nobody asked */
    uint64_t        due_ms;
    uint64_t        write;                     /* must be done before it is served; 0: none */
    bool            is_parked;                 /* served too early: it waits for its write alone */
    bool            is_owed;                   /* see wait_owe */
    struct position least;                     /* nothing older than this will do; none: anything */
    char            task[25];                  /* "": the dashboard */
};

/* `request` may be NULL. It is on nobody's `in_source` list yet. */
struct wait *wait_new(struct peer *p, struct request *request, struct slice task);

/* It is owed to somebody who came back to a room: it has no deadline, and goes on while the
 * state is not to be had (ERROR_UNAVAILABLE and the like are no end for it). */
void wait_owe(struct wait *w);

/* What it waits for is to be written down first. Once per wait. */
void wait_expect(struct wait *w);

/* May it be served? If not it is parked: when its write is done, it has to wait again. */
bool wait_may_be_served(struct wait *w);

/* One that is parked and may be served now, parked no more; NULL: none. */
struct wait *wait_unpark(struct peer *p);

/* It is over: removed from all lists, told to its request, freed. */
void wait_end(struct wait *w, int outcome);

/* One whose time is over, to be ended by the caller; NULL: none. */
struct wait *waits_due(const struct peers *all);

/* A peer's waits for a task ("": the dashboard) end without a word. Returns whether there was one. */
bool peer_forget(struct peer *p, struct slice task);

#endif

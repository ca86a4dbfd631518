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
#include "gateway/orgs.h"
#include "gateway/socketio/socketio.h"
#include "gateway/users.h"
#include "proto/tables.h"

#define WAIT_MS 5000                           /* for a state; then "unavailable" */

/* What went to and came from clients, for health and metrics. */
struct traffic {
    uint64_t sent, received, errors;
};

/* What peers share. */
struct peers {
    uv_loop_t     *loop;
    struct traffic traffic;
    struct list    waits;                      /* those with a deadline, in its order */
};

struct peer {
    struct peers      *all;
    struct sio_socket *socket;
    struct user       *user;                   /* who it is; shared by all their sockets */
    struct org        *org;                    /* its own; a reference */
    int64_t            exp_s;                  /* when its token ends */
    struct list        waits;
    struct list        in_expiry;
};

void peers_init(struct peers *all, uv_loop_t *loop);

/* For a socket that is asking in; sets itself as its data. `user` and `org` are the caller's to
 * give back. */
struct peer *peer_new(struct peers *all, struct sio_socket *s, struct user *user, struct org *org);

/* Its waits end without a word. Leave rooms and give user and org back before. */
void peer_free(struct peer *p);

/* The access rule (SPEC A2). */
bool peer_may_see(const struct peer *p, struct slice org, struct slice creator, bool is_private);

/* Send an event; counted. */
void peer_emit(struct peer *p, struct slice array);
void peer_emit_message(struct peer *p, struct sio_message *m);

/* --- requests --- */

#define OUTCOME_OK (-1)                        /* else an enum error_code */

/* An event of a client that will be answered when all its waits have ended. `ack`: the id to
 * answer, or -1: errors are sent as events. `is_batch`: an error concerns one state of many,
 * it is sent as an event that names the task, and the answer is ok all the same. */
struct request *request_new(struct peer *p, int64_t ack, bool is_batch);

/* No more waits will be added. */
void request_seal(struct request *r);

/* Answer an event at once. */
void peer_answer(struct peer *p, int64_t ack, int outcome);

/* --- waits --- */

struct wait {
    struct list     in_source;                 /* of those who wait for the same snapshot */
    struct list     in_peer;
    struct list     in_due;
    struct peer    *peer;
    struct request *request;                   /* NULL: nobody asked */
    uint64_t        due_ms;
    char            task[25];                  /* "": the dashboard */
};

/* `request` may be NULL. It is on nobody's `in_source` list yet. */
struct wait *wait_new(struct peer *p, struct request *request, struct slice task);

/* It is over: removed from all lists, told to its request, freed. */
void wait_end(struct wait *w, int outcome);

/* One whose time is over, to be ended by the caller; NULL: none. */
struct wait *waits_due(const struct peers *all);

/* A peer's waits for a task ("": the dashboard) end without a word. Returns whether there was one. */
bool peer_forget(struct peer *p, struct slice task);

#endif

/* standing.h -- may those who are in stay? Sockets whose token ends or was revoked, or whose
 * feature was switched off, are told and taken out (SPEC A1, F1; DESIGN 13).
 *
 * All of them are ended by a `41`, which a stock client does not answer by coming back, and then
 * the connection is closed. Before it an `error` says why where the token is not the reason. On
 * the loop's thread. */
#ifndef TASKWIRE_GATEWAY_STANDING_H
#define TASKWIRE_GATEWAY_STANDING_H

#include "gateway/guards.h"
#include "gateway/peer.h"

struct app;

/* why a socket is ended: its label, the error, and whether an `error` event says it first */
#define STANDING_END_MAP(X)                                             \
    X(EXPIRED, "expired",     ERROR_TOKEN_EXPIRED, false)               \
    X(REVOKED, "revoked",     ERROR_REVOKED,       false)               \
    X(FEATURE, "feature_off", ERROR_FEATURE_OFF,   true)                \
    X(CROWD,   "too_many",    ERROR_CONNECTIONS,   true)

enum standing_end {
#define X(name, label, code, is_said) STANDING_##name,
    STANDING_END_MAP(X)
#undef X
    STANDING_END_COUNT
};

struct standing {
    struct guards      guards;
    struct guard_calls calls;                  /* of sockets */
    uv_timer_t         more;                   /* while some are left to be ended */
    struct metric     *ended[STANDING_END_COUNT];
};

void standing_init(struct app *a);
void standing_deinit(struct app *a);           /* no socket is left */

/* Its token was found good: from now on the socket lives no longer than that. */
void standing_begin(struct app *a, struct peer *p, const struct claims *claims,
                    struct slice token);

/* End it, let in or not. `p` is gone soon; where it was not let in yet, at once. */
void standing_end(struct app *a, struct peer *p, enum standing_end why);

/* Do the features of the moment let it stay where it is? Else it leaves those rooms, or is ended. */
void standing_check(struct app *a, struct peer *p);

/* For control_handlers: end what this covers; look at everybody again. */
void standing_revoke(struct app *a, const struct revocation *r);
void standing_recheck(struct app *a);

/* About ten times a second. */
void standing_tick(struct app *a);

#endif

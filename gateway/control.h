/* control.h -- what operators decide while all is running, as a gateway knows it: revoked tokens
 * and feature flags (SPEC A1, F1; proto/internal.md, "Control").
 *
 * taskd holds the truth. It is read before this gateway is ready, told on KEY_CONTROL as it
 * changes, and read again whenever something may have been missed, often while Redis is away.
 * What is known stays in force while taskd cannot be asked. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_CONTROL_H
#define TASKWIRE_GATEWAY_CONTROL_H

#include "common/metrics.h"
#include "common/revocations.h"
#include "common/truth.h"
#include "gateway/features.h"
#include "gateway/orgs.h"
#include "gateway/taskd_client.h"

struct control;

struct control_handlers {
    /* This is revoked, and was not before: end what it covers. */
    void (*on_revoked)(const struct revocation *r, void *arg);
    /* control_features says something else now. */
    void (*on_features)(void *arg);
};

struct control_options {
    uv_loop_t           *loop;
    struct orgs         *orgs;                 /* where KEY_CONTROL is heard */
    struct taskd_client *taskd;
    struct features      features;             /* of the environment */
    struct metrics      *metrics;
};

/* Begins to read and to listen; `handlers` must outlive it. Handlers run from the loop or from
 * control_tick, never from here. */
struct control *control_new(const struct control_options *o,
                            const struct control_handlers *handlers, void *arg);

/* Before `taskd` and `orgs` are closed; no handler runs afterwards. */
void control_free(struct control *c);

/* About ten times a second. */
void control_tick(struct control *c);

/* Has all been read at least once? Until then nobody can be let in. */
bool control_is_known(const struct control *c);

/* Is a token with these claims, whose signature is good, revoked? */
bool control_is_revoked(const struct control *c, const struct claims *claims, struct slice token);

/* The environment's, with what operators override. Valid as long as it. */
const struct features *control_features(const struct control *c);

#endif

/* taskd_client.h -- calling taskd: which of several, and who we are.
 *
 * Calls go round over those that answered last; one that cannot be reached, or hangs, is passed
 * over, and the call is tried at the next where that is safe. `/internal` is opened by a
 * short-lived token made from the cluster secret; what is passed on for people carries their
 * own. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_TASKD_CLIENT_H
#define TASKWIRE_GATEWAY_TASKD_CLIENT_H

#include "common/http_client.h"
#include "common/jwt.h"
#include "common/metrics.h"

#define TASKD_PROBE_MS 1000                    /* health is asked so often */

struct taskd_client;
struct taskd_call;

struct taskd_client_options {
    const char     *urls;                      /* "http://host:port,http://…" */
    struct jwt_key *cluster_key;
    struct metrics *metrics;
};

/* The options' texts and key must outlive it. NULL: `why` says what is wrong with the URLs. */
struct taskd_client *taskd_client_new(struct net *net, const struct taskd_client_options *o,
                                      struct buf *why);

/* Calls under way end with ERR_CLOSED before this returns; the memory goes later. */
void taskd_client_close(struct taskd_client *c);

/* err: 0 with a result of any status, lent; else no taskd could be asked (result NULL). */
typedef void taskd_cb(int err, const struct http_result *result, void *arg);

/* Pass a call on as it stands (all of `o` is copied). Tried at another taskd where none of it
 * can have had an effect: nobody was reached, or the method is idempotent.
 * Returns 0, or ERR_BUSY and the like, and cb never runs; else it runs once, later. `out`
 * (may be NULL) is valid until then. */
int taskd_client_pass(struct taskd_client *c, const struct http_call_options *o, taskd_cb *cb,
                      void *arg, struct taskd_call **out);

/* The same for /internal: GET `target`, or POST it where `body` is not empty (JSON). All that
 * /internal offers may be asked twice. */
int taskd_client_internal(struct taskd_client *c, struct slice target, struct slice body,
                          taskd_cb *cb, void *arg, struct taskd_call **out);

/* Forget it: cb never runs. */
void taskd_call_cancel(struct taskd_call *call);

/* As of the last probe: does any taskd answer at all, and does any say that it is ready? */
bool taskd_client_is_reachable(const struct taskd_client *c);
bool taskd_client_is_ready(const struct taskd_client *c);

#endif

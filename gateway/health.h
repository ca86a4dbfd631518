/* health.h -- how this gateway is (SPEC R): for load balancers, people and alarms.
 *
 * Dependencies are looked at every second; probes only read what is known. On the loop's
 * thread. */
#ifndef TASKWIRE_GATEWAY_HEALTH_H
#define TASKWIRE_GATEWAY_HEALTH_H

#include "common/http_server.h"
#include "gateway/app.h"
#include "gateway/others.h"

#define HEALTH_SECONDS 5                       /* messagesPerSecond is a mean over so many */

/* Dependencies have been looked at: once a second. */
typedef void health_look_cb(bool is_ready, void *arg);

struct health {
    struct app          *app;
    struct taskd_client *taskd;
    uv_timer_t           timer;
    struct others        others;
    uint64_t             samples[HEALTH_SECONDS + 1];   /* messages until then, newest first */
    unsigned             looks;                /* samples that were taken, HEALTH_SECONDS + 1 at most */
    health_look_cb      *looked;               /* or NULL */
    void                *looked_arg;
    bool                 is_draining;
    bool                 redis_ok, is_announced, taskd_reachable, taskd_ready;
};

void health_init(struct health *h, uv_loop_t *loop, struct app *app, struct taskd_client *taskd,
                 struct metrics *m);
void health_watch(struct health *h, health_look_cb *cb, void *arg);
void health_close(struct health *h);

void health_deinit(struct health *h);          /* after the link to Redis has been closed */

/* Events to and from clients per second, a mean over the last seconds. */
double health_message_rate(const struct health *h);

/* From now on not ready. */
void health_drain(struct health *h);
bool health_is_ready(const struct health *h);
const char *health_state(const struct health *h);  /* "ready", "draining" or "not ready" */

/* Answer /api/health (with ?cluster=1 for all replicas), /api/health/live or /api/health/ready;
 * anything else is not found. */
void health_handle(struct health *h, struct http_request *r);

#endif

/* report.c -- see report.h.
 *
 * `taskctl doctor` compares where a gateway stands with where Redis says that its orgs are. A
 * gateway that has gone deaf cannot be asked over the channel that it does not hear, and its
 * internal listener opens to gateways alone; so it tells unasked, in the heartbeat that it
 * writes anyway. Of thousands of orgs each heartbeat tells a part in turn. */
#include "gateway/report.h"

#define POSITION_BYTES_MAX (ORG_NAME_MAX + 48)

void report_say(struct buf *fields, struct app *app, const struct health *health)
{
    struct buf positions;
    size_t     orgs;

    buf_init(&positions, REPORT_ORGS_MAX * POSITION_BYTES_MAX);
    orgs = orgs_report(app->orgs, REPORT_ORGS_MAX, &positions);
    replica_say(fields, "connections", "%zu", sio_namespace_size(app->ns));
    replica_say(fields, "users", "%zu", app->users.online);
    replica_say(fields, "messagesPerSecond", "%.0f", health_message_rate(health));
    replica_say(fields, "errors", "%llu", (unsigned long long)app->peers.traffic.errors);
    replica_say(fields, "state", "%s", health_state(health));
    replica_say(fields, "canaryMs", "%llu", (unsigned long long)orgs_canary_ms(app->orgs));
    replica_say(fields, "orgs", "%zu", orgs);
    replica_say(fields, "positions", "%s", positions.data != NULL ? positions.data : "");
    buf_deinit(&positions);
}

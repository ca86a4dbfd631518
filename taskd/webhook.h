/* webhook.h -- who may send webhooks. The handler is on_webhook (api_call.h). */
#ifndef TASKWIRE_TASKD_WEBHOOK_H
#define TASKWIRE_TASKD_WEBHOOK_H

#include "common/http_server.h"
#include "common/metrics.h"

#define WEBHOOK_BODY_MAX ((size_t)4 << 20)

/* Does X-Hub-Signature-256 sign the body, as it came, with `secret`? Returns 0; ERR_TOKEN; or
 * ERR_FORBIDDEN where there is no secret (NULL). Takes a time that tells nothing of the secret. */
int webhook_check(const char *secret, const struct http_request *r);

/* Show how many came, and what of them, before the first has come. */
void webhook_metrics(struct metrics *m);

#endif

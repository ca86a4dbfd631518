/* proxy.h -- REST calls, passed on to taskd as they are (SPEC R).
 *
 * `Authorization` goes with them unchanged: taskd checks it itself (DESIGN 16). Never passed
 * on: /internal, and of /api/admin all but `status`, and `dead-letters` with what is below it. On
 * the loop's thread. */
#ifndef TASKWIRE_GATEWAY_PROXY_H
#define TASKWIRE_GATEWAY_PROXY_H

#include "common/http_server.h"
#include "gateway/taskd_client.h"

struct proxy {
    struct taskd_client *taskd;
    struct metric       *passed, *failed;
    size_t               calls;                /* under way */
};

void proxy_init(struct proxy *p, struct taskd_client *taskd, struct metrics *m);

/* The head of a request is here: its body's limit. */
void proxy_head(struct http_request *r);

/* Pass it on and answer it, later. */
void proxy_handle(struct proxy *p, struct http_request *r);

size_t proxy_calls(const struct proxy *p);     /* under way; each ends within taskd_client's time */

/* May this path (as sent) be passed on? Anything that another parser could read as another
 * path (encoded letters or slashes, empty or dot segments) may not. Pure. */
bool proxy_may_pass(struct slice path);

#endif

/* notices.h -- `notification:read`: what a socket says that its person has read is passed on to
 * taskd, and acknowledged when taskd has it (DESIGN 16). On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_NOTICES_H
#define TASKWIRE_GATEWAY_NOTICES_H

#include "common/list.h"
#include "gateway/peer.h"
#include "gateway/taskd_client.h"

#define NOTICES_MAX 1024                       /* under way at once; past it "unavailable" */

struct notices {
    struct taskd_client *taskd;
    struct list          calls;                /* under way */
    size_t               count;
};

void notices_init(struct notices *n, struct taskd_client *taskd);
void notices_close(struct notices *n);         /* before taskd_client_close */

/* These ids (strings, checked) are read. Answers the event `ack`, later or at once. */
void notices_read(struct notices *n, struct peer *p, int64_t ack, const json_t *ids);

/* The peer goes: what it said is done all the same, and nobody is told. */
void notices_forget(struct notices *n, const struct peer *p);

#endif

/* others.h -- the figures of all replicas together, for GET /api/health?cluster=1.
 *
 * They are read from the replicas' heartbeats in Redis, at most once a second however many ask,
 * and shown as they are; ours are our own of this moment. Who asks while they are being read waits
 * for that, a second at most. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_OTHERS_H
#define TASKWIRE_GATEWAY_OTHERS_H

#include "common/http_server.h"
#include "common/list.h"
#include "gateway/replicas.h"

/* What one replica says of itself. */
struct figures {
    char     id[REPLICA_ID_MAX];
    char     version[64], state[16], at[32];
    uint64_t users, sockets, per_second, errors;
};

struct others {
    struct replicas *replicas;
    uv_loop_t       *loop;
    struct figures  *list;
    size_t           count;
    uint64_t         read_ms;                  /* when the list was; 0: never */
    struct list      asks;                     /* requests that wait */
    bool             is_reading, is_closing;
    void           (*answer)(struct http_request *r, void *arg);
    void            *arg;
};

/* `answer` is called once for each request that was given, with the list as it is known then
 * (others_are_fresh: known now). */
void others_init(struct others *o, uv_loop_t *loop, struct replicas *replicas,
                 void (*answer)(struct http_request *r, void *arg), void *arg);

/* Answer this request, now or within a second or so. `can_read`: Redis answers. */
void others_ask(struct others *o, struct http_request *r, bool can_read);

bool others_are_fresh(const struct others *o);

/* Once a second: who has waited too long is answered. */
void others_tick(struct others *o);

/* Who waits is answered; nothing is read any more. */
void others_close(struct others *o);
void others_deinit(struct others *o);          /* after the link has been closed */

#endif

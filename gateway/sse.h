/* sse.h -- a task or a dashboard as Server-Sent Events: the plain way in, for curl and proxies.
 *
 *     GET /api/tasks/<id>/stream       task:state, and then what the task's room is told
 *     GET /api/dashboard/stream        dashboard:state, and then what its dashboards are told
 *
 * The same rooms, rights and limits as sockets have: a reader is a peer whose socket is a receiver
 * (socketio.h). Its position is the `id` of the last event it got, which it gives back as
 * `Last-Event-ID`. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_SSE_H
#define TASKWIRE_GATEWAY_SSE_H

#include "common/http_server.h"
#include "common/list.h"
#include "common/metrics.h"
#include "proto/tables.h"

struct app;
struct peer;
struct sio_socket;

enum sse_kind { SSE_TASK, SSE_DASHBOARD, SSE_KIND_COUNT };

struct sse {
    struct app    *app;
    struct list    readers;                    /* the one looked at longest ago first */
    struct list    ending;                     /* to be ended, on a clean stack */
    struct rcbuf  *beat;
    size_t         counts[SSE_KIND_COUNT];
    struct metric *opened[SSE_KIND_COUNT], *refused, *slow;
};

void sse_init(struct sse *s, struct app *a, struct metrics *m);
void sse_deinit(struct sse *s);                /* all readers are gone */

/* Is this request for a stream, by its path? Then it is taken, and answered now or later. */
bool sse_handle(struct sse *s, struct http_request *r);

/* Its peer goes (app_release); it is refused, and that will be its status where it has none yet. */
void sse_release(struct peer *p);
void sse_refuse(struct sio_socket *s, enum error_code code);

/* About every 100 ms. */
void sse_tick(struct sse *s);

#endif

/* api.h -- taskd's HTTP: REST of SPEC R under /api, what gateways ask under /internal, and
 * metrics on a port of their own.
 *
 * Handlers are rows of a table (api_routes.c). All on the loop. */
#ifndef TASKWIRE_TASKD_API_H
#define TASKWIRE_TASKD_API_H

#include "common/http_server.h"
#include "common/jwt.h"
#include "taskd/control.h"
#include "taskd/health.h"
#include "taskd/ingest.h"
#include "taskd/tasks.h"

struct api;

/* Everything must outlive the api. */
struct api_parts {
    uv_loop_t            *loop;
    struct net           *net;
    struct store         *store;
    struct redis         *redis;
    struct publisher     *publisher;
    struct tasks         *tasks;
    struct ingest        *ingest;
    struct health        *health;
    struct control       *control;
    struct metrics       *metrics;
    const struct jwt_key *user_key, *cluster_key;
    const char           *github_secret;       /* NULL: webhooks are refused */
};

struct api *api_new(const struct api_parts *parts);

/* Listen, on `fd` where it is not -1: a socket that listens already, ours from then on. Returns 0
 * or a libuv error; `*out_port` is the one that was taken. */
int api_listen(struct api *a, const char *address, int port, int fd, int *out_port);
int api_listen_metrics(struct api *a, const char *address, int port, int fd, int *out_port);

/* Serve on, but connections that are kept between requests end with their next answer. */
void api_wind_down(struct api *a);

/* Take no new connections; what is under way is answered, and its connection closed. */
void api_drain(struct api *a);

/* Close all connections. Calls under way end when what they wait for does, their answers
 * reaching nobody; the memory goes with the last of them. */
void api_close(struct api *a);

size_t api_calls(const struct api *a);         /* under way */
size_t api_connections(const struct api *a);

#endif

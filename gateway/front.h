/* front.h -- the front door: every request that clients send comes in here and goes to who
 * answers it. On the loop's thread. */
#ifndef TASKWIRE_GATEWAY_FRONT_H
#define TASKWIRE_GATEWAY_FRONT_H

#include "common/http_server.h"
#include "gateway/app.h"
#include "gateway/health.h"
#include "gateway/pages.h"
#include "gateway/proxy.h"

/* Where requests go; all must outlive the front. */
struct front_parts {
    struct app           *app;
    struct health        *health;
    struct pages         *pages;
    struct proxy         *proxy;
    const struct jwt_key *user_key;
    bool                  dev_login;
    struct metrics       *metrics;
    struct http_server_options http;           /* limits of what clients send */
};

struct front {
    struct front_parts  parts;
    struct http_server *clients;
    struct http_server *metrics;               /* NULL: switched off */
};

void front_init(struct front *f, struct net *net, const struct front_parts *parts);

/* On `fd` where it is not -1: a socket that listens already, ours from then on. Return 0 or a
 * libuv error. */
int front_listen(struct front *f, const char *address, int port, int fd);
int front_listen_metrics(struct front *f, struct net *net, const char *address, int port, int fd);

void front_wind_down(struct front *f);         /* connections end with their next answer */
void front_drain(struct front *f);             /* no new connections */
bool front_is_drained(const struct front *f);  /* and the old ones are gone */
void front_close(struct front *f);

#endif

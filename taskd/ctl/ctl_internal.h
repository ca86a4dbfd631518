/* ctl_internal.h -- what ctl.c, rest.c and bus.c share; nobody else includes it. */
#ifndef TASKWIRE_CTL_CTL_INTERNAL_H
#define TASKWIRE_CTL_CTL_INTERNAL_H

#include <uv.h>

#include "common/http_client.h"
#include "common/redis.h"
#include "taskd/ctl/ctl.h"

#define CTL_URLS_MAX 16

struct ctl_settings {
    char *taskd_url, *redis_url, *token, *jwt_secret;
};

struct bus_link {
    struct redis *redis;                       /* NULL: not asked yet */
    struct ctl   *ctl;
};

struct ctl {
    const struct args   *args;
    struct out           out;
    struct ctl_settings  settings;
    int64_t              timeout_ms;           /* of one answer */
    uv_loop_t            loop;
    struct net          *net;
    uv_timer_t           timer;
    bool                 is_timer_over;

    char                *urls[CTL_URLS_MAX];   /* of taskd */
    struct http_client  *clients[CTL_URLS_MAX];
    size_t               url_count;
    size_t               url_at;               /* the one that answered last */
    char                *authorization;        /* "Bearer …" */
    int64_t              authorized_ms;        /* when it was made; of a token that was given: 0 */

    struct redis_servers servers;
    struct bus_link      links[REDIS_SERVERS_MAX];
};

/* Run the loop until the timer that was started is over, or *is_done. */
void ctl_run(struct ctl *c, const bool *is_done);
void ctl_timer_start(struct ctl *c, int64_t ms);

/* TASKD_URL as origins; false after a sentence. */
bool rest_init(struct ctl *c);
void rest_close(struct ctl *c);

bool bus_init(struct ctl *c);
void bus_close(struct ctl *c);

#endif

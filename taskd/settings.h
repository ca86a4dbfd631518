/* settings.h -- what taskd is told by its environment (SPEC I2). Read once, in main. */
#ifndef TASKWIRE_TASKD_SETTINGS_H
#define TASKWIRE_TASKD_SETTINGS_H

#include <stdint.h>
#include <stdio.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/redis_shard.h"
#include "common/service_keys.h"

struct settings {
    char   *redis_url, *store_url;
    char   *jwt_secret, *jwt_public_key, *cluster_secret, *github_secret;
    char   *bind_address, *metrics_bind_address;
    int64_t port, metrics_port, drain_notice_seconds;
    char   *log_level_text, *log_format_text;

    enum log_level  log_level;
    enum log_format log_format;
    struct redis_servers redis;                /* what redis_url names */
    struct service_keys keys;                  /* people's opens /api, gateways' /internal */
};

/* Returns 0, or ERR_INVALID with one line per problem. */
int  settings_load(struct settings *out, struct buf *problems);
void settings_deinit(struct settings *s);      /* keys and servers; texts live as long as the process */

/* The table of settings, for people. */
void settings_print(FILE *to);

#endif

/* settings.h -- the gateway's settings (SPEC I2). Used in main, before the loop runs. */
#ifndef TASKWIRE_GATEWAY_SETTINGS_H
#define TASKWIRE_GATEWAY_SETTINGS_H

#include <stdio.h>

#include "common/log.h"
#include "common/service_keys.h"
#include "gateway/features.h"
#include "gateway/origins.h"

struct settings {
    char   *redis_url, *taskd_url;
    char   *jwt_secret, *jwt_public_key, *cluster_secret;
    char   *bind_address, *metrics_bind_address, *advertise_url;
    char   *log_level_text, *log_format_text;
    char   *cors_origin, *web_root;
    int64_t port, metrics_port, internal_port;
    int64_t rollout_percent;
    int64_t joins_per_second, events_per_second, rooms_per_socket, connections_per_address;
    int64_t connections_per_user;
    int64_t ping_interval_ms, ping_timeout_ms, max_payload_bytes, queue_bytes_max;
    int64_t drain_notice_seconds, drain_seconds;
    int64_t compare_interval_ms, org_linger_ms;
    int64_t connections_max, header_bytes_max, headers_max, head_timeout_ms, body_timeout_ms;
    int64_t connect_timeout_ms, upgrade_timeout_ms;
    int64_t packets_per_post_max, attachments_max, fragments_max, deflate_threshold_bytes;
    bool    feature_enabled, feature_dashboard, feature_task_detail, dev_login;

    /* made of them */
    struct service_keys keys;
    struct origins      origins;
    struct features     features;
    enum log_level      log_level;
    enum log_format     log_format;
};

/* From the environment. Returns 0, or ERR_INVALID with one line, a sentence, per problem.
 * `warnings`: a line per likely misspelling. */
int  settings_load(struct settings *out, struct buf *problems, struct buf *warnings);
void settings_deinit(struct settings *s);

/* The table as NAME<tab>default<tab>help lines. */
void settings_print(FILE *to);

/* Is this a loopback address, as text? */
bool address_is_loopback(const char *address);

#endif

/* settings.c -- the gateway's settings: one table, and the few rules that no table can say.
 *
 * All problems are found in one go. No sentence here ever holds a secret. WEB_ROOT's default
 * depends on where the binary stands, so it is made here and not in the table. */
#include "gateway/settings.h"

#include <stdlib.h>
#include <uv.h>

#include "common/conf.h"
#include "common/err.h"
#include "common/http.h"
#include "common/mem.h"
#include "common/redis_shard.h"

#define ROW(kind, name, fallback, field, help) \
    CONF_##kind(name, fallback, struct settings, field, help)
#define NUM(name, fallback, lo, hi, field, help) \
    CONF_NUM(name, fallback, lo, hi, struct settings, field, help)
#define SECRET(name, field, help) CONF_SECRET(name, struct settings, field, help)

static const struct conf_row ROWS[] = {
    ROW(TEXT, "REDIS_URL", "redis://127.0.0.1:6379", redis_url,
        "Redis: redis://[user:password@]host:port[/db]; several, comma-separated, share the orgs"),
    ROW(TEXT, "TASKD_URL", "http://127.0.0.1:3001", taskd_url,
        "taskd: http://host:port, or several, comma-separated"),
    SECRET("JWT_SECRET", jwt_secret,
           "HS256 secret of people's tokens, 32 bytes at least (or JWT_PUBLIC_KEY_FILE)"),
    SECRET("JWT_PUBLIC_KEY", jwt_public_key,
           "PEM key (RSA or P-256) of people's tokens; usually as JWT_PUBLIC_KEY_FILE"),
    SECRET("CLUSTER_SECRET", cluster_secret,
           "opens taskd's /internal, 32 bytes at least; never the same as JWT_SECRET"),
    ROW(TEXT, "BIND_ADDRESS", "0.0.0.0", bind_address, "address where clients connect"),
    NUM("PORT", "3000", 0, 65535, port, "port where clients connect; 0: a free one"),
    NUM("INTERNAL_PORT", "0", 0, 65535, internal_port,
        "port where other gateways reach this one, on BIND_ADDRESS; 0: a free one"),
    ROW(TEXT, "ADVERTISE_URL", NULL, advertise_url,
        "where other gateways find that port; default: BIND_ADDRESS, or this machine's address"),
    ROW(TEXT, "METRICS_BIND_ADDRESS", "127.0.0.1", metrics_bind_address, "address of /metrics"),
    NUM("METRICS_PORT", "9300", 0, 65535, metrics_port, "port of /metrics; 0: off"),
    ROW(TEXT, "LOG_LEVEL", "info", log_level_text, "debug, info, warn or error"),
    ROW(TEXT, "LOG_FORMAT", "kv", log_format_text, "kv or json"),
    ROW(TEXT, "WEBSOCKET_CORS_ORIGIN", NULL, cors_origin,
        "other pages' origins that may connect, exact, comma-separated"),
    ROW(BOOL, "FEATURE_WEBSOCKET_ENABLED", "true", feature_enabled, "live updates at all"),
    ROW(BOOL, "FEATURE_WEBSOCKET_DASHBOARD", "true", feature_dashboard,
        "live updates of dashboards"),
    ROW(BOOL, "FEATURE_WEBSOCKET_TASK_DETAIL", "true", feature_task_detail,
        "live updates of single tasks"),
    NUM("FEATURE_WEBSOCKET_ROLLOUT_PERCENT", "100", 0, 100, rollout_percent,
        "share of people for whom live updates are on"),
    NUM("JOINS_PER_SECOND", "10", 0, 100000, joins_per_second,
        "joins per second and person; 0: no limit"),
    NUM("EVENTS_PER_SECOND", "100", 0, 1000000, events_per_second,
        "events per second and socket; 0: no limit"),
    NUM("ROOMS_PER_SOCKET", "1000", 0, 1000000, rooms_per_socket,
        "tasks joined by one socket; 0: no limit"),
    NUM("CONNECTIONS_PER_USER", "0", 0, 1000000, connections_per_user,
        "connections of one person, on all gateways together; 0: no limit"),
    NUM("CONNECTIONS_PER_ADDRESS", "0", 0, 1000000, connections_per_address,
        "clients from one address; 0: no limit (behind a proxy they all share its address)"),
    NUM("PING_INTERVAL_MS", "25000", 100, 3600000, ping_interval_ms,
        "milliseconds between pings to a client"),
    NUM("PING_TIMEOUT_MS", "20000", 100, 3600000, ping_timeout_ms,
        "milliseconds that a client may take to answer one"),
    NUM("MAX_PAYLOAD_BYTES", "65536", 1024, 104857600, max_payload_bytes,
        "bytes of one message from a client"),
    NUM("QUEUE_BYTES_MAX", "1048576", 65536, 1073741824, queue_bytes_max,
        "bytes that may wait for a slow client; past it it is cut off"),
    NUM("CONNECTIONS_MAX", "20000", 1, 10000000, connections_max,
        "connections of this process; past it new ones are closed at once"),
    NUM("HEADER_BYTES_MAX", "16384", 1024, 1048576, header_bytes_max,
        "bytes of a request's line and headers; past it 431"),
    NUM("HEADERS_MAX", "64", 8, 1000, headers_max, "headers of a request; past it 431"),
    NUM("HEAD_TIMEOUT_MS", "10000", 100, 3600000, head_timeout_ms,
        "milliseconds that a request's head may take; past it 408"),
    NUM("BODY_TIMEOUT_MS", "30000", 100, 3600000, body_timeout_ms,
        "milliseconds that a request's body may take; past it 408"),
    NUM("CONNECT_TIMEOUT_MS", "45000", 100, 3600000, connect_timeout_ms,
        "milliseconds that a client may take from its session to its CONNECT"),
    NUM("UPGRADE_TIMEOUT_MS", "10000", 100, 3600000, upgrade_timeout_ms,
        "milliseconds that an upgrade from polling to websocket may take"),
    NUM("PACKETS_PER_POST_MAX", "1024", 1, 1000000, packets_per_post_max,
        "packets of one POST; past it the session is closed"),
    NUM("ATTACHMENTS_MAX", "10", 0, 1000, attachments_max,
        "binary attachments of one event; past it the client is closed"),
    NUM("FRAGMENTS_MAX", "1024", 0, 1000000, fragments_max,
        "fragments of one websocket message; past it the session is closed; 0: no limit"),
    NUM("DEFLATE_THRESHOLD_BYTES", "1024", 0, 1073741824, deflate_threshold_bytes,
        "bytes from which messages are compressed for clients that can take it; 0: never"),
    NUM("ORG_LINGER_MS", "30000", 0, 3600000, org_linger_ms,
        "milliseconds that an org is still listened to when its last person has gone"),
    NUM("COMPARE_INTERVAL_MS", "30000", 100, 3600000, compare_interval_ms,
        "milliseconds in which all rooms are once held against what taskd's store has"),
    NUM("DRAIN_NOTICE_SECONDS", "5", 0, 3600, drain_notice_seconds,
        "seconds from SIGTERM, not ready, to the first client that is moved off"),
    NUM("DRAIN_SECONDS", "20", 0, 3600, drain_seconds,
        "seconds over which clients are moved off then"),
    ROW(TEXT, "WEB_ROOT", NULL, web_root, "the page's files; default: web beside bin"),
    ROW(BOOL, "DEV_LOGIN", "false", dev_login,
        "demo sign-in at /dev/login; only on a loopback address"),
};
#define ROW_COUNT (sizeof(ROWS) / sizeof(ROWS[0]))

bool address_is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* <somewhere>/bin/gateway -> <somewhere>/web */
static char *web_root_default(void)
{
    char   path[4096];
    size_t size = sizeof(path) - sizeof("/web");
    char  *slash;

    if (uv_exepath(path, &size) != 0)
        return mem_strdup("web");
    path[size] = '\0';
    for (int up = 0; up < 2; up++) {
        slash = strrchr(path, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    memcpy(path + strlen(path), "/web", sizeof("/web"));
    return mem_strdup(path);
}

static void check_texts(struct settings *s, struct buf *problems)
{
    if (s->log_level_text != NULL && log_level_parse(s->log_level_text, &s->log_level) != 0)
        buf_append_text(problems, "LOG_LEVEL must be debug, info, warn or error.\n");
    if (s->log_format_text != NULL && log_format_parse(s->log_format_text, &s->log_format) != 0)
        buf_append_text(problems, "LOG_FORMAT must be kv or json.\n");
}

static void check_redis(const struct settings *s, struct buf *problems)
{
    struct redis_servers servers;

    if (s->redis_url == NULL)
        return;
    if (redis_servers_init(&servers, s->redis_url, problems) == 0)
        redis_servers_deinit(&servers);
    else
        buf_append_char(problems, '\n');
}

static void check_advertise(const struct settings *s, struct buf *problems)
{
    struct http_url url;

    if (s->advertise_url != NULL &&
        (http_url_parse(s->advertise_url, 80, &url) != 0 || !slice_is(url.scheme, "http") ||
         url.user.len > 0 || url.path.len > 0))
        buf_append_text(problems, "ADVERTISE_URL is not of the form http://host:port.\n");
}

static void check_dev_login(const struct settings *s, struct buf *problems)
{
    if (!s->dev_login)
        return;
    if (s->jwt_secret == NULL)
        buf_append_text(problems, "DEV_LOGIN signs tokens: it needs JWT_SECRET, a public key "
                                  "cannot sign.\n");
    if (s->bind_address != NULL && !address_is_loopback(s->bind_address))
        buf_printf(problems, "DEV_LOGIN lets anybody in: it is refused unless BIND_ADDRESS is a "
                   "loopback address, and it is %s.\n", s->bind_address);
}

int settings_load(struct settings *out, struct buf *problems, struct buf *warnings)
{
    size_t     before = problems->len;
    struct buf why;

    *out = (struct settings){ 0 };
    (void)conf_load(ROWS, ROW_COUNT, out, problems);       /* what it finds is in `problems` */
    conf_unknown(ROWS, ROW_COUNT, "FEATURE_WEBSOCKET_", warnings);
    conf_unknown(ROWS, ROW_COUNT, "WEBSOCKET_", warnings);
    check_texts(out, problems);
    check_redis(out, problems);
    check_advertise(out, problems);
    check_dev_login(out, problems);
    (void)service_keys_load(&out->keys, out->jwt_secret, out->jwt_public_key,
                            out->cluster_secret, problems);
    buf_init(&why, 512);
    if (origins_init(&out->origins, out->cors_origin, &why) != 0)
        buf_printf(problems, "%s\n", why.data);
    buf_deinit(&why);
    out->features = (struct features){
        .websocket = out->feature_enabled, .dashboard = out->feature_dashboard,
        .task_detail = out->feature_task_detail, .rollout_percent = (unsigned)out->rollout_percent,
    };
    if (out->web_root == NULL)
        out->web_root = web_root_default();
    return problems->len == before ? 0 : ERR_INVALID;
}

void settings_deinit(struct settings *s)
{
    service_keys_deinit(&s->keys);
    origins_deinit(&s->origins);
}

void settings_print(FILE *to)
{
    conf_print(ROWS, ROW_COUNT, to);
}

/* settings.c -- taskd's settings: one table, and the few rules that no table can say.
 *
 * All problems are found in one go, so that whoever sets a service up is not sent back for
 * each. No sentence here ever holds a secret. */
#include "taskd/settings.h"

#include <string.h>

#include "common/conf.h"
#include "common/err.h"

static const struct conf_row ROWS[] = {
    CONF_TEXT("REDIS_URL", "redis://127.0.0.1:6379", struct settings, redis_url,
              "Redis: redis://[user:password@]host:port[/db]; several, comma-separated, share the "
              "orgs"),
    CONF_TEXT("STORE_URL", "sqlite:taskwire.db", struct settings, store_url,
              "where tasks live: sqlite:PATH or mongodb://.../DATABASE"),
    CONF_SECRET("JWT_SECRET", struct settings, jwt_secret,
                "HS256 secret of people's tokens, 32 bytes at least (or JWT_PUBLIC_KEY_FILE)"),
    CONF_SECRET("JWT_PUBLIC_KEY", struct settings, jwt_public_key,
                "PEM key (RSA or P-256) of people's tokens; usually as JWT_PUBLIC_KEY_FILE"),
    CONF_SECRET("CLUSTER_SECRET", struct settings, cluster_secret,
                "authenticates gateways, 32 bytes at least; never the same as JWT_SECRET"),
    CONF_SECRET("GITHUB_WEBHOOK_SECRET", struct settings, github_secret,
                "signs GitHub's webhooks; without it they are refused"),
    CONF_TEXT("BIND_ADDRESS", "127.0.0.1", struct settings, bind_address,
              "address of REST and /internal"),
    CONF_NUM("PORT", "3001", 0, 65535, struct settings, port,
             "port of REST and /internal; 0: a free one"),
    CONF_TEXT("METRICS_BIND_ADDRESS", "127.0.0.1", struct settings, metrics_bind_address,
              "address of /metrics"),
    CONF_NUM("METRICS_PORT", "9301", 0, 65535, struct settings, metrics_port,
             "port of /metrics; 0: off"),
    CONF_NUM("DRAIN_NOTICE_SECONDS", "3", 0, 3600, struct settings, drain_notice_seconds,
             "seconds from SIGTERM, not ready, to the end of listening"),
    CONF_TEXT("LOG_LEVEL", "info", struct settings, log_level_text, "debug, info, warn or error"),
    CONF_TEXT("LOG_FORMAT", "kv", struct settings, log_format_text, "kv or json"),
};
#define ROW_COUNT (sizeof(ROWS) / sizeof(ROWS[0]))

static void problem(struct buf *problems, const char *sentence)
{
    buf_append_text(problems, sentence);
    buf_append_char(problems, '\n');
}

static void check_redis(struct settings *s, struct buf *problems)
{
    if (s->redis_url != NULL && redis_servers_init(&s->redis, s->redis_url, problems) != 0)
        buf_append_char(problems, '\n');
}

int settings_load(struct settings *out, struct buf *problems)
{
    size_t before = problems->len;

    memset(out, 0, sizeof(*out));
    (void)conf_load(ROWS, ROW_COUNT, out, problems);   /* what it finds is in `problems` */
    if (out->log_level_text != NULL && log_level_parse(out->log_level_text, &out->log_level) != 0)
        problem(problems, "LOG_LEVEL must be debug, info, warn or error.");
    if (out->log_format_text != NULL &&
        log_format_parse(out->log_format_text, &out->log_format) != 0)
        problem(problems, "LOG_FORMAT must be kv or json.");
    (void)service_keys_load(&out->keys, out->jwt_secret, out->jwt_public_key, out->cluster_secret,
                            problems);
    check_redis(out, problems);
    return problems->len == before ? 0 : ERR_INVALID;
}

void settings_deinit(struct settings *s)
{
    service_keys_deinit(&s->keys);
    redis_servers_deinit(&s->redis);
}

void settings_print(FILE *to)
{
    conf_print(ROWS, ROW_COUNT, to);
}

/* ctl.c -- see ctl.h: settings, the loop and time. */
#include <stdlib.h>

#include "common/conf.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "taskd/ctl/ctl_internal.h"

static const struct conf_row ROWS[] = {
    CONF_TEXT("TASKD_URL", "http://127.0.0.1:3001", struct ctl_settings, taskd_url,
              "taskd: http://host:port, or several, comma-separated"),
    CONF_TEXT("REDIS_URL", "redis://127.0.0.1:6379", struct ctl_settings, redis_url,
              "Redis: redis://[user:password@]host:port[/db], or several, comma-separated"),
    CONF_SECRET("TASKWIRE_TOKEN", struct ctl_settings, token, "who one is"),
    CONF_SECRET("JWT_SECRET", struct ctl_settings, jwt_secret,
                "without TASKWIRE_TOKEN: what a token is made from"),
};
#define ROW_COUNT (sizeof(ROWS) / sizeof(ROWS[0]))

static bool load(struct ctl *c, struct buf *why)
{
    const struct args *a = c->args;

    if (conf_load(ROWS, ROW_COUNT, &c->settings, why) != 0 || out_init(&c->out, a, why) != 0 ||
        args_span(a, "request-timeout", &c->timeout_ms, why) != 0)
        return false;
    if (c->timeout_ms == 0) {
        buf_append_text(why, "--request-timeout takes a span of time that is not 0");
        return false;
    }
    if (args_given(a, "taskd")) {
        free(c->settings.taskd_url);
        c->settings.taskd_url = mem_strdup(args_value(a, "taskd"));
    }
    if (args_given(a, "redis")) {
        free(c->settings.redis_url);
        c->settings.redis_url = mem_strdup(args_value(a, "redis"));
    }
    if (c->settings.token != NULL && args_given(a, "sub")) {
        buf_append_text(why, "TASKWIRE_TOKEN says who you are; --sub is for tokens that are made "
                             "from JWT_SECRET");
        return false;
    }
    return true;
}

struct ctl *ctl_new(const struct args *a)
{
    struct ctl *c = mem_new(struct ctl);
    struct buf  why;
    bool        is_fine;

    log_setup("taskctl", LOG_LEVEL_ERROR, LOG_FORMAT_KV);
    c->args = a;
    uv_loop_init(&c->loop);
    uv_timer_init(&c->loop, &c->timer);
    c->timer.data = c;
    c->net = net_new(&c->loop);
    buf_init(&why, 16384);
    is_fine = load(c, &why);
    if (!is_fine)
        say("%s", why.data != NULL ? why.data : "the settings cannot be read");
    buf_deinit(&why);
    if (is_fine && rest_init(c) && bus_init(c))
        return c;
    ctl_free(c);
    return NULL;
}

void ctl_free(struct ctl *c)
{
    if (c == NULL)
        return;
    rest_close(c);
    bus_close(c);
    net_close(c->net);
    uv_close((uv_handle_t *)&c->timer, NULL);
    uv_run(&c->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&c->loop);
    conf_free(ROWS, ROW_COUNT, &c->settings);
    free(c);
}

const struct args *ctl_args(const struct ctl *c)
{
    return c->args;
}

const struct out *ctl_out(const struct ctl *c)
{
    return &c->out;
}

const char *ctl_org(const struct ctl *c)
{
    return args_value(c->args, "org");
}

bool ctl_acts_in_org(const struct ctl *c)
{
    if (c->settings.token == NULL || ctl_org(c) == NULL)
        return true;
    say("TASKWIRE_TOKEN says whose org this is done in; --org is for tokens that are made from "
        "JWT_SECRET");
    return false;
}

/* --- time --- */

static void on_timer(uv_timer_t *timer)
{
    struct ctl *c = timer->data;

    c->is_timer_over = true;
}

void ctl_timer_start(struct ctl *c, int64_t ms)
{
    c->is_timer_over = false;
    uv_update_time(&c->loop);
    uv_timer_start(&c->timer, on_timer, (uint64_t)ms, 0);
}

void ctl_run(struct ctl *c, const bool *is_done)
{
    while (!*is_done && !c->is_timer_over)
        uv_run(&c->loop, UV_RUN_ONCE);
    uv_timer_stop(&c->timer);
}

int64_t ctl_now_ms(const struct ctl *c)
{
    (void)c;
    return (int64_t)(uv_hrtime() / 1000000);
}

void ctl_sleep(struct ctl *c, int64_t ms)
{
    const bool never = false;

    out_flush();
    ctl_timer_start(c, ms > 0 ? ms : 0);
    ctl_run(c, &never);
}

/* redis_stage.h -- a link to a real server, and what it was answered: for the tests of redis.h. */
#ifndef TASKWIRE_TESTS_REDIS_STAGE_H
#define TASKWIRE_TESTS_REDIS_STAGE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/err.h"
#include "common/log.h"
#include "common/redis.h"
#include "common/redis_internal.h"
#include "tests/unit/common/redis_server.h"

#define ANSWERS_MAX 64

struct fixture {
    struct loop         loop;
    struct redis_server server;
    struct redis       *redis;
    int                 ups, downs;
    int                 answers;               /* callbacks, in the order they ran */
    int                 errs[ANSWERS_MAX];
    char                texts[ANSWERS_MAX][64];
    int                 answers_at_down;
    int                 close_at_state;        /* +1: close when it goes up, -1: down */
};

static inline void on_state(struct redis *r, bool is_up, void *arg)
{
    struct fixture *f = arg;

    assert_int_equal(redis_is_up(r), is_up);
    assert_int_equal(strlen(redis_run_id(r)), is_up ? 40 : 0);
    if (is_up)
        f->ups++;
    else
        f->downs++, f->answers_at_down = f->answers;
    if (f->close_at_state == (is_up ? 1 : -1))
        redis_close(r);
}

static inline void on_answer(int err, const struct redis_reply *reply, void *arg)
{
    struct fixture *f = arg;
    struct slice    text = redis_reply_text(reply);

    assert_true(f->answers < ANSWERS_MAX);
    f->errs[f->answers] = err;
    if (redis_reply_kind(reply) == REDIS_INT)
        snprintf(f->texts[f->answers], 64, "%lld", (long long)redis_reply_int(reply));
    else
        snprintf(f->texts[f->answers], 64, "%.*s", SLICE_ARG(text));
    f->answers++;
}

static inline struct redis *open_url(struct fixture *f, const char *url, uint64_t timeout_ms)
{
    struct redis_options options = {
        .url = url, .name = "test link", .pending_max = 1000, .timeout_ms = timeout_ms,
        .on_state = on_state, .arg = f,
    };

    return redis_new(&f->loop.uv, &options);
}

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    log_setup("test", LOG_LEVEL_ERROR, LOG_FORMAT_KV);
    redis_server_start(&f->server, NULL);
    loop_open(&f->loop);
    f->redis = open_url(f, f->server.url, 0);
    assert_non_null(f->redis);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    redis_close(f->redis);
    loop_close(&f->loop);
    redis_server_stop(&f->server);
    free(f);
    return 0;
}

static inline void wait_up(struct fixture *f)
{
    int ups = f->ups;

    if (!redis_is_up(f->redis))
        WAIT_UNTIL(&f->loop, f->ups > ups);
}

/* Send and wait; returns the answer's text. */
static const char *ask(struct fixture *f, const char *a, const char *b, const char *c)
{
    int before = f->answers;

    assert_int_equal(redis_call(f->redis, on_answer, f, a, b, c, NULL), 0);
    WAIT_UNTIL(&f->loop, f->answers > before);
    return f->texts[before];
}

#endif

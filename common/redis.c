/* redis.c -- commands and their replies; see redis.h.
 *
 * Redis answers in the order it was asked, so what is under way is one list: the first reply
 * belongs to its head. When the link goes down the whole list is called back; whether those
 * commands had an effect nobody can know, so nothing is ever sent again by itself but a
 * script that the server answered it did not run (NOSCRIPT).
 *
 * Scripts. The first use on a link sends the text (EVAL), which the server remembers; all
 * further uses send its hash. After a reconnect every script ever used is loaded before
 * anything else is sent. So NOSCRIPT happens only if the server forgets scripts while the
 * link is up (SCRIPT FLUSH, or eviction by newer versions); the call is then sent again
 * with the text, behind what was sent in between. That is the one case where calls may
 * overtake each other: calls that all found no script keep their order among themselves,
 * but one sent after the loss was noticed, or run because another client loaded the script
 * meanwhile, may come first. The scripts here carry numbers and check them (DESIGN 6), so
 * they notice. Sending the text always was rejected for its weight, dropping the link at
 * NOSCRIPT because it would make every call under way uncertain.
 *
 * Silence is measured by the real clock, not by the loop's: after a turn that took long
 * uv_now() is old, and a command sent at its end would look as if it had waited already.
 * And the timer looks twice: a loop that was held up runs its timers before it reads its
 * sockets, and the reply may have been lying there. */
#include "common/redis.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/crypto.h"
#include "common/err.h"
#include "common/list.h"
#include "common/mem.h"
#include "common/redis_internal.h"

#define PENDING_DEFAULT 65536
#define CALL_ARGS_MAX   32
#define SCRIPTS_MAX     32                     /* literals in our source: there are a handful */

struct call {
    struct list                in_pending;
    redis_cb                  *cb;             /* or NULL */
    void                      *arg;
    uint64_t                   sent_ms, sent_ns;
    const struct redis_script *script;         /* sent by its hash; else NULL */
    size_t                     argc;           /* of a script: how many arguments in all */
    size_t                     tail_len;       /* of a script: RESP after its name */
    char                       tail[];
};

struct redis {
    struct redis_link         *link;
    redis_state_cb            *on_state;
    void                      *arg;
    struct metric             *seconds;        /* or NULL */
    size_t                     pending_max;
    size_t                     pending_count;
    struct list                pending;        /* calls, the oldest first */
    uint64_t                   timeout_ms;
    uv_timer_t                 silence;
    bool                       is_suspect;     /* silent too long when looked at last */
    bool                       is_closing;
    int                        parts_open;     /* link and timer, once closing */
    size_t                     script_count;
    const struct redis_script *scripts[SCRIPTS_MAX];   /* used on this link */
};

static void on_silence(uv_timer_t *timer);

static uint64_t real_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

/* --- calls under way --- */

static void add_call(struct redis *r, struct call *call)
{
    call->sent_ns = uv_hrtime();
    call->sent_ms = call->sent_ns / 1000000;
    list_append(&r->pending, &call->in_pending);
    r->pending_count++;
    if (r->timeout_ms != 0 && !uv_is_active((uv_handle_t *)&r->silence))
        uv_timer_start(&r->silence, on_silence, r->timeout_ms, 0);
}

static struct call *take_call(struct redis *r)
{
    struct list *node = list_take_first(&r->pending);

    if (node == NULL)
        return NULL;
    r->pending_count--;
    return container_of(node, struct call, in_pending);
}

static struct call *call_new(redis_cb *cb, void *arg, struct slice tail)
{
    struct call *call = mem_alloc(sizeof(*call) + tail.len);

    list_init(&call->in_pending);
    call->cb = cb;
    call->arg = arg;
    call->tail_len = tail.len;
    if (tail.len != 0)
        memcpy(call->tail, tail.data, tail.len);
    return call;
}

/* The one end of every call. */
static void call_done(struct call *call, int err, const redisReply *reply)
{
    redis_cb *cb = call->cb;
    void     *arg = call->arg;

    free(call);
    if (cb != NULL)
        cb(err, (const struct redis_reply *)reply, arg);
}

/* A callback may close the redis: then what is left is called back in there, with
 * ERR_CLOSED, and the list is found empty here. */
static void fail_calls(struct redis *r, int err)
{
    struct call *call;

    while ((call = take_call(r)) != NULL)
        call_done(call, err, NULL);
}

static void on_silence(uv_timer_t *timer)
{
    struct redis *r = timer->data;
    uint64_t      age_ms;

    if (list_is_empty(&r->pending))
        return;
    age_ms = real_now_ms() - container_of(r->pending.next, struct call, in_pending)->sent_ms;
    if (age_ms < r->timeout_ms) {
        r->is_suspect = false;
        uv_timer_start(timer, on_silence, r->timeout_ms - age_ms, 0);
    } else if (!r->is_suspect) {
        r->is_suspect = true;
        uv_timer_start(timer, on_silence, 1, 0);
    } else {
        redis_link_drop(r->link, "no reply in time");
    }
}

/* --- scripts --- */

static bool knows_script(const struct redis *r, const struct redis_script *script)
{
    for (size_t i = 0; i < r->script_count; i++) {
        if (r->scripts[i] == script)
            return true;
    }
    return false;
}

static void name_script(struct redis_script *script)
{
    uint8_t    digest[SHA1_BYTES];
    struct buf hex;

    if (script->sha[0] != '\0')
        return;
    crypto_sha1(slice_of(script->text), digest);
    buf_init(&hex, sizeof(script->sha));
    crypto_append_hex(&hex, digest, sizeof(digest));
    memcpy(script->sha, hex.data, sizeof(script->sha));
    buf_deinit(&hex);
}

static void remember_script(struct redis *r, const struct redis_script *script)
{
    assert(r->script_count < SCRIPTS_MAX);
    r->scripts[r->script_count++] = script;
}

static void load_scripts(struct redis *r)
{
    for (size_t i = 0; i < r->script_count; i++) {
        struct buf *out = redis_link_begin(r->link);

        redis_resp_head(out, 3);
        redis_resp_arg(out, SLICE("SCRIPT"));
        redis_resp_arg(out, SLICE("LOAD"));
        redis_resp_arg(out, slice_of(r->scripts[i]->text));
        if (redis_link_end(r->link) == 0)
            add_call(r, call_new(NULL, NULL, slice_make(NULL, 0)));
    }
}

/* RESP of an EVAL or EVALSHA, but for what follows its second argument. */
static void append_eval(struct buf *out, size_t argc, const char *verb, const char *script)
{
    redis_resp_head(out, argc);
    redis_resp_arg(out, slice_of(verb));
    redis_resp_arg(out, slice_of(script));
}

/* The server did not run it: send it again with its text. Returns whether that was done. */
static bool send_again(struct redis *r, struct call *call)
{
    struct buf *out = redis_link_begin(r->link);

    append_eval(out, call->argc, "EVAL", call->script->text);
    buf_append(out, call->tail, call->tail_len);
    if (redis_link_end(r->link) != 0)
        return false;
    call->script = NULL;                       /* once is enough: EVAL cannot miss its text */
    add_call(r, call);
    return true;
}

/* --- what the link says --- */

static void on_up(void *arg)
{
    struct redis *r = arg;

    load_scripts(r);
    if (r->on_state != NULL)
        r->on_state(r, true, r->arg);
}

static void on_down(void *arg)
{
    struct redis *r = arg;

    uv_timer_stop(&r->silence);
    r->is_suspect = false;
    fail_calls(r, ERR_REDIS);
    if (!r->is_closing && r->on_state != NULL)
        r->on_state(r, false, r->arg);
}

static void on_reply(const redisReply *reply, void *arg)
{
    struct redis *r = arg;
    bool          is_error = reply->type == REDIS_REPLY_ERROR;
    struct call  *call = take_call(r);

    r->is_suspect = false;
    if (call == NULL) {
        redis_link_drop(r->link, "a reply that nobody asked for");
        return;
    }
    if (r->seconds != NULL)
        metric_observe(r->seconds, (double)(uv_hrtime() - call->sent_ns) / 1e9);
    if (is_error && call->script != NULL &&
        slice_starts(slice_make(reply->str, reply->len), "NOSCRIPT") && send_again(r, call))
        return;
    call_done(call, is_error ? ERR_REPLY : 0, reply);
}

static void part_closed(struct redis *r)
{
    if (--r->parts_open == 0)
        free(r);
}

static void on_link_closed(void *arg)
{
    part_closed(arg);
}

static void on_timer_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

static const struct redis_link_ops LINK_OPS = {
    .on_up = on_up,
    .on_reply = on_reply,
    .on_down = on_down,
    .on_closed = on_link_closed,
};

/* --- the public side --- */

struct redis *redis_new(uv_loop_t *loop, const struct redis_options *options)
{
    struct redis *r = mem_new(struct redis);

    r->on_state = options->on_state;
    r->arg = options->arg;
    r->seconds = options->seconds;
    r->pending_max = options->pending_max != 0 ? options->pending_max : PENDING_DEFAULT;
    r->timeout_ms = options->timeout_ms;
    list_init(&r->pending);
    r->link = redis_link_new(loop, options->url, options->name, &LINK_OPS, r);
    if (r->link == NULL) {
        free(r);
        return NULL;
    }
    uv_timer_init(loop, &r->silence);
    r->silence.data = r;
    return r;
}

void redis_close(struct redis *r)
{
    if (r == NULL || r->is_closing)
        return;
    r->is_closing = true;
    r->parts_open = 2;
    redis_link_close(r->link);
    uv_close((uv_handle_t *)&r->silence, on_timer_closed);
    fail_calls(r, ERR_CLOSED);
}

bool redis_is_up(const struct redis *r)
{
    return !r->is_closing && redis_link_is_up(r->link);
}

const char *redis_run_id(const struct redis *r)
{
    return r->is_closing ? "" : redis_link_run_id(r->link);
}

static int may_send(const struct redis *r)
{
    if (!redis_is_up(r))
        return ERR_REDIS;
    return r->pending_count >= r->pending_max ? ERR_BUSY : 0;
}

int redis_command(struct redis *r, redis_cb *cb, void *arg, size_t argc, const struct slice *argv)
{
    int         err = may_send(r);
    struct buf *out;

    assert(argc > 0);
    if (err != 0)
        return err;
    out = redis_link_begin(r->link);
    redis_resp_head(out, argc);
    for (size_t i = 0; i < argc; i++)
        redis_resp_arg(out, argv[i]);
    err = redis_link_end(r->link);
    if (err == 0)
        add_call(r, call_new(cb, arg, slice_make(NULL, 0)));
    return err;
}

int redis_call(struct redis *r, redis_cb *cb, void *arg, ...)
{
    struct slice argv[CALL_ARGS_MAX];
    size_t       argc = 0;
    const char  *text;
    va_list      args;

    va_start(args, arg);
    while ((text = va_arg(args, const char *)) != NULL) {
        assert(argc < CALL_ARGS_MAX);
        argv[argc++] = slice_of(text);
    }
    va_end(args);
    return redis_command(r, cb, arg, argc, argv);
}

int redis_eval(struct redis *r, struct redis_script *script, redis_cb *cb, void *arg,
               size_t key_count, size_t argc, const struct slice *argv)
{
    bool         is_known = knows_script(r, script);
    int          err = may_send(r);
    char         keys[24];
    struct buf  *out;
    struct call *call;
    size_t       tail;

    assert(key_count <= argc);
    if (err != 0)
        return err;
    if (!is_known)
        name_script(script);
    snprintf(keys, sizeof(keys), "%zu", key_count);
    out = redis_link_begin(r->link);
    append_eval(out, argc + 3, is_known ? "EVALSHA" : "EVAL",
                is_known ? script->sha : script->text);
    tail = out->len;
    redis_resp_arg(out, slice_of(keys));
    for (size_t i = 0; i < argc; i++)
        redis_resp_arg(out, argv[i]);
    err = redis_link_end(r->link);
    if (err != 0)
        return err;
    if (!is_known)
        remember_script(r, script);
    call = call_new(cb, arg, is_known ? slice_from(buf_peek(out), tail) : slice_make(NULL, 0));
    call->script = is_known ? script : NULL;
    call->argc = argc + 3;
    add_call(r, call);
    return 0;
}

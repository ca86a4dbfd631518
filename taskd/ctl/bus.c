/* bus.c -- asking Redis: publish, and what the doctor looks at.
 *
 * A link comes up by itself and again after a loss; whoever asks waits for that, as long as for an
 * answer. Replies become JSON, so that the commands have one kind of value to read. */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/utf8.h"
#include "taskd/ctl/ctl_internal.h"

#define DEPTH_MAX 8                            /* arrays in arrays */
#define ARGS_MAX  16

bool bus_init(struct ctl *c)
{
    struct buf why;
    bool       is_fine;

    buf_init(&why, 4096);
    is_fine = redis_servers_init(&c->servers, c->settings.redis_url, &why) == 0;
    if (!is_fine)
        say("%s", why.data != NULL ? why.data : "REDIS_URL cannot be read");
    buf_deinit(&why);
    return is_fine;
}

void bus_close(struct ctl *c)
{
    for (size_t i = 0; i < REDIS_SERVERS_MAX; i++) {
        if (c->links[i].redis != NULL)
            redis_close(c->links[i].redis);
    }
    if (c->servers.count > 0)
        redis_servers_deinit(&c->servers);
}

const struct redis_servers *ctl_redis_servers(const struct ctl *c)
{
    return &c->servers;
}

const char *ctl_redis_run_id(const struct ctl *c, size_t server)
{
    return c->links[server].redis != NULL ? redis_run_id(c->links[server].redis) : "";
}

/* --- replies as JSON --- */

static json_t *text_to_json(struct slice text)
{
    json_t *value;
    char   *copy;

    if (utf8_is_valid(text))
        return json_stringn(text.data != NULL ? text.data : "", text.len);
    copy = mem_strndup(text.data, text.len);
    for (size_t i = 0; i < text.len; i++)
        copy[i] = (unsigned char)copy[i] < 0x80 ? copy[i] : '?';
    value = json_stringn(copy, text.len);
    free(copy);
    return value;
}

static json_t *leaf_to_json(const struct redis_reply *r)
{
    switch (redis_reply_kind(r)) {
    case REDIS_TEXT:
        return text_to_json(redis_reply_text(r));
    case REDIS_INT:
        return json_integer(redis_reply_int(r));
    case REDIS_ARRAY:
        return json_array();
    default:
        return json_null();
    }
}

/* Without recursion: a stack of arrays that are being filled. */
static json_t *reply_to_json(const struct redis_reply *reply)
{
    struct {
        const struct redis_reply *reply;
        json_t                   *array;
        size_t                    next;
    } stack[DEPTH_MAX];
    json_t *root = leaf_to_json(reply);
    size_t  depth = 0;

    if (json_is_array(root)) {
        stack[depth].reply = reply;
        stack[depth].array = root;
        stack[depth++].next = 0;
    }
    while (depth > 0) {
        size_t                    i = stack[depth - 1].next++;
        const struct redis_reply *item = redis_reply_at(stack[depth - 1].reply, i);
        json_t                   *value;

        if (i >= redis_reply_count(stack[depth - 1].reply)) {
            depth--;
            continue;
        }
        value = leaf_to_json(item);
        if (json_array_append_new(stack[depth - 1].array, value) != 0)
            abort();
        if (json_is_array(value) && depth < DEPTH_MAX) {
            stack[depth].reply = item;
            stack[depth].array = value;
            stack[depth++].next = 0;
        }
    }
    return root;
}

/* --- asking --- */

struct waiting {
    bool    is_done;
    int     err;
    json_t *reply;
    char   *refusal;                           /* what Redis says against it */
};

static void on_reply(int err, const struct redis_reply *reply, void *arg)
{
    struct waiting *w = arg;
    struct slice    text = redis_reply_text(reply);

    w->is_done = true;
    w->err = err;
    if (err == 0)
        w->reply = reply_to_json(reply);
    else if (err == ERR_REPLY)
        w->refusal = mem_strndup(text.data, text.len);
}

/* Wait until it is up. */
static bool link_up(struct ctl *c, size_t server)
{
    struct bus_link           *l = &c->links[server];
    const struct redis_options o = { .url = c->servers.urls[server], .name = "taskctl",
                                     .timeout_ms = (uint64_t)c->timeout_ms };

    if (l->redis == NULL)
        l->redis = redis_new(&c->loop, &o);
    assert(l->redis != NULL);                  /* the URL was read before */
    ctl_timer_start(c, c->timeout_ms);
    while (!redis_is_up(l->redis) && !c->is_timer_over)
        uv_run(&c->loop, UV_RUN_ONCE);
    uv_timer_stop(&c->timer);
    return redis_is_up(l->redis);
}

enum exit_code redis_ask_slices(struct ctl *c, size_t server, json_t **out, size_t argc,
                                const struct slice *argv)
{
    struct waiting w = { .err = ERR_REDIS };
    const char    *name = c->servers.names[server];
    enum exit_code code = EXIT_OK;

    if (out != NULL)
        *out = NULL;
    assert(server < c->servers.count);
    if (!link_up(c, server)) {
        say("Redis at %s is not to be reached", name);
        return EXIT_UNREACHABLE;
    }
    w.err = redis_command(c->links[server].redis, on_reply, &w, argc, argv);
    if (w.err == 0) {
        c->is_timer_over = false;              /* the link has a timer of its own */
        ctl_run(c, &w.is_done);
    }
    if (w.err == ERR_REPLY) {
        say("Redis at %s refuses: %s", name, w.refusal);
        code = EXIT_FAILED;
    } else if (w.err != 0) {
        say("Redis at %s did not answer", name);
        code = EXIT_UNREACHABLE;
    }
    free(w.refusal);
    if (out != NULL)
        *out = w.reply;
    else
        json_decref(w.reply);
    return code;
}

enum exit_code redis_ask(struct ctl *c, size_t server, json_t **out, ...)
{
    struct slice argv[ARGS_MAX];
    size_t       argc = 0;
    const char  *text;
    va_list      args;

    va_start(args, out);
    while ((text = va_arg(args, const char *)) != NULL) {
        assert(argc < ARGS_MAX);
        argv[argc++] = slice_of(text);
    }
    va_end(args);
    return redis_ask_slices(c, server, out, argc, argv);
}

/* replicas.c -- see replicas.h.
 *
 * An id names one process for its whole life, so an answer cannot become wrong but in one
 * way: the process ends. That is noticed sooner by whoever tries to reach it (and calls
 * replicas_forget) than by the TTL, so remembering answers for a second or two risks nothing.
 *
 * A Redis that comes up empty knows nobody until everybody has written again. "Missing" would
 * end sessions that are alive, so for a heartbeat and a half after another Redis (another
 * run_id) was met, a missing replica is one that nobody knows of just now.
 *
 * Ids come from clients, so anybody can ask for any number of replicas that never were. What
 * is remembered has a bound; past it the oldest answer that nobody waits for goes. */
#include "gateway/replicas.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <uthash.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "proto/keys.h"

#define TICK_MS   200
#define DOUBT_MS  (REPLICAS_HEARTBEAT_MS * 3 / 2)
#define KEY_MAX   (sizeof(KEY_REPLICA_FORMAT) + REPLICA_ID_MAX)

_Static_assert(REPLICA_TTL_S * 1000 >= 3 * REPLICAS_HEARTBEAT_MS, "a late heartbeat is no death");

struct replica {
    char             id[REPLICA_ID_MAX];
    struct replicas *all;
    char            *url;                      /* NULL: there was none */
    uint64_t         until_ms;                 /* the answer is good until then */
    struct list      waits;
    bool             is_asked;
    UT_hash_handle   hh;
};

static uint64_t now_ms(const struct replicas *r)
{
    return uv_now(r->loop);
}

static void key_of(const char *id, char out[KEY_MAX])
{
    snprintf(out, KEY_MAX, KEY_REPLICA_FORMAT, id);
}

/* --- the heartbeat --- */

static void on_written(int err, const struct redis_reply *reply, void *arg)
{
    struct replicas *r = arg;

    (void)reply;
    r->is_writing = false;
    if (err != 0) {
        r->written_ms = 0;                     /* whether it was is not known: the next tick's */
        return;
    }
    if (!r->is_announced)
        log_info("announced", LOG_TEXT("url", r->options.url));
    r->is_announced = true;
}

/* One script: a hash without its TTL would stay for ever if we died between two commands. The
 * index is by Redis' own clock, so that nobody's makes others look dead; whoever died is taken
 * out of it by the next to write. KEYS: the hash, the index. ARGV: TTL, names and values ... */
static struct redis_script HEARTBEAT = {
    "redis.call('HSET', KEYS[1], unpack(ARGV, 2))\n"
    "local t = redis.call('TIME')\n"
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
    "redis.call('ZADD', KEYS[2], now, string.match(KEYS[1], '[^:]+$'))\n"
    "redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[1] * 1000)\n"
    "redis.call('EXPIRE', KEYS[2], ARGV[1])\n"
    "return redis.call('EXPIRE', KEYS[1], ARGV[1])\n", ""
};

/* KEYS: the index. ARGV: what keys of replicas begin with. */
static struct redis_script LIST = {
    "local all = {}\n"
    "for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do\n"
    "  local f = redis.call('HMGET', ARGV[1] .. id, 'version', 'state', 'at', 'users',\n"
    "                       'connections', 'messagesPerSecond', 'errors')\n"
    "  if f[1] then\n"
    "    table.insert(f, 1, id)\n"
    "    all[#all + 1] = f\n"
    "  end\n"
    "end\n"
    "return all\n", ""
};

int replicas_list(struct replicas *r, redis_cb *cb, void *arg)
{
    char         prefix[KEY_MAX];
    struct slice argv[] = { SLICE(KEY_REPLICAS), slice_make(prefix, 0) };

    key_of("", prefix);
    argv[1].len = strlen(prefix);
    return r->is_closing ? ERR_CLOSED : redis_eval(r->options.redis, &LIST, cb, arg, 1, 2, argv);
}

/* Names and values one after the other, each ended by a NUL. */
void replica_say(struct buf *fields, const char *name, const char *format, ...)
{
    char    value[REPLICA_FIELDS_BYTES];
    size_t  before = fields->len;
    va_list args;
    int     len;

    va_start(args, format);
    len = vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(value))
        return;
    if (buf_append(fields, name, strlen(name) + 1) != 0 ||
        buf_append(fields, value, (size_t)len + 1) != 0)
        fields->len = before;
}

static void say_all(struct replicas *r, struct buf *fields)
{
    char at[CLOCK_TEXT_SIZE];

    clock_format(clock_wall_ms(), at);
    replica_say(fields, "url", "%s", r->options.url);
    replica_say(fields, "started", "%s", r->started);
    replica_say(fields, "version", "%s", TASKWIRE_VERSION);
    replica_say(fields, "at", "%s", at);
    if (r->options.describe != NULL)
        r->options.describe(fields, r->options.arg);
}

static int heartbeat_send(struct replicas *r, struct slice fields)
{
    char         key[KEY_MAX], ttl[16];
    struct slice argv[3 + 2 * (4 + REPLICA_FIELDS_MAX)];
    size_t       argc = 0;

    key_of(r->options.id, key);
    snprintf(ttl, sizeof(ttl), "%d", REPLICA_TTL_S);
    argv[argc++] = slice_of(key);
    argv[argc++] = SLICE(KEY_REPLICAS);
    argv[argc++] = slice_of(ttl);
    while (fields.len > 0 && argc < sizeof(argv) / sizeof(argv[0]))
        argv[argc++] = slice_cut(&fields, '\0');
    return redis_eval(r->options.redis, &HEARTBEAT, on_written, r, 2, argc, argv);
}

static void heartbeat(struct replicas *r)
{
    struct buf fields;

    buf_init(&fields, REPLICA_FIELDS_BYTES);
    say_all(r, &fields);
    if (heartbeat_send(r, buf_peek(&fields)) == 0) {
        r->is_writing = true;
        r->written_ms = now_ms(r);
    }
    buf_deinit(&fields);
}

/* Is it another Redis than before? Then it may know nobody yet. */
static void notice_redis(struct replicas *r)
{
    const char *run_id = redis_run_id(r->options.redis);

    if (run_id[0] == '\0' || strcmp(run_id, r->run_id) == 0)
        return;
    if (r->is_announced)
        r->doubt_until_ms = now_ms(r) + DOUBT_MS;
    snprintf(r->run_id, sizeof(r->run_id), "%s", run_id);
    r->written_ms = 0;
}

static void on_tick(uv_timer_t *timer)
{
    struct replicas *r = timer->data;

    if (!redis_is_up(r->options.redis) || r->is_writing)
        return;
    notice_redis(r);
    if (r->written_ms == 0 || now_ms(r) - r->written_ms >= REPLICAS_HEARTBEAT_MS)
        heartbeat(r);
}

bool replicas_is_announced(const struct replicas *r)
{
    return r->is_announced;
}

/* --- looking others up --- */

static void replica_free(struct replica *p)
{
    assert(list_is_empty(&p->waits) && !p->is_asked);
    HASH_DEL(p->all->table, p);
    free(p->url);
    free(p);
}

static struct replica *find(const struct replicas *r, struct slice id)
{
    struct replica *p = NULL;

    HASH_FIND(hh, r->table, id.data, id.len, p);
    return p;
}

/* Room for one more: the oldest goes, in the order in which they were first asked for. */
static bool make_room(struct replicas *r)
{
    struct replica *p, *next;

    if (HASH_COUNT(r->table) < REPLICAS_KEPT_MAX)
        return true;
    for (int pass = 0; pass < 2; pass++) {
        HASH_ITER(hh, r->table, p, next) {
            if (p->is_asked || (pass == 0 && p->url != NULL))
                continue;                      /* those that exist go last */
            replica_free(p);
            return true;
        }
    }
    return false;
}

static struct replica *replica_new(struct replicas *r, struct slice id)
{
    struct replica *p = mem_new(struct replica);

    assert(id.len < REPLICA_ID_MAX);
    memcpy(p->id, id.data, id.len);
    p->all = r;
    list_init(&p->waits);
    HASH_ADD(hh, r->table, id, id.len, p);
    return p;
}

int replicas_look(struct replicas *r, struct slice id, const char **url)
{
    const struct replica *p = find(r, id);

    if (p == NULL)
        return ERR_BUSY;
    if (p->until_ms <= now_ms(r) && (p->url == NULL || redis_is_up(r->options.redis)))
        return ERR_BUSY;
    *url = p->url;
    return p->url != NULL ? 0 : ERR_NOT_FOUND;
}

static void tell(struct replica *p, int err)
{
    struct list  told = LIST_INIT(told);
    struct list *node;
    char        *url = mem_strdup(p->url);     /* a callback may forget the replica */

    list_splice(&told, &p->waits);
    while ((node = list_take_first(&told)) != NULL) {
        struct replicas_wait *w = container_of(node, struct replicas_wait, link);

        w->cb(err, err == 0 ? url : NULL, w->arg);
    }
    free(url);
}

static void on_found(int err, const struct redis_reply *reply, void *arg)
{
    struct replica  *p = arg;
    struct replicas *r = p->all;
    struct slice     url = redis_reply_text(reply);

    p->is_asked = false;
    notice_redis(r);
    if (err == 0 && url.len > 0) {
        free(p->url);
        p->url = mem_strndup(url.data, url.len);
        p->until_ms = now_ms(r) + REPLICAS_KNOWN_MS;
    } else if (err == 0 && now_ms(r) >= r->doubt_until_ms) {
        free(p->url);
        p->url = NULL;
        p->until_ms = now_ms(r) + REPLICAS_MISSING_MS;
        err = ERR_NOT_FOUND;
    } else {
        err = p->url != NULL ? 0 : ERR_REDIS;  /* what was known last, if anything */
    }
    tell(p, err);
}

static int ask(struct replica *p)
{
    char key[KEY_MAX];
    int  err;

    if (p->is_asked)
        return 0;
    key_of(p->id, key);
    err = redis_call(p->all->options.redis, on_found, p, "HGET", key, "url", NULL);
    p->is_asked = err == 0;
    return err;
}

int replicas_ask(struct replicas *r, struct slice id, struct replicas_wait *w, replicas_cb *cb,
                 void *arg)
{
    struct replica *p = find(r, id);
    int             err;

    if (r->is_closing)
        return ERR_CLOSED;
    if (p == NULL && !make_room(r))
        return ERR_BUSY;
    if (p == NULL)
        p = replica_new(r, id);
    err = ask(p);
    if (err != 0) {
        if (p->url == NULL)
            replica_free(p);
        return err;
    }
    w->cb = cb;
    w->arg = arg;
    list_init(&w->link);
    list_append(&p->waits, &w->link);
    return 0;
}

void replicas_cancel(struct replicas_wait *w)
{
    list_remove(&w->link);
}

void replicas_forget(struct replicas *r, struct slice id)
{
    struct replica *p = find(r, id);

    if (p == NULL)
        return;
    free(p->url);
    p->url = NULL;
    p->until_ms = now_ms(r) + REPLICAS_MISSING_MS;
}

/* --- life --- */

void replicas_init(struct replicas *r, uv_loop_t *loop, const struct replicas_options *options)
{
    *r = (struct replicas){ .options = *options, .loop = loop };
    clock_format(clock_wall_ms(), r->started);
    uv_timer_init(loop, &r->timer);
    r->timer.data = r;
    uv_timer_start(&r->timer, on_tick, TICK_MS / 10, TICK_MS);
}

void replicas_close(struct replicas *r)
{
    char key[KEY_MAX];

    if (r->is_closing)
        return;
    r->is_closing = true;
    key_of(r->options.id, key);
    (void)redis_call(r->options.redis, NULL, NULL, "DEL", key, NULL);   /* else its TTL ends it */
    (void)redis_call(r->options.redis, NULL, NULL, "ZREM", KEY_REPLICAS, r->options.id, NULL);
    uv_close((uv_handle_t *)&r->timer, NULL);
}

void replicas_deinit(struct replicas *r)
{
    struct replica *p, *next;

    HASH_ITER(hh, r->table, p, next)
        replica_free(p);
}

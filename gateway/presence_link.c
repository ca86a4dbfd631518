/* presence_link.c -- see presence_link.h.
 *
 *     tasks:presence:<task>      hash: gateway -> report
 *     tasks:presence             sorted set: gateway -> when it was last heard of
 *     tasks:presence-news:<id>   channel: reports for one gateway
 *
 * Reports of one tick leave in a few commands of many tasks each. The script that writes one
 * passes it on to those gateways that have viewers of the same task, and to nobody else: they
 * are the other fields of the hash.
 *
 * A gateway renews one entry a second, whatever it has: its reports are worth something while
 * that is young. So a killed one's viewers are gone everywhere when the entry is, PRESENCE_LIVE_MS
 * later, and nothing has to be renewed task by task. (A hash per gateway with all its tasks was
 * rejected: who comes to a task would have to ask every gateway's.)
 *
 * When anything fails, or Redis does not know us any more, it is not known which of our reports
 * are there. Then we begin a new *life*, under another name, and report everything anew; what
 * stands under the old name dies with its entry. Meanwhile nobody is counted twice, for they
 * have the same hashes and names under both. */
#include "gateway/presence_link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/redis.h"
#include "gateway/peer.h"
#include "gateway/rooms.h"
#include "proto/keys.h"

#define BEAT_MS       1000
#define POST_TASKS    64                       /* per command */
#define POST_BYTES    (256u << 10)             /* ... and bytes, about */
#define TASK_LEN      24
#define KEY_MAX       64
#define PARTS         3                        /* arguments per task */
#define FIXED_ARGS    4                        /* behind the keys */

/* KEYS: tasks:presence, then the tasks' hashes. ARGV: our name, ms that others live, TTL in s,
 * the channels' prefix; then for each task: "ask", "tell" or "gone", our report, and its id. */
static struct redis_script write_script = { .text =
    "local t = redis.call('TIME')\n"
    "local oldest = t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[2]\n"
    "local function id(name) return string.match(name, '^[^.]*') end\n"
    "local me, lives, out = id(ARGV[1]), {}, {}\n"
    "local function is_alive(name)\n"
    "  if lives[name] == nil then\n"
    "    local at = redis.call('ZSCORE', KEYS[1], name)\n"
    "    lives[name] = at and tonumber(at) >= oldest or false\n"
    "  end\n"
    "  return lives[name]\n"
    "end\n"
    "for i = 2, #KEYS do\n"
    "  local j, others = 5 + (i - 2) * 3, {}\n"
    "  local how, text, task = ARGV[j], ARGV[j + 1], ARGV[j + 2]\n"
    "  local same = redis.call('HGET', KEYS[i], ARGV[1]) == text\n"
    "  for _, name in ipairs(redis.call('HKEYS', KEYS[i])) do\n"
    "    if name == ARGV[1] then\n"
    "    elseif id(name) == me or not is_alive(name) then\n"
    "      redis.call('HDEL', KEYS[i], name)\n"
    "    else\n"
    "      if not same then\n"
    "        redis.call('PUBLISH', ARGV[4] .. id(name), ARGV[1] .. ' ' .. task .. ' ' .. text)\n"
    "      end\n"
    "      if how == 'ask' then\n"
    "        others[#others + 1] = name\n"
    "        others[#others + 1] = redis.call('HGET', KEYS[i], name)\n"
    "      end\n"
    "    end\n"
    "  end\n"
    "  if how == 'gone' then\n"
    "    redis.call('HDEL', KEYS[i], ARGV[1])\n"
    "  else\n"
    "    redis.call('HSET', KEYS[i], ARGV[1], text)\n"
    "    redis.call('EXPIRE', KEYS[i], ARGV[3])\n"
    "  end\n"
    "  out[i - 1] = others\n"
    "end\n"
    "return out\n"
};

/* KEYS: tasks:presence. ARGV: our name, ms that others live, TTL in s, our name before (or ""),
 * "on" or "off". Answers whether it knew us, then who lives. */
static struct redis_script beat_script = { .text =
    "local t = redis.call('TIME')\n"
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
    "if ARGV[4] ~= '' then redis.call('ZREM', KEYS[1], ARGV[4]) end\n"
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. (now - ARGV[2]))\n"
    "local known = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 1 or 0\n"
    "if ARGV[5] == 'off' then\n"
    "  redis.call('ZREM', KEYS[1], ARGV[1])\n"
    "else\n"
    "  redis.call('ZADD', KEYS[1], now, ARGV[1])\n"
    "  redis.call('EXPIRE', KEYS[1], ARGV[3])\n"
    "end\n"
    "return {known, redis.call('ZRANGE', KEYS[1], 0, -1)}\n"
};

/* --- reports --- */

struct presence_post {                         /* one command: being filled, or under way */
    struct presence_link *link;                /* NULL: it was closed meanwhile */
    struct list           node;
    uint64_t              life;
    size_t                count, bytes;
    struct {
        char  id[TASK_LEN + 1];
        char *text;
        bool  is_gone, asks;
    } tasks[POST_TASKS];
};

static void post_free(struct presence_post *post)
{
    list_remove(&post->node);
    for (size_t i = 0; i < post->count; i++)
        free(post->tasks[i].text);
    free(post);
}

/* Something went wrong: what Redis has of us is not known. */
static void doubt(struct presence_link *l)
{
    l->is_sound = false;
}

/* One task's answer: name, report, name, report ... */
static void hear_all(struct presence_link *l, const char *task, const struct redis_reply *reply)
{
    size_t                  count = redis_reply_count(reply) / 2;
    struct presence_report *all = mem_alloc((count + 1) * sizeof(all[0]));

    for (size_t i = 0; i < count; i++) {
        all[i].gateway = redis_reply_text(redis_reply_at(reply, 2 * i));
        all[i].text = redis_reply_text(redis_reply_at(reply, 2 * i + 1));
    }
    presence_heard_all(&l->presence, slice_of(task), all, count);
    free(all);
}

static void on_posted(int err, const struct redis_reply *reply, void *arg)
{
    struct presence_post *post = arg;
    struct presence_link *l = post->link;

    if (l != NULL && err != 0 && post->life == l->life) {
        log_warn("presence-not-written", LOG_ERR(err));
        doubt(l);
    }
    for (size_t i = 0; l != NULL && err == 0 && i < post->count; i++) {
        if (post->tasks[i].asks)
            hear_all(l, post->tasks[i].id, redis_reply_at(reply, i));
    }
    post_free(post);
}

static void post_send(struct presence_link *l)
{
    struct presence_post *post = l->open;
    char                  keys[POST_TASKS][KEY_MAX], live[24], ttl[24];
    struct slice          args[1 + POST_TASKS + FIXED_ARGS + PARTS * POST_TASKS];
    size_t                n = 0;

    if (post == NULL)
        return;
    l->open = NULL;
    args[n++] = SLICE(KEY_PRESENCE);
    for (size_t i = 0; i < post->count; i++) {
        snprintf(keys[i], KEY_MAX, KEY_PRESENCE_FORMAT, post->tasks[i].id);
        args[n++] = slice_of(keys[i]);
    }
    snprintf(live, sizeof(live), "%d", PRESENCE_LIVE_MS);
    snprintf(ttl, sizeof(ttl), "%d", PRESENCE_TTL_S);
    args[n++] = slice_of(l->name);
    args[n++] = slice_of(live);
    args[n++] = slice_of(ttl);
    args[n++] = slice_make(KEY_PRESENCE_NEWS_FORMAT, sizeof(KEY_PRESENCE_NEWS_FORMAT) - 1 - 2);
    for (size_t i = 0; i < post->count; i++) {
        args[n++] = post->tasks[i].is_gone ? SLICE("gone")
                    : post->tasks[i].asks  ? SLICE("ask") : SLICE("tell");
        args[n++] = slice_of(post->tasks[i].text);
        args[n++] = slice_of(post->tasks[i].id);
    }
    if (redis_eval(orgs_redis(l->orgs), &write_script, on_posted, post, 1 + post->count, n,
                   args) == 0)
        return;
    doubt(l);
    post_free(post);
}

static void on_report(struct slice task, struct slice text, bool is_gone, bool asks, void *arg)
{
    struct presence_link *l = arg;
    struct presence_post *post = l->open;

    if (!l->is_sound)
        return;                                /* all is reported anew when there is a new life */
    if (post == NULL) {
        post = l->open = mem_new(struct presence_post);
        post->link = l;
        post->life = l->life;
        list_append(&l->posts, &post->node);
    }
    memcpy(post->tasks[post->count].id, task.data, TASK_LEN);
    post->tasks[post->count].text = mem_strndup(text.data, text.len);
    post->tasks[post->count].is_gone = is_gone;
    post->tasks[post->count].asks = asks;
    post->bytes += text.len;
    metric_inc(l->reports);
    if (++post->count == POST_TASKS || post->bytes >= POST_BYTES)
        post_send(l);
}

/* "<name> <task> <report>"; no message: some may have been missed. */
static void on_news(struct slice message, void *arg)
{
    struct presence_link  *l = arg;
    struct slice           rest = message;
    struct presence_report r = { .gateway = slice_cut(&rest, ' ') };
    struct slice           task = slice_cut(&rest, ' ');

    if (message.data == NULL) {
        presence_refresh(&l->presence);
        return;
    }
    r.text = rest;
    presence_heard(&l->presence, task, &r);
}

/* --- who lives --- */

struct beat {
    struct list           node;
    struct presence_link *link;                /* NULL: it was closed meanwhile */
    uint64_t              life, turn;
    bool                  is_first;            /* of its life: nobody can know it yet */
};

static void on_beaten(int err, const struct redis_reply *reply, void *arg)
{
    struct beat              *b = arg;
    struct presence_link     *l = b->link;
    const struct redis_reply *names = redis_reply_at(reply, 1);
    size_t                    count = redis_reply_count(names);
    struct slice             *live;

    list_remove(&b->node);
    if (l != NULL && b->life == l->life &&
        (err != 0 || (!b->is_first && redis_reply_int(redis_reply_at(reply, 0)) == 0)))
        doubt(l);
    if (l != NULL && err == 0) {
        live = mem_alloc((count + 1) * sizeof(live[0]));
        for (size_t i = 0; i < count; i++)
            live[i] = redis_reply_text(redis_reply_at(names, i));
        presence_alive(&l->presence, live, count, b->turn);
        free(live);
    }
    free(b);
}

/* `before`: our name until now, taken away ("": none). */
static int beat_send(struct presence_link *l, const char *before, bool is_first, bool is_on)
{
    struct beat *b = mem_new(struct beat);
    char         live[24], ttl[24];
    int          err;

    snprintf(live, sizeof(live), "%d", PRESENCE_LIVE_MS);
    snprintf(ttl, sizeof(ttl), "%d", PRESENCE_TTL_S);
    const struct slice args[] = {
        SLICE(KEY_PRESENCE), slice_of(l->name), slice_of(live), slice_of(ttl), slice_of(before),
        is_on ? SLICE("on") : SLICE("off"),
    };
    b->link = l;
    b->life = l->life;
    b->is_first = is_first;
    b->turn = presence_turn(&l->presence);
    list_append(&l->beats, &b->node);
    err = redis_eval(orgs_redis(l->orgs), &beat_script, on_beaten, b, 1,
                     sizeof(args) / sizeof(args[0]), args);
    if (err != 0) {
        list_remove(&b->node);
        free(b);
    }
    return err;
}

static void life_begin(struct presence_link *l)
{
    char before[sizeof(l->name)];

    memcpy(before, l->name, sizeof(before));
    l->life++;
    snprintf(l->name, sizeof(l->name), "%s.%llu", l->gateway, (unsigned long long)l->life);
    l->is_sound = beat_send(l, before, true, true) == 0;
    if (l->is_sound)
        presence_refresh(&l->presence);
    metric_inc(l->lives);
}

void presence_link_tick(struct presence_link *l)
{
    uint64_t now = uv_now(l->loop);

    if (redis_is_up(orgs_redis(l->orgs)) && now - l->beat_ms >= BEAT_MS) {
        l->beat_ms = now;
        if (!l->is_sound)
            life_begin(l);
        else if (beat_send(l, "", false, true) != 0)
            doubt(l);
    }
    presence_tick(&l->presence, now);
    post_send(l);
}

/* --- the rooms --- */

static void on_tell(struct slice task, struct slice json, void *arg)
{
    struct presence_link *l = arg;
    const struct line     line = { .json = json, .key = lines_presence_key(task) };
    char                  room[ROOM_MAX];

    lines_say(l->lines, room_task(room, task), &line);
    lines_say(l->lines, room_away(room, task), &line);
    metric_inc(l->told);
}

static const struct presence_handlers PRESENCE_HANDLERS = { .tell = on_tell, .report = on_report };

static void on_entered(const struct peer *p, struct slice task, void *arg)
{
    struct presence_link        *l = arg;
    const struct presence_person who = { user_sub(p->user), user_name(p->user) };

    presence_enter(&l->presence, task, &who, clock_wall_ms(), uv_now(l->loop));
}

static void on_left(const struct peer *p, struct slice task, void *arg)
{
    struct presence_link *l = arg;

    presence_leave(&l->presence, task, user_sub(p->user));
}

static const struct peer_watch WATCH = { .entered = on_entered, .left = on_left };

/* --- life --- */

static double read_tasks(void *arg)
{
    return (double)presence_size(&((struct presence_link *)arg)->presence);
}

void presence_link_init(struct presence_link *l, struct lines *lines, struct orgs *orgs,
                        const char *gateway, struct metrics *m)
{
    char channel[KEY_MAX + sizeof(l->name)];

    *l = (struct presence_link){ .loop = lines->peers->loop, .lines = lines, .orgs = orgs,
                                 .gateway = gateway };
    presence_init(&l->presence, &PRESENCE_HANDLERS, l);
    list_init(&l->posts);
    list_init(&l->beats);
    l->told = metrics_counter(m, "taskwire_presence_told_total", NULL,
                              "Presence events said to the room of a task.");
    l->reports = metrics_counter(m, "taskwire_presence_reports_total", NULL,
                                 "Reports of a task's viewers for the other gateways.");
    l->lives = metrics_counter(m, "taskwire_presence_lives_total", NULL,
                               "Times that all viewers were reported anew under another name.");
    metrics_read(m, "taskwire_presence_tasks", NULL, "Tasks that somebody here looks at.",
                 read_tasks, l);
    snprintf(channel, sizeof(channel), KEY_PRESENCE_NEWS_FORMAT, gateway);
    orgs_listen(orgs, slice_of(channel), on_news, l);
    lines->peers->watch = &WATCH;
    lines->peers->watch_arg = l;
}

void presence_link_close(struct presence_link *l)
{
    struct list *node;

    if (l->life > 0 && redis_is_up(orgs_redis(l->orgs)))
        (void)beat_send(l, "", false, false);
    while ((node = list_take_first(&l->posts)) != NULL)
        container_of(node, struct presence_post, node)->link = NULL;
    while ((node = list_take_first(&l->beats)) != NULL)
        container_of(node, struct beat, node)->link = NULL;
    if (l->open != NULL)
        post_free(l->open);
    l->open = NULL;
    presence_deinit(&l->presence);
}

/* quota.c -- see quota.h.
 *
 * A gateway writes absolute numbers, so whatever was lost or written twice is put right by the
 * next write; every number is written again twice a minute. What a gateway wrote is believed
 * while it has a heartbeat: a crashed one's people have their places back with the end of that
 * (REPLICA_TTL_S), and nobody has to renew anything per connection. A number is deleted only when
 * it was not written again for long: a heartbeat may be missing because Redis came up empty.
 *
 * A client that comes back may find its predecessor still counted: half-open here, or on a
 * gateway that has just died. So whoever brings a pid is let through for now, up to twice the
 * limit, if that pid is found to be theirs (arrival.c); a little later it is counted again, when
 * the predecessor must be gone.
 *
 * Rejected: one entry per connection in a sorted set. It is exact to the connection, and costs a
 * renewal per connection instead of one write per person. */
#include "gateway/quota.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "common/log.h"
#include "common/mem.h"
#include "proto/keys.h"

#define WRITES_MAX 256                         /* per tick */

struct quota_person {
    struct quota  *quota;
    uint32_t       count;                      /* claims here, those that wait for an answer too */
    unsigned       writes;                     /* under way */
    uint64_t       written_ms;
    struct list    in_quota;                   /* dirty or written */
    UT_hash_handle hh;
    char           who[];
};

struct claim {
    struct quota_person *person;               /* NULL: released, an answer is still due */
    quota_cb   *cb;
    void       *arg;
    struct list in_quota;                      /* asking or for_now */
    uint64_t    since_ms;
    bool        may_replace;
    bool        is_waiting;                    /* it is to be decided */
    bool        is_asked;                      /* an answer of Redis's is due */
};

#define WRITE_OURS                                                                     \
    "local now = redis.call('TIME')[1]\n"                                              \
    "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. now)\n"                    \
    "redis.call('EXPIRE', KEYS[1], ARGV[3])\n"

/* Write ours, and add up those of gateways that live. */
static struct redis_script CLAIM = {
    WRITE_OURS
    "local sum = 0\n"
    "local all = redis.call('HGETALL', KEYS[1])\n"
    "for i = 1, #all, 2 do\n"
    "  local count, at = string.match(all[i + 1], '^(%d+) (%d+)$')\n"
    "  if not at or tonumber(at) + tonumber(ARGV[3]) < tonumber(now) then\n"
    "    redis.call('HDEL', KEYS[1], all[i])\n"
    "  elseif all[i] == ARGV[1] or redis.call('EXISTS', ARGV[4] .. all[i]) == 1 then\n"
    "    sum = sum + tonumber(count)\n"
    "  end\n"
    "end\n"
    "return sum\n", ""
};

static struct redis_script WRITE = {
    "if ARGV[2] == '0' then return redis.call('HDEL', KEYS[1], ARGV[1]) end\n"
    WRITE_OURS
    "return 1\n", ""
};

static uint64_t now_ms(const struct quota *q)
{
    return uv_now(q->loop);
}

/* --- people --- */

static struct quota_person *person_of(struct quota *q, struct slice who)
{
    struct quota_person *p = NULL;

    HASH_FIND(hh, q->people, who.data, who.len, p);
    if (p != NULL)
        return p;
    p = mem_alloc(sizeof(*p) + who.len + 1);
    p->quota = q;
    memcpy(p->who, who.data, who.len);
    list_init(&p->in_quota);
    HASH_ADD_KEYPTR(hh, q->people, p->who, who.len, p);
    return p;
}

static void person_free(struct quota_person *p)
{
    HASH_DELETE(hh, p->quota->people, p);
    list_remove(&p->in_quota);
    free(p);
}

static void person_soil(struct quota_person *p)
{
    list_remove(&p->in_quota);
    list_append(&p->quota->dirty, &p->in_quota);
}

/* As far as we know; once nothing is left of them an answer ends them. */
static void person_is_written(struct quota_person *p)
{
    p->written_ms = now_ms(p->quota);
    list_remove(&p->in_quota);
    if (p->count > 0)
        list_append(&p->quota->written, &p->in_quota);
}

/* --- Redis --- */

static int person_eval(struct quota_person *p, struct redis_script *script, redis_cb *cb,
                       void *arg)
{
    struct quota *q = p->quota;
    char          key[sizeof(KEY_CONNECTIONS_FORMAT) + 512], count[16], ttl[16];

    snprintf(key, sizeof(key), KEY_CONNECTIONS_FORMAT, p->who);
    snprintf(count, sizeof(count), "%u", p->count);
    snprintf(ttl, sizeof(ttl), "%d", CONNECTIONS_TTL_S);
    const struct slice argv[] = {
        slice_of(key), slice_of(q->options.gateway), slice_of(count), slice_of(ttl),
        slice_make(KEY_REPLICA_FORMAT, sizeof(KEY_REPLICA_FORMAT) - 1 - 2),
    };
    return redis_eval(q->options.redis, script, cb, arg, 1, sizeof(argv) / sizeof(argv[0]), argv);
}

/* What was written is what the person had then; whoever changed it since made them dirty. */
static void on_written(int err, const struct redis_reply *reply, void *arg)
{
    struct quota_person *p = arg;

    (void)reply;
    p->writes--;
    if (err != 0)
        person_soil(p);
    else if (p->count == 0 && p->writes == 0 && list_is_empty(&p->in_quota))
        person_free(p);
}

static bool person_write(struct quota_person *p)
{
    if (person_eval(p, &WRITE, on_written, p) != 0)
        return false;
    p->writes++;
    person_is_written(p);
    return true;
}

/* --- claims --- */

static void claim_free(struct claim *c)
{
    list_remove(&c->in_quota);
    free(c);
}

static void claim_decide(struct claim *c, uint64_t sum)
{
    struct quota     *q = c->person->quota;
    uint64_t          max = q->options.max;
    enum quota_answer answer = sum <= max ? QUOTA_FINE : QUOTA_FULL;

    list_remove(&c->in_quota);
    c->is_waiting = false;
    if (sum > max && sum <= 2 * max && c->may_replace) {
        c->may_replace = false;                /* once */
        c->since_ms = now_ms(q);
        list_append(&q->for_now, &c->in_quota);
        answer = QUOTA_FOR_NOW;
    }
    c->cb(answer, c->arg);
}

static void on_counted(int err, const struct redis_reply *reply, void *arg)
{
    struct claim *c = arg;

    c->is_asked = false;
    if (c->person == NULL) {
        free(c);
        return;
    }
    if (err != 0)
        person_soil(c->person);
    if (!c->is_waiting)
        return;                                /* it took too long: decided already */
    if (err != 0)
        metric_inc(c->person->quota->guesses);
    claim_decide(c, err == 0 ? (uint64_t)redis_reply_int(reply) : c->person->count);
}

/* Where Redis cannot be asked, or is still being asked, the tick decides. */
static void claim_ask(struct claim *c)
{
    struct quota *q = c->person->quota;

    list_remove(&c->in_quota);
    list_append(&q->asking, &c->in_quota);
    c->since_ms = now_ms(q);
    c->is_waiting = true;
    if (c->is_asked)
        return;
    c->is_asked = person_eval(c->person, &CLAIM, on_counted, c) == 0;
    if (c->is_asked)
        person_is_written(c->person);
    else
        person_soil(c->person);
}

struct claim *quota_claim(struct quota *q, struct slice who, bool may_replace, quota_cb *cb,
                          void *arg)
{
    struct claim *c;

    if (q->options.max == 0)
        return NULL;
    c = mem_new(struct claim);
    c->person = person_of(q, who);
    c->person->count++;
    c->cb = cb;
    c->arg = arg;
    c->may_replace = may_replace;
    list_init(&c->in_quota);
    claim_ask(c);
    return c;
}

void claim_release(struct claim *c)
{
    if (c == NULL)
        return;
    assert(c->person->count > 0);
    c->person->count--;
    person_soil(c->person);
    c->person = NULL;
    list_remove(&c->in_quota);
    if (!c->is_asked)
        claim_free(c);
}

/* --- time --- */

static void claims_look(struct quota *q)
{
    list_each_safe(node, &q->for_now) {
        struct claim *c = container_of(node, struct claim, in_quota);

        if (now_ms(q) - c->since_ms < QUOTA_FOR_NOW_MS)
            break;
        claim_ask(c);
    }
    while (!list_is_empty(&q->asking)) {
        struct claim *c = container_of(q->asking.next, struct claim, in_quota);

        if (c->is_asked && now_ms(q) - c->since_ms < QUOTA_WAIT_MS)
            break;
        metric_inc(q->guesses);
        claim_decide(c, c->person->count);
    }
}

/* A Redis that came up empty, or fell back to an older copy, is told everything anew. */
static void notice_redis(struct quota *q)
{
    const char *run = redis_run_id(q->options.redis);

    if (strcmp(run, q->run) == 0)
        return;
    snprintf(q->run, sizeof(q->run), "%s", run);
    list_splice(&q->dirty, &q->written);
}

void quota_tick(struct quota *q)
{
    size_t left = WRITES_MAX;

    if (q->options.max == 0)
        return;
    claims_look(q);
    if (!redis_is_up(q->options.redis))
        return;
    notice_redis(q);
    while (left > 0 && !list_is_empty(&q->dirty)) {
        if (!person_write(container_of(q->dirty.next, struct quota_person, in_quota)))
            return;
        left--;
    }
    while (left-- > 0 && !list_is_empty(&q->written)) {
        struct quota_person *p = container_of(q->written.next, struct quota_person, in_quota);

        if (now_ms(q) - p->written_ms < CONNECTIONS_TTL_S * 1000 / 3 || !person_write(p))
            return;
    }
}

/* --- life --- */

void quota_init(struct quota *q, uv_loop_t *loop, const struct quota_options *o)
{
    *q = (struct quota){ .options = *o, .loop = loop };
    list_init(&q->dirty);
    list_init(&q->written);
    list_init(&q->asking);
    list_init(&q->for_now);
    q->guesses = metrics_counter(o->metrics, "taskwire_quota_guesses_total", NULL,
                                 "Connections judged by this gateway's own count, without Redis.");
}

void quota_deinit(struct quota *q)
{
    struct quota_person *p, *next;

    assert(list_is_empty(&q->asking) && list_is_empty(&q->for_now));
    HASH_ITER(hh, q->people, p, next) {
        assert(p->count == 0 && p->writes == 0);
        person_free(p);
    }
}

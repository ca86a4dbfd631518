/* publish_script.c -- one Lua call per transition decides what the world hears, and in which
 * order (DESIGN 6).
 *
 * Several taskd may publish the same transition (one crashed after it sent and before it
 * marked; two sweepers woke at once), and Redis may lose its memory under all of them. A
 * script runs alone in Redis, so it is the one place where "has this been said?" and "which
 * number is next?" have one answer.
 *
 * An org's keys are its hash (epoch, number, run, counts), its log, and one small key per task
 * that remembers the last seq published in this epoch. They are worth something only
 * together: where one is missing, or the hash was written under another run_id than the
 * server's of today (a restart may have brought an older copy back), a new life begins. Its
 * counts come from the store, so the script takes a hold on the org and answers `recount`: the
 * caller counts and calls `begin`. Until then all others hear `hold`.
 *
 *     publish/position --recount--> (store counts) --begin--> epoch = max(number + 1, clock)
 *
 * `begin` itself consumes the number that names the epoch: the first message of a life has
 * number epoch + 1. Numbers are microseconds of the clock at first, 16 digits: Lua's tostring
 * would round them to 14, hence `%.0f` everywhere. XADD comes before every other write, so
 * that a refusal of Redis (out of memory, read-only) leaves nothing half done.
 *
 * Rejected: a number per task without one for the org (gateways could not see gaps of tasks
 * that they do not know), INCR and XADD in a MULTI (no answer to repeats), and counts computed
 * by each taskd (they would have to agree on an order first, which is what this script is). */
#include "taskd/publish_script.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"
#include "proto/keys.h"

#define QUOTE_(x) #x
#define QUOTE(x)  QUOTE_(x)

#define ORG_SIZE     160                       /* of a key that holds an org */
#define NUMBER_SIZE  24
#define FIXED_ARGS   16

/* What all scripts share. KEYS: org hash, log, hold, live channel. ARGV: run_id, token, ... */
#define PRELUDE                                                                              \
    "local ORG, LOG, HOLD, LIVE = KEYS[1], KEYS[2], KEYS[3], KEYS[4]\n"                      \
    "local WORD = {'active', 'completed', 'failed'}\n"                                       \
    "local function text(n) return string.format('%.0f', n) end\n"                           \
    "local function life() return redis.call('HMGET', ORG, 'epoch', 'number', 'run') end\n"  \
    "local function is_over(h)\n"                                                            \
    "  return not h[1] or not h[2] or h[3] ~= ARGV[1]\n"                                     \
    "    or (h[1] ~= h[2] and redis.call('EXISTS', LOG) == 0)\n"                             \
    "end\n"                                                                                  \
    "local function take_hold()\n"                                                           \
    "  return redis.call('SET', HOLD, ARGV[2], 'NX', 'PX', " QUOTE(HOLD_MS) ")\n"            \
    "end\n"                                                                                  \
    "local function is_holder() return redis.call('GET', HOLD) == ARGV[2] end\n"             \
    "local function org_counts()\n"                                                          \
    "  local c = redis.call('HMGET', ORG, 'active', 'completed', 'failed', 'rev')\n"         \
    "  return {tonumber(c[1] or 0), tonumber(c[2] or 0), tonumber(c[3] or 0)}, c[4]\n"       \
    "end\n"                                                                                  \
    "local function own_counts(sub)\n"                                                       \
    "  local row = redis.call('HGET', ORG, 'p:' .. sub) or ''\n"                             \
    "  local a, c, f, rev = string.match(row, '^(%d+) (%d+) (%d+) (%d+)$')\n"                \
    "  return {tonumber(a or 0), tonumber(c or 0), tonumber(f or 0)}, rev\n"                 \
    "end\n"                                                                                  \
    "local function set_org(n, rev)\n"                                                       \
    "  redis.call('HSET', ORG, 'active', text(n[1]), 'completed', text(n[2]),\n"             \
    "             'failed', text(n[3]), 'rev', rev)\n"                                       \
    "end\n"                                                                                  \
    "local function set_own(sub, n, rev)\n"                                                  \
    "  redis.call('HSET', ORG, 'p:' .. sub,\n"                                               \
    "             string.format('%.0f %.0f %.0f %s', n[1], n[2], n[3], rev))\n"              \
    "end\n"                                                                                  \
    "local function count_line(address, scope, n, rev)\n"                                    \
    "  return string.format('%s [\"dashboard:task_count_changed\",{\"activeCount\":%.0f,'\n" \
    "    .. '\"completedCount\":%.0f,\"failedCount\":%.0f,\"scope\":\"%s\",\"rev\":%s}]\\n',\n" \
    "    address, n[1], n[2], n[3], scope, rev)\n"                                           \
    "end\n"                                                                                  \
    "local function emit(epoch, number, body)\n"                                             \
    "  local message = epoch .. ' ' .. number .. '\\n' .. body\n"                            \
    "  redis.call('XADD', LOG, 'MAXLEN', '~', '" QUOTE(LOG_ENTRIES_MAX) "', number .. '-0',\n" \
    "             '" KEY_LOG_FIELD "', message)\n"                                           \
    "  redis.call('PUBLISH', LIVE, message)\n"                                               \
    "end\n"                                                                                  \
    "local function keep()\n"                                                                \
    "  redis.call('EXPIRE', ORG, " QUOTE(ORG_TTL_S) ")\n"                                    \
    "  redis.call('EXPIRE', LOG, " QUOTE(ORG_TTL_S) ")\n"                                    \
    "end\n"

/* ARGV: run, token, clock, task, seq, marked, before, after, creator, body, times */
static struct redis_script publish_script = { .text = PRELUDE
    "local h = life()\n"
    "if is_over(h) then\n"
    "  if take_hold() then return {'recount'} end\n"
    "  return {'hold'}\n"
    "end\n"
    "if redis.call('EXISTS', HOLD) == 1 then return {'hold'} end\n"
    "local seq_key = string.format('" KEY_SEQ_FORMAT "', h[1], ARGV[4])\n"
    "local seq = tonumber(ARGV[5])\n"
    "local known = math.max(tonumber(ARGV[6]), tonumber(redis.call('GET', seq_key) or 0))\n"
    "if seq <= known then return {'had', h[1], h[2], text(known)} end\n"
    "if seq > known + 1 then return {'gap', h[1], h[2], text(known)} end\n"
    "local number = text(tonumber(h[2]) + 1)\n"
    "local before, after, creator, body = ARGV[7], ARGV[8], ARGV[9], ARGV[10]\n"
    "local org, own\n"
    "local function move(bucket, by)\n"
    "  if bucket == '-' then return end\n"
    "  local n\n"
    "  if string.sub(bucket, 1, 1) == 'o' then\n"
    "    org = org or org_counts()\n"
    "    n = org\n"
    "  else\n"
    "    own = own or own_counts(creator)\n"
    "    n = own\n"
    "  end\n"
    "  local i = ({a = 1, c = 2, f = 3})[string.sub(bucket, 2, 2)]\n"
    "  n[i] = math.max(0, n[i] + by)\n"
    "end\n"
    "if before ~= after then\n"
    "  move(before, -1)\n"
    "  move(after, 1)\n"
    "  if org then body = body .. count_line('dash', 'org', org, number) end\n"
    "  if own then body = body .. count_line('mine', 'private', own, number) end\n"
    "end\n"
    "emit(h[1], number, body .. 'times ' .. ARGV[11] .. '\\n')\n"
    "redis.call('HSET', ORG, 'number', number, 'at', ARGV[3])\n"
    "if org then set_org(org, number) end\n"
    "if own then set_own(creator, own, number) end\n"
    "redis.call('SET', seq_key, ARGV[5], 'EX', " QUOTE(SEQ_TTL_S) ")\n"
    "keep()\n"
    "return {'ok', h[1], number}\n"
};

/* ARGV: run, token, clock, sub (none: who has private tasks?) */
static struct redis_script position_script = { .text = PRELUDE
    "local h = life()\n"
    "if is_over(h) then\n"
    "  if take_hold() then return {'recount'} end\n"
    "  return {'hold'}\n"
    "end\n"
    "if redis.call('EXISTS', HOLD) == 1 then return {'hold'} end\n"
    "local org, rev = org_counts()\n"
    "local own, own_rev, people = {0, 0, 0}, h[1], {}\n"
    "if ARGV[4] then\n"
    "  own, own_rev = own_counts(ARGV[4])\n"
    "else\n"
    "  local all = redis.call('HGETALL', ORG)\n"
    "  for i = 1, #all, 2 do\n"
    "    if string.sub(all[i], 1, 2) == 'p:' and string.sub(all[i + 1], 1, 6) ~= '0 0 0 ' then\n"
    "      people[#people + 1] = string.sub(all[i], 3)\n"
    "    end\n"
    "  end\n"
    "end\n"
    "return {'ok', h[1], h[2], text(org[1]), text(org[2]), text(org[3]), rev or h[1],\n"
    "        text(own[1]), text(own[2]), text(own[3]), own_rev or h[1],\n"
    "        table.concat(people, ' ')}\n"
};

/* ARGV: run, token, clock, active, completed, failed, then sub, active, completed, failed ... */
static struct redis_script begin_script = { .text = PRELUDE
    "if not is_holder() then return {'late'} end\n"
    "local h = life()\n"
    "local number = tonumber(ARGV[3])\n"
    "if h[2] then number = math.max(number, tonumber(h[2]) + 1) end\n"
    "local epoch = text(number)\n"
    "redis.call('DEL', ORG, LOG)\n"
    "redis.call('HSET', ORG, 'epoch', epoch, 'number', epoch, 'run', ARGV[1])\n"
    "set_org({tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])}, epoch)\n"
    "for i = 7, #ARGV, 4 do\n"
    "  set_own(ARGV[i], {tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])},\n"
    "          epoch)\n"
    "end\n"
    "redis.call('DEL', HOLD)\n"
    "keep()\n"
    "return {'ok', epoch, epoch}\n"
};

/* ARGV: run, token, clock, quiet_us */
static struct redis_script hold_script = { .text = PRELUDE
    "if is_over(life()) then return {'gone'} end\n"
    "local at = tonumber(redis.call('HGET', ORG, 'at') or 0)\n"
    "if tonumber(ARGV[3]) - at < tonumber(ARGV[4]) then return {'busy'} end\n"
    "if take_hold() then return {'ok', '0', '0'} end\n"
    "return {'hold'}\n"
};

/* ARGV: run, token, clock, active, completed, failed, org, then sub and its three counts ...
 * What is told here belongs to no task: its routing line names none. */
static struct redis_script correct_script = { .text = PRELUDE
    "if not is_holder() then return {'late'} end\n"
    "redis.call('DEL', HOLD)\n"
    "local h = life()\n"
    "if is_over(h) then return {'gone'} end\n"
    "local number, wrong = tonumber(h[2]), 0\n"
    "local function tell(creator, private, line)\n"
    "  local routing = string.format('1 - %s - %s %s\\n', ARGV[7], creator, private)\n"
    "  emit(h[1], text(number), routing .. line)\n"
    "  redis.call('HSET', ORG, 'number', text(number))\n"
    "  wrong = wrong + 1\n"
    "end\n"
    "local function differs(a, b) return a[1] ~= b[1] or a[2] ~= b[2] or a[3] ~= b[3] end\n"
    "local right = {tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])}\n"
    "if differs(right, org_counts()) then\n"
    "  number = number + 1\n"
    "  tell('-', '0', count_line('dash', 'org', right, text(number)))\n"
    "  set_org(right, text(number))\n"
    "end\n"
    "local people = {}\n"
    "local fields = redis.call('HKEYS', ORG)\n"
    "for i = 1, #fields do\n"
    "  local sub = string.match(fields[i], '^p:(.*)$')\n"
    "  if sub then people[sub] = {0, 0, 0} end\n"
    "end\n"
    "for i = 8, #ARGV, 4 do\n"
    "  people[ARGV[i]] = {tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])}\n"
    "end\n"
    "for sub, n in pairs(people) do\n"
    "  if differs(n, own_counts(sub)) then\n"
    "    number = number + 1\n"
    "    tell(sub, '1', count_line('mine', 'private', n, text(number)))\n"
    "    set_own(sub, n, text(number))\n"
    "  end\n"
    "end\n"
    "return {'ok', h[1], text(number), text(wrong)}\n"
};

/* ARGV: run, token, clock */
static struct redis_script release_script = { .text = PRELUDE
    "if is_holder() then redis.call('DEL', HOLD) end\n"
    "return {'ok', '0', '0'}\n"
};

/* A call being put together: keys and the three arguments that all scripts begin with. */
struct call {
    char          org[ORG_SIZE], log[ORG_SIZE], hold[ORG_SIZE], live[ORG_SIZE];
    char          floor[NUMBER_SIZE];
    char          numbers[BUCKETS_PER_SCOPE][NUMBER_SIZE];
    struct slice  fixed[FIXED_ARGS];
    struct slice *argv;                        /* `fixed`, or longer and on the heap */
    size_t        argc;
};

#define KEY_COUNT 4

static void call_add(struct call *c, struct slice s)
{
    c->argv[c->argc++] = s;
}

static void call_init(struct call *c, struct redis *r, const struct script_caller *who)
{
    c->argv = c->fixed;
    c->argc = 0;
    snprintf(c->org, sizeof(c->org), KEY_ORG_FORMAT, who->org);
    snprintf(c->log, sizeof(c->log), KEY_LOG_FORMAT, who->org);
    snprintf(c->hold, sizeof(c->hold), KEY_HOLD_FORMAT, who->org);
    snprintf(c->live, sizeof(c->live), KEY_LIVE_FORMAT, who->org);
    snprintf(c->floor, sizeof(c->floor), "%llu", (unsigned long long)who->floor_us);
    call_add(c, slice_of(c->org));
    call_add(c, slice_of(c->log));
    call_add(c, slice_of(c->hold));
    call_add(c, slice_of(c->live));
    call_add(c, slice_of(redis_run_id(r)));
    call_add(c, slice_of(who->token));
    call_add(c, slice_of(c->floor));
}

static int call_run(struct call *c, struct redis *r, struct redis_script *script, redis_cb *cb,
                    void *arg)
{
    return redis_eval(r, script, cb, arg, KEY_COUNT, c->argc, c->argv);
}

static struct slice number_text(int64_t n, char out[NUMBER_SIZE])
{
    snprintf(out, NUMBER_SIZE, "%lld", (long long)n);
    return slice_of(out);
}

static struct slice bucket_text(enum bucket b)
{
    return b == BUCKET_NONE ? SLICE("-") : slice_of(bucket_wire(b));
}

int script_publish(struct redis *r, const struct script_caller *who, const struct publication *p,
                   redis_cb *cb, void *arg)
{
    struct call c;
    char        seq[NUMBER_SIZE];
    char        marked[NUMBER_SIZE];

    call_init(&c, r, who);
    call_add(&c, slice_of(p->task));
    call_add(&c, number_text(p->seq, seq));
    call_add(&c, number_text(p->marked, marked));
    call_add(&c, bucket_text(p->before));
    call_add(&c, bucket_text(p->after));
    call_add(&c, slice_of(p->creator));
    call_add(&c, p->body);
    call_add(&c, slice_of(p->times));
    return call_run(&c, r, &publish_script, cb, arg);
}

int script_position(struct redis *r, const struct script_caller *who, const char *sub,
                    redis_cb *cb, void *arg)
{
    struct call c;

    call_init(&c, r, who);
    if (sub != NULL)
        call_add(&c, slice_of(sub));
    return call_run(&c, r, &position_script, cb, arg);
}

/* Append the org's counts, `between` (NULL: nothing), and four arguments for each person;
 * then run. There may be thousands of people: both arrays are on the heap. */
static int run_with_counts(struct redis *r, const struct script_caller *who,
                           const struct store_counts *counts, const char *between,
                           struct redis_script *script, redis_cb *cb, void *arg)
{
    struct call c;
    size_t      n = counts->people_count;
    char      (*texts)[NUMBER_SIZE] = mem_alloc((n * BUCKETS_PER_SCOPE + 1) * sizeof(*texts));
    size_t      used = 0;
    int         err;

    call_init(&c, r, who);
    c.argv = mem_alloc((FIXED_ARGS + n * (1 + BUCKETS_PER_SCOPE)) * sizeof(*c.argv));
    for (size_t i = 0; i < c.argc; i++)
        c.argv[i] = c.fixed[i];
    for (size_t i = 0; i < BUCKETS_PER_SCOPE; i++)
        call_add(&c, number_text(counts->org[i], c.numbers[i]));
    if (between != NULL)
        call_add(&c, slice_of(between));
    for (size_t i = 0; i < n; i++) {
        call_add(&c, slice_of(counts->people[i].sub));
        for (size_t b = 0; b < BUCKETS_PER_SCOPE; b++)
            call_add(&c, number_text(counts->people[i].n[b], texts[used++]));
    }
    err = call_run(&c, r, script, cb, arg);
    free(c.argv);
    free(texts);
    return err;
}

int script_begin(struct redis *r, const struct script_caller *who, const struct store_counts *c,
                 redis_cb *cb, void *arg)
{
    return run_with_counts(r, who, c, NULL, &begin_script, cb, arg);
}

int script_correct(struct redis *r, const struct script_caller *who, const struct store_counts *c,
                   redis_cb *cb, void *arg)
{
    return run_with_counts(r, who, c, who->org, &correct_script, cb, arg);
}

int script_hold(struct redis *r, const struct script_caller *who, uint64_t quiet_us, redis_cb *cb,
                void *arg)
{
    struct call c;
    char        quiet[NUMBER_SIZE];

    call_init(&c, r, who);
    call_add(&c, number_text((int64_t)quiet_us, quiet));
    return call_run(&c, r, &hold_script, cb, arg);
}

int script_release(struct redis *r, const struct script_caller *who, redis_cb *cb, void *arg)
{
    struct call c;

    call_init(&c, r, who);
    return call_run(&c, r, &release_script, cb, arg);
}

static const struct outcome_word {
    const char         *word;
    enum script_outcome outcome;
} WORDS[] = {
    { "ok", SCRIPT_OK },         { "had", SCRIPT_HAD },   { "gap", SCRIPT_GAP },
    { "hold", SCRIPT_HOLD },     { "busy", SCRIPT_BUSY }, { "recount", SCRIPT_RECOUNT },
    { "late", SCRIPT_LATE },     { "gone", SCRIPT_GONE },
};

static int64_t answer_int(const struct redis_reply *reply, size_t i)
{
    const struct redis_reply *at = redis_reply_at(reply, i);

    return at == NULL ? 0 : redis_reply_int(at);
}

void script_answer_read(int err, const struct redis_reply *reply, struct script_answer *out)
{
    const struct redis_reply *word = err == 0 ? redis_reply_at(reply, 0) : NULL;

    *out = (struct script_answer){ .outcome = SCRIPT_FAILED };
    if (word == NULL)
        return;
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (slice_is(redis_reply_text(word), WORDS[i].word))
            out->outcome = WORDS[i].outcome;
    }
    out->at.epoch = (uint64_t)answer_int(reply, 1);
    out->at.number = (uint64_t)answer_int(reply, 2);
    out->known = answer_int(reply, 3);
    for (size_t i = 0; i < BUCKETS_PER_SCOPE; i++) {
        out->org[i] = answer_int(reply, 3 + i);
        out->own[i] = answer_int(reply, 7 + i);
    }
    out->rev = (uint64_t)answer_int(reply, 6);
    out->own_rev = (uint64_t)answer_int(reply, 10);
    if (redis_reply_at(reply, 11) != NULL)
        out->people = redis_reply_text(redis_reply_at(reply, 11));
}

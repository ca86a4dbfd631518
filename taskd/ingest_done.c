/* ingest_done.c -- inputs that are over: acknowledged, or a dead letter.
 *
 * Both are scripts that look at the lease first: who has lost it without knowing changes nothing
 * any more. Acknowledgements go out together, one script for all of a turn. */
#include <stdio.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "proto/keys.h"
#include "taskd/fault.h"
#include "taskd/ingest_internal.h"

#define QUOTE_(x) #x
#define QUOTE(x)  QUOTE_(x)

/* KEYS: lease, stream. ARGV: token, group, ids ... */
static struct redis_script ack_script = { .text =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
    "for i = 3, #ARGV do\n"
    "  redis.call('XACK', KEYS[2], ARGV[2], ARGV[i])\n"
    "  redis.call('XDEL', KEYS[2], ARGV[i])\n"
    "end\n"
    "return 1\n"
};

/* KEYS: lease, stream, dead. ARGV: token, group, id, event, reason, code, at */
static struct redis_script dead_script = { .text =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
    "redis.call('XADD', KEYS[3], 'MAXLEN', '~', '" QUOTE(KEY_INGEST_DEAD_MAX) "', '*',\n"
    "           'event', ARGV[4], 'reason', ARGV[5], 'code', ARGV[6], 'at', ARGV[7])\n"
    "redis.call('XACK', KEYS[2], ARGV[2], ARGV[3])\n"
    "redis.call('XDEL', KEYS[2], ARGV[3])\n"
    "return 1\n"
};

static void on_script(int err, const struct redis_reply *reply, void *arg)
{
    struct ingest *in = arg;

    if (err == 0)
        FAULT_POINT("after-ack");
    in->scripts--;
    if (err == ERR_REPLY)
        log_warn("ingest-refused", LOG_SLICE("why", redis_reply_text(reply)));
    ingest_end_if_idle(in);
}

/* Whatever comes of it: an input that stays pending is read again. */
static void ingest_script(struct ingest *in, struct redis_script *script, size_t key_count,
                          size_t argc, const struct slice *argv)
{
    if (redis_eval(in->redis, script, on_script, in, key_count, argc, argv) == 0)
        in->scripts++;
}

void ingest_acks_flush(struct ingest *in)
{
    struct slice argv[INGEST_ACKS_MAX + 4];
    size_t       argc = 0;

    if (in->ack_count == 0)
        return;
    argv[argc++] = SLICE(KEY_INGEST_LEASE);
    argv[argc++] = SLICE(KEY_INGEST);
    argv[argc++] = slice_of(lease_token(in->lease));
    argv[argc++] = SLICE(KEY_INGEST_GROUP);
    for (size_t i = 0; i < in->ack_count; i++)
        argv[argc++] = slice_of(in->acks[i]);
    ingest_script(in, &ack_script, 2, argc, argv);
    in->ack_count = 0;
}

void ingest_ack(struct ingest *in, const char *id)
{
    snprintf(in->acks[in->ack_count++], INGEST_ID_SIZE, "%s", id);
    if (in->ack_count == INGEST_ACKS_MAX)
        ingest_acks_flush(in);
}

void ingest_dead_letter(struct ingest *in, const char *id, struct slice raw, const char *code,
                        const char *reason)
{
    char         at[CLOCK_TEXT_SIZE];
    struct slice event = { raw.data, raw.len < INGEST_DEAD_BYTES_MAX ? raw.len
                                                                      : INGEST_DEAD_BYTES_MAX };

    clock_format(clock_wall_ms(), at);
    struct slice argv[] = {
        SLICE(KEY_INGEST_LEASE), SLICE(KEY_INGEST), SLICE(KEY_INGEST_DEAD),
        slice_of(lease_token(in->lease)), SLICE(KEY_INGEST_GROUP), slice_of(id), event,
        slice_of(reason), slice_of(code), slice_of(at),
    };
    FAULT_POINT("before-dead");
    metric_inc(in->dead);
    log_warn("dead-letter", LOG_TEXT("id", id), LOG_TEXT("code", code), LOG_TEXT("why", reason));
    ingest_script(in, &dead_script, 3, sizeof(argv) / sizeof(argv[0]), argv);
}

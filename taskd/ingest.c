/* ingest.c -- the stream's only reader.
 *
 * Order is the promise that costs most here. A consumer group would share the stream out
 * between several taskd, and two inputs of one task would race. So one process reads for
 * all, under one fixed consumer name: what a predecessor had read and not finished is still
 * pending under that name, and is read again first, in order. Inputs of different tasks act
 * side by side; ingest_order.c keeps those of one task apart.
 *
 *     stream --XREADGROUP--> cloudevent --> ingest_order --> tasks --> XACK + XDEL (batched)
 *        ^                       |               |             |
 *     channel (fire and forget)  +---------------+-------------+--> dead letters
 *
 * An input is acknowledged after its task was stored, so a crash in between makes it act
 * twice; its key makes the second time harmless. An acknowledgement that was lost leaves it
 * pending: whenever nothing else is to be done, what is pending is looked through again.
 *
 * The blocking read has a link of its own (replies come in order: everything else would wait
 * behind it), and is only sent while the lease outlives it, so that a successor finds
 * whatever it brought among the pending ones. */
#include "taskd/ingest_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "proto/keys.h"

#define READ_COUNT       "256"
#define BLOCK_MS         1000
#define BLOCK_LEAST_MS   300                   /* a shorter lease: wait for its renewal */
#define HELD_MAX         4096                  /* inputs in memory; past it reading stops */
#define HELD_BYTES_MAX   ((size_t)64 << 20)
#define RESCAN_EVERY_MS  10000
#define TICK_MS          50
#define PAUSE_MS         200                   /* after an error of Redis */

static void ingest_pump(struct ingest *in);

void ingest_end_if_idle(struct ingest *in)
{
    if (!in->is_closing || in->handles_open > 0 || in->acts > 0 || in->scripts > 0)
        return;
    ingest_order_free(in->order);
    free(in);
}

static void on_wake(uv_timer_t *timer)
{
    ingest_pump(timer->data);
}

static void cursor_set(struct ingest *in, const char *id)
{
    snprintf(in->cursor, sizeof(in->cursor), "%s", id);
}

void ingest_wake(struct ingest *in)
{
    if (!in->is_closing)
        uv_timer_start(&in->wake, on_wake, 0, 0);
}

/* --- reading --- */

/* [id, [field, value, ...]]; the fields are nil where the entry was deleted meanwhile. */
static void on_entry(struct ingest *in, const struct redis_reply *entry)
{
    struct slice              id = redis_reply_text(redis_reply_at(entry, 0));
    const struct redis_reply *fields = redis_reply_at(entry, 1);
    char                      id_text[INGEST_ID_SIZE];

    if (id.len == 0 || id.len >= INGEST_ID_SIZE)
        return;
    snprintf(id_text, sizeof(id_text), "%.*s", SLICE_ARG(id));
    if (strcmp(in->cursor, ">") != 0)
        memcpy(in->cursor, id_text, sizeof(id_text));
    if (redis_reply_kind(fields) != REDIS_ARRAY) {
        ingest_ack(in, id_text);
        return;
    }
    for (size_t i = 0; i + 1 < redis_reply_count(fields); i += 2) {
        if (slice_is(redis_reply_text(redis_reply_at(fields, i)), KEY_INGEST_FIELD)) {
            ingest_input_add(in, id, redis_reply_text(redis_reply_at(fields, i + 1)));
            return;
        }
    }
    ingest_dead_letter(in, id_text, SLICE(""), "bad_envelope", "The entry has no field \"event\"");
}

static void on_read_error(struct ingest *in, int err, const struct redis_reply *reply)
{
    struct slice why = redis_reply_text(reply);

    /* The stream is gone, or its group: a Redis that lost its memory. */
    if (err == ERR_REPLY && (slice_starts(why, "NOGROUP") || slice_starts(why, "UNBLOCKED")))
        in->has_group = false;
    else if (err == ERR_REPLY)
        log_warn("ingest-read-refused", LOG_SLICE("why", why));
    if (err != ERR_REPLY || in->has_group)
        in->pause_until_ms = uv_now(in->loop) + PAUSE_MS;
}

static void on_read(int err, const struct redis_reply *reply, void *arg)
{
    struct ingest            *in = arg;
    const struct redis_reply *stream;
    const struct redis_reply *entries;

    if (in->is_closing)
        return;
    in->is_reading = false;
    if (err != 0) {
        on_read_error(in, err, reply);
    } else if (lease_left_ms(in->lease) > 0) {
        stream = redis_reply_at(reply, 0);
        entries = redis_reply_at(stream, 1);
        for (size_t i = 0; i < redis_reply_count(entries); i++)
            on_entry(in, redis_reply_at(entries, i));
        if (redis_reply_count(entries) == 0 && strcmp(in->cursor, ">") != 0) {
            cursor_set(in, ">");
            in->scanned_ms = uv_now(in->loop);
        }
    }
    ingest_wake(in);
}

static void on_group(int err, const struct redis_reply *reply, void *arg)
{
    struct ingest *in = arg;

    if (in->is_closing)
        return;
    in->is_reading = false;
    in->has_group = err == 0 ||
                    (err == ERR_REPLY && slice_starts(redis_reply_text(reply), "BUSYGROUP"));
    if (!in->has_group)
        in->pause_until_ms = uv_now(in->loop) + PAUSE_MS;
    cursor_set(in, "0");
    ingest_wake(in);
}

static void read_more(struct ingest *in)
{
    uint64_t left_ms = lease_left_ms(in->lease);
    char     block[24];
    int      err;

    if (in->is_reading || left_ms < BLOCK_LEAST_MS || !redis_is_up(in->reader) ||
        uv_now(in->loop) < in->pause_until_ms ||
        ingest_order_count(in->order) >= HELD_MAX || in->held_bytes >= HELD_BYTES_MAX)
        return;
    /* Nothing to do: is anything pending that was lost on the way? */
    if (in->scripts == 0 && ingest_order_count(in->order) == 0 &&
        uv_now(in->loop) >= in->scanned_ms + RESCAN_EVERY_MS)
        cursor_set(in, "0");
    if (!in->has_group) {
        err = redis_call(in->reader, on_group, in, "XGROUP", "CREATE", KEY_INGEST,
                         KEY_INGEST_GROUP, "0", "MKSTREAM", NULL);
    } else if (strcmp(in->cursor, ">") != 0) {
        err = redis_call(in->reader, on_read, in, "XREADGROUP", "GROUP", KEY_INGEST_GROUP,
                         KEY_INGEST_CONSUMER, "COUNT", READ_COUNT, "STREAMS", KEY_INGEST,
                         in->cursor, NULL);
    } else {
        snprintf(block, sizeof(block), "%u",
                 (unsigned)(left_ms < BLOCK_MS ? left_ms : BLOCK_MS));
        err = redis_call(in->reader, on_read, in, "XREADGROUP", "GROUP", KEY_INGEST_GROUP,
                         KEY_INGEST_CONSUMER, "COUNT", READ_COUNT, "BLOCK", block, "STREAMS",
                         KEY_INGEST, ">", NULL);
    }
    in->is_reading = err == 0;
}

/* On the way out. What a read under way brings is pending, and the successor's. */
static void drain_on(struct ingest *in)
{
    struct redis *reader = in->reader;

    if (in->is_drained)
        return;
    if (lease_left_ms(in->lease) > 0)
        ingest_acks_flush(in);
    if (in->acts > 0)
        return;
    in->is_drained = true;
    in->reader = NULL;
    redis_close(reader);
    lease_resign(in->lease);
}

static void ingest_pump(struct ingest *in)
{
    if (in->is_closing)
        return;
    if (in->is_draining) {
        drain_on(in);
        return;
    }
    if (lease_left_ms(in->lease) == 0)
        return;                                /* on_tick comes back when it is renewed */
    ingest_inputs_run(in);
    ingest_acks_flush(in);
    read_more(in);
}

static void on_tick(uv_timer_t *timer)
{
    ingest_pump(timer->data);
}

/* --- the channel --- */

static void on_message(struct redis_subscriber *s, struct slice channel, struct slice message,
                       void *arg)
{
    struct ingest *in = arg;
    struct slice   argv[] = { SLICE("XADD"), SLICE(KEY_INGEST), SLICE("*"),
                              SLICE(KEY_INGEST_FIELD), message };

    (void)s;
    (void)channel;
    if (lease_left_ms(in->lease) > 0 && redis_command(in->redis, NULL, NULL, 5, argv) == 0)
        metric_inc(in->heard);
    else
        metric_inc(in->lost);                  /* fire and forget, as its sender chose */
}

static void on_subscribed(struct redis_subscriber *s, struct slice channel, void *arg)
{
    (void)s;
    (void)arg;
    log_debug("ingest-listening", LOG_SLICE("channel", channel));
}

static const struct redis_subscriber_handlers SUBSCRIBER = { .on_message = on_message,
                                                             .on_subscribed = on_subscribed };

/* --- the lease --- */

static void stop_holding(struct ingest *in)
{
    in->term++;                                /* what acts now is not ours to finish */
    ingest_inputs_drop(in);
    in->ack_count = 0;
    if (in->subscriber != NULL)
        redis_subscriber_close(in->subscriber);
    in->subscriber = NULL;
}

static void on_lease(bool is_held, void *arg)
{
    struct ingest *in = arg;

    if (!is_held) {
        stop_holding(in);
        return;
    }
    in->has_group = false;
    in->pause_until_ms = 0;
    in->subscriber = redis_subscriber_new(in->loop, in->redis_url, "taskd-ingest", &SUBSCRIBER, in);
    if (in->subscriber != NULL)
        redis_subscribe(in->subscriber, SLICE(KEY_INGEST));
    ingest_wake(in);
}

/* --- life --- */

static double read_waiting(void *arg)
{
    return (double)ingest_order_count(((struct ingest *)arg)->order);
}

static double read_holder(void *arg)
{
    return ingest_is_holder(arg) ? 1 : 0;
}

static void ingest_metrics(struct ingest *in, struct metrics *m)
{
    static const char NAME[] = "taskwire_ingest_inputs_total";
    static const char HELP[] = "Inputs of the bus, by what came of them";

    in->done = metrics_counter(m, NAME, "outcome=\"done\"", HELP);
    in->repeats = metrics_counter(m, NAME, "outcome=\"repeat\"", HELP);
    in->dead = metrics_counter(m, NAME, "outcome=\"dead\"", HELP);
    in->seconds = metrics_histogram(m, "taskwire_ingest_seconds", NULL,
                                    "From an input's publication to its effect in the store");
    in->heard = metrics_counter(m, "taskwire_ingest_heard_total", NULL,
                                "Inputs published to the channel and added to the stream");
    in->lost = metrics_counter(m, "taskwire_ingest_unheard_total", NULL,
                               "Inputs published to the channel and not added to the stream");
    metrics_read(m, "taskwire_ingest_waiting", NULL, "Inputs read and not yet over", read_waiting,
                 in);
    metrics_read(m, "taskwire_ingest_holder", NULL, "1 where this process reads the stream",
                 read_holder, in);
}

struct ingest *ingest_new(uv_loop_t *loop, const struct ingest_options *o, struct tasks *tasks,
                          struct metrics *m)
{
    struct ingest       *in = mem_new(struct ingest);
    struct redis_options reader = { .url = o->redis_url, .name = "taskd-ingest-reader",
                                    .pending_max = 16, .timeout_ms = BLOCK_MS + 4000 };
    struct lease_options lease = { .key = KEY_INGEST_LEASE, .ttl_ms = INGEST_LEASE_MS,
                                   .is_alone = o->is_alone, .cb = on_lease, .arg = in };

    in->reader = redis_new(loop, &reader);
    if (in->reader == NULL) {
        free(in);
        return NULL;
    }
    in->loop = loop;
    in->redis = o->redis;
    in->redis_url = o->redis_url;
    in->tasks = tasks;
    in->order = ingest_order_new();
    cursor_set(in, "0");
    ingest_metrics(in, m);
    uv_timer_init(loop, &in->wake);
    uv_timer_init(loop, &in->tick);
    in->wake.data = in->tick.data = in;
    in->handles_open = 2;
    uv_timer_start(&in->tick, on_tick, TICK_MS, TICK_MS);
    in->lease = lease_new(loop, o->redis, &lease);
    return in;
}

static void on_closed(uv_handle_t *handle)
{
    struct ingest *in = handle->data;

    in->handles_open--;
    ingest_end_if_idle(in);
}

void ingest_drain(struct ingest *in)
{
    in->is_draining = true;
    ingest_wake(in);
}

bool ingest_is_drained(const struct ingest *in)
{
    return in->is_drained;
}

void ingest_close(struct ingest *in)
{
    if (in->is_closing)
        return;
    ingest_acks_flush(in);
    in->is_closing = true;
    stop_holding(in);
    lease_close(in->lease);
    redis_close(in->reader);
    uv_close((uv_handle_t *)&in->wake, on_closed);
    uv_close((uv_handle_t *)&in->tick, on_closed);
}

bool ingest_is_holder(const struct ingest *in)
{
    return lease_left_ms(in->lease) > 0;
}

size_t ingest_waiting(const struct ingest *in)
{
    return ingest_order_count(in->order);
}

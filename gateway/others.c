/* others.c -- see others.h.
 *
 * Health is asked by everybody, without a token, so an answer may cost nothing that grows with
 * the questions: one script reads all heartbeats, and its answer serves whoever asks within the
 * next second. A replica that died is gone from the list with its heartbeat.
 *
 * Rejected: asking the replicas themselves (a slow one would make all answers slow), and reading
 * all the time (nearly nobody asks). */
#include "gateway/others.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define FRESH_MS 1000
#define WAIT_MS  1000

struct ask {
    struct list          node;
    struct http_request *request;
    uint64_t             since_ms;
};

static uint64_t now_ms(const struct others *o)
{
    return uv_now(o->loop);
}

bool others_are_fresh(const struct others *o)
{
    return o->read_ms != 0 && now_ms(o) - o->read_ms < 3 * FRESH_MS;
}

/* --- who asks --- */

static void on_gone(struct http_request *r, void *arg)
{
    struct ask *a = arg;

    (void)r;
    list_remove(&a->node);
    free(a);
}

static void ask_answer(struct others *o, struct ask *a)
{
    struct http_request *r = a->request;

    list_remove(&a->node);
    free(a);
    o->answer(r, o->arg);
}

static void answer_all(struct others *o)
{
    list_each_safe (node, &o->asks)
        ask_answer(o, container_of(node, struct ask, node));
}

static void ask_add(struct others *o, struct http_request *r)
{
    struct ask *a = mem_new(struct ask);

    a->request = r;
    a->since_ms = now_ms(o);
    list_append(&o->asks, &a->node);
    http_request_on_gone(r, on_gone, a);
}

/* --- reading --- */

static void take_text(const struct redis_reply *row, size_t i, char *out, size_t size)
{
    snprintf(out, size, "%.*s", SLICE_ARG(redis_reply_text(redis_reply_at(row, i))));
}

static uint64_t take_count(const struct redis_reply *row, size_t i)
{
    int64_t n = redis_reply_int(redis_reply_at(row, i));

    return n > 0 ? (uint64_t)n : 0;
}

static void take_row(struct figures *f, const struct redis_reply *row)
{
    take_text(row, 0, f->id, sizeof(f->id));
    take_text(row, 1, f->version, sizeof(f->version));
    take_text(row, 2, f->state, sizeof(f->state));
    take_text(row, 3, f->at, sizeof(f->at));
    f->users = take_count(row, 4);
    f->sockets = take_count(row, 5);
    f->per_second = take_count(row, 6);
    f->errors = take_count(row, 7);
}

static void on_read(int err, const struct redis_reply *reply, void *arg)
{
    struct others *o = arg;

    o->is_reading = false;
    if (err == 0) {
        o->count = redis_reply_count(reply);
        o->list = mem_resize(o->list, (o->count + 1) * sizeof(o->list[0]));
        for (size_t i = 0; i < o->count; i++)
            take_row(&o->list[i], redis_reply_at(reply, i));
        o->read_ms = now_ms(o);
    }
    if (!o->is_closing)
        answer_all(o);
}

void others_ask(struct others *o, struct http_request *r, bool can_read)
{
    bool is_known = o->read_ms != 0 && now_ms(o) - o->read_ms < FRESH_MS;

    if (!is_known && !o->is_reading && can_read && !o->is_closing)
        o->is_reading = replicas_list(o->replicas, on_read, o) == 0;
    if (is_known || !o->is_reading)
        o->answer(r, o->arg);
    else
        ask_add(o, r);
}

void others_tick(struct others *o)
{
    list_each_safe (node, &o->asks) {
        struct ask *a = container_of(node, struct ask, node);

        if (now_ms(o) - a->since_ms >= WAIT_MS)
            ask_answer(o, a);
    }
}

/* --- life --- */

void others_init(struct others *o, uv_loop_t *loop, struct replicas *replicas,
                 void (*answer)(struct http_request *r, void *arg), void *arg)
{
    *o = (struct others){ .loop = loop, .replicas = replicas, .answer = answer, .arg = arg };
    list_init(&o->asks);
}

void others_close(struct others *o)
{
    o->is_closing = true;
    answer_all(o);
}

void others_deinit(struct others *o)
{
    free(o->list);
    o->list = NULL;
}

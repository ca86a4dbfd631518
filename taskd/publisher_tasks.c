/* publisher_tasks.c -- the hands of the outbox: it reads tasks, runs scripts, and marks.
 *
 * outbox.c decides what goes out and in which order; this file does what it says and brings
 * the answers back. Nothing is done inside a caller's call: a kick or a question wakes a timer
 * of zero, so that all of one turn's transitions go to Redis together, in one write.
 *
 * A task's events leave its document's window sooner or later. So that its transitions need not
 * wait for it then, they are settled (copied to where they may stay) every so often. That goes on
 * while Redis is away. (Rejected: every event at once. It is a write to the document more for
 * each, and most tasks live and end within their window.) */
#include "taskd/publisher_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/trace.h"
#include "taskd/fault.h"
#include "taskd/messages.h"
#include "taskd/notify.h"

#define MESSAGE_MAX ((size_t)1 << 20)          /* of one envelope: it says its data twice */
#define TIMES_SIZE  48
#define SETTLE_EVERY (TASK_EVENTS_KEPT / 4)   /* transitions of a task */

/* --- messages of a task --- */

struct batch {
    struct outbox_message messages[OUTBOX_MESSAGES_MAX];
    size_t                count;
    uint64_t              committed_ns;
};

static void batch_add(struct batch *b, const struct task *t, const struct event *e)
{
    struct outbox_message *m = &b->messages[b->count];
    struct buf             body;

    buf_init(&body, MESSAGE_MAX);
    if (messages_build(t, e, &body) != 0 || buf_failed(&body)) {
        log_error("message-too-big", LOG_TEXT("task", t->id), LOG_NUM("seq", e->seq));
        buf_deinit(&body);
        return;                                /* a hole: the task stays in the outbox */
    }
    m->seq = e->seq;
    m->committed_ns = b->committed_ns;
    messages_buckets(e, &m->before, &m->after);
    m->body = buf_rcbuf(&body);
    buf_deinit(&body);
    b->count++;
}

static void batch_fill(struct batch *b, const struct task *t, const struct event *events,
                       size_t count, int64_t from)
{
    b->count = 0;
    for (size_t i = 0; i < count && b->count < OUTBOX_MESSAGES_MAX; i++) {
        if (events[i].seq >= from)
            batch_add(b, t, &events[i]);
    }
}

static void batch_drop(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        rcbuf_unref(b->messages[i].body);
}

static struct outbox_news news_of(const struct task *t, const struct batch *b)
{
    return (struct outbox_news){
        .id = t->id, .org = t->org, .creator = t->created_by, .seq = t->seq,
        .marked = t->published_seq, .messages = b->messages, .count = b->count,
    };
}

/* --- settling --- */

static void on_settled(int err, const struct task *t, void *arg)
{
    struct shard *sh = arg;

    (void)t;
    if (err == 0)
        FAULT_POINT("after-settle");
    sh->settles_under_way--;
    publisher_end_if_idle(sh->publisher);
}

/* Whatever comes of it: a window that is full of what was not copied is settled by its next
 * transition. */
static void settle_now_and_then(struct shard *sh, const struct task *t)
{
    if (t->seq % SETTLE_EVERY == 0 && store_settle(sh->store, t, on_settled, sh) == 0)
        sh->settles_under_way++;
}

void shard_kick(struct shard *sh, const struct task *t)
{
    int64_t            from = outbox_needs(sh->outbox, t->id, t->published_seq);
    struct batch       batch;
    struct outbox_news news;

    if (sh->publisher->is_closing || t->published_seq >= t->seq)
        return;
    batch.committed_ns = uv_hrtime();
    batch_fill(&batch, t, t->events, t->event_count, from);
    news = news_of(t, &batch);
    outbox_offer(sh->outbox, &news, uv_now(sh->loop));
    batch_drop(&batch);
    settle_now_and_then(sh, t);
    publisher_wake(sh->publisher);
}

/* --- loading --- */

struct load {
    struct shard *shard;
    char          id[TASK_ID_LEN + 1];
    struct task   task;
};

/* The only exit of a load. */
static void load_done(struct load *l, int err, const struct event *events, size_t count)
{
    struct shard      *sh = l->shard;
    struct batch       batch = { .count = 0 };
    struct outbox_news news;

    if (err == 0) {
        batch_fill(&batch, &l->task, events, count, l->task.published_seq + 1);
        news = news_of(&l->task, &batch);
        outbox_loaded(sh->outbox, l->id, 0, &news, uv_now(sh->loop));
        batch_drop(&batch);
    } else {
        outbox_loaded(sh->outbox, l->id, err, NULL, uv_now(sh->loop));
    }
    task_deinit(&l->task);
    free(l);
    publisher_wake(sh->publisher);
    publisher_end_if_idle(sh->publisher);
}

static void on_load_events(int err, const struct event *events, size_t count, void *arg)
{
    load_done(arg, err, events, count);
}

static void on_load_task(int err, const struct task *t, void *arg)
{
    struct load              *l = arg;
    struct shard             *sh = l->shard;
    struct store_events_query query;

    if (err != 0) {
        load_done(l, err, NULL, 0);
        return;
    }
    task_copy(&l->task, t);
    if (t->published_seq > 0)
        publisher_marked(sh->publisher, t->id, t->published_seq, t->published_bucket);
    if (t->published_seq >= t->seq ||
        (t->event_count > 0 && t->events[0].seq <= t->published_seq + 1)) {
        load_done(l, 0, l->task.events, l->task.event_count);
        return;
    }
    query = (struct store_events_query){ .id = l->id, .after = t->published_seq,
                                         .limit = OUTBOX_MESSAGES_MAX };
    err = store_events(sh->store, &query, on_load_events, l);
    if (err != 0)
        load_done(l, err, NULL, 0);
}

static void load_begin(struct shard *sh, const char *id)
{
    struct load *l = mem_new(struct load);
    int          err;

    l->shard = sh;
    task_init(&l->task);
    memcpy(l->id, id, TASK_ID_LEN);
    err = store_get(sh->store, id, on_load_task, l);
    if (err != 0)
        load_done(l, err, NULL, 0);
}

/* --- sending ---
 * What its creator is to be told is stored first: a page that opens a moment later finds it,
 * heard or not. A repeat finds it stored. */

struct send {
    struct shard         *shard;
    char                  id[TASK_ID_LEN + 1];
    char                  org[ORG_NAME_SIZE];
    char                  creator[ORG_NAME_SIZE];
    int64_t               marked;
    struct outbox_message message;             /* its body is ours */
    uint64_t              began_ns;
};

/* The only exit of a send. */
static void send_done(struct send *s, enum outbox_answer answer)
{
    struct shard *sh = s->shard;

    outbox_answered(sh->outbox, s->id, s->message.seq, answer, uv_now(sh->loop));
    rcbuf_unref(s->message.body);
    free(s);
    publisher_wake(sh->publisher);
    publisher_end_if_idle(sh->publisher);
}

static enum outbox_answer answer_of(struct shard *sh, int err, const struct script_answer *a)
{
    switch (a->outcome) {
    case SCRIPT_OK:
        metric_inc(sh->publisher->published);
        return OUTBOX_SENT;
    case SCRIPT_HAD:
        metric_inc(sh->publisher->repeats);
        return OUTBOX_SENT;
    case SCRIPT_GAP:
        metric_inc(sh->publisher->gaps);
        return OUTBOX_GAP;
    case SCRIPT_HOLD:
    case SCRIPT_RECOUNT:
        metric_inc(sh->publisher->holds);
        return OUTBOX_HELD;
    default:
        return err == ERR_REPLY || err == 0 ? OUTBOX_REFUSED : OUTBOX_LOST;
    }
}

/* A message says to which trace it belongs in its last line (messages.c). */
static void log_traced(const struct send *s, const struct script_answer *a)
{
    struct slice body = rcbuf_slice(s->message.body);
    const char  *at = body.len < 2 ? NULL : memrchr(body.data, '\n', body.len - 1);
    struct slice line = at == NULL ? slice_make(NULL, 0)
                                   : slice_from(body, (size_t)(at + 1 - body.data));
    char         trace[TRACE_SIZE];

    if (!slice_starts(line, "trace ") ||
        !trace_parse(slice_make(line.data + 6, line.len - 7), trace))
        return;
    LOG_AT(trace_is_sampled(trace) ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "published",
           LOG_SLICE("trace", trace_id(trace)), LOG_SLICE("span", trace_parent_id(trace)),
           LOG_TEXT("task", s->id), LOG_NUM("seq", s->message.seq),
           LOG_NUM("number", a->at.number));
}

static void on_sent(int err, const struct redis_reply *reply, void *arg)
{
    struct send         *s = arg;
    struct shard        *sh = s->shard;
    struct script_answer a;
    enum outbox_answer   answer;

    script_answer_read(err, reply, &a);
    if (a.outcome == SCRIPT_OK)
        FAULT_POINT("after-publish");
    org_answered(org_of(sh, s->org), &a);
    answer = answer_of(sh, err, &a);
    if (answer == OUTBOX_REFUSED) {
        metric_inc(sh->publisher->refused);
        log_warn("publish-refused", LOG_TEXT("task", s->id), LOG_NUM("seq", s->message.seq),
                 LOG_SLICE("why", redis_reply_text(reply)));
    } else if (answer == OUTBOX_SENT) {
        metric_observe(sh->publisher->latency, (double)(uv_hrtime() - s->began_ns) / 1e9);
        if (s->message.committed_ns != 0)
            metric_observe(sh->publisher->lag,
                           (double)(uv_hrtime() - s->message.committed_ns) / 1e9);
        log_traced(s, &a);
    }
    send_done(s, answer);
}

/* "<committed> <sent>" in microseconds of the wall clock; "-" for a commit that this process did
 * not see. */
static void times_write(const struct send *s, char out[TIMES_SIZE])
{
    uint64_t now_us = (uint64_t)clock_wall_us();
    uint64_t ago_us = (s->began_ns - s->message.committed_ns) / 1000;

    if (s->message.committed_ns == 0)
        snprintf(out, TIMES_SIZE, "- %llu", (unsigned long long)now_us);
    else
        snprintf(out, TIMES_SIZE, "%llu %llu", (unsigned long long)(now_us - ago_us),
                 (unsigned long long)now_us);
}

/* Returns 0: on_sent will run. */
static int send_publish(struct send *s)
{
    struct shard        *sh = s->shard;
    struct script_caller who = org_caller(org_of(sh, s->org));
    char                 times[TIMES_SIZE];
    struct publication   what = {
        .task = s->id, .creator = s->creator, .seq = s->message.seq, .marked = s->marked,
        .before = s->message.before, .after = s->message.after,
        .body = rcbuf_slice(s->message.body), .times = times,
    };

    s->began_ns = uv_hrtime();
    times_write(s, times);
    FAULT_POINT("before-publish");
    return script_publish(sh->redis, &who, &what, on_sent, s);
}

static void send_go_on(struct send *s)
{
    int err = send_publish(s);

    if (err != 0)
        send_done(s, err == ERR_BUSY ? OUTBOX_HELD : OUTBOX_LOST);
}

/* A notification that the store cannot hold (a bug) must not hold up its task. */
static void on_notified(int err, void *arg)
{
    struct send *s = arg;

    if (err == 0) {
        FAULT_POINT("after-notify");
        metric_inc(s->shard->publisher->notified);
    } else {
        log_warn("notification-not-stored", LOG_TEXT("task", s->id),
                 LOG_NUM("seq", s->message.seq), LOG_TEXT("why", err_text(err)));
    }
    if (err == ERR_STORE || err == ERR_BUSY)
        send_done(s, OUTBOX_REFUSED);
    else
        send_go_on(s);
}

/* Returns 0: on_notified will run. */
static int send_notify(struct send *s, const struct notification *n)
{
    struct store_notification told = { .id = n->id, .org = n->org, .sub = n->sub,
                                       .created_at = n->created_at, .json = n->json };

    return store_notify(s->shard->store, &told, on_notified, s);
}

static void send_begin(struct shard *sh, const struct outbox_action *a)
{
    struct send        *s = mem_new(struct send);
    struct notification news;
    int                 err;

    s->shard = sh;
    memcpy(s->id, a->id, TASK_ID_LEN);
    strncpy(s->org, a->org, sizeof(s->org) - 1);
    strncpy(s->creator, a->creator, sizeof(s->creator) - 1);
    s->marked = a->marked;
    s->message = a->message;
    rcbuf_ref(s->message.body);
    if (!notify_read(rcbuf_slice(s->message.body), &news)) {
        send_go_on(s);
        return;
    }
    err = send_notify(s, &news);
    notify_deinit(&news);
    if (err != 0)
        on_notified(err, s);
}

/* --- marking --- */

struct mark {
    struct shard *shard;
    char          id[TASK_ID_LEN + 1];
    char          org[ORG_NAME_SIZE];
    int64_t       seq;
    enum bucket   bucket;
};

static void on_marked(int err, void *arg)
{
    struct mark  *m = arg;
    struct shard *sh = m->shard;

    if (err == 0) {
        FAULT_POINT("after-mark");
        publisher_marked(sh->publisher, m->id, m->seq, m->bucket);
    }
    org_mark_ended(org_of(sh, m->org));
    outbox_marked(sh->outbox, m->id, m->seq, err, uv_now(sh->loop));
    free(m);
    publisher_wake(sh->publisher);
    publisher_end_if_idle(sh->publisher);
}

static void mark_begin(struct shard *sh, const struct outbox_action *a)
{
    struct org  *o = org_of(sh, a->org);
    struct mark *m;

    FAULT_POINT("before-mark");
    if (org_may_mark(o)) {
        m = mem_new(struct mark);
        m->shard = sh;
        memcpy(m->id, a->id, TASK_ID_LEN);
        strncpy(m->org, a->org, sizeof(m->org) - 1);
        m->seq = a->seq;
        m->bucket = a->bucket;
        if (store_mark(sh->store, a->id, a->seq, a->bucket, on_marked, m) == 0) {
            org_mark_began(o);
            return;
        }
        free(m);
    }
    outbox_marked(sh->outbox, a->id, a->seq, ERR_BUSY, uv_now(sh->loop));
}

/* --- the turn --- */

void shard_drain(struct shard *sh)
{
    struct outbox_action a;

    while (outbox_next(sh->outbox, &a)) {
        switch (a.kind) {
        case OUTBOX_LOAD:
            load_begin(sh, a.id);
            break;
        case OUTBOX_SEND:
            send_begin(sh, &a);
            break;
        case OUTBOX_MARK:
            mark_begin(sh, &a);
            break;
        case OUTBOX_TELL:
            ask_settled(a.waiter, a.err);
            break;
        }
    }
}


/* publisher.c -- the hands of the outbox: it reads tasks, runs scripts, and marks.
 *
 * outbox.c decides what goes out and in which order; this file does what it says and brings
 * the answers back. Nothing is done inside a caller's call: a kick or a question wakes a timer
 * of zero, so that all of one turn's transitions go to Redis together, in one write.
 *
 * A task's events leave its document's window sooner or later, so they are settled (copied to
 * where they may stay) as soon as it is heard of, at the same time as they are sent; only the
 * mark waits for it. That goes on while Redis is away, or a busy task would have to stop. */
#include "taskd/publisher_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "taskd/fault.h"
#include "taskd/messages.h"
#include "taskd/notify.h"

#define SWEEP_MS        1000
#define SWEEP_AGE_MS    2000
#define SWEEP_LIMIT     2048
#define MESSAGE_MAX     ((size_t)1 << 20)      /* of one envelope: it says its data twice */

static void publisher_drain(struct publisher *p);

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

struct settle {
    struct publisher *publisher;
    char              id[TASK_ID_LEN + 1];
    int64_t           seq;
};

static void on_settled(int err, const struct task *t, void *arg)
{
    struct settle    *s = arg;
    struct publisher *p = s->publisher;

    (void)t;
    if (err == 0)
        FAULT_POINT("after-settle");
    p->settles_under_way--;
    outbox_settled(p->outbox, s->id, s->seq, err, uv_now(p->loop));
    free(s);
    publisher_wake(p);
    publisher_end_if_idle(p);
}

static void settle_begin(struct publisher *p, const struct task *t)
{
    struct settle *s = mem_new(struct settle);

    s->publisher = p;
    memcpy(s->id, t->id, TASK_ID_LEN);
    s->seq = t->seq;
    if (store_settle(p->store, t, on_settled, s) == 0) {
        p->settles_under_way++;
        return;
    }
    outbox_settled(p->outbox, s->id, s->seq, ERR_STORE, uv_now(p->loop));
    free(s);
}

void publisher_kick(struct publisher *p, const struct task *t)
{
    int64_t            from = outbox_needs(p->outbox, t->id, t->published_seq);
    struct batch       batch;
    struct outbox_news news;

    if (p->is_closing || t->published_seq >= t->seq)
        return;
    batch.committed_ns = uv_hrtime();
    batch_fill(&batch, t, t->events, t->event_count, from);
    news = news_of(t, &batch);
    outbox_offer(p->outbox, &news, uv_now(p->loop));
    batch_drop(&batch);
    settle_begin(p, t);
    publisher_wake(p);
}

/* --- loading --- */

struct load {
    struct publisher *publisher;
    char              id[TASK_ID_LEN + 1];
    struct task       task;
};

/* The only exit of a load. */
static void load_done(struct load *l, int err, const struct event *events, size_t count)
{
    struct publisher  *p = l->publisher;
    struct batch       batch = { .count = 0 };
    struct outbox_news news;

    if (err == 0) {
        batch_fill(&batch, &l->task, events, count, l->task.published_seq + 1);
        news = news_of(&l->task, &batch);
        outbox_loaded(p->outbox, l->id, 0, &news, uv_now(p->loop));
        batch_drop(&batch);
    } else {
        outbox_loaded(p->outbox, l->id, err, NULL, uv_now(p->loop));
    }
    task_deinit(&l->task);
    free(l);
    publisher_wake(p);
    publisher_end_if_idle(p);
}

static void on_load_events(int err, const struct event *events, size_t count, void *arg)
{
    load_done(arg, err, events, count);
}

static void on_load_task(int err, const struct task *t, void *arg)
{
    struct load              *l = arg;
    struct publisher         *p = l->publisher;
    struct store_events_query query;

    if (err != 0) {
        load_done(l, err, NULL, 0);
        return;
    }
    task_copy(&l->task, t);
    if (t->published_seq < t->seq && !p->is_closing)
        settle_begin(p, t);
    if (t->published_seq >= t->seq ||
        (t->event_count > 0 && t->events[0].seq <= t->published_seq + 1)) {
        load_done(l, 0, l->task.events, l->task.event_count);
        return;
    }
    query = (struct store_events_query){ .id = l->id, .after = t->published_seq,
                                         .limit = OUTBOX_MESSAGES_MAX };
    err = store_events(p->store, &query, on_load_events, l);
    if (err != 0)
        load_done(l, err, NULL, 0);
}

static void load_begin(struct publisher *p, const char *id)
{
    struct load *l = mem_new(struct load);
    int          err;

    l->publisher = p;
    task_init(&l->task);
    memcpy(l->id, id, TASK_ID_LEN);
    err = store_get(p->store, id, on_load_task, l);
    if (err != 0)
        load_done(l, err, NULL, 0);
}

/* --- sending ---
 * What its creator is to be told is stored first: a page that opens a moment later finds it,
 * heard or not. A repeat finds it stored. */

struct send {
    struct publisher     *publisher;
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
    struct publisher *p = s->publisher;

    outbox_answered(p->outbox, s->id, s->message.seq, answer, uv_now(p->loop));
    rcbuf_unref(s->message.body);
    free(s);
    publisher_wake(p);
    publisher_end_if_idle(p);
}

static enum outbox_answer answer_of(struct publisher *p, int err, const struct script_answer *a)
{
    switch (a->outcome) {
    case SCRIPT_OK:
        metric_inc(p->published);
        return OUTBOX_SENT;
    case SCRIPT_HAD:
        metric_inc(p->repeats);
        return OUTBOX_SENT;
    case SCRIPT_GAP:
        metric_inc(p->gaps);
        return OUTBOX_GAP;
    case SCRIPT_HOLD:
    case SCRIPT_RECOUNT:
        metric_inc(p->holds);
        return OUTBOX_HELD;
    default:
        return err == ERR_REPLY || err == 0 ? OUTBOX_REFUSED : OUTBOX_LOST;
    }
}

static void on_sent(int err, const struct redis_reply *reply, void *arg)
{
    struct send         *s = arg;
    struct publisher    *p = s->publisher;
    struct script_answer a;
    enum outbox_answer   answer;

    script_answer_read(err, reply, &a);
    if (a.outcome == SCRIPT_OK)
        FAULT_POINT("after-publish");
    org_answered(org_of(p, s->org), &a);
    answer = answer_of(p, err, &a);
    if (answer == OUTBOX_REFUSED) {
        metric_inc(p->refused);
        log_warn("publish-refused", LOG_TEXT("task", s->id), LOG_NUM("seq", s->message.seq),
                 LOG_SLICE("why", redis_reply_text(reply)));
    } else if (answer == OUTBOX_SENT) {
        metric_observe(p->latency, (double)(uv_hrtime() - s->began_ns) / 1e9);
        if (s->message.committed_ns != 0)
            metric_observe(p->lag, (double)(uv_hrtime() - s->message.committed_ns) / 1e9);
    }
    send_done(s, answer);
}

/* Returns 0: on_sent will run. */
static int send_publish(struct send *s)
{
    struct publisher    *p = s->publisher;
    struct script_caller who = org_caller(org_of(p, s->org));
    struct publication   what = {
        .task = s->id, .creator = s->creator, .seq = s->message.seq, .marked = s->marked,
        .before = s->message.before, .after = s->message.after,
        .body = rcbuf_slice(s->message.body),
    };

    s->began_ns = uv_hrtime();
    FAULT_POINT("before-publish");
    return script_publish(p->redis, &who, &what, on_sent, s);
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
        metric_inc(s->publisher->notified);
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

    return store_notify(s->publisher->store, &told, on_notified, s);
}

static void send_begin(struct publisher *p, const struct outbox_action *a)
{
    struct send        *s = mem_new(struct send);
    struct notification news;
    int                 err;

    s->publisher = p;
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
    struct publisher *publisher;
    char              id[TASK_ID_LEN + 1];
    char              org[ORG_NAME_SIZE];
    int64_t           seq;
};

static void on_marked(int err, void *arg)
{
    struct mark      *m = arg;
    struct publisher *p = m->publisher;

    if (err == 0)
        FAULT_POINT("after-mark");
    org_mark_ended(org_of(p, m->org));
    outbox_marked(p->outbox, m->id, m->seq, err, uv_now(p->loop));
    free(m);
    publisher_wake(p);
    publisher_end_if_idle(p);
}

static void mark_begin(struct publisher *p, const struct outbox_action *a)
{
    struct org  *o = org_of(p, a->org);
    struct mark *m;

    FAULT_POINT("before-mark");
    if (org_may_mark(o)) {
        m = mem_new(struct mark);
        m->publisher = p;
        memcpy(m->id, a->id, TASK_ID_LEN);
        strncpy(m->org, a->org, sizeof(m->org) - 1);
        m->seq = a->seq;
        if (store_mark(p->store, a->id, a->seq, a->bucket, on_marked, m) == 0) {
            org_mark_began(o);
            return;
        }
        free(m);
    }
    outbox_marked(p->outbox, a->id, a->seq, ERR_BUSY, uv_now(p->loop));
}

/* --- the turn --- */

static void publisher_drain(struct publisher *p)
{
    struct outbox_action a;

    while (outbox_next(p->outbox, &a)) {
        switch (a.kind) {
        case OUTBOX_LOAD:
            load_begin(p, a.id);
            break;
        case OUTBOX_SEND:
            send_begin(p, &a);
            break;
        case OUTBOX_MARK:
            mark_begin(p, &a);
            break;
        case OUTBOX_TELL:
            ask_settled(a.waiter, a.err);
            break;
        }
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct publisher *p = timer->data;

    outbox_tick(p->outbox, uv_now(p->loop));
    asks_tick(p);
    publisher_drain(p);
    if (!outbox_has_late(p->outbox) && list_is_empty(&p->asks))
        uv_timer_stop(timer);
}

static void on_wake(uv_timer_t *timer)
{
    struct publisher *p = timer->data;

    publisher_drain(p);
    if (!uv_is_active((uv_handle_t *)&p->tick) &&
        (outbox_has_late(p->outbox) || !list_is_empty(&p->asks)))
        uv_timer_start(&p->tick, on_tick, PUBLISHER_TICK_MS, PUBLISHER_TICK_MS);
}

void publisher_wake(struct publisher *p)
{
    if (!p->is_closing)
        uv_timer_start(&p->wake, on_wake, 0, 0);
}

static void on_unpublished(int err, const char *const *ids, size_t count, void *arg)
{
    struct publisher *p = arg;

    p->is_sweeping = false;
    if (err == 0 && !p->is_closing) {
        for (size_t i = 0; i < count; i++)
            outbox_want(p->outbox, ids[i], NULL, uv_now(p->loop));
        publisher_wake(p);
    }
    publisher_end_if_idle(p);
}

/* What a crash left behind, or what did not fit into memory. */
static void on_sweep(uv_timer_t *timer)
{
    struct publisher *p = timer->data;

    orgs_check(p);
    if (p->is_sweeping || !redis_is_up(p->redis) || outbox_tasks(p->outbox) > OUTBOX_TASKS_MAX / 2)
        return;
    if (store_unpublished(p->store, clock_wall_ms() - SWEEP_AGE_MS, SWEEP_LIMIT, on_unpublished,
                          p) == 0)
        p->is_sweeping = true;
}

static double read_tasks(void *arg)
{
    return (double)outbox_tasks(((struct publisher *)arg)->outbox);
}

static void publisher_metrics(struct publisher *p, struct metrics *m)
{
    p->published = metrics_counter(m, "taskwire_published_total", NULL, "Transitions published");
    p->notified = metrics_counter(m, "taskwire_notifications_total", NULL,
                                  "Notifications stored, repeats included");
    p->repeats = metrics_counter(m, "taskwire_publish_repeats_total", NULL,
                                 "Transitions that had been published before");
    p->gaps = metrics_counter(m, "taskwire_publish_gaps_total", NULL,
                              "Answers that earlier transitions are missing");
    p->holds = metrics_counter(m, "taskwire_publish_holds_total", NULL,
                               "Publications put off while an org's counts were taken");
    p->epochs = metrics_counter(m, "taskwire_epochs_total", NULL, "New lives of an org's log");
    p->corrected = metrics_counter(m, "taskwire_counts_corrected_total", NULL,
                                   "Counts found wrong and put right");
    p->refused = metrics_counter(m, "taskwire_publish_refused_total", NULL,
                                 "Publications that Redis answered with an error");
    p->latency = metrics_histogram(m, "taskwire_publish_seconds", NULL,
                                   "From sending a transition to Redis to its answer");
    p->lag = metrics_histogram(m, "taskwire_commit_to_publish_seconds", NULL,
                               "From the store's answer to a transition to Redis's");
    metrics_read(m, "taskwire_outbox_tasks", NULL, "Tasks with something to publish in memory",
                 read_tasks, p);
}

struct publisher *publisher_new(uv_loop_t *loop, struct store *store, struct redis *redis,
                                struct metrics *m)
{
    struct publisher *p = mem_new(struct publisher);
    uint8_t           random[(TOKEN_SIZE - 1) / 2];
    struct buf        hex;

    p->loop = loop;
    p->store = store;
    p->redis = redis;
    p->outbox = outbox_new();
    list_init(&p->asks);
    crypto_random(random, sizeof(random));
    buf_init(&hex, TOKEN_SIZE);
    crypto_append_hex(&hex, random, sizeof(random));
    memcpy(p->token, hex.data, TOKEN_SIZE - 1);
    buf_deinit(&hex);
    publisher_metrics(p, m);
    uv_timer_init(loop, &p->wake);
    uv_timer_init(loop, &p->tick);
    uv_timer_init(loop, &p->sweep);
    p->wake.data = p->tick.data = p->sweep.data = p;
    uv_timer_start(&p->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    return p;
}

void publisher_link_changed(struct publisher *p, bool is_up)
{
    if (p->is_closing)
        return;
    outbox_link(p->outbox, is_up, uv_now(p->loop));
    publisher_wake(p);
}

/* --- the end --- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct publisher *p = handle->data;
    void            (*cb)(void *) = p->on_closed;
    void             *arg = p->closed_arg;

    if (--p->handles_open > 0)
        return;
    outbox_free(p->outbox);
    orgs_free(p);
    free(p);
    cb(arg);
}

void publisher_end_if_idle(struct publisher *p)
{
    if (!p->is_closing || p->handles_open > 0 || p->is_sweeping || p->asks_under_way > 0 ||
        p->counts_under_way > 0 || p->settles_under_way > 0 || outbox_under_way(p->outbox) > 0)
        return;
    p->handles_open = 3;
    uv_close((uv_handle_t *)&p->wake, on_timer_closed);
    uv_close((uv_handle_t *)&p->tick, on_timer_closed);
    uv_close((uv_handle_t *)&p->sweep, on_timer_closed);
}

void publisher_close(struct publisher *p, void (*cb)(void *arg), void *arg)
{
    assert(!p->is_closing);
    p->is_closing = true;
    p->on_closed = cb;
    p->closed_arg = arg;
    uv_timer_stop(&p->wake);
    uv_timer_stop(&p->tick);
    uv_timer_stop(&p->sweep);
    outbox_stop(p->outbox);
    publisher_drain(p);                        /* those who wait are told */
    asks_fail(p, ERR_CLOSED);
    publisher_end_if_idle(p);
}

/* tunnel.c -- see tunnel.h.
 *
 * Each side is read only as fast as the other takes it: past STREAM_LOW_MARK bytes queued for
 * one, the other is not read until all of them are written. So a tunnel holds a read or two
 * in each direction, whatever its ends do, and the owner sees a slow reader as it would see one
 * of its own: by its queue.
 *
 * A side that is not read cannot be seen to end. The reader for whose sake it is not read must
 * therefore move: one that takes nothing for TUNNEL_STUCK_MS is cut.
 *
 * The client's bytes are held back until the owner says 101. A client could otherwise put a
 * second request behind its handshake, which the owner's listener would read as one of ours if
 * it refused the first. (It would lack the proof of hop.h; but nothing should depend on one
 * lock alone.) */
#include "gateway/tunnel.h"

#include <stdlib.h>

#include "common/mem.h"

#define TICK_MS   250
#define LINGER_MS 2000

static const char ACCEPTED[] = "HTTP/1.1 101 ";
#define ACCEPTED_LEN (sizeof(ACCEPTED) - 1)

struct side {
    struct tunnel *tunnel;
    struct side   *other;
    struct stream *stream;                     /* NULL: gone */
    bool           is_paused;                  /* the other is slow */
    size_t         queued_seen;                /* while the other is paused for our sake */
    uint64_t       moved_ms;                   /* when that was last less */
};

struct tunnel {
    struct list     link;
    struct tunnels *all;
    struct side     client, owner;
    struct buf      rest;                      /* the client's, until it is let through */
    uint64_t        opened_ms;
    size_t          matched;                   /* bytes of ACCEPTED seen */
    bool            is_refused;
};

static bool is_accepted(const struct tunnel *t)
{
    return t->matched == ACCEPTED_LEN;
}

/* --- the end --- */

static void tunnel_free(struct tunnel *t)
{
    struct tunnels *all = t->all;

    list_remove(&t->link);
    buf_deinit(&t->rest);
    free(t);
    all->count--;
    metric_set(all->open, (double)all->count);
    if (all->count == 0)
        uv_timer_stop(&all->timer);
}

/* What is queued still goes out. */
static void finish(struct tunnel *t)
{
    if (t->client.stream != NULL)
        stream_finish(t->client.stream, LINGER_MS);
    if (t->owner.stream != NULL)
        stream_finish(t->owner.stream, LINGER_MS);
}

static void cut(struct tunnel *t)
{
    if (t->client.stream != NULL)
        stream_close(t->client.stream);
    if (t->owner.stream != NULL)
        stream_close(t->owner.stream);
}

static void on_close(struct stream *stream, int err, void *arg)
{
    struct side *s = arg;

    (void)stream;
    (void)err;
    s->stream = NULL;
    if (s->other->stream == NULL)
        tunnel_free(s->tunnel);
    else
        stream_finish(s->other->stream, LINGER_MS);
}

/* --- bytes --- */

static void pass(struct side *from, struct slice data)
{
    struct side *to = from->other;

    if (to->stream == NULL || stream_send_copy(to->stream, data) != 0)
        return;                                /* it ends, and we with it */
    if (stream_queued_bytes(to->stream) <= STREAM_LOW_MARK || from->is_paused)
        return;
    from->is_paused = true;
    to->queued_seen = stream_queued_bytes(to->stream);
    to->moved_ms = net_now_ms(stream_net(to->stream));
    stream_pause(from->stream);
}

/* The owner's first bytes: does it accept? Then the client's may come. */
static void judge(struct tunnel *t, struct slice data)
{
    for (size_t i = 0; i < data.len && !is_accepted(t) && !t->is_refused; i++) {
        t->is_refused = data.data[i] != ACCEPTED[t->matched];
        t->matched += !t->is_refused;
    }
    if (t->is_refused || !is_accepted(t) || t->client.stream == NULL)
        return;
    (void)stream_send_copy(t->owner.stream, buf_peek(&t->rest));
    buf_deinit(&t->rest);
    stream_resume(t->client.stream);
}

static void on_data(struct stream *stream, struct slice data, void *arg)
{
    struct side   *s = arg;
    struct tunnel *t = s->tunnel;

    (void)stream;
    if (s == &t->owner && !is_accepted(t) && !t->is_refused)
        judge(t, data);
    pass(s, data);
}

static void on_drain(struct stream *stream, void *arg)
{
    struct side *s = arg;

    (void)stream;
    if (!s->other->is_paused || s->other->stream == NULL)
        return;
    s->other->is_paused = false;
    stream_resume(s->other->stream);
}

static const struct stream_ops STREAM_OPS = {
    .on_data = on_data, .on_drain = on_drain, .on_close = on_close,
};

/* --- time --- */

/* Is the other side kept waiting by a reader that takes nothing? */
static bool is_stuck(struct side *s, uint64_t now_ms)
{
    size_t queued;

    if (s->stream == NULL || !s->other->is_paused)
        return false;
    queued = stream_queued_bytes(s->stream);
    if (queued < s->queued_seen)
        s->moved_ms = now_ms;
    s->queued_seen = queued;
    return now_ms - s->moved_ms >= TUNNEL_STUCK_MS;
}

static void look(struct tunnel *t, uint64_t now_ms)
{
    bool is_late = !is_accepted(t) && now_ms - t->opened_ms >= TUNNEL_ANSWER_MS;

    if (!is_late && !is_stuck(&t->client, now_ms) && !is_stuck(&t->owner, now_ms))
        return;
    metric_inc(t->all->stuck);
    cut(t);
}

static bool is_going(const struct tunnel *t)
{
    return t->client.stream == NULL || stream_is_closing(t->client.stream);
}

/* As many stay as the time that is left is of the whole. Those that are ending stay listed until
 * they are gone. */
static void drain_some(struct tunnels *all, uint64_t now_ms)
{
    uint64_t left_ms = now_ms < all->drained_by_ms ? all->drained_by_ms - now_ms : 0;
    size_t   stay = left_ms == 0 ? 0 : (size_t)(all->drain_count * left_ms / all->drain_ms);
    size_t   here = 0;

    list_each(node, &all->list) {
        struct tunnel *t = container_of(node, struct tunnel, link);

        if (!is_going(t) && ++here > stay)
            finish(t);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct tunnels *all = timer->data;
    uint64_t        now_ms = net_now_ms(all->net);

    list_each(node, &all->list)
        look(container_of(node, struct tunnel, link), now_ms);
    if (all->drained_by_ms != 0)
        drain_some(all, now_ms);
}

/* --- life --- */

void tunnels_init(struct tunnels *t, struct net *net, struct metrics *m)
{
    *t = (struct tunnels){ .net = net };
    list_init(&t->list);
    uv_timer_init(net_loop(net), &t->timer);
    t->timer.data = t;
    t->open = metrics_gauge(m, "taskwire_relay_tunnels", NULL,
                            "Websockets of other gateways' sessions that go through us now.");
    t->opened = metrics_counter(m, "taskwire_relay_tunnels_opened_total", NULL,
                                "Websockets of other gateways' sessions that went through us.");
    t->stuck = metrics_counter(m, "taskwire_relay_tunnels_cut_total", NULL,
                               "Tunnels cut because an end said or took nothing in time.");
}

static void side_start(struct side *s, struct tunnel *t, struct side *other, struct stream *stream)
{
    *s = (struct side){ .tunnel = t, .other = other, .stream = stream };
    stream_start(stream, &STREAM_OPS, s);
}

void tunnel_open(struct tunnels *all, struct stream *client, struct stream *owner,
                 struct slice head, struct slice rest)
{
    struct tunnel *t = mem_new(struct tunnel);

    t->all = all;
    t->opened_ms = net_now_ms(all->net);
    buf_init(&t->rest, SIZE_MAX / 2);          /* the HTTP server has bounded it */
    buf_append_slice(&t->rest, rest);
    side_start(&t->client, t, &t->owner, client);
    side_start(&t->owner, t, &t->client, owner);
    stream_pause(client);
    (void)stream_send_copy(owner, head);
    list_append(&all->list, &t->link);
    metric_inc(all->opened);
    metric_set(all->open, (double)++all->count);
    if (all->count == 1)
        uv_timer_start(&all->timer, on_tick, TICK_MS, TICK_MS);
    if (all->drained_by_ms != 0)
        finish(t);
}

bool tunnels_is_full(const struct tunnels *t)
{
    return t->count >= TUNNELS_MAX;
}

void tunnels_drain(struct tunnels *t, uint64_t ms)
{
    t->drained_by_ms = net_now_ms(t->net) + ms;
    t->drain_ms = ms;
    t->drain_count = t->count;
    drain_some(t, net_now_ms(t->net));
}

void tunnels_close(struct tunnels *t)
{
    list_each(node, &t->list)
        cut(container_of(node, struct tunnel, link));
    uv_close((uv_handle_t *)&t->timer, NULL);
}

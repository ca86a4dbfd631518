/* journey.c -- see journey.h.
 *
 * Broadcasts to large rooms go on for many turns, so "told" is not "arrived": the clock is
 * read when the last message of the envelope has been given to the last member (its bytes leave
 * at the end of that turn). What nobody here was told has no journey, and is not counted.
 *
 * The times are other machines', so they are good to a millisecond or so, and a clock that runs
 * ahead of ours must not count backwards.
 *
 * Who asks for traces is a handful of people who look for something. So it is they who are gone
 * through, not the rooms: each is asked whether it was told of this. */
#include "gateway/journey.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/trace.h"
#include "gateway/rooms.h"

struct journey {
    struct journeys *all;
    unsigned         refs;
    unsigned         carried;                  /* messages that somebody was sent */
    struct times     times;
    char             trace[TRACE_SIZE];
};

void journeys_init(struct journeys *js, struct peers *peers, struct metrics *m)
{
    *js = (struct journeys){ .peers = peers };
    js->since_commit = metrics_histogram(m, "taskwire_commit_to_socket_seconds", NULL,
                                         "From a transition's commit to the last socket here.");
    js->since_publish = metrics_histogram(m, "taskwire_publish_to_socket_seconds", NULL,
                                          "From its publication to the last socket here.");
}

struct journey *journey_new(struct journeys *js)
{
    struct journey *j = mem_new(struct journey);

    j->all = js;
    j->refs = 1;
    return j;
}

/* --- time --- */

static void observe(struct metric *m, uint64_t from_us, uint64_t now_us)
{
    if (from_us != 0)
        metric_observe(m, from_us < now_us ? (double)(now_us - from_us) / 1e6 : 0);
}

static void unref(struct journey *j)
{
    uint64_t now_us;

    if (--j->refs > 0)
        return;
    if (j->carried > 0) {
        now_us = (uint64_t)clock_wall_us();
        observe(j->all->since_commit, j->times.committed_us, now_us);
        observe(j->all->since_publish, j->times.published_us, now_us);
    }
    free(j);
}

static void on_carried(void *arg)
{
    unref(arg);
}

void journey_carry(struct journey *j, struct sio_message *m)
{
    j->refs++;
    j->carried++;
    sio_message_on_done(m, on_carried, j);
}

bool journey_learn(struct journey *j, struct slice address, struct slice text)
{
    if (slice_is(address, "times")) {
        (void)times_parse(text, &j->times);
        return true;
    }
    if (slice_is(address, "trace")) {
        (void)trace_parse(text, j->trace);
        return true;
    }
    return false;
}

/* --- traces --- */

/* Was this peer told of it? By the rooms that its lines went to. */
static bool was_told(const struct peer *p, const struct routing *r)
{
    char                     room[ROOM_MAX];
    const struct sio_socket *s = p->socket;

    if (r->task.len > 0 && (sio_is_member(s, room_task(room, r->task)) ||
                            sio_is_member(s, room_away(room, r->task))))
        return true;
    if (r->org.len == 0 || (r->is_private && r->creator.len == 0))
        return false;
    return sio_is_member(s, r->is_private ? room_mine(room, r->org, r->creator)
                                          : room_dash(room, r->org));
}

static void tell(const struct journey *j, const struct routing *r)
{
    struct buf event;

    buf_init(&event, 256);
    buf_printf(&event, "[\"trace\",{\"taskId\":\"%.*s\",\"seq\":%lld,\"traceparent\":\"%s\"}]",
               SLICE_ARG(r->task), (long long)r->seq, j->trace);
    list_each(node, &j->all->peers->tracers) {
        struct peer *p = container_of(node, struct tracer, in)->peer;

        if (was_told(p, r))
            peer_emit(p, buf_peek(&event));
    }
    buf_deinit(&event);
}

void journey_told(struct journey *j, const struct frame *f)
{
    const struct routing *r = &f->e.routing;

    if (j->trace[0] != '\0') {
        LOG_AT(trace_is_sampled(j->trace) ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "told",
               LOG_SLICE("trace", trace_id(j->trace)), LOG_SLICE("span", trace_parent_id(j->trace)),
               LOG_SLICE("task", r->task), LOG_NUM("seq", r->seq),
               LOG_NUM("number", f->e.at.number), LOG_NUM("lines", j->carried));
        if (r->task.len > 0)
            tell(j, r);
    }
    unref(j);
}

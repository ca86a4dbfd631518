/* arrival.c -- see arrival.h.
 *
 *     TAKING --ours--> FOLLOWING, READING, SETTLING (comeback.c) --> in
 *        |                 |
 *        +---- unknown, a stranger, lost, too late: back to the beginning, as a new one
 *                          v
 *                       STARTING --feed live--> MAKING --written--> in
 *                          +---- too late, no Redis: in, without a pid
 *
 * What brings an arrival on (answers, frames, the feed) only marks it; `advance` runs from the
 * timer, on a clean stack, and may let the socket in, end it, or free things that a caller
 * would still be looking at. */
#include "gateway/arriving.h"

#include <assert.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/rooms.h"

#define SEATS_TICK_MS 1000

uint64_t arrival_now_ms(const struct arrivals *as)
{
    return uv_now(as->loop);
}

void arrival_enter(struct arrival *a, enum arrival_state state, uint64_t within_ms)
{
    a->state = state;
    a->due_ms = arrival_now_ms(a->all) + within_ms;
}

/* --- bringing on --- */

static void on_wake(uv_timer_t *timer);

void arrival_mark(struct arrival *a)
{
    struct arrivals *as = a->all;

    if (!list_is_empty(&a->in_due) || as->is_closing)
        return;
    list_append(&as->due, &a->in_due);
    if (!uv_is_active((uv_handle_t *)&as->wake))
        uv_timer_start(&as->wake, on_wake, 0, 0);
}

/* --- forgetting --- */

void arrival_free(struct arrival *a)
{
    comeback_end(a);
    list_remove(&a->in_all);
    list_remove(&a->in_due);
    a->peer->arrival = NULL;
    free(a->offset);
    free(a);
}

/* --- in --- */

void arrival_let_in(struct peer *p, const char *recovered_sid)
{
    char room[ROOM_MAX];

    if (recovered_sid != NULL)
        sio_accept_as(p->socket, recovered_sid, seat_pid(p));
    else
        sio_accept(p->socket, seat_pid(p));
    if (sio_join(p->socket, room_user(room, user_org(p->user), user_sub(p->user))) != 0)
        sio_close_transport(p->socket);
    log_debug("socket-open", LOG_TEXT("socket", sio_socket_sid(p->socket)),
              LOG_SLICE("sub", user_sub(p->user)),
              LOG_TEXT("recovered", recovered_sid != NULL ? "yes" : "no"));
}

static void let_in_without(struct arrival *a)
{
    struct peer *p = a->peer;

    seat_end(&a->all->seats, p, false);
    arrival_free(a);
    arrival_let_in(p, NULL);
}

/* --- as a new one --- */

static void start(struct arrival *a)
{
    struct org *o = a->peer->org;

    if (!org_is_live(o))
        return;                                /* arrivals_moved looks again */
    if (!seats_are_up(&a->all->seats) ||
        seat_make(&a->all->seats, a->peer, org_position(o)) != 0) {
        let_in_without(a);
        return;
    }
    a->state = MAKING;
}

static void begin_anew(struct arrival *a)
{
    comeback_end(a);
    if (a->came != NULL) {
        a->state = ANEW;
        arrival_mark(a);
        return;
    }
    seat_end(&a->all->seats, a->peer, false);
    arrival_enter(a, STARTING, ARRIVAL_NEW_MS);
    arrival_mark(a);
}

void arrival_give_up(struct arrival *a, enum arrival_outcome why)
{
    const struct recovery *r = a->has_recovery ? &a->recovery : NULL;

    metric_inc(a->all->outcomes[why]);
    if (why == ARRIVAL_LOST && r != NULL)
        log_info("recovery-lost", LOG_TEXT("why", r->why != NULL ? r->why : "the feed had a gap"),
                 LOG_NUM("from", r->from.at.number), LOG_NUM("to", r->target.number),
                 LOG_NUM("bytes", r->bytes));
    begin_anew(a);
}

static void come_anew(struct arrival *a)
{
    struct peer *p = a->peer;
    void       (*came)(struct peer *p, enum arrival_came how) = a->came;

    arrival_free(a);
    came(p, CAME_ANEW);
}

/* --- bringing on, continued --- */

static void advance(struct arrival *a)
{
    bool is_late = arrival_now_ms(a->all) >= a->due_ms;

    if ((a->state == READING || a->state == SETTLING) && a->is_lost) {
        arrival_give_up(a, ARRIVAL_LOST);
        return;
    }
    switch (a->state) {
    case TAKING:
    case READING:
        if (is_late)
            arrival_give_up(a, ARRIVAL_UNAVAILABLE);
        return;
    case FOLLOWING:
        if (is_late)
            arrival_give_up(a, ARRIVAL_UNAVAILABLE);
        else
            comeback_follow(a);
        return;
    case SETTLING:
        if (a->came == NULL && !seat_is_sound(a->peer))
            arrival_give_up(a, ARRIVAL_UNAVAILABLE);
        else if (comeback_is_settled(a))
            comeback_finish(a);
        return;
    case STARTING:
        if (!a->all->may_begin(a->peer, a->all->arg))
            return;
        if (is_late)
            let_in_without(a);
        else
            start(a);
        return;
    case MAKING:
        if (is_late)
            let_in_without(a);
        return;
    case ANEW:
        if (a->all->may_begin(a->peer, a->all->arg))
            come_anew(a);
        return;
    }
}

static void on_wake(uv_timer_t *timer)
{
    struct arrivals *as = timer->data;
    struct list      due = LIST_INIT(due);
    struct list     *node;

    list_splice(&due, &as->due);
    while ((node = list_take_first(&due)) != NULL)
        advance(container_of(node, struct arrival, in_due));
}

void arrivals_tick(struct arrivals *as)
{
    list_each(node, &as->all) {
        struct arrival *a = container_of(node, struct arrival, in_all);

        if (arrival_now_ms(as) >= a->due_ms)
            arrival_mark(a);
    }
    if (arrival_now_ms(as) - as->ticked_ms >= SEATS_TICK_MS) {
        as->ticked_ms = arrival_now_ms(as);
        seats_tick(&as->seats);
    }
}

/* --- what seats say --- */

static void on_opened(struct peer *p, enum seat_outcome outcome, const struct record *record,
                      void *arg)
{
    struct arrival *a = p->arrival;

    (void)arg;
    if (a == NULL || (a->state != TAKING && a->state != MAKING))
        return;
    switch (outcome) {
    case SEAT_MADE:
        arrival_let_in(p, NULL);
        arrival_free(a);
        return;
    case SEAT_TAKEN:
        if (comeback_begin(a, record) != 0)
            arrival_give_up(a, ARRIVAL_BAD_OFFSET);
        return;
    case SEAT_UNKNOWN:
        arrival_give_up(a, ARRIVAL_UNKNOWN);
        return;
    case SEAT_STRANGER:
        arrival_give_up(a, ARRIVAL_STRANGER);
        return;
    case SEAT_FAILED:
        if (a->state == MAKING)
            let_in_without(a);
        else
            arrival_give_up(a, ARRIVAL_UNAVAILABLE);
        return;
    }
}

static void on_written(struct peer *p, void *arg)
{
    struct arrivals *as = arg;
    struct wait     *w;

    while ((w = wait_unpark(p)) != NULL) {
        if (w->task[0] == '\0')
            boards_join(as->boards, w);
        else
            topics_join(as->topics, w);
    }
}

static const struct seats_handlers SEATS_HANDLERS = {
    .opened = on_opened, .written = on_written,
};

/* --- calls --- */

static struct arrival *arrival_new(struct arrivals *as, struct peer *p, struct slice offset)
{
    struct arrival *a = mem_new(struct arrival);

    a->all = as;
    a->peer = p;
    a->offset = mem_strndup(offset.data != NULL ? offset.data : "", offset.len);
    list_append(&as->all, &a->in_all);
    list_init(&a->in_due);
    p->arrival = a;
    return a;
}

void arrival_begin(struct arrivals *as, struct peer *p, struct slice pid, struct slice offset)
{
    struct arrival *a = arrival_new(as, p, offset);
    char            text[SIO_SID_MAX];

    if (!seat_pid_is_well_formed(pid)) {
        begin_anew(a);
        return;
    }
    snprintf(text, sizeof(text), "%.*s", SLICE_ARG(pid));
    arrival_enter(a, TAKING, ARRIVAL_TAKE_MS);
    if (!seats_are_up(&as->seats) || seat_take(&as->seats, p, text) != 0)
        arrival_give_up(a, ARRIVAL_UNAVAILABLE);
}

/* Nothing is kept of a stream: its record is that it has one room, and had its snapshot before
 * anything else, so whatever offset it has is behind that. */
void arrival_resume(struct arrivals *as, struct peer *p, struct slice task, struct slice offset,
                    void (*came)(struct peer *p, enum arrival_came how))
{
    struct arrival *a = arrival_new(as, p, offset);
    struct record   record;
    char            field[RECORD_FIELD_SIZE];
    int             err;

    a->came = came;
    record_init(&record);
    record.k = UINT32_MAX;
    record_field(task, field);
    err = record_add(&record, slice_of(field), SLICE("0-0.0"));
    arrival_enter(a, FOLLOWING, ARRIVAL_TAKE_MS);
    if (err != 0 || comeback_begin(a, &record) != 0)
        arrival_give_up(a, ARRIVAL_BAD_OFFSET);
    record_deinit(&record);
}

void arrival_end(struct arrivals *as, struct peer *p, bool is_kept)
{
    if (p->arrival != NULL)
        arrival_free(p->arrival);
    seat_end(&as->seats, p, is_kept);
}

static bool takes_frames(const struct arrival *a, const struct org *o)
{
    return a->peer->org == o && (a->state == READING || a->state == SETTLING);
}

void arrivals_frame(struct arrivals *as, struct org *o, struct frame *f)
{
    list_each(node, &as->all) {
        struct arrival *a = container_of(node, struct arrival, in_all);

        if (!takes_frames(a, o) || recovery_frame(&a->recovery, f) != RECOVERY_LOST)
            continue;
        a->is_lost = true;
        arrival_mark(a);
    }
}

static void follow_no_more(struct sio_socket *s, void *arg)
{
    struct peer *p = sio_socket_data(s);

    if (p == NULL || p->org != arg || !p->follows_log)
        return;
    p->follows_log = false;                    /* all its rooms are told the truth */
    p->all->followers--;
}

void arrivals_resync(struct arrivals *as, struct org *o)
{
    sio_each_socket(as->ns, follow_no_more, o);
    list_each(node, &as->all) {
        struct arrival *a = container_of(node, struct arrival, in_all);

        if (!takes_frames(a, o))
            continue;
        a->is_lost = true;
        arrival_mark(a);
    }
}

void arrivals_moved(struct arrivals *as, struct org *o)
{
    list_each(node, &as->all) {
        struct arrival *a = container_of(node, struct arrival, in_all);

        if (a->peer->org == o && (a->state == FOLLOWING || a->state == STARTING))
            arrival_mark(a);
    }
}

void arrivals_init(struct arrivals *as, const struct arrivals_options *options)
{
    static const char *const LABELS[] = {
#define X(name, text) [ARRIVAL_##name] = "outcome=\"" text "\"",
        ARRIVAL_OUTCOME_MAP(X)
#undef X
    };
    struct metrics *m = options->metrics;

    *as = (struct arrivals){ .loop = options->peers->loop, .topics = options->topics,
                             .boards = options->boards, .ns = options->ns,
                             .may_begin = options->may_begin,
                             .on_recovered = options->on_recovered, .arg = options->arg };
    list_init(&as->all);
    list_init(&as->due);
    seats_init(&as->seats, options->peers, options->gateway, options->orgs, m);
    seats_handle(&as->seats, &SEATS_HANDLERS, as);
    uv_timer_init(as->loop, &as->wake);
    as->wake.data = as;
    for (size_t i = 0; i < ARRIVAL_OUTCOME_COUNT; i++)
        as->outcomes[i] = metrics_counter(m, "taskwire_recoveries_total", LABELS[i],
                                          "Clients that came back with a pid, by what became of it.");
    as->missed = metrics_counter(m, "taskwire_recovery_lines_total", NULL,
                                 "Missed events that were said to clients that came back.");
}

void arrivals_close(struct arrivals *as)
{
    assert(list_is_empty(&as->all));
    as->is_closing = true;
    uv_close((uv_handle_t *)&as->wake, NULL);
    seats_deinit(&as->seats);
}

/* arrival.c -- see arrival.h.
 *
 *     TAKING --ours--> FOLLOWING --position reached--> READING --log read--> SETTLING --> in
 *        |                 |                              |                      |
 *        +---- unknown, a stranger, lost, too late: back to the beginning, as a new one
 *                          v
 *                       STARTING --feed live--> MAKING --written--> in
 *                          +---- too late, no Redis: in, without a pid
 *
 * SETTLING waits for a place in each room (topics.h's holds): somebody has to know where the
 * room is, and taskd has to say that it may still be seen. A room whose snapshot does not
 * come in time is not waited for: it is treated as one whose snapshot the client never got.
 *
 * What brings an arrival on (answers, frames, the feed) only marks it; `advance` runs from the
 * timer, on a clean stack, and may let the socket in, end it, or free things that a caller
 * would still be looking at.
 *
 * All in one turn: what was missed is said, the rooms are entered, the client is let in. So
 * the next frame finds a member like any other. */
#include "gateway/arrival.h"

#include <assert.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/rooms.h"

#define SEATS_TICK_MS 1000

enum arrival_state { TAKING, FOLLOWING, READING, SETTLING, STARTING, MAKING };

struct arrival {
    struct arrivals   *all;
    struct peer       *peer;
    enum arrival_state state;
    uint64_t           due_ms;
    struct list        in_all, in_due;
    char               sid[RECORD_SID_SIZE];
    char              *offset;                 /* as the client gave it; or NULL */
    struct recovery    recovery;
    bool               has_recovery, is_asked;
    bool               is_lost;                /* what it replays has a hole now */
    struct topic_hold *holds;                  /* one for each of recovery.rooms */
    uint32_t           ticket;                 /* of what was asked of the org last */
};

static uint64_t now_ms(const struct arrivals *as)
{
    return uv_now(as->loop);
}

static void enter(struct arrival *a, enum arrival_state state, uint64_t within_ms)
{
    a->state = state;
    a->due_ms = now_ms(a->all) + within_ms;
}

/* --- bringing on --- */

static void on_wake(uv_timer_t *timer);

static void mark(struct arrival *a)
{
    struct arrivals *as = a->all;

    if (!list_is_empty(&a->in_due) || as->is_closing)
        return;
    list_append(&as->due, &a->in_due);
    if (!uv_is_active((uv_handle_t *)&as->wake))
        uv_timer_start(&as->wake, on_wake, 0, 0);
}

static void on_hold_changed(void *arg)
{
    mark(arg);
}

/* --- forgetting --- */

static void recovery_drop(struct arrival *a)
{
    if (!a->has_recovery)
        return;
    for (size_t i = 0; i < a->recovery.room_count; i++)
        topic_hold_release(&a->holds[i]);
    free(a->holds);
    a->holds = NULL;
    recovery_deinit(&a->recovery);
    a->has_recovery = false;
}

static void arrival_free(struct arrival *a)
{
    recovery_drop(a);
    list_remove(&a->in_all);
    list_remove(&a->in_due);
    a->peer->arrival = NULL;
    free(a->offset);
    free(a);
}

/* --- in --- */

/* `recovered_sid` is NULL for a new one. */
static void let_in(struct peer *p, const char *recovered_sid)
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
    let_in(p, NULL);
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
    recovery_drop(a);
    seat_end(&a->all->seats, a->peer, false);
    enter(a, STARTING, ARRIVAL_NEW_MS);
    mark(a);
}

static void give_up(struct arrival *a, enum arrival_outcome why)
{
    metric_inc(a->all->outcomes[why]);
    begin_anew(a);
}

/* --- as the one that it was --- */

static void on_log(struct org *o, int err, const struct slice *texts, size_t count,
                   uint64_t ticket, void *arg);
static void on_asked(struct org *o, int err, struct position at, uint32_t ticket, void *arg);

/* Answers name the question that they are for: the arrival may be gone. */
static struct arrival *arrival_find(struct arrivals *as, const struct org *o, uint64_t ticket)
{
    list_each(node, &as->all) {
        struct arrival *a = container_of(node, struct arrival, in_all);

        if (a->ticket == ticket && a->peer->org == o)
            return a;
    }
    return NULL;
}

static uint32_t ticket_new(struct arrival *a)
{
    a->ticket = ++a->all->last_ticket;
    return a->ticket;
}

static void hold_rooms(struct arrival *a)
{
    struct recovery *r = &a->recovery;

    a->holds = mem_alloc((r->room_count + 1) * sizeof(a->holds[0]));
    for (size_t i = 0; i < r->room_count; i++) {
        a->holds[i].changed = on_hold_changed;
        a->holds[i].arg = a;
        if (r->rooms[i].fate == ROOM_REPLAY && r->rooms[i].task[0] != '\0')
            topics_hold(a->all->topics, &a->holds[i], a->peer->org, slice_of(r->rooms[i].task));
    }
}

static void go_on(struct arrival *a, enum recovery_step step)
{
    struct org *o = a->peer->org;

    switch (step) {
    case RECOVERY_READ:
        a->state = READING;
        if (org_read_log(o, a->recovery.next, on_log, ticket_new(a), a->all) != 0)
            give_up(a, ARRIVAL_UNAVAILABLE);
        return;
    case RECOVERY_DONE:
        enter(a, SETTLING, ARRIVAL_SETTLE_MS);
        mark(a);
        return;
    case RECOVERY_AHEAD:
        if (!a->is_asked && org_ask(o, on_asked, ticket_new(a), a->all) != 0)
            give_up(a, ARRIVAL_UNAVAILABLE);
        a->is_asked = true;
        return;
    case RECOVERY_LOST:
        give_up(a, ARRIVAL_LOST);
        return;
    }
}

/* Is our feed where the client is, or further? */
static void follow(struct arrival *a)
{
    if (org_is_live(a->peer->org))
        go_on(a, recovery_begin(&a->recovery, org_position(a->peer->org)));
}

/* The org's position, as Redis says it: the client may not be further than that. */
static void on_asked(struct org *o, int err, struct position at, uint32_t ticket, void *arg)
{
    struct arrival *a = arrival_find(arg, o, ticket);

    if (a == NULL || a->state != FOLLOWING)
        return;
    if (err != 0)
        give_up(a, ARRIVAL_UNAVAILABLE);
    else if (!position_reached(at, a->recovery.from.at))
        give_up(a, ARRIVAL_BAD_OFFSET);
}

static void on_log(struct org *o, int err, const struct slice *texts, size_t count,
                   uint64_t ticket, void *arg)
{
    struct arrival *a = arrival_find(arg, o, ticket);

    if (a == NULL || a->state != READING)
        return;
    if (err != 0)
        give_up(a, ARRIVAL_UNAVAILABLE);
    else
        go_on(a, recovery_log(&a->recovery, texts, count));
}

/* --- the last turn --- */

static void room_enter(struct arrival *a, size_t i)
{
    struct recovery_room *room = &a->recovery.rooms[i];
    struct slice          task = slice_of(room->task);
    int err = task.len == 0 ? boards_enter(a->all->boards, a->peer)
                            : topic_hold_enter(&a->holds[i], a->peer);

    if (err == ERR_NOT_FOUND || err == ERR_TOO_BIG) {
        room->fate = ROOM_GONE;
        peer_left(a->peer, task);
    } else if (err != 0) {
        room->fate = ROOM_FRESH;
    }
}

static void say(struct slice json, const struct offset *at, void *arg)
{
    struct arrival *a = arg;
    char            text[OFFSET_TEXT_SIZE];

    offset_format(at, text);
    peer_emit_at(a->peer, json, slice_of(text));
    metric_inc(a->all->missed);
}

/* Ask for the states that it may not have, as a resync would: errors come as events. But it was
 * told that it is back, so it will not ask for them: it gets them, however long that takes. */
static void rooms_refresh(struct arrival *a)
{
    struct peer    *p = a->peer;
    struct request *r = request_new(p, -1, true);

    for (size_t i = 0; i < a->recovery.room_count; i++) {
        const struct recovery_room *room = &a->recovery.rooms[i];
        struct wait                *w;

        if (room->fate != ROOM_FRESH)
            continue;
        w = wait_new(p, r, slice_of(room->task));
        wait_owe(w);
        if (room->task[0] == '\0')
            boards_join(a->all->boards, w);
        else
            topics_join(a->all->topics, w);
    }
    request_seal(r);
}

static void finish(struct arrival *a)
{
    struct arrivals *as = a->all;
    struct peer     *p = a->peer;
    struct recovery *r = &a->recovery;

    recovery_settle(r);
    for (size_t i = 0; i < r->room_count; i++) {
        if (r->rooms[i].fate == ROOM_REPLAY)
            room_enter(a, i);
        else if (r->rooms[i].fate == ROOM_EVICTED)
            peer_left(p, slice_of(r->rooms[i].task));
    }
    recovery_each(r, say, a);
    metric_inc(as->outcomes[ARRIVAL_RECOVERED]);
    let_in(p, a->sid);
    p->follows_log = true;
    p->all->followers++;
    rooms_refresh(a);
    arrival_free(a);
    as->on_recovered(p, as->arg);
}

static bool is_settled(const struct arrival *a)
{
    for (size_t i = 0; i < a->recovery.room_count; i++) {
        if (a->holds[i].topic != NULL && a->holds[i].err == ERR_BUSY)
            return now_ms(a->all) >= a->due_ms;
    }
    return true;
}

/* --- bringing on, continued --- */

static void advance(struct arrival *a)
{
    bool is_late = now_ms(a->all) >= a->due_ms;

    if ((a->state == READING || a->state == SETTLING) && a->is_lost) {
        give_up(a, ARRIVAL_LOST);
        return;
    }
    switch (a->state) {
    case TAKING:
    case READING:
        if (is_late)
            give_up(a, ARRIVAL_UNAVAILABLE);
        return;
    case FOLLOWING:
        if (is_late)
            give_up(a, ARRIVAL_UNAVAILABLE);
        else
            follow(a);
        return;
    case SETTLING:
        if (!seat_is_sound(a->peer))
            give_up(a, ARRIVAL_UNAVAILABLE);
        else if (is_settled(a))
            finish(a);
        return;
    case STARTING:
        if (is_late)
            let_in_without(a);
        else
            start(a);
        return;
    case MAKING:
        if (is_late)
            let_in_without(a);
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

        if (now_ms(as) >= a->due_ms)
            mark(a);
    }
    if (now_ms(as) - as->ticked_ms >= SEATS_TICK_MS) {
        as->ticked_ms = now_ms(as);
        seats_tick(&as->seats);
    }
}

/* --- what seats say --- */

static void on_taken(struct arrival *a, const struct record *record)
{
    struct peer *p = a->peer;
    int err = recovery_init(&a->recovery, record, slice_of(a->offset), user_org(p->user),
                            user_sub(p->user));

    if (err != 0) {
        give_up(a, ARRIVAL_BAD_OFFSET);
        return;
    }
    a->has_recovery = true;
    memcpy(a->sid, record->sid, sizeof(a->sid));
    hold_rooms(a);
    a->state = FOLLOWING;
    mark(a);
}

static void on_opened(struct peer *p, enum seat_outcome outcome, const struct record *record,
                      void *arg)
{
    struct arrival *a = p->arrival;

    (void)arg;
    if (a == NULL || (a->state != TAKING && a->state != MAKING))
        return;
    switch (outcome) {
    case SEAT_MADE:
        let_in(p, NULL);
        arrival_free(a);
        return;
    case SEAT_TAKEN:
        on_taken(a, record);
        return;
    case SEAT_UNKNOWN:
        give_up(a, ARRIVAL_UNKNOWN);
        return;
    case SEAT_STRANGER:
        give_up(a, ARRIVAL_STRANGER);
        return;
    case SEAT_FAILED:
        if (a->state == MAKING)
            let_in_without(a);
        else
            give_up(a, ARRIVAL_UNAVAILABLE);
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

void arrival_begin(struct arrivals *as, struct peer *p, struct slice pid, struct slice offset)
{
    struct arrival *a = mem_new(struct arrival);
    char            text[SIO_SID_MAX];

    a->all = as;
    a->peer = p;
    a->offset = mem_strndup(offset.data != NULL ? offset.data : "", offset.len);
    list_append(&as->all, &a->in_all);
    list_init(&a->in_due);
    p->arrival = a;
    if (!seat_pid_is_well_formed(pid)) {
        begin_anew(a);
        return;
    }
    snprintf(text, sizeof(text), "%.*s", SLICE_ARG(pid));
    enter(a, TAKING, ARRIVAL_TAKE_MS);
    if (!seats_are_up(&as->seats) || seat_take(&as->seats, p, text) != 0)
        give_up(a, ARRIVAL_UNAVAILABLE);
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
        mark(a);
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
        mark(a);
    }
}

void arrivals_moved(struct arrivals *as, struct org *o)
{
    list_each(node, &as->all) {
        struct arrival *a = container_of(node, struct arrival, in_all);

        if (a->peer->org == o && (a->state == FOLLOWING || a->state == STARTING))
            mark(a);
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

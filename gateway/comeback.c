/* comeback.c -- what somebody missed who was here before, and their way back into their rooms: the
 * I/O around recovery.c.
 *
 *     FOLLOWING --position reached--> READING --log read--> SETTLING --> in
 *
 * SETTLING waits for a place in each room (topics.h's holds): somebody has to know where the
 * room is, and taskd has to say that it may still be seen. A room whose snapshot does not
 * come in time is not waited for: it is treated as one whose snapshot the client never got.
 *
 * All in one turn: what was missed is said, the rooms are entered, the client is let in. So
 * the next frame finds a member like any other. */
#include "gateway/arriving.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"

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

/* --- its rooms --- */

static void on_hold_changed(void *arg)
{
    arrival_mark(arg);
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

int comeback_begin(struct arrival *a, const struct record *record)
{
    const struct user *who = a->peer->user;
    int                err = recovery_init(&a->recovery, record, slice_of(a->offset),
                                           user_org(who), user_sub(who));

    if (err != 0)
        return err;
    a->has_recovery = true;
    memcpy(a->sid, record->sid, sizeof(a->sid));
    hold_rooms(a);
    a->state = FOLLOWING;
    arrival_mark(a);
    return 0;
}

void comeback_end(struct arrival *a)
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

/* --- what it missed --- */

static void go_on(struct arrival *a, enum recovery_step step)
{
    struct org *o = a->peer->org;

    switch (step) {
    case RECOVERY_READ:
        a->state = READING;
        if (org_read_log(o, a->recovery.next, on_log, ticket_new(a), a->all) != 0)
            arrival_give_up(a, ARRIVAL_UNAVAILABLE);
        return;
    case RECOVERY_DONE:
        arrival_enter(a, SETTLING, ARRIVAL_SETTLE_MS);
        arrival_mark(a);
        return;
    case RECOVERY_AHEAD:
        if (!a->is_asked && org_ask(o, on_asked, ticket_new(a), a->all) != 0)
            arrival_give_up(a, ARRIVAL_UNAVAILABLE);
        a->is_asked = true;
        return;
    case RECOVERY_LOST:
        arrival_give_up(a, ARRIVAL_LOST);
        return;
    }
}

void comeback_follow(struct arrival *a)
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
        arrival_give_up(a, ARRIVAL_UNAVAILABLE);
    else if (!position_reached(at, a->recovery.from.at))
        arrival_give_up(a, ARRIVAL_BAD_OFFSET);
}

static void on_log(struct org *o, int err, const struct slice *texts, size_t count,
                   uint64_t ticket, void *arg)
{
    struct arrival *a = arrival_find(arg, o, ticket);

    if (a == NULL || a->state != READING)
        return;
    if (err != 0)
        arrival_give_up(a, ARRIVAL_UNAVAILABLE);
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

    if (a->came != NULL && event_is(json, "user:notification"))
        return;                                /* a stream is of one room, and of nothing else */
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

/* From now on it is owed every line of the log. */
static void follow_the_log(struct peer *p)
{
    p->follows_log = true;
    p->all->followers++;
}

/* A stream has one room: either it is back there, or it begins anew. */
static void finish_stream(struct arrival *a)
{
    struct peer          *p = a->peer;
    struct recovery_room *room = a->recovery.rooms;
    enum arrival_came     how = CAME_EVICTED;
    void                (*came)(struct peer *p, enum arrival_came how) = a->came;

    if (room->fate == ROOM_REPLAY) {
        room_enter(a, 0);
        how = CAME_BACK;
    }
    if (room->fate != ROOM_REPLAY && room->fate != ROOM_EVICTED) {
        arrival_give_up(a, ARRIVAL_LOST);
        return;
    }
    recovery_each(&a->recovery, say, a);
    metric_inc(a->all->outcomes[ARRIVAL_RECOVERED]);
    if (how == CAME_BACK)
        follow_the_log(p);
    arrival_free(a);
    came(p, how);
}

void comeback_finish(struct arrival *a)
{
    struct arrivals *as = a->all;
    struct peer     *p = a->peer;
    struct recovery *r = &a->recovery;

    recovery_settle(r);
    if (a->came != NULL) {
        finish_stream(a);
        return;
    }
    for (size_t i = 0; i < r->room_count; i++) {
        if (r->rooms[i].fate == ROOM_REPLAY)
            room_enter(a, i);
        else if (r->rooms[i].fate == ROOM_EVICTED)
            peer_left(p, slice_of(r->rooms[i].task));
    }
    recovery_each(r, say, a);
    metric_inc(as->outcomes[ARRIVAL_RECOVERED]);
    arrival_let_in(p, a->sid);
    follow_the_log(p);
    rooms_refresh(a);
    arrival_free(a);
    as->on_recovered(p, as->arg);
}

bool comeback_is_settled(const struct arrival *a)
{
    for (size_t i = 0; i < a->recovery.room_count; i++) {
        if (a->holds[i].topic != NULL && a->holds[i].err == ERR_BUSY)
            return arrival_now_ms(a->all) >= a->due_ms;
    }
    return true;
}

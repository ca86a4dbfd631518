/* join.c -- buffer, snapshot, replay (SPEC C1).
 *
 * Why two positions. taskd reads the org's number N first and the store afterwards, so the
 * snapshot may show transitions later than N. For one joiner that is no problem, since `seq`
 * tells them; for a room it is: its members are told transition N + 1 as an event, and the
 * joiner must not be, so that "send it to the room" has two meanings at once. Asking for the
 * org's number M *after* the snapshot came, and waiting until our own feed has reached it,
 * takes that away: all that the snapshot shows has gone through our hands by then, and from
 * this moment on the joiner and the members are owed exactly the same lines. The question is one
 * HMGET per snapshot (not per joiner).
 *
 * Rejected: filtering every later line per member (a check in the hot path for the life of
 * the socket), and telling the joiner twice (clients would have to be forgiving for ever).
 *
 * A snapshot whose position is older than where our feed stood when we asked, or of an older
 * epoch, comes from a taskd that has not noticed something yet: it is asked again. */
#include "gateway/join.h"

#include "common/err.h"

void join_init(struct join *j, const struct join_handlers *handlers, void *arg)
{
    *j = (struct join){ .handlers = handlers, .arg = arg, .state = JOIN_IDLE };
    frames_init(&j->frames);
}

static void drop(struct join *j)
{
    rcbuf_unref(j->snapshot);
    j->snapshot = NULL;
    frames_clear(&j->frames);
    j->ticket++;                               /* whatever is under way is of no interest now */
}

void join_deinit(struct join *j)
{
    drop(j);
    j->state = JOIN_IDLE;
}

static void begin(struct join *j)
{
    drop(j);
    if (!j->feed_is_live) {
        j->state = JOIN_WAITING;
        return;
    }
    j->state = JOIN_FETCHING;
    j->start = j->feed_at;
    j->handlers->fetch(j->ticket, j->arg);
}

static void fail(struct join *j, int err)
{
    bool was_wanted = j->is_wanted;

    drop(j);
    j->state = JOIN_IDLE;
    j->is_wanted = false;
    j->tries = 0;
    if (was_wanted)
        j->handlers->failed(err, j->arg);
}

/* Returns false where who waits has to wait on. */
static bool serve(struct join *j, bool is_last)
{
    j->is_wanted = false;
    if (j->handlers->ready(is_last, j->arg))
        return true;
    j->is_wanted = true;
    return false;
}

/* May the kept snapshot, with the frames since, serve one more? One that nothing came after
 * always may. Otherwise a newer one is nicer (its reader sees the present at once, not the
 * past and then what happened), as long as taskd is not asked too often. */
static bool is_good(const struct join *j, uint64_t now_ms)
{
    if (j->state != JOIN_READY || now_ms - j->taken_at_ms >= JOIN_KEPT_MS)
        return false;
    return j->frames.count == 0 || j->fetches >= JOIN_FRESH_MAX;
}

void join_want(struct join *j, uint64_t now_ms)
{
    j->is_wanted = true;
    if (now_ms - j->second_began_ms >= 1000) {
        j->second_began_ms = now_ms;
        j->fetches = 0;
    }
    if (is_good(j, now_ms)) {
        (void)serve(j, true);                  /* frames have kept it where the room is */
    } else if (j->state == JOIN_IDLE || j->state == JOIN_READY) {
        j->tries = 0;
        j->fetches++;
        begin(j);
    }
}

void join_forget(struct join *j)
{
    j->is_wanted = false;
    if (j->state != JOIN_READY) {
        drop(j);
        j->state = JOIN_IDLE;
    }
}

void join_retry(struct join *j, uint64_t delay_ms, uint64_t now_ms)
{
    drop(j);
    j->is_wanted = true;
    j->state = JOIN_PAUSED;
    j->retry_at_ms = now_ms + delay_ms;
}

/* Not this time. Redis and taskd come back within seconds; who waits would only ask again. */
static void try_again(struct join *j, int err, uint64_t now_ms)
{
    unsigned doublings = j->tries < JOIN_PAUSES ? j->tries : JOIN_PAUSES - 1;

    j->is_wanted = true;
    if (++j->tries >= JOIN_TRIES_MAX)
        fail(j, err);
    else
        join_retry(j, (uint64_t)JOIN_PAUSE_MS << doublings, now_ms);
}

void join_stale(struct join *j, uint64_t now_ms)
{
    try_again(j, ERR_STALE, now_ms);
}

void join_reset(struct join *j)
{
    if (j->state == JOIN_IDLE || j->state == JOIN_WAITING || j->state == JOIN_PAUSED)
        return;
    if (j->is_wanted) {
        begin(j);
    } else {
        drop(j);
        j->state = JOIN_IDLE;
    }
}

static void look_at_fence(struct join *j, uint64_t now_ms)
{
    if (position_reached(j->feed_at, j->fence)) {
        if (j->ahead_until_ms == 0)
            j->ahead_until_ms = now_ms + JOIN_AHEAD_MS;
        j->state = JOIN_READY;
        j->taken_at_ms = now_ms;
        if (!j->is_wanted)
            join_reset(j);                     /* nobody has looked whether it is ahead */
        else if (!serve(j, now_ms >= j->ahead_until_ms))
            j->state = JOIN_TRAILING;
    } else if (j->feed_at.epoch > j->fence.epoch) {
        join_stale(j, now_ms);                 /* made in a life that is over */
    }
}

void join_feed(struct join *j, bool is_live, struct position at, uint64_t now_ms)
{
    j->feed_is_live = is_live;
    j->feed_at = at;
    if (j->state == JOIN_WAITING && is_live)
        begin(j);
    else if (j->state == JOIN_TRAILING)
        look_at_fence(j, now_ms);
    else if (j->state == JOIN_READY && !is_live)
        join_reset(j);
}

void join_frame(struct join *j, struct frame *f)
{
    if (join_takes_frames(j) && frames_add(&j->frames, f) != 0)
        join_reset(j);                 /* too much came since: a newer one is smaller */
}

void join_fetched(struct join *j, uint32_t ticket, int err, struct slice text, uint64_t now_ms)
{
    struct slice rest = text;

    if (j->state != JOIN_FETCHING || ticket != j->ticket)
        return;
    if (err == 0 && position_parse(slice_cut(&rest, '\n'), &j->at) != 0)
        err = ERR_REPLY;
    if (err != 0) {
        if (err == ERR_NOT_FOUND)
            fail(j, err);
        else
            try_again(j, err, now_ms);
        return;
    }
    if (j->at.epoch < j->start.epoch ||
        (j->at.epoch == j->start.epoch && j->at.number < j->start.number)) {
        join_stale(j, now_ms);
        return;
    }
    j->snapshot = rcbuf_copy(text);
    j->state = JOIN_FENCING;
    j->handlers->fence(j->ticket, j->arg);
}

void join_fenced(struct join *j, uint32_t ticket, int err, struct position at, uint64_t now_ms)
{
    if (j->state != JOIN_FENCING || ticket != j->ticket)
        return;
    if (err != 0) {
        try_again(j, err, now_ms);
        return;
    }
    if (at.epoch != j->at.epoch) {
        join_stale(j, now_ms);
        return;
    }
    j->fence = at.number > j->at.number ? at : j->at;
    j->ahead_until_ms = 0;
    j->trail_until_ms = now_ms + JOIN_TRAIL_MS;
    j->state = JOIN_TRAILING;
    look_at_fence(j, now_ms);
}

/* A feed that is live and does not come to the fence never will: Redis lost its memory right
 * after the fence was asked for, and nobody has published since, so that even the feed knows
 * of no newer life. */
static void look_at_patience(struct join *j, uint64_t now_ms)
{
    if (!j->feed_is_live)
        j->trail_until_ms = now_ms + JOIN_TRAIL_MS;
    else if (now_ms >= j->trail_until_ms)
        join_stale(j, now_ms);
}

void join_tick(struct join *j, uint64_t now_ms)
{
    if (j->state == JOIN_PAUSED && now_ms >= j->retry_at_ms)
        begin(j);
    else if (j->state == JOIN_TRAILING && position_reached(j->feed_at, j->fence))
        look_at_fence(j, now_ms);
    else if (j->state == JOIN_TRAILING)
        look_at_patience(j, now_ms);
    else if (j->state == JOIN_READY && now_ms - j->taken_at_ms >= JOIN_KEPT_MS)
        join_reset(j);
}

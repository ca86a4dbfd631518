/* feed.c -- the gap detection of the live feed.
 *
 * Redis pub/sub forgets: a message that was published while the subscription was down, or
 * that Redis dropped with a slow connection, is gone. The org's log remembers, but polling it
 * would cost a round trip per message and gateway. So the feed listens to pub/sub and looks
 * at the numbers; only where one is missing does it read the log.
 *
 * Messages that come while a gap is being filled are held, sorted, and looked at again
 * afterwards by the very function that judges a live one (`take`), so there is one place
 * that decides what is next, what is old and what is a gap.
 *
 * Two things end in a resync: a new epoch, since the tail of the old one may have gone
 * unheard, and a log that does not hold position + 1 any more. One exception: an org that was
 * known to have no position at all has missed nothing when its first message comes.
 *
 * Rejected: acknowledging messages to Redis (a consumer group per gateway costs Redis a
 * stream per replica, and deliveries to thousands of groups are slower than pub/sub). */
#include "gateway/feed.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"

void feed_init(struct feed *f, const struct feed_handlers *handlers, void *arg)
{
    *f = (struct feed){ .handlers = handlers, .arg = arg, .state = FEED_DOWN };
}

static void held_clear(struct feed *f)
{
    for (size_t i = 0; i < f->held_count; i++)
        rcbuf_unref(f->held[i].text);
    f->held_count = 0;
    f->held_bytes = 0;
}

void feed_deinit(struct feed *f)
{
    held_clear(f);
    free(f->held);
    f->held = NULL;
    f->held_cap = 0;
    f->state = FEED_DOWN;
}

/* Negative, 0, positive: a before, at, after b. */
static int position_compare(struct position a, struct position b)
{
    if (a.epoch != b.epoch)
        return a.epoch < b.epoch ? -1 : 1;
    if (a.number != b.number)
        return a.number < b.number ? -1 : 1;
    return 0;
}

/* --- orders --- */

static void enter_asking(struct feed *f)
{
    f->state = FEED_ASKING;
    f->retry_at_ms = 0;
    f->ticket++;
    f->handlers->ask(f->ticket, f->arg);
}

static void enter_filling(struct feed *f)
{
    f->state = FEED_FILLING;
    f->retry_at_ms = 0;
    f->ticket++;
    f->handlers->read_log(f->at.number + 1, f->ticket, f->arg);
}

static void start_afresh(struct feed *f, struct position at)
{
    f->at = at;
    f->is_known = true;
    f->must_resync = false;
    f->resyncs++;
    f->handlers->resync(at, f->arg);
}

/* --- what is held --- */

/* Forget the first `n`, whose texts are given back already. */
static void held_drop_first(struct feed *f, size_t n)
{
    if (n == 0)
        return;
    f->held_count -= n;
    memmove(f->held, f->held + n, f->held_count * sizeof(f->held[0]));
    f->held_bytes = 0;
    for (size_t i = 0; i < f->held_count; i++)
        f->held_bytes += f->held[i].text->len;
}

static void hold(struct feed *f, struct position at, struct slice text)
{
    size_t i = f->held_count;

    if (f->held_count == FEED_HELD_MAX || f->held_bytes + text.len > FEED_HELD_BYTES_MAX) {
        held_clear(f);
        f->has_overflowed = true;
        return;
    }
    if (f->held_count == f->held_cap) {
        f->held_cap = f->held_cap == 0 ? 16 : f->held_cap * 2;
        f->held = mem_resize(f->held, f->held_cap * sizeof(f->held[0]));
    }
    while (i > 0 && position_compare(at, f->held[i - 1].at) < 0) {
        f->held[i] = f->held[i - 1];           /* nearly always in order: no step at all */
        i--;
    }
    f->held[i] = (struct feed_held){ at, rcbuf_copy(text) };
    f->held_count++;
    f->held_bytes += text.len;
}

/* --- judging a message --- */

enum verdict { TAKEN, OLD, GAP };

static void deliver(struct feed *f, struct position at, struct slice text)
{
    f->at = at;
    if (f->expect_by_ms != 0 && position_compare(at, f->expected) >= 0)
        f->expect_by_ms = 0;
    f->handlers->deliver(text, f->arg);
}

/* An org that had no position at all, and now has the first of a life (its name is the
 * number before the first message), has missed nothing. */
static bool is_first_of_life(const struct feed *f, struct position before)
{
    return f->at.epoch == 0 && before.number == before.epoch;
}

static enum verdict take(struct feed *f, struct position at, struct slice text)
{
    if (at.epoch > f->at.epoch) {
        if (!is_first_of_life(f, (struct position){ at.epoch, at.number - 1 }))
            start_afresh(f, (struct position){ at.epoch, at.number - 1 });
        deliver(f, at, text);
        return TAKEN;
    }
    if (position_compare(at, f->at) <= 0)
        return OLD;
    if (at.number != f->at.number + 1)
        return GAP;
    deliver(f, at, text);
    return TAKEN;
}

/* All that was asked for is here: go through what came meanwhile. */
static void settle(struct feed *f)
{
    size_t i;

    f->state = FEED_LIVE;
    for (i = 0; i < f->held_count; i++) {
        if (take(f, f->held[i].at, rcbuf_slice(f->held[i].text)) == GAP)
            break;
        rcbuf_unref(f->held[i].text);
        f->held[i].text = NULL;
    }
    held_drop_first(f, i);
    if (f->held_count > 0) {
        f->gaps++;
        enter_filling(f);
    } else if (f->has_overflowed) {
        f->has_overflowed = false;
        enter_asking(f);
    }
}

/* --- inputs --- */

void feed_subscribed(struct feed *f)
{
    held_clear(f);
    f->has_overflowed = false;
    enter_asking(f);
}

void feed_lost(struct feed *f)
{
    held_clear(f);
    f->has_overflowed = false;
    f->state = FEED_DOWN;
    f->retry_at_ms = 0;
    f->expect_by_ms = 0;                       /* coming back asks for the position anyway */
    f->ticket++;
}

int feed_message(struct feed *f, struct slice text)
{
    struct slice    rest = text;
    struct position at;
    int             err = position_parse(slice_cut(&rest, '\n'), &at);

    if (err != 0 || at.number == 0)
        return ERR_INVALID;
    if (f->state == FEED_DOWN)
        return 0;                              /* a straggler of the old subscription */
    if (f->state != FEED_LIVE) {
        hold(f, at, text);
        return 0;
    }
    switch (take(f, at, text)) {
    case TAKEN:
        break;
    case OLD:
        f->repeats++;
        break;
    case GAP:
        f->gaps++;
        hold(f, at, text);
        enter_filling(f);
        break;
    }
    return 0;
}

void feed_position(struct feed *f, uint32_t ticket, int err, struct position at, uint64_t now_ms)
{
    if (f->state != FEED_ASKING || ticket != f->ticket)
        return;
    if (err != 0) {
        f->retry_at_ms = now_ms + FEED_RETRY_MS;
        return;
    }
    if (!f->is_known || (is_first_of_life(f, at) && !f->must_resync)) {
        f->at = at;
        f->is_known = true;
    } else if (f->must_resync || at.epoch > f->at.epoch || (at.epoch == 0 && f->at.epoch != 0)) {
        start_afresh(f, at);
    }
    settle(f);
    if (f->state == FEED_LIVE && at.epoch == f->at.epoch && at.number > f->at.number) {
        f->gaps++;
        enter_filling(f);
    }
}

/* Deliver what the log holds; false where it does not go on from where we are. */
static bool take_entries(struct feed *f, const struct slice *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct slice    rest = texts[i];
        struct position at;

        if (position_parse(slice_cut(&rest, '\n'), &at) != 0 || at.epoch != f->at.epoch ||
            at.number != f->at.number + 1)
            return false;
        deliver(f, at, texts[i]);
    }
    return true;
}

void feed_log(struct feed *f, uint32_t ticket, int err, const struct slice *texts, size_t count,
              uint64_t now_ms)
{
    if (f->state != FEED_FILLING || ticket != f->ticket)
        return;
    if (err != 0) {
        f->retry_at_ms = now_ms + FEED_RETRY_MS;
        return;
    }
    if (count == 0 || !take_entries(f, texts, count)) {
        f->must_resync = true;
        enter_asking(f);
    } else if (count >= FEED_LOG_BATCH) {
        enter_filling(f);
    } else {
        settle(f);
    }
}

void feed_expect(struct feed *f, struct position at, uint64_t now_ms)
{
    if (f->state == FEED_DOWN || !f->is_known || position_reached(f->at, at))
        return;
    if (f->state == FEED_LIVE && is_first_of_life(f, at)) {
        f->at = at;                            /* begun, and nothing said in it yet */
        return;
    }
    if (f->expect_by_ms == 0) {
        f->expect_by_ms = now_ms + FEED_EXPECT_MS;
        f->expected = at;
    } else if (position_compare(at, f->expected) > 0) {
        f->expected = at;
    }
}

void feed_tick(struct feed *f, uint64_t now_ms)
{
    if (f->retry_at_ms != 0 && now_ms >= f->retry_at_ms) {
        if (f->state == FEED_ASKING)
            enter_asking(f);
        else if (f->state == FEED_FILLING)
            enter_filling(f);
    }
    if (f->expect_by_ms != 0 && now_ms >= f->expect_by_ms && f->state == FEED_LIVE) {
        f->expect_by_ms = 0;
        if (!position_reached(f->at, f->expected))
            enter_asking(f);                   /* the answer tells a gap from a new epoch */
    }
}

bool feed_wants_tick(const struct feed *f)
{
    return f->retry_at_ms != 0 || f->expect_by_ms != 0;
}

/* compare.c -- see compare.h.
 *
 * The pace is derived anew with every batch from how many there are to go through now, so a
 * round takes about the interval whether there are ten rooms or a hundred thousand (past
 * interval / COMPARE_SPACE_MS batches it takes longer). A batch that could not be asked for
 * is not asked for again: its turn comes with the next round.
 *
 * Rejected: comparing a room's seq with every snapshot that passes by (it is done, in
 * topic_source.c, but a quiet room has none), and asking taskd for snapshots instead of seqs
 * (a thousand times the bytes, to learn nearly always that nothing is missing). */
#include "gateway/compare.h"

#include <stdlib.h>

#include "common/mem.h"

struct compare_doubt {
    struct compare_item item;
    int64_t             seq;
};

void compare_init(struct compare *c, uint64_t interval_ms, uint64_t first_ms,
                  const struct compare_handlers *handlers, void *arg)
{
    *c = (struct compare){ .handlers = handlers, .arg = arg, .interval_ms = interval_ms,
                           .next_ms = first_ms, .state = COMPARE_RESTING };
}

static void batch_drop(struct compare *c)
{
    free(c->batch);
    c->batch = NULL;
    c->batch_count = 0;
}

static void doubts_drop(struct compare *c)
{
    free(c->doubts);
    c->doubts = NULL;
    c->doubt_count = 0;
}

void compare_deinit(struct compare *c)
{
    batch_drop(c);
    doubts_drop(c);
    c->ticket++;
    c->state = COMPARE_RESTING;
}

/* How long after a batch the next one is due. */
static uint64_t pace_ms(const struct compare *c)
{
    size_t   count = c->handlers->count(c->arg);
    size_t   batches = (count + COMPARE_BATCH - 1) / COMPARE_BATCH;
    uint64_t ms = batches > 1 ? c->interval_ms / batches : c->interval_ms;

    return ms < COMPARE_SPACE_MS ? COMPARE_SPACE_MS : ms;
}

static void batch_begin(struct compare *c, uint64_t now_ms)
{
    c->next_ms = now_ms + pace_ms(c);
    c->batch = mem_alloc(COMPARE_BATCH * sizeof(c->batch[0]));
    c->batch_count = c->handlers->pick(c->batch, COMPARE_BATCH, c->arg);
    if (c->batch_count == 0) {
        batch_drop(c);                         /* the end of a round: the next begins when due */
        return;
    }
    c->state = COMPARE_ASKING;
    c->handlers->ask(c->batch, c->batch_count, ++c->ticket, c->arg);
}

static bool is_behind(const struct compare *c, const struct compare_item *item, int64_t seq)
{
    int64_t told = c->handlers->told(item, c->arg);

    return told >= 0 && told < seq;
}

static void doubt(struct compare *c, const struct compare_item *item, int64_t seq)
{
    if (c->doubts == NULL)
        c->doubts = mem_alloc(c->batch_count * sizeof(c->doubts[0]));
    c->doubts[c->doubt_count++] = (struct compare_doubt){ *item, seq };
}

void compare_answered(struct compare *c, uint32_t ticket, int err,
                      int64_t (*seq_of)(const char *task, void *answer), void *answer,
                      uint64_t now_ms)
{
    if (c->state != COMPARE_ASKING || ticket != c->ticket)
        return;
    for (size_t i = 0; err == 0 && i < c->batch_count; i++) {
        int64_t seq = seq_of(c->batch[i].task, answer);

        if (is_behind(c, &c->batch[i], seq))
            doubt(c, &c->batch[i], seq);
    }
    batch_drop(c);
    c->state = c->doubt_count > 0 ? COMPARE_DOUBTING : COMPARE_RESTING;
    c->doubt_ms = now_ms + COMPARE_GRACE_MS;
}

static void doubts_settle(struct compare *c)
{
    for (size_t i = 0; i < c->doubt_count; i++) {
        const struct compare_doubt *d = &c->doubts[i];

        if (is_behind(c, &d->item, d->seq))
            c->handlers->behind(&d->item, d->seq, c->arg);
    }
    doubts_drop(c);
    c->state = COMPARE_RESTING;
}

void compare_tick(struct compare *c, uint64_t now_ms)
{
    if (c->state == COMPARE_DOUBTING && now_ms >= c->doubt_ms)
        doubts_settle(c);
    if (c->state == COMPARE_RESTING && now_ms >= c->next_ms)
        batch_begin(c, now_ms);
}

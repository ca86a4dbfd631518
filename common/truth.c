/* truth.c -- see truth.h.
 *
 * The first answer counts though a change came meanwhile: it holds everything from before the
 * change, and the change was heard. Rejected: to throw it away like later ones, which a steady
 * stream of changes could keep up for ever, and a replica would never be ready. */
#include "common/truth.h"

#include <assert.h>

void truth_init(struct truth *t)
{
    *t = (struct truth){ .must_read = true };
}

void truth_doubt(struct truth *t)
{
    t->must_read = true;
    t->is_changed = true;
}

void truth_change(struct truth *t)
{
    t->is_changed = true;
}

bool truth_is_due(const struct truth *t, uint64_t now_ms, bool is_hearing)
{
    uint64_t after = is_hearing ? TRUTH_HEARING_MS : TRUTH_DEAF_MS;

    if (t->is_reading || now_ms < t->retry_ms)
        return false;
    return t->must_read || now_ms >= t->read_ms + after;
}

void truth_begin(struct truth *t)
{
    assert(!t->is_reading);
    t->is_reading = true;
    t->must_read = false;
    t->is_changed = false;
}

enum truth_answer truth_end(struct truth *t, int err, uint64_t now_ms)
{
    assert(t->is_reading);
    t->is_reading = false;
    if (err != 0) {
        t->must_read = true;
        t->retry_ms = now_ms + TRUTH_RETRY_MS;
        return TRUTH_FAILED;
    }
    t->read_ms = now_ms;
    t->must_read = t->must_read || t->is_changed;
    if (t->is_changed && t->is_known)
        return TRUTH_STALE;
    t->is_known = true;
    return t->is_changed ? TRUTH_FIRST : TRUTH_WHOLE;
}

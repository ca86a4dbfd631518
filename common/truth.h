/* truth.h -- when to read again what somebody else decides, and is told of as it changes
 * (proto/internal.md, "Control").
 *
 * News is quick and may be missed; the truth can be read. So it is read at the start, whenever
 * something may have been missed, now and then anyway, and often while no news can be heard.
 * What is read while a change comes may be from before it: then it is read once more. Pure:
 * times are arguments. One thread. */
#ifndef TASKWIRE_COMMON_TRUTH_H
#define TASKWIRE_COMMON_TRUTH_H

#include <stdbool.h>
#include <stdint.h>

#define TRUTH_HEARING_MS 30000                 /* from one reading to the next */
#define TRUTH_DEAF_MS    5000                  /* the same, while changes are not heard */
#define TRUTH_RETRY_MS   500                   /* after a reading that failed */

struct truth {
    uint64_t read_ms;                          /* the last that succeeded */
    uint64_t retry_ms;                         /* not again before this */
    bool     is_known;                         /* one has succeeded */
    bool     is_reading, must_read;
    bool     is_changed;                       /* since the reading under way began */
};

void truth_init(struct truth *t);              /* to be read at once */

/* Something may have been missed: read as soon as can be. */
void truth_doubt(struct truth *t);

/* A change was heard of, or made here. */
void truth_change(struct truth *t);

/* Is a reading to begin now? Then call truth_begin, and truth_end with its outcome. */
bool truth_is_due(const struct truth *t, uint64_t now_ms, bool is_hearing);
void truth_begin(struct truth *t);

enum truth_answer {
    TRUTH_FAILED,                              /* nothing was read */
    TRUTH_STALE,                               /* a change came meanwhile: keep what is known, it is
                                                  read again */
    TRUTH_FIRST,                               /* the same, and nothing was known: add it to what was
                                                  heard, it is read again */
    TRUTH_WHOLE                                /* all that has been decided so far */
};
enum truth_answer truth_end(struct truth *t, int err, uint64_t now_ms);

#endif

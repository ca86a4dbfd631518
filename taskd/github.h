/* github.h -- what a webhook of GitHub says, and which task it may be about: pure.
 *
 * A delivery (event name and body) becomes an input for a task, with the look-ups that may
 * find the task, best first; or there is a reason why not. proto/github.md is the table.
 * No store, no loop, no clock. Any thread, one at a time per value. */
#ifndef TASKWIRE_TASKD_GITHUB_H
#define TASKWIRE_TASKD_GITHUB_H

#include "common/json.h"
#include "taskd/task.h"

#define GITHUB_ISSUES_MAX  8                   /* that one pull request may name */
#define GITHUB_LOOKUPS_MAX (GITHUB_ISSUES_MAX + 2)
#define GITHUB_CHARS_MAX   4096                /* of a text that we keep (SPEC I4) */

enum github_verdict {
    GITHUB_INPUT,                              /* look for the task */
    GITHUB_PING,                               /* GitHub asks whether anybody is there */
    GITHUB_IGNORED,                            /* well-formed, and nothing to us */
    GITHUB_MALFORMED,                          /* no JSON object */
    GITHUB_REFUSED                             /* a value that we need is missing, or not allowed */
};

enum github_by { GITHUB_BY_PR, GITHUB_BY_BRANCH, GITHUB_BY_ISSUE };

struct github_lookup {
    enum github_by by;
    int64_t        number;                     /* of the pull request or the issue; else 0 */
};

struct github_delivery {
    enum input           input;
    json_t              *data;                 /* fits the input's rows (proto/data.def) */
    char                *repo;                 /* owner/name, as GitHub spells it */
    char                *branch;               /* NULL: none is known */
    int64_t              pr_number;            /* 0: it is not about a pull request */
    struct github_lookup lookups[GITHUB_LOOKUPS_MAX];
    size_t               lookup_count;
};

/* `event` is X-GitHub-Event. INPUT fills `out` (github_deinit gives it back); else there is
 * nothing to give back, and `why` has a sentence (but for PING). */
enum github_verdict github_read(struct slice event, struct slice body,
                                struct github_delivery *out, struct buf *why);
void                github_deinit(struct github_delivery *d);

/* The task was found by `by`: is the delivery about it? A pull request that merely names the
 * task's issue is not, where the task has one of its own. */
bool github_fits(const struct github_delivery *d, enum github_by by, const struct task *t);

/* The input as the ingest wants it (SPEC I4): a CloudEvent whose id is the delivery's. */
void github_append_event(struct buf *out, const struct github_delivery *d, const char *task_id,
                         const char *delivery_id, int64_t at_wall_ms);

/* The issues of `repo` that a text says it closes ("Fixes #42"; github_refs.c): appends those
 * that are not in `issues` yet, up to GITHUB_ISSUES_MAX; returns how many there are then. */
size_t github_find_issues(struct slice text, struct slice repo, int64_t issues[GITHUB_ISSUES_MAX],
                          size_t count);

#endif

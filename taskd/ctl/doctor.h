/* doctor.h -- what is wrong, from what is known: facts in, findings out; pure.
 *
 * Facts are gathered twice, a few seconds apart (doctor_look.c), so that what is only under way
 * is not taken for stuck. They are one JSON object per look:
 *
 *   at         wall clock in ms, ours
 *   status     what /api/admin/status answers; null: taskd did not answer
 *   outbox     what /api/admin/outbox answers; null: it did not
 *   replicas   the array of /api/admin/replicas; null: it did not
 *   servers    of each Redis: {name, runId, aof, usedMemory, maxMemory, policy}; no runId: it is not
 *              to be reached
 *   ingest     {length, oldestMs}: the stream; oldestMs 0: it is empty
 *   lease      {token, ttlMs}: of ingest; null: nobody has it. ttlMs -1: it never ends
 *   dead       how many dead letters there are
 *   orgs       by name: {server, epoch, number, run, length, first, last, holdTtlMs, hearers}
 *              of the sequencer, its log, the hold on it (-2: none) and who subscribes to its feed;
 *              epoch 0: Redis knows nothing of it
 *
 * and in the second look alone
 *
 *   logs       by org: {messages, beginsMs, seqs: {task: the last seq in the log}}
 *   positions  of tasks, as /api/admin/positions has them
 *
 * A finding is {result: "fault"|"warning"|"ok", check, subject, what, todo?}. */
#ifndef TASKWIRE_CTL_DOCTOR_H
#define TASKWIRE_CTL_DOCTOR_H

#include "common/json.h"

#define DOCTOR_PENDING_MS 5000                 /* what is not published by then is stuck */
#define DOCTOR_CANARY_MS  3000                 /* a subscriber that missed three is silent */
#define DOCTOR_STALE_MS   6000                 /* a gateway that missed three heartbeats hangs */

/* All findings, faults first. New reference. */
json_t *doctor_judge(const json_t *first, const json_t *second);

/* The position that a gateway's heartbeat says of an org ("acme=12-15 beta=7-7?"). False where it
 * does not name it. */
struct doctor_position {
    int64_t epoch, number;
    bool    is_live;
};
bool doctor_position_read(const char *positions, const char *org, struct doctor_position *out);

/* --- for doctor_judge.c and doctor_orgs.c --- */

struct diagnosis {
    const json_t *first, *second;
    json_t       *findings;
};

enum doctor_result { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_FAULT };

/* Add a finding. `todo` may be NULL. */
void doctor_find(struct diagnosis *d, enum doctor_result result, const char *check,
                 const char *subject, const char *todo, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* What concerns single orgs and tasks (doctor_orgs.c). */
void doctor_judge_orgs(struct diagnosis *d);

/* --- gathering (doctor_look.c) --- */

struct ctl;

/* What to look at: "", a task's id, or an org. */
struct doctor_scope {
    const char *word;
    bool        is_task;
};

/* One look. NULL entries are what could not be asked. New reference. */
json_t *doctor_look(struct ctl *c, const struct doctor_scope *scope, bool is_second);

#endif

/* doctor_orgs.c -- what is wrong with an org: its outbox, its log, who follows it, its tasks.
 *
 * The store, Redis's log and the gateways' positions are three accounts of the same history. The
 * store's is the truth; the log must hold all of it since the log's life began (or the newest
 * LOG_ENTRIES_MAX); a gateway must stand where the log ends. */
#include "taskd/ctl/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "proto/keys.h"
#include "taskd/ctl/cli/age.h"

#define TODO_MAX 512

static int64_t now_of(const struct diagnosis *d)
{
    return json_int(d->second, "at", 0);
}

static int64_t time_of(const json_t *object, const char *member)
{
    const char *text = json_text(object, member);
    int64_t     ms;

    return text != NULL && clock_parse(slice_of(text), &ms) == 0 ? ms : 0;
}

/* --- the outbox --- */

/* A hold that nobody will let go of. */
static bool is_held_for_ever(const json_t *org)
{
    int64_t ttl = json_int(org, "holdTtlMs", -2);

    return ttl == -1 || ttl > HOLD_MS;
}

static bool is_in_outbox(const json_t *outbox, const char *id)
{
    const json_t *row;
    size_t        i;

    json_array_foreach(json_object_get(outbox, "oldest"), i, row) {
        const char *its = json_text(row, "taskId");

        if (its != NULL && strcmp(its, id) == 0)
            return true;
    }
    return false;
}

/* How many tasks of the org were in both outboxes and have been for long; since when the oldest,
 * and which. */
static size_t count_stuck(const struct diagnosis *d, const char *org, int64_t *out_since,
                          const char **out_id)
{
    const json_t *row;
    size_t        i, count = 0;

    *out_since = now_of(d);
    json_array_foreach(json_object_get(json_object_get(d->second, "outbox"), "oldest"), i, row) {
        const char *id = json_text(row, "taskId");
        const char *its = json_text(row, "orgId");
        int64_t     since = time_of(row, "updatedAt");

        if (id == NULL || its == NULL || strcmp(its, org) != 0 ||
            now_of(d) - since < DOCTOR_PENDING_MS ||
            !is_in_outbox(json_object_get(d->first, "outbox"), id))
            continue;
        if (since < *out_since) {
            *out_since = since;
            *out_id = id;
        }
        count++;
    }
    return count;
}

static void judge_outbox(struct diagnosis *d, const char *name, const json_t *org)
{
    const char *id = "";
    int64_t     since;
    size_t      count = count_stuck(d, name, &since, &id);
    char        todo[TODO_MAX], age[AGE_SIZE];

    age_format(now_of(d) - since, age);
    if (is_held_for_ever(org)) {
        snprintf(todo, sizeof(todo), "redis-cli DEL " KEY_HOLD_FORMAT, name);
        doctor_find(d, DOCTOR_FAULT, "outbox-stuck", name, todo,
                    "publications of this org are held, and the hold never ends; %zu tasks wait%s%s",
                    count, count > 0 ? ", the oldest for " : "", count > 0 ? age : "");
    } else if (count > 0) {
        snprintf(todo, sizeof(todo), "taskctl outbox push %s; if that fails, see what is wrong "
                 "with Redis above, or in taskd's log", id);
        doctor_find(d, DOCTOR_FAULT, "outbox-stuck", name, todo,
                    "%zu tasks are stored and not published, the oldest (%s) for %s", count, id,
                    age);
    }
}

/* --- the log --- */

/* Is the log whole? What is missing in it is told. */
static bool judge_log(struct diagnosis *d, const char *name, const json_t *org)
{
    int64_t epoch = json_int(org, "epoch", 0);
    int64_t number = json_int(org, "number", 0);
    int64_t length = json_int(org, "length", 0);
    int64_t span = length > 0 ? json_int(org, "last", 0) - json_int(org, "first", 0) + 1 : 0;
    int64_t due = number - epoch < LOG_ENTRIES_MAX ? number - epoch : LOG_ENTRIES_MAX;
    char    todo[TODO_MAX];

    if (length >= due && span == length)
        return true;
    snprintf(todo, sizeof(todo),
             "find out who trims it (XTRIM, XDEL, an eviction policy); redis-cli DEL "
             KEY_LOG_FORMAT " lets the next publication begin a new log, and everybody fetches "
             "afresh", name);
    doctor_find(d, DOCTOR_FAULT, "log-trimmed", name, todo,
                "its log holds %" PRId64 " of the %" PRId64 " messages that it must: who was away "
                "for a moment cannot be told what they missed, and gets a fresh snapshot instead",
                length, length < due ? due : span);
    return false;
}

/* --- gateways --- */

static void judge_follower(struct diagnosis *d, const char *name, const json_t *replica)
{
    const json_t *was = json_object_get(json_object_get(d->first, "orgs"), name);
    int64_t       number = json_int(was, "number", 0);
    bool          is_old_life;
    struct doctor_position at;

    if (json_int(replica, "canaryMs", 0) > DOCTOR_CANARY_MS ||
        !doctor_position_read(json_text(replica, "positions"), name, &at))
        return;
    is_old_life = at.epoch < json_int(was, "epoch", 0);
    if (!is_old_life && (at.epoch != json_int(was, "epoch", 0) || at.number >= number))
        return;
    doctor_find(d, DOCTOR_FAULT, "gateway-behind", json_text(replica, "id"),
                "restart it; its clients reconnect elsewhere and miss nothing",
                "of org %s it has delivered up to %" PRId64 "-%" PRId64 "%s, and Redis was at "
                "%" PRId64 "-%" PRId64 " seconds before", name, at.epoch, at.number,
                at.is_live ? "" : " (not live)", json_int(was, "epoch", 0), number);
}

/* Gateways that say that they follow the org, in both looks, and speak well of themselves. */
static int64_t count_followers(const struct diagnosis *d, const char *name)
{
    const json_t *replica, *other;
    size_t        i, k;
    int64_t       count = 0;
    struct doctor_position at;

    json_array_foreach(json_object_get(d->second, "replicas"), i, replica) {
        if (!doctor_position_read(json_text(replica, "positions"), name, &at))
            continue;
        json_array_foreach(json_object_get(d->first, "replicas"), k, other) {
            if (json_equal(json_object_get(replica, "id"), json_object_get(other, "id")) &&
                doctor_position_read(json_text(other, "positions"), name, &at))
                count++;
        }
    }
    return count;
}

static void judge_followers(struct diagnosis *d, const char *name, const json_t *org)
{
    const json_t *was = json_object_get(json_object_get(d->first, "orgs"), name);
    const json_t *replica;
    size_t        i;
    int64_t       followers = count_followers(d, name);
    int64_t       hearers = json_int(org, "hearers", 0);
    int64_t       heard = json_int(was, "hearers", 0);

    json_array_foreach(json_object_get(d->second, "replicas"), i, replica)
        judge_follower(d, name, replica);
    if (hearers < followers && heard < followers)
        doctor_find(d, DOCTOR_FAULT, "subscriber-silent", name,
                    "taskctl replicas shows canaries; a gateway that stays deaf is to be restarted",
                    "%" PRId64 " gateways follow this org, and Redis has %" PRId64
                    " subscribers of its feed", followers, hearers);
}

/* --- tasks --- */

/* When did the log's memory begin, for what must be in it? INT64_MAX: nothing must. */
static int64_t log_begins(const json_t *org, const json_t *log)
{
    int64_t epoch = json_int(org, "epoch", 0);
    int64_t number = json_int(org, "number", 0);

    if (!json_is_object(log) || epoch == 0)
        return INT64_MAX;
    if (json_int(log, "messages", 0) >= number - epoch)
        return epoch / 1000;                   /* epochs are named by the clock, in microseconds */
    return json_int(log, "beginsMs", 0) > 0 ? json_int(log, "beginsMs", 0) : INT64_MAX;
}

static void judge_forgotten(struct diagnosis *d, const json_t *position)
{
    const char *id = json_text(position, "taskId");
    char        todo[TODO_MAX];

    snprintf(todo, sizeof(todo), "taskctl outbox push %s", id);
    doctor_find(d, DOCTOR_FAULT, "task-unpublished", id, todo,
                "it is at seq %" PRId64 ", published up to %" PRId64
                ", and not in the outbox: nobody will publish the rest",
                json_int(position, "seq", 0), json_int(position, "publishedSeq", 0));
}

static void judge_unheard(struct diagnosis *d, const json_t *position, int64_t logged)
{
    const char *id = json_text(position, "taskId");
    char        todo[TODO_MAX];

    snprintf(todo, sizeof(todo), "taskctl publish note %s text='…': its next transition shows "
             "everybody where it is", id);
    doctor_find(d, DOCTOR_FAULT, "task-unpublished", id, todo,
                "the store calls seq %" PRId64 " published, and the log ends with seq %" PRId64
                " of it: nobody has heard of the rest", json_int(position, "publishedSeq", 0),
                logged);
}

/* True: nothing is wrong with it. `begins` is log_begins of its org. */
static bool judge_task(struct diagnosis *d, const json_t *position, const json_t *log,
                       int64_t begins)
{
    const char *id = json_text(position, "taskId");
    int64_t     updated = time_of(position, "updatedAt");
    int64_t     seq = json_int(position, "seq", 0);
    int64_t     published = json_int(position, "publishedSeq", 0);
    int64_t     logged;

    if (id == NULL || now_of(d) - updated < DOCTOR_PENDING_MS)
        return true;                           /* it has just moved */
    if (seq > published) {
        if (!json_bool(position, "isInOutbox", true))
            judge_forgotten(d, position);
        return json_bool(position, "isInOutbox", true);
    }
    if (begins == INT64_MAX || updated < begins + DOCTOR_PENDING_MS)
        return true;
    logged = json_int(json_object_get(log, "seqs"), id, 0);
    if (logged >= published)
        return true;
    judge_unheard(d, position, logged);
    return false;
}

static void judge_tasks(struct diagnosis *d, const char *name, const json_t *org, bool log_is_whole)
{
    const json_t *log = json_object_get(json_object_get(d->second, "logs"), name);
    int64_t       begins = log_is_whole ? log_begins(org, log) : INT64_MAX;
    const json_t *position;
    size_t        i, count = 0;

    json_array_foreach(json_object_get(d->second, "positions"), i, position) {
        const char *its = json_text(position, "orgId");

        if (its == NULL || strcmp(its, name) != 0)
            continue;
        (void)judge_task(d, position, log, begins);
        count++;
    }
    doctor_find(d, DOCTOR_OK, "org", name, NULL,
                "compared %zu tasks of the store with %" PRId64 " messages of the log", count,
                json_int(log, "messages", 0));
}

void doctor_judge_orgs(struct diagnosis *d)
{
    const char *name;
    json_t     *org;

    json_object_foreach(json_object_get(d->second, "orgs"), name, org) {
        const json_t *server = json_array_get(json_object_get(d->second, "servers"),
                                              (size_t)json_int(org, "server", 0));
        const char   *run = json_text(org, "run");
        const char   *now = json_text(server, "runId");
        /* Of another run of Redis: the next publication begins a new life, and nothing is due. */
        bool is_alive = run != NULL && now != NULL && strcmp(run, now) == 0;
        bool is_whole = is_alive && judge_log(d, name, org);

        judge_outbox(d, name, org);
        if (is_alive)
            judge_followers(d, name, org);
        judge_tasks(d, name, org, is_whole);
    }
}

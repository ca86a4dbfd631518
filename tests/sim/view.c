/* view.c -- what every event must be, held against what the client heard before and against
 * the truth.
 *
 * A room is heard as segments: a state at some seq, and then each transition after it once, in
 * order, whole (`task:clarified`, the move's event, `task:event_added`: SPEC T3). A state that
 * was asked for begins a new segment, no older than what was known when it was asked for; one
 * that was not may never be older than what was told before. On a dashboard the same holds for
 * each row, where a task may also come into sight and out of it.
 *
 * What may be seen is judged by the truth at the very transition that an event tells of. */
#include <string.h>

#include "tests/sim/clients.h"

#define WHO "client %zu (%s of %s): "
#define WHO_ARGS(c) (c)->index, (c)->sub, (c)->org

uint64_t views_heard;

void view_clear(struct client *c)
{
    memset(c->tasks, 0, sizeof(c->tasks));
    memset(&c->dash, 0, sizeof(c->dash));
    c->asked_count = 0;
}

/* One who is in asks again: the answer may not show what was past by then. Of several questions the
 * first counts. */
void view_ask_task(struct client *c, size_t task)
{
    struct task_view *v = &c->tasks[task];

    if (v->joins++ == 0)
        v->known = v->is_in && !v->is_leaving ? v->seq : 0;
}

void view_ask_dashboard(struct client *c)
{
    struct dash_view *d = &c->dash;
    bool              is_in = d->is_in && !d->is_leaving;

    if (d->joins++ > 0)
        return;
    for (size_t i = 0; i < TRUTH_TASKS_MAX; i++)
        d->known[i] = is_in ? d->rows[i].seq : 0;
    d->known_rev = is_in ? d->org.rev : 0;
}

/* What the client could have been told of: the truth of the event's task. */
static struct truth *truth_of(const struct client *c, const struct heard_row *r, const char *event)
{
    struct truth *t = truth_find(r->task);

    if (t == NULL || r->seq > t->seq)
        sim_fail("nothing is told that is not stored", WHO "%s %.*s seq %lld", WHO_ARGS(c), event,
                 SLICE_ARG(r->task), (long long)r->seq);
    return t;
}

static void check_status(const struct client *c, const struct truth *t, const struct heard_row *r,
                         const char *event)
{
    if (r->status != STATUS_COUNT && r->status != t->steps[r->seq].status)
        sim_fail("no illegal move is told", WHO "%s %s seq %lld says %s, was %s", WHO_ARGS(c),
                 event, t->id, (long long)r->seq, status_wire(r->status),
                 status_wire(t->steps[r->seq].status));
}

static void check_sight(const struct client *c, const struct truth *t, const struct heard_row *r,
                        const char *event)
{
    if (!truth_may_see(t, r->seq, c->sub, c->org))
        sim_fail("no event to one who may not see it", WHO "%s %s seq %lld", WHO_ARGS(c), event,
                 t->id, (long long)r->seq);
    check_status(c, t, r, event);
}

/* Who joins is told the past up to the present, and access is judged by the present (DESIGN 4):
 * a task that is open by now shows what it was while it was private. */
static void check_sight_joining(const struct client *c, const struct truth *t,
                                const struct heard_row *r, const char *event)
{
    int64_t seq = r->seq;

    while (seq < t->seq && !truth_may_see(t, seq, c->sub, c->org))
        seq++;
    if (!truth_may_see(t, seq, c->sub, c->org))
        sim_fail("no event to one who may not see it", WHO "%s %s seq %lld", WHO_ARGS(c), event,
                 t->id, (long long)r->seq);
    check_status(c, t, r, event);
}

/* --- a task's room --- */

static void hear_state(struct client *c, const struct heard *h, struct truth *t,
                       struct task_view *v)
{
    if (!v->is_in && v->joins == 0)
        sim_fail("no event for one who did not join", WHO "task:state %s", WHO_ARGS(c), t->id);
    if (v->joins == 0 && h->row.seq < v->seq)
        sim_fail("no room goes back", WHO "task:state %s seq %lld after %lld", WHO_ARGS(c), t->id,
                 (long long)h->row.seq, (long long)v->seq);
    if (v->joins > 0 && h->row.seq < v->known)
        sim_fail("no answer shows the past", WHO "task:state %s seq %lld, knew %lld", WHO_ARGS(c),
                 t->id, (long long)h->row.seq, (long long)v->known);
    if (v->joins == 0 && v->told_count > 0)
        sim_fail("a transition is told whole", WHO "task:state %s seq %lld in the middle of one",
                 WHO_ARGS(c), t->id, (long long)h->row.seq);
    check_sight_joining(c, t, &h->row, "task:state");
    v->is_in = true;
    v->seq = h->row.seq;
    v->status = h->row.status;
    v->title = h->row.title;
    v->is_private = h->row.is_private;
    v->told_count = 0;
}

/* It must be the transition after the last one that was heard whole. */
static void check_next(const struct client *c, const struct heard *h, const struct truth *t,
                       const struct task_view *v)
{
    const char *check = h->row.seq > v->seq + 1 ? "no gap" : "no repeat, none older";

    if (!v->is_in)
        sim_fail("no event for one who did not join", WHO "%.*s %s seq %lld", WHO_ARGS(c),
                 SLICE_ARG(h->name), t->id, (long long)h->row.seq);
    if (h->row.seq != v->seq + 1)
        sim_fail(check, WHO "%.*s %s seq %lld after %lld", WHO_ARGS(c), SLICE_ARG(h->name), t->id,
                 (long long)h->row.seq, (long long)v->seq);
    if (v->joins > 0)
        check_sight_joining(c, t, &h->row, "room event");
    else
        check_sight(c, t, &h->row, "room event");
}

static void hear_told(struct client *c, const struct heard *h, struct truth *t,
                      struct task_view *v)
{
    check_next(c, h, t, v);
    if (v->told_count == TOLD_MAX || h->name.len >= sizeof(v->told[0]))
        sim_fail("a transition is told in its order", WHO "%.*s %s", WHO_ARGS(c),
                 SLICE_ARG(h->name), t->id);
    snprintf(v->told[v->told_count++], sizeof(v->told[0]), "%.*s", SLICE_ARG(h->name));
    if (h->row.status != STATUS_COUNT)
        v->status = h->row.status;
    if (slice_is(h->name, "task:updated")) {
        v->title = h->row.title;
        v->is_private = h->row.is_private;
    }
}

/* SPEC T2, third column; NULL: nothing. */
static const char *told_of(enum input input)
{
    static const char *const TOLD[INPUT_COUNT] = {
        [INPUT_ANALYZING] = "task:analyzing",
        [INPUT_CLARIFICATION_NEEDED] = "task:clarification_needed",
        [INPUT_CLARIFICATION_SUBMITTED] = "task:analyzing",
        [INPUT_DISPATCHED] = "task:dispatched",
        [INPUT_CODING] = "task:coding",
        [INPUT_PR_OPENED] = "task:pr_opened",
        [INPUT_PR_UPDATED] = "task:pr_updated",
        [INPUT_PR_MERGED] = "task:pr_merged",
        [INPUT_PR_CLOSED] = "task:pr_closed",
        [INPUT_FAILED] = "task:failed",
        [INPUT_EDITED] = "task:updated",
    };

    return TOLD[input];
}

static void hear_event(struct client *c, const struct heard *h, struct truth *t,
                       struct task_view *v)
{
    const struct truth_step *step;
    const char              *expected[TOLD_MAX];
    unsigned                 count = 0;

    check_next(c, h, t, v);
    step = &t->steps[h->row.seq];
    if (step->clarified)
        expected[count++] = "task:clarified";
    if (told_of(step->input) != NULL)
        expected[count++] = told_of(step->input);
    if (h->input != step->input || count != v->told_count)
        sim_fail("a transition is told whole", WHO "%s seq %lld: %s with %u events", WHO_ARGS(c),
                 t->id, (long long)h->row.seq, input_wire(h->input), v->told_count);
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(expected[i], v->told[i]) != 0)
            sim_fail("a transition is told in its order", WHO "%s seq %lld: %s", WHO_ARGS(c),
                     t->id, (long long)h->row.seq, v->told[i]);
    }
    v->seq = h->row.seq;
    v->told_count = 0;
}

static void hear_evicted(struct client *c, const struct heard *h, struct truth *t,
                         struct task_view *v)
{
    if (!v->is_in && v->joins == 0)
        sim_fail("no event for one who did not join", WHO "task:evicted %s", WHO_ARGS(c), t->id);
    if (truth_may_see(t, h->row.seq, c->sub, c->org))
        sim_fail("nobody is evicted who may see it", WHO "%s seq %lld", WHO_ARGS(c), t->id,
                 (long long)h->row.seq);
    v->is_in = false;
    v->told_count = 0;
}

static void hear_task(struct client *c, const struct heard *h)
{
    struct truth     *t = truth_of(c, &h->row, "a room's event of");
    struct task_view *v = &c->tasks[0];

    for (size_t i = 0; truth_at(i) != t; i++)
        v = &c->tasks[i + 1];
    switch (h->kind) {
    case HEARD_STATE:
        hear_state(c, h, t, v);
        break;
    case HEARD_EVENT:
        hear_event(c, h, t, v);
        break;
    case HEARD_EVICTED:
        hear_evicted(c, h, t, v);
        break;
    default:
        hear_told(c, h, t, v);
    }
}

/* --- the dashboard --- */

static struct row_view *row_of(struct client *c, const struct truth *t)
{
    size_t i = 0;

    while (truth_at(i) != t)
        i++;
    return &c->dash.rows[i];
}

static void hear_dashboard(struct client *c, const struct heard *h)
{
    struct dash_view *d = &c->dash;
    struct dash_view  old = *d;

    if (!d->is_in && d->joins == 0)
        sim_fail("no event for one who did not join", WHO "dashboard:state", WHO_ARGS(c));
    /* A rev of 0 says that the person has nothing private: no count that could be old. */
    if (d->joins == 0 && (h->counts.rev < d->org.rev ||
                          (h->own.rev != 0 && h->own.rev < d->own.rev)))
        sim_fail("no dashboard goes back", WHO "counts: revs %llu, %llu after %llu, %llu",
                 WHO_ARGS(c), (unsigned long long)h->counts.rev, (unsigned long long)h->own.rev,
                 (unsigned long long)d->org.rev, (unsigned long long)d->own.rev);
    if (d->joins > 0 && h->counts.rev < d->known_rev)
        sim_fail("no answer shows the past", WHO "counts: rev %llu, knew %llu", WHO_ARGS(c),
                 (unsigned long long)h->counts.rev, (unsigned long long)d->known_rev);
    memset(d->rows, 0, sizeof(d->rows));
    for (size_t i = 0; i < h->row_count; i++) {
        struct truth    *t = truth_of(c, &h->rows[i], "dashboard:state");
        struct row_view *r = row_of(c, t);

        check_sight(c, t, &h->rows[i], "dashboard:state");
        if (strcmp(t->org, c->org) != 0)
            sim_fail("a dashboard is its org's", WHO "%s", WHO_ARGS(c), t->id);
        if (r->is_shown)
            sim_fail("a dashboard shows each task once", WHO "%s", WHO_ARGS(c), t->id);
        if (d->joins == 0 && h->rows[i].seq < old.rows[r - d->rows].seq)
            sim_fail("no dashboard goes back", WHO "%s seq %lld after %lld", WHO_ARGS(c), t->id,
                     (long long)h->rows[i].seq, (long long)old.rows[r - d->rows].seq);
        if (d->joins > 0 && h->rows[i].seq < d->known[r - d->rows])
            sim_fail("no answer shows the past", WHO "row of %s seq %lld, knew %lld", WHO_ARGS(c),
                     t->id, (long long)h->rows[i].seq, (long long)d->known[r - d->rows]);
        *r = (struct row_view){ .is_shown = true, .seq = h->rows[i].seq,
                                .status = h->rows[i].status };
    }
    d->org = h->counts;
    d->own = h->own;
    d->is_in = true;
    d->since_us = sim.now_us;
}

/* A state may leave a task out because the store had it private already when its lists were
 * read, and nobody had been told yet (its creator's own part is not asked for before that
 * either); or, for its creator, because the org's list was read while it was private and their
 * own one when it was not. Then the way there is still told. */
static bool was_left_out(const struct client *c, const struct truth *t, int64_t from)
{
    if (t->steps[from - 1].is_private && !t->steps[from].is_private)
        return true;
    for (int64_t seq = from; seq <= t->seq && t->steps[seq].at_us <= c->dash.since_us; seq++) {
        if (t->steps[seq].is_private)
            return true;
    }
    return false;
}

/* A row, or its removal: the transition after the one that is shown; or, where none is shown,
 * one that brought the task into sight. */
static void check_row_next(const struct client *c, const struct heard *h, const struct truth *t,
                           const struct row_view *r)
{
    int64_t seq = h->row.seq;
    bool    comes_in = seq == 1 || !truth_may_see(t, seq - 1, c->sub, c->org) ||
                       (r->seq == 0 && was_left_out(c, t, seq));

    if (!c->dash.is_in)
        sim_fail("no event for one who did not join", WHO "%.*s %s", WHO_ARGS(c),
                 SLICE_ARG(h->name), t->id);
    if (strcmp(t->org, c->org) != 0)
        sim_fail("a dashboard is its org's", WHO "%s", WHO_ARGS(c), t->id);
    if (seq <= r->seq)
        sim_fail("no repeat, none older (dashboard)", WHO "%.*s %s seq %lld after %lld",
                 WHO_ARGS(c), SLICE_ARG(h->name), t->id, (long long)seq, (long long)r->seq);
    if (r->is_shown ? seq != r->seq + 1 : (!comes_in && h->kind != HEARD_REMOVED))
        sim_fail("no gap (dashboard)", WHO "%.*s %s seq %lld after %lld", WHO_ARGS(c),
                 SLICE_ARG(h->name), t->id, (long long)seq, (long long)r->seq);
}

static void hear_row(struct client *c, const struct heard *h, struct truth *t, struct row_view *r)
{
    check_row_next(c, h, t, r);
    check_sight(c, t, &h->row, "row");
    if (t->steps[h->row.seq].input == INPUT_CREATED && !r->was_created)
        sim_fail("a transition is told whole (dashboard)", WHO "%s without task:created",
                 WHO_ARGS(c), t->id);
    *r = (struct row_view){ .is_shown = true, .seq = h->row.seq, .status = h->row.status };
}

static void hear_created(struct client *c, const struct heard *h, struct truth *t,
                         struct row_view *r)
{
    check_row_next(c, h, t, r);
    check_sight(c, t, &h->row, "task:created");
    if (h->row.seq != 1 || r->was_created)
        sim_fail("no repeat, none older (dashboard)", WHO "task:created %s", WHO_ARGS(c), t->id);
    r->was_created = true;
}

static void hear_removed(struct client *c, const struct heard *h, struct truth *t,
                         struct row_view *r)
{
    bool is_creator = strcmp(t->creator, c->sub) == 0;

    check_row_next(c, h, t, r);
    if (!t->steps[h->row.seq].is_private || r->was_removed)
        sim_fail("a row is removed when its task turns private", WHO "%s seq %lld", WHO_ARGS(c),
                 t->id, (long long)h->row.seq);
    if (is_creator) {
        r->was_removed = true;                 /* the row itself follows */
        return;
    }
    *r = (struct row_view){ .is_shown = false, .seq = h->row.seq };
}

static void hear_counts(struct client *c, const struct heard *h)
{
    struct heard_counts *old = h->counts.is_private ? &c->dash.own : &c->dash.org;

    if (!c->dash.is_in)
        sim_fail("no event for one who did not join", WHO "counts", WHO_ARGS(c));
    if (h->counts.rev <= old->rev)
        sim_fail("no repeat, none older (counts)", WHO "%s rev %llu after %llu", WHO_ARGS(c),
                 h->counts.is_private ? "private" : "org", (unsigned long long)h->counts.rev,
                 (unsigned long long)old->rev);
    *old = h->counts;
}

static void hear_on_dashboard(struct client *c, const struct heard *h)
{
    struct truth *t;

    if (h->kind == HEARD_DASHBOARD) {
        hear_dashboard(c, h);
        return;
    }
    if (h->kind == HEARD_COUNTS) {
        hear_counts(c, h);
        return;
    }
    t = truth_of(c, &h->row, "a dashboard's event of");
    if (h->kind == HEARD_ROW)
        hear_row(c, h, t, row_of(c, t));
    else if (h->kind == HEARD_CREATED)
        hear_created(c, h, t, row_of(c, t));
    else
        hear_removed(c, h, t, row_of(c, t));
}

void view_hear(struct client *c, const struct heard *h)
{
    views_heard++;
    sim_note(c->index, ((uint64_t)h->kind << 32) | (uint64_t)h->row.seq);
    if (h->kind == HEARD_COUNTS || h->kind == HEARD_DASHBOARD)
        sim_trace("client %zu hears %.*s rev %llu, %llu, %zu rows", c->index, SLICE_ARG(h->name),
                  (unsigned long long)h->counts.rev, (unsigned long long)h->own.rev, h->row_count);
    else
        sim_trace("client %zu hears %.*s %.*s seq %lld", c->index, SLICE_ARG(h->name),
                  SLICE_ARG(h->row.task), (long long)h->row.seq);
    switch (h->kind) {
    case HEARD_STATE:
    case HEARD_EVENT:
    case HEARD_EVICTED:
    case HEARD_TOLD:
        hear_task(c, h);
        break;
    case HEARD_OTHER:
        break;                                 /* `error` */
    default:
        hear_on_dashboard(c, h);
    }
}

/* --- answers --- */

void view_answered(struct client *c, const struct asked *a, bool is_ok, struct slice json)
{
    bool              is_of_task = a->kind == REQUEST_JOIN || a->kind == REQUEST_LEAVE;
    struct task_view *v = &c->tasks[is_of_task ? a->task : 0];

    switch (a->kind) {
    case REQUEST_JOIN:
        v->joins--;
        if (is_ok && !v->is_in && !v->is_leaving)
            sim_fail("the answer comes after the state", WHO "%s: %.*s", WHO_ARGS(c),
                     truth_at(a->task)->id, SLICE_ARG(json));
        break;
    case REQUEST_LEAVE:
        *v = (struct task_view){ .joins = v->joins };
        break;
    case REQUEST_DASH:
        c->dash.joins--;
        if (is_ok && !c->dash.is_in && !c->dash.is_leaving)
            sim_fail("the answer comes after the state", WHO "dashboard", WHO_ARGS(c));
        break;
    case REQUEST_UNDASH:
        c->dash = (struct dash_view){ .joins = c->dash.joins };
        break;
    case REQUEST_RESYNC:
        for (size_t i = 0; i < a->task; i++)
            c->tasks[i].joins--;
        c->dash.joins--;
        break;
    }
}

/* --- the end --- */

static void check_task_end(const struct client *c, const struct truth *t,
                           const struct task_view *v)
{
    const struct truth_step *now = &t->steps[t->seq];

    if (!truth_may_see(t, t->seq, c->sub, c->org)) {
        if (v->is_in)
            sim_fail("nobody stays who may not see it", WHO "%s", WHO_ARGS(c), t->id);
        return;
    }
    if (!v->is_in)
        sim_fail("all equal to the store at the end", WHO "cannot join %s", WHO_ARGS(c), t->id);
    if (v->seq != t->seq || v->told_count > 0 || v->status != now->status ||
        v->title != now->title || v->is_private != now->is_private)
        sim_fail("all equal to the store at the end",
                 WHO "%s is at seq %lld, %s; the store at %lld, %s", WHO_ARGS(c), t->id,
                 (long long)v->seq, status_wire(v->status), (long long)t->seq,
                 status_wire(now->status));
}

static void check_row_end(const struct client *c, const struct truth *t, const struct row_view *r)
{
    bool is_due = strcmp(t->org, c->org) == 0 && truth_may_see(t, t->seq, c->sub, c->org);

    if (is_due != r->is_shown)
        sim_fail("all equal to the store at the end (dashboard)", WHO "%s is%s shown",
                 WHO_ARGS(c), t->id, r->is_shown ? "" : " not");
    if (is_due && (r->seq != t->seq || r->status != t->steps[t->seq].status))
        sim_fail("all equal to the store at the end (dashboard)",
                 WHO "%s is at seq %lld; the store at %lld", WHO_ARGS(c), t->id,
                 (long long)r->seq, (long long)t->seq);
}

static void check_counts_end(const struct client *c, const struct heard_counts *shown,
                             const char *sub)
{
    int64_t n[BUCKETS_PER_SCOPE];

    truth_counts(c->org, sub, n);
    if (memcmp(n, shown->n, sizeof(n)) != 0)
        sim_fail("all equal to the store at the end (counts)",
                 WHO "%s %lld %lld %lld; the store %lld %lld %lld", WHO_ARGS(c),
                 sub != NULL ? "private" : "org", (long long)shown->n[0], (long long)shown->n[1],
                 (long long)shown->n[2], (long long)n[0], (long long)n[1], (long long)n[2]);
}

void view_check_end(const struct client *c)
{
    if (c->socket == NULL || c->asked_count > 0 || !c->dash.is_in)
        sim_fail("everybody is served at the end", WHO "%s, %zu requests open", WHO_ARGS(c),
                 c->socket == NULL ? "not connected" : "connected", c->asked_count);
    for (size_t i = 0; i < truth_count(); i++) {
        check_task_end(c, truth_at(i), &c->tasks[i]);
        check_row_end(c, truth_at(i), &c->dash.rows[i]);
    }
    check_counts_end(c, &c->dash.org, NULL);
    check_counts_end(c, &c->dash.own, c->sub);
}

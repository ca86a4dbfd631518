/* topic_source.c -- a task's snapshot as it comes: who is let in, and what is said to whom.
 *
 * Joiners come in when the source is ready: at that moment its snapshot and frames end
 * exactly where the members are (join.h says why), so they get both and are members from
 * then on. Where the two ends differ nevertheless, the room lagged without knowing it.
 *
 * Who may know more than a kept snapshot shows (they are in the room already, or were in it on
 * another connection) waits for a newer one: nobody is shown the past for an answer. */
#include "gateway/topic.h"

#include "common/err.h"
#include "common/log.h"
#include "gateway/rooms.h"

#define RETRY_MS 1000                          /* a lagging room asks again after a failure */
#define NEWER_MS 200                           /* for whom the kept snapshot is too old */

static struct slice room_of(const struct topic *t, const struct peer *p, char out[ROOM_MAX])
{
    return topic_is_own(t, p) ? room_task(out, slice_of(t->id)) : room_away(out, slice_of(t->id));
}

/* What the source has, cut. */
struct view {
    struct envelope snapshot;
    struct slice    state;                     /* ["task:state",{…}] */
    int64_t         final;                     /* where snapshot and frames end */
};

static int view_make(const struct topic *t, struct view *v)
{
    const struct join *j = &t->source.join;
    struct slice       rest, to, json;

    if (envelope_parse(rcbuf_slice(j->snapshot), &v->snapshot) != 0 ||
        !slice_is(v->snapshot.routing.task, t->id) || v->snapshot.routing.seq <= 0)
        return ERR_REPLY;
    v->state = (struct slice){ NULL, 0 };
    rest = v->snapshot.lines;
    while (envelope_next(&rest, &to, &json)) {
        if (slice_is(to, "task"))
            v->state = json;
    }
    v->final = v->snapshot.routing.seq;
    for (size_t i = 0; i < j->frames.count; i++) {
        if (j->frames.at[i]->e.routing.seq > v->final)
            v->final = j->frames.at[i]->e.routing.seq;
    }
    return v->state.len > 0 ? 0 : ERR_REPLY;
}

void topic_state_drop(struct topic *t)
{
    if (t->state != NULL)
        sio_message_unref(t->state);
    rcbuf_unref(t->state_of);
    t->state = NULL;
    t->state_of = NULL;
}

/* The snapshot's event is framed once for all who come for it at one position of the feed with
 * as many snapshots behind them (in a storm of reconnects: nearly everybody). */
static struct sio_message *state_message(struct topic *t, const struct view *v, struct slice offset)
{
    struct rcbuf *snapshot = t->source.join.snapshot;

    if (t->state_of != snapshot || !slice_is(offset, t->state_offset)) {
        topic_state_drop(t);
        t->state = sio_message_new(t->all->lines->ns, v->state, offset, 0);
        t->state_of = rcbuf_ref(snapshot);
        snprintf(t->state_offset, sizeof(t->state_offset), "%.*s", SLICE_ARG(offset));
    }
    return t->state;
}

/* Every line for the task's room that is newer than `after`. */
static void each_line(struct topic *t, int64_t after,
                      void (*fn)(struct topic *t, struct slice json, void *arg), void *arg)
{
    const struct frames *fs = &t->source.join.frames;

    for (size_t i = 0; i < fs->count; i++) {
        struct slice rest = fs->at[i]->e.lines, to, json;

        if (fs->at[i]->e.routing.seq <= after)
            continue;
        while (envelope_next(&rest, &to, &json)) {
            if (slice_is(to, "task"))
                fn(t, json, arg);
        }
    }
}

static void count_line(struct topic *t, struct slice json, void *arg)
{
    (void)t;
    (void)json;
    ++*(size_t *)arg;
}

/* A snapshot and the lines after it, to one peer. The last of them carries the offset, so that
 * who has the offset has them all. */
struct telling {
    struct peer *peer;
    size_t       left;                         /* lines to come */
    struct slice offset;
};

static void tell_peer(struct topic *t, struct slice json, void *arg)
{
    struct telling *telling = arg;

    (void)t;
    telling->left--;
    peer_emit_at(telling->peer, json,
                 telling->left == 0 ? telling->offset : (struct slice){ NULL, 0 });
}

static void tell_room(struct topic *t, struct slice json, void *arg)
{
    const struct line line = { .json = json };
    char              room[ROOM_MAX];

    (void)arg;
    lines_say(t->all->lines, room_task(room, slice_of(t->id)), &line);
    lines_say(t->all->lines, room_away(room, slice_of(t->id)), &line);
}

static void member_told(struct sio_socket *s, void *arg)
{
    const struct topic *t = arg;
    struct peer        *p = sio_socket_data(s);
    struct offset       at = offset_behind(org_position(t->source.org));

    at.line++;                                 /* it has no number: only a later line proves it */
    if (p != NULL)
        peer_told(p, slice_of(t->id), &at);
}

/* The members fell behind: out with those who may not see it any more, then the truth. */
static void members_catch_up(struct topic *t, const struct view *v)
{
    struct routing now = v->snapshot.routing;
    int64_t        from = v->snapshot.routing.seq;

    now.seq = v->final;
    now.creator = slice_of(t->creator);
    if (t->is_private)
        lines_evict(t->all->lines, &now);
    t->is_lagging = false;
    topic_each_member(t, member_told);
    if (t->told == v->final)
        return;                                /* they had missed nothing of this task */
    metric_inc(t->all->gaps);
    if (t->told >= from)
        from = t->told;                        /* the frames alone go on from where they are */
    else
        tell_room(t, v->state, NULL);
    each_line(t, from, tell_room, NULL);
}

static void waiter_serve(struct topic *t, struct wait *w, const struct view *v)
{
    struct peer   *p = w->peer;
    struct telling telling = { .peer = p };
    struct offset  at;
    char           room[ROOM_MAX], offset[OFFSET_TEXT_SIZE];

    if (!topic_may_see(t, p)) {
        wait_end(w, ERROR_NOT_FOUND);
        return;
    }
    if (!wait_may_be_served(w))
        return;
    if (peer_room_enter(p, room_of(t, p, room), slice_of(t->id)) != 0) {
        wait_end(w, ERROR_ROOM_LIMIT);
        return;
    }
    if (topic_is_own(t, p))
        telling.offset = peer_number(p, org_position(t->source.org), &at, offset);
    each_line(t, v->snapshot.routing.seq, count_line, &telling.left);
    peer_emit_message(p, state_message(t, v, telling.left == 0 ? telling.offset
                                                               : (struct slice){ NULL, 0 }));
    each_line(t, v->snapshot.routing.seq, tell_peer, &telling);
    if (telling.offset.len > 0)
        peer_told(p, slice_of(t->id), &at);
    metric_inc(t->all->joins);
    wait_end(w, OUTCOME_OK);
}

/* --- what the source says --- */

/* Those whom we owe it are not told that it is not to be had now: they wait on. */
static void waiters_end(struct topic *t, int outcome)
{
    list_each_safe(node, &t->waiters) {
        struct wait *w = container_of(node, struct wait, in_source);

        if (outcome == ERROR_NOT_FOUND || !w->is_owed)
            wait_end(w, outcome);
    }
}

/* Does somebody wait who cannot take no for an answer? */
static bool is_owed(const struct topic *t)
{
    return !list_is_empty(&t->waiters) || (topic_has_followers(t) && t->is_lagging);
}

/* The task is another org's: its numbers are not those of the feed that we follow. Its creator
 * may follow it there; nobody else may even know. */
static void follow_to(struct topic *t, const struct routing *r)
{
    struct org *org;

    list_each_safe(node, &t->waiters) {
        struct wait *w = container_of(node, struct wait, in_source);

        if (!peer_may_see(w->peer, r->org, r->creator, r->is_private))
            wait_end(w, ERROR_NOT_FOUND);
    }
    topic_holds_tell(t, ERR_NOT_FOUND);        /* whoever has a place here is of this org */
    if (list_is_empty(&t->waiters)) {
        source_forget(&t->source);
        return;
    }
    org = orgs_ref(t->all->orgs, r->org);
    source_move(&t->source, org);
    org_unref(org);
}

static bool on_fetched(struct source *s, struct slice text, void *arg)
{
    struct envelope e;

    if (envelope_parse(text, &e) != 0 || e.routing.org.len == 0 ||
        e.routing.org.len >= ORG_NAME_MAX || slice_eq(e.routing.org, org_name(s->org)))
        return true;                           /* what is malformed is refused in on_ready */
    follow_to(arg, &e.routing);
    return false;
}

static bool on_ready(struct source *s, bool is_last, void *arg)
{
    struct topic *t = arg;
    struct view   v;
    struct list   waiters = LIST_INIT(waiters);
    struct list  *node;
    bool          has_members = topic_has_followers(t);

    if (view_make(t, &v) != 0) {
        log_error("snapshot-refused", LOG_TEXT("task", t->id));
        source_reset(s);
        waiters_end(t, ERROR_INTERNAL);
        topic_holds_tell(t, ERR_REPLY);
        if (is_owed(t))
            source_retry(s, RETRY_MS);
        return true;
    }
    if (has_members && t->told > v.final) {
        source_stale(s);                       /* of a taskd that lives in the past */
        return true;
    }
    if (has_members && !t->is_lagging && t->told < v.final && !is_last)
        return false;                          /* stored, and about to be published */
    topic_learn(t, &v.snapshot.routing);
    if (has_members && (t->is_lagging || t->told != v.final))
        members_catch_up(t, &v);
    t->is_lagging = false;
    t->told = v.final;
    t->is_held = !list_is_empty(&t->holds);
    topic_holds_tell(t, 0);
    list_splice(&waiters, &t->waiters);
    while ((node = list_take_first(&waiters)) != NULL) {
        struct wait *w = container_of(node, struct wait, in_source);

        if (source_is_older(s, w->least))
            list_append(&t->waiters, node);
        else
            waiter_serve(t, w, &v);
    }
    if (!list_is_empty(&t->waiters))
        source_retry(s, NEWER_MS);
    return true;
}

static void on_failed(struct source *s, int err, void *arg)
{
    struct topic *t = arg;

    if (err != ERR_NOT_FOUND)
        log_warn("snapshot-failed", LOG_TEXT("task", t->id), LOG_ERR(err));
    waiters_end(t, err == ERR_NOT_FOUND ? ERROR_NOT_FOUND : ERROR_UNAVAILABLE);
    topic_holds_tell(t, err);
    if (err == ERR_STALE && topic_has_followers(t)) {
        t->told = 0;                           /* taskd insists: it is the truth, we are not */
        t->is_lagging = true;
    }
    if (is_owed(t))
        source_retry(s, RETRY_MS);
}

static void on_idle(struct source *s, void *arg)
{
    struct topic *t = arg;

    (void)s;
    topic_state_drop(t);
    topic_look(t);
}

const struct source_handlers TOPIC_SOURCE_HANDLERS = {
    .fetched = on_fetched,
    .ready = on_ready,
    .failed = on_failed,
    .idle = on_idle,
};

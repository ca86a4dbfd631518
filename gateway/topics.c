/* topics.c -- joining tasks, and one sequence per room.
 *
 * All members of a room have been told the same, up to `told`; seqs count without a gap, so
 * told + 1 is the only transition that may be said next. Older ones were said; a newer one
 * means that the feed, for whatever reason, has a hole: then the room *lags*, nothing is said,
 * and a fresh snapshot brings everybody to the same place again (also after a resync of the
 * whole org). This check costs one comparison and does not depend on the feed being right.
 *
 * Joiners come in when the source is ready: at that moment its snapshot and frames end
 * exactly where the members are (join.h says why), so they get both and are members from
 * then on. Where the two ends differ nevertheless, the room lagged without knowing it.
 *
 * Rejected: a copy of the task's state here (the gateway never parses task JSON), and a `seq`
 * per member (a room of thousands would be filtered one by one). */
#include "gateway/topics.h"

#include <assert.h>
#include <stdlib.h>

#include <uthash.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/rooms.h"

#define ID_LEN        24
#define RETRY_MS      1000                     /* a lagging room asks again after a failure */

struct topic {
    struct topics      *all;
    char                id[ID_LEN + 1];
    struct source       source;
    struct list         waiters;
    struct list         holds;                 /* of who is coming back */
    bool                is_held;               /* they are where the members are, or would be */
    int64_t             told;                  /* by the members; meaningful while there are any */
    bool                is_lagging;            /* they must be told the truth before anything else */
    int64_t             routing_seq;           /* of what stands below; 0: not known */
    bool                is_private;
    char                creator[JWT_ID_MAX + 1];
    struct sio_message *state;                 /* the event of the kept snapshot, framed */
    struct rcbuf       *state_of;              /* that snapshot */
    char                state_offset[OFFSET_TEXT_SIZE];   /* ... and with this offset */
    UT_hash_handle      hh;
};

static const struct source_handlers SOURCE_HANDLERS;

bool task_id_is_well_formed(struct slice id)
{
    if (id.len != ID_LEN)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

void topics_init(struct topics *ts, struct lines *lines, struct orgs *orgs,
                 struct sources *sources, struct metrics *m)
{
    *ts = (struct topics){ .lines = lines, .orgs = orgs, .sources = sources };
    ts->gaps = metrics_counter(m, "taskwire_room_gaps_total", NULL,
                               "Rooms that had missed a transition and were told the truth.");
    ts->joins = metrics_counter(m, "taskwire_task_joins_total", NULL, "Tasks joined.");
}

static size_t topic_members(const struct topic *t)
{
    struct sio_namespace *ns = t->all->lines->ns;
    char                  room[ROOM_MAX], away[ROOM_MAX];

    return sio_room_size(ns, room_task(room, slice_of(t->id))) +
           sio_room_size(ns, room_away(away, slice_of(t->id)));
}

/* Does `told` mean something: is somebody there who has been told so far? */
static bool has_followers(const struct topic *t)
{
    return t->is_held || topic_members(t) > 0;
}

/* --- life --- */

static struct topic *topic_find(struct topics *ts, struct slice id)
{
    struct topic *t = NULL;

    HASH_FIND(hh, ts->table, id.data, id.len, t);
    return t;
}

static struct topic *topic_new(struct topics *ts, struct slice id, struct org *org)
{
    struct topic *t = mem_new(struct topic);
    char          target[64];

    assert(id.len == ID_LEN);
    t->all = ts;
    memcpy(t->id, id.data, ID_LEN);
    list_init(&t->waiters);
    list_init(&t->holds);
    snprintf(target, sizeof(target), "/internal/tasks/%s", t->id);
    source_init(&t->source, ts->sources, org, target, &SOURCE_HANDLERS, t);
    HASH_ADD_KEYPTR(hh, ts->table, t->id, ID_LEN, t);
    return t;
}

static void state_drop(struct topic *t)
{
    if (t->state != NULL)
        sio_message_unref(t->state);
    rcbuf_unref(t->state_of);
    t->state = NULL;
    t->state_of = NULL;
}

static void topic_free(struct topic *t)
{
    assert(list_is_empty(&t->waiters) && list_is_empty(&t->holds));
    HASH_DELETE(hh, t->all->table, t);
    state_drop(t);
    source_deinit(&t->source);
    free(t);
}

/* Is it good for nothing any more? */
static void topic_look(struct topic *t)
{
    if (!list_is_empty(&t->waiters) || !list_is_empty(&t->holds) || topic_members(t) > 0)
        return;
    t->is_lagging = false;
    if (!join_is_active(&t->source.join))
        topic_free(t);
    else if (t->source.join.state != JOIN_READY)
        source_forget(&t->source);             /* on_idle frees it soon */
}

static void on_idle(struct source *s, void *arg)
{
    struct topic *t = arg;

    (void)s;
    state_drop(t);
    topic_look(t);
}

void topics_deinit(struct topics *ts)
{
    struct topic *t, *next;

    HASH_ITER(hh, ts->table, t, next)
        topic_free(t);
}

/* --- telling --- */

static void routing_learn(struct topic *t, const struct routing *r)
{
    if (r->seq < t->routing_seq || r->creator.len > JWT_ID_MAX)
        return;
    t->routing_seq = r->seq;
    t->is_private = r->is_private;
    memcpy(t->creator, r->creator.data != NULL ? r->creator.data : "", r->creator.len);
    t->creator[r->creator.len] = '\0';
}

static bool is_own(const struct topic *t, const struct peer *p)
{
    return slice_eq(org_name(t->source.org), user_org(p->user));
}

static struct slice room_of(const struct topic *t, const struct peer *p, char out[ROOM_MAX])
{
    return is_own(t, p) ? room_task(out, slice_of(t->id)) : room_away(out, slice_of(t->id));
}

static bool may_see(const struct topic *t, const struct peer *p)
{
    return peer_may_see(p, org_name(t->source.org), slice_of(t->creator), t->is_private);
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

/* The snapshot's event is framed once for all who come for it at one position of the feed with
 * as many snapshots behind them (in a storm of reconnects: nearly everybody). */
static struct sio_message *state_message(struct topic *t, const struct view *v, struct slice offset)
{
    struct rcbuf *snapshot = t->source.join.snapshot;

    if (t->state_of != snapshot || !slice_is(offset, t->state_offset)) {
        state_drop(t);
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

static void member_unsure(struct sio_socket *s, void *arg)
{
    const struct topic *t = arg;
    struct peer        *p = sio_socket_data(s);

    if (p != NULL)
        (void)peer_expect(p, slice_of(t->id));
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

static void each_member(struct topic *t, void (*fn)(struct sio_socket *, void *))
{
    char room[ROOM_MAX];

    sio_each_member(t->all->lines->ns, room_task(room, slice_of(t->id)), fn, t);
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
    each_member(t, member_told);
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

    if (!may_see(t, p)) {
        wait_end(w, ERROR_NOT_FOUND);
        return;
    }
    if (!wait_may_be_served(w))
        return;
    if (sio_join(p->socket, room_of(t, p, room)) != 0) {
        wait_end(w, ERROR_ROOM_LIMIT);
        return;
    }
    if (is_own(t, p))
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

static void waiters_end(struct topic *t, int outcome)
{
    struct list *node;

    while ((node = list_take_first(&t->waiters)) != NULL)
        wait_end(container_of(node, struct wait, in_source), outcome);
}

/* Call those who hold a place: it is settled (0), or cannot be had. They act later, not here. */
static void holds_tell(struct topic *t, int err)
{
    list_each(node, &t->holds) {
        struct topic_hold *h = container_of(node, struct topic_hold, in_topic);

        h->err = err;
        h->changed(h->arg);
    }
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
    holds_tell(t, ERR_NOT_FOUND);              /* whoever has a place here is of this org */
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
    struct list  *node;
    bool          has_members = has_followers(t);

    if (view_make(t, &v) != 0) {
        log_error("snapshot-refused", LOG_TEXT("task", t->id));
        source_reset(s);
        waiters_end(t, ERROR_INTERNAL);
        holds_tell(t, ERR_REPLY);
        return true;
    }
    if (has_members && t->told > v.final) {
        source_stale(s);                       /* of a taskd that lives in the past */
        return true;
    }
    if (has_members && !t->is_lagging && t->told < v.final && !is_last)
        return false;                          /* stored, and about to be published */
    routing_learn(t, &v.snapshot.routing);
    if (has_members && (t->is_lagging || t->told != v.final))
        members_catch_up(t, &v);
    t->is_lagging = false;
    t->told = v.final;
    t->is_held = !list_is_empty(&t->holds);
    holds_tell(t, 0);
    while ((node = list_take_first(&t->waiters)) != NULL)
        waiter_serve(t, container_of(node, struct wait, in_source), &v);
    return true;
}

static void on_failed(struct source *s, int err, void *arg)
{
    struct topic *t = arg;

    if (err != ERR_NOT_FOUND)
        log_warn("snapshot-failed", LOG_TEXT("task", t->id), LOG_ERR(err));
    waiters_end(t, err == ERR_NOT_FOUND ? ERROR_NOT_FOUND : ERROR_UNAVAILABLE);
    holds_tell(t, err);
    if (!has_followers(t))
        return;
    if (err == ERR_STALE) {                    /* taskd insists: it is the truth, we are not */
        t->told = 0;
        t->is_lagging = true;
    }
    if (t->is_lagging)
        source_retry(s, RETRY_MS);
}

static const struct source_handlers SOURCE_HANDLERS = {
    .fetched = on_fetched,
    .ready = on_ready,
    .failed = on_failed,
    .idle = on_idle,
};

/* --- calls --- */

void topics_join(struct topics *ts, struct wait *w)
{
    struct topic *t = topic_find(ts, slice_of(w->task));

    wait_expect(w);
    if (t == NULL)
        t = topic_new(ts, slice_of(w->task), w->peer->org);
    if (t->routing_seq > 0 && !may_see(t, w->peer)) {
        wait_end(w, ERROR_NOT_FOUND);
        topic_look(t);
        return;
    }
    list_append(&t->waiters, &w->in_source);
    source_want(&t->source);
    if (list_is_empty(&t->waiters))
        topic_look(t);
}

void topics_leave(struct topics *ts, struct peer *p, struct slice task)
{
    struct topic *t = topic_find(ts, task);
    char          room[ROOM_MAX];

    peer_forget(p, task);
    sio_leave(p->socket, room_task(room, task));
    sio_leave(p->socket, room_away(room, task));
    peer_left(p, task);
    if (t != NULL)
        topic_look(t);
}

void topics_look(struct topics *ts, struct slice task)
{
    struct topic *t = topic_find(ts, task);

    if (t != NULL)
        topic_look(t);
}

/* --- coming back --- */

void topics_hold(struct topics *ts, struct topic_hold *h, struct org *org, struct slice task)
{
    struct topic *t = topic_find(ts, task);

    if (t == NULL)
        t = topic_new(ts, task, org);
    h->topic = t;
    h->err = ERR_BUSY;
    list_append(&t->holds, &h->in_topic);
    if (t->source.org != org) {
        h->err = ERR_NOT_FOUND;                /* its offsets would be another org's */
    } else if (has_followers(t) && !t->is_lagging) {
        t->is_held = true;
        h->err = 0;
    } else {
        source_want(&t->source);
    }
}

int topic_hold_enter(struct topic_hold *h, struct peer *p)
{
    struct topic *t = h->topic;
    char          room[ROOM_MAX];

    if (h->err != 0 || t->is_lagging)
        return h->err != 0 ? h->err : ERR_STALE;
    if (!may_see(t, p) || !is_own(t, p))
        return ERR_NOT_FOUND;
    return sio_join(p->socket, room_task(room, slice_of(t->id)));
}

void topic_hold_release(struct topic_hold *h)
{
    struct topic *t = h->topic;

    if (t == NULL)
        return;
    h->topic = NULL;
    list_remove(&h->in_topic);
    if (list_is_empty(&t->holds))
        t->is_held = false;
    topic_look(t);
}

/* --- frames --- */

static void lag(struct topic *t)
{
    t->is_lagging = true;
    each_member(t, member_unsure);
    holds_tell(t, ERR_STALE);                  /* what they replay would have a hole */
    source_reset(&t->source);
    source_want(&t->source);
}

bool topics_admit(struct topics *ts, struct frame *f)
{
    const struct routing *r = &f->e.routing;
    struct topic         *t = r->task.len > 0 ? topic_find(ts, r->task) : NULL;
    bool                  turned;

    if (t == NULL)
        return false;
    turned = t->routing_seq > 0 && r->seq > t->routing_seq && t->is_private != r->is_private;
    routing_learn(t, r);
    if (turned)
        source_reset(&t->source);
    else
        source_frame(&t->source, f);
    if (t->is_lagging || !has_followers(t) || r->seq <= t->told)
        return false;
    if (r->seq != t->told + 1) {
        log_warn("room-gap", LOG_TEXT("task", t->id), LOG_NUM("told", t->told),
                 LOG_NUM("seq", r->seq));
        lag(t);
        return false;
    }
    t->told = r->seq;
    return true;
}

void topics_resync(struct topics *ts, struct org *o)
{
    struct topic *t, *next;

    HASH_ITER(hh, ts->table, t, next) {
        if (t->source.org != o)
            continue;
        if (has_followers(t))
            lag(t);
        else
            source_reset(&t->source);
    }
}

struct walk {
    void (*fn)(struct peer *p, struct slice task, void *arg);
    void  *arg;
};

static void on_room(struct sio_socket *s, struct slice room, void *arg)
{
    struct walk *w = arg;

    if (slice_starts(room, "task:") || slice_starts(room, "away:"))
        w->fn(sio_socket_data(s), slice_from(room, 5), w->arg);
}

void topics_each_of(struct peer *p, void (*fn)(struct peer *p, struct slice task, void *arg),
                    void *arg)
{
    struct walk w = { fn, arg };

    sio_each_room(p->socket, on_room, &w);
}

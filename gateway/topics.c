/* topics.c -- joining tasks, and one sequence per room.
 *
 * All members of a room have been told the same, up to `told`; seqs count without a gap, so
 * told + 1 is the only transition that may be said next. Older ones were said; a newer one
 * means that the feed, for whatever reason, has a hole: then the room *lags*, nothing is said,
 * and a fresh snapshot brings everybody to the same place again (also after a resync of the
 * whole org). This check costs one comparison and does not depend on the feed being right.
 *
 * Rejected: a copy of the task's state here (the gateway never parses task JSON), and a `seq`
 * per member (a room of thousands would be filtered one by one). */
#include "gateway/topic.h"

#include <assert.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/rooms.h"

bool task_id_is_well_formed(struct slice id)
{
    if (id.len != TASK_ID_LEN)
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

bool topic_has_followers(const struct topic *t)
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

    assert(id.len == TASK_ID_LEN);
    t->all = ts;
    memcpy(t->id, id.data, TASK_ID_LEN);
    list_init(&t->waiters);
    list_init(&t->holds);
    snprintf(target, sizeof(target), "/internal/tasks/%s", t->id);
    source_init(&t->source, ts->sources, org, target, &TOPIC_SOURCE_HANDLERS, t);
    HASH_ADD_KEYPTR(hh, ts->table, t->id, TASK_ID_LEN, t);
    return t;
}

static void topic_free(struct topic *t)
{
    assert(list_is_empty(&t->waiters) && list_is_empty(&t->holds));
    if (t->all->cursor == t)
        t->all->cursor = t->hh.next;
    HASH_DELETE(hh, t->all->table, t);
    topic_state_drop(t);
    source_deinit(&t->source);
    free(t);
}

void topic_look(struct topic *t)
{
    if (!list_is_empty(&t->waiters) || !list_is_empty(&t->holds) || topic_members(t) > 0)
        return;
    t->is_lagging = false;
    if (!join_is_active(&t->source.join))
        topic_free(t);
    else if (t->source.join.state != JOIN_READY)
        source_forget(&t->source);             /* on_idle frees it soon */
}

void topics_deinit(struct topics *ts)
{
    struct topic *t, *next;

    HASH_ITER(hh, ts->table, t, next)
        topic_free(t);
}

/* --- who may see it, who is there --- */

void topic_learn(struct topic *t, const struct routing *r)
{
    if (r->seq < t->routing_seq || r->creator.len > JWT_ID_MAX)
        return;
    t->routing_seq = r->seq;
    t->is_private = r->is_private;
    memcpy(t->creator, r->creator.data != NULL ? r->creator.data : "", r->creator.len);
    t->creator[r->creator.len] = '\0';
}

bool topic_is_own(const struct topic *t, const struct peer *p)
{
    return slice_eq(org_name(t->source.org), user_org(p->user));
}

bool topic_may_see(const struct topic *t, const struct peer *p)
{
    return peer_may_see(p, org_name(t->source.org), slice_of(t->creator), t->is_private);
}

void topic_each_member(struct topic *t, void (*fn)(struct sio_socket *, void *))
{
    char room[ROOM_MAX];

    sio_each_member(t->all->lines->ns, room_task(room, slice_of(t->id)), fn, t);
}

void topic_holds_tell(struct topic *t, int err)
{
    list_each(node, &t->holds) {
        struct topic_hold *h = container_of(node, struct topic_hold, in_topic);

        h->err = err;
        h->changed(h->arg);
    }
}

/* --- calls --- */

static bool is_member(const struct topic *t, const struct peer *p)
{
    char room[ROOM_MAX], away[ROOM_MAX];

    return sio_is_member(p->socket, room_task(room, slice_of(t->id))) ||
           sio_is_member(p->socket, room_away(away, slice_of(t->id)));
}

void topics_join(struct topics *ts, struct wait *w)
{
    struct topic *t = topic_find(ts, slice_of(w->task));

    wait_expect(w);
    if (t == NULL)
        t = topic_new(ts, slice_of(w->task), w->peer->org);
    if (t->routing_seq > 0 && !topic_may_see(t, w->peer)) {
        wait_end(w, ERROR_NOT_FOUND);
        topic_look(t);
        return;
    }
    if (w->least.epoch == 0 && (w->is_owed || is_member(t, w->peer)))
        w->least = org_position(t->source.org);   /* they may know all of that */
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
    peer_room_leave(p, room_task(room, task), task);
    peer_room_leave(p, room_away(room, task), task);
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
    } else if (topic_has_followers(t) && !t->is_lagging) {
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
    if (!topic_may_see(t, p) || !topic_is_own(t, p))
        return ERR_NOT_FOUND;
    return peer_room_enter(p, room_task(room, slice_of(t->id)), slice_of(t->id));
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

static void member_unsure(struct sio_socket *s, void *arg)
{
    const struct topic *t = arg;
    struct peer        *p = sio_socket_data(s);

    if (p != NULL)
        (void)peer_expect(p, slice_of(t->id));
}

static void lag(struct topic *t)
{
    t->is_lagging = true;
    topic_each_member(t, member_unsure);
    topic_holds_tell(t, ERR_STALE);            /* what they replay would have a hole */
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
    topic_learn(t, r);
    if (turned)
        source_reset(&t->source);
    else
        source_frame(&t->source, f);
    if (t->is_lagging || !topic_has_followers(t) || r->seq <= t->told)
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
        if (topic_has_followers(t))
            lag(t);
        else
            source_reset(&t->source);
    }
}

/* --- looking at all of them --- */

size_t topics_count(const struct topics *ts)
{
    return HASH_COUNT(ts->table);
}

bool topics_next(struct topics *ts, struct slice *id)
{
    struct topic *t = ts->is_walking ? ts->cursor : ts->table;

    ts->is_walking = t != NULL;
    if (t == NULL)
        return false;
    ts->cursor = t->hh.next;
    *id = slice_of(t->id);
    return true;
}

int64_t topics_told(struct topics *ts, struct slice task)
{
    const struct topic *t = topic_find(ts, task);

    return t != NULL && topic_has_followers(t) && !t->is_lagging ? t->told : -1;
}

void topics_missed(struct topics *ts, struct slice task)
{
    struct topic *t = topic_find(ts, task);

    if (t != NULL && topic_has_followers(t) && !t->is_lagging)
        lag(t);
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

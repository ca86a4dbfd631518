/* boards.c -- see boards.h.
 *
 * A change of privacy drops what is kept: a kept page may show a task that its reader must
 * not see any more.
 *
 * Within one life of the org's log every transition comes once. After Redis lost its memory
 * some come again in the next; `seen` tells them, and also a page that is older than what the
 * rooms have been told, and a transition that was missed (seqs count without a gap).
 *
 * After a resync everybody in the rooms is taken out and waits again, with no request: the
 * state that comes is then followed by exactly what is newer, as for any joiner. */
#include "gateway/board.h"

#include <assert.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/http.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/rooms.h"

void boards_init(struct boards *bs, struct lines *lines, struct sources *sources,
                 struct metrics *m)
{
    *bs = (struct boards){ .lines = lines, .sources = sources };
    bs->joins = metrics_counter(m, "taskwire_dashboard_joins_total", NULL, "Dashboards joined.");
}

static struct board *board_find(struct boards *bs, struct slice org)
{
    struct board *b = NULL;

    HASH_FIND(hh, bs->table, org.data, org.len, b);
    return b;
}

/* --- life --- */

static char *target_make(struct slice org, const struct slice *sub)
{
    struct buf b;

    buf_init(&b, 1024);
    buf_append_text(&b, "/internal/orgs/");
    http_append_encoded(&b, org);
    if (sub != NULL) {
        buf_append_text(&b, "/people/");
        http_append_encoded(&b, *sub);
    }
    assert(!buf_failed(&b));
    return buf_take(&b);
}

static struct board *board_new(struct boards *bs, struct org *org)
{
    struct board *b = mem_new(struct board);
    struct slice  name = org_name(org);
    char         *target = target_make(name, NULL);

    b->all = bs;
    memcpy(b->org, name.data, name.len);
    list_init(&b->waiters);
    seen_init(&b->seen);
    source_init(&b->page, bs->sources, org, target, &BOARD_PAGE_HANDLERS, b);
    free(target);
    HASH_ADD_KEYPTR(hh, bs->table, b->org, name.len, b);
    return b;
}

struct own *own_get(struct board *b, struct slice sub)
{
    struct own *o = NULL;
    char       *target;

    HASH_FIND(hh, b->owns, sub.data, sub.len, o);
    if (o != NULL)
        return o;
    o = mem_new(struct own);
    o->board = b;
    memcpy(o->sub, sub.data, sub.len);
    list_init(&o->waiters);
    target = target_make(slice_of(b->org), &sub);
    source_init(&o->source, b->all->sources, b->page.org, target, &BOARD_OWN_HANDLERS, o);
    free(target);
    HASH_ADD_KEYPTR(hh, b->owns, o->sub, sub.len, o);
    return o;
}

static void own_free(struct own *o)
{
    assert(list_is_empty(&o->waiters));
    HASH_DELETE(hh, o->board->owns, o);
    source_deinit(&o->source);
    free(o);
}

static void board_free(struct board *b)
{
    struct own *o, *next;

    assert(list_is_empty(&b->waiters));
    HASH_ITER(hh, b->owns, o, next)
        own_free(o);
    board_state_drop(b);
    seen_deinit(&b->seen);
    if (b->all->cursor == b)
        b->all->cursor = b->hh.next;
    HASH_DELETE(hh, b->all->table, b);
    source_deinit(&b->page);
    free(b);
}

void own_look(struct own *o)
{
    if (!list_is_empty(&o->waiters))
        return;
    if (!join_is_active(&o->source.join))
        own_free(o);
    else if (o->source.join.state != JOIN_READY)
        source_forget(&o->source);
}

void board_look(struct board *b)
{
    struct own *o, *next;
    char        room[ROOM_MAX];

    HASH_ITER(hh, b->owns, o, next)
        own_look(o);
    if (!list_is_empty(&b->waiters) || b->owns != NULL)
        return;
    if (sio_room_size(b->all->lines->ns, room_dash(room, slice_of(b->org))) > 0)
        return;
    if (!join_is_active(&b->page.join))
        board_free(b);
    else if (b->page.join.state != JOIN_READY)
        source_forget(&b->page);
}

void boards_deinit(struct boards *bs)
{
    struct board *b, *next;

    HASH_ITER(hh, bs->table, b, next)
        board_free(b);
}

/* --- calls --- */

void boards_join(struct boards *bs, struct wait *w)
{
    struct org   *org = w->peer->org;
    struct board *b = board_find(bs, org_name(org));

    wait_expect(w);
    if (b == NULL)
        b = board_new(bs, org);
    if (w->least.epoch == 0 && (w->is_owed || boards_has(w->peer)))
        w->least = org_position(org);          /* they may know all of that */
    list_append(&b->waiters, &w->in_source);
    source_want(&b->page);
}

int boards_enter(struct boards *bs, struct peer *p)
{
    struct board *b = board_find(bs, org_name(p->org));

    if (b == NULL)
        b = board_new(bs, p->org);
    if (board_rooms_join(b, p))
        return 0;
    board_look(b);
    return ERR_TOO_BIG;
}

void boards_look(struct boards *bs, struct slice org)
{
    struct board *b = board_find(bs, org);

    if (b != NULL)
        board_look(b);
}

void boards_leave(struct boards *bs, struct peer *p)
{
    peer_forget(p, (struct slice){ NULL, 0 });
    board_rooms_leave(p);
    peer_left(p, (struct slice){ NULL, 0 });
    boards_look(bs, user_org(p->user));
}

bool boards_has(const struct peer *p)
{
    char room[ROOM_MAX];

    return sio_is_member(p->socket, room_dash(room, user_org(p->user)));
}

/* A task turned private, or open: it goes from one part of somebody's dashboard to the other, and
 * some may not see it any more. (No other transition has lines for both.) */
static bool changes_privacy(const struct frame *f)
{
    return frame_has(f, "dash") && frame_has(f, "mine");
}

void boards_resync(struct boards *bs, struct org *o)
{
    struct board *b = board_find(bs, org_name(o));
    struct own   *own, *next;
    char          room[ROOM_MAX];

    room_dash(room, org_name(o));
    if (b == NULL) {
        if (sio_room_size(bs->lines->ns, slice_of(room)) == 0)
            return;
        b = board_new(bs, o);
    }
    source_reset(&b->page);
    HASH_ITER(hh, b->owns, own, next)
        source_reset(&own->source);
    sio_each_member(bs->lines->ns, slice_of(room), board_member_take_out, b);
    seen_deinit(&b->seen);                     /* it spoke for those who were there */
    if (!list_is_empty(&b->waiters))
        source_want(&b->page);
}

/* A person's private counts were put right: those of the log had forgotten private tasks of
 * theirs (or the opposite), and so had the page's `people`, by which parts are asked for. */
static void person_resync(struct board *b, struct slice sub)
{
    struct own *o = NULL;
    char        room[ROOM_MAX];

    HASH_FIND(hh, b->owns, sub.data, sub.len, o);
    source_reset(&b->page);
    if (o != NULL)
        source_reset(&o->source);
    sio_each_member(b->all->lines->ns, room_mine(room, slice_of(b->org), sub),
                    board_member_take_out, b);
    if (!list_is_empty(&b->waiters))
        source_want(&b->page);
}

/* Hold it for those who wait. */
static void frame_keep(struct board *b, struct frame *f)
{
    struct slice creator = f->e.routing.creator;
    struct own  *o = NULL;

    if (creator.len > 0)
        HASH_FIND(hh, b->owns, creator.data, creator.len, o);
    if (changes_privacy(f)) {
        source_reset(&b->page);
        if (o != NULL)
            source_reset(&o->source);
        return;
    }
    if (frame_has(f, "dash") || frame_has(f, "mine"))
        source_frame(&b->page, f);
    if (o != NULL && frame_has(f, "mine"))
        source_frame(&o->source, f);
}

bool boards_admit(struct boards *bs, struct frame *f)
{
    const struct routing *r = &f->e.routing;
    struct board         *b = board_find(bs, r->org);
    uint64_t              told, seq = (uint64_t)r->seq;

    if (b == NULL)
        return true;
    if (r->task.len == 0 && r->creator.len > 0 && frame_has(f, "mine")) {
        person_resync(b, r->creator);
        return true;
    }
    told = seen_get(&b->seen, r->task);
    if (r->seq > 0)
        seen_put(&b->seen, r->task, seq);
    if (told > 0 && seq > told + 1) {
        log_warn("dashboard-gap", LOG_SLICE("task", r->task), LOG_NUM("told", told),
                 LOG_NUM("seq", seq));
        boards_resync(bs, b->page.org);        /* nobody is in the rooms now */
        return true;
    }
    f->has_news = seq > told;
    frame_keep(b, f);
    return f->has_news;
}

/* --- looking at all of them --- */

static bool has_members(const struct board *b)
{
    char room[ROOM_MAX];

    return sio_room_size(b->all->lines->ns, room_dash(room, slice_of(b->org))) > 0;
}

size_t boards_count(const struct boards *bs)
{
    return HASH_COUNT(bs->table);
}

struct rows {
    const struct board *board;
    void              (*fn)(struct slice org, struct slice task, void *arg);
    void               *arg;
};

static void on_seen(struct slice task, void *arg)
{
    const struct rows *rows = arg;

    rows->fn(slice_of(rows->board->org), task, rows->arg);
}

bool boards_next(struct boards *bs, size_t max,
                 void (*fn)(struct slice org, struct slice task, void *arg), void *arg)
{
    struct board *b = bs->is_walking ? bs->cursor : bs->table;
    struct rows   rows = { b, fn, arg };

    bs->is_walking = b != NULL;
    if (b == NULL)
        return false;
    bs->cursor = b->hh.next;
    if (has_members(b))
        seen_each_newest(&b->seen, max, on_seen, &rows);
    return true;
}

int64_t boards_told(struct boards *bs, struct slice org, struct slice task)
{
    const struct board *b = board_find(bs, org);
    uint64_t            told = b != NULL && has_members(b) ? seen_get(&b->seen, task) : 0;

    return told > 0 ? (int64_t)told : -1;
}

void boards_missed(struct boards *bs, struct slice org)
{
    struct board *b = board_find(bs, org);

    if (b != NULL && has_members(b))
        boards_resync(bs, b->page.org);
}

/* board_source.c -- an org's page and people's own parts as they come: may they be shown, and
 * what is said to whom.
 *
 * Who waits goes through at most two stations: the org's page, and then, where the page names
 * them among those with private tasks, their own part. Both are sources; both must be good at
 * the same moment, since what came after either is said from its own run of frames. Where
 * the page has gone stale while the own part was fetched, the wait goes back to the page.
 *
 * Order of the two runs: lines for the org first, then lines for the person. They concern
 * different tasks (a task is in one of the two parts) and different counts, so nothing
 * depends on how they are merged. */
#include "gateway/board.h"

#include "common/err.h"
#include "common/log.h"
#include "gateway/dashboard.h"
#include "gateway/rooms.h"

#define RETRY_MS        1000
#define NEWER_MS        200                    /* for whom what is kept is too old */
#define STATE_BYTES_MAX (8u << 20)

void board_state_drop(struct board *b)
{
    if (b->state != NULL)
        sio_message_unref(b->state);
    rcbuf_unref(b->state_of);
    b->state = NULL;
    b->state_of = NULL;
}

/* --- telling --- */

/* A state and the lines after it, to one peer. The last of them carries the offset, so that
 * who has the offset has them all. */
struct telling {
    struct peer *peer;
    size_t       left;                         /* lines to come */
    bool         is_counting;                  /* nothing is said yet */
    struct slice offset;
};

static void tell(struct telling *t, struct slice json)
{
    if (t->is_counting) {
        t->left++;
        return;
    }
    t->left--;
    peer_emit_at(t->peer, json, t->left == 0 ? t->offset : (struct slice){ NULL, 0 });
}

/* As lines_tell: rows where they are news, counts always. */
static bool is_owed(const struct frame *f, struct slice json)
{
    return f->has_news || event_is(json, "dashboard:task_count_changed");
}

static void tell_lines(struct telling *t, const struct source *s, const char *address,
                       const struct dash_part *part)
{
    const struct peer   *p = t->peer;
    const struct frames *fs = &s->join.frames;

    for (size_t i = 0; i < fs->count; i++) {
        const struct envelope *e = &fs->at[i]->e;
        struct slice           rest = e->lines, to, json;

        if (strcmp(address, "mine") == 0 && !slice_eq(e->routing.creator, user_sub(p->user)))
            continue;
        while (envelope_next(&rest, &to, &json)) {
            if (slice_is(to, address) && is_owed(fs->at[i], json) && !dash_covers(part, e, json))
                tell(t, json);
        }
    }
}

static struct sio_message *message_of(struct board *b, const struct dash_part *page,
                                      const struct dash_part *own, struct slice offset)
{
    struct buf          text;
    struct sio_message *m;

    buf_init(&text, STATE_BYTES_MAX);
    dash_compose(page, own, &text);
    m = sio_message_new(b->all->lines->ns, buf_peek(&text), offset, 0);
    buf_deinit(&text);
    return m;
}

/* The page's event is framed once for all who have nothing of their own, and as many snapshots
 * behind them (as a rule it is everybody's first). */
static struct sio_message *shared_state(struct board *b, const struct dash_part *page,
                                        struct slice offset)
{
    struct rcbuf *snapshot = b->page.join.snapshot;

    if (b->state_of != snapshot || !slice_is(offset, b->state_offset)) {
        board_state_drop(b);
        b->state = message_of(b, page, NULL, offset);
        b->state_of = rcbuf_ref(snapshot);
        snprintf(b->state_offset, sizeof(b->state_offset), "%.*s", SLICE_ARG(offset));
    }
    return b->state;
}

bool board_rooms_join(struct board *b, struct peer *p)
{
    struct slice org = slice_of(b->org);
    char         dash[ROOM_MAX], mine[ROOM_MAX];

    if (sio_join(p->socket, room_dash(dash, org)) != 0)
        return false;
    if (sio_join(p->socket, room_mine(mine, org, user_sub(p->user))) == 0)
        return true;
    sio_leave(p->socket, room_dash(dash, org));
    return false;
}

void board_rooms_leave(struct peer *p)
{
    struct slice org = user_org(p->user);
    char         room[ROOM_MAX];

    sio_leave(p->socket, room_dash(room, org));
    sio_leave(p->socket, room_mine(room, org, user_sub(p->user)));
}

/* `own` and its source are NULL for who has nothing private. */
static void waiter_serve(struct board *b, struct wait *w, const struct dash_part *page,
                         const struct dash_part *own, const struct source *own_source)
{
    struct peer        *p = w->peer;
    struct telling      t = { .peer = p, .is_counting = true };
    struct sio_message *m;
    struct dash_part    mine = own != NULL ? *own : *page;
    struct slice        offset, none = { NULL, 0 };
    struct offset       at;
    char                text[OFFSET_TEXT_SIZE];

    if (own == NULL)
        mine.rev = 0;                          /* the page's counts are not theirs */
    if (w->request == NULL && boards_has(p)) {
        wait_end(w, OUTCOME_OK);               /* taken out, and back by a join of its own */
        return;
    }
    if (!wait_may_be_served(w))
        return;
    if (!board_rooms_join(b, p)) {
        wait_end(w, ERROR_ROOM_LIMIT);
        return;
    }
    t.offset = peer_number(p, org_position(p->org), &at, text);
    tell_lines(&t, &b->page, "dash", page);
    tell_lines(&t, own == NULL ? &b->page : own_source, "mine", &mine);
    offset = t.left == 0 ? t.offset : none;
    m = own == NULL ? sio_message_ref(shared_state(b, page, offset))
                    : message_of(b, page, own, offset);
    peer_emit_message(p, m);
    sio_message_unref(m);
    t.is_counting = false;
    tell_lines(&t, &b->page, "dash", page);
    tell_lines(&t, own == NULL ? &b->page : own_source, "mine", &mine);
    if (t.offset.len > 0)
        peer_told(p, none, &at);
    metric_inc(b->all->joins);
    wait_end(w, OUTCOME_OK);
}

/* --- what the sources say --- */

/* Those who asked are told; those whom we ask for wait on. Returns whether any are left. */
static bool waiters_fail(struct list *waiters, int outcome)
{
    list_each_safe(node, waiters) {
        struct wait *w = container_of(node, struct wait, in_source);

        if (w->request != NULL && !w->is_owed)
            wait_end(w, outcome);
    }
    return !list_is_empty(waiters);
}

/* The newest seq that this part and the news since show of a task. */
static uint64_t seq_in(const struct source *s, struct slice task, uint64_t shown)
{
    const struct frames *fs = &s->join.frames;

    for (size_t i = 0; i < fs->count; i++) {
        const struct routing *r = &fs->at[i]->e.routing;

        if (fs->at[i]->has_news && slice_eq(r->task, task) && (uint64_t)r->seq > shown)
            shown = (uint64_t)r->seq;
    }
    return shown;
}

enum age { AGE_STALE, AGE_PRESENT, AGE_AHEAD };

/* How a part stands to what the rooms have been told. Ahead: it shows what is stored and about
 * to be published. */
static enum age age_of(const struct board *b, const struct source *s, const struct dash_part *part)
{
    struct slice rest = part->pairs, task;
    enum age     age = AGE_PRESENT;
    uint64_t     shown;

    while (dash_next_pair(&rest, &task, &shown)) {
        uint64_t told = seen_get(&b->seen, task);

        if (told > shown && told > seq_in(s, task, shown))
            return AGE_STALE;
        if (shown > told)
            age = AGE_AHEAD;
    }
    return age;
}

void board_member_take_out(struct sio_socket *s, void *arg)
{
    struct board *b = arg;
    struct peer  *p = sio_socket_data(s);
    struct wait  *w;

    if (p == NULL)
        return;
    board_rooms_leave(p);
    w = wait_new(p, NULL, (struct slice){ NULL, 0 });
    wait_expect(w);
    list_append(&b->waiters, &w->in_source);
}

static void note_reader(struct sio_socket *s, void *arg)
{
    const struct peer *p = sio_socket_data(s);

    if (p != NULL && !p->follows_log)
        *(bool *)arg = true;
}

/* Is somebody in there whom `seen` speaks for? Who follows the log is told its lines anyway. */
static bool has_readers(struct board *b, struct slice room)
{
    bool is_any = false;

    sio_each_member(b->all->lines->ns, room, note_reader, &is_any);
    return is_any;
}

enum use { USE_NOW, USE_LATER, USE_NEVER };

/* May a part be shown? `room`: those who are there must be where it is. `fallen`: who waits
 * for it. */
static enum use part_look(struct board *b, struct source *s, struct dash_part *part,
                          struct list *waiters, struct slice room, bool is_last)
{
    struct slice rest, task;
    uint64_t     shown;
    enum age     age;

    if (dash_parse(rcbuf_slice(s->join.snapshot), part) != 0) {
        log_error("snapshot-refused", LOG_TEXT("org", b->org));
        source_reset(s);
        if (waiters_fail(waiters, ERROR_INTERNAL))
            source_retry(s, RETRY_MS);
        return USE_NEVER;
    }
    age = age_of(b, s, part);
    if (age == AGE_STALE) {
        source_stale(s);
        return USE_NEVER;
    }
    if (age == AGE_AHEAD && has_readers(b, room)) {
        if (!is_last)
            return USE_LATER;
        sio_each_member(b->all->lines->ns, room, board_member_take_out, b);   /* they missed it */
    }
    for (rest = part->pairs; dash_next_pair(&rest, &task, &shown);)
        seen_put(&b->seen, task, shown);
    return USE_NOW;
}

/* Their parts may be there already, and ask for a newer page at once: nothing of the page may be
 * used after this. */
static void wait_for_own(struct board *b, struct list *waiters)
{
    struct list *node;

    while ((node = list_take_first(waiters)) != NULL) {
        struct wait *w = container_of(node, struct wait, in_source);
        struct own  *o = own_get(b, user_sub(w->peer->user));

        list_append(&o->waiters, &w->in_source);
        source_want(&o->source);
    }
}

static bool on_page_ready(struct source *s, bool is_last, void *arg)
{
    struct board    *b = arg;
    struct dash_part page;
    struct list      waiters = LIST_INIT(waiters), with_own = LIST_INIT(with_own);
    struct list     *node;
    char             room[ROOM_MAX];
    enum use         use = part_look(b, s, &page, &b->waiters, room_dash(room, slice_of(b->org)),
                                     is_last);

    if (use != USE_NOW)
        return use == USE_NEVER;
    list_splice(&waiters, &b->waiters);
    while ((node = list_take_first(&waiters)) != NULL) {
        struct wait *w = container_of(node, struct wait, in_source);

        if (source_is_older(s, w->least))
            list_append(&b->waiters, node);
        else if (dash_has_person(&page, user_sub(w->peer->user)))
            list_append(&with_own, node);
        else
            waiter_serve(b, w, &page, NULL, NULL);
    }
    if (!list_is_empty(&b->waiters))
        source_retry(s, NEWER_MS);
    wait_for_own(b, &with_own);
    return true;
}

static bool on_own_ready(struct source *s, bool is_last, void *arg)
{
    struct own      *o = arg;
    struct board    *b = o->board;
    struct dash_part page, own;
    struct list      waiters = LIST_INIT(waiters);
    struct list     *node;
    char             room[ROOM_MAX];
    enum use         use = part_look(b, s, &own, &o->waiters,
                                     room_mine(room, slice_of(b->org), slice_of(o->sub)), is_last);

    if (use != USE_NOW)
        return use == USE_NEVER;
    if (b->page.join.state == JOIN_READY && list_is_empty(&b->waiters) &&
        dash_parse(rcbuf_slice(b->page.join.snapshot), &page) == 0) {
        list_splice(&waiters, &o->waiters);
        while ((node = list_take_first(&waiters)) != NULL) {
            struct wait *w = container_of(node, struct wait, in_source);

            if (source_is_older(s, w->least))
                list_append(&o->waiters, node);
            else
                waiter_serve(b, w, &page, &own, s);
        }
        if (!list_is_empty(&o->waiters))
            source_retry(s, NEWER_MS);
    } else {
        list_splice(&b->waiters, &o->waiters);
        source_want(&b->page);
    }
    return true;
}

static void on_page_failed(struct source *s, int err, void *arg)
{
    struct board *b = arg;

    log_warn("snapshot-failed", LOG_TEXT("org", b->org), LOG_ERR(err));
    if (err == ERR_STALE)
        seen_deinit(&b->seen);                 /* taskd insists: it is the truth, we are not */
    if (waiters_fail(&b->waiters, ERROR_UNAVAILABLE))
        source_retry(s, RETRY_MS);
}

static void on_own_failed(struct source *s, int err, void *arg)
{
    struct own *o = arg;

    log_warn("snapshot-failed", LOG_TEXT("org", o->board->org), LOG_ERR(err));
    if (err == ERR_STALE)
        seen_deinit(&o->board->seen);
    if (waiters_fail(&o->waiters, ERROR_UNAVAILABLE))
        source_retry(s, RETRY_MS);
}

static void on_page_idle(struct source *s, void *arg)
{
    struct board *b = arg;

    (void)s;
    board_state_drop(b);
    board_look(b);
}

static void on_own_idle(struct source *s, void *arg)
{
    struct own   *o = arg;
    struct board *b = o->board;

    (void)s;
    own_look(o);
    if (b->owns == NULL && !join_is_active(&b->page.join))
        board_look(b);
}

const struct source_handlers BOARD_PAGE_HANDLERS = {
    .ready = on_page_ready, .failed = on_page_failed, .idle = on_page_idle,
};
const struct source_handlers BOARD_OWN_HANDLERS = {
    .ready = on_own_ready, .failed = on_own_failed, .idle = on_own_idle,
};

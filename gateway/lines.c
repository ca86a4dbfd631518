/* lines.c -- see lines.h.
 *
 * Nobody's rights are looked at here: the room's name carries them (DESIGN 3). The one
 * exception is an eviction, which is about members who are not the creator, and it stands
 * before everything else of its envelope. */
#include "gateway/lines.h"

#include "gateway/rooms.h"

#define KEY_ROW_MARK     (UINT64_C(1) << 63)   /* so that a row's key is no count's, nor 0 */
#define KEY_COUNTS_ORG   1
#define KEY_COUNTS_MINE  2

void lines_init(struct lines *f, struct sio_namespace *ns, struct peers *peers,
                 struct metrics *m)
{
    *f = (struct lines){ .ns = ns, .peers = peers };
    journeys_init(&f->journeys, peers, m);
    f->told = metrics_counter(m, "taskwire_fanout_lines_total", NULL,
                               "Lines of envelopes said to a room with members.");
    f->seconds = metrics_histogram(m, "taskwire_fanout_seconds", NULL,
                                   "How long an envelope held the loop.");
}

/* FNV-1a, 64 bits: task ids are no secret, and a collision costs one row one update. */
static uint64_t hash(struct slice s)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.data[i]) * UINT64_C(1099511628211);
    return h;
}

uint64_t lines_key(struct slice json, struct slice task, bool is_mine)
{
    if (event_is(json, "dashboard:task_list_updated"))
        return hash(task) | KEY_ROW_MARK;
    if (event_is(json, "dashboard:task_count_changed"))
        return is_mine ? KEY_COUNTS_MINE : KEY_COUNTS_ORG;
    return 0;
}

/* No row's (the mark is not set), no count's (they are 1 and 2), and never 0. */
uint64_t lines_presence_key(struct slice task)
{
    return (hash(task) & ~KEY_ROW_MARK) | (KEY_ROW_MARK >> 1);
}

void lines_say(struct lines *f, struct slice room, const struct line *line)
{
    size_t              members = sio_room_size(f->ns, room);
    struct sio_message *m;

    if (members == 0)
        return;
    m = sio_message_new(f->ns, line->json, line->offset, line->key);
    if (f->journey != NULL)
        journey_carry(f->journey, m);
    sio_broadcast(f->ns, room, m);
    sio_message_unref(m);
    f->peers->traffic.sent += members;
    metric_inc(f->told);
}

static void say_to_follower(struct sio_socket *s, void *arg)
{
    const struct line *line = arg;
    struct peer       *p = sio_socket_data(s);

    if (p != NULL && p->follows_log)
        peer_emit_at(p, line->json, line->offset);
}

/* The room is not owed this line, since its members were shown it by a snapshot before it was
 * published. Who came back without a snapshot was not. */
static void say_to_followers(struct lines *f, struct slice room, const struct line *line)
{
    struct line copy = *line;

    if (f->peers->followers > 0)
        sio_each_member(f->ns, room, say_to_follower, &copy);
}

struct eviction {
    const struct routing *routing;
    struct slice          room;
    struct sio_message   *message;
    bool                  of_followers;        /* of them alone */
};

static void evict(struct sio_socket *s, void *arg)
{
    struct eviction *e = arg;
    struct peer     *p = sio_socket_data(s);

    if (p == NULL || peer_may_see(p, e->routing->org, e->routing->creator, true) ||
        (e->of_followers && !p->follows_log))
        return;
    peer_left(p, e->routing->task);
    peer_emit_message(p, e->message);
    peer_room_leave(p, e->room, e->routing->task);
}

static void evict_from(struct lines *f, struct eviction *e, const struct line *line)
{
    char       room[ROOM_MAX];
    struct buf made;

    e->room = room_task(room, e->routing->task);
    if (sio_room_size(f->ns, e->room) == 0)
        return;
    buf_init(&made, 256);
    buf_printf(&made, "[\"task:evicted\",{\"taskId\":\"%.*s\",\"seq\":%lld,\"reason\":\"private\"}]",
               SLICE_ARG(e->routing->task), (long long)e->routing->seq);
    e->message = sio_message_new(f->ns, line->json.len > 0 ? line->json : buf_peek(&made),
                                 line->offset, 0);
    sio_each_member(f->ns, e->room, evict, e);
    sio_message_unref(e->message);
    buf_deinit(&made);
}

void lines_evict(struct lines *f, const struct routing *r)
{
    static const struct line NONE = { .key = 0 };
    struct eviction          e = { .routing = r };

    evict_from(f, &e, &NONE);
}

/* A line for dashboards. `is_owed`: it is news for who is there. */
static void say_dash(struct lines *f, const struct routing *r, bool is_mine, bool is_owed,
                     struct line *line)
{
    char         text[ROOM_MAX];
    struct slice room;

    if (r->org.len == 0 || (is_mine && r->creator.len == 0))
        return;
    room = is_mine ? room_mine(text, r->org, r->creator) : room_dash(text, r->org);
    line->key = lines_key(line->json, r->task, is_mine);
    if (is_owed || event_is(line->json, "dashboard:task_count_changed"))
        lines_say(f, room, line);
    else
        say_to_followers(f, room, line);
}

static void say_task(struct lines *f, const struct routing *r, bool is_owed, struct line *line)
{
    char text[ROOM_MAX];

    if (!is_owed) {
        say_to_followers(f, room_task(text, r->task), line);
        return;
    }
    lines_say(f, room_task(text, r->task), line);
    line->offset = (struct slice){ NULL, 0 };
    lines_say(f, room_away(text, r->task), line);
}

static void say(struct lines *f, const struct routing *r, struct slice to, struct line *line,
                const bool owed[2])
{
    bool            is_mine = slice_is(to, "mine");
    struct eviction eviction = { .routing = r, .of_followers = !owed[0] };

    if (slice_is(to, "evict"))
        evict_from(f, &eviction, line);
    else if (slice_is(to, "task"))
        say_task(f, r, owed[0], line);
    else if (is_mine || slice_is(to, "dash"))
        say_dash(f, r, is_mine, owed[1], line);
    else if (slice_starts(to, "user:"))
        lines_say(f, to, line);
}

void lines_tell(struct lines *f, const struct frame *frame, bool tell_task, bool tell_rows)
{
    const bool    owed[2] = { tell_task, tell_rows };
    struct slice  rest = frame->e.lines, to;
    struct offset at = { .at = frame->e.at };
    struct line   line;
    char          text[OFFSET_TEXT_SIZE];
    uint64_t      began = uv_hrtime();

    f->journey = journey_new(&f->journeys);
    for (; envelope_next(&rest, &to, &line.json); at.line++) {
        offset_format(&at, text);
        line.offset = slice_of(text);
        line.key = 0;
        if (!journey_learn(f->journey, to, line.json))
            say(f, &frame->e.routing, to, &line, owed);
    }
    journey_told(f->journey, frame);
    f->journey = NULL;
    metric_observe(f->seconds, (double)(uv_hrtime() - began) / 1e9);
}

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

void lines_say(struct lines *f, struct slice room, struct slice json, uint64_t key)
{
    size_t              members = sio_room_size(f->ns, room);
    struct sio_message *m;

    if (members == 0)
        return;
    m = sio_message_new(f->ns, json, (struct slice){ NULL, 0 }, key);
    sio_broadcast(f->ns, room, m);
    sio_message_unref(m);
    f->peers->traffic.sent += members;
    metric_inc(f->told);
}

struct eviction {
    struct lines        *lines;
    const struct routing *routing;
    struct slice          room;
    struct sio_message   *message;
};

static void evict(struct sio_socket *s, void *arg)
{
    struct eviction *e = arg;
    struct peer     *p = sio_socket_data(s);

    if (p == NULL || peer_may_see(p, e->routing->org, e->routing->creator, true))
        return;
    peer_emit_message(p, e->message);
    sio_leave(s, e->room);
}

void lines_evict(struct lines *f, const struct routing *r, struct slice json)
{
    char            room[ROOM_MAX];
    struct buf      made;
    struct eviction e = { .lines = f, .routing = r, .room = room_task(room, r->task) };

    if (sio_room_size(f->ns, e.room) == 0)
        return;
    buf_init(&made, 256);
    buf_printf(&made, "[\"task:evicted\",{\"taskId\":\"%.*s\",\"seq\":%lld,\"reason\":\"private\"}]",
               SLICE_ARG(r->task), (long long)r->seq);
    e.message = sio_message_new(f->ns, json.len > 0 ? json : buf_peek(&made),
                                (struct slice){ NULL, 0 }, 0);
    sio_each_member(f->ns, e.room, evict, &e);
    sio_message_unref(e.message);
    buf_deinit(&made);
}

/* A line for dashboards. */
static void say_dash(struct lines *f, const struct routing *r, bool is_mine, struct slice json)
{
    char     room[ROOM_MAX];
    uint64_t key = lines_key(json, r->task, is_mine);

    if (r->org.len == 0 || (is_mine && r->creator.len == 0))
        return;
    if (is_mine)
        lines_say(f, room_mine(room, r->org, r->creator), json, key);
    else
        lines_say(f, room_dash(room, r->org), json, key);
}

static void say_task(struct lines *f, const struct routing *r, bool is_eviction, struct slice json)
{
    char room[ROOM_MAX];

    if (is_eviction)
        lines_evict(f, r, json);
    else
        lines_say(f, room_task(room, r->task), json, 0);
}

void lines_tell(struct lines *f, const struct frame *frame, bool tell_task, bool tell_rows)
{
    const struct routing *r = &frame->e.routing;
    struct slice          rest = frame->e.lines, to, json;
    uint64_t              began = uv_hrtime();

    while (envelope_next(&rest, &to, &json)) {
        bool is_eviction = slice_is(to, "evict"), is_mine = slice_is(to, "mine");

        if (is_eviction || slice_is(to, "task")) {
            if (tell_task)
                say_task(f, r, is_eviction, json);
        } else if (is_mine || slice_is(to, "dash")) {
            if (tell_rows || event_is(json, "dashboard:task_count_changed"))
                say_dash(f, r, is_mine, json);
        } else if (slice_starts(to, "user:")) {
            lines_say(f, to, json, 0);
        }
    }
    metric_observe(f->seconds, (double)(uv_hrtime() - began) / 1e9);
}

/* recovery.c -- see recovery.h.
 *
 * The log of the org is the truth about what was said, so a replay is a walk over it from the
 * client's offset, with the same addresses that the live feed looks at. Two things differ from
 * having been there. What the client must not see any more is left out: dashboard lines of
 * a task that turned private later in the same stretch, and everything of a task's room that it
 * was evicted from but the eviction. And nothing may be said before all is known, since the
 * privacy of a line is decided by what comes after it: so frames are held, then said.
 *
 * Why the log first and live frames behind: at `recovery_begin` the feed stands at `target`.
 * The log reaches at least that far (an entry is written before it is published), so it is
 * read up to there and no further; from there on the feed itself brings every number once.
 * The client enters its rooms in the same turn in which the last frame was said.
 *
 * Rejected: reading the log until it ends where the feed happens to be (a busy org moves on
 * between the two), and replaying room by room (the client would see its rooms' past in
 * another order than it happened). */
#include "gateway/recovery.h"

#include <stdio.h>
#include <stdlib.h>

#include <uthash.h>

#include "common/err.h"
#include "common/mem.h"

#define ROOM_PREFIX "t:"
#define TASK_LEN    24
#define TOO_MUCH    "more was missed than is kept for one client"

/* --- offsets --- */

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

int offset_compare(const struct offset *a, const struct offset *b)
{
    int c = compare_u64(a->at.epoch, b->at.epoch);

    if (c == 0)
        c = compare_u64(a->at.number, b->at.number);
    if (c == 0)
        c = compare_u64(a->line, b->line);
    return c != 0 ? c : compare_u64(a->k, b->k);
}

/* --- the record --- */

void record_init(struct record *r)
{
    *r = (struct record){ .start = offset_behind((struct position){ 0, 0 }) };
}

void record_deinit(struct record *r)
{
    free(r->rooms);
    r->rooms = NULL;
    r->room_count = r->room_cap = 0;
}

void record_field(struct slice task, char out[RECORD_FIELD_SIZE])
{
    if (task.len == 0)
        snprintf(out, RECORD_FIELD_SIZE, "d");
    else
        snprintf(out, RECORD_FIELD_SIZE, ROOM_PREFIX "%.*s", SLICE_ARG(task));
}

static int room_add(struct record *r, struct slice task, struct slice value)
{
    struct record_room room = { .is_told = !slice_is(value, RECORD_NOT_TOLD) };

    if (room.is_told && offset_parse(value, &room.told) != 0)
        return ERR_CORRUPT;
    if (r->room_count == RECORD_ROOMS_MAX || task.len >= sizeof(room.task))
        return ERR_CORRUPT;
    if (task.len > 0)
        memcpy(room.task, task.data, task.len);
    if (r->room_count == r->room_cap) {
        r->room_cap = r->room_cap == 0 ? 8 : r->room_cap * 2;
        r->rooms = mem_resize(r->rooms, r->room_cap * sizeof(r->rooms[0]));
    }
    r->rooms[r->room_count++] = room;
    return 0;
}

static int number_add(struct slice value, uint32_t *out)
{
    uint64_t n = 0;

    if (value.len == 0 || value.len > 10)
        return ERR_CORRUPT;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return ERR_CORRUPT;
        n = n * 10 + (uint64_t)(value.data[i] - '0');
    }
    if (n > UINT32_MAX)
        return ERR_CORRUPT;
    *out = (uint32_t)n;
    return 0;
}

int record_add(struct record *r, struct slice field, struct slice value)
{
    if (slice_is(field, "sid")) {
        if (value.len == 0 || value.len >= sizeof(r->sid))
            return ERR_CORRUPT;
        memcpy(r->sid, value.data, value.len);
        r->sid[value.len] = '\0';
        return 0;
    }
    if (slice_is(field, "start"))
        return offset_parse(value, &r->start) == 0 ? 0 : ERR_CORRUPT;
    if (slice_is(field, "k"))
        return number_add(value, &r->k);
    if (slice_is(field, "d"))
        return room_add(r, (struct slice){ NULL, 0 }, value);
    if (slice_starts(field, ROOM_PREFIX))
        return field.len == sizeof(ROOM_PREFIX) - 1 + TASK_LEN
                   ? room_add(r, slice_from(field, sizeof(ROOM_PREFIX) - 1), value) : ERR_CORRUPT;
    return 0;
}

/* --- judging --- */

static int by_task(const void *a, const void *b)
{
    return strcmp(((const struct recovery_room *)a)->task, ((const struct recovery_room *)b)->task);
}

static void rooms_judge(struct recovery *r, const struct record *record, const struct offset *has)
{
    r->rooms = mem_alloc((record->room_count + 1) * sizeof(r->rooms[0]));
    r->room_count = record->room_count;
    for (size_t i = 0; i < record->room_count; i++) {
        const struct record_room *room = &record->rooms[i];
        bool got = has != NULL && room->is_told && offset_compare(has, &room->told) >= 0;

        memcpy(r->rooms[i].task, room->task, sizeof(room->task));
        r->rooms[i].fate = got ? ROOM_REPLAY : ROOM_FRESH;
    }
    qsort(r->rooms, r->room_count, sizeof(r->rooms[0]), by_task);
}

int recovery_init(struct recovery *r, const struct record *record, struct slice offset,
                  struct slice org, struct slice sub)
{
    struct offset  given;
    struct offset *has = NULL;

    *r = (struct recovery){ .org = org, .sub = sub, .from = record->start };
    if (offset.len > 0) {
        if (offset_parse(offset, &given) != 0 || given.k > record->k)
            return ERR_INVALID;
        /* One from before the session (clients keep it when they begin a new one) says nothing. */
        if (offset_compare(&given, &record->start) >= 0)
            has = &given;
    }
    if (has != NULL)
        r->from = *has;
    rooms_judge(r, record, has);
    return 0;
}

static void frames_drop(struct frame **frames, size_t count)
{
    for (size_t i = 0; i < count; i++)
        frame_unref(frames[i]);
    free(frames);
}

void recovery_deinit(struct recovery *r)
{
    frames_drop(r->frames, r->frame_count);
    frames_drop(r->late, r->late_count);
    free(r->rooms);
    *r = (struct recovery){ 0 };
}

struct recovery_room *recovery_room(struct recovery *r, struct slice task)
{
    struct recovery_room key = { .fate = ROOM_GONE };

    if (task.len >= sizeof(key.task))
        return NULL;
    if (task.len > 0)
        memcpy(key.task, task.data, task.len);
    return bsearch(&key, r->rooms, r->room_count, sizeof(key), by_task);
}

/* --- which lines matter --- */

static bool is_replayed(struct recovery *r, struct slice task)
{
    const struct recovery_room *room = recovery_room(r, task);

    return room != NULL && room->fate == ROOM_REPLAY;
}

static bool is_own(const struct recovery *r, struct slice address)
{
    struct slice rest = slice_from(address, 5);

    return slice_starts(address, "user:") && rest.len == r->org.len + 1 + r->sub.len &&
           slice_eq(slice_make(rest.data, r->org.len), r->org) && rest.data[r->org.len] == '/' &&
           slice_eq(slice_from(rest, r->org.len + 1), r->sub);
}

/* Is a line addressed to this client, privacy apart? */
static bool is_for(struct recovery *r, const struct routing *to, struct slice address)
{
    if (slice_is(address, "task") || slice_is(address, "evict"))
        return to->task.len > 0 && is_replayed(r, to->task);
    if (slice_is(address, "dash"))
        return slice_eq(to->org, r->org) && is_replayed(r, (struct slice){ NULL, 0 });
    if (slice_is(address, "mine"))
        return slice_eq(to->org, r->org) && slice_eq(to->creator, r->sub) &&
               is_replayed(r, (struct slice){ NULL, 0 });
    return is_own(r, address);
}

/* The bytes of its lines that may have to be said; 0: it does not matter. */
static size_t weight(struct recovery *r, const struct frame *f)
{
    struct slice rest = f->e.lines, address, json;
    size_t       n = 0;

    while (envelope_next(&rest, &address, &json)) {
        if (is_for(r, &f->e.routing, address))
            n += json.len;
    }
    return n;
}

/* --- taking in --- */

static enum recovery_step lost(struct recovery *r, const char *why)
{
    r->why = why;
    return RECOVERY_LOST;
}

static bool keep(struct recovery *r, struct frame *f, bool is_late)
{
    struct frame ***list = is_late ? &r->late : &r->frames;
    size_t         *count = is_late ? &r->late_count : &r->frame_count;
    size_t         *cap = is_late ? &r->late_cap : &r->frame_cap;
    size_t          n = weight(r, f);

    if (n == 0)
        return true;
    r->bytes += n;
    if (r->bytes > RECOVERY_BYTES_MAX || r->frame_count + r->late_count >= RECOVERY_FRAMES_MAX)
        return false;
    if (*count == *cap) {
        *cap = *cap == 0 ? 16 : *cap * 2;
        *list = mem_resize(*list, *cap * sizeof(struct frame *));
    }
    (*list)[(*count)++] = frame_ref(f);
    return true;
}

static enum recovery_step finish(struct recovery *r)
{
    size_t count = r->late_count;

    r->is_reading = false;
    r->late_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (r->frame_count == r->frame_cap) {
            r->frame_cap = r->frame_cap == 0 ? 16 : r->frame_cap * 2;
            r->frames = mem_resize(r->frames, r->frame_cap * sizeof(struct frame *));
        }
        r->frames[r->frame_count++] = r->late[i];
    }
    return RECOVERY_DONE;
}

enum recovery_step recovery_begin(struct recovery *r, struct position at)
{
    /* An org that had no position when the session began: its first life is all that there was. */
    if (r->from.at.epoch == 0 && at.epoch != 0)
        r->from = offset_behind((struct position){ at.epoch, at.epoch });
    if (r->from.at.epoch > at.epoch ||
        (r->from.at.epoch == at.epoch && r->from.at.number > at.number))
        return RECOVERY_AHEAD;
    if (r->from.at.epoch != at.epoch)
        return lost(r, "another life of the log");
    r->target = at;
    r->next = r->from.at.number;
    r->is_reading = true;
    /* What names a life is a number without an entry. */
    if (r->from.line >= OFFSET_LINE_ALL || r->next == at.epoch)
        r->next++;
    return r->next > at.number ? finish(r) : RECOVERY_READ;
}

enum recovery_step recovery_log(struct recovery *r, const struct slice *texts, size_t count)
{
    if (count == 0)
        return lost(r, "the log ends early");  /* cut off, or not there any more */
    for (size_t i = 0; i < count; i++) {
        struct frame *f = frame_new(texts[i]);
        bool          is_next = f != NULL && f->e.at.epoch == r->target.epoch &&
                                f->e.at.number == r->next;
        bool          fits = is_next && keep(r, f, false);

        if (f != NULL)
            frame_unref(f);
        if (!fits)
            return lost(r, is_next ? TOO_MUCH : "the log does not reach back");
        if (r->next++ == r->target.number)
            return finish(r);
    }
    return RECOVERY_READ;
}

enum recovery_step recovery_frame(struct recovery *r, struct frame *f)
{
    if (f->e.at.epoch != r->target.epoch)
        return lost(r, "a new life of the log");
    if (!keep(r, f, r->is_reading))
        return lost(r, TOO_MUCH);
    return r->is_reading ? RECOVERY_READ : RECOVERY_DONE;
}

/* --- privacy --- */

struct newest {                                /* the newest routing line of a task */
    char           task[TASK_LEN];
    bool           is_hidden;                  /* from this client's dashboard */
    UT_hash_handle hh;
};

static bool is_creator(const struct recovery *r, const struct routing *to)
{
    return slice_eq(to->creator, r->sub);
}

/* Does it take people out of its task's room, and has the client not heard that yet? */
static bool is_eviction(const struct recovery *r, const struct frame *f)
{
    struct slice  rest = f->e.lines, address, json;
    struct offset at = { .at = f->e.at };

    for (; envelope_next(&rest, &address, &json); at.line++) {
        if (slice_is(address, "evict"))
            return offset_compare(&at, &r->from) > 0;
    }
    return false;
}

static void note_evictions(struct recovery *r, const struct frame *f)
{
    const struct routing *to = &f->e.routing;
    struct recovery_room *room = to->task.len > 0 ? recovery_room(r, to->task) : NULL;

    if (room == NULL || room->fate != ROOM_REPLAY || is_creator(r, to))
        return;
    if (!is_eviction(r, f)) {
        /* What is private was not said to them: they were out already, and heard so. */
        if (to->is_private)
            room->fate = ROOM_FRESH;
        return;
    }
    room->fate = ROOM_EVICTED;
    room->evicted_seq = to->seq;
    room->evicted_at = f->e.at.number;
}

void recovery_settle(struct recovery *r)
{
    for (size_t i = 0; i < r->frame_count; i++)
        note_evictions(r, r->frames[i]);
}

/* From the newest to the oldest: the first that names a task decides. */
static struct newest *newest_of_all(const struct recovery *r)
{
    struct newest *all = NULL;

    for (size_t i = r->frame_count; i-- > 0;) {
        const struct routing *to = &r->frames[i]->e.routing;
        struct newest        *n = NULL;

        if (to->task.len != TASK_LEN)
            continue;
        HASH_FIND(hh, all, to->task.data, TASK_LEN, n);
        if (n != NULL)
            continue;
        n = mem_new(struct newest);
        memcpy(n->task, to->task.data, TASK_LEN);
        n->is_hidden = to->is_private && !is_creator(r, to);
        HASH_ADD(hh, all, task, TASK_LEN, n);
    }
    return all;
}

static void newest_free(struct newest *all)
{
    struct newest *n, *next;

    HASH_ITER(hh, all, n, next) {
        HASH_DELETE(hh, all, n);
        free(n);
    }
}

/* A dashboard line from when its task was still public, of one that is not any more. */
static bool is_hidden(struct newest *all, const struct routing *to, struct slice json)
{
    struct newest *n = NULL;

    if (to->is_private || to->task.len != TASK_LEN ||
        event_is(json, "dashboard:task_count_changed"))
        return false;
    HASH_FIND(hh, all, to->task.data, TASK_LEN, n);
    return n != NULL && n->is_hidden;
}

/* --- saying --- */

struct saying {
    struct recovery *r;
    struct newest   *newest;
    void           (*fn)(struct slice json, const struct offset *at, void *arg);
    void            *arg;
};

static bool is_said(const struct saying *s, const struct frame *f, struct slice address,
                    struct slice json)
{
    const struct routing       *to = &f->e.routing;
    const struct recovery_room *room;

    if (slice_is(address, "evict")) {
        room = recovery_room(s->r, to->task);
        return room != NULL && room->fate == ROOM_EVICTED && room->evicted_at == f->e.at.number;
    }
    if (slice_is(address, "dash") && is_hidden(s->newest, to, json))
        return false;
    return is_for(s->r, to, address);
}

static void say(const struct saying *s, const struct frame *f)
{
    struct slice  rest = f->e.lines, address, json;
    struct offset at = { .at = f->e.at };

    for (; envelope_next(&rest, &address, &json); at.line++) {
        if (offset_compare(&at, &s->r->from) > 0 && is_said(s, f, address, json))
            s->fn(json, &at, s->arg);
    }
}

void recovery_each(struct recovery *r, void (*fn)(struct slice json, const struct offset *at,
                                                  void *arg), void *arg)
{
    struct saying s = { r, newest_of_all(r), fn, arg };

    for (size_t i = 0; i < r->frame_count; i++)
        say(&s, r->frames[i]);
    newest_free(s.newest);
}

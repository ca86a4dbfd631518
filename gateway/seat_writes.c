/* seat_writes.c -- what is written of a seat, and what the answers mean.
 *
 * Writes of one seat carry serial numbers, and Redis answers in order, so "is what I need
 * written?" is one comparison with the last serial acknowledged. When a write fails, whatever
 * the reason, the seat is *dirty*: acknowledgements up to then count no more, nothing is
 * written piecemeal, and as soon as Redis can be reached the whole record is written anew,
 * with every room marked as not told (a client that comes back by it gets snapshots). That
 * is one path for a lost link, a restarted Redis, and one that fell back to an older copy.
 *
 * Nothing here holds a pointer to a socket across an answer: commands carry the seat's
 * number, and look it up again.
 *
 * Rejected: keeping each room's offset here too, for the sake of rewriting (48 bytes per room
 * and socket, needed once in a blue moon). */
#include "gateway/seat.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/rooms.h"
#include "gateway/seat_scripts.h"

#define FIXED_ARGS 5                           /* key, owner, how, ttl, how many go */

/* --- commands --- */

struct seat_op *seat_op_new(const struct seat *s)
{
    struct seat_op *op = mem_new(struct seat_op);

    *op = (struct seat_op){ s->all, s->no, s->serial };
    return op;
}

struct seat *seat_op_done(struct seat_op *op)
{
    struct seat *s = seat_table_find(&op->all->table, op->no);

    free(op);
    return s;
}

uint32_t seat_now_s(const struct seats *all)
{
    return (uint32_t)(uv_now(all->loop) / 1000);
}

struct redis *seats_link(const struct seats *all)
{
    return orgs_redis(all->orgs);
}

void seat_owner(const struct seat *s, char out[SEAT_OWNER_SIZE])
{
    snprintf(out, SEAT_OWNER_SIZE, "%s.%llu", s->all->gateway, (unsigned long long)s->no);
}

void seat_key(const struct seat *s, char out[SEAT_KEY_SIZE])
{
    snprintf(out, SEAT_KEY_SIZE, KEY_SESSION_FORMAT, s->pid);
}

/* --- becoming dirty, or nobody's --- */

void seat_soil(struct seat *s)
{
    s->is_dirty = true;
    s->valid_from = s->serial + 1;
    list_remove(&s->in_all);
    list_append(&s->all->dirty, &s->in_all);
}

void seat_lose(struct seat *s)
{
    if (s->is_lost)
        return;
    s->is_lost = true;
    list_remove(&s->in_all);
    metric_inc(s->all->taken_away);
    log_debug("seat-taken-away", LOG_TEXT("socket", sio_socket_sid(s->peer->socket)));
    sio_close_transport(s->peer->socket);
}

void seat_answer(struct seat *s, enum seat_outcome outcome, const struct record *record)
{
    s->is_opening = false;
    s->all->handlers->opened(s->peer, outcome, record, s->all->arg);
}

static void on_written(int err, const struct redis_reply *reply, void *arg)
{
    struct seat_op *op = arg;
    uint32_t        serial = op->serial;
    struct seat    *s = seat_op_done(op);
    int64_t         said = err == 0 ? redis_reply_int(reply) : 0;

    if (s == NULL || s->is_lost || serial < s->valid_from)
        return;
    if (s->is_opening) {
        s->acked = serial;
        seat_answer(s, said == 1 ? SEAT_MADE : SEAT_FAILED, NULL);
    } else if (said < 0) {
        seat_lose(s);
    } else if (said == 0) {
        seat_soil(s);
    } else {
        s->acked = serial;
        s->all->handlers->written(s->peer, s->all->arg);
    }
}

/* --- writing --- */

struct writing {                               /* the arguments of one write */
    struct slice *args;
    size_t        count, cap;
    char          key[SEAT_KEY_SIZE], owner[SEAT_OWNER_SIZE], ttl[SEAT_TTL_SIZE];
    char          k[SEAT_TTL_SIZE];
};

static void writing_add(struct writing *w, struct slice arg)
{
    if (w->count == w->cap) {
        w->cap = w->cap == 0 ? 16 : w->cap * 2;
        w->args = mem_resize(w->args, w->cap * sizeof(w->args[0]));
    }
    w->args[w->count++] = arg;
}

static void writing_set(struct writing *w, const char *field, struct slice value)
{
    writing_add(w, slice_of(field));
    writing_add(w, value);
}

/* `gone` may be empty. */
static void writing_begin(struct writing *w, const struct seat *s, bool is_new,
                          unsigned ttl_s, struct slice gone)
{
    *w = (struct writing){ 0 };
    seat_key(s, w->key);
    seat_owner(s, w->owner);
    snprintf(w->ttl, sizeof(w->ttl), "%u", ttl_s);
    writing_add(w, slice_of(w->key));
    writing_add(w, slice_of(w->owner));
    writing_add(w, is_new ? SLICE("new") : SLICE("own"));
    writing_add(w, slice_of(w->ttl));
    writing_add(w, gone.len > 0 ? SLICE("1") : SLICE("0"));
    if (gone.len > 0)
        writing_add(w, gone);
    assert(w->count >= FIXED_ARGS);
}

static void writing_set_k(struct writing *w, const struct seat *s)
{
    snprintf(w->k, sizeof(w->k), "%u", s->k_max);
    writing_set(w, "k", slice_of(w->k));
}

/* Sends and forgets the arguments. */
static int writing_send(struct writing *w, struct seat *s)
{
    struct seat_op *op = seat_op_new(s);
    int        err = redis_eval(seats_link(s->all), &seat_write_script, on_written, op, 1, w->count,
                                w->args);

    if (err != 0)
        free(op);
    free(w->args);
    return err;
}

void seat_write_field(struct seat *s, struct slice task, const char *value)
{
    char           field[RECORD_FIELD_SIZE];
    struct writing w;

    s->serial++;
    if (s->is_dirty || s->is_lost)
        return;
    record_field(task, field);
    writing_begin(&w, s, false, SEAT_LIVE_TTL_S, value == NULL ? slice_of(field)
                                                          : (struct slice){ NULL, 0 });
    if (value != NULL) {
        writing_set_k(&w, s);
        writing_set(&w, field, slice_of(value));
    }
    if (writing_send(&w, s) != 0)
        seat_soil(s);
}

/* --- the whole record --- */

static void field_append(struct buf *fields, struct slice task)
{
    char field[RECORD_FIELD_SIZE] = "";

    record_field(task, field);
    buf_append(fields, field, sizeof(field));
}

static void field_of_room(struct sio_socket *socket, struct slice room, void *arg)
{
    const struct peer *p = sio_socket_data(socket);
    char               dash[ROOM_MAX];

    if (slice_starts(room, "task:") || slice_starts(room, "away:"))
        field_append(arg, slice_from(room, 5));
    else if (slice_eq(room, room_dash(dash, user_org(p->user))))
        field_append(arg, (struct slice){ NULL, 0 });
}

/* The rooms that it is in or waits for, RECORD_FIELD_SIZE bytes each, perhaps twice. */
static void fields_of(const struct seat *s, struct buf *fields)
{
    sio_each_room(s->peer->socket, field_of_room, fields);
    list_each(node, &s->peer->waits)
        field_append(fields, slice_of(container_of(node, struct wait, in_peer)->task));
}

int seat_write_all(struct seat *s)
{
    struct writing w;
    struct buf     fields;
    char           start[OFFSET_TEXT_SIZE];

    s->serial++;
    buf_init(&fields, SIZE_MAX / 2);
    fields_of(s, &fields);
    offset_format(&s->start, start);
    writing_begin(&w, s, true, SEAT_LIVE_TTL_S, (struct slice){ NULL, 0 });
    writing_set(&w, "sub", user_sub(s->peer->user));
    writing_set(&w, "org", user_org(s->peer->user));
    writing_set(&w, "run", slice_of(redis_run_id(seats_link(s->all))));
    writing_set(&w, "sid", slice_of(sio_socket_sid(s->peer->socket)));
    writing_set(&w, "start", slice_of(start));
    writing_set_k(&w, s);
    for (size_t i = 0; i < fields.len; i += RECORD_FIELD_SIZE)
        writing_set(&w, fields.data + i, SLICE(RECORD_NOT_TOLD));
    s->renewed_s = seat_now_s(s->all);
    if (writing_send(&w, s) != 0) {
        buf_deinit(&fields);
        return ERR_REDIS;
    }
    buf_deinit(&fields);
    return 0;
}

void seat_write_end(struct seat *s, bool is_kept)
{
    struct writing w;

    if (s->is_lost)
        return;
    writing_begin(&w, s, false, SESSION_TTL_S, (struct slice){ NULL, 0 });
    if (is_kept)
        (void)redis_eval(seats_link(s->all), &seat_write_script, NULL, NULL, 1, w.count, w.args);
    else
        (void)redis_eval(seats_link(s->all), &seat_delete_script, NULL, NULL, 1, 2, w.args);
    free(w.args);
}

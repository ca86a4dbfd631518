/* peer.c -- see peer.h.
 *
 * A wait is on up to three lists at once (who waits for the snapshot, what this peer waits
 * for, what is due next); the intrusive lists make "remove it from all" unconditional. All
 * deadlines are equally far away, so the list of those that are due stays sorted by itself. */
#include "gateway/peer.h"

#include <assert.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"
#include "gateway/rooms.h"

struct request {
    struct peer *peer;
    int64_t      ack;
    size_t       open;                         /* waits, and 1 while it is not sealed */
    int          outcome;
    bool         is_batch;
    void       (*done)(struct peer *p, int outcome);   /* NULL: the client is answered */
};

void peers_init(struct peers *all, uv_loop_t *loop, struct metrics *metrics)
{
    static const char *const LABELS[ERROR_COUNT] = {
#define ERROR(name, wire, http, text) [ERROR_##name] = "code=\"" wire "\"",
#include "proto/errors.def"
#undef ERROR
    };

    *all = (struct peers){ .loop = loop };
    list_init(&all->waits);
    list_init(&all->tracers);
    for (int i = 0; i < ERROR_COUNT; i++)
        all->errors[i] = metrics_counter(metrics, "taskwire_socket_errors_total", LABELS[i],
                                         "Errors told to clients over sockets.");
}

void peers_count_error(struct peers *all, enum error_code code)
{
    all->traffic.errors++;
    metric_inc(all->errors[code]);
}

struct peer *peer_new(struct peers *all, struct sio_socket *s, struct user *user, struct org *org)
{
    struct peer *p = mem_new(struct peer);

    p->all = all;
    p->socket = s;
    p->user = user;
    p->org = org;
    list_init(&p->waits);
    guarded_init(&p->guard);
    sio_socket_set_data(s, p);
    return p;
}

bool peer_may_see(const struct peer *p, struct slice org, struct slice creator, bool is_private)
{
    if (slice_eq(creator, user_sub(p->user)))
        return true;
    return !is_private && slice_eq(org, user_org(p->user));
}

/* --- rooms of tasks --- */

/* Whether it was in there already is seen by the number of its rooms: no second search. */
int peer_room_enter(struct peer *p, struct slice room, struct slice task)
{
    size_t before = sio_room_count(p->socket);
    int    err = sio_join(p->socket, room);

    if (p->all->watch != NULL && sio_room_count(p->socket) > before)
        p->all->watch->entered(p, task, p->all->watch_arg);
    return err;
}

void peer_room_leave(struct peer *p, struct slice room, struct slice task)
{
    size_t before = sio_room_count(p->socket);

    sio_leave(p->socket, room);
    if (p->all->watch != NULL && sio_room_count(p->socket) < before)
        p->all->watch->left(p, task, p->all->watch_arg);
}

/* --- the keeper --- */

uint64_t peer_expect(struct peer *p, struct slice task)
{
    return p->seat == NULL ? 0 : p->all->keeper->expect(p, task);
}

void peer_told(struct peer *p, struct slice task, const struct offset *at)
{
    if (p->seat != NULL)
        p->all->keeper->told(p, task, at);
}

void peer_left(struct peer *p, struct slice task)
{
    if (p->seat != NULL)
        p->all->keeper->left(p, task);
}

struct slice peer_number(struct peer *p, struct position at, struct offset *out,
                         char text[OFFSET_TEXT_SIZE])
{
    if (p->is_stream)
        *out = offset_behind(at);
    else if (p->seat == NULL || !p->all->keeper->number(p, at, out))
        return (struct slice){ NULL, 0 };
    offset_format(out, text);
    return slice_of(text);
}

/* --- sending --- */

void peer_emit(struct peer *p, struct slice array)
{
    if (sio_emit(p->socket, array) == 0)
        p->all->traffic.sent++;
}

void peer_emit_at(struct peer *p, struct slice array, struct slice offset)
{
    struct sio_message *m;

    if (offset.len == 0) {
        peer_emit(p, array);
        return;
    }
    m = sio_message_new(sio_socket_namespace(p->socket), array, offset, 0);
    peer_emit_message(p, m);
    sio_message_unref(m);
}

void peer_emit_message(struct peer *p, struct sio_message *m)
{
    if (sio_emit_message(p->socket, m) == 0)
        p->all->traffic.sent++;
}

/* --- answers --- */

static void error_append(struct buf *b, int outcome)
{
    const struct error_spec *spec = error_spec((enum error_code)outcome);

    buf_append_text(b, "\"message\":");
    buf_append_json(b, slice_of(spec->text));
    buf_append_text(b, ",\"code\":");
    buf_append_json(b, slice_of(spec->code));
}

static void emit_error(struct peer *p, int outcome, const char *task)
{
    struct buf b;

    buf_init(&b, 1024);
    buf_append_text(&b, "[\"error\",{");
    error_append(&b, outcome);
    if (task[0] != '\0')
        buf_printf(&b, ",\"taskId\":\"%s\"", task);
    buf_append_text(&b, "}]");
    peer_emit(p, buf_peek(&b));
    buf_deinit(&b);
}

void peer_answer(struct peer *p, int64_t ack, int outcome)
{
    struct buf b;

    if (outcome != OUTCOME_OK)
        peers_count_error(p->all, (enum error_code)outcome);
    if (ack < 0) {
        if (outcome != OUTCOME_OK)
            emit_error(p, outcome, "");
        return;
    }
    buf_init(&b, 1024);
    if (outcome == OUTCOME_OK) {
        buf_append_text(&b, "[{\"ok\":true}]");
    } else {
        buf_append_text(&b, "[{\"ok\":false,\"error\":{");
        error_append(&b, outcome);
        buf_append_text(&b, "}}]");
    }
    if (sio_ack(p->socket, ack, buf_peek(&b)) == 0)
        p->all->traffic.sent++;
    buf_deinit(&b);
}

void peer_answer_with(struct peer *p, int64_t ack, struct slice members)
{
    struct buf b;

    if (ack < 0)
        return;
    buf_init(&b, SIZE_MAX / 2);
    buf_append_text(&b, "[{\"ok\":true,");
    buf_append_slice(&b, members);
    buf_append_text(&b, "}]");
    if (sio_ack(p->socket, ack, buf_peek(&b)) == 0)
        p->all->traffic.sent++;
    buf_deinit(&b);
}

void peer_tell_error(struct peer *p, enum error_code code, const char *task)
{
    peers_count_error(p->all, code);
    emit_error(p, (int)code, task);
}

/* --- requests --- */

struct request *request_new(struct peer *p, int64_t ack, bool is_batch)
{
    struct request *r = mem_new(struct request);

    *r = (struct request){ p, ack, 1, OUTCOME_OK, is_batch, NULL };
    return r;
}

struct request *request_new_told(struct peer *p, void (*done)(struct peer *p, int outcome))
{
    struct request *r = request_new(p, -1, false);

    r->done = done;
    return r;
}

static void request_answer(struct request *r)
{
    if (r->done == NULL) {
        peer_answer(r->peer, r->ack, r->outcome);
        return;
    }
    if (r->outcome != OUTCOME_OK)
        peers_count_error(r->peer->all, (enum error_code)r->outcome);
    r->done(r->peer, r->outcome);
}

static void request_close_one(struct request *r, bool is_silent)
{
    assert(r->open > 0);
    if (--r->open > 0)
        return;
    if (!is_silent)
        request_answer(r);
    free(r);
}

void request_seal(struct request *r)
{
    request_close_one(r, false);
}

static void request_told(struct request *r, int outcome, const char *task)
{
    if (outcome != OUTCOME_OK && r->is_batch) {
        peer_tell_error(r->peer, (enum error_code)outcome, task);
    } else if (outcome != OUTCOME_OK) {
        r->outcome = outcome;
    }
    request_close_one(r, false);
}

/* --- waits --- */

struct wait *wait_new(struct peer *p, struct request *request, struct slice task)
{
    struct wait *w = mem_new(struct wait);

    assert(task.len < sizeof(w->task));
    if (task.len > 0)
        memcpy(w->task, task.data, task.len);
    w->peer = p;
    w->request = request;
    w->due_ms = uv_now(p->all->loop) + WAIT_MS;
    list_init(&w->in_source);
    list_init(&w->in_due);
    list_append(&p->waits, &w->in_peer);
    if (request != NULL) {
        request->open++;
        list_append(&p->all->waits, &w->in_due);
    }
    return w;
}

void wait_owe(struct wait *w)
{
    w->is_owed = true;
    list_remove(&w->in_due);
}

static void wait_unlink(struct wait *w)
{
    list_remove(&w->in_source);
    list_remove(&w->in_peer);
    list_remove(&w->in_due);
}

void wait_expect(struct wait *w)
{
    if (w->write == 0)
        w->write = peer_expect(w->peer, slice_of(w->task));
}

bool wait_may_be_served(struct wait *w)
{
    const struct peer *p = w->peer;

    w->is_parked = w->write != 0 && p->seat != NULL &&
                   !p->all->keeper->has_written(p, w->write);
    return !w->is_parked;
}

struct wait *wait_unpark(struct peer *p)
{
    list_each(node, &p->waits) {
        struct wait *w = container_of(node, struct wait, in_peer);

        if (w->is_parked && wait_may_be_served(w))
            return w;
    }
    return NULL;
}

static bool is_in(const struct peer *p, const char *task)
{
    char room[ROOM_MAX];

    if (task[0] == '\0')
        return sio_is_member(p->socket, room_dash(room, user_org(p->user)));
    return sio_is_member(p->socket, room_task(room, slice_of(task))) ||
           sio_is_member(p->socket, room_away(room, slice_of(task)));
}

void wait_end(struct wait *w, int outcome)
{
    wait_unlink(w);
    if (outcome != OUTCOME_OK && w->write != 0 && !is_in(w->peer, w->task))
        peer_left(w->peer, slice_of(w->task));
    if (w->request != NULL)
        request_told(w->request, outcome, w->task);
    free(w);
}

static void wait_drop(struct wait *w)
{
    wait_unlink(w);
    if (w->request != NULL)
        request_close_one(w->request, true);
    free(w);
}

struct wait *waits_due(const struct peers *all)
{
    struct wait *w = container_of(all->waits.next, struct wait, in_due);

    return !list_is_empty(&all->waits) && w->due_ms <= uv_now(all->loop) ? w : NULL;
}

bool peer_forget(struct peer *p, struct slice task)
{
    bool was_waiting = false;

    list_each_safe(node, &p->waits) {
        struct wait *w = container_of(node, struct wait, in_peer);

        if (!slice_is(task, w->task))
            continue;
        was_waiting = true;
        if (w->request != NULL)
            wait_end(w, OUTCOME_OK);           /* it was asked to stop waiting: that is done */
        else
            wait_drop(w);
    }
    return was_waiting;
}

void peer_trace(struct peer *p)
{
    struct tracer *t = mem_new(struct tracer);

    assert(!p->is_traced);
    t->peer = p;
    list_append(&p->all->tracers, &t->in);
    p->is_traced = true;
}

static void untrace(const struct peer *p)
{
    list_each_safe(node, &p->all->tracers) {
        struct tracer *t = container_of(node, struct tracer, in);

        if (t->peer != p)
            continue;
        list_remove(&t->in);
        free(t);
    }
}

void peer_free(struct peer *p)
{
    list_each_safe(node, &p->waits)
        wait_drop(container_of(node, struct wait, in_peer));
    assert(!guard_is_on(&p->guard) && p->seat == NULL && p->arrival == NULL);
    if (p->follows_log)
        p->all->followers--;
    if (p->is_traced)
        untrace(p);
    sio_socket_set_data(p->socket, NULL);
    free(p);
}

/* seats.c -- see seats.h.
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
 * Rejected: a timer per seat (one walk over those due serves all, many in one command),
 * and keeping each room's offset here too, for the sake of rewriting (48 bytes per room and
 * socket, needed once in a blue moon). */
#include "gateway/seats.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <uthash.h>

#include "common/crypto.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/rooms.h"
#include "gateway/seat_scripts.h"
#include "proto/keys.h"

#define KEY_SIZE       64
#define OWNER_SIZE     80
#define TTL_SIZE       16
#define RENEW_BATCH    64                      /* records per command */
#define REWRITE_MAX    256                     /* records per tick */
#define PID_BYTES      15
#define HEAD_FIELDS    6                       /* sub, org, run, sid, start, k */
#define FIXED_ARGS     5                       /* key, owner, how, ttl, how many go */

struct seat {
    struct seats *all;
    struct peer     *peer;
    uint64_t         no;
    char             pid[SIO_SID_MAX];
    struct offset    start;
    uint64_t         serial;                   /* of the last write */
    uint64_t         acked;                    /* all up to it are written */
    uint64_t         valid_from;               /* answers to earlier writes are of no interest */
    uint32_t         k_used, k_max;            /* snapshots numbered; promised to the record */
    bool             is_opening;               /* `opened` is due */
    bool             is_dirty, is_lost;
    uint64_t         renewed_ms;
    struct list      in_all;                   /* of fine or dirty */
    UT_hash_handle   hh;
};

/* --- commands --- */

struct op {                                    /* one command under way */
    struct seats *all;
    uint64_t         no, serial;
};

static struct op *op_new(const struct seat *s)
{
    struct op *op = mem_new(struct op);

    *op = (struct op){ s->all, s->no, s->serial };
    return op;
}

static struct seat *op_done(struct op *op)
{
    struct seat *s = NULL;

    HASH_FIND(hh, op->all->table, &op->no, sizeof(op->no), s);
    free(op);
    return s;
}

static struct redis *link_of(const struct seats *all)
{
    return orgs_redis(all->orgs);
}

static void owner_of(const struct seat *s, char out[OWNER_SIZE])
{
    snprintf(out, OWNER_SIZE, "%s.%llu", s->all->gateway, (unsigned long long)s->no);
}

static void key_of(const struct seat *s, char out[KEY_SIZE])
{
    snprintf(out, KEY_SIZE, KEY_SESSION_FORMAT, s->pid);
}

/* --- becoming dirty, or nobody's --- */

static void soil(struct seat *s)
{
    s->is_dirty = true;
    s->valid_from = s->serial + 1;
    list_remove(&s->in_all);
    list_append(&s->all->dirty, &s->in_all);
}

static void lose(struct seat *s)
{
    if (s->is_lost)
        return;
    s->is_lost = true;
    list_remove(&s->in_all);
    metric_inc(s->all->taken_away);
    log_debug("seat-taken-away", LOG_TEXT("socket", sio_socket_sid(s->peer->socket)));
    sio_close_transport(s->peer->socket);
}

static void answer_open(struct seat *s, enum seat_outcome outcome,
                        const struct record *record)
{
    s->is_opening = false;
    s->all->handlers->opened(s->peer, outcome, record, s->all->arg);
}

static void on_written(int err, const struct redis_reply *reply, void *arg)
{
    struct op      *op = arg;
    uint64_t        serial = op->serial;
    struct seat *s = op_done(op);
    int64_t         said = err == 0 ? redis_reply_int(reply) : 0;

    if (s == NULL || s->is_lost || serial < s->valid_from)
        return;
    if (s->is_opening) {
        s->acked = serial;
        answer_open(s, said == 1 ? SEAT_MADE : SEAT_FAILED, NULL);
    } else if (said < 0) {
        lose(s);
    } else if (said == 0) {
        soil(s);
    } else {
        s->acked = serial;
        s->all->handlers->written(s->peer, s->all->arg);
    }
}

/* --- writing --- */

struct writing {                               /* the arguments of one write */
    struct slice *args;
    size_t        count, cap;
    char          key[KEY_SIZE], owner[OWNER_SIZE], ttl[TTL_SIZE], k[TTL_SIZE];
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
    key_of(s, w->key);
    owner_of(s, w->owner);
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
    struct op *op = op_new(s);
    int        err = redis_eval(link_of(s->all), &seat_write_script, on_written, op, 1, w->count,
                                w->args);

    if (err != 0)
        free(op);
    free(w->args);
    return err;
}

static const unsigned LIVE_TTL_S = SESSION_TTL_S + SESSION_RENEW_S;

/* One field of a record that is fine; what cannot be sent makes it dirty. */
static void write_field(struct seat *s, struct slice task, const char *value)
{
    char           field[RECORD_FIELD_SIZE];
    struct writing w;

    s->serial++;
    if (s->is_dirty || s->is_lost)
        return;
    record_field(task, field);
    writing_begin(&w, s, false, LIVE_TTL_S, value == NULL ? slice_of(field)
                                                          : (struct slice){ NULL, 0 });
    if (value != NULL) {
        writing_set_k(&w, s);
        writing_set(&w, field, slice_of(value));
    }
    if (writing_send(&w, s) != 0)
        soil(s);
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

static int write_all(struct seat *s)
{
    struct writing w;
    struct buf     fields;
    char           start[OFFSET_TEXT_SIZE];

    s->serial++;
    buf_init(&fields, SIZE_MAX / 2);
    fields_of(s, &fields);
    offset_format(&s->start, start);
    writing_begin(&w, s, true, LIVE_TTL_S, (struct slice){ NULL, 0 });
    writing_set(&w, "sub", user_sub(s->peer->user));
    writing_set(&w, "org", user_org(s->peer->user));
    writing_set(&w, "run", slice_of(redis_run_id(link_of(s->all))));
    writing_set(&w, "sid", slice_of(sio_socket_sid(s->peer->socket)));
    writing_set(&w, "start", slice_of(start));
    writing_set_k(&w, s);
    for (size_t i = 0; i < fields.len; i += RECORD_FIELD_SIZE)
        writing_set(&w, fields.data + i, SLICE(RECORD_NOT_TOLD));
    s->renewed_ms = uv_now(s->all->loop);
    if (writing_send(&w, s) != 0) {
        buf_deinit(&fields);
        return ERR_REDIS;
    }
    buf_deinit(&fields);
    return 0;
}

/* --- the keeper's calls (peer.h) --- */

static uint64_t keeper_expect(struct peer *p, struct slice task)
{
    struct seat *s = p->seat;

    s->k_max++;
    write_field(s, task, RECORD_NOT_TOLD);
    return s->serial;
}

static bool keeper_has_written(const struct peer *p, uint64_t write)
{
    return !p->seat->is_dirty && p->seat->acked >= write;
}

static bool keeper_number(struct peer *p, struct position at, struct offset *out)
{
    struct seat *s = p->seat;

    if (s->is_lost || at.epoch == 0 || s->k_used >= s->k_max)
        return false;
    *out = offset_behind(at);
    out->k = ++s->k_used;
    return true;
}

static void keeper_told(struct peer *p, struct slice task, const struct offset *at)
{
    char text[OFFSET_TEXT_SIZE];

    offset_format(at, text);
    write_field(p->seat, task, text);
}

static void keeper_left(struct peer *p, struct slice task)
{
    write_field(p->seat, task, NULL);
}

static const struct peer_keeper KEEPER = {
    .expect = keeper_expect,
    .has_written = keeper_has_written,
    .number = keeper_number,
    .told = keeper_told,
    .left = keeper_left,
};

/* --- beginning and ending --- */

bool seats_are_up(const struct seats *all)
{
    return redis_is_up(link_of(all));
}

bool seat_pid_is_well_formed(struct slice pid)
{
    if (pid.len == 0 || pid.len >= SIO_SID_MAX)
        return false;
    for (size_t i = 0; i < pid.len; i++) {
        char c = pid.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

static struct seat *seat_new(struct seats *all, struct peer *p)
{
    struct seat *s = mem_new(struct seat);

    assert(p->seat == NULL);
    s->all = all;
    s->peer = p;
    s->no = ++all->last_no;
    s->is_opening = true;
    s->renewed_ms = uv_now(all->loop);
    list_append(&all->fine, &s->in_all);
    HASH_ADD(hh, all->table, no, sizeof(s->no), s);
    p->seat = s;
    return s;
}

static void seat_free(struct seat *s)
{
    HASH_DELETE(hh, s->all->table, s);
    list_remove(&s->in_all);
    s->peer->seat = NULL;
    free(s);
}

int seat_make(struct seats *all, struct peer *p, struct position start)
{
    struct seat *s = seat_new(all, p);
    uint8_t         random[PID_BYTES];
    struct buf      pid;
    int             err;

    crypto_random(random, sizeof(random));
    buf_init(&pid, sizeof(s->pid) - 1);
    crypto_append_base64url(&pid, random, sizeof(random));
    memcpy(s->pid, pid.data, pid.len + 1);
    buf_deinit(&pid);
    s->start = offset_behind(start);
    err = write_all(s);
    if (err != 0)
        seat_free(s);
    return err;
}

/* A reply of HGETALL. */
static int record_read(const struct redis_reply *reply, struct record *out)
{
    size_t count = redis_reply_count(reply);
    int    err = 0;

    for (size_t i = 0; i + 1 < count && err == 0; i += 2)
        err = record_add(out, redis_reply_text(redis_reply_at(reply, i)),
                         redis_reply_text(redis_reply_at(reply, i + 1)));
    return err != 0 ? err : out->sid[0] == '\0' ? ERR_CORRUPT : 0;
}

static void on_taken(int err, const struct redis_reply *reply, void *arg)
{
    struct seat *s = op_done(arg);
    struct record   record;

    if (s == NULL)
        return;
    if (err != 0 || redis_reply_kind(reply) != REDIS_ARRAY) {
        answer_open(s, err != 0 ? SEAT_FAILED
                       : slice_is(redis_reply_text(reply), "stranger") ? SEAT_STRANGER
                                                                      : SEAT_UNKNOWN, NULL);
        return;
    }
    record_init(&record);
    err = record_read(reply, &record);
    if (err != 0)
        log_error("seat-corrupt", LOG_ERR(err));
    s->start = record.start;
    s->k_used = s->k_max = record.k;
    answer_open(s, err != 0 ? SEAT_UNKNOWN : SEAT_TAKEN, err != 0 ? NULL : &record);
    record_deinit(&record);
}

int seat_take(struct seats *all, struct peer *p, const char *pid)
{
    struct seat *s = seat_new(all, p);
    char            key[KEY_SIZE], owner[OWNER_SIZE], ttl[TTL_SIZE];
    struct op      *op = op_new(s);
    int             err;

    assert(seat_pid_is_well_formed(slice_of(pid)));
    snprintf(s->pid, sizeof(s->pid), "%s", pid);
    key_of(s, key);
    owner_of(s, owner);
    snprintf(ttl, sizeof(ttl), "%u", LIVE_TTL_S);
    const struct slice args[] = {
        slice_of(key), slice_of(owner), user_sub(p->user), user_org(p->user),
        slice_of(redis_run_id(link_of(all))), slice_of(ttl),
        slice_make(KEY_GATEWAY_FORMAT, sizeof(KEY_GATEWAY_FORMAT) - 1 - 2),
    };
    err = redis_eval(link_of(all), &seat_take_script, on_taken, op, 1,
                     sizeof(args) / sizeof(args[0]), args);
    if (err != 0) {
        free(op);
        seat_free(s);
    }
    return err;
}

bool seat_is_sound(const struct peer *p)
{
    return p->seat != NULL && !p->seat->is_dirty && !p->seat->is_lost;
}

const char *seat_pid(const struct peer *p)
{
    return p->seat == NULL ? NULL : p->seat->pid;
}

/* Nobody waits for the answers; what cannot be sent ends with its TTL. */
void seat_end(struct seats *all, struct peer *p, bool is_kept)
{
    struct seat *s = p->seat;
    struct writing  w;

    if (s == NULL)
        return;
    if (!s->is_lost) {
        writing_begin(&w, s, false, SESSION_TTL_S, (struct slice){ NULL, 0 });
        if (is_kept)
            (void)redis_eval(link_of(all), &seat_write_script, NULL, NULL, 1, w.count, w.args);
        else
            (void)redis_eval(link_of(all), &seat_delete_script, NULL, NULL, 1, 2, w.args);
        free(w.args);
    }
    seat_free(s);
}

/* --- time --- */

struct batch {                                 /* one renewal under way */
    struct seats *all;
    size_t           count;
    uint64_t         no[RENEW_BATCH];
};

static void on_renewed(int err, const struct redis_reply *reply, void *arg)
{
    struct batch *b = arg;

    for (size_t i = 0; err == 0 && i < b->count; i++) {
        struct seat *s = NULL;
        int64_t         said = redis_reply_int(redis_reply_at(reply, i));

        HASH_FIND(hh, b->all->table, &b->no[i], sizeof(b->no[i]), s);
        if (s == NULL || s->is_opening || said > 0)
            continue;
        if (said < 0)
            lose(s);
        else if (!s->is_dirty)
            soil(s);
    }
    free(b);
}

/* As many as are due and fit into one command; false where none is. */
static bool renew_some(struct seats *all)
{
    uint64_t      now = uv_now(all->loop);
    char          keys[RENEW_BATCH][KEY_SIZE], owners[RENEW_BATCH][OWNER_SIZE], ttl[TTL_SIZE];
    struct slice  args[2 * RENEW_BATCH + 2];
    struct batch *b = mem_new(struct batch);

    b->all = all;
    while (b->count < RENEW_BATCH && !list_is_empty(&all->fine)) {
        struct seat *s = container_of(all->fine.next, struct seat, in_all);

        if (now - s->renewed_ms < (uint64_t)SESSION_RENEW_S * 1000)
            break;
        s->renewed_ms = now;
        list_remove(&s->in_all);
        list_append(&all->fine, &s->in_all);
        key_of(s, keys[b->count]);
        owner_of(s, owners[b->count]);
        b->no[b->count++] = s->no;
    }
    snprintf(ttl, sizeof(ttl), "%u", LIVE_TTL_S);
    for (size_t i = 0; i < b->count; i++) {
        args[i] = slice_of(keys[i]);
        args[b->count + 2 + i] = slice_of(owners[i]);
    }
    args[b->count] = slice_of(ttl);
    args[b->count + 1] = slice_of(redis_run_id(link_of(all)));
    if (b->count > 0 && redis_eval(link_of(all), &seat_renew_script, on_renewed, b, b->count,
                                   2 * b->count + 2, args) == 0)
        return true;
    free(b);
    return false;
}

static void rewrite_some(struct seats *all)
{
    size_t left = REWRITE_MAX;

    list_each_safe(node, &all->dirty) {
        struct seat *s = container_of(node, struct seat, in_all);

        if (s->peer->arrival != NULL)
            continue;                          /* its rooms are not known yet: it begins anew */
        if (left-- == 0 || write_all(s) != 0)
            return;
        metric_inc(all->rewritten);
        s->is_dirty = false;
        list_remove(&s->in_all);
        list_append(&all->fine, &s->in_all);
    }
}

void seats_tick(struct seats *all)
{
    const char *run = redis_run_id(link_of(all));

    if (!seats_are_up(all))
        return;
    if (strcmp(all->run, run) != 0) {          /* it may have none of our records, or old ones */
        snprintf(all->run, sizeof(all->run), "%s", run);
        while (!list_is_empty(&all->fine))
            soil(container_of(all->fine.next, struct seat, in_all));
    }
    rewrite_some(all);
    while (renew_some(all))
        continue;
}

/* --- news for this gateway --- */

/* "drop <gateway>.<number>" */
static void on_news(struct slice message, void *arg)
{
    struct seats *all = arg;
    char             text[OWNER_SIZE], *dot;
    uint64_t         no;
    struct seat  *s = NULL;

    if (!slice_starts(message, "drop ") || message.len - 5 >= sizeof(text))
        return;
    snprintf(text, sizeof(text), "%.*s", (int)message.len - 5, message.data + 5);
    dot = strchr(text, '.');
    if (dot == NULL)
        return;
    *dot = '\0';
    no = strtoull(dot + 1, NULL, 10);
    HASH_FIND(hh, all->table, &no, sizeof(no), s);
    if (s != NULL && strcmp(text, all->gateway) == 0)
        lose(s);
}

static double read_seats(void *arg)
{
    return HASH_COUNT(((struct seats *)arg)->table);
}

void seats_init(struct seats *all, struct peers *peers, const char *gateway,
                   struct orgs *orgs, struct metrics *m)
{
    char channel[KEY_SIZE + OWNER_SIZE];

    *all = (struct seats){ .loop = peers->loop, .gateway = gateway, .orgs = orgs };
    list_init(&all->fine);
    list_init(&all->dirty);
    peers->keeper = &KEEPER;
    snprintf(channel, sizeof(channel), KEY_GATEWAY_FORMAT, gateway);
    orgs_listen(orgs, slice_of(channel), on_news, all);
    all->taken_away = metrics_counter(m, "taskwire_seats_taken_away_total", NULL,
                                      "Sessions that were gone on with on another connection.");
    all->rewritten = metrics_counter(m, "taskwire_seats_rewritten_total", NULL,
                                     "Records written anew because Redis might not have them.");
    metrics_read(m, "taskwire_seats", NULL, "Sockets with a recoverable seat.",
                 read_seats, all);
}

void seats_handle(struct seats *all, const struct seats_handlers *handlers, void *arg)
{
    all->handlers = handlers;
    all->arg = arg;
}

/* seats.c -- see seats.h; seat_writes.c says how records are kept true.
 *
 * Rejected: a timer per seat (one walk over those due serves all, many in one command). */
#include "gateway/seat.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/crypto.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/seat_scripts.h"

#define RENEW_BATCH    64                      /* records per command */
#define REWRITE_MAX    256                     /* records per tick */
#define PID_BYTES      15

/* --- the keeper's calls (peer.h) --- */

static uint64_t keeper_expect(struct peer *p, struct slice task)
{
    struct seat *s = p->seat;

    s->k_max++;
    seat_write_field(s, task, RECORD_NOT_TOLD);
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
    seat_write_field(p->seat, task, text);
}

static void keeper_left(struct peer *p, struct slice task)
{
    seat_write_field(p->seat, task, NULL);
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
    return redis_is_up(seats_link(all));
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
    struct seat *s = pool_take(&all->pool);

    assert(p->seat == NULL);
    s->all = all;
    s->peer = p;
    s->no = ++all->last_no;
    s->is_opening = true;
    s->renewed_s = seat_now_s(all);
    list_append(&all->fine, &s->in_all);
    seat_table_add(&all->table, s);
    p->seat = s;
    return s;
}

static void seat_free(struct seat *s)
{
    seat_table_remove(&s->all->table, s);
    list_remove(&s->in_all);
    s->peer->seat = NULL;
    pool_give(&s->all->pool, s);
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
    err = seat_write_all(s);
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
    struct seat *s = seat_op_done(arg);
    struct record   record;

    if (s == NULL)
        return;
    if (err != 0 || redis_reply_kind(reply) != REDIS_ARRAY) {
        seat_answer(s, err != 0 ? SEAT_FAILED
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
    seat_answer(s, err != 0 ? SEAT_UNKNOWN : SEAT_TAKEN, err != 0 ? NULL : &record);
    record_deinit(&record);
}

int seat_take(struct seats *all, struct peer *p, const char *pid)
{
    struct seat *s = seat_new(all, p);
    char            key[SEAT_KEY_SIZE], owner[SEAT_OWNER_SIZE], ttl[SEAT_TTL_SIZE];
    struct seat_op *op = seat_op_new(s);
    int             err;

    assert(seat_pid_is_well_formed(slice_of(pid)));
    memcpy(s->pid, pid, strlen(pid) + 1);
    seat_key(s, key);
    seat_owner(s, owner);
    snprintf(ttl, sizeof(ttl), "%u", SEAT_LIVE_TTL_S);
    const struct slice args[] = {
        slice_of(key), slice_of(owner), user_sub(p->user), user_org(p->user),
        slice_of(redis_run_id(seats_link(all))), slice_of(ttl),
        slice_make(KEY_GATEWAY_FORMAT, sizeof(KEY_GATEWAY_FORMAT) - 1 - 2),
    };
    err = redis_eval(seats_link(all), &seat_take_script, on_taken, op, 1,
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

void seat_end(struct seats *all, struct peer *p, bool is_kept)
{
    (void)all;
    if (p->seat == NULL)
        return;
    seat_write_end(p->seat, is_kept);
    seat_free(p->seat);
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
        struct seat *s = seat_table_find(&b->all->table, b->no[i]);
        int64_t      said = redis_reply_int(redis_reply_at(reply, i));

        if (s == NULL || s->is_opening || said > 0)
            continue;
        if (said < 0)
            seat_lose(s);
        else if (!s->is_dirty)
            seat_soil(s);
    }
    free(b);
}

/* As many as are due and fit into one command; false where none is. */
static bool renew_some(struct seats *all)
{
    uint32_t      now_s = seat_now_s(all);
    char          keys[RENEW_BATCH][SEAT_KEY_SIZE], owners[RENEW_BATCH][SEAT_OWNER_SIZE];
    char          ttl[SEAT_TTL_SIZE];
    struct slice  args[2 * RENEW_BATCH + 2];
    struct batch *b = mem_new(struct batch);

    b->all = all;
    while (b->count < RENEW_BATCH && !list_is_empty(&all->fine)) {
        struct seat *s = container_of(all->fine.next, struct seat, in_all);

        if (now_s - s->renewed_s < SESSION_RENEW_S)
            break;
        s->renewed_s = now_s;
        list_remove(&s->in_all);
        list_append(&all->fine, &s->in_all);
        seat_key(s, keys[b->count]);
        seat_owner(s, owners[b->count]);
        b->no[b->count++] = s->no;
    }
    snprintf(ttl, sizeof(ttl), "%u", SEAT_LIVE_TTL_S);
    for (size_t i = 0; i < b->count; i++) {
        args[i] = slice_of(keys[i]);
        args[b->count + 2 + i] = slice_of(owners[i]);
    }
    args[b->count] = slice_of(ttl);
    args[b->count + 1] = slice_of(redis_run_id(seats_link(all)));
    if (b->count > 0 && redis_eval(seats_link(all), &seat_renew_script, on_renewed, b, b->count,
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
        if (left-- == 0 || seat_write_all(s) != 0)
            return;
        metric_inc(all->rewritten);
        s->is_dirty = false;
        list_remove(&s->in_all);
        list_append(&all->fine, &s->in_all);
    }
}

void seats_tick(struct seats *all)
{
    const char *run = redis_run_id(seats_link(all));

    if (!seats_are_up(all))
        return;
    if (strcmp(all->run, run) != 0) {          /* it may have none of our records, or old ones */
        snprintf(all->run, sizeof(all->run), "%s", run);
        while (!list_is_empty(&all->fine))
            seat_soil(container_of(all->fine.next, struct seat, in_all));
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
    char             text[SEAT_OWNER_SIZE], *dot;
    uint64_t         no;
    struct seat     *s;

    if (!slice_starts(message, "drop ") || message.len - 5 >= sizeof(text))
        return;
    snprintf(text, sizeof(text), "%.*s", (int)message.len - 5, message.data + 5);
    dot = strchr(text, '.');
    if (dot == NULL)
        return;
    *dot = '\0';
    no = strtoull(dot + 1, NULL, 10);
    s = seat_table_find(&all->table, no);
    if (s != NULL && strcmp(text, all->gateway) == 0)
        seat_lose(s);
}

static double read_seats(void *arg)
{
    return (double)((struct seats *)arg)->table.count;
}

void seats_init(struct seats *all, struct peers *peers, const char *gateway,
                   struct orgs *orgs, struct metrics *m)
{
    char channel[SEAT_KEY_SIZE + SEAT_OWNER_SIZE];

    *all = (struct seats){ .loop = peers->loop, .gateway = gateway, .orgs = orgs };
    pool_init(&all->pool, sizeof(struct seat));
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

void seats_deinit(struct seats *all)
{
    seat_table_deinit(&all->table);
    pool_deinit(&all->pool);
}

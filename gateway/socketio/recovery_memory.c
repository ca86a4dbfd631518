/* recovery_memory.c -- lost sockets by pid, and a log of what was sent.
 *
 * The log holds each message once, as the reference-counted sio_message that was sent (its
 * offset is in its bytes already), with the room it went to; a direct event went to the
 * socket's own room, named by its sid. So a replay is: every entry behind the offset whose
 * room the lost socket was in, in order, by reference.
 *
 * An offset is `<epoch>-<number>`: the epoch is random per log, so that an offset from
 * before a restart is not mistaken for one of ours; the number counts entries.
 *
 * A pid has a record from the time its socket is let in. While that socket lives nobody can
 * resume it (the old connection is still there: a miss, the client starts anew); once it is
 * lost the record holds its rooms and stands in the list of what expires. Resuming does not
 * use a record up: the same offset works again after the next loss. */
#include "gateway/socketio/recovery_memory.h"

#include <assert.h>
#include <stdlib.h>

#include <uthash.h>

#include "common/crypto.h"
#include "common/err.h"
#include "common/json.h"
#include "common/mem.h"
#include "gateway/engineio/deadlines.h"

#define EPOCH_RANDOM_BYTES 6
#define PID_RANDOM_BYTES   15
#define OFFSET_MAX         64
#define RECORD_ROOMS_BYTES_MAX (1u << 20)

const struct recovery_memory_options RECOVERY_MEMORY_DEFAULTS = {
    .keep_ms = 120000, .events_max = 10000, .bytes_max = 16u << 20, .sockets_max = 10000,
};

struct entry {                                 /* an event that was sent */
    struct list         node;
    uint64_t            number;
    uint64_t            at_ms;
    size_t              bytes;
    struct sio_message *message;
    bool                is_for_all;
    size_t              room_len;
    char                room[];
};

struct record {                                /* a socket that is, or may come back */
    UT_hash_handle  by_pid, by_sid;
    char            pid[SIO_SID_MAX];
    char            sid[SIO_SID_MAX];
    struct deadline expiry;                    /* set: it is lost */
    struct buf      rooms;                     /* while lost: names, each behind its length */
};

struct recovery_memory {
    struct net           *net;
    struct sio_namespace *ns;
    struct recovery_memory_options options;
    struct record        *by_pid, *by_sid;
    struct deadlines      lost;
    size_t                lost_count;
    struct list           log;                 /* oldest first */
    size_t                log_count, log_bytes;
    uint64_t              newest;
    struct buf            epoch;
};

struct recovery_memory *recovery_memory_new(struct net *net, struct sio_namespace *n,
                                            const struct recovery_memory_options *options)
{
    struct recovery_memory *r = mem_new(struct recovery_memory);
    uint8_t random[EPOCH_RANDOM_BYTES];

    r->net = net;
    r->ns = n;
    r->options = *options;
    deadlines_init(&r->lost);
    list_init(&r->log);
    buf_init(&r->epoch, OFFSET_MAX);
    crypto_random(random, sizeof(random));
    crypto_append_base64url(&r->epoch, random, sizeof(random));
    return r;
}

/* --- forgetting --- */

static void entry_free(struct recovery_memory *r, struct entry *e)
{
    list_remove(&e->node);
    r->log_count--;
    r->log_bytes -= e->bytes;
    sio_message_unref(e->message);
    free(e);
}

static void record_free(struct recovery_memory *r, struct record *rec)
{
    if (deadline_is_set(&rec->expiry))
        r->lost_count--;
    deadline_clear(&rec->expiry);
    HASH_DELETE(by_pid, r->by_pid, rec);
    HASH_DELETE(by_sid, r->by_sid, rec);
    buf_deinit(&rec->rooms);
    free(rec);
}

/* What is too old or too much. */
static void forget_old(struct recovery_memory *r)
{
    uint64_t now = net_now_ms(r->net), until;
    struct deadline *d;

    while (!list_is_empty(&r->log)) {
        struct entry *oldest = container_of(r->log.next, struct entry, node);

        if (now - oldest->at_ms <= r->options.keep_ms && r->log_count <= r->options.events_max &&
            r->log_bytes <= r->options.bytes_max)
            break;
        entry_free(r, oldest);
    }
    for (;;) {
        until = r->lost_count > r->options.sockets_max ? UINT64_MAX : now;
        d = deadlines_take(&r->lost, until);
        if (d == NULL)
            return;
        r->lost_count--;                       /* it is out of the list already */
        record_free(r, container_of(d, struct record, expiry));
    }
}

void recovery_memory_free(struct recovery_memory *r)
{
    struct record *rec, *next;

    HASH_ITER(by_pid, r->by_pid, rec, next)
        record_free(r, rec);
    while (!list_is_empty(&r->log))
        entry_free(r, container_of(r->log.next, struct entry, node));
    buf_deinit(&r->epoch);
    free(r);
}

/* --- sending --- */

static struct entry *log_event(struct recovery_memory *r, const struct slice *room,
                               const struct recovery_event *e)
{
    size_t room_len = room == NULL ? 0 : room->len;
    struct entry *entry = mem_alloc(sizeof(*entry) + room_len);
    struct buf offset;

    buf_init(&offset, OFFSET_MAX);
    buf_printf(&offset, "%s-%llu", r->epoch.data, (unsigned long long)++r->newest);
    entry->number = r->newest;
    entry->at_ms = net_now_ms(r->net);
    entry->bytes = sizeof(*entry) + room_len + e->array.len + offset.len;
    entry->message = e->count == 0
        ? sio_message_new(r->ns, e->array, buf_peek(&offset), 0)
        : sio_message_new_binary(r->ns, e->array, buf_peek(&offset), e->attachments, e->count);
    for (size_t i = 0; i < e->count; i++)
        entry->bytes += e->attachments[i].len;
    entry->is_for_all = room == NULL;
    entry->room_len = room_len;
    if (room_len != 0)
        memcpy(entry->room, room->data, room_len);
    list_append(&r->log, &entry->node);
    r->log_count++;
    r->log_bytes += entry->bytes;
    buf_deinit(&offset);
    return entry;
}

int recovery_memory_emit(struct recovery_memory *r, struct sio_socket *s,
                         const struct recovery_event *e)
{
    struct slice own = slice_of(sio_socket_sid(s));
    int err = sio_emit_message(s, log_event(r, &own, e)->message);

    forget_old(r);
    return err;
}

void recovery_memory_broadcast(struct recovery_memory *r, struct slice room,
                               const struct recovery_event *e)
{
    sio_broadcast(r->ns, room, log_event(r, &room, e)->message);
    forget_old(r);
}

void recovery_memory_broadcast_all(struct recovery_memory *r, const struct recovery_event *e)
{
    sio_broadcast_all(r->ns, log_event(r, NULL, e)->message);
    forget_old(r);
}

/* --- coming and going --- */

static struct record *record_of(const struct recovery_memory *r, const struct sio_socket *s)
{
    const char *sid = sio_socket_sid(s);
    struct record *rec = NULL;

    HASH_FIND(by_sid, r->by_sid, sid, strlen(sid), rec);
    return rec;
}

void recovery_memory_accept(struct recovery_memory *r, struct sio_socket *s)
{
    struct record *rec = mem_new(struct record);
    uint8_t random[PID_RANDOM_BYTES];
    struct buf pid;

    buf_init(&pid, SIO_SID_MAX - 1);
    crypto_random(random, sizeof(random));
    crypto_append_base64url(&pid, random, sizeof(random));
    memcpy(rec->pid, pid.data, pid.len + 1);
    memcpy(rec->sid, sio_socket_sid(s), strlen(sio_socket_sid(s)) + 1);
    buf_deinit(&pid);
    deadline_init(&rec->expiry);
    buf_init(&rec->rooms, RECORD_ROOMS_BYTES_MAX);
    HASH_ADD_KEYPTR(by_pid, r->by_pid, rec->pid, strlen(rec->pid), rec);
    HASH_ADD_KEYPTR(by_sid, r->by_sid, rec->sid, strlen(rec->sid), rec);
    sio_join(s, slice_of(rec->sid));
    sio_accept(s, rec->pid);
}

static void remember_room(struct sio_socket *s, struct slice room, void *arg)
{
    struct record *rec = arg;

    (void)s;
    if (buf_append(&rec->rooms, &room.len, sizeof(room.len)) == 0)
        buf_append_slice(&rec->rooms, room);
}

void recovery_memory_left(struct recovery_memory *r, struct sio_socket *s, enum sio_reason reason)
{
    struct record *rec = record_of(r, s);

    if (rec == NULL)
        return;                                /* it was never let in */
    sio_each_room(s, remember_room, rec);
    if (reason == SIO_REASON_CLIENT_LEFT || reason == SIO_REASON_SERVER_LEFT ||
        buf_failed(&rec->rooms)) {
        record_free(r, rec);
        return;
    }
    deadlines_set(&r->lost, &rec->expiry, net_now_ms(r->net) + r->options.keep_ms);
    r->lost_count++;
    forget_old(r);
}

/* The rooms of a lost socket one by one; false at the end. */
static bool next_room(const struct record *rec, size_t *at, struct slice *out)
{
    if (*at >= rec->rooms.len)
        return false;
    memcpy(&out->len, rec->rooms.data + *at, sizeof(out->len));
    out->data = rec->rooms.data + *at + sizeof(out->len);
    *at += sizeof(out->len) + out->len;
    return true;
}

static bool was_due(const struct record *rec, const struct entry *e)
{
    struct slice room;
    size_t at = 0;

    if (e->is_for_all)
        return true;
    while (next_room(rec, &at, &room))
        if (slice_eq(room, slice_make(e->room, e->room_len)))
            return true;
    return false;
}

/* The entry that an offset names, or NULL. */
static struct entry *entry_at(const struct recovery_memory *r, const char *offset)
{
    struct buf want;
    struct entry *found = NULL;

    if (strlen(offset) >= OFFSET_MAX)
        return NULL;
    buf_init(&want, 2 * OFFSET_MAX);
    for (struct list *node = r->log.prev; node != &r->log && found == NULL; node = node->prev) {
        struct entry *e = container_of(node, struct entry, node);

        buf_reset(&want);
        buf_printf(&want, "%s-%llu", r->epoch.data, (unsigned long long)e->number);
        if (slice_is(buf_peek(&want), offset))
            found = e;
    }
    buf_deinit(&want);
    return found;
}

static struct record *lost_record(const struct recovery_memory *r, const char *pid)
{
    struct record *rec = NULL;

    HASH_FIND(by_pid, r->by_pid, pid, strlen(pid), rec);
    return rec != NULL && deadline_is_set(&rec->expiry) ? rec : NULL;
}

static void resume(struct recovery_memory *r, struct sio_socket *s, struct record *rec,
                   const struct entry *last)
{
    struct slice room;
    size_t at = 0;

    r->lost_count--;
    deadline_clear(&rec->expiry);
    for (struct list *node = last->node.next; node != &r->log; node = node->next) {
        const struct entry *e = container_of(node, struct entry, node);

        if (was_due(rec, e))
            sio_emit_message(s, e->message);   /* closed meanwhile: on_disconnect will say so */
    }
    while (next_room(rec, &at, &room))
        sio_join(s, room);
    buf_deinit(&rec->rooms);
    sio_accept_as(s, rec->sid, rec->pid);
}

bool recovery_memory_resume(struct recovery_memory *r, struct sio_socket *s, struct slice auth)
{
    json_t *root = json_parse(auth, NULL);
    const char *pid = root == NULL ? NULL : json_text(root, "pid");
    const char *offset = root == NULL ? NULL : json_text(root, "offset");
    struct record *rec;
    struct entry *last;

    forget_old(r);
    rec = pid == NULL || offset == NULL ? NULL : lost_record(r, pid);
    last = rec == NULL ? NULL : entry_at(r, offset);
    if (last != NULL)
        resume(r, s, rec, last);
    if (root != NULL)
        json_decref(root);
    return last != NULL;
}

/* sockets.c -- see sockets.h.
 *
 * Rooms are small here, so a room is an array of sockets and a socket has an array of rooms.
 * A walk over a room copies its members first: callbacks may leave and join. */
#include "tests/sim/sockets.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/err.h"
#include "common/mem.h"
#include "tests/sim/wire.h"

struct sio_message {
    unsigned     refs;
    struct heard heard;
    void       (*done)(void *arg);             /* or NULL */
    void        *done_arg;
};

struct sio_room {
    UT_hash_handle      hh;
    char               *name;
    struct sio_socket **members;
    size_t              count, cap;
};

struct sio_namespace {
    struct node     *node;
    struct sio_room *rooms;
    size_t           sockets;
};

struct parcel {                                /* on its way to a client */
    struct list         in_socket;
    struct sio_message *message;               /* NULL: an acknowledgement */
    uint64_t            sent_us, at_us;
    int64_t             ack;
    bool                is_ok;
    char                text[96];
};

struct sio_socket {
    struct sio_namespace *ns;
    struct client        *client;
    void                 *data;
    struct sio_room     **rooms;
    size_t                room_count, room_cap;
    uint64_t              extra_us, last_us;
    struct list           parcels;
    struct happening     *due;
    bool                  is_dropped;
};

struct sio_namespace *sockets_new(struct node *n)
{
    struct sio_namespace *ns = mem_new(struct sio_namespace);

    ns->node = n;
    return ns;
}

void sockets_free(struct sio_namespace *ns)
{
    assert(ns->rooms == NULL && ns->sockets == 0);
    free(ns);
}

/* --- messages --- */

struct sio_message *sio_message_new(struct sio_namespace *n, struct slice array,
                                    struct slice offset, uint64_t key)
{
    struct sio_message *m = mem_new(struct sio_message);

    (void)n;
    (void)offset;
    (void)key;
    m->refs = 1;
    heard_make(&m->heard, array);
    return m;
}

struct sio_message *sio_message_ref(struct sio_message *m)
{
    m->refs++;
    return m;
}

void sio_message_on_done(struct sio_message *m, void (*cb)(void *arg), void *arg)
{
    m->done = cb;
    m->done_arg = arg;
}

void sio_message_unref(struct sio_message *m)
{
    assert(m->refs > 0);
    if (--m->refs > 0)
        return;
    if (m->done != NULL)
        m->done(m->done_arg);
    heard_drop(&m->heard);
    free(m);
}

/* --- the way to the client --- */

static void parcel_free(struct parcel *p)
{
    list_remove(&p->in_socket);
    if (p->message != NULL)
        sio_message_unref(p->message);
    free(p);
}

static void on_parcel(void *arg)
{
    struct sio_socket *s = arg;
    struct parcel     *p = container_of(s->parcels.next, struct parcel, in_socket);

    s->due = NULL;
    while (!s->is_dropped && p->at_us <= sim.now_us) {
        list_remove(&p->in_socket);
        if (p->message != NULL)
            client_hear(s->client, &p->message->heard);
        else
            client_hear_ack(s->client, p->ack, p->is_ok, slice_of(p->text));
        parcel_free(p);
        if (list_is_empty(&s->parcels))
            return;
        p = container_of(s->parcels.next, struct parcel, in_socket);
    }
    if (!s->is_dropped)
        s->due = sim_at(p->at_us, NULL, on_parcel, s);
}

/* Everything of one instant leaves in one write and comes together. */
static void parcel_send(struct sio_socket *s, struct parcel *p)
{
    struct parcel *last = list_is_empty(&s->parcels)
                              ? NULL : container_of(s->parcels.prev, struct parcel, in_socket);

    if (s->is_dropped || s->ns->node->is_dead) {
        list_init(&p->in_socket);
        parcel_free(p);
        return;
    }
    p->sent_us = sim.now_us;
    p->at_us = last != NULL && last->sent_us == sim.now_us
                   ? last->at_us : sim.now_us + wire_delay_us() + s->extra_us;
    if (p->at_us < s->last_us)
        p->at_us = s->last_us;
    s->last_us = p->at_us;
    list_append(&s->parcels, &p->in_socket);
    if (s->due == NULL)
        s->due = sim_at(p->at_us, NULL, on_parcel, s);
}

int sio_emit_message(struct sio_socket *s, struct sio_message *m)
{
    struct parcel *p = mem_new(struct parcel);

    p->message = sio_message_ref(m);
    parcel_send(s, p);
    return 0;
}

int sio_emit(struct sio_socket *s, struct slice array)
{
    struct sio_message *m = sio_message_new(s->ns, array, (struct slice){ NULL, 0 }, 0);
    int                 err = sio_emit_message(s, m);

    sio_message_unref(m);
    return err;
}

int sio_ack(struct sio_socket *s, int64_t ack, struct slice array)
{
    struct parcel *p = mem_new(struct parcel);

    p->ack = ack;
    p->is_ok = slice_starts(array, "[{\"ok\":true");
    snprintf(p->text, sizeof(p->text), "%.*s", SLICE_ARG(array));
    parcel_send(s, p);
    return 0;
}

/* --- sockets --- */

struct sio_socket *socket_open(struct sio_namespace *ns, struct client *c, uint64_t extra_us)
{
    struct sio_socket *s = mem_new(struct sio_socket);

    s->ns = ns;
    s->client = c;
    s->extra_us = extra_us;
    list_init(&s->parcels);
    ns->sockets++;
    return s;
}

void socket_drop(struct sio_socket *s)
{
    struct list *node;

    s->is_dropped = true;
    sim_cancel(s->due);
    s->due = NULL;
    while ((node = list_take_first(&s->parcels)) != NULL)
        parcel_free(container_of(node, struct parcel, in_socket));
}

bool socket_is_dropped(const struct sio_socket *s)
{
    return s->is_dropped;
}

void socket_close(struct sio_socket *s)
{
    socket_drop(s);
    while (s->room_count > 0)
        sio_leave(s, slice_of(s->rooms[0]->name));
    free(s->rooms);
    s->ns->sockets--;
    free(s);
}

struct client *socket_client(const struct sio_socket *s)
{
    return s->client;
}

struct node *socket_node(const struct sio_socket *s)
{
    return s->ns->node;
}

struct sio_namespace *sio_socket_namespace(const struct sio_socket *s)
{
    return s->ns;
}

void *sio_socket_data(const struct sio_socket *s)
{
    return s->data;
}

void sio_socket_set_data(struct sio_socket *s, void *data)
{
    s->data = data;
}

/* --- rooms --- */

static struct sio_room *room_find(struct sio_namespace *ns, struct slice name)
{
    struct sio_room *r = NULL;

    HASH_FIND(hh, ns->rooms, name.data, name.len, r);
    return r;
}

bool sio_is_member(const struct sio_socket *s, struct slice room)
{
    for (size_t i = 0; i < s->room_count; i++) {
        if (slice_is(room, s->rooms[i]->name))
            return true;
    }
    return false;
}

size_t sio_room_count(const struct sio_socket *s)
{
    return s->room_count;
}

int sio_join(struct sio_socket *s, struct slice room)
{
    struct sio_room *r;

    if (sio_is_member(s, room))
        return 0;
    r = room_find(s->ns, room);
    if (r == NULL) {
        r = mem_new(struct sio_room);
        r->name = mem_strndup(room.data, room.len);
        HASH_ADD_KEYPTR(hh, s->ns->rooms, r->name, room.len, r);
    }
    if (r->count == r->cap) {
        r->cap = r->cap * 2 + 8;
        r->members = mem_resize(r->members, r->cap * sizeof(struct sio_socket *));
    }
    r->members[r->count++] = s;
    if (s->room_count == s->room_cap) {
        s->room_cap = s->room_cap * 2 + 8;
        s->rooms = mem_resize(s->rooms, s->room_cap * sizeof(struct sio_room *));
    }
    s->rooms[s->room_count++] = r;
    return 0;
}

void sio_leave(struct sio_socket *s, struct slice room)
{
    struct sio_room *r = room_find(s->ns, room);
    size_t           i = 0;

    while (i < s->room_count && s->rooms[i] != r)
        i++;
    if (r == NULL || i == s->room_count)
        return;
    memmove(s->rooms + i, s->rooms + i + 1, (--s->room_count - i) * sizeof(s->rooms[0]));
    for (i = 0; r->members[i] != s; i++)
        continue;
    memmove(r->members + i, r->members + i + 1, (--r->count - i) * sizeof(r->members[0]));
    if (r->count > 0)
        return;
    HASH_DELETE(hh, s->ns->rooms, r);
    free(r->name);
    free(r->members);
    free(r);
}

size_t sio_room_size(struct sio_namespace *n, struct slice room)
{
    struct sio_room *r = room_find(n, room);

    return r == NULL ? 0 : r->count;
}

void sio_each_member(struct sio_namespace *n, struct slice room,
                     void (*fn)(struct sio_socket *, void *), void *arg)
{
    struct sio_room    *r = room_find(n, room);
    size_t              count = r == NULL ? 0 : r->count;
    struct sio_socket **members = count == 0 ? NULL : mem_dup(r->members, count * sizeof(*members));

    for (size_t i = 0; i < count; i++)
        fn(members[i], arg);
    free(members);
}

void sio_broadcast(struct sio_namespace *n, struct slice room, struct sio_message *m)
{
    struct sio_room *r = room_find(n, room);

    for (size_t i = 0; r != NULL && i < r->count; i++)
        (void)sio_emit_message(r->members[i], m);
}

void sio_each_room(struct sio_socket *s,
                   void (*fn)(struct sio_socket *, struct slice room, void *), void *arg)
{
    size_t count = s->room_count;
    char **names = mem_alloc((count + 1) * sizeof(char *));

    for (size_t i = 0; i < count; i++)
        names[i] = mem_strdup(s->rooms[i]->name);
    for (size_t i = 0; i < count; i++) {
        fn(s, slice_of(names[i]), arg);
        free(names[i]);
    }
    free(names);
}

/* namespace.c -- namespaces by name, and what is done to all or many sockets of one.
 *
 * There are a handful and they live as long as the server: a hash by name for CONNECT, no
 * way to take one away. */
#include "gateway/socketio/internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"

struct sio_namespace *sio_namespace_new(struct sio_server *s, const char *name,
                                        const struct sio_namespace_handlers *handlers, void *arg)
{
    size_t len = strlen(name);
    struct sio_namespace *n = mem_alloc(sizeof(*n) + len + 1);

    assert(name[0] == '/' && strchr(name, ',') == NULL);
    assert(namespace_find(s, slice_of(name)) == NULL);
    n->server = s;
    n->handlers = handlers;
    n->arg = arg;
    memcpy(n->name, name, len + 1);
    n->prefix = mem_alloc(len + 2);
    if (len > 1)
        snprintf(n->prefix, len + 2, "%s,", name);
    rooms_init(&n->rooms, &s->fanout);
    HASH_ADD_KEYPTR(hh, s->namespaces, n->name, len, n);
    return n;
}

struct sio_namespace *namespace_find(struct sio_server *s, struct slice name)
{
    struct sio_namespace *n = NULL;

    if (s->namespaces != NULL && name.len != 0)
        HASH_FIND(hh, s->namespaces, name.data, (unsigned)name.len, n);
    return n;
}

void namespaces_free(struct sio_server *s)
{
    struct sio_namespace *n, *next;

    HASH_ITER(hh, s->namespaces, n, next) {
        HASH_DELETE(hh, s->namespaces, n);
        rooms_deinit(&n->rooms);
        free(n->prefix);
        free(n);
    }
}

size_t sio_namespace_size(const struct sio_namespace *n)
{
    return n->rooms.home->count;
}

/* --- rooms --- */

static bool is_live(const struct sio_socket *s)
{
    return s->state == SOCKET_ASKING || s->state == SOCKET_OPEN;
}

int sio_join(struct sio_socket *s, struct slice room)
{
    size_t max = s->client->server->options.rooms_per_socket_max;

    if (!is_live(s))
        return ERR_CLOSED;
    if (max != 0 && s->member.slot_count >= max && !sio_is_member(s, room))
        return ERR_TOO_BIG;
    rooms_join(&s->ns->rooms, &s->member, room);
    return 0;
}

void sio_leave(struct sio_socket *s, struct slice room)
{
    rooms_leave(&s->ns->rooms, &s->member, room);
}

bool sio_is_member(const struct sio_socket *s, struct slice room)
{
    return rooms_has(&s->ns->rooms, &s->member, room);
}

size_t sio_room_count(const struct sio_socket *s)
{
    return s->member.slot_count;
}

size_t sio_room_size(struct sio_namespace *n, struct slice room)
{
    const struct room *r = rooms_find(&n->rooms, room);

    return r == NULL ? 0 : r->count;
}

struct each_room {
    void (*fn)(struct sio_socket *, struct slice room, void *);
    void *arg;
};

static void each_room(struct member *m, struct slice name, void *arg)
{
    const struct each_room *e = arg;

    e->fn(container_of(m, struct sio_socket, member), name, e->arg);
}

void sio_each_room(struct sio_socket *s, void (*fn)(struct sio_socket *, struct slice room, void *),
                   void *arg)
{
    struct each_room e = { fn, arg };

    rooms_each_of(&s->member, each_room, &e);
}

struct each_member {
    void (*fn)(struct sio_socket *, void *);
    void *arg;
};

static void each_member(struct member *m, void *arg)
{
    const struct each_member *e = arg;
    struct sio_socket *s = container_of(m, struct sio_socket, member);

    if (is_live(s))
        e->fn(s, e->arg);
}

void sio_each_member(struct sio_namespace *n, struct slice room,
                     void (*fn)(struct sio_socket *, void *), void *arg)
{
    struct room *r = rooms_find(&n->rooms, room);
    struct each_member e = { fn, arg };

    if (r != NULL)
        room_each_member(r, each_member, &e);
}

void sio_each_socket(struct sio_namespace *n, void (*fn)(struct sio_socket *, void *), void *arg)
{
    struct each_member e = { fn, arg };

    room_each_member(n->rooms.home, each_member, &e);
}

/* --- broadcast --- */

static void broadcast(struct sio_namespace *n, struct room *r, struct sio_message *m)
{
    struct sio_server *s = n->server;

    assert(m->ns == n);
    count_one(s->counters.broadcasts);
    if (s->turn_ms != net_now_ms(s->net)) {
        s->turn_ms = net_now_ms(s->net);
        fanout_new_turn(&s->fanout);
    }
    if (fanout_post(&s->fanout, r, m, m->bytes))
        server_want_turn(s);
}

void sio_broadcast(struct sio_namespace *n, struct slice room, struct sio_message *m)
{
    broadcast(n, rooms_find(&n->rooms, room), m);
}

void sio_broadcast_all(struct sio_namespace *n, struct sio_message *m)
{
    broadcast(n, n->rooms.home, m);
}

/* recovery_memory.h -- connection state recovery in the memory of one process.
 *
 * As the reference server's in-memory adapter does it: a client that lost its connection
 * comes back within two minutes with its `pid` and the offset of the last event that it got,
 * and continues: same sid, same rooms, and the events that it missed come before its
 * CONNECT answer. Built on the public interface alone; one per namespace. All calls on the
 * loop's thread.
 *
 * Who uses it sends every event of the namespace through it, lets sockets in through it, and
 * calls recovery_memory_left from on_disconnect. Each socket is in a room of its sid's name,
 * as with the reference. */
#ifndef TASKWIRE_SOCKETIO_RECOVERY_MEMORY_H
#define TASKWIRE_SOCKETIO_RECOVERY_MEMORY_H

#include "gateway/socketio/socketio.h"

struct recovery_memory;

struct recovery_memory_options {
    uint64_t keep_ms;                          /* a lost socket and an event are kept so long */
    size_t   events_max;                       /* kept; past it the oldest go */
    size_t   bytes_max;                        /* of them */
    size_t   sockets_max;                      /* lost ones; past it the one lost first goes */
};
/* 120 s, 10000, 16 MiB, 10000 */
extern const struct recovery_memory_options RECOVERY_MEMORY_DEFAULTS;

struct recovery_memory *recovery_memory_new(struct net *net, struct sio_namespace *n,
                                            const struct recovery_memory_options *options);

/* After the namespace's last socket is gone. */
void recovery_memory_free(struct recovery_memory *r);

/* A socket asks in: if `auth` (its CONNECT payload) names a lost one and an offset that is
 * still known, let it in as that one and return true. Otherwise nothing happens. */
bool recovery_memory_resume(struct recovery_memory *r, struct sio_socket *s, struct slice auth);

/* Let it in as a new one, with a sid and a pid of its own. */
void recovery_memory_accept(struct recovery_memory *r, struct sio_socket *s);

/* An event, complete JSON with its placeholders. It gets an offset and is remembered. */
struct recovery_event {
    struct slice        array;
    const struct slice *attachments;
    size_t              count;
};
int  recovery_memory_emit(struct recovery_memory *r, struct sio_socket *s,
                          const struct recovery_event *e);
void recovery_memory_broadcast(struct recovery_memory *r, struct slice room,
                               const struct recovery_event *e);
void recovery_memory_broadcast_all(struct recovery_memory *r, const struct recovery_event *e);

/* From on_disconnect: remember it, unless it, or we, said goodbye. */
void recovery_memory_left(struct recovery_memory *r, struct sio_socket *s, enum sio_reason reason);

#endif

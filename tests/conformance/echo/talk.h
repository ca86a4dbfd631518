/* talk.h -- saying events from C, with or without recovery.
 *
 * Modes with recovery send everything through it; the others directly. A `talker` hides the
 * difference from the handlers that they share. */
#ifndef TASKWIRE_ECHO_TALK_H
#define TASKWIRE_ECHO_TALK_H

#include "gateway/socketio/recovery_memory.h"
#include "gateway/socketio/socketio.h"
#include "tests/conformance/echo/js.h"

struct sio_mode;

struct talker {
    struct sio_mode        *mode;
    struct sio_namespace   *ns;
    struct recovery_memory *recovery;          /* NULL: none */
};

/* Let a socket in; returns true if it was recovered. With recovery every socket is in a room
 * of its own, as with the reference. */
bool talker_accept(const struct talker *t, struct sio_socket *s, struct slice auth);

/* Only what can be recovered; false: decide, then talker_accept_new. */
bool talker_resume(const struct talker *t, struct sio_socket *s, struct slice auth);
void talker_accept_new(const struct talker *t, struct sio_socket *s);
void talker_left(const struct talker *t, struct sio_socket *s, enum sio_reason reason);

/* Emit what has been written into `js` (a whole array). */
void talker_emit(const struct talker *t, struct sio_socket *s, const struct js *js);

/* Emit ["name",<argument>...]: `arguments` is JSON without brackets, "" for none. */
void talker_say(const struct talker *t, struct sio_socket *s, const char *name,
                const char *arguments);

/* Emit `auth` with what the socket connected with. */
void talker_say_auth(const struct talker *t, struct sio_socket *s, struct slice auth);

/* `message` gives `message-back` with its arguments. Where it asks for an acknowledgement, so
 * does the answer, and what the client answers to that is passed on (in the reference the
 * acknowledgement is an argument like the others). */
void talker_echo(const struct talker *t, struct sio_socket *s, const struct sio_event *e);

/* The two events that all modes know: `message` and `message-with-ack`. */
void talker_message(const struct talker *t, struct sio_socket *s, const struct sio_event *e);

/* Acknowledge with the arguments from the `first` on. Nothing where none is asked. */
void talk_ack_arguments(struct sio_socket *s, const struct sio_event *e, size_t first);

/* Acknowledge with one JSON value. */
void talk_ack(struct sio_socket *s, const struct sio_event *e, const char *json);

#endif

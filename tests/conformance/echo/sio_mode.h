/* sio_mode.h -- the frame of a Socket.IO mode: server, recovery, requests, the end. */
#ifndef TASKWIRE_ECHO_SIO_MODE_H
#define TASKWIRE_ECHO_SIO_MODE_H

#include "common/list.h"
#include "gateway/socketio/socketio.h"
#include "tests/conformance/echo/echo.h"
#include "tests/conformance/echo/talk.h"

#define SIO_MODE_NAMESPACES_MAX 8

struct sio_mode {
    struct echo       *echo;
    struct sio_server *server;
    struct talker      talkers[SIO_MODE_NAMESPACES_MAX];
    size_t             talker_count;
    struct list        delays;                 /* waits under way, see sio_mode_later */
    bool               is_closing;
};

/* As the reference starts it; `is_fast`: the protocol suite's heartbeat. */
void sio_mode_options(struct sio_options *out, bool is_fast, bool has_cors);

struct sio_mode *sio_mode_new(struct echo *e, const struct sio_options *options);

/* A namespace whose handlers get its talker as `arg`. */
struct talker *sio_mode_namespace(struct sio_mode *m, const char *name,
                                  const struct sio_namespace_handlers *handlers, bool has_recovery);

/* Members of struct mode. */
void sio_mode_on_request(struct echo *e, struct http_request *r);
void sio_mode_on_head(struct echo *e, struct http_request *r);
void sio_mode_stop(struct echo *e);

/* Run `fn` after `ms`, or never: at the end `drop` is called instead. Exactly one of both runs,
 * once. `arg` is theirs to free. Returns a handle for sio_mode_forget (then none runs). */
typedef void sio_mode_fn(struct sio_mode *m, void *arg);
struct delay;
struct delay *sio_mode_later(struct sio_mode *m, uint64_t ms, sio_mode_fn *fn, sio_mode_fn *drop,
                             void *arg);
void sio_mode_forget(struct delay *d);

#endif

/* supervisor.h -- whoever started this process and watches over it (systemd, or a program that
 * speaks as it does): what it wants to hear, and the sockets that it opened for us.
 *
 * Sources: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3). Where the environment names
 * no supervisor every call is harmless and does nothing. On the loop's thread; one per process,
 * made before other threads run (it takes its variables out of the environment, so that no
 * child inherits them). */
#ifndef TASKWIRE_COMMON_SUPERVISOR_H
#define TASKWIRE_COMMON_SUPERVISOR_H

#include <uv.h>

#include <stdbool.h>

struct supervisor;

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS and their like. While the loop turns the
 * watchdog is told so, twice in its time. Never NULL. */
struct supervisor *supervisor_new(uv_loop_t *loop);

/* Sockets that nobody took are closed; the memory goes later. */
void supervisor_close(struct supervisor *s);

/* We can serve: said once, at the first call with true. */
void supervisor_ready(struct supervisor *s, bool is_ready);

/* We are on our way out: said once. */
void supervisor_stopping(struct supervisor *s);

/* A listening TCP socket that was opened for us under this name (FileDescriptorName= of its
 * unit). Each is given out once and is the caller's to close; -1: there is none. NULL: the first
 * that is left, whatever its name. */
int supervisor_take_socket(struct supervisor *s, const char *name);

#endif

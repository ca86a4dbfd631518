/* echo.h -- the echo application: a server for public conformance suites, made of our two
 * protocol libraries and nothing of the gateway.
 *
 * A mode is what one suite asks of a server (PORT and MODE are the arguments); a file per
 * family of modes. All on the loop's thread. */
#ifndef TASKWIRE_ECHO_H
#define TASKWIRE_ECHO_H

#include <uv.h>

#include "common/http_server.h"
#include "common/net.h"

struct echo {
    uv_loop_t          *loop;
    struct net         *net;
    struct http_server *http;
    const struct mode  *mode;
    void               *state;                 /* the mode's own */
};

struct mode {
    const char *name;
    /* Make the mode's server; returns its state (never NULL). */
    void *(*start)(struct echo *e);
    /* A request, whole; must take it. */
    void (*on_request)(struct echo *e, struct http_request *r);
    /* Optional: its head. */
    void (*on_head)(struct echo *e, struct http_request *r);
    /* End everything; the state's memory goes, now or later, without a trace in the loop. */
    void (*stop)(struct echo *e);
};

extern const struct mode MODE_EIO, MODE_EIO_CLIENT, MODE_SIO, MODE_CHAT, MODE_PROBE,
                         MODE_RECOVER, MODE_SIO_CLIENT, MODE_WS, MODE_H1;

/* 404, as a bare Node server would. */
void echo_not_found(struct http_request *r);

#endif

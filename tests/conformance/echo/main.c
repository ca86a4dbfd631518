/* main.c -- echo MODE PORT: one server for one suite, until SIGTERM or SIGINT.
 *
 * Ends with an empty loop (uv_loop_close() == 0), or says that it did not: what a library
 * leaves behind is a leak in the gateway too. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "tests/conformance/echo/echo.h"

static const struct mode *const MODES[] = {
    &MODE_EIO, &MODE_EIO_CLIENT, &MODE_SIO, &MODE_CHAT, &MODE_PROBE, &MODE_RECOVER,
    &MODE_SIO_CLIENT, &MODE_WS, &MODE_H1,
};
#define MODE_COUNT (sizeof(MODES) / sizeof(MODES[0]))

static uv_signal_t on_term, on_int;

static int usage(void)
{
    fputs("usage: echo MODE PORT   (port 0: a free one)\nmodes:", stderr);
    for (size_t i = 0; i < MODE_COUNT; i++)
        fprintf(stderr, " %s", MODES[i]->name);
    fputs("\n", stderr);
    return 2;
}

static const struct mode *find_mode(const char *name)
{
    for (size_t i = 0; i < MODE_COUNT; i++)
        if (strcmp(MODES[i]->name, name) == 0)
            return MODES[i];
    return NULL;
}

void echo_not_found(struct http_request *r)
{
    const struct http_answer answer = { .status = 404 };

    http_request_answer(r, &answer);
}

static void on_head(struct http_request *r, void *arg)
{
    struct echo *e = arg;

    if (e->mode->on_head != NULL)
        e->mode->on_head(e, r);
}

static void on_request(struct http_request *r, void *arg)
{
    struct echo *e = arg;

    e->mode->on_request(e, r);
}

static const struct http_server_handlers HANDLERS = { .on_head = on_head, .on_request = on_request };

static void on_signal(uv_signal_t *signal, int number)
{
    struct echo *e = signal->data;

    (void)number;
    if (uv_is_closing((uv_handle_t *)signal))
        return;
    uv_close((uv_handle_t *)&on_term, NULL);
    uv_close((uv_handle_t *)&on_int, NULL);
    http_server_close(e->http);
    e->mode->stop(e);
    net_close(e->net);
}

static int listen_to_signals(struct echo *e)
{
    on_term.data = on_int.data = e;
    if (uv_signal_init(e->loop, &on_term) != 0 || uv_signal_init(e->loop, &on_int) != 0)
        return -1;
    if (uv_signal_start(&on_term, on_signal, SIGTERM) != 0)
        return -1;
    return uv_signal_start(&on_int, on_signal, SIGINT);
}

static int run(struct echo *e, int port)
{
    int err;

    signal(SIGPIPE, SIG_IGN);
    log_setup("echo", LOG_LEVEL_WARN, LOG_FORMAT_KV);
    e->loop = uv_default_loop();
    e->net = net_new(e->loop);
    e->http = http_server_new(e->net, "echo", &HTTP_SERVER_DEFAULTS, &HANDLERS, e, NULL);
    e->state = e->mode->start(e);
    err = http_server_listen(e->http, "127.0.0.1", port);
    if (err != 0 || listen_to_signals(e) != 0) {
        fprintf(stderr, "echo: cannot listen on 127.0.0.1:%d: %s\n", port, err_text(err));
        return 1;
    }
    printf("%s echo at http://127.0.0.1:%d pid %d\n", e->mode->name, http_server_port(e->http),
           (int)getpid());
    fflush(stdout);
    uv_run(e->loop, UV_RUN_DEFAULT);
    err = uv_loop_close(e->loop);
    if (err != 0)
        fprintf(stderr, "echo: the loop is not empty: %s\n", err_text(err));
    return err == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct echo e = { .mode = argc == 3 ? find_mode(argv[1]) : NULL };
    char *end = NULL;
    long port = argc == 3 ? strtol(argv[2], &end, 10) : -1;

    if (e.mode == NULL || end == argv[2] || *end != '\0' || port < 0 || port > 65535)
        return usage();
    return run(&e, (int)port);
}

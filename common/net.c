/* net.c -- listening and connecting; stream.c has what comes after.
 *
 * Listening is ours down to accept(2), behind a uv_poll. libuv's own listener cannot be told
 * to pause: when the process runs out of files it accepts and drops whoever knocks, or spins.
 * Here the connections stay in the kernel's backlog for 100 ms and get their turn. It also
 * lets SO_REUSEPORT be set before bind, which libuv 1.44 has no flag for.
 *
 * Connecting is one struct that owns its resolver request, its timer and the attempt under
 * way, tries one address after the other, and dies when all of these have called back. */
#include "common/net_internal.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define ACCEPTS_PER_TURN 64                    /* then others get a turn */
#define ACCEPT_PAUSE_MS  100
#define BACKLOG          4096                  /* the kernel cuts it to net.core.somaxconn */

/* --- the net --- */

void net_ref(struct net *net)
{
    net->refs++;
}

void net_unref(struct net *net)
{
    assert(net->refs > 0);
    if (--net->refs != 0)
        return;
    pool_deinit(&net->streams);
    free(net);
}

struct net *net_new(uv_loop_t *loop)
{
    struct net *net = mem_new(struct net);

    net->loop = loop;
    net->refs = 2;                             /* the two handles */
    list_init(&net->dirty);
    list_init(&net->lingering);
    list_init(&net->connecting);
    pool_init(&net->streams, sizeof(struct stream));
    uv_idle_init(loop, &net->flush);           /* neither can fail */
    uv_timer_init(loop, &net->linger);
    net->flush.data = net;
    net->linger.data = net;
    return net;
}

static void on_net_handle_closed(uv_handle_t *handle)
{
    net_unref(handle->data);
}

static void connects_cancel(struct net *net);

void net_close(struct net *net)
{
    if (net->is_closing)
        return;
    net->is_closing = true;
    connects_cancel(net);
    stream_linger_end(net);
    uv_close((uv_handle_t *)&net->flush, on_net_handle_closed);
    uv_close((uv_handle_t *)&net->linger, on_net_handle_closed);
}

uv_loop_t *net_loop(const struct net *net)
{
    return net->loop;
}

uint64_t net_now_ms(const struct net *net)
{
    return uv_now(net->loop);
}

uint64_t net_bytes_read(const struct net *net)
{
    return net->bytes_read;
}

uint64_t net_bytes_written(const struct net *net)
{
    return net->bytes_written;
}

uint64_t net_writes(const struct net *net)
{
    return net->writes;
}

static double read_received(void *arg)
{
    return (double)((struct net *)arg)->bytes_read;
}

static double read_sent(void *arg)
{
    return (double)((struct net *)arg)->bytes_written;
}

static double read_writes(void *arg)
{
    return (double)((struct net *)arg)->writes;
}

static double read_queued(void *arg)
{
    return (double)((struct net *)arg)->bytes_queued;
}

void net_metrics(struct net *net, struct metrics *m)
{
    metrics_read(m, "taskwire_net_received_bytes_total", NULL, "Bytes read from all connections",
                 read_received, net);
    metrics_read(m, "taskwire_net_sent_bytes_total", NULL, "Bytes written to all connections",
                 read_sent, net);
    metrics_read(m, "taskwire_net_writes_total", NULL, "System calls that wrote", read_writes, net);
    metrics_read(m, "taskwire_net_queued_bytes", NULL,
                 "Bytes that wait for the kernel to take them, all connections", read_queued, net);
}

static int parse_address(const char *address, int port, struct sockaddr_storage *out)
{
    if (port < 0 || port > 65535)
        return UV_EINVAL;
    if (uv_ip4_addr(address, port, (struct sockaddr_in *)out) == 0)
        return 0;
    return uv_ip6_addr(address, port, (struct sockaddr_in6 *)out);
}

static socklen_t address_size(const struct sockaddr *address)
{
    return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}

/* --- listening --- */

struct net_listener {
    struct net    *net;
    uv_poll_t      poll;
    uv_timer_t     pause;                      /* while out of files */
    net_accept_cb *cb;
    void          *arg;
    int            fd;
    int            port;
    int            handles_open;
    bool           is_closing;
};

static void on_listener_handle_closed(uv_handle_t *handle)
{
    struct net_listener *l = handle->data;

    if (--l->handles_open != 0)
        return;
    net_unref(l->net);
    free(l);
}

void net_listener_close(struct net_listener *l)
{
    if (l == NULL || l->is_closing)
        return;
    l->is_closing = true;
    uv_close((uv_handle_t *)&l->poll, on_listener_handle_closed);
    uv_close((uv_handle_t *)&l->pause, on_listener_handle_closed);
    close(l->fd);                              /* libuv has let go of it in uv_close */
    l->fd = -1;
}

int net_listener_port(const struct net_listener *l)
{
    return l->port;
}

static void on_readable(uv_poll_t *handle, int status, int events);

static void on_pause_over(uv_timer_t *handle)
{
    struct net_listener *l = handle->data;

    uv_poll_start(&l->poll, UV_READABLE, on_readable);
}

static void accept_failed(struct net_listener *l, int err)
{
    log_warn("accept-paused", LOG_NUM("port", l->port), LOG_ERR(uv_translate_sys_error(err)));
    uv_poll_stop(&l->poll);
    uv_timer_start(&l->pause, on_pause_over, ACCEPT_PAUSE_MS, 0);
}

/* Accept one. Returns false where there is no more to accept now. */
static bool accept_one(struct net_listener *l)
{
    int            fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct stream *s;

    if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return false;
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
        accept_failed(l, errno);
        return false;
    }
    if (fd < 0)
        return true;                           /* that peer is gone again; the next one */
    s = stream_new(l->net, fd);
    if (s == NULL) {
        close(fd);
        return true;
    }
    stream_connected(s);
    l->cb(s, l->arg);
    return true;
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
    struct net_listener *l = handle->data;

    (void)events;
    if (status < 0)
        return;
    for (int i = 0; i < ACCEPTS_PER_TURN && !l->is_closing; i++)
        if (!accept_one(l))
            return;
}

/* The port of a socket, or a libuv error. */
static int port_of(int fd)
{
    struct sockaddr_storage at;
    socklen_t               len = sizeof(at);

    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        return uv_translate_sys_error(errno);
    return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
                                          : ((struct sockaddr_in *)&at)->sin_port);
}

/* A listening socket. Returns a file or a libuv error. */
static int open_socket(const struct sockaddr_storage *address, bool reuse_port)
{
    const int              on = 1;
    const struct sockaddr *at = (const struct sockaddr *)address;
    int fd = socket(at->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return uv_translate_sys_error(errno);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
        bind(fd, at, address_size(at)) != 0 || listen(fd, BACKLOG) != 0) {
        int err = uv_translate_sys_error(errno);

        close(fd);
        return err;
    }
    return fd;
}

int net_listen(struct net *net, const char *address, int port, bool reuse_port,
               net_accept_cb *cb, void *arg, struct net_listener **out)
{
    struct sockaddr_storage where = { 0 };
    int                     err = parse_address(address, port, &where);
    int                     fd;

    if (err != 0)
        return err;
    fd = open_socket(&where, reuse_port);
    return fd < 0 ? fd : net_listen_on(net, fd, cb, arg, out);
}

int net_listen_on(struct net *net, int fd, net_accept_cb *cb, void *arg,
                  struct net_listener **out)
{
    struct net_listener *l = mem_new(struct net_listener);
    int                  err;

    l->net = net;
    l->cb = cb;
    l->arg = arg;
    l->fd = fd;
    l->port = port_of(fd);
    l->handles_open = 2;
    err = l->port < 0 ? l->port : uv_poll_init(net->loop, &l->poll, fd);
    if (err != 0) {
        close(fd);
        free(l);
        return err;
    }
    net_ref(net);
    uv_timer_init(net->loop, &l->pause);
    l->poll.data = l;
    l->pause.data = l;
    err = uv_poll_start(&l->poll, UV_READABLE, on_readable);
    if (err != 0) {
        net_listener_close(l);
        return err;
    }
    *out = l;
    return 0;
}

/* --- connecting --- */

struct connecting {
    struct list       link;                    /* in net->connecting until it is done */
    struct net       *net;
    uv_getaddrinfo_t  dns;
    uv_timer_t        timer;
    struct addrinfo  *found;                   /* what the resolver said */
    struct addrinfo  *next;                    /* still to be tried */
    struct stream    *stream;                  /* the attempt under way */
    net_connect_cb   *cb;
    void             *arg;
    int               pending;                 /* requests and handles that will call back */
    int               timer_err;               /* what the timer means when it comes */
    bool              is_resolving;
    bool              is_done;
};

static void connecting_released(struct connecting *c)
{
    if (--c->pending != 0)
        return;
    if (c->found != NULL)
        uv_freeaddrinfo(c->found);
    net_unref(c->net);
    free(c);
}

static void on_connect_timer_closed(uv_handle_t *handle)
{
    connecting_released(handle->data);
}

/* The only place that calls back. */
static void connecting_done(struct connecting *c, int err)
{
    struct stream *s = c->stream;

    assert(!c->is_done);
    c->is_done = true;
    c->stream = NULL;
    list_remove(&c->link);
    uv_close((uv_handle_t *)&c->timer, on_connect_timer_closed);
    if (c->is_resolving)
        (void)uv_cancel((uv_req_t *)&c->dns);  /* may refuse: then it comes late */
    if (err != 0 && s != NULL) {
        stream_close(s);
        s = NULL;
    }
    c->cb(err, s, c->arg);
}

static void on_connect_timer(uv_timer_t *handle)
{
    struct connecting *c = handle->data;

    connecting_done(c, c->timer_err);
}

static void on_attempted(uv_poll_t *handle, int status, int events);

static int attempt(struct connecting *c, const struct sockaddr *address)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int err = 0;

    if (fd < 0)
        return uv_translate_sys_error(errno);
    if (connect(fd, address, address_size(address)) != 0 && errno != EINPROGRESS)
        err = uv_translate_sys_error(errno);
    else
        c->stream = stream_new(c->net, fd);
    if (c->stream == NULL) {
        close(fd);
        return err != 0 ? err : UV_ENOTSUP;
    }
    err = stream_await_connect(c->stream, on_attempted, c);
    if (err != 0) {
        stream_close(c->stream);
        c->stream = NULL;
    }
    return err;
}

/* Try what is left of the list; the last error where nothing is. */
static void attempt_next(struct connecting *c, int err)
{
    while (c->next != NULL) {
        const struct sockaddr *address = c->next->ai_addr;

        c->next = c->next->ai_next;
        err = attempt(c, address);
        if (err == 0)
            return;
    }
    connecting_done(c, err);
}

/* The socket can be written, or has failed: which of both is an option of it. */
static void on_attempted(uv_poll_t *handle, int status, int events)
{
    struct stream     *s = container_of(handle, struct stream, poll);
    struct connecting *c = stream_arg(s);
    int                err = 0;
    socklen_t          len = sizeof(err);
    uv_os_fd_t         fd;

    (void)events;
    if (uv_fileno((uv_handle_t *)handle, &fd) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err != 0)
        status = uv_translate_sys_error(err);
    uv_poll_stop(handle);
    if (status == 0) {
        stream_connected(s);
        connecting_done(c, 0);
        return;
    }
    stream_close(s);
    c->stream = NULL;
    attempt_next(c, status);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
    struct connecting *c = container_of(req, struct connecting, dns);

    c->is_resolving = false;
    c->found = found;
    c->next = found;
    if (!c->is_done)
        attempt_next(c, status != 0 ? status : UV_EAI_NONAME);
    connecting_released(c);
}

static int resolve(struct connecting *c, const char *host, int port)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    char            service[8];
    int             err;

    snprintf(service, sizeof(service), "%d", port);
    err = uv_getaddrinfo(c->net->loop, &c->dns, on_resolved, host, service, &hints);
    if (err == 0) {
        c->pending++;
        c->is_resolving = true;
    }
    return err;
}

int net_connect(struct net *net, const char *host, int port, uint64_t timeout_ms,
                net_connect_cb *cb, void *arg)
{
    struct sockaddr_storage address = { 0 };
    struct connecting      *c;
    int                     err;

    if (net->is_closing)
        return ERR_CLOSED;
    if (port <= 0 || port > 65535)
        return UV_EINVAL;
    c = mem_new(struct connecting);
    c->net = net;
    c->cb = cb;
    c->arg = arg;
    c->timer_err = ERR_TIMEOUT;
    if (parse_address(host, port, &address) == 0)
        err = attempt(c, (struct sockaddr *)&address);
    else
        err = resolve(c, host, port);
    if (err != 0) {
        free(c);
        return err;
    }
    net_ref(net);
    c->pending++;
    uv_timer_init(net->loop, &c->timer);
    c->timer.data = c;
    uv_timer_start(&c->timer, on_connect_timer, timeout_ms, 0);
    list_append(&net->connecting, &c->link);
    return 0;
}

static void connects_cancel(struct net *net)
{
    list_each(node, &net->connecting) {
        struct connecting *c = container_of(node, struct connecting, link);

        c->timer_err = UV_ECANCELED;
        uv_timer_start(&c->timer, on_connect_timer, 0, 0);
    }
}

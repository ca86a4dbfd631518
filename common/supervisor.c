/* supervisor.c -- see supervisor.h.
 *
 * The protocol is a datagram per sentence to a unix socket, and files from number 3 on that
 * are open already: some fifty lines, so libsystemd and what it drags along was rejected.
 *
 * A sentence that cannot be sent is not sent again: the watchdog's next comes soon, and a
 * supervisor that does not listen while we start will find us not ready, which is its own to
 * judge. */
#include "common/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define SOCKETS_MAX   16
#define FIRST_FD      3                        /* SD_LISTEN_FDS_START */
#define NAME_SIZE     64
#define LEAST_BEAT_MS 10

struct inherited {
    int  fd;                                   /* -1: taken */
    char name[NAME_SIZE];
};

struct supervisor {
    uv_timer_t       watchdog;
    int              notify;                   /* a connected datagram socket, or -1 */
    struct inherited sockets[SOCKETS_MAX];
    size_t           socket_count;
    bool             was_ready, was_stopping, is_closing;
};

/* --- saying --- */

static void say(const struct supervisor *s, const char *sentence)
{
    if (s->notify >= 0 && send(s->notify, sentence, strlen(sentence), MSG_NOSIGNAL) < 0)
        log_debug("supervisor-deaf", LOG_ERR(uv_translate_sys_error(errno)));
}

static void on_watchdog(uv_timer_t *timer)
{
    say(timer->data, "WATCHDOG=1");
}

void supervisor_ready(struct supervisor *s, bool is_ready)
{
    if (!is_ready || s->was_ready)
        return;
    s->was_ready = true;
    say(s, "READY=1\nSTATUS=serving");
}

void supervisor_stopping(struct supervisor *s)
{
    if (s->was_stopping)
        return;
    s->was_stopping = true;
    say(s, "STOPPING=1\nSTATUS=draining");
}

/* "/run/…" or "@abstract" (unix(7)). */
static int notify_open(const char *path)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    size_t             len = path == NULL ? 0 : strlen(path);
    socklen_t          size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    int                fd;

    if (len < 2 || len >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
        return -1;
    memcpy(to.sun_path, path, len);
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, size) != 0) {
        log_warn("supervisor-unreachable", LOG_ERR(uv_translate_sys_error(errno)));
        close(fd);
        fd = -1;
    }
    return fd;
}

/* --- the environment --- */

/* A variable as a number from 1 to `max`; 0: missing, or something else. */
static unsigned long long number_of(const char *name, unsigned long long max)
{
    const char        *text = getenv(name);
    char              *end;
    unsigned long long n;

    if (text == NULL || text[0] < '0' || text[0] > '9')
        return 0;
    errno = 0;
    n = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && n <= max ? n : 0;
}

/* Were we meant? Variables that a parent left behind name another process. */
static bool is_for_us(const char *name)
{
    return getenv(name) == NULL || number_of(name, INT32_MAX) == (unsigned long long)getpid();
}

static bool listens_on_tcp(int fd)
{
    struct sockaddr_storage at;
    socklen_t               at_len = sizeof(at), len = sizeof(int);
    int                     type = 0, listens = 0;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens != 0 &&
           getsockname(fd, (struct sockaddr *)&at, &at_len) == 0 &&
           (at.ss_family == AF_INET || at.ss_family == AF_INET6);
}

static void socket_add(struct supervisor *s, int fd, struct slice name)
{
    struct inherited *in = &s->sockets[s->socket_count];

    if (!listens_on_tcp(fd) || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        log_warn("socket-refused", LOG_SLICE("name", name), LOG_NUM("fd", fd),
                 LOG_TEXT("why", "it is no TCP socket that listens"));
        close(fd);
        return;
    }
    in->fd = fd;
    snprintf(in->name, sizeof(in->name), "%.*s", SLICE_ARG(name));
    s->socket_count++;
}

static void sockets_inherit(struct supervisor *s)
{
    unsigned long long count = number_of("LISTEN_FDS", SOCKETS_MAX);
    struct slice       names = slice_of(getenv("LISTEN_FDNAMES"));

    if (getenv("LISTEN_PID") == NULL || !is_for_us("LISTEN_PID"))
        return;
    for (int i = 0; i < (int)count; i++)
        socket_add(s, FIRST_FD + i, slice_cut(&names, ':'));
}

static void watchdog_start(struct supervisor *s)
{
    uint64_t beat_ms = number_of("WATCHDOG_USEC", UINT32_MAX * 1000ull) / 2000;

    if (beat_ms == 0 || s->notify < 0 || !is_for_us("WATCHDOG_PID"))
        return;
    if (beat_ms < LEAST_BEAT_MS)
        beat_ms = LEAST_BEAT_MS;
    uv_timer_start(&s->watchdog, on_watchdog, 0, beat_ms);
}

static void environment_forget(void)
{
    static const char *const NAMES[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                         "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES" };

    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        (void)unsetenv(NAMES[i]);              /* fails for malformed names alone */
}

/* --- life --- */

struct supervisor *supervisor_new(uv_loop_t *loop)
{
    struct supervisor *s = mem_new(struct supervisor);

    s->notify = notify_open(getenv("NOTIFY_SOCKET"));
    uv_timer_init(loop, &s->watchdog);
    s->watchdog.data = s;
    sockets_inherit(s);
    watchdog_start(s);
    environment_forget();
    uv_unref((uv_handle_t *)&s->watchdog);
    return s;
}

int supervisor_take_socket(struct supervisor *s, const char *name)
{
    for (size_t i = 0; i < s->socket_count; i++) {
        struct inherited *in = &s->sockets[i];
        int               fd = in->fd;

        if (fd < 0 || (name != NULL && strcmp(in->name, name) != 0))
            continue;
        in->fd = -1;
        return fd;
    }
    return -1;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void supervisor_close(struct supervisor *s)
{
    if (s->is_closing)
        return;
    s->is_closing = true;
    for (size_t i = 0; i < s->socket_count; i++) {
        if (s->sockets[i].fd < 0)
            continue;
        log_warn("socket-unused", LOG_TEXT("name", s->sockets[i].name));
        close(s->sockets[i].fd);
    }
    if (s->notify >= 0)
        close(s->notify);
    uv_close((uv_handle_t *)&s->watchdog, on_closed);
}

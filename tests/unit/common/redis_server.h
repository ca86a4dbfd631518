/* redis_server.h -- a real redis-server for a test, and a loop that waits for conditions.
 *
 *     redis_server_start(&server, NULL);  ...  WAIT_UNTIL(loop, count == 3);  ...
 *     redis_server_stop(&server);
 *
 * The server dies with the test, whatever happens to that. */
#ifndef TASKWIRE_TESTS_REDIS_SERVER_H
#define TASKWIRE_TESTS_REDIS_SERVER_H

#include <uv.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 10000

struct redis_server {
    pid_t pid;                                 /* 0: not running */
    int   port;
    char  dir[64];
    char  url[64];
};

/* A socket on a free port of 127.0.0.1; `*out_port` says which. */
static inline int bound_socket(int *out_port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          len = sizeof(at);
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *out_port = ntohs(at.sin_port);
    return fd;
}

static inline int can_connect(int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons((uint16_t)port) };
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int                is_there = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;

    close(fd);
    return is_there;
}

static inline void redis_server_exec(const struct redis_server *s, const char *password)
{
    char port[16];
    int  null = open("/dev/null", O_RDWR);

    snprintf(port, sizeof(port), "%d", s->port);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
           "--dir", s->dir, "--requirepass", password != NULL ? password : "", (char *)NULL);
    _exit(127);
}

/* Start, or start again on the same port; returns when it listens. */
static inline void redis_server_start(struct redis_server *s, const char *password)
{
    if (s->port == 0) {
        close(bound_socket(&s->port));
        snprintf(s->dir, sizeof(s->dir), "/tmp/taskwire-redis-XXXXXX");
        assert_non_null(mkdtemp(s->dir));
        snprintf(s->url, sizeof(s->url), "redis://127.0.0.1:%d", s->port);
    }
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0)
        redis_server_exec(s, password);
    for (int waited_ms = 0; !can_connect(s->port); waited_ms += 5) {
        assert_true(waited_ms < WAIT_MS);
        assert_int_equal(waitpid(s->pid, NULL, WNOHANG), 0);
        usleep(5000);
    }
}

static inline void redis_server_kill(struct redis_server *s)
{
    if (s->pid == 0)
        return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

static inline void redis_server_stop(struct redis_server *s)
{
    redis_server_kill(s);
    if (s->port != 0)
        rmdir(s->dir);
    s->port = 0;
}

/* --- loops --- */

struct loop {
    uv_loop_t  uv;
    uv_timer_t tick;                           /* so that a quiet loop looks at its condition */
};

static inline void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static inline void loop_open(struct loop *l)
{
    assert_int_equal(uv_loop_init(&l->uv), 0);
    uv_timer_init(&l->uv, &l->tick);
    uv_timer_start(&l->tick, on_tick, 2, 2);
}

/* Everything on it has been closed: it has to end by itself, and empty. */
static inline void loop_close(struct loop *l)
{
    uint64_t deadline = uv_hrtime() + WAIT_MS * UINT64_C(1000000);

    uv_close((uv_handle_t *)&l->tick, NULL);
    while (uv_run(&l->uv, UV_RUN_NOWAIT) != 0) {
        if (uv_hrtime() > deadline)
            uv_print_all_handles(&l->uv, stderr);
        assert_true(uv_hrtime() <= deadline);
        usleep(500);
    }
    assert_int_equal(uv_loop_close(&l->uv), 0);
}

#define WAIT_UNTIL(l, condition)                                                        \
    do {                                                                                \
        uint64_t deadline_ns = uv_hrtime() + WAIT_MS * UINT64_C(1000000);               \
                                                                                        \
        while (!(condition)) {                                                          \
            if (uv_hrtime() > deadline_ns)                                              \
                fail_msg("waited in vain for: %s", #condition);                         \
            uv_run(&(l)->uv, UV_RUN_ONCE);                                              \
        }                                                                               \
    } while (0)

/* Let the loop run for so long: for what must not happen. */
static inline void loop_run_ms(struct loop *l, uint64_t ms)
{
    uint64_t end = uv_hrtime() + ms * 1000000;

    while (uv_hrtime() < end)
        uv_run(&l->uv, UV_RUN_ONCE);
}

#endif

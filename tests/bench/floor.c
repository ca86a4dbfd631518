/* floor.c -- the least that a server can do to fan out over websockets: epoll, one prepared
 * frame, one send per client. What any server is compared with.
 *
 *   floor PORT BYTES EVENTS_PER_SECOND
 *
 * Accepts upgrades without looking at them, and on each line on standard input begins (and on
 * the next ends) sending an event of BYTES to every client, EVENTS_PER_SECOND times a second. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CLIENTS_MAX 20000

static int    clients[CLIENTS_MAX];
static size_t client_count;
static char   frame[65536];
static size_t frame_len;

static const char ANSWER[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static void prepare(size_t len)
{
    frame[0] = (char)0x81;
    frame[1] = 126;
    frame[2] = (char)(len >> 8);
    frame[3] = (char)len;
    memset(frame + 4, 'x', len);
    frame_len = len + 4;
}

static void fan_out(void)
{
    for (size_t i = 0; i < client_count; i++) {
        if (send(clients[i], frame, frame_len, MSG_NOSIGNAL) != (ssize_t)frame_len)
            fprintf(stderr, "a client is slow or gone\n");
    }
}

static void on_accept(int listener, int poller)
{
    struct epoll_event e = { .events = EPOLLIN };
    int                on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

    if (fd < 0 || client_count == CLIENTS_MAX)
        return;
    e.data.fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
}

static void on_readable(int fd, int poller)
{
    char    request[4096];
    ssize_t n = read(fd, request, sizeof(request));

    if (n > 4 && memcmp(request, "GET ", 4) == 0) {
        clients[client_count++] = fd;
        if (write(fd, ANSWER, sizeof(ANSWER) - 1) < 0)
            exit(1);
    } else if (n <= 0) {
        epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL);
    }
}

static int listen_on(int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int                on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 4096) != 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

static void watch(int poller, int fd)
{
    struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) != 0)
        exit(1);
}

int main(int argc, char **argv)
{
    struct epoll_event events[256];
    struct itimerspec  every = { 0 }, never = { 0 };
    bool               is_running = false;
    int                poller = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    int                listener;
    char               line[256];

    if (argc != 4)
        return 2;
    listener = listen_on((int)strtol(argv[1], NULL, 10));
    prepare(strtoul(argv[2], NULL, 10));
    every.it_interval.tv_nsec = every.it_value.tv_nsec = 1000000000 / strtol(argv[3], NULL, 10);
    watch(poller, listener);
    watch(poller, timer);
    watch(poller, STDIN_FILENO);
    for (;;) {
        int n = epoll_wait(poller, events, 256, -1);

        for (int i = 0; i < n; i++) {
            uint64_t due = 0;

            if (events[i].data.fd == listener) {
                on_accept(listener, poller);
            } else if (events[i].data.fd == timer) {
                if (read(timer, &due, sizeof(due)) == sizeof(due))
                    for (; due > 0; due--)
                        fan_out();
            } else if (events[i].data.fd == STDIN_FILENO) {
                if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
                    return 0;
                is_running = !is_running;
                timerfd_settime(timer, 0, is_running ? &every : &never, NULL);
            } else {
                on_readable(events[i].data.fd, poller);
            }
        }
    }
}

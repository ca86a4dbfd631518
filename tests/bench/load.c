/* load.c -- many websocket clients in one process: connects them, says what it is told to
 * say, and counts what they are sent.
 *
 *   load PORT CLIENTS TARGET HELLO ASK MARKER
 *
 * TARGET  the request target of the upgrade ("/socket.io/?EIO=4&transport=websocket")
 * HELLO   sent once the socket is open ("40{...}"; "-": nothing, and ASK is not sent either)
 * ASK     sent once an answer that begins with "40" came ("420[...]"), line by line where it has
 *         several; the client is ready once "430..." answers
 * MARKER  a delivery is a text message that begins with this
 *
 * Prints `ready` when every client has been answered, and then, each time it reads a line on
 * standard input, `deliveries=N bytes=N lost=N first_us=N last_us=N`, and begins to count
 * again. Ends with its standard input. Plain epoll and as little work per byte as can be:
 * what is measured is the server. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX   14                          /* of a frame, and what we look at of its text */
#define LOOK_MAX   64
#define AT_ONCE    64                          /* connections being made at a time */

enum stage { STAGE_CONNECTING, STAGE_UPGRADING, STAGE_HELLO, STAGE_ASKED, STAGE_READY };

struct client {
    int        fd;
    enum stage stage;
    uint8_t    head[HEAD_MAX];
    uint8_t    head_len;
    uint8_t    look_len;
    char       look[LOOK_MAX];                 /* the first bytes of the message */
    uint64_t   left;                           /* payload bytes still to come */
    uint8_t    opcode;
    unsigned   crlf;                           /* progress through the answer's blank line */
};

struct settings {
    int         port;
    size_t      clients;
    const char *target, *hello, *ask, *marker;
};

static struct settings  set;
static struct client   *clients;
static size_t           made, ready, lost;
static uint64_t         deliveries, bytes, first_us, last_us;
static int              poller;
static char             buffer[1 << 18];

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void drop(struct client *c)
{
    close(c->fd);
    c->fd = -1;
    lost++;
}

static void put(struct client *c, const void *data, size_t len)
{
    if (c->fd >= 0 && write(c->fd, data, len) != (ssize_t)len)
        drop(c);
}

/* One masked text frame; a mask of zeros is a mask. */
static void say(struct client *c, const char *text)
{
    size_t  len = strlen(text), at = 2;
    uint8_t frame[4096] = { 0x81 };

    if (len > sizeof(frame) - 8)
        exit(2);
    if (len < 126) {
        frame[1] = (uint8_t)(0x80 | len);
    } else {
        frame[1] = 0x80 | 126;
        frame[2] = (uint8_t)(len >> 8);
        frame[3] = (uint8_t)len;
        at = 4;
    }
    memset(frame + at, 0, 4);
    memcpy(frame + at + 4, text, len);
    put(c, frame, at + 4 + len);
}

static void ask(struct client *c)
{
    char  line[2048];
    const char *at = set.ask;

    while (*at != '\0') {
        size_t len = strcspn(at, "\n");

        if (len >= sizeof(line))
            exit(2);
        memcpy(line, at, len);
        line[len] = '\0';
        say(c, line);
        at += at[len] == '\n' ? len + 1 : len;
    }
}

static void on_message(struct client *c)
{
    bool is_ask = c->look_len >= 3 && memcmp(c->look, "430", 3) == 0;

    if (c->look_len == 1 && c->look[0] == '2') {
        say(c, "3");
    } else if (c->stage == STAGE_HELLO && c->look_len >= 2 && memcmp(c->look, "40", 2) == 0) {
        c->stage = STAGE_ASKED;
        ask(c);
    } else if (c->stage == STAGE_ASKED && is_ask) {
        c->stage = STAGE_READY;
        ready++;
    } else if (c->look_len >= strlen(set.marker) &&
               memcmp(c->look, set.marker, strlen(set.marker)) == 0) {
        last_us = now_us();
        if (deliveries++ == 0)
            first_us = last_us;
    }
}

/* How long a frame's head is, as far as its bytes are known. */
static size_t head_size(const struct client *c)
{
    unsigned len = c->head_len < 2 ? 0 : c->head[1] & 0x7f;

    return len == 126 ? 4 : len == 127 ? 10 : 2;
}

static void read_head(struct client *c)
{
    size_t size = head_size(c);

    c->opcode = c->head[0] & 0x0f;
    c->left = c->head[1] & 0x7f;
    if (size > 2) {
        c->left = 0;
        for (size_t i = 2; i < size; i++)
            c->left = c->left << 8 | c->head[i];
    }
    c->look_len = 0;
}

static void take_frames(struct client *c, const char *data, size_t len)
{
    while (len > 0 && c->fd >= 0) {
        size_t n, seen;

        if (c->head_len < head_size(c)) {
            c->head[c->head_len++] = (uint8_t)*data++;
            len--;
            if (c->head_len < head_size(c))
                continue;
            read_head(c);
        }
        n = c->left < len ? (size_t)c->left : len;
        seen = n < LOOK_MAX - (size_t)c->look_len ? n : LOOK_MAX - (size_t)c->look_len;
        memcpy(c->look + c->look_len, data, seen);
        c->look_len = (uint8_t)(c->look_len + seen);
        data += n;
        len -= n;
        c->left -= n;
        if (c->left == 0) {
            if (c->opcode == 1)
                on_message(c);
            c->head_len = 0;
        }
    }
}

static void on_upgraded(struct client *c)
{
    c->head_len = 0;
    if (strcmp(set.hello, "-") == 0) {
        c->stage = STAGE_READY;
        ready++;
    } else {
        c->stage = STAGE_HELLO;
        say(c, set.hello);
    }
}

static void take(struct client *c, const char *data, size_t len)
{
    static const char END[] = "\r\n\r\n";

    while (c->stage == STAGE_UPGRADING && len > 0) {
        c->crlf = *data == END[c->crlf] ? c->crlf + 1 : *data == '\r' ? 1 : 0;
        data++;
        len--;
        if (c->crlf == 4)
            on_upgraded(c);
    }
    take_frames(c, data, len);
}

static void connect_one(void)
{
    struct client     *c = &clients[made++];
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)set.port) };
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT, .data.ptr = c };
    int                on = 1;

    /* 28,000 ports are an address's; more clients come from more loopback addresses. */
    struct sockaddr_in from = { .sin_family = AF_INET };

    from.sin_addr.s_addr = htonl(0x7f000001u + (uint32_t)(made / 10000));
    to.sin_addr.s_addr = htonl(0x7f000001u);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
        die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS)
        die("connect");
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e) != 0)
        die("epoll_ctl");
}

static void on_connected(struct client *c)
{
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
    char               request[4096];
    int                len;

    len = snprintf(request, sizeof(request),
                   "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\n"
                   "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", set.target, set.port);
    c->stage = STAGE_UPGRADING;
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
    put(c, request, (size_t)len);
}

static void on_event(struct client *c)
{
    ssize_t n;

    if (c->fd < 0)
        return;
    if (c->stage == STAGE_CONNECTING) {
        on_connected(c);
        return;
    }
    n = read(c->fd, buffer, sizeof(buffer));
    if (n > 0) {
        bytes += (uint64_t)n;
        take(c, buffer, (size_t)n);
    } else if (n == 0 || errno != EAGAIN) {
        drop(c);
    }
}

/* A line on standard input: report and begin again. Returns false at its end. */
static bool on_command(void)
{
    ssize_t n = read(STDIN_FILENO, buffer, sizeof(buffer));

    if (n <= 0)
        return false;
    printf("deliveries=%llu bytes=%llu lost=%zu first_us=%llu last_us=%llu\n",
           (unsigned long long)deliveries, (unsigned long long)bytes, lost,
           (unsigned long long)first_us, (unsigned long long)last_us);
    deliveries = bytes = first_us = last_us = 0;
    return true;
}

int main(int argc, char **argv)
{
    struct epoll_event events[512], input = { .events = EPOLLIN, .data.ptr = NULL };
    bool               is_told = false;

    if (argc != 7) {
        fprintf(stderr, "usage: load PORT CLIENTS TARGET HELLO ASK MARKER\n");
        return 2;
    }
    set = (struct settings){ (int)strtol(argv[1], NULL, 10), strtoul(argv[2], NULL, 10), argv[3],
                             argv[4], argv[5], argv[6] };
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    poller = epoll_create1(0);
    clients = calloc(set.clients, sizeof(*clients));
    if (poller < 0 || clients == NULL || epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0)
        die("epoll");
    for (;;) {
        int n;

        while (made < set.clients && made - ready - lost < AT_ONCE)
            connect_one();
        if (ready + lost == set.clients && !is_told) {
            printf("ready lost=%zu\n", lost);
            is_told = true;
        }
        n = epoll_wait(poller, events, 512, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr != NULL)
                on_event(events[i].data.ptr);
            else if (!on_command())
                return 0;
        }
    }
}

/* pipes.c -- a TCP proxy with one process per connection.
 *
 *   pipes PORT        listens on a free port of 127.0.0.1 and passes on to PORT there
 *
 * A test stops one of the processes (SIGSTOP), and a single connection hangs: its bytes are
 * taken by nobody, and it is not closed. The first line printed is the port; then a line per
 * connection, `<pid> <port of its connection to the server>`. Ends when its stdin does, and all
 * that it has started with it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in address(unsigned port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static unsigned port_of(int fd)
{
    struct sockaddr_in a = address(0);
    socklen_t          len = sizeof(a);

    return getsockname(fd, (struct sockaddr *)&a, &len) == 0 ? ntohs(a.sin_port) : 0;
}

/* What is there, from one to the other; false at the end of either. */
static int pass(int from, int to)
{
    char    bytes[65536];
    ssize_t n = read(from, bytes, sizeof(bytes));

    for (ssize_t done = 0; n > 0 && done < n;) {
        ssize_t m = write(to, bytes + done, (size_t)(n - done));

        if (m <= 0)
            return 0;
        done += m;
    }
    return n > 0;
}

static void serve(int client, unsigned port)
{
    struct sockaddr_in a = address(port);
    int                server = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct pollfd      ends[2] = { { .fd = client, .events = POLLIN }, { .fd = server, .events = POLLIN } };

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (server < 0 || connect(server, (struct sockaddr *)&a, sizeof(a)) != 0)
        exit(1);
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    printf("%d %u\n", (int)getpid(), port_of(server));
    fflush(stdout);
    for (;;) {
        if (poll(ends, 2, -1) < 0)
            exit(1);
        for (int i = 0; i < 2; i++) {
            if (ends[i].revents != 0 && !pass(ends[i].fd, ends[1 - i].fd))
                exit(0);
        }
    }
}

static int listen_anywhere(void)
{
    struct sockaddr_in a = address(0);
    int                fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 128) != 0) {
        perror("pipes");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    unsigned      port = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    int           listener = listen_anywhere();
    struct pollfd ends[2] = { { .fd = listener, .events = POLLIN }, { .fd = 0, .events = POLLIN } };

    if (port == 0) {
        fprintf(stderr, "usage: pipes PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);                  /* nobody waits for them */
    printf("%u\n", port_of(listener));
    fflush(stdout);
    while (poll(ends, 2, -1) > 0 && ends[1].revents == 0) {
        int client = accept(listener, NULL, NULL);

        if (client >= 0 && fork() == 0) {
            close(listener);
            serve(client, port);
        }
        close(client);
    }
    return 0;
}

/* supervise.c -- a supervisor as small as it can be: what systemd does for a service of
 * Type=notify with sockets of its own, for the test of common/supervisor.c.
 *
 *     supervise NAME[,NAME...] PROGRAM [ARG...]
 *
 * Listens on one free loopback port per name for as long as it lives, whatever becomes of the
 * program; then does what standard input says, line by line: `start`, `signal NUMBER`. Its end
 * is the end. Says on standard output, a line each:
 *
 *     listening NAME PORT      notify TEXT (line feeds as blanks)      exited CODE      killed SIGNAL */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKETS_MAX 4
#define LOOK_MS     20

static int   sockets[SOCKETS_MAX];
static int   socket_count;
static char *names;                            /* "a:b" */
static char  address[64];                      /* of NOTIFY_SOCKET */
static pid_t child;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void socket_open(const char *name)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          len = sizeof(at);
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        fail(name);
    sockets[socket_count++] = fd;
    printf("listening %s %d\n", name, ntohs(at.sin_port));
}

static void sockets_open(char *list)
{
    char *rest = list, *name;

    names = strdup(list);
    for (char *c = names; *c != '\0'; c++) {
        if (*c == ',')
            *c = ':';
    }
    while ((name = strsep(&rest, ",")) != NULL && socket_count < SOCKETS_MAX)
        socket_open(name);
}

static int notify_open(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int                fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int                len = snprintf(address, sizeof(address), "@taskwire-supervise-%d", getpid());

    memcpy(at.sun_path + 1, address + 1, (size_t)len - 1);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at,
                       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len)) != 0)
        fail("notify");
    return fd;
}

/* In the child: descriptors from 3 on, and the variables that speak of them. */
static void run(char **argv)
{
    char text[16];

    for (int i = 0; i < socket_count; i++) {
        int high = dup(sockets[i]);            /* out of the way of those that come */

        if (high < 0)
            fail("dup");
        sockets[i] = high;
    }
    for (int i = 0; i < socket_count; i++) {
        if (dup2(sockets[i], 3 + i) < 0)
            fail("dup2");
    }
    snprintf(text, sizeof(text), "%d", socket_count);
    setenv("LISTEN_FDS", text, 1);
    snprintf(text, sizeof(text), "%d", getpid());
    setenv("LISTEN_PID", text, 1);
    setenv("LISTEN_FDNAMES", names, 1);
    setenv("NOTIFY_SOCKET", address, 1);
    execv(argv[0], argv);
    fail(argv[0]);
}

static void obey(const char *line, char **argv)
{
    if (strncmp(line, "start", 5) == 0) {
        child = fork();
        if (child < 0)
            fail("fork");
        if (child == 0)
            run(argv);
    } else if (strncmp(line, "signal ", 7) == 0 && child > 0) {
        kill(child, (int)strtol(line + 7, NULL, 10));
    }
}

static void hear(int fd)
{
    char    text[4096];
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

    for (ssize_t i = 0; i < n; i++) {
        if (text[i] == '\n')
            text[i] = ' ';
    }
    if (n > 0)
        printf("notify %.*s\n", (int)n, text);
}

static void look_after_child(void)
{
    int status;

    if (child <= 0 || waitpid(child, &status, WNOHANG) != child)
        return;
    child = 0;
    if (WIFEXITED(status))
        printf("exited %d\n", WEXITSTATUS(status));
    else
        printf("killed %d\n", WTERMSIG(status));
}

int main(int argc, char **argv)
{
    struct pollfd polls[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };
    char          line[128];

    if (argc < 3)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stdin, NULL, _IONBF, 0);
    sockets_open(argv[1]);
    polls[1].fd = notify_open();
    for (;;) {
        if (poll(polls, 2, LOOK_MS) > 0) {
            if (polls[1].revents & POLLIN)
                hear(polls[1].fd);
            if (polls[0].revents != 0) {
                if (fgets(line, sizeof(line), stdin) == NULL)
                    break;
                obey(line, argv + 2);
            }
        }
        look_after_child();
    }
    if (child > 0)
        kill(child, SIGKILL);
    return 0;
}

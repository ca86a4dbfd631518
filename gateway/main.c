/* main.c -- the gateway: settings, resources, run, and the same backwards. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "gateway/gateway.h"

#define EXIT_FAILED 1
#define EXIT_USAGE  2

static int usage(FILE *to, int code)
{
    fputs("usage: gateway [--settings | --version | --help]\n"
          "Everything else is set by environment variables; --settings lists them.\n", to);
    return code;
}

static int say(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("taskwire gateway " TASKWIRE_VERSION);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--settings") == 0) {
        settings_print(stdout);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout, 0);
    return usage(stderr, EXIT_USAGE);
}

static int load(struct settings *s)
{
    struct buf problems, warnings;
    int        err;

    buf_init(&problems, 64 * 1024);
    buf_init(&warnings, 64 * 1024);
    err = settings_load(s, &problems, &warnings);
    log_setup("gateway", s->log_level, s->log_format);
    for (struct slice rest = buf_peek(&warnings); rest.len > 0;)
        log_warn("setting", LOG_SLICE("note", slice_cut(&rest, '\n')));
    if (err != 0)
        fprintf(stderr, "%s", problems.data != NULL ? problems.data : "");
    buf_deinit(&problems);
    buf_deinit(&warnings);
    return err;
}

static int run(struct settings *s)
{
    struct gateway *g;
    uv_loop_t       loop;
    int             err = uv_loop_init(&loop);

    if (err != 0) {
        log_error("loop-failed", LOG_ERR(err));
        return EXIT_FAILED;
    }
    err = gateway_new(&loop, s, &g);
    uv_run(&loop, UV_RUN_DEFAULT);
    gateway_free(g);
    if (uv_loop_close(&loop) != 0) {
        log_error("loop-not-empty", LOG_NUM("handles", loop.active_handles));
        return EXIT_FAILED;
    }
    log_flush(true);
    log_info("gateway-down", LOG_NUM("err", err));
    return err == 0 ? 0 : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    static struct settings settings;           /* its texts live as long as the process */
    int             code = EXIT_FAILED;

    if (argc > 1)
        return say(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    if (load(&settings) == 0)
        code = run(&settings);
    settings_deinit(&settings);
    return code;
}

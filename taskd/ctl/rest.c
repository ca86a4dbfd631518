/* rest.c -- asking taskd.
 *
 * Every request that changes something either carries an Idempotency-Key or is the same thing
 * when it is done twice, so a request whose answer did not come may go to the next taskd. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/mem.h"
#include "taskd/ctl/ctl_internal.h"
#include "taskd/ctl/identity.h"

#define TOKEN_TTL_S    300
#define BODY_BYTES_MAX ((size_t)1 << 20)
#define TARGET_MAX     8192
#define CONNECT_MS_MAX 2000

/* --- who we are --- */

static bool authorize(struct ctl *c)
{
    struct identity who = { .sub = args_value(c->args, "sub"), .org = ctl_org(c),
                            .ttl_s = TOKEN_TTL_S };
    struct buf      header;
    int             err = 0;

    if (c->authorization != NULL &&
        (c->authorized_ms == 0 || ctl_now_ms(c) - c->authorized_ms < TOKEN_TTL_S * 1000 / 2))
        return true;
    buf_init(&header, 65536);
    buf_append_text(&header, "Bearer ");
    if (c->settings.token != NULL) {
        buf_append_text(&header, c->settings.token);
    } else {
        who.is_admin = who.sub == NULL;
        if (who.sub == NULL)
            who.sub = "taskctl";
        err = identity_token(&who, &header);
        c->authorized_ms = ctl_now_ms(c);
    }
    free(c->authorization);
    c->authorization = buf_take(&header);
    return err == 0;
}

/* --- where taskd is --- */

bool rest_init(struct ctl *c)
{
    struct http_client_options o = HTTP_CLIENT_DEFAULTS;
    struct slice               rest = slice_of(c->settings.taskd_url);

    o.timeout_ms = (uint64_t)c->timeout_ms;
    o.connect_timeout_ms = o.timeout_ms < CONNECT_MS_MAX ? o.timeout_ms : CONNECT_MS_MAX;
    while (rest.data != NULL && c->url_count < CTL_URLS_MAX) {
        struct slice part = slice_cut(&rest, ',');
        char        *url;

        while (part.len > 0 && part.data[0] == ' ')
            part = slice_from(part, 1);
        while (part.len > 0 && (part.data[part.len - 1] == ' ' || part.data[part.len - 1] == '/'))
            part.len--;
        url = mem_strndup(part.data, part.len);
        c->urls[c->url_count] = url;
        c->clients[c->url_count] = http_client_new(c->net, url, &o);
        if (c->clients[c->url_count++] == NULL) {
            say("TASKD_URL is not of the form http://host:port: '%s'", url);
            return false;
        }
    }
    return true;
}

void rest_close(struct ctl *c)
{
    for (size_t i = 0; i < c->url_count; i++) {
        if (c->clients[i] != NULL)
            http_client_close(c->clients[i]);
        free(c->urls[i]);
    }
    free(c->authorization);
}

/* --- asking --- */

struct waiting {
    bool           is_done;
    struct answer *answer;
};

static void on_answer(int err, const struct http_result *result, void *arg)
{
    struct waiting *w = arg;

    w->is_done = true;
    w->answer->err = err;
    if (err != 0)
        return;
    w->answer->status = result->status;
    w->answer->json = json_parse(result->body, NULL);
}

static void ask_one(struct ctl *c, struct http_client *client, const struct http_call_options *o,
                    struct answer *out)
{
    struct waiting w = { .answer = out };

    out->err = http_client_call(client, o, on_answer, &w, NULL);
    if (out->err != 0)
        return;
    c->is_timer_over = false;                  /* the client has a timer of its own */
    ctl_run(c, &w.is_done);
}

void taskd_ask(struct ctl *c, const struct request *r, struct answer *out)
{
    struct buf body;

    *out = (struct answer){ .err = ERR_TOKEN };
    if (!authorize(c))
        return;
    buf_init(&body, BODY_BYTES_MAX);
    if (r->body != NULL)
        (void)json_append(&body, r->body);     /* what is too large, taskd would refuse, too */
    const struct http_header headers[] = {
        { SLICE("Authorization"), slice_of(c->authorization) },
        { SLICE("Content-Type"), SLICE("application/json") },
        { SLICE("Idempotency-Key"), slice_of(r->key) },
    };
    const struct http_call_options o = {
        .method = r->method, .target = slice_of(r->target), .headers = headers,
        .header_count = r->key != NULL ? 3 : r->body != NULL ? 2 : 1, .body = buf_peek(&body),
        .timeout_ms = (uint64_t)r->timeout_ms,
    };

    for (size_t tries = 0; tries < c->url_count; tries++) {
        ask_one(c, c->clients[c->url_at], &o, out);
        if (out->err == 0)
            break;
        if (tries + 1 < c->url_count)
            c->url_at = (c->url_at + 1) % c->url_count;
    }
    buf_deinit(&body);
}

void answer_deinit(struct answer *a)
{
    json_decref(a->json);
    a->json = NULL;
}

/* --- what it means --- */

static enum exit_code explain_silence(const struct ctl *c, int err)
{
    const char *url = c->urls[c->url_at];

    if (err == ERR_TOKEN)
        return EXIT_USAGE;                     /* told by whoever found no secret */
    if (err == ERR_INVALID)
        say("the request cannot be sent: its path is too long or malformed");
    else if (err == ERR_TIMEOUT)
        say("taskd at %s did not answer within %lld ms", url, (long long)c->timeout_ms);
    else if (err == ERR_FRAME || err == ERR_TOO_BIG)
        say("what answers at %s is no taskd: %s", url, err_text(err));
    else
        say("taskd at %s is not to be reached: %s", url, err_text(err));
    return err == ERR_INVALID ? EXIT_FAILED : EXIT_UNREACHABLE;
}

static enum exit_code code_of(int status)
{
    switch (status) {
    case 404:
        return EXIT_MISSING;
    case 409:
        return EXIT_CONFLICT;
    case 502:
    case 503:
    case 504:
        return EXIT_UNREACHABLE;
    default:
        return EXIT_FAILED;
    }
}

bool answer_is_absence(const struct answer *a)
{
    return (a->err != 0 && a->err != ERR_TOKEN && a->err != ERR_INVALID) ||
           (a->err == 0 && code_of(a->status) == EXIT_UNREACHABLE);
}

/* The task as it is now, where a conflict's answer tells it. */
static void say_problem(const struct answer *a, const char *what)
{
    const char   *title = json_text(a->json, "title");
    const char   *detail = json_text(a->json, "detail");
    const json_t *task = json_object_get(a->json, "task");
    char          now[128] = "";

    if (task != NULL)
        snprintf(now, sizeof(now), " (it is %s, seq %lld)", json_text(task, "status"),
                 (long long)json_int(task, "seq", 0));
    say("%s: %s%s%s%s", what, title, detail != NULL ? ": " : "", detail != NULL ? detail : "", now);
    if (a->status == 403)
        say("an operator's commands need the role admin (TASKWIRE_TOKEN, or JWT_SECRET without "
            "--sub), and most of them taskd's own port");
}

enum exit_code answer_explain(const struct ctl *c, const struct answer *a, const char *what)
{
    bool is_ours;

    if (a->err != 0)
        return explain_silence(c, a->err);
    if (a->status == 204 || (a->status >= 200 && a->status < 300 && json_is_object(a->json)))
        return EXIT_OK;
    is_ours = json_text(a->json, "code") != NULL && json_text(a->json, "title") != NULL;
    if (!is_ours) {
        say("what answers at %s is no taskd: HTTP %d without a word of ours", c->urls[c->url_at],
            a->status);
        return EXIT_UNREACHABLE;
    }
    say_problem(a, what);
    return code_of(a->status);
}

enum exit_code taskd_call(struct ctl *c, const struct request *r, const char *what, json_t **out)
{
    struct answer  a;
    enum exit_code code;

    taskd_ask(c, r, &a);
    code = answer_explain(c, &a, what);
    if (out != NULL)
        *out = code == EXIT_OK ? json_incref(a.json) : NULL;
    answer_deinit(&a);
    return code;
}

enum exit_code taskd_get(struct ctl *c, json_t **out, const char *what, const char *format, ...)
{
    char    target[TARGET_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(target, sizeof(target), format, args);
    va_end(args);
    return taskd_call(c, &(struct request){ .method = HTTP_GET, .target = target }, what, out);
}

void target_put(struct buf *out, const char *before, const char *word, const char *after)
{
    buf_append_text(out, before);
    (void)http_append_encoded(out, slice_of(word));
    buf_append_text(out, after);
}

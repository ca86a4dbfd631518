/* redis_link.c -- one connection to a Redis, again and again.
 *
 *     WAITING -> CONNECTING -> GREETING -> UP -> WAITING ...      (and CLOSING from each)
 *
 * Of hiredis only the reply reader is used, over libuv's own TCP. Its asynchronous half was
 * rejected: it asserts on replies that it did not expect (SSUBSCRIBE; a second UNSUBSCRIBE of
 * the last channel aborted 0.14.1 when tried), so that a peer's bytes could end us; it
 * resolves names by blocking; and its libuv adapter leaks where a poll cannot be begun and
 * ignores a poll's errors. The reader is small, has none of this, and exists in every newer
 * version.
 *
 * Each attempt is a `conn`, an object of its own: handles close later than we would like to
 * begin anew, and a name being resolved cannot always be cancelled. A conn that was given up
 * has no link any more, and all its late callbacks look at that first.
 *
 * What is written in one turn is gathered and leaves by an idle handle, which runs once
 * before the loop sleeps again, wherever in the turn the writing was done. */
#include "common/redis_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/crypto.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#define CONNECT_MS      2000                   /* to resolve, connect and be greeted */
#define RETRY_FIRST_MS  100
#define RETRY_MAX_MS    2000
#define KEEPALIVE_S     15
#define INPUT_BYTES     65536                  /* read at a time */
#define OUT_BYTES_MAX   (64u << 20)            /* commands not yet taken by the kernel */
#define OUT_BYTES_KEPT  (1u << 20)             /* memory kept when all has been written */
#define NAME_MAX_BYTES  64

enum link_state { LINK_WAITING, LINK_CONNECTING, LINK_GREETING, LINK_UP, LINK_CLOSING };
enum step { STEP_AUTH, STEP_SELECT, STEP_NAME, STEP_INFO, STEP_PING, STEP_COUNT };

struct conn {                                  /* one attempt, and if it succeeds, a connection */
    struct redis_link *link;                   /* NULL: given up */
    uv_tcp_t           tcp;
    uv_getaddrinfo_t   resolve;
    uv_connect_t       connect;
    uv_write_t         write;
    char              *writing;                /* bytes that `write` holds; NULL: none under way */
    redisReader       *reader;
    bool               is_resolving;
    bool               has_more;               /* the name has further addresses */
    char               input[INPUT_BYTES];
};

struct redis_link {
    uv_loop_t                   *loop;
    const struct redis_link_ops *ops;
    void                        *arg;
    struct redis_url             url;
    char                         name[NAME_MAX_BYTES];
    enum link_state              state;
    struct conn                 *conn;         /* NULL while waiting */
    uv_timer_t                   timer;        /* connecting: the limit; waiting: the retry */
    uv_idle_t                    idle;         /* active where there is something to write */
    int                          handles_open; /* of the two above, once closing */
    uint64_t                     retry_ms;     /* how long the next wait is */
    uint64_t                     up_since_ms;
    int                          skip;         /* addresses of the name that did not answer */
    struct buf                   out;
    size_t                       out_before;   /* where the command being written begins */
    enum step                    step;         /* whose reply is due */
    const char                  *drop_why;     /* redis_link_drop was called */
    char                         run_id[REDIS_RUN_ID_SIZE];
};

static void begin_attempt(struct redis_link *l);
static void on_timer(uv_timer_t *timer);
static void on_idle(uv_idle_t *idle);

/* --- RESP --- */

void redis_resp_head(struct buf *out, size_t argc)
{
    buf_append_char(out, '*');
    buf_append_u64(out, argc);
    buf_append(out, "\r\n", 2);
}

void redis_resp_arg(struct buf *out, struct slice arg)
{
    buf_append_char(out, '$');
    buf_append_u64(out, arg.len);
    buf_append(out, "\r\n", 2);
    buf_append_slice(out, arg);
    buf_append(out, "\r\n", 2);
}

/* --- life of a conn --- */

static void conn_free_if_done(struct conn *c)
{
    if (c->is_resolving || c->tcp.data != NULL)
        return;
    redisReaderFree(c->reader);
    free(c->writing);
    free(c);
}

static void on_tcp_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;

    handle->data = NULL;                       /* marks it closed */
    conn_free_if_done(c);
}

static struct conn *conn_new(struct redis_link *l)
{
    struct conn *c = mem_new(struct conn);

    c->link = l;
    c->reader = redisReaderCreate();
    if (c->reader == NULL)
        abort();                               /* out of memory: mem.h */
    uv_tcp_init(l->loop, &c->tcp);             /* makes no socket yet: cannot fail */
    c->tcp.data = c;
    c->resolve.data = c;
    c->connect.data = c;
    c->write.data = c;
    return c;
}

static void conn_give_up(struct conn *c)
{
    c->link = NULL;
    if (c->is_resolving)
        uv_cancel((uv_req_t *)&c->resolve);    /* or not: then it is waited for */
    uv_close((uv_handle_t *)&c->tcp, on_tcp_closed);
}

/* --- life of a link --- */

static void enter(struct redis_link *l, enum link_state state)
{
    assert(l->state != LINK_CLOSING);
    l->state = state;
}

struct redis_link *redis_link_new(uv_loop_t *loop, const char *url, const char *name,
                                  const struct redis_link_ops *ops, void *arg)
{
    struct redis_link *l = mem_new(struct redis_link);

    if (redis_url_parse(url, &l->url) != 0) {
        free(l);
        return NULL;
    }
    l->loop = loop;
    l->ops = ops;
    l->arg = arg;
    l->retry_ms = RETRY_FIRST_MS;
    for (size_t i = 0; name != NULL && name[i] != '\0' && i < NAME_MAX_BYTES - 1; i++)
        l->name[i] = name[i] > ' ' && name[i] < 0x7f ? name[i] : '-';  /* SETNAME's alphabet */
    buf_init(&l->out, OUT_BYTES_MAX);
    uv_timer_init(loop, &l->timer);
    uv_idle_init(loop, &l->idle);
    l->timer.data = l;
    l->idle.data = l;
    begin_attempt(l);
    return l;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct redis_link           *l = handle->data;
    const struct redis_link_ops *ops = l->ops;
    void                        *arg = l->arg;

    if (--l->handles_open != 0)
        return;
    buf_deinit(&l->out);
    free(l);
    ops->on_closed(arg);
}

void redis_link_close(struct redis_link *l)
{
    if (l->state == LINK_CLOSING)
        return;
    enter(l, LINK_CLOSING);
    if (l->conn != NULL)
        conn_give_up(l->conn);
    l->conn = NULL;
    l->run_id[0] = '\0';
    l->handles_open = 2;
    uv_close((uv_handle_t *)&l->timer, on_handle_closed);
    uv_close((uv_handle_t *)&l->idle, on_handle_closed);
}

bool redis_link_is_up(const struct redis_link *l)
{
    return l->state == LINK_UP;
}

const char *redis_link_run_id(const struct redis_link *l)
{
    return l->state == LINK_UP ? l->run_id : "";
}

/* How long to wait: the next step of 100 ms doubling to 2 s, less up to half of it by
 * chance, so that a thousand processes do not come back in one instant. */
static uint64_t next_wait_ms(struct redis_link *l)
{
    uint64_t wait = l->retry_ms;
    uint16_t chance;

    crypto_random(&chance, sizeof(chance));
    l->retry_ms = wait * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : wait * 2;
    return wait - wait / 2 * chance / UINT16_MAX;
}

static void log_lost(const struct redis_link *l, const char *why)
{
    log_warn(l->state == LINK_UP ? "redis-down" : "redis-connect-failed", LOG_TEXT("link", l->name),
             LOG_TEXT("host", l->url.host), LOG_NUM("port", l->url.port), LOG_TEXT("why", why));
}

/* The connection, or the attempt at one, is over. The owner may close the link in on_down,
 * so nothing of the link is touched after it. */
static void lose(struct redis_link *l, const char *why)
{
    bool     was_up = l->state == LINK_UP;
    bool     has_more = l->state == LINK_CONNECTING && l->conn->has_more;
    uint64_t wait_ms = 0;

    log_lost(l, why);
    if (was_up && uv_now(l->loop) - l->up_since_ms >= RETRY_MAX_MS)
        l->retry_ms = RETRY_FIRST_MS;          /* it was worth something */
    l->skip = has_more ? l->skip + 1 : 0;
    if (!has_more)
        wait_ms = next_wait_ms(l);
    conn_give_up(l->conn);
    l->conn = NULL;
    l->drop_why = NULL;
    l->run_id[0] = '\0';
    buf_deinit(&l->out);
    uv_idle_stop(&l->idle);
    enter(l, LINK_WAITING);
    uv_timer_start(&l->timer, on_timer, wait_ms, 0);
    if (was_up)
        l->ops->on_down(l->arg);
}

static void on_timer(uv_timer_t *timer)
{
    struct redis_link *l = timer->data;

    if (l->state == LINK_WAITING)
        begin_attempt(l);
    else
        lose(l, "no connection in time");
}

/* --- writing --- */

struct buf *redis_link_begin(struct redis_link *l)
{
    l->out_before = l->out.len;
    return &l->out;
}

int redis_link_end(struct redis_link *l)
{
    if (buf_failed(&l->out)) {
        l->out.len = l->out_before;
        l->out.failed = false;
        return ERR_BUSY;
    }
    uv_idle_start(&l->idle, on_idle);
    return 0;
}

static void flush(struct redis_link *l);

static void on_written(uv_write_t *req, int status)
{
    struct conn *c = req->data;

    free(c->writing);
    c->writing = NULL;
    if (c->link == NULL)
        return;
    if (status != 0)
        lose(c->link, uv_strerror(status));
    else
        flush(c->link);
}

/* Hand to the kernel what it takes now, and to libuv what it does not. */
static void flush(struct redis_link *l)
{
    struct conn *c = l->conn;
    uv_buf_t     bytes;
    int          n;

    if (c->writing != NULL || l->out.len == 0)
        return;
    bytes = uv_buf_init(l->out.data, (unsigned)l->out.len);
    n = uv_try_write((uv_stream_t *)&c->tcp, &bytes, 1);
    if (n == UV_EAGAIN)
        n = 0;
    if (n >= 0 && (size_t)n < l->out.len) {
        buf_consume(&l->out, (size_t)n);
        bytes.len = l->out.len;
        bytes.base = c->writing = buf_take(&l->out);
        n = uv_write(&c->write, (uv_stream_t *)&c->tcp, &bytes, 1, on_written);
    } else if (l->out.cap > OUT_BYTES_KEPT) {
        buf_deinit(&l->out);
    } else {
        buf_reset(&l->out);
    }
    if (n < 0)
        lose(l, uv_strerror(n));
}

static void on_idle(uv_idle_t *idle)
{
    struct redis_link *l = idle->data;

    uv_idle_stop(idle);
    if (l->drop_why != NULL)
        lose(l, l->drop_why);
    else
        flush(l);
}

void redis_link_drop(struct redis_link *l, const char *why)
{
    if (l->state != LINK_UP)
        return;
    l->drop_why = why;
    uv_idle_start(&l->idle, on_idle);
}

/* --- greeting --- */

static void write_command(struct redis_link *l, const char *const *args)
{
    struct buf *out = redis_link_begin(l);
    size_t      argc = 0;

    while (args[argc] != NULL)
        argc++;
    redis_resp_head(out, argc);
    for (size_t i = 0; i < argc; i++)
        redis_resp_arg(out, slice_of(args[i]));
    redis_link_end(l);                         /* cannot fail: the buf was empty */
}

static bool has_step(const struct redis_link *l, enum step step)
{
    switch (step) {
    case STEP_AUTH:   return l->url.password[0] != '\0';
    case STEP_SELECT: return l->url.db != 0;
    case STEP_NAME:   return l->name[0] != '\0';
    default:          return true;
    }
}

static enum step step_from(const struct redis_link *l, enum step step)
{
    while (step < STEP_COUNT && !has_step(l, step))
        step++;
    return step;
}

static void write_auth(struct redis_link *l)
{
    if (l->url.user[0] != '\0')
        write_command(l, (const char *[]){ "AUTH", l->url.user, l->url.password, NULL });
    else
        write_command(l, (const char *[]){ "AUTH", l->url.password, NULL });
}

static void write_select(struct redis_link *l)
{
    struct buf db;

    buf_init(&db, 16);
    buf_append_u64(&db, (uint64_t)l->url.db);
    write_command(l, (const char *[]){ "SELECT", db.data, NULL });
    buf_deinit(&db);
}

/* All at once: the replies come in the same order. PING is last because it fails while the
 * server is still loading its data, which INFO does not. */
static void greet(struct redis_link *l)
{
    if (has_step(l, STEP_AUTH))
        write_auth(l);
    if (has_step(l, STEP_SELECT))
        write_select(l);
    if (has_step(l, STEP_NAME))
        write_command(l, (const char *[]){ "CLIENT", "SETNAME", l->name, NULL });
    write_command(l, (const char *[]){ "INFO", "server", NULL });
    write_command(l, (const char *[]){ "PING", NULL });
    l->step = step_from(l, STEP_AUTH);
}

static bool read_run_id(struct redis_link *l, struct slice info)
{
    while (info.len != 0) {
        struct slice line = slice_cut(&info, '\n');

        if (!slice_starts(line, "run_id:"))
            continue;
        line = slice_from(line, strlen("run_id:"));
        if (line.len != 0 && line.data[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0 || line.len >= sizeof(l->run_id))
            return false;
        memcpy(l->run_id, line.data, line.len);
        l->run_id[line.len] = '\0';
        return true;
    }
    return false;
}

static void on_greeted(struct redis_link *l)
{
    enter(l, LINK_UP);
    uv_timer_stop(&l->timer);
    l->up_since_ms = uv_now(l->loop);
    l->skip = 0;
    log_info("redis-up", LOG_TEXT("link", l->name), LOG_TEXT("host", l->url.host),
             LOG_NUM("port", l->url.port), LOG_TEXT("run_id", l->run_id));
    l->ops->on_up(l->arg);
}

/* Only the reply's first word is logged (WRONGPASS, LOADING): some errors repeat arguments,
 * and one of ours was the password. */
static void log_refusal(const struct redis_link *l, const redisReply *reply)
{
    struct slice rest = slice_make(reply->str, reply->len);
    struct slice word = slice_cut(&rest, ' ');

    if (l->step == STEP_PING)                  /* still loading its data: heals by itself */
        log_warn("redis-not-ready", LOG_TEXT("link", l->name), LOG_SLICE("reply", word));
    else
        log_error("redis-greeting-refused", LOG_TEXT("link", l->name), LOG_SLICE("reply", word),
                  LOG_NUM("step", l->step));
}

static void on_greeting_reply(struct redis_link *l, const redisReply *reply)
{
    bool is_error = reply->type == REDIS_REPLY_ERROR;
    bool is_text = reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;

    if (is_error && l->step != STEP_NAME) {    /* the name is for people; all else is needed */
        log_refusal(l, reply);
        lose(l, "the server refused the greeting");
        return;
    }
    if (l->step == STEP_INFO &&
        !(is_text && read_run_id(l, slice_make(reply->str, reply->len)))) {
        lose(l, "the server does not say its run_id");
        return;
    }
    l->step = step_from(l, l->step + 1);
    if (l->step == STEP_COUNT)
        on_greeted(l);
}

/* --- reading --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct conn *c = handle->data;

    (void)suggested;
    *out = uv_buf_init(c->input, sizeof(c->input));
}

/* Hand over every whole reply. Whoever gets one may close the link or lose it. */
static int read_replies(struct conn *c)
{
    while (c->link != NULL) {
        void *reply = NULL;

        if (redisReaderGetReply(c->reader, &reply) != REDIS_OK)
            return ERR_FRAME;
        if (reply == NULL)
            return 0;
        if (c->link->state == LINK_GREETING)
            on_greeting_reply(c->link, reply);
        else
            c->link->ops->on_reply(reply, c->link->arg);
        freeReplyObject(reply);
    }
    return 0;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct conn *c = stream->data;

    if (c->link == NULL || n == 0)
        return;
    if (n < 0)
        lose(c->link, uv_strerror((int)n));
    else if (redisReaderFeed(c->reader, bytes->base, (size_t)n) != REDIS_OK || read_replies(c) != 0)
        lose(c->link, "the server does not speak Redis's protocol");
}

/* --- connecting --- */

static void on_connected(uv_connect_t *req, int status)
{
    struct conn *c = req->data;

    if (c->link == NULL)
        return;
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    if (status != 0) {
        lose(c->link, uv_strerror(status));
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);                /* a refusal of these two costs only speed */
    uv_tcp_keepalive(&c->tcp, 1, KEEPALIVE_S);
    enter(c->link, LINK_GREETING);
    greet(c->link);
}

static int connect_to(struct conn *c, const struct sockaddr *address)
{
    return uv_tcp_connect(&c->connect, &c->tcp, address, on_connected);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *all)
{
    struct conn     *c = req->data;
    struct addrinfo *one = all;

    c->is_resolving = false;
    if (c->link == NULL) {
        uv_freeaddrinfo(all);
        conn_free_if_done(c);
        return;
    }
    for (int i = 0; i < c->link->skip && one != NULL && one->ai_next != NULL; i++)
        one = one->ai_next;
    c->has_more = one != NULL && one->ai_next != NULL;
    if (status == 0)
        status = one != NULL ? connect_to(c, one->ai_addr) : UV_EAI_NODATA;
    uv_freeaddrinfo(all);
    if (status != 0)
        lose(c->link, uv_strerror(status));
}

/* Numeric addresses do not go through libuv's pool, where slow work may stand before them. */
static int resolve_and_connect(struct conn *c, const struct redis_url *url)
{
    struct addrinfo     hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct sockaddr_in  v4;
    struct sockaddr_in6 v6;
    char                port[8];
    int                 err;

    if (uv_ip4_addr(url->host, url->port, &v4) == 0)
        return connect_to(c, (const struct sockaddr *)&v4);
    if (uv_ip6_addr(url->host, url->port, &v6) == 0)
        return connect_to(c, (const struct sockaddr *)&v6);
    snprintf(port, sizeof(port), "%u", (unsigned)url->port & 0xffff);
    err = uv_getaddrinfo(c->link->loop, &c->resolve, on_resolved, url->host, port, &hints);
    c->is_resolving = err == 0;
    return err;
}

static void begin_attempt(struct redis_link *l)
{
    int err;

    enter(l, LINK_CONNECTING);
    l->conn = conn_new(l);
    uv_timer_start(&l->timer, on_timer, CONNECT_MS, 0);
    err = resolve_and_connect(l->conn, &l->url);
    if (err != 0)
        lose(l, uv_strerror(err));
}

/* sse.c -- see sse.h.
 *
 * The answer's head waits for the first event: until then a refusal is a status and problem
 * details like any other's. What the first event is decides where the reader begins:
 *
 *     no Last-Event-ID -----------------------------> join: the state, and what comes after it
 *     Last-Event-ID --the log reaches back--> the lines behind it, and what comes after them
 *                   '--it does not----------> join
 *
 * An event's bytes are made by the first reader that is sent it and shared by all others. A
 * reader that does not read is cut off when QUEUE_BYTES_MAX wait for it: it knows where it was.
 * Who is thrown out (evicted, a feature switched off) is told so, and that is the stream's end.
 *
 * Nothing is ended from inside of an event: a reader that is over is put on a list and ended with
 * the next tick. */
#include "gateway/sse.h"

#include <stdlib.h>

#include "common/crypto.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/app.h"
#include "gateway/problem.h"
#include "gateway/sse_frame.h"

#define RETRY_MIN_MS 1000                      /* readers of one gateway come back spread */
#define RETRY_RANGE  16                        /* ... over so many steps ... */
#define RETRY_STEP   200                       /* ... of so many ms */
#define METHODS      "GET, HEAD, OPTIONS"

struct reader {
    struct sse          *all;
    struct http_request *request;              /* NULL: its client is gone, or has been answered */
    struct sio_socket   *socket;
    struct address      *address;
    struct claim        *claim;                /* its place among its person's connections */
    struct list          in_all, in_ending;
    uint64_t             looked_ms, written_ms;
    size_t               queued_seen;          /* at the last heartbeat */
    enum sse_kind        kind;
    enum error_code      refusal;              /* its status, where it ends before it has begun */
    char                 task[25];             /* "": the dashboard */
    bool                 has_begun, is_slow;
};

static struct reader *reader_of(const struct sio_socket *s)
{
    return sio_socket_client_data(s);
}

static uint64_t now_ms(const struct reader *rd)
{
    return net_now_ms(rd->all->app->net);
}

/* --- answers --- */

static void refuse(struct sse *s, struct http_request *r, enum error_code code)
{
    struct http_header headers[ORIGINS_HEADERS];
    size_t             count = origins_headers(s->app->options.origins,
                                               http_request_header(r, "Origin"), headers);

    metric_inc(s->refused);
    problem_answer_with(r, code, headers, count);
}

/* What a browser asks before it lets a page of another origin send an Authorization header. */
static void answer_options(struct sse *s, struct http_request *r)
{
    struct http_header headers[ORIGINS_HEADERS + 3];
    size_t             count = origins_headers(s->app->options.origins,
                                               http_request_header(r, "Origin"), headers);

    headers[count++] = (struct http_header){ SLICE("Allow"), SLICE(METHODS) };
    headers[count++] = (struct http_header){ SLICE("Access-Control-Allow-Methods"),
                                             SLICE("GET, HEAD") };
    headers[count++] = (struct http_header){ SLICE("Access-Control-Allow-Headers"),
                                             SLICE("Authorization, Last-Event-ID, Cache-Control") };
    http_request_answer(r, &(struct http_answer){ .status = 204, .headers = headers,
                                                  .header_count = count });
}

/* --- writing --- */

static void end_soon(struct reader *rd)
{
    if (list_is_empty(&rd->in_ending))
        list_append(&rd->all->ending, &rd->in_ending);
}

static void write_retry(struct reader *rd)
{
    uint8_t       random;
    char          text[32];
    struct rcbuf *bytes;

    crypto_random(&random, 1);
    snprintf(text, sizeof(text), "retry: %d\n\n",
             RETRY_MIN_MS + random % RETRY_RANGE * RETRY_STEP);
    bytes = rcbuf_copy(slice_of(text));
    (void)http_request_write(rd->request, bytes);
    rcbuf_unref(bytes);
}

static void begin(struct reader *rd)
{
    struct http_header headers[ORIGINS_HEADERS + 2];
    struct http_answer head = { .status = 200, .content_type = "text/event-stream",
                                .headers = headers };

    if (rd->has_begun || rd->request == NULL)
        return;
    rd->has_begun = true;
    head.header_count = origins_headers(rd->all->app->options.origins,
                                        http_request_header(rd->request, "Origin"), headers);
    headers[head.header_count++] = (struct http_header){ SLICE("Cache-Control"), SLICE("no-store") };
    headers[head.header_count++] = (struct http_header){ SLICE("X-Accel-Buffering"), SLICE("no") };
    http_request_begin(rd->request, &head);
    if (http_request_method(rd->request) == HTTP_HEAD)
        end_soon(rd);
    else
        write_retry(rd);
}

/* Returns false where it is too much. */
static bool write_frame(struct reader *rd, struct rcbuf *frame)
{
    size_t max = rd->all->app->options.sio.eio.queue_bytes_max;

    if (http_request_queued_bytes(rd->request) > max) {
        rd->is_slow = true;
        end_soon(rd);
        return false;
    }
    rd->written_ms = now_ms(rd);
    (void)http_request_write(rd->request, frame);   /* closed: on_request_gone says so, too */
    return true;
}

static void on_message(struct sio_socket *socket, struct sio_message *m)
{
    struct reader *rd = reader_of(socket);
    struct rcbuf  *frame;

    if (rd->request == NULL || !list_is_empty(&rd->in_ending))
        return;
    frame = sio_message_form(m, sse_frame);
    begin(rd);
    if (!list_is_empty(&rd->in_ending) || !write_frame(rd, frame))
        return;
    if (sse_frame_is(rcbuf_slice(frame), "task:evicted") ||
        sse_frame_is(rcbuf_slice(frame), "error"))
        end_soon(rd);
}

/* --- the end --- */

static void on_request_gone(struct http_request *r, void *arg)
{
    struct reader *rd = arg;

    (void)r;
    rd->request = NULL;
    sio_receiver_end(rd->socket, SIO_REASON_TRANSPORT);
}

/* The peer is gone already. */
static void on_gone(void *data, enum sio_reason reason)
{
    struct reader *rd = data;

    log_debug("stream-closed", LOG_TEXT("task", rd->task), LOG_TEXT("why", sio_reason_text(reason)));
    if (rd->request != NULL && rd->is_slow)
        http_request_abort(rd->request);
    else if (rd->request != NULL && rd->has_begun)
        http_request_end(rd->request);
    else if (rd->request != NULL)
        refuse(rd->all, rd->request, rd->refusal);
    address_leave(&rd->all->app->addresses, rd->address);
    rd->all->counts[rd->kind]--;
    list_remove(&rd->in_all);
    list_remove(&rd->in_ending);
    free(rd);
}

void sse_release(struct peer *p)
{
    struct reader *rd = reader_of(p->socket);

    claim_release(rd->claim);
    rd->claim = NULL;
}

void sse_refuse(struct sio_socket *s, enum error_code code)
{
    reader_of(s)->refusal = code;
}

static const struct sio_receiver_ops RECEIVER_OPS = { .on_message = on_message, .on_gone = on_gone };

/* --- the beginning --- */

static void on_joined(struct peer *p, int outcome)
{
    struct reader       *rd = reader_of(p->socket);
    struct http_request *r = rd->request;

    if (outcome == OUTCOME_OK || r == NULL) {
        begin(rd);
        return;
    }
    if (rd->has_begun) {
        end_soon(rd);
        return;
    }
    rd->request = NULL;
    refuse(rd->all, r, (enum error_code)outcome);
    sio_receiver_end(rd->socket, SIO_REASON_FORCED);
}

static void join(struct peer *p)
{
    struct reader  *rd = reader_of(p->socket);
    struct app     *a = rd->all->app;
    struct request *request = request_new_told(p, on_joined);
    struct wait    *w = wait_new(p, request, slice_of(rd->task));

    sio_accept(p->socket, NULL);
    if (rd->kind == SSE_DASHBOARD)
        boards_join(&a->boards, w);
    else
        topics_join(&a->topics, w);
    request_seal(request);
}

static void on_came(struct peer *p, enum arrival_came how)
{
    struct reader *rd = reader_of(p->socket);
    struct app    *a = rd->all->app;

    if (how == CAME_ANEW) {
        join(p);
    } else {
        sio_accept(p->socket, NULL);
        begin(rd);
        if (how == CAME_EVICTED)
            end_soon(rd);
    }
    standing_check(a, p);                      /* features may have been switched meanwhile */
}

/* It has its place. */
static void come(struct peer *p)
{
    struct reader *rd = reader_of(p->socket);
    struct slice   last = { NULL, 0 };

    if (rd->request != NULL)
        last = http_request_header(rd->request, "Last-Event-ID");
    if (last.len > 0)
        arrival_resume(&rd->all->app->arrivals, p, slice_of(rd->task), last, on_came);
    else
        join(p);
}

/* As a socket's: first before it is let in, for one that comes back perhaps once more. */
static void on_counted(enum quota_answer answer, void *arg)
{
    struct peer   *p = arg;
    struct reader *rd = reader_of(p->socket);
    bool           is_again = p->is_for_now;

    p->is_for_now = answer == QUOTA_FOR_NOW;
    if (answer == QUOTA_FULL)
        standing_end(rd->all->app, p, STANDING_CROWD);
    else if (!is_again)
        come(p);
}

static void take_place(struct peer *p)
{
    struct reader *rd = reader_of(p->socket);
    struct quota  *q = &rd->all->app->quota;
    bool           is_back = http_request_header(rd->request, "Last-Event-ID").len > 0;

    if (q->options.max == 0)
        come(p);
    else
        rd->claim = quota_claim(q, user_key(p->user), is_back, on_counted, p);
}

static struct reader *reader_new(struct sse *s, struct http_request *r, enum sse_kind kind,
                                 struct slice task)
{
    struct reader *rd = mem_new(struct reader);
    char           peer[NET_ADDRESS_SIZE];

    rd->all = s;
    rd->request = r;
    rd->kind = kind;
    rd->refusal = ERROR_UNAVAILABLE;
    memcpy(rd->task, task.data != NULL ? task.data : "", task.len);
    http_request_peer(r, peer);
    rd->address = address_enter(&s->app->addresses, peer);
    rd->looked_ms = rd->written_ms = now_ms(rd);
    list_append(&s->readers, &rd->in_all);
    list_init(&rd->in_ending);
    http_request_on_gone(r, on_request_gone, rd);
    s->counts[kind]++;
    metric_inc(s->opened[kind]);
    return rd;
}

/* --- requests --- */

struct asking {                                /* who asks for what */
    enum sse_kind kind;
    struct slice  task, token;
    struct claims claims;
};

static bool path_parse(struct slice path, struct asking *out)
{
    struct slice rest;

    *out = (struct asking){ .kind = SSE_DASHBOARD };
    if (slice_is(path, "/api/dashboard/stream"))
        return true;
    if (!slice_starts(path, "/api/tasks/"))
        return false;
    rest = slice_from(path, sizeof("/api/tasks/") - 1);
    out->kind = SSE_TASK;
    out->task = slice_cut(&rest, '/');
    return slice_is(rest, "stream");
}

/* ERROR_COUNT: yes; else why not. */
static enum error_code may_open(struct app *a, struct http_request *r, struct asking *it)
{
    const struct features *f = control_features(a->control);
    enum error_code        why;
    char                   peer[NET_ADDRESS_SIZE];

    http_request_peer(r, peer);
    if (a->drain_began_ms != 0 || a->is_closing)
        return ERROR_UNAVAILABLE;
    if (!origins_allow(a->options.origins, http_request_header(r, "Origin"),
                       http_request_header(r, "Host")))
        return ERROR_FORBIDDEN;
    it->token = access_bearer(http_request_header(r, "Authorization"));
    if (!access_check(&a->access, it->token, &it->claims, &why))
        return why;
    if (!features_let_in(f, it->claims.sub) ||
        !(it->kind == SSE_TASK ? f->task_detail : f->dashboard))
        return ERROR_FEATURE_OFF;
    if (addresses_is_full(&a->addresses, peer))
        return ERROR_CONNECTIONS;
    return it->kind == SSE_TASK && !task_id_is_well_formed(it->task) ? ERROR_NOT_FOUND : ERROR_COUNT;
}

static void open_stream(struct sse *s, struct http_request *r, const struct asking *it)
{
    struct app    *a = s->app;
    struct user   *user = users_enter(&a->users, &it->claims, net_now_ms(a->net));
    struct reader *rd;
    struct peer   *p;

    if (!users_may_join(&a->users, user, net_now_ms(a->net))) {
        users_leave(&a->users, user);
        refuse(s, r, ERROR_TOO_MANY);
        return;
    }
    rd = reader_new(s, r, it->kind, it->task);
    rd->socket = sio_receiver_new(a->ns, &RECEIVER_OPS, rd);
    p = peer_new(&a->peers, rd->socket, user, orgs_ref(a->orgs, slice_of(it->claims.org)));
    p->is_stream = true;
    standing_begin(a, p, &it->claims, it->token);
    take_place(p);
}

bool sse_handle(struct sse *s, struct http_request *r)
{
    struct asking   it;
    enum error_code why;

    if (!path_parse(http_request_path(r), &it))
        return false;
    if (http_request_method(r) == HTTP_OPTIONS) {
        answer_options(s, r);
        return true;
    }
    if (http_request_method(r) != HTTP_GET && http_request_method(r) != HTTP_HEAD) {
        problem_answer_method(r, METHODS);
        return true;
    }
    why = may_open(s->app, r, &it);
    if (why != ERROR_COUNT)
        refuse(s, r, why);
    else
        open_stream(s, r, &it);
    return true;
}

/* --- time --- */

/* A comment, where nothing else was written lately: so that proxies keep the connection, and a
 * client that has gone without a word is noticed by what piles up for it. */
static void beat(struct reader *rd, uint64_t every_ms)
{
    size_t queued;

    if (rd->request == NULL || !rd->has_begun || !list_is_empty(&rd->in_ending))
        return;
    queued = http_request_queued_bytes(rd->request);
    if (queued > 0 && rd->queued_seen > 0 && queued >= rd->queued_seen) {
        rd->is_slow = true;
        end_soon(rd);
        return;
    }
    rd->queued_seen = queued;
    if (now_ms(rd) - rd->written_ms >= every_ms)
        (void)write_frame(rd, rd->all->beat);
}

void sse_tick(struct sse *s)
{
    uint64_t     now = net_now_ms(s->app->net);
    uint64_t     every_ms = s->app->options.sio.eio.ping_interval_ms;
    struct list *node;

    while (!list_is_empty(&s->readers)) {
        struct reader *rd = container_of(s->readers.next, struct reader, in_all);

        if (now - rd->looked_ms < every_ms)
            break;
        rd->looked_ms = now;
        list_remove(&rd->in_all);
        list_append(&s->readers, &rd->in_all);
        beat(rd, every_ms);
    }
    while ((node = list_take_first(&s->ending)) != NULL) {
        struct reader *rd = container_of(node, struct reader, in_ending);

        if (rd->is_slow)
            metric_inc(s->slow);
        sio_receiver_end(rd->socket, rd->is_slow ? SIO_REASON_SLOW_READER : SIO_REASON_FORCED);
    }
}

/* --- life --- */

static double read_tasks(void *arg)
{
    return (double)((struct sse *)arg)->counts[SSE_TASK];
}

static double read_dashboards(void *arg)
{
    return (double)((struct sse *)arg)->counts[SSE_DASHBOARD];
}

void sse_init(struct sse *s, struct app *a, struct metrics *m)
{
    *s = (struct sse){ .app = a };
    list_init(&s->readers);
    list_init(&s->ending);
    s->beat = rcbuf_copy(SLICE(":\n\n"));
    s->opened[SSE_TASK] = metrics_counter(m, "taskwire_streams_opened_total", "kind=\"task\"",
                                          "Streams of Server-Sent Events that were asked for.");
    s->opened[SSE_DASHBOARD] = metrics_counter(m, "taskwire_streams_opened_total",
                                               "kind=\"dashboard\"", "");
    s->refused = metrics_counter(m, "taskwire_streams_refused_total", NULL,
                                 "Streams that were refused, before or after asking taskd.");
    s->slow = metrics_counter(m, "taskwire_streams_slow_total", NULL,
                              "Streams cut off because their client did not read.");
    metrics_read(m, "taskwire_streams", "kind=\"task\"", "Streams that are open.", read_tasks, s);
    metrics_read(m, "taskwire_streams", "kind=\"dashboard\"", "", read_dashboards, s);
}

void sse_deinit(struct sse *s)
{
    rcbuf_unref(s->beat);
}

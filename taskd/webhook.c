/* webhook.c -- POST /api/webhooks/github: from a signed body to an entry of the ingest stream.
 *
 * The signature is checked over the raw bytes before anything of them is understood; what they
 * mean is github.c's. Then:
 *
 *     delivery known? --yes--> its first answer
 *          | no
 *     look-ups, best first --found--> XADD tasks:ingest --> remember the delivery --> 202
 *          | none                          ^
 *     older inputs still in the stream? ---+ wait, look again (5 s at most)
 *          | no
 *     look once more, then: ignored
 *
 * Why not move the task here? Order per task, waiting for what was overtaken, and dead letters
 * are the ingest's, and whichever taskd a webhook comes to, one of them works the stream. What
 * Redis acknowledged is durable; the delivery's id is the input's, so what is sent twice has
 * one effect even if it could not be remembered here.
 *
 * Why wait? The dispatcher says the branch over the stream and the agent's pull request comes
 * a moment later over HTTP: what has not been handled yet may be what names the task. The
 * newest entry at the time is the mark; once nothing as old as it is left, what is not found
 * is not there. Handled entries are deleted, so a look at the oldest is enough. */
#include "taskd/webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "proto/cloudevent.h"
#include "proto/keys.h"
#include "taskd/api_call.h"
#include "taskd/github.h"

#define KIND            "github"               /* of the records */
#define REMEMBER_MS     (INT64_C(30) * 24 * 3600 * 1000)   /* GitHub repeats for three days at most */
#define WAIT_MS         5000                   /* for older inputs; GitHub gives up after ten seconds */
#define WAIT_STEP_MS    40
#define ENTRY_ID_SIZE   48
#define NAME_CHARS_MAX  64
#define ID_CHARS_MAX    128
#define SIGNATURE       "sha256="

/* What came of one: a word of the log, and a label of the metric. */
#define OUTCOME_MAP(X)                                                                    \
    X(ACCEPTED, "accepted")                    /* it is in the stream */                  \
    X(REPEAT, "repeat") X(IGNORED, "ignored") X(PING, "ping")                             \
    X(MALFORMED, "malformed") X(REFUSED, "refused") X(FAILED, "failed")

enum outcome {
#define X(name, word) OUTCOME_##name,
    OUTCOME_MAP(X)
#undef X
    OUTCOME_COUNT
};

struct webhook {
    struct call           *call;
    struct github_delivery delivery;
    char                   id[ID_CHARS_MAX + 1];
    char                   event[NAME_CHARS_MAX + 1];
    size_t                 at;                 /* the look-up under way */
    const char            *stray;              /* why a task that was found is not it; NULL */
    char                   mark[ENTRY_ID_SIZE];/* the stream's newest entry when nothing was found */
    uint64_t               give_up_ms;         /* 0: not waiting yet */
    bool                   is_last;            /* this round of look-ups decides */
    uv_timer_t             timer;
};

/* --- who may --- */

int webhook_check(const char *secret, const struct http_request *r)
{
    struct slice header = http_request_header(r, "X-Hub-Signature-256");
    uint8_t      right[SHA256_BYTES];
    struct buf   given;
    bool         is_right;

    if (secret == NULL)
        return ERR_FORBIDDEN;
    if (!slice_starts(header, SIGNATURE))
        return ERR_TOKEN;
    buf_init(&given, SHA256_BYTES);
    crypto_hmac_sha256(slice_of(secret), http_request_body(r), right);
    is_right = crypto_decode_hex(slice_from(header, sizeof(SIGNATURE) - 1), &given) == 0 &&
               crypto_equal(buf_peek(&given), slice_make((const char *)right, SHA256_BYTES));
    buf_deinit(&given);
    return is_right ? 0 : ERR_TOKEN;
}

/* --- the end --- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct webhook *w = handle->data;

    github_deinit(&w->delivery);
    free(w);
}

static struct metric *outcome_metric(struct metrics *m, enum outcome outcome)
{
    static const char *const LABELS[OUTCOME_COUNT] = {
#define X(name, word) [OUTCOME_##name] = "outcome=\"" word "\"",
        OUTCOME_MAP(X)
#undef X
    };

    return metrics_counter(m, "taskwire_webhooks_total", LABELS[outcome],
                           "Signed webhooks, by what came of them");
}

void webhook_metrics(struct metrics *m)
{
    for (int i = 0; i < OUTCOME_COUNT; i++)
        (void)outcome_metric(m, (enum outcome)i);
}

/* The call is answered by whoever called this. */
static struct call *webhook_end(struct webhook *w, enum outcome outcome)
{
    static const char *const WORDS[OUTCOME_COUNT] = {
#define X(name, word) [OUTCOME_##name] = word,
        OUTCOME_MAP(X)
#undef X
    };
    struct call *c = w->call;

    log_info("webhook", LOG_TEXT("delivery", w->id), LOG_TEXT("event", w->event),
             LOG_TEXT("outcome", WORDS[outcome]));
    metric_inc(outcome_metric(c->parts->metrics, outcome));
    uv_close((uv_handle_t *)&w->timer, on_timer_closed);
    return c;
}

static void webhook_ignored(struct webhook *w, const char *why)
{
    struct call *c = webhook_end(w, OUTCOME_IGNORED);

    c->answer = json_object();
    json_put_text(c->answer, "ignored", why);
    call_answer(c, 200);
}

static void webhook_failed(struct webhook *w, int err)
{
    /* ERR_REPLY: Redis is there and takes nothing (no memory, a replica); that passes too. */
    call_failed(webhook_end(w, OUTCOME_FAILED), err == ERR_REPLY ? ERR_REDIS : err);
}

/* --- into the stream --- */

static void on_remembered(int err, const char *json, void *arg)
{
    struct webhook *w = arg;
    struct call    *c = webhook_end(w, err == ERR_EXISTS ? OUTCOME_REPEAT : OUTCOME_ACCEPTED);

    if (err != ERR_EXISTS || json == NULL) {   /* not remembered: the ingest knows a repeat as well */
        call_answer_text(c, 202, "application/json");
        return;
    }
    buf_reset(&c->text);
    buf_append_text(&c->text, json);
    call_answer_text(c, 200, "application/json");
}

static void on_added(int err, const struct redis_reply *reply, void *arg)
{
    struct webhook *w = arg;
    struct call    *c = w->call;

    (void)reply;
    if (err != 0) {
        webhook_failed(w, err);
        return;
    }
    buf_reset(&c->text);
    buf_printf(&c->text, "{\"taskId\":\"%s\",\"input\":\"%s\"}", c->task.id,
               input_wire(w->delivery.input));
    err = store_record_add(c->parts->store, KIND, w->id, c->text.data,
                           clock_wall_ms() + REMEMBER_MS, on_remembered, w);
    if (err != 0)
        on_remembered(err, NULL, w);
}

static void add_to_stream(struct webhook *w, const struct task *t)
{
    struct call *c = w->call;
    struct buf   event;
    int          err;

    task_set_text(&c->task.id, t->id);
    buf_init(&event, CLOUDEVENT_BYTES_MAX);
    github_append_event(&event, &w->delivery, t->id, w->id, clock_wall_ms());
    if (buf_failed(&event)) {                  /* texts are cut: they cannot be that long */
        err = ERR_TOO_BIG;
    } else {
        struct slice argv[] = { SLICE("XADD"), SLICE(KEY_INGEST), SLICE("*"),
                                SLICE(KEY_INGEST_FIELD), buf_peek(&event) };

        err = redis_command(c->parts->redis, on_added, w, 5, argv);
    }
    buf_deinit(&event);
    if (err != 0)
        webhook_failed(w, err);
}

/* --- which task? --- */

static void look_up(struct webhook *w);

static void look_again(struct webhook *w)
{
    w->at = 0;
    w->stray = NULL;
    look_up(w);
}

static void on_waited(uv_timer_t *timer)
{
    look_again(timer->data);
}

/* The oldest entry of the stream up to the mark, if there is one; first, the mark itself. */
static void on_stream(int err, const struct redis_reply *reply, void *arg)
{
    struct webhook *w = arg;
    struct slice    id = redis_reply_text(redis_reply_at(redis_reply_at(reply, 0), 0));
    uint64_t        now = uv_now(w->call->parts->loop);

    if (err != 0) {
        webhook_failed(w, err);
        return;
    }
    if (w->give_up_ms == 0) {
        w->give_up_ms = now + WAIT_MS;
        snprintf(w->mark, sizeof(w->mark), "%.*s", SLICE_ARG(id));
    }
    if (id.len > 0 && now < w->give_up_ms) {
        uv_timer_start(&w->timer, on_waited, WAIT_STEP_MS, 0);
        return;
    }
    w->is_last = true;
    look_again(w);
}

static void not_found(struct webhook *w)
{
    struct redis *redis = w->call->parts->redis;
    int           err;

    if (w->is_last) {
        webhook_ignored(w, w->stray != NULL ? w->stray : "no task has this pull request, branch "
                        "or issue");
        return;
    }
    if (w->give_up_ms == 0)
        err = redis_call(redis, on_stream, w, "XREVRANGE", KEY_INGEST, "+", "-", "COUNT", "1",
                         NULL);
    else
        err = redis_call(redis, on_stream, w, "XRANGE", KEY_INGEST, "-", w->mark, "COUNT", "1",
                         NULL);
    if (err != 0)
        webhook_failed(w, err);
}

static void on_found(int err, const struct task *t, void *arg)
{
    struct webhook *w = arg;

    if (err == 0 && github_fits(&w->delivery, w->delivery.lookups[w->at].by, t)) {
        add_to_stream(w, t);
        return;
    }
    if (err == 0)
        w->stray = "the task has another pull request";
    if (err != 0 && err != ERR_NOT_FOUND) {
        webhook_failed(w, err);
        return;
    }
    w->at++;
    look_up(w);
}

static void look_up(struct webhook *w)
{
    const struct github_delivery *d = &w->delivery;

    for (; w->at < d->lookup_count; w->at++) {
        const struct github_lookup *l = &d->lookups[w->at];
        struct store_find_query     q = { .repo = d->repo };
        int                         err;

        if (l->by == GITHUB_BY_PR)
            q.pr_number = l->number;
        else if (l->by == GITHUB_BY_ISSUE)
            q.issue_number = l->number;
        else
            q.branch = d->branch;
        err = store_find(w->call->parts->store, &q, on_found, w);
        if (err == 0)
            return;
        if (err != ERR_INVALID) {              /* a name that no task can have */
            webhook_failed(w, err);
            return;
        }
    }
    not_found(w);
}

/* --- the beginning --- */

static void on_known(int err, const char *json, void *arg)
{
    struct webhook *w = arg;

    if (err == 0)
        on_remembered(ERR_EXISTS, json, w);
    else if (err == ERR_NOT_FOUND)
        look_up(w);
    else
        webhook_failed(w, err);
}

/* A header of 1 to `max` letters, digits and `-_.:`. */
static bool take_name(const struct http_request *r, const char *name, char *out, size_t max)
{
    struct slice value = http_request_header(r, name);

    snprintf(out, max + 1, "%.*s", SLICE_ARG(value));
    return value.len > 0 && value.len <= max &&
           strspn(out, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:") ==
               value.len;
}

static void webhook_begin(struct webhook *w)
{
    struct call *c = w->call;
    struct buf   why;
    int          err;

    buf_init(&why, 1024);
    switch (github_read(slice_of(w->event), http_request_body(c->request), &w->delivery, &why)) {
    case GITHUB_INPUT:
        err = store_record_get(c->parts->store, KIND, w->id, on_known, w);
        if (err != 0)
            webhook_failed(w, err);
        break;
    case GITHUB_PING:
        webhook_end(w, OUTCOME_PING);
        c->answer = json_object();
        json_put_bool(c->answer, "ok", true);
        call_answer(c, 200);
        break;
    case GITHUB_IGNORED:
        webhook_ignored(w, why.data);
        break;
    case GITHUB_MALFORMED:
        call_problem(webhook_end(w, OUTCOME_MALFORMED), ERROR_BAD_REQUEST, why.data);
        break;
    case GITHUB_REFUSED:
        call_problem(webhook_end(w, OUTCOME_REFUSED), ERROR_INVALID, why.data);
        break;
    }
    buf_deinit(&why);
}

void on_webhook(struct call *c)
{
    struct webhook *w;

    if (!content_is_json(c->request)) {
        call_problem(c, ERROR_MEDIA_TYPE, "Choose application/json in the webhook's settings");
        return;
    }
    w = mem_new(struct webhook);
    if (!take_name(c->request, "X-GitHub-Event", w->event, NAME_CHARS_MAX) ||
        !take_name(c->request, "X-GitHub-Delivery", w->id, ID_CHARS_MAX)) {
        free(w);
        call_problem(c, ERROR_BAD_REQUEST, "X-GitHub-Event and X-GitHub-Delivery are needed");
        return;
    }
    w->call = c;
    uv_timer_init(c->parts->loop, &w->timer);
    w->timer.data = w;
    webhook_begin(w);
}

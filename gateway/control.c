/* control.c -- see control.h.
 *
 * Two things are read, each in a rhythm of its own (common/truth.h). A reading that gives the
 * very bytes of the one before changes nothing and is not even parsed: with ten thousand
 * revocations that is two megabytes every half minute, or every five seconds without Redis.
 *
 * A revocation is in force here from when it is in the list, so it is put there first and then
 * told: whoever comes in meanwhile is refused, whoever is in is found. */
#include "gateway/control.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "proto/keys.h"

#define HEARD_MAX (2 * REVOCATIONS_MAX)        /* whatever is published, until the truth is read */

enum subject { REVOCATIONS, FLAGS, SUBJECT_COUNT };

struct reading {                               /* one thing that is read again and again */
    struct control    *control;
    struct truth       truth;
    struct taskd_call *call;
    uint8_t            digest[SHA256_BYTES];   /* of the answer that was taken last */
    bool               is_as_read;             /* nothing has changed since that answer */
    bool               is_failing;             /* and that was said */
    void             (*take)(struct control *c, const json_t *answer, enum truth_answer worth);
    struct slice       target;
};

struct control {
    uv_loop_t           *loop;
    struct orgs         *orgs;
    struct taskd_client *taskd;
    const struct control_handlers *handlers;
    void                *arg;
    struct features      defaults, features;
    struct revocations  *revoked;
    struct reading       readings[SUBJECT_COUNT];
    struct metric       *failures;
};

/* --- revocations --- */

/* In force from here on, and told if it is news. */
static void enforce(struct control *c, const struct revocation *one)
{
    bool is_news = !revocations_has(c->revoked, one->id);

    if (is_news && revocations_count(c->revoked) >= HEARD_MAX)
        return;
    revocations_add(c->revoked, one);
    if (is_news)
        c->handlers->on_revoked(one, c->arg);
}

/* Those that are not in the answer any more were taken back. */
static void forget_others(struct control *c, const json_t *list)
{
    struct revocations *kept = revocations_new();
    struct revocation   one;
    size_t              i;
    json_t             *record;

    json_array_foreach((json_t *)list, i, record) {
        if (revocation_read(record, clock_wall_ms(), &one, NULL) == 0 &&
            revocations_has(c->revoked, one.id))
            revocations_add(kept, &one);
    }
    revocations_free(c->revoked);
    c->revoked = kept;
}

static void take_revocations(struct control *c, const json_t *answer, enum truth_answer worth)
{
    const json_t     *list = json_object_get(answer, "revocations");
    struct revocation one;
    size_t            i;
    json_t           *record;

    if (worth == TRUTH_STALE)
        return;
    if (worth == TRUTH_WHOLE)
        forget_others(c, list);
    json_array_foreach((json_t *)list, i, record) {
        if (revocation_read(record, clock_wall_ms(), &one, NULL) == 0)
            enforce(c, &one);
        else
            log_error("revocation-unreadable", LOG_NUM("index", i));
    }
    log_info("revocations-read", LOG_NUM("count", revocations_count(c->revoked)));
}

/* --- flags --- */

/* Readings come in the order in which the store changed, so a stale one is merely early. */
static void take_flags(struct control *c, const json_t *answer, enum truth_answer worth)
{
    struct features now = features_override(&c->defaults, json_object_get(answer, "flags"));

    (void)worth;
    if (features_are_equal(&now, &c->features))
        return;
    c->features = now;
    log_info("features", LOG_NUM("websocket", now.websocket), LOG_NUM("dashboard", now.dashboard),
             LOG_NUM("task_detail", now.task_detail), LOG_NUM("percent", now.rollout_percent));
    c->handlers->on_features(c->arg);
}

/* --- reading --- */

/* Returns 0 and a new reference (NULL: as before), or why it cannot be taken. */
static int answer_parse(struct reading *r, const struct http_result *result, json_t **out)
{
    uint8_t digest[SHA256_BYTES];

    *out = NULL;
    if (result->status != 200)
        return ERR_REPLY;
    crypto_sha256(result->body, digest);
    if (r->is_as_read && memcmp(digest, r->digest, sizeof(digest)) == 0)
        return 0;
    *out = json_parse(result->body, NULL);
    if (!json_is_array(json_object_get(*out, "revocations")) &&
        !json_is_object(json_object_get(*out, "flags"))) {
        json_decref(*out);
        *out = NULL;
        return ERR_CORRUPT;
    }
    memcpy(r->digest, digest, sizeof(digest));
    return 0;
}

static void on_answer(int err, const struct http_result *result, void *arg)
{
    struct reading   *r = arg;
    json_t           *answer = NULL;
    enum truth_answer worth;

    r->call = NULL;
    if (err == 0)
        err = answer_parse(r, result, &answer);
    worth = truth_end(&r->truth, err, uv_now(r->control->loop));
    if (worth == TRUTH_FAILED) {
        metric_inc(r->control->failures);
        if (!r->is_failing)
            log_warn("control-unread", LOG_SLICE("target", r->target), LOG_ERR(err));
    } else if (answer != NULL) {
        r->is_as_read = worth == TRUTH_WHOLE;
        r->take(r->control, answer, worth);
    }
    r->is_failing = worth == TRUTH_FAILED;
    json_decref(answer);
}

/* Is what changes heard? A channel that is silent may be a connection that is dead; its canary
 * tells (link.h), and after each reconnect all is read anyway. */
static void read_if_due(struct reading *r)
{
    struct control *c = r->control;
    int             err;

    if (!truth_is_due(&r->truth, uv_now(c->loop), orgs_is_healthy(c->orgs)))
        return;
    truth_begin(&r->truth);
    err = taskd_client_internal(c->taskd, r->target, (struct slice){ NULL, 0 }, on_answer, r,
                                &r->call);
    if (err != 0)
        (void)truth_end(&r->truth, err, uv_now(c->loop));
}

void control_tick(struct control *c)
{
    for (int i = 0; i < SUBJECT_COUNT; i++)
        read_if_due(&c->readings[i]);
}

/* --- hearing --- */

static void hear_revoked(struct control *c, const json_t *what)
{
    struct reading   *r = &c->readings[REVOCATIONS];
    struct revocation one;

    if (revocation_read(what, clock_wall_ms(), &one, NULL) != 0)
        return;
    truth_change(&r->truth);
    r->is_as_read = false;
    enforce(c, &one);
}

static void hear_restored(struct control *c, const json_t *what)
{
    struct reading *r = &c->readings[REVOCATIONS];
    const char     *id = json_text(what, "id");

    if (id == NULL)
        return;
    truth_change(&r->truth);
    r->is_as_read = false;
    revocations_drop(c->revoked, id);
}

static void doubt_all(struct control *c)
{
    for (int i = 0; i < SUBJECT_COUNT; i++)
        truth_doubt(&c->readings[i].truth);
}

static void on_news(struct slice message, void *arg)
{
    struct control *c = arg;
    struct slice    rest = message;
    bool            is_ours = slice_is(slice_cut(&rest, ' '), "1");
    struct slice    word = slice_cut(&rest, ' ');
    json_t         *what = rest.len > 0 ? json_parse(rest, NULL) : NULL;

    if (message.len == 0 || (is_ours && slice_is(word, "reload")))
        doubt_all(c);
    else if (is_ours && slice_is(word, "flags"))
        truth_doubt(&c->readings[FLAGS].truth);
    else if (is_ours && slice_is(word, "revoked"))
        hear_revoked(c, what);
    else if (is_ours && slice_is(word, "restored"))
        hear_restored(c, what);
    json_decref(what);
    control_tick(c);
}

/* --- asking --- */

bool control_is_known(const struct control *c)
{
    for (int i = 0; i < SUBJECT_COUNT; i++) {
        if (!c->readings[i].truth.is_known)
            return false;
    }
    return true;
}

bool control_is_revoked(const struct control *c, const struct claims *claims, struct slice token)
{
    return revocations_cover(c->revoked, claims, token, clock_wall_ms());
}

const struct features *control_features(const struct control *c)
{
    return &c->features;
}

/* --- life --- */

static double read_count(void *arg)
{
    return (double)revocations_count(((struct control *)arg)->revoked);
}

struct control *control_new(const struct control_options *o,
                            const struct control_handlers *handlers, void *arg)
{
    struct control *c = mem_new(struct control);

    c->loop = o->loop;
    c->orgs = o->orgs;
    c->taskd = o->taskd;
    c->handlers = handlers;
    c->arg = arg;
    c->defaults = o->features;
    c->features = o->features;
    c->revoked = revocations_new();
    for (int i = 0; i < SUBJECT_COUNT; i++) {
        c->readings[i].control = c;
        truth_init(&c->readings[i].truth);
    }
    c->readings[REVOCATIONS].take = take_revocations;
    c->readings[REVOCATIONS].target = SLICE("/internal/revocations");
    c->readings[FLAGS].take = take_flags;
    c->readings[FLAGS].target = SLICE("/internal/flags");
    c->failures = metrics_counter(o->metrics, "taskwire_control_failures_total", NULL,
                                  "Times that revocations or flags could not be read from taskd.");
    metrics_read(o->metrics, "taskwire_revocations", NULL, "Revocations that are in force.",
                 read_count, c);
    orgs_listen(o->orgs, SLICE(KEY_CONTROL), on_news, c);
    return c;
}

void control_free(struct control *c)
{
    for (int i = 0; i < SUBJECT_COUNT; i++) {
        if (c->readings[i].call != NULL)
            taskd_call_cancel(c->readings[i].call);
    }
    revocations_free(c->revoked);
    free(c);
}

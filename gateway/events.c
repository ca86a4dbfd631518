/* events.c -- see events.h.
 *
 * A table of names; each handler gets the payload that the table's row promised (an object)
 * and either answers at once or opens a request whose waits answer later. Nothing a client
 * sends is fatal: what is malformed gets `bad_message`, what is unknown `unknown_event`.
 *
 * A join costs one token of its person's bucket, and so does a resync whatever its length;
 * leaving is free. */
#include "gateway/events.h"

#include "common/clock.h"
#include "common/json.h"
#include "proto/check.h"

#define RESYNC_TASKS_MAX 100

struct incoming {
    struct app   *app;
    struct peer  *peer;
    int64_t       ack;
    const json_t *payload;                     /* an object */
};

static void answer(const struct incoming *in, int outcome)
{
    peer_answer(in->peer, in->ack, outcome);
}

static bool may_join(const struct incoming *in)
{
    struct app *a = in->app;

    if (users_may_join(&a->users, in->peer->user, net_now_ms(a->net)))
        return true;
    answer(in, ERROR_TOO_MANY);
    return false;
}

static const struct features *features_of(const struct incoming *in)
{
    return control_features(in->app->control);
}

static bool may_use(const struct incoming *in, bool is_on)
{
    if (!is_on)
        answer(in, ERROR_FEATURE_OFF);
    return is_on;
}

/* The task's id, or an answer that says what is wrong with it. */
static bool task_id_get(const struct incoming *in, struct slice *out)
{
    *out = slice_of(json_text(in->payload, "taskId"));
    if (out->len > 0)
        return true;
    answer(in, ERROR_BAD_TASK_ID);
    return false;
}

/* One task of a request. What cannot be an id is not there. */
static void join_task(const struct incoming *in, struct request *r, struct slice id)
{
    bool is_id = task_id_is_well_formed(id);

    if (is_id && features_of(in)->task_detail)
        topics_join(&in->app->topics, wait_new(in->peer, r, id));
    else
        wait_end(wait_new(in->peer, r, is_id ? id : (struct slice){ NULL, 0 }),
                 is_id ? ERROR_FEATURE_OFF : ERROR_NOT_FOUND);
}

static void on_task_join(const struct incoming *in)
{
    struct request *r;
    struct slice    id;

    if (!may_use(in, features_of(in)->task_detail) || !task_id_get(in, &id) || !may_join(in))
        return;
    r = request_new(in->peer, in->ack, false);
    join_task(in, r, id);
    request_seal(r);
}

static void on_task_leave(const struct incoming *in)
{
    struct slice id;

    if (!task_id_get(in, &id))
        return;
    if (task_id_is_well_formed(id))
        topics_leave(&in->app->topics, in->peer, id);
    answer(in, OUTCOME_OK);
}

static void join_dashboard(const struct incoming *in, struct request *r)
{
    boards_join(&in->app->boards, wait_new(in->peer, r, (struct slice){ NULL, 0 }));
}

static void on_dashboard_join(const struct incoming *in)
{
    struct request *r;

    if (!may_use(in, features_of(in)->dashboard) || !may_join(in))
        return;
    r = request_new(in->peer, in->ack, false);
    join_dashboard(in, r);
    request_seal(r);
}

static void on_dashboard_leave(const struct incoming *in)
{
    boards_leave(&in->app->boards, in->peer);
    answer(in, OUTCOME_OK);
}

struct resync {
    const struct incoming *in;
    struct request        *request;
    struct buf             ids;                /* 24 bytes each */
};

static void resync_note(struct peer *p, struct slice task, void *arg)
{
    struct resync *s = arg;

    (void)p;
    buf_append_slice(&s->ids, task);
}

/* Every room the socket is in. They are noted first: joining changes what is walked. */
static void resync_all(struct resync *s)
{
    struct slice rest;

    buf_init(&s->ids, SIZE_MAX / 2);
    topics_each_of(s->in->peer, resync_note, s);
    for (rest = buf_peek(&s->ids); rest.len >= 24; rest = slice_from(rest, 24))
        join_task(s->in, s->request, slice_make(rest.data, 24));
    buf_deinit(&s->ids);
    if (boards_has(s->in->peer))
        join_dashboard(s->in, s->request);
}

static bool resync_ids_are_well(const json_t *ids)
{
    size_t  i;
    json_t *id;

    if (!json_is_array(ids) || json_array_size(ids) > RESYNC_TASKS_MAX)
        return false;
    json_array_foreach((json_t *)ids, i, id) {
        if (!json_is_string(id) || json_string_length(id) == 0)
            return false;
    }
    return true;
}

static void on_resync(const struct incoming *in)
{
    const json_t *ids = json_object_get(in->payload, "taskIds");
    struct resync s = { .in = in };

    if (ids != NULL && !resync_ids_are_well(ids)) {
        answer(in, ERROR_BAD_MESSAGE);
        return;
    }
    if (!may_join(in))
        return;
    s.request = request_new(in->peer, in->ack, true);
    if (ids == NULL) {
        resync_all(&s);
    } else {
        for (size_t i = 0; i < json_array_size(ids); i++) {
            const json_t *id = json_array_get(ids, i);

            join_task(in, s.request, slice_make(json_string_value(id), json_string_length(id)));
        }
    }
    request_seal(s.request);
}

static void on_notification_read(const struct incoming *in)
{
    if (check_fields(SHAPE_NOTIFICATION_READ, in->payload, NULL) != 0)
        answer(in, ERROR_BAD_MESSAGE);
    else
        notices_read(&in->app->notices, in->peer, in->ack, json_object_get(in->payload, "ids"));
}

/* --- tokens --- */

/* Another token of the same person keeps the connection. What is wrong with one that does not is
 * said, and the connection lives as long as it would have. */
static void on_auth_refresh(const struct incoming *in)
{
    struct slice    token = slice_of(json_text(in->payload, "token"));
    struct claims   claims;
    enum error_code why;
    char            at[CLOCK_TEXT_SIZE], members[64];

    if (check_fields(SHAPE_AUTH_REFRESH, in->payload, NULL) != 0) {
        answer(in, ERROR_BAD_MESSAGE);
    } else if (!access_check(&in->app->access, token, &claims, &why)) {
        answer(in, (int)why);
    } else if (!slice_is(user_sub(in->peer->user), claims.sub) ||
               !slice_is(user_org(in->peer->user), claims.org)) {
        answer(in, ERROR_FORBIDDEN);
    } else {
        guard_renew(&in->peer->guard, &claims, token);
        clock_format(claims.exp_s * 1000, at);
        snprintf(members, sizeof(members), "\"expiresAt\":\"%s\"", at);
        peer_answer_with(in->peer, in->ack, slice_of(members));
    }
}

static const struct handler {
    const char *name;
    void      (*fn)(const struct incoming *in);
    bool        needs_payload;                 /* else a missing one is {} */
} HANDLERS[] = {
    { "task:join",        on_task_join,       true },
    { "task:leave",       on_task_leave,      true },
    { "dashboard:join",   on_dashboard_join,  false },
    { "dashboard:leave",  on_dashboard_leave, false },
    { "resync_requested", on_resync,          false },
    { "notification:read", on_notification_read, true },
    { "auth:refresh",     on_auth_refresh,    true },
};

static const struct handler *handler_find(struct slice name)
{
    for (size_t i = 0; i < sizeof(HANDLERS) / sizeof(HANDLERS[0]); i++) {
        if (slice_is(name, HANDLERS[i].name))
            return &HANDLERS[i];
    }
    return NULL;
}

void events_handle(struct app *a, struct peer *p, const struct sio_event *e)
{
    const struct handler *h = handler_find(e->name);
    struct incoming       in = { .app = a, .peer = p, .ack = e->ack };
    json_t               *array, *none;

    p->all->traffic.received++;
    if (h == NULL) {
        answer(&in, ERROR_UNKNOWN_EVENT);
        return;
    }
    array = json_parse(e->array, NULL);
    none = json_object();
    in.payload = json_array_get(array, 1);
    if (in.payload == NULL && !h->needs_payload && array != NULL)
        in.payload = none;
    if (json_is_object(in.payload) && e->attachment_count == 0)
        h->fn(&in);
    else
        answer(&in, ERROR_BAD_MESSAGE);
    json_decref(none);
    json_decref(array);
}

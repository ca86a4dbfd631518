/* api_notifications.c -- what somebody is to be told and has not read yet: over REST, and what
 * their sockets say through a gateway.
 *
 * Newest first, paged by (createdAt, id), which neither new ones nor read ones shift. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/crypto.h"
#include "common/err.h"
#include "common/utf8.h"
#include "proto/check.h"
#include "taskd/api_call.h"

#define LIST_LIMIT     50
#define LIST_LIMIT_MAX 100
#define CURSOR_MAX     512

/* --- cursors: base64url of "n.<time>.<id>" --- */

static char *cursor_from(const json_t *last)
{
    struct buf plain, out;
    int64_t    at = 0;

    (void)clock_parse(slice_of(json_text(last, "createdAt")), &at);   /* ours, and well-formed */
    buf_init(&plain, CURSOR_MAX);
    buf_init(&out, 2 * CURSOR_MAX);
    buf_printf(&plain, "n.%lld.%s", (long long)at, json_text(last, "id"));
    crypto_append_base64url(&out, plain.data, plain.len);
    buf_deinit(&plain);
    return buf_take(&out);
}

/* The id is put into c->texts[1]. */
static bool cursor_to(struct call *c, const char *text, struct store_notifications_query *q)
{
    struct buf   plain;
    struct slice rest, kind, when;
    bool         is_sound;

    buf_init(&plain, CURSOR_MAX);
    is_sound = crypto_decode_base64url(slice_of(text), &plain) == 0;
    rest = buf_peek(&plain);
    kind = slice_cut(&rest, '.');
    when = slice_cut(&rest, '.');
    is_sound = is_sound && slice_is(kind, "n") && when.len > 0 && when.len <= 15 && rest.len > 0 &&
               utf8_is_valid(rest) && memchr(rest.data, '\0', rest.len) == NULL;
    if (is_sound) {
        q->before_time = strtoll(when.data, NULL, 10);
        q->before_id = call_text(c, 1, rest.data);       /* a buf's contents end in a NUL */
    }
    buf_deinit(&plain);
    return is_sound;
}

/* --- reading --- */

static void on_listed(int err, const char *const *texts, size_t count, bool has_more, void *arg)
{
    struct call *c = arg;
    json_t      *list = json_array();
    char        *cursor;

    for (size_t i = 0; err == 0 && i < count; i++) {
        if (json_array_append_new(list, json_parse(slice_of(texts[i]), NULL)) != 0)
            err = ERR_CORRUPT;
    }
    if (err != 0) {
        json_decref(list);
        call_failed(c, err);
        return;
    }
    c->answer = json_object();
    if (json_object_set_new(c->answer, "notifications", list) != 0)
        abort();
    if (has_more && count > 0) {
        cursor = cursor_from(json_array_get(list, count - 1));
        json_put_text(c->answer, "nextCursor", cursor);
        free(cursor);
    }
    call_answer(c, 200);
}

void on_notifications(struct call *c)
{
    struct store_notifications_query q = { .org = c->claims.org, .sub = c->claims.sub };
    const char *cursor;
    int64_t     limit = LIST_LIMIT;
    int         err;

    if (!call_query_int(c, "limit", 1, LIST_LIMIT_MAX, &limit) ||
        !call_query(c, "cursor", 0, &cursor) || (cursor != NULL && !cursor_to(c, cursor, &q))) {
        call_problem(c, ERROR_INVALID, "A query parameter is not one of its values");
        return;
    }
    q.limit = (size_t)limit;
    err = store_notifications(c->parts->store, &q, on_listed, c);
    if (err != 0)
        call_failed(c, err);
}

/* --- having read --- */

static void on_marked(int err, void *arg)
{
    struct call *c = arg;

    if (err == 0)
        call_answer_empty(c, 204);
    else
        call_failed(c, err);
}

static void mark_read(struct call *c, const char *org, const char *sub)
{
    const char *ids[STORE_READ_MAX];
    json_t     *list = json_object_get(c->body, "ids");
    size_t      count = json_array_size(list);
    struct buf  why;
    int         err;

    buf_init(&why, 1024);
    err = check_fields(SHAPE_NOTIFICATION_READ, c->body, &why);
    if (err != 0 || count > STORE_READ_MAX) {
        call_problem(c, ERROR_INVALID, why.data);
        buf_deinit(&why);
        return;
    }
    buf_deinit(&why);
    for (size_t i = 0; i < count; i++)
        ids[i] = json_string_value(json_array_get(list, i));
    err = store_notifications_read(c->parts->store, org, sub, ids, count, on_marked, c);
    if (err != 0)
        call_failed(c, err);
}

void on_notifications_read(struct call *c)
{
    mark_read(c, c->claims.org, c->claims.sub);
}

/* A gateway says who: it has checked their token. */
void on_internal_notifications_read(struct call *c)
{
    const char *org = json_text(c->body, "org");
    const char *sub = json_text(c->body, "sub");

    if (org == NULL || sub == NULL || !org_is_sound(org) || !jwt_id_is_valid(slice_of(sub)))
        call_problem(c, ERROR_INVALID, "org and sub must name a person");
    else
        mark_read(c, org, sub);
}

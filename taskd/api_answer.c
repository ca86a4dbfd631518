/* api_answer.c -- how answers are spelled: JSON, problem details (RFC 9457), task states; and
 * how questions are read: query parameters and cursors.
 *
 * Every answer is put together in c->text and leaves through call_finish: there a keyed call's
 * answer is kept before it is sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/utf8.h"
#include "proto/problem.h"
#include "taskd/api_call.h"
#include "taskd/messages.h"

#define QUERY_BYTES_MAX 1024
#define DIGITS_MAX      18                     /* of a number that cannot overflow */

static const char JSON_TYPE[] = "application/json";

static void call_finish(struct call *c, int status, const char *content_type)
{
    if (c->record[0] != '\0')
        call_keep(c, status, content_type);
    else
        call_send(c, status, content_type);
}

void call_answer(struct call *c, int status)
{
    buf_reset(&c->text);
    if (json_append(&c->text, c->answer) != 0) {
        call_problem(c, ERROR_INTERNAL, NULL);
        return;
    }
    call_finish(c, status, JSON_TYPE);
}

void call_answer_text(struct call *c, int status, const char *content_type)
{
    if (buf_failed(&c->text))
        call_problem(c, ERROR_INTERNAL, "The answer is too large");
    else
        call_finish(c, status, content_type);
}

void call_answer_empty(struct call *c, int status)
{
    buf_reset(&c->text);
    call_finish(c, status, NULL);
}

void call_problem(struct call *c, enum error_code code, const char *detail)
{
    buf_reset(&c->text);
    c->location[0] = '\0';
    problem_append(&c->text, code, detail);
    call_finish(c, error_spec(code)->http, PROBLEM_CONTENT_TYPE);
}

void call_problem_task(struct call *c, enum error_code code, const char *detail)
{
    struct buf b;

    buf_init(&b, CALL_ANSWER_MAX);
    problem_begin(&b, error_spec(code)->http, code, detail);
    buf_append_text(&b, ",\"task\":");
    buf_append_slice(&b, buf_peek(&c->text));
    buf_append_char(&b, '}');
    buf_deinit(&c->text);
    c->text = b;
    call_finish(c, error_spec(code)->http, PROBLEM_CONTENT_TYPE);
}

void call_failed(struct call *c, int err)
{
    switch (err) {
    case ERR_NOT_FOUND:
        call_problem(c, ERROR_NOT_FOUND, NULL);
        break;
    case ERR_BUSY:
    case ERR_STORE:
    case ERR_REDIS:
    case ERR_CLOSED:
    case ERR_TIMEOUT:
        call_problem(c, ERROR_UNAVAILABLE, NULL);
        break;
    case ERR_INVALID:
        call_problem(c, ERROR_INVALID, NULL);
        break;
    default:
        call_problem(c, ERROR_INTERNAL, NULL);
    }
}

/* --- reading questions --- */

char *call_text(struct call *c, size_t slot, const char *text)
{
    free(c->texts[slot]);
    c->texts[slot] = mem_strdup(text);
    return c->texts[slot];
}

bool call_query(struct call *c, const char *name, size_t slot, const char **out)
{
    struct buf value;
    int        err;

    *out = NULL;
    buf_init(&value, QUERY_BYTES_MAX);
    err = http_query_get(http_request_query(c->request), name, &value);
    if (err == 0 && value.len > 0 &&
        (!utf8_is_valid(buf_peek(&value)) || memchr(value.data, '\0', value.len) != NULL))
        err = ERR_INVALID;
    if (err == 0)
        *out = call_text(c, slot, value.len > 0 ? value.data : "");
    buf_deinit(&value);
    return err == 0 || err == ERR_NOT_FOUND;
}

/* Digits and nothing else: strtoll() alone would take blanks and signs, too. */
static bool read_digits(struct slice text, int64_t *out)
{
    int64_t n = 0;

    if (text.len == 0 || text.len > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        n = n * 10 + (text.data[i] - '0');
    }
    *out = n;
    return true;
}

bool call_query_int(struct call *c, const char *name, int64_t from, int64_t to, int64_t *out)
{
    const char *text;
    int64_t     n;
    bool        is_sound = call_query(c, name, 3, &text);

    if (!is_sound || text == NULL)
        return is_sound;
    if (!read_digits(slice_of(text), &n) || n < from || n > to)
        return false;
    *out = n;
    return true;
}

int64_t tag_seq(struct slice tag)
{
    int64_t seq;

    if (slice_starts(tag, "W/"))
        tag = slice_from(tag, 2);
    if (tag.len < 2 || tag.data[0] != '"' || tag.data[tag.len - 1] != '"')
        return 0;
    tag = slice_make(tag.data + 1, tag.len - 2);
    if (memchr(tag.data, '"', tag.len) != NULL)
        return 0;
    return read_digits(tag, &seq) && seq > 0 && tag.data[0] != '0' ? seq : INT64_MAX;
}

/* A cursor is opaque: base64url of "<c|u>.<time>.<id>". */
char *cursor_after(const struct task *t, enum store_sort sort)
{
    struct buf out;
    char       plain[64];
    int        n;

    n = snprintf(plain, sizeof(plain), "%c.%lld.%s", sort == STORE_BY_CREATED ? 'c' : 'u',
                 (long long)(sort == STORE_BY_CREATED ? t->created_at : t->updated_at), t->id);
    buf_init(&out, 128);
    crypto_append_base64url(&out, plain, (size_t)n);
    return buf_take(&out);
}

int cursor_read(const char *text, enum store_sort sort, int64_t *out_time, char *id)
{
    struct buf   plain;
    struct slice rest;
    struct slice kind;
    struct slice when;
    int          err;

    buf_init(&plain, 64);
    err = crypto_decode_base64url(slice_of(text), &plain);
    rest = buf_peek(&plain);
    kind = slice_cut(&rest, '.');
    when = slice_cut(&rest, '.');
    if (err != 0 || !slice_is(kind, sort == STORE_BY_CREATED ? "c" : "u") ||
        !read_digits(when, out_time) || !task_id_is_valid(rest)) {
        buf_deinit(&plain);
        return ERR_INVALID;
    }
    memcpy(id, rest.data, TASK_ID_LEN);
    id[TASK_ID_LEN] = '\0';
    buf_deinit(&plain);
    return *out_time > 0 ? 0 : ERR_INVALID;
}

/* --- pieces of answers --- */

json_t *row_of(const struct task *t)
{
    json_t *row = json_object();
    json_t *rest = task_row(t);

    if (row == NULL)
        abort();
    json_put_text(row, "taskId", t->id);
    json_put_int(row, "seq", t->seq);
    if (json_object_update_missing(row, rest) != 0)
        abort();
    json_decref(rest);
    return row;
}

void put_counts(json_t *object, const int64_t counts[BUCKETS_PER_SCOPE], uint64_t rev)
{
    json_put_int(object, "activeCount", counts[0]);
    json_put_int(object, "completedCount", counts[1]);
    json_put_int(object, "failedCount", counts[2]);
    json_put_int(object, "rev", (int64_t)rev);
}

struct render {
    struct call *call;
    void       (*then)(struct call *c, int err);
};

static void on_render_events(int err, const struct event *events, size_t count, void *arg)
{
    struct render r = *(struct render *)arg;

    free(arg);
    if (err == 0)
        err = messages_state(&r.call->task, events, count, &r.call->text);
    r.then(r.call, err);
}

void call_render_state(struct call *c, void (*then)(struct call *c, int err))
{
    struct store_events_query q = { .id = c->task.id, .before = c->task.seq + 1,
                                    .limit = TASK_STATE_EVENTS, .newest = true };
    struct render            *r;
    int                       err;

    snprintf(c->etag, sizeof(c->etag), "\"%lld\"", (long long)c->task.seq);
    if (c->task.event_count >= (size_t)c->task.seq) {
        then(c, messages_state(&c->task, c->task.events, c->task.event_count, &c->text));
        return;
    }
    r = mem_new(struct render);
    r->call = c;
    r->then = then;
    err = store_events(c->parts->store, &q, on_render_events, r);
    if (err != 0) {
        free(r);
        then(c, err);
    }
}

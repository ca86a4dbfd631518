/* api_dead_letters.c -- what ingest refused: look at it, send it in again, or drop it.
 *
 * A retry moves the original bytes from one stream to the other in one script, so that a
 * letter is in exactly one of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/utf8.h"
#include "proto/keys.h"
#include "taskd/api_call.h"

#define LIST_LIMIT       50
#define LIST_LIMIT_MAX   500
#define NUMBER_CHARS_MAX 18
#define ID_CHARS_MAX     (2 * NUMBER_CHARS_MAX + 1)

/* KEYS: dead, ingest. ARGV: id */
static struct redis_script retry_script = { .text =
    "local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])\n"
    "if #found == 0 then return '' end\n"
    "local fields = found[1][2]\n"
    "for i = 1, #fields, 2 do\n"
    "  if fields[i] == 'event' then\n"
    "    local id = redis.call('XADD', KEYS[2], '*', '" KEY_INGEST_FIELD "', fields[i + 1])\n"
    "    redis.call('XDEL', KEYS[1], ARGV[1])\n"
    "    return id\n"
    "  end\n"
    "end\n"
    "return ''\n"
};

static bool is_number(struct slice s)
{
    if (s.len == 0 || s.len > NUMBER_CHARS_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
    }
    return true;
}

/* "<ms>-<n>", neither past what Redis counts to: anything else would be its error, not ours. */
static bool id_is_sound(const char *id)
{
    struct slice n = slice_of(id);
    struct slice ms = slice_cut(&n, '-');

    return is_number(ms) && is_number(n);
}

static json_t *letter_of(const struct redis_reply *entry)
{
    const struct redis_reply *fields = redis_reply_at(entry, 1);
    json_t                   *letter = json_object();
    struct slice              id = redis_reply_text(redis_reply_at(entry, 0));

    (void)json_object_set_new(letter, "id", json_stringn(id.data, id.len));
    for (size_t i = 0; i + 1 < redis_reply_count(fields); i += 2) {
        struct slice name = redis_reply_text(redis_reply_at(fields, i));
        struct slice value = redis_reply_text(redis_reply_at(fields, i + 1));
        char         key[16];

        if (name.len >= sizeof(key))
            continue;
        snprintf(key, sizeof(key), "%.*s", SLICE_ARG(name));
        if (utf8_is_valid(value))
            (void)json_object_set_new(letter, key, json_stringn(value.data, value.len));
        else
            json_put_text(letter, key, "(not UTF-8)");
    }
    return letter;
}

static void on_length(int err, const struct redis_reply *reply, void *arg)
{
    struct call *c = arg;

    if (err == 0)
        json_put_int(c->answer, "count", redis_reply_int(reply));
    call_answer(c, 200);
}

static void on_letters(int err, const struct redis_reply *reply, void *arg)
{
    struct call *c = arg;
    json_t      *list = json_array();
    size_t       count = redis_reply_count(reply);
    struct slice last;

    if (err != 0) {
        json_decref(list);
        call_problem(c, err == ERR_REPLY ? ERROR_INVALID : ERROR_UNAVAILABLE, NULL);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(list, letter_of(redis_reply_at(reply, i))) != 0)
            abort();
    }
    c->answer = json_object();
    if (json_object_set_new(c->answer, "deadLetters", list) != 0)
        abort();
    if (count > 0 && count == c->index) {
        last = redis_reply_text(redis_reply_at(redis_reply_at(reply, count - 1), 0));
        (void)json_object_set_new(c->answer, "nextBefore", json_stringn(last.data, last.len));
    }
    if (redis_call(c->parts->redis, on_length, c, "XLEN", KEY_INGEST_DEAD, NULL) != 0)
        call_failed(c, ERR_REDIS);
}

/* The newest first; `before` goes on where the last page ended. */
void on_dead_letters(struct call *c)
{
    const char *before;
    int64_t     limit = LIST_LIMIT;
    char        from[ID_CHARS_MAX + 2] = "+";
    char        count[24];

    if (!call_query(c, "before", 0, &before) || (before != NULL && !id_is_sound(before)) ||
        !call_query_int(c, "limit", 1, LIST_LIMIT_MAX, &limit)) {
        call_problem(c, ERROR_INVALID, "A query parameter is not one of its values");
        return;
    }
    if (before != NULL)                        /* below 0-0, which no entry has, Redis knows nothing */
        snprintf(from, sizeof(from), "%s%s", strspn(before, "0-") == strlen(before) ? "" : "(",
                 before);
    snprintf(count, sizeof(count), "%lld", (long long)limit);
    c->index = (size_t)limit;
    if (redis_call(c->parts->redis, on_letters, c, "XREVRANGE", KEY_INGEST_DEAD, from, "-",
                   "COUNT", count, NULL) != 0)
        call_failed(c, ERR_REDIS);
}

static void on_letter(int err, const struct redis_reply *reply, void *arg)
{
    struct call *c = arg;

    if (err != 0) {
        call_failed(c, ERR_REDIS);
        return;
    }
    if (redis_reply_count(reply) == 0) {
        call_problem(c, ERROR_NOT_FOUND, NULL);
        return;
    }
    c->answer = letter_of(redis_reply_at(reply, 0));
    call_answer(c, 200);
}

void on_dead_letter_get(struct call *c)
{
    if (!id_is_sound(c->params[0]))
        call_problem(c, ERROR_NOT_FOUND, NULL);
    else if (redis_call(c->parts->redis, on_letter, c, "XRANGE", KEY_INGEST_DEAD, c->params[0],
                        c->params[0], NULL) != 0)
        call_failed(c, ERR_REDIS);
}

static void on_retried(int err, const struct redis_reply *reply, void *arg)
{
    struct call *c = arg;
    struct slice id = redis_reply_text(reply);

    if (err != 0) {
        call_failed(c, ERR_REDIS);
        return;
    }
    if (id.len == 0) {
        call_problem(c, ERROR_NOT_FOUND, NULL);
        return;
    }
    c->answer = json_object();
    (void)json_object_set_new(c->answer, "id", json_stringn(id.data, id.len));
    call_answer(c, 202);
}

void on_dead_letter_retry(struct call *c)
{
    struct slice argv[] = { SLICE(KEY_INGEST_DEAD), SLICE(KEY_INGEST), slice_of(c->params[0]) };

    if (!id_is_sound(c->params[0]))
        call_problem(c, ERROR_NOT_FOUND, NULL);
    else if (redis_eval(c->parts->redis, &retry_script, on_retried, c, 2, 3, argv) != 0)
        call_failed(c, ERR_REDIS);
}

static void on_dropped(int err, const struct redis_reply *reply, void *arg)
{
    struct call *c = arg;

    if (err != 0)
        call_failed(c, ERR_REDIS);
    else if (redis_reply_int(reply) == 0)
        call_problem(c, ERROR_NOT_FOUND, NULL);
    else
        call_answer_empty(c, 204);
}

void on_dead_letter_drop(struct call *c)
{
    if (!id_is_sound(c->params[0]))
        call_problem(c, ERROR_NOT_FOUND, NULL);
    else if (redis_call(c->parts->redis, on_dropped, c, "XDEL", KEY_INGEST_DEAD, c->params[0],
                        NULL) != 0)
        call_failed(c, ERR_REDIS);
}

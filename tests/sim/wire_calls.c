/* wire_calls.c -- commands as the services give them, and replies as they read them.
 *
 * Only what gateways and publishers say to Redis is understood: HMGET of a position, XRANGE of
 * a log, PUBLISH of a canary, and the scripts of taskd/publish_script.h, which are called
 * here with their arguments instead of their text. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "proto/keys.h"
#include "taskd/publish_script.h"
#include "tests/sim/wire_internal.h"

#define ARGS_MAX 16

struct redis_reply {
    enum redis_kind     kind;
    struct slice        text;
    struct redis_reply *items;
    size_t              count;
    char                digits[24];
};

/* --- replies --- */

enum redis_kind redis_reply_kind(const struct redis_reply *reply)
{
    return reply == NULL ? REDIS_NIL : reply->kind;
}

struct slice redis_reply_text(const struct redis_reply *reply)
{
    return reply == NULL ? (struct slice){ NULL, 0 } : reply->text;
}

int64_t redis_reply_int(const struct redis_reply *reply)
{
    return reply == NULL || reply->text.len == 0 ? 0 : strtoll(reply->text.data, NULL, 10);
}

size_t redis_reply_count(const struct redis_reply *reply)
{
    return reply == NULL ? 0 : reply->count;
}

const struct redis_reply *redis_reply_at(const struct redis_reply *reply, size_t i)
{
    return reply == NULL || i >= reply->count ? NULL : &reply->items[i];
}

static void reply_list(struct redis_reply *r, size_t count)
{
    r->kind = REDIS_ARRAY;
    r->count = count;
    r->items = mem_alloc((count + 1) * sizeof(*r->items));
}

static void reply_text(struct redis_reply *r, struct slice text)
{
    r->kind = REDIS_TEXT;
    r->text = text;
}

static void reply_number(struct redis_reply *r, uint64_t n, const char *after)
{
    snprintf(r->digits, sizeof(r->digits), "%llu%s", (unsigned long long)n, after);
    reply_text(r, slice_of(r->digits));
}

void command_read_log(struct wire_command *c)
{
    size_t                     count;
    const struct server_entry *entries = server_log(c->who.org, c->from, &count);

    c->log_count = count < c->max ? count : c->max;
    c->log = mem_alloc((c->log_count + 1) * sizeof(struct rcbuf *));
    c->log_numbers = mem_alloc((c->log_count + 1) * sizeof(*c->log_numbers));
    for (size_t i = 0; i < c->log_count; i++) {
        c->log[i] = rcbuf_ref(entries[i].text);
        c->log_numbers[i] = entries[i].number;
    }
}

static void reply_log(struct wire_command *c)
{
    reply_list(c->reply, c->log_count);
    for (size_t i = 0; i < c->log_count; i++) {
        struct redis_reply *entry = &c->reply->items[i];

        reply_list(entry, 2);
        reply_number(&entry->items[0], c->log_numbers[i], "-0");
        reply_list(&entry->items[1], 2);
        reply_text(&entry->items[1].items[0], SLICE(KEY_LOG_FIELD));
        reply_text(&entry->items[1].items[1], rcbuf_slice(c->log[i]));
    }
}

/* A script's answer is handed over as it is: script_answer_read knows. */
const struct redis_reply *command_reply(struct wire_command *c)
{
    if (c->is_script)
        return (const struct redis_reply *)(const void *)&c->answer;
    c->reply = mem_new(struct redis_reply);
    if (c->kind == COMMAND_LOG) {
        reply_log(c);
    } else if (c->kind == COMMAND_POSITION) {
        reply_list(c->reply, 2);
        if (c->at.epoch != 0) {
            reply_number(&c->reply->items[0], c->at.epoch, "");
            reply_number(&c->reply->items[1], c->at.number, "");
        }
    }
    return c->reply;
}

static void reply_free(struct redis_reply *r)
{
    for (size_t i = 0; i < r->count; i++) {
        for (size_t k = 0; k < r->items[i].count; k++)
            free(r->items[i].items[k].items);
        free(r->items[i].items);
    }
    free(r->items);
    free(r);
}

void command_reply_free(struct wire_command *c)
{
    if (c->reply != NULL)
        reply_free(c->reply);
    for (size_t i = 0; i < c->log_count; i++)
        rcbuf_unref(c->log[i]);
    free(c->log);
    free(c->log_numbers);
}

/* --- commands --- */

static struct wire_command *command_new(enum command_kind kind)
{
    struct wire_command *c = mem_new(struct wire_command);

    c->kind = kind;
    list_init(&c->in_link);
    return c;
}

/* The org in a key of this format. */
static void org_of_key(struct slice key, const char *format, char out[SERVER_NAME_SIZE])
{
    snprintf(out, SERVER_NAME_SIZE, "%.*s", SLICE_ARG(slice_from(key, strlen(format) - 2)));
}

int redis_command(struct redis *r, redis_cb *cb, void *arg, size_t argc, const struct slice *argv)
{
    struct wire_command *c;

    assert(argc >= 3);
    if (slice_is(argv[0], "HMGET")) {
        c = command_new(COMMAND_POSITION);
        org_of_key(argv[1], KEY_ORG_FORMAT, c->who.org);
    } else if (slice_is(argv[0], "XRANGE")) {
        c = command_new(COMMAND_LOG);
        org_of_key(argv[1], KEY_LOG_FORMAT, c->who.org);
        c->from = strtoull(argv[2].data, NULL, 10);
        assert(argc == 6);
        c->max = strtoull(argv[5].data, NULL, 10);
    } else {
        assert(slice_is(argv[0], "PUBLISH"));
        c = command_new(COMMAND_PUBLISH);
        snprintf(c->channel, sizeof(c->channel), "%.*s", SLICE_ARG(argv[1]));
        c->text = rcbuf_copy(argv[2]);
    }
    return wire_send(r, c, cb, arg);
}

int redis_call(struct redis *r, redis_cb *cb, void *arg, ...)
{
    struct slice argv[ARGS_MAX];
    size_t       argc = 0;
    const char  *text;
    va_list      args;

    va_start(args, arg);
    while ((text = va_arg(args, const char *)) != NULL) {
        assert(argc < ARGS_MAX);
        argv[argc++] = slice_of(text);
    }
    va_end(args);
    return redis_command(r, cb, arg, argc, argv);
}

/* --- scripts --- */

static struct wire_command *script_new(enum command_kind kind, const struct script_caller *who)
{
    struct wire_command *c = command_new(kind);

    c->is_script = true;
    snprintf(c->who.org, sizeof(c->who.org), "%s", who->org);
    snprintf(c->who.token, sizeof(c->who.token), "%s", who->token);
    c->who.floor_us = who->floor_us;
    return c;
}

int script_publish(struct redis *r, const struct script_caller *who, const struct publication *p,
                   redis_cb *cb, void *arg)
{
    struct wire_command       *c = script_new(COMMAND_SEND, who);
    struct server_publication *to = &c->publication;

    snprintf(to->task, sizeof(to->task), "%s", p->task);
    snprintf(to->creator, sizeof(to->creator), "%s", p->creator);
    to->seq = p->seq;
    to->marked = p->marked;
    to->before = p->before;
    to->after = p->after;
    to->body = rcbuf_copy(p->body);
    return wire_send(r, c, cb, arg);
}

int script_position(struct redis *r, const struct script_caller *who, const char *sub,
                    redis_cb *cb, void *arg)
{
    struct wire_command *c = script_new(COMMAND_ASK, who);

    c->has_sub = sub != NULL;
    if (sub != NULL)
        snprintf(c->sub, sizeof(c->sub), "%s", sub);
    return wire_send(r, c, cb, arg);
}

static void counts_put(struct wire_command *c, const struct store_counts *from)
{
    struct server_counts *to = &c->counts;

    memcpy(to->org, from->org, sizeof(to->org));
    to->people_count = from->people_count;
    assert(to->people_count <= sizeof(to->people) / sizeof(to->people[0]));
    for (size_t i = 0; i < from->people_count; i++) {
        snprintf(to->people[i].sub, SERVER_NAME_SIZE, "%.30s", from->people[i].sub);
        memcpy(to->people[i].n, from->people[i].n, sizeof(to->people[i].n));
    }
}

int script_begin(struct redis *r, const struct script_caller *who, const struct store_counts *from,
                 redis_cb *cb, void *arg)
{
    struct wire_command *c = script_new(COMMAND_BEGIN, who);

    counts_put(c, from);
    return wire_send(r, c, cb, arg);
}

int script_correct(struct redis *r, const struct script_caller *who,
                   const struct store_counts *from, redis_cb *cb, void *arg)
{
    struct wire_command *c = script_new(COMMAND_CORRECT, who);

    counts_put(c, from);
    return wire_send(r, c, cb, arg);
}

int script_hold(struct redis *r, const struct script_caller *who, uint64_t quiet_us, redis_cb *cb,
                void *arg)
{
    struct wire_command *c = script_new(COMMAND_HOLD, who);

    c->quiet_us = quiet_us;
    return wire_send(r, c, cb, arg);
}

int script_release(struct redis *r, const struct script_caller *who, redis_cb *cb, void *arg)
{
    return wire_send(r, script_new(COMMAND_RELEASE, who), cb, arg);
}

void script_answer_read(int err, const struct redis_reply *reply, struct script_answer *out)
{
    const struct server_answer *a = (const void *)reply;

    *out = (struct script_answer){ .outcome = SCRIPT_FAILED };
    if (err != 0 || a == NULL)
        return;
    *out = a->a;
    out->people = slice_of(a->people);
}
